"""Drawings as PDF, as another reader finds them."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from netdsl.backends.diagram import draw
from netdsl.backends.diagram.fonts import advance, text_width
from netdsl.backends.diagram.formats.letters import Setter
from netdsl.backends.diagram.formats.paths import number
from netdsl.backends.diagram.formats.pdf import pdf
from netdsl.backends.diagram.formats.symbol import SYMBOL
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Picture, Polygon, Shape, Text
from netdsl.backends.diagram.theme import theme
from tests import examples

pypdf = pytest.importorskip("pypdf")
ODD = 'Größe × α→β ≥ 中文 (a)\\ "q" <x> & é Ж שלום 🙂 e\u0301 \x07 2nd\tline'
"""All kinds of letters; of the last accent with its letter there is one letter."""
CASES = {
    "googlenet": Options(),
    "unet": Options(level="volumes", theme="dark"),
    "lenet": Options(level="neurons", neurons=("conv2[0,4,4]",)),
    "resnet18": Options(width=468.0),
}


@cache
def picture(name: str) -> Picture:
    return draw.picture_of(examples.network(name).graph, CASES[name])


def written(drawn: Picture, options: Options = Options()) -> Any:  # noqa: B008
    return pypdf.PdfReader(io.BytesIO(draw.render(drawn, "pdf", options)), strict=True)


# ---- the standard fonts, as their makers measured them ----


def test_letters_are_as_wide_as_adobe_says() -> None:
    from pypdf._codecs.core_font_metrics import CORE_FONT_METRICS

    for bold, font in ((False, "Helvetica"), (True, "Helvetica-Bold")):
        widths = CORE_FONT_METRICS[font].character_widths
        letters = [bytes([c]).decode("cp1252", "ignore") for c in range(32, 256)]
        shown = [c for c in letters if c in widths]
        assert len(shown) > 210
        assert {c: advance(c, bold) for c in shown} == {c: widths[c] for c in shown}


def test_symbol_has_the_codes_and_widths_of_adobe() -> None:
    from pypdf._codecs.core_font_metrics import CORE_FONT_METRICS
    from pypdf._codecs.symbol import _symbol_encoding

    twins = {"\u00b5": "\u03bc", "\u2126": "\u03a9", "\u2206": "\u0394"}
    """Signs, and the Greek letters that look as they do."""
    theirs = CORE_FONT_METRICS["Symbol"].character_widths
    widths = theirs | {twins[c]: width for c, width in theirs.items() if c in twins}
    for letter, (code, width) in SYMBOL.items():
        told = _symbol_encoding[code]
        assert twins.get(told, told) == letter
        assert widths[letter] == width, letter
    assert len(SYMBOL) > 110


# ---- the page ----


def test_a_page_is_as_large_as_the_picture_and_says_what_it_is() -> None:
    for name, options in CASES.items():
        drawn = picture(name)
        scale = 1.0 if options.width is None else options.width / drawn.width
        reader = written(drawn, Options(width=options.width, author="Ada Lövelace, 中"))
        (page,) = reader.pages
        assert float(page.mediabox.width) == pytest.approx(drawn.width * scale, abs=0.01)
        assert float(page.mediabox.height) == pytest.approx(drawn.height * scale, abs=0.01)
        assert reader.metadata.title == drawn.title
        assert reader.metadata.author == "Ada Lövelace, 中"
        assert reader.metadata.subject == drawn.description
        fonts = {font.get_object()["/BaseFont"] for font in page["/Resources"]["/Font"].values()}
        assert (
            {"/Helvetica", "/Helvetica-Bold"}
            <= fonts
            <= {"/Helvetica", "/Helvetica-Bold", "/Symbol"}
        )
    assert "/Author" not in written(picture("lenet")).metadata


def test_a_picture_larger_than_a_page_can_be_has_larger_units() -> None:
    drawn = Picture(40_000, 50, "wide", items=[Text(39_000, 20, "end", 10)])
    (page,) = written(drawn).pages
    assert page["/UserUnit"] == 3
    assert float(page.mediabox.width) * 3 == pytest.approx(40_000, abs=0.1)


def test_the_bytes_are_the_same_each_time_and_have_no_date() -> None:
    drawn = picture("lenet")
    data = draw.render(drawn, "pdf", Options())
    assert data == draw.render(drawn, "pdf", Options())
    assert b"Date" not in data


# ---- shapes ----


def painted(page: Any) -> Iterator[tuple[str, str, str, tuple[float, ...], tuple[float, ...]]]:
    """What paints shapes, in turn: how, the colours, width and dashes, the box around its points."""
    fill = line = ""
    pen: dict[str, tuple[float, ...]] = {"w": (1.0,), "d": ()}
    points: list[tuple[float, float]] = []
    depth = 0
    for operands, operator in page.get_contents().operations:
        name = operator.decode()
        numbers = [float(n) for n in operands if isinstance(n, int | float)]
        depth += {"BDC": 1, "EMC": -1}.get(name, 0)
        if name in ("rg", "RG"):
            code = "#" + "".join(f"{round(n * 255):02x}" for n in numbers)
            fill, line = (code, line) if name == "rg" else (fill, code)
        elif name == "w":
            pen["w"] = tuple(numbers)
        elif name == "d":
            pen["d"] = tuple(map(float, operands[0]))
        elif name == "re":
            x, y, width, height = numbers
            points += [(x, y), (x + width, y + height)]
        elif name in ("m", "l", "c"):
            points += zip(numbers[::2], numbers[1::2], strict=True)
        elif name in ("f", "B", "S"):
            (xs, ys) = zip(*points, strict=True)
            style = (*pen["w"], *pen["d"]) if name != "f" else ()
            if not depth:
                yield (
                    name,
                    fill * (name != "S"),
                    line * (name != "f"),
                    style,
                    (min(xs), min(ys), max(xs), max(ys)),
                )
            points = []


def expected(shape: Shape, name: str) -> tuple[str, str, str, tuple[float, ...], tuple[float, ...]]:
    colours = theme(name)
    assert not isinstance(shape, Text)
    fill = "" if isinstance(shape, Curve) else shape.fill
    how = "S" if not fill else "B" if shape.line else "f"
    dash = {"": (), "dashed": (4.0, 3.0), "dotted": (2.0, 3.0)}[shape.dash]
    style = (float(number(shape.stroke)), *dash) if shape.line else ()
    if isinstance(shape, Box):
        around = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
    elif isinstance(shape, Ellipse):
        around = (shape.x - shape.rx, shape.y - shape.ry, shape.x + shape.rx, shape.y + shape.ry)
    else:
        xs, ys = zip(*shape.points, strict=True)
        around = (min(xs), min(ys), max(xs), max(ys))
    return (
        how,
        colours[fill] if fill else "",
        colours[shape.line] if shape.line else "",
        style,
        around,
    )


@pytest.mark.parametrize("name", CASES)
def test_every_shape_is_painted_in_turn_with_its_colours_and_dashes(name: str) -> None:
    drawn, options = picture(name), CASES[name]
    (page,) = written(drawn, options).pages
    paper, *found = painted(page)
    assert paper[1] == theme(options.theme)["paper"]
    shapes = [
        s for s in drawn.shapes() if not isinstance(s, Text) and (s.line or getattr(s, "fill", ""))
    ]
    assert len(found) == len(shapes) > 20
    for shape, seen in zip(shapes, found, strict=True):
        wanted = expected(shape, options.theme)
        assert seen[:4] == wanted[:4]
        assert seen[4] == pytest.approx(wanted[4], abs=0.011)


def test_opacity_is_that_of_the_shape_and_of_no_other() -> None:
    boxes = [Box(0, 0, 9, 9, "ink", opacity=o) for o in (1.0, 0.25, 0.25, 0.5, 1.0)]
    (page,) = written(Picture(10, 10, "x", items=[*boxes, Text(5, 5, "x")])).pages
    states = {k: v["/ca"] for k, v in page["/Resources"]["/ExtGState"].items()}
    now, found = 1.0, []
    for operands, operator in page.get_contents().operations:
        if operator == b"gs":
            now = float(states[operands[0]])
        elif operator in (b"f", b"Tj"):
            found.append(now)
    assert found == [1.0, 1.0, 0.25, 0.25, 0.5, 1.0, 1.0]  # the first is the paper


# ---- texts ----


def lines(page: Any) -> list[tuple[str, float, float, float, str]]:
    """What is written: text, place, size, font, by the fonts' own codes."""
    from pypdf._codecs.symbol import _symbol_encoding

    fonts = {k: v.get_object()["/BaseFont"] for k, v in page["/Resources"]["/Font"].items()}
    found: list[tuple[str, float, float, float, str]] = []
    font, size, place = "", 0.0, (0.0, 0.0)
    for operands, operator in page.get_contents().operations:
        if operator == b"Tf":
            font, size = fonts[operands[0]], float(operands[1])
        elif operator == b"Tm":
            place = float(operands[4]), float(operands[5])
        elif operator == b"Tj":
            codes = operands[0].original_bytes
            text = (
                "".join(map(_symbol_encoding.__getitem__, codes))
                if font == "/Symbol"
                else codes.decode("cp1252")
            )
            found.append((text, *place, size, font))
    return found


@pytest.mark.parametrize("name", CASES)
def test_every_text_stands_where_the_picture_has_it(name: str) -> None:
    drawn = picture(name)
    (page,) = written(drawn, CASES[name]).pages
    found = iter(lines(page))
    for text in drawn.texts():
        first, x, y, size, font = next(found)
        shown, end, last = first, x + text_width(first, size, text.bold), font
        while len(shown) < len(text.text):
            part, *place, _, last = next(found)
            shown += part
            end = place[0] + (
                text_width(part, size, text.bold)
                if last != "/Symbol"
                else sum(SYMBOL[c][1] for c in part) * size / 1000
            )
        assert (shown, y, size) == (
            text.text,
            pytest.approx(text.y, abs=0.01),
            pytest.approx(text.size, abs=0.01),
        )
        assert "Bold" in font or not text.bold or font == "/Symbol"
        middle = {"start": x, "middle": (x + end) / 2, "end": end}[text.anchor]
        assert middle == pytest.approx(text.x, abs=0.02)
    assert next(found, None) is None


def test_no_letter_is_dropped_whatever_it_is() -> None:
    drawn = Picture(400, 40, ODD, items=[Text(10, 20, ODD, 10, anchor="start")])
    reader = written(drawn)
    assert reader.metadata.title == ODD
    content = reader.pages[0].get_contents()
    told, inside = "", False
    runs = iter(lines(reader.pages[0]))
    for operands, operator in content.operations:
        if operator == b"BDC":
            told += str(operands[1]["/ActualText"])
        inside = (inside and operator != b"EMC") or operator == b"BDC"
        if operator == b"Tj":
            text = next(runs)[0]
            told += "" if inside else text
    assert told == ODD.replace("e\u0301", "é").replace("\t", " ")
    (note,) = drawn.notes
    assert note.startswith("no font here has `中`, `文`, `Ж`, `ש`")
    assert "U+0007" in note
    assert "`α`" not in note
    assert "--font-file" in note


def test_signs_are_copied_as_the_letters_that_they_are() -> None:
    letters = "".join(SYMBOL)
    drawn = Picture(90, 30, "x", items=[Text(10, 20, letters, 10, anchor="start")])
    (page,) = written(drawn).pages
    font = page["/Resources"]["/Font"]["/S"].get_object()
    told = font["/ToUnicode"].get_data().decode()
    lists = re.findall(r"(\d+) beginbfchar\n(.*?)\nendbfchar", told, re.DOTALL)
    assert all(int(count) == len(body.splitlines()) <= 100 for count, body in lists)
    meant = {int(a, 16): chr(int(b, 16)) for a, b in re.findall(r"<(\w\w)> <(\w{4})>", told)}
    (shown,) = [o[0].original_bytes for o, name in page.get_contents().operations if name == b"Tj"]
    assert "".join(meant[code] for code in shown) == letters


def test_a_letter_that_no_font_has_is_seen_as_its_number_in_a_box() -> None:
    drawn = Picture(60, 40, "x", items=[Text(30, 20, "中🙂", 20)])
    (page,) = written(drawn).pages
    assert [part[0] for part in lines(page)] == ["4E", "2D", "1F6", "42"]
    boxes = [o for o, name in page.get_contents().operations if name == b"re"]
    assert len(boxes) == 3  # the paper, and two
    first, second = (tuple(map(float, box)) for box in boxes[1:])
    assert first[0] + first[2] <= second[0]


def test_a_font_file_gives_the_letters_that_the_standard_fonts_lack() -> None:
    pytest.importorskip("fontTools")
    from netdsl.backends.diagram.formats.outlines import packaged

    drawn = Picture(90, 40, "x", items=[Text(30, 20, "aЖ中", 20)])
    options = Options(font_file=(str(packaged()),))
    (page,) = written(drawn, options).pages
    assert [part[0] for part in lines(page)] == ["a", "4E", "2D"]
    assert len(page["/Resources"]["/XObject"]) == 1
    assert [re.findall(r"`(.)`", note)[:1] for note in drawn.notes] == [["中"]]


# ---- as it looks ----


@pytest.mark.skipif(
    not all(map(shutil.which, ("pdftoppm", "rsvg-convert", "fc-match"))),
    reason="no pdftoppm or rsvg",
)
@pytest.mark.parametrize("name", ["lenet", pytest.param("googlenet", marks=pytest.mark.full)])
def test_it_looks_like_the_svg_file(name: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    numpy = pytest.importorskip("numpy")
    drawn, file = picture(name), tmp_path / "x"
    theirs = subprocess.run(["fc-match", "Helvetica"], capture_output=True, text=True, check=True)
    if not re.search("Liberation|Nimbus|Arimo|Helvetica|Arial", theirs.stdout):
        pytest.skip("no font of these widths on this system")
    pixels: dict[str, Any] = {}
    nudged = Picture(drawn.width, drawn.height, "x", items=[*drawn.items])
    for kind, data in {
        "svg": draw.render(drawn, "svg", Options()),
        "pdf": draw.render(drawn, "pdf", Options()),
        "bare": pdf(
            Picture(
                nudged.width,
                nudged.height,
                "x",
                items=[s for s in drawn.shapes() if isinstance(s, Polygon | Text)],
            ),
            theme("light"),
            None,
            Setter(),
        ),
    }.items():
        path = file.with_suffix(f".{kind}")
        path.write_bytes(data)
        out = tmp_path / kind
        size = round(drawn.width), round(drawn.height)
        if kind == "svg":
            command = [
                "rsvg-convert",
                "-w",
                str(size[0]),
                "-h",
                str(size[1]),
                str(path),
                "-o",
                f"{out}.png",
            ]
        else:
            command = [
                "pdftoppm",
                "-png",
                "-singlefile",
                "-scale-to-x",
                str(size[0]),
                "-scale-to-y",
                str(size[1]),
                str(path),
                str(out),
            ]
        subprocess.run(command, check=True)
        pixels[kind] = numpy.asarray(image.open(f"{out}.png").convert("L"), dtype=float)
    assert numpy.abs(pixels["svg"] - pixels["pdf"]).mean() < 2.5
    assert (
        numpy.abs(pixels["svg"] - pixels["bare"]).mean()
        > 2 * numpy.abs(pixels["svg"] - pixels["pdf"]).mean()
    )
    moved = numpy.roll(pixels["pdf"], 2, axis=1)
    assert (
        numpy.abs(pixels["svg"] - moved).mean()
        > 1.5 * numpy.abs(pixels["svg"] - pixels["pdf"]).mean()
    )
