"""The outlines of letters, read from font files by fontTools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

from netdsl.backends.diagram.formats.letters import Glyph, Piece
from netdsl.backends.diagram.options import DrawError

PACKAGED = "fontpkg_arimo"
"""A package with Arimo, whose letters are as wide as Helvetica's."""
WEIGHTS = {False: 400, True: 700}


class FontFiles:
    """Fonts that are asked in turn; for bold letters those first that have a bold weight.

    Raises `DrawError` for a file that is no font.
    """

    def __init__(self, files: Sequence[str | Path]) -> None:
        self._faces = [_face(Path(file)) for file in files]

    def glyph(self, character: str, bold: bool) -> Glyph | None:
        """The outline of a letter in the first font that has it."""
        for face in sorted(self._faces, key=lambda face: bold not in face.weights):
            name = face.letters.get(ord(character))
            if name is not None:
                return _drawn(face, name, bold)
        return None


def packaged() -> Path:
    """Where the font of the package lies. Raises `ModuleNotFoundError`."""
    return Path(import_module(PACKAGED).ROOT) / "files" / "Arimo[wght].ttf"


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """A font: `weights` says whether it has letters that are not bold, and that are."""

    path: Path
    font: Any
    letters: dict[int, str]
    weights: frozenset[bool]
    is_variable: bool


def _face(path: Path) -> _Face:
    try:
        font: Any = TTFont(path, fontNumber=0, lazy=True)
        letters: dict[int, str] = font.getBestCmap() or {}
        axes = {axis.axisTag: axis for axis in font["fvar"].axes} if "fvar" in font else {}
        weight = axes.get("wght")
        own = bool(font["head"].macStyle & 1)
        if not font["head"].unitsPerEm or not letters:
            raise ValueError("it has no letters by Unicode")
    except OSError as error:
        raise DrawError(f"can't read the font {path}: {error.strerror or error}") from None
    except Exception as error:  # fontTools raises whatever broken tables lead to
        raise DrawError(f"{path} is no font that can be read: {error}") from None
    weights = (
        {own} if weight is None else {bold for bold, at in WEIGHTS.items() if at <= weight.maxValue}
    )
    return _Face(path, font, letters, frozenset(weights), weight is not None)


def _drawn(face: _Face, name: str, bold: bool) -> Glyph:
    try:
        place = {"wght": WEIGHTS[bold]} if face.is_variable else None
        glyphs = face.font.getGlyphSet(location=place)
        pen = _Pen(glyphs, 1000 / face.font["head"].unitsPerEm)
        glyphs[name].draw(pen)
        return Glyph(round(glyphs[name].width * pen.scale), tuple(map(tuple, pen.contours)))
    except Exception as error:  # as above
        raise DrawError(f"{face.path}: can't read the letter {name}: {error}") from None


class _Pen(BasePen):
    """Takes outlines down in thousandths of the font size; quadratic curves become cubic ones."""

    def __init__(self, glyphs: Any, scale: float) -> None:
        super().__init__(glyphs)
        self.scale = scale
        self.contours: list[list[Piece]] = []

    def _add(self, *points: tuple[float, float]) -> None:
        self.contours[-1].append(tuple(round(n * self.scale) for point in points for n in point))

    def _moveTo(self, pt: tuple[float, float]) -> None:
        self.contours.append([])
        self._add(pt)

    def _lineTo(self, pt: tuple[float, float]) -> None:
        self._add(pt)

    def _curveToOne(
        self, pt1: tuple[float, float], pt2: tuple[float, float], pt3: tuple[float, float]
    ) -> None:
        self._add(pt1, pt2, pt3)
