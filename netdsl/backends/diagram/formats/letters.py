"""How a line is set where no reader's fonts are asked: standard letters, outlines, or a code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeAlias
from unicodedata import bidirectional, category, normalize

from netdsl.backends.diagram.fonts import advance
from netdsl.backends.diagram.formats.symbol import SYMBOL
from netdsl.backends.diagram.scene import Box, Picture, Shape, Text

REGULAR, BOLD, SIGNS = "Helvetica", "Helvetica-Bold", "Symbol"
Piece: TypeAlias = tuple[int, ...]
"""A step of an outline: two numbers are its start or its next corner, six a Bezier curve."""
MISSING_WIDTH = 700
JOINED = ("R", "AL", "AN")
"""Classes of letters that are written from the right, and joined."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """The outline of a letter, in thousandths of the font size, y upwards from the baseline."""

    width: int
    contours: tuple[tuple[Piece, ...], ...]


class Outlines(Protocol):
    """Fonts that give outlines."""

    def glyph(self, character: str, bold: bool) -> Glyph | None: ...


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one kind: of a standard font, by their codes; one with an outline; or neither."""

    text: str
    width: int
    font: str = ""
    codes: bytes = b""
    glyph: Glyph | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A run at its place; `stretch` is below 1 where a line is pressed into its room."""

    run: Run
    x: float
    stretch: float


class Setter:
    """Sets lines; `missing` are the letters that no font has, `is_pressed` tells of wide fonts."""

    def __init__(self, outlines: Outlines | None = None, *, standard: bool = True) -> None:
        self.outlines, self.standard = outlines, standard
        self.missing: dict[str, None] = {}
        self.is_pressed = False
        self._known: dict[tuple[str, bool], Run] = {}

    def line(self, text: Text) -> list[Placed]:
        """The runs of a line, within the room that the drawing has for it."""
        runs = self._runs(normalize("NFC", _one_line(text.text)), text.bold)
        width = sum(run.width for run in runs) * text.size / 1000
        stretch = min(1.0, text.width / width) if width else 1.0
        self.is_pressed |= stretch < 0.97
        x = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * width * stretch
        placed: list[Placed] = []
        for run in runs:
            placed.append(Placed(run, x, stretch))
            x += run.width * text.size / 1000 * stretch
        return placed

    def glyphs(self) -> list[Glyph]:
        """The outlines that are used, each once; of spaces there are none."""
        found = (run.glyph for run in self._known.values())
        return list(dict.fromkeys(g for g in found if g is not None and g.contours))

    def _runs(self, text: str, bold: bool) -> list[Run]:
        runs: list[Run] = []
        for font, same in groupby((self._letter(c, bold) for c in text), lambda run: run.font):
            letters = list(same)
            runs += [_joined(letters)] if font else letters
        return runs

    def _letter(self, character: str, bold: bool) -> Run:
        known = self._known.get((character, bold))
        if known is None:
            known = self._known[character, bold] = self._found(character, bold)
        return known

    def _found(self, character: str, bold: bool) -> Run:
        if self.standard and (run := _standard(character, bold)):
            return run
        glyph = (
            self.outlines.glyph(character, bold)
            if self.outlines and _stands_alone(character)
            else None
        )
        if glyph is None:
            self.missing[character] = None
            return Run(character, MISSING_WIDTH)
        return Run(character, glyph.width, glyph=glyph)

    def remark(self, picture: Picture) -> None:
        """Say on the picture what is not drawn as it was written."""
        if self.missing:
            shown = ", ".join(
                f"`{c}`" if c.isprintable() else f"U+{ord(c):04X}" for c in self.missing
            )
            picture.notes.append(
                f"no font here has {shown}: drawn as codes in boxes; give a font that has them "
                "with `--font-file`"
            )
        if self.is_pressed:
            picture.notes.append(
                "the letters of the font are wider than Helvetica's, for which the picture is laid "
                "out: lines are pressed into their room"
            )


def _one_line(text: str) -> str:
    """The text with plain spaces for all kinds of space."""
    return "".join(" " if letter.isspace() else letter for letter in text)


def _joined(runs: list[Run]) -> Run:
    return Run(
        "".join(run.text for run in runs),
        sum(run.width for run in runs),
        runs[0].font,
        b"".join(run.codes for run in runs),
    )


def _standard(character: str, bold: bool) -> Run | None:
    """A letter of Helvetica, as Windows numbers them, or of Symbol."""
    if character in SYMBOL:
        code, width = SYMBOL[character]
        return Run(character, width, SIGNS, bytes([code]))
    try:
        code = character.encode("cp1252")
    except UnicodeEncodeError:
        return None
    if not character.isprintable():
        return None
    return Run(character, advance(character, bold), BOLD if bold else REGULAR, code)


def _stands_alone(character: str) -> bool:
    """Whether it looks the same beside any other: not so marks, and letters that are joined."""
    return category(character)[0] != "M" and bidirectional(character) not in JOINED


def code_box(run: Run, x: float, y: float, stretch: float, text: Text) -> Iterator[Shape]:
    """What is drawn for a letter that no font has: its number, in a frame as high as a capital."""
    size, width = text.size, 0.62 * text.size * stretch
    left, top, height = x + 0.04 * size * stretch, y - 0.74 * size, 0.78 * size
    yield Box(left, top, width, height, "", text.colour, 0.05 * size)
    if run.text in "0123456789ABCDEF":
        return
    code = f"{ord(run.text):04X}"
    half = (len(code) + 1) // 2
    small = 0.36 * size * min(stretch, 2 / half)
    for row, part in enumerate((code[:half], code[half:])):
        baseline = top + height * (0.44 + 0.42 * row)
        yield Text(left + width / 2, baseline, part, small, text.colour)
