"""Drawings as TikZ: by a reader of our own, and by pdflatex where that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from unicodedata import normalize

import pytest

from netdsl.backends.diagram import draw
from netdsl.backends.diagram.formats.tex_letters import TexLetters
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Picture, Text
from netdsl.backends.diagram.theme import theme
from tests import examples

CASES = {
    "lenet": Options(level="neurons", neurons=("conv2[0,4,4]",), theme="dark"),
    "unet": Options(level="volumes"),
    "googlenet": Options(width=468.0),
}
POINT = r"\((-?[\d.]+),(-?[\d.]+)\)"
PATH = re.compile(
    rf"\\path\[((?:[\w ]+=[\w. ]+)(?:,[\w ]+=[\w. ]+)*)\] {POINT}"
    rf"(?: rectangle {POINT}| ellipse \[x radius=[\d.]+bp,y radius=[\d.]+bp\]"
    rf"|(?: (?:--|\.\. controls {POINT} and {POINT} \.\.) (?:{POINT}|cycle))+);"
)
NODE = re.compile(
    rf"\\node\[anchor=(base(?: west| east)?),text=(\w+)\] at {POINT} "
    r"\{\\netdsltext\{([\d.]+)bp\}\{([\d.]+)bp\}\{(\\bfseries )?(.*)\}\};"
)
COLOUR = re.compile(r"\\definecolor\{(\w+)\}\{HTML\}\{([0-9A-F]{6})\}%")


@cache
def picture(name: str) -> Picture:
    return draw.picture_of(examples.network(name).graph, CASES[name])


@cache
def body(name: str) -> tuple[str, list[str]]:
    """The file, and the lines between its bounding box and its end."""
    text = draw.render(picture(name), "tikz", CASES[name]).decode()
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("\\useasboundingbox"))
    assert lines[-2:] == ["\\end{tikzpicture}%", "\\endgroup%"]
    return text, [line for line in lines[start + 1 : -2] if not line.startswith("%")]


@pytest.mark.parametrize("name", CASES)
def test_there_is_a_path_a_shape_and_a_node_a_text(name: str) -> None:
    drawn, options = picture(name), CASES[name]
    scale = 1.0 if options.width is None else options.width / drawn.width
    text, lines = body(name)
    colours = dict(COLOUR.findall(text))
    assert len(COLOUR.findall(text)) == len(colours)
    used: set[str] = set()
    for shape, line in zip(drawn.shapes(), lines[1:], strict=True):
        if isinstance(shape, Text):
            found = NODE.fullmatch(line)
            assert found, line
            anchor, colour, x, y, room, size, bold, _ = found.groups()
            assert (
                anchor == {"start": "base west", "middle": "base", "end": "base east"}[shape.anchor]
            )
            assert (float(x), float(y)) == pytest.approx(
                (shape.x * scale, shape.y * scale), abs=0.01
            )
            assert float(size) == pytest.approx(shape.size * scale, abs=0.01)
            assert float(room) == pytest.approx(shape.width * scale, abs=0.01)
            assert bool(bold) == shape.bold
            assert f"#{colours[colour].lower()}" == theme(options.theme)[shape.colour]
            used.add(colour)
            continue
        found = PATH.fullmatch(line)
        assert found, line
        paint = dict(part.split("=") for part in found[1].split(",")) if found[1] else {}
        used |= {paint[key] for key in ("fill", "draw") if key in paint}
        for key, role in (("fill", getattr(shape, "fill", "")), ("draw", shape.line)):
            told = f"#{colours[paint[key]].lower()}" if key in paint else ""
            assert told == (theme(options.theme)[role] if role else "")
        assert ("dash pattern" in paint) == bool(shape.dash)
        assert float(paint.get("opacity", "1")) == pytest.approx(shape.opacity, abs=0.01)
    assert used | {"netdslPaper"} == set(colours)


def braces(text: str) -> int:
    """How deep the braces are nested at the end, without those that are escaped."""
    plain = re.sub(r"\\.", "", text)
    return plain.count("{") - plain.count("}")


def test_no_letter_of_a_text_is_a_command_of_tex() -> None:
    writer = TexLetters()
    every = [chr(c) for c in range(0x20, 0x3000) if chr(c).isprintable()] + ["中", "🙂"]
    for letter in every:
        shown = writer.text(f"1{letter}2")
        assert shown.startswith("1")
        assert shown.endswith("2")
        assert shown.isascii()
        inner = shown[1:-1]
        assert braces(inner) == 0
        bare = re.sub(r"\\(?:[A-Za-z]+|[^A-Za-z])|[{}]", "", inner)
        assert not re.search(r"[\\$&#%_]", bare), (letter, inner)
        assert "^" not in bare or "\\ensuremath" in inner
        if letter in writer.missing:
            assert inner == f"\\netdslchar{{{ord(letter):04X}}}"
        elif letter.isascii() and letter.isalnum():
            assert inner == letter
    for letter in "éüßøçñŁαΩµ×→≤≥·–…°²√∞":
        assert letter not in writer.missing, letter
    assert {"中", "🙂", "Ж"} <= set(writer.missing)


@pytest.mark.parametrize("text", ["--", "---", "''", "``", ",,", "?`", "!`", '""', "-–"])
def test_signs_that_tex_would_join_are_kept_apart(text: str) -> None:
    shown = TexLetters().text(text)
    assert not re.search(r"--(?!-?$)|``|,,|[?!]`", shown.replace("''{}", "")), shown
    assert shown.count("{}") >= 1


def test_what_tex_can_not_reckon_with_is_refused() -> None:
    wide = Picture(20_000, 50, "wide")
    with pytest.raises(DrawError, match="16,000 points that TeX reckons with"):
        draw.render(wide, "tex", Options())
    assert b"(0,0) rectangle (468,1.17)" in draw.render(wide, "tex", Options(width=468.0))


# ---- pdflatex ----

ODD = "Größe × α→β ≥ 中文 (a)_{b} \"q\" <x> & 50% #1 $\\alpha$ ~^| \\end{x} -- '' ?` Ж é"


def latex(folder: Path, name: str) -> str:
    """What pdflatex says of a file."""
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-1500:]
    return done.stdout


def has_tikz() -> bool:
    tools = shutil.which("pdflatex"), shutil.which("kpsewhich")
    return all(tools) and bool(
        subprocess.run(["kpsewhich", "tikz.sty"], capture_output=True).stdout
    )


@pytest.mark.full
@pytest.mark.skipif(not has_tikz(), reason="no pdflatex with TikZ on this system")
def test_pdflatex_makes_a_page_of_it_with_all_texts(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    drawn = picture("lenet")
    odd = Picture(
        drawn.width, drawn.height, ODD, items=[*drawn.items, Text(20, 30, ODD, 9, anchor="start")]
    )
    (tmp_path / "x.tex").write_bytes(draw.render(odd, "tex", Options()))
    latex(tmp_path, "x")
    (page,) = pypdf.PdfReader(tmp_path / "x.pdf").pages
    assert float(page.mediabox.width) == pytest.approx(drawn.width, abs=0.1)
    assert float(page.mediabox.height) == pytest.approx(drawn.height, abs=0.1)
    seen = re.sub(r"\s", "", normalize("NFKC", page.extract_text()))
    for text in drawn.texts():
        for word in re.findall(r"[A-Za-z0-9]+", text.text):
            assert word in seen.replace("ﬁ", "fi"), word
    assert "50%#1" in seen
    assert "4E2D" in seen


@pytest.mark.full
@pytest.mark.skipif(not has_tikz(), reason="no pdflatex with TikZ on this system")
def test_a_document_takes_pictures_in_without_more(tmp_path: Path) -> None:
    for name in ("unet", "googlenet"):
        (tmp_path / f"{name}.tikz").write_bytes(
            draw.render(picture(name), "tikz", Options(width=300))
        )
    text = "A \\input{unet.tikz} and \\input{googlenet.tikz}: {\\color{red}red}."
    document = (
        f"\\documentclass{{article}}\\usepackage{{tikz}}\\begin{{document}}{text}\\end{{document}}"
    )
    (tmp_path / "x.tex").write_text(document)
    said = latex(tmp_path, "x")
    assert "Undefined" not in said
    assert "Missing character" not in said
