"""Letters as outlines: those that FreeType draws, at the places of the texts that they stand for."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from netdsl.backends.diagram import draw
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Picture, Text
from netdsl.cli import main
from tests import examples
from tests.examples import example

pytest.importorskip("fontTools")
pytest.importorskip("fontpkg_arimo")
outlines = pytest.importorskip("netdsl.backends.diagram.formats.outlines")
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


@cache
def picture(name: str, level: str = "blocks") -> Picture:
    return draw.picture_of(examples.network(name).graph, Options(level=level))


def bounds(path: str) -> tuple[int, int, int, int]:
    """The box around the points of a path of relative steps that begins at 0 0."""
    x = y = 0
    xs: list[int] = []
    ys: list[int] = []
    for kind, numbers in re.findall(r"([mlc])([-\d ]+)", path.removeprefix("M0 0")):
        values = [int(n) for n in re.findall(r"-?\d+", numbers)]
        points = [(x + values[k], y + values[k + 1]) for k in range(0, len(values), 2)]
        assert len(points) == {"m": 1, "l": 1, "c": 3}[kind]
        x, y = points[-1]
        xs.append(x)
        ys.append(y)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize("bold", [False, True])
def test_a_letter_is_as_freetype_has_it(bold: bool) -> None:
    fonts, image, draws = (
        pytest.importorskip(f"PIL.{name}") for name in ("ImageFont", "Image", "ImageDraw")
    )
    font = fonts.truetype(str(outlines.packaged()), 1000)
    font.set_variation_by_axes([700 if bold else 400])
    files = outlines.FontFiles([outlines.packaged()])
    for letter in "AgQ1×→é·Ж{":
        glyph = files.glyph(letter, bold)
        assert glyph.width == pytest.approx(font.getlength(letter), abs=2)
        sheet = image.new("L", (2000, 2000))
        draws.Draw(sheet).text((500, 1000), letter, 255, font, anchor="ls")
        left, top, right, bottom = sheet.getbbox()
        points = [p[-2:] for contour in glyph.contours for p in contour]
        xs, ys = zip(*points, strict=True)
        assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx(
            (left - 500, right - 500, 1000 - bottom, 1000 - top), abs=3
        )
    assert files.glyph("中", bold) is None
    assert files.glyph("A", True) != files.glyph("A", False)


@pytest.mark.parametrize("level", ["blocks", "volumes"])
def test_no_text_needs_a_font_and_all_can_be_selected(level: str) -> None:
    drawn = picture("lenet", level)
    root = ET.fromstring(draw.render(drawn, "svg", Options(outlines=True)))
    letters = {path.get("id"): path for path in root.find(f"{SVG}defs") or ()}
    texts = list(root.iter(f"{SVG}text"))
    assert [text.text for text in texts] == [text.text for text in drawn.texts()]
    assert {text.get("opacity") for text in texts} == {"0"}
    lines = [group for group in root.iter(f"{SVG}g") if group.get("aria-hidden")]
    used: set[str] = set()
    for group, text, hidden in zip(lines, drawn.texts(), texts, strict=True):
        marks = [use.get(f"{XLINK}href", "")[1:] for use in group]
        assert len(marks) == len(text.text.replace(" ", ""))
        used.update(marks)
        matrix = [float(n) for n in re.findall(r"-?[\d.]+", group.get("transform", ""))]
        places = [int(use.get("x", "")) * matrix[0] + matrix[4] for use in group]
        assert places == sorted(places)
        left, _, right, _ = text.bounds()
        assert left - 0.1 <= places[0]
        end = places[-1] + bounds(letters[marks[-1]].get("d", ""))[2] * matrix[0]
        assert end <= right + 0.6
        assert float(hidden.get("textLength", "0")) == pytest.approx(text.width, rel=0.02)
        assert matrix[5] == pytest.approx(text.y, abs=0.01)
    assert used == set(letters)


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="no rsvg-convert on this system")
def test_outlines_look_as_the_same_text_in_a_font(tmp_path: Path) -> None:
    numpy, image = pytest.importorskip("numpy"), pytest.importorskip("PIL.Image")
    found = subprocess.run(["fc-match", "Helvetica"], capture_output=True, text=True)
    if not re.search("Liberation|Arimo|Arial", found.stdout):
        pytest.skip("no font of these letters on this system")
    drawn = picture("lenet")
    pixels = {}
    empty = Picture(
        drawn.width, drawn.height, "x", items=[s for s in drawn.shapes() if not isinstance(s, Text)]
    )
    for name, one, options in (
        ("font", drawn, Options()), ("outlines", drawn, Options(outlines=True)), ("bare", empty, Options())
    ):  # fmt: skip
        file, out = tmp_path / f"{name}.svg", tmp_path / f"{name}.png"
        file.write_bytes(draw.render(one, "svg", options))
        subprocess.run(["rsvg-convert", str(file), "-o", str(out)], check=True)
        pixels[name] = numpy.asarray(image.open(out).convert("L"), dtype=float)
    far = numpy.abs(pixels["font"] - pixels["bare"]).mean()
    assert numpy.abs(pixels["font"] - pixels["outlines"]).mean() < far / 3


def test_a_pdf_of_outlines_has_no_font_and_each_letter_once() -> None:
    pypdf = pytest.importorskip("pypdf")
    drawn = picture("lenet")
    (page,) = pypdf.PdfReader(
        io.BytesIO(draw.render(drawn, "pdf", Options(outlines=True))), strict=True
    ).pages
    assert not page["/Resources"]["/Font"]
    painted = [o[0] for o, name in page.get_contents().operations if name == b"Do"]
    assert len(painted) == sum(len(text.text.replace(" ", "")) for text in drawn.texts())
    assert set(painted) == set(page["/Resources"]["/XObject"])
    told = [
        str(o[1]["/ActualText"]) for o, name in page.get_contents().operations if name == b"BDC"
    ]
    assert told == [text.text for text in drawn.texts()]


def test_a_wide_font_is_pressed_into_the_room_and_that_is_said(tmp_path: Path) -> None:
    builder = pytest.importorskip("fontTools.fontBuilder")
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    pen = pens.TTGlyphPen(None)
    for k, point in enumerate([(0, 0), (0, 900), (1000, 900), (1000, 0)]):
        (pen.lineTo if k else pen.moveTo)(point)
    pen.closePath()
    made: Any = builder.FontBuilder(1000)
    made.setupGlyphOrder([".notdef", "a"])
    made.setupCharacterMap({ord("a"): "a"})
    made.setupGlyf(dict.fromkeys((".notdef", "a"), pen.glyph()))
    made.setupHorizontalMetrics({".notdef": (1000, 0), "a": (1100, 0)})
    made.setupHorizontalHeader(ascent=900, descent=-100)
    made.setupPost()
    made.save(tmp_path / "wide.ttf")
    drawn = Picture(90, 30, "x", items=[Text(10, 20, "aaa", 10, anchor="start")])
    data = draw.render(
        drawn, "svg", Options(outlines=True, font_file=(str(tmp_path / "wide.ttf"),))
    ).decode()
    (matrix,) = re.findall(r"matrix\(([^)]*)\)", data)
    assert float(matrix.split()[0]) == pytest.approx(0.01 * 556 / 1100, abs=1e-5)
    assert re.findall(r'<use [^>]*x="(\d+)"', data) == ["0", "1100", "2200"]
    (note,) = drawn.notes
    assert "pressed into their room" in note
    both = [str(tmp_path / "wide.ttf"), str(outlines.packaged())]
    assert outlines.FontFiles(both).glyph("a", True).width < 1000  # the second has bold letters
    assert outlines.FontFiles(both).glyph("b", False) is not None


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["x.png", "--outlines"], "`--outlines` is for .svg and .pdf, and this is .png"),
        (["x.svg", "--font-file", "a.ttf"], "`--font-file` goes with `--outlines`, or with .pdf"),
        (["x.svg", "--author", "A"], "`--author` is a property of .pdf, and this is .svg"),
        (["x.pdf", "--font-file", "no/such.ttf"], "can't read the font no/such.ttf: No such file"),
        (
            ["x.svg", "--outlines", "--font-file", str(example("lenet"))],
            "lenet.net is no font that can be read",
        ),
    ],
)
def test_what_a_file_can_not_have_is_said_before_anything_is_drawn(
    args: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was drawn")

    monkeypatch.setattr(draw, "picture_of", never)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["draw", str(example("lenet")), "-o", *args])
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fontpkg_arimo", None)
    with pytest.raises(
        DrawError, match=r"package fontpkg_arimo: type `pip install 'netdsl\[outlines\]'`"
    ):
        examples.network("lenet").drawing("svg", outlines=True)
    monkeypatch.delitem(sys.modules, "netdsl.backends.diagram.formats.outlines")
    monkeypatch.setitem(sys.modules, "fontTools.ttLib", None)
    with pytest.raises(DrawError, match=r"type `pip install 'netdsl\[outlines\]'`"):
        examples.network("lenet").drawing("svg", outlines=True)
