"""A sheet of small pictures with captions, as PNG or SVG."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image, ImageFont

    Pixels = np.ndarray[Any, Any]

GAP, LINE, SIZE, TITLE = 12, 15, 12, 16
"""Points between pictures, of a line of text, of letters, of those in the title."""
LETTER = 0.56
"""About the width of a letter, in parts of its height."""
FORMS = ("png", "svg")


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture, `uint8 [H, W, 3]`, what is to be read below it, and a box of cells to mark."""

    pixels: Pixels
    caption: str = ""
    box: tuple[int, int, int, int] | None = None
    """First row, first column, last row, last column."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Tiles in rows of `columns`, each at least `side` points wide, under a title."""

    title: str
    tiles: tuple[Tile, ...]
    columns: int
    side: int = 112
    notes: tuple[str, ...] = ()

    def drawn(self, form: str) -> bytes:
        """The sheet as `png` or `svg`."""
        return _png(self) if form == "png" else _svg(self).encode()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything stands: by tile its left and upper corner, and how much it is enlarged."""

    width: int
    height: int
    places: tuple[tuple[int, int], ...]
    factors: tuple[int, ...]
    captions: tuple[tuple[str, ...], ...]
    title: tuple[str, ...]
    notes: tuple[str, ...]


def _layout(sheet: Sheet) -> _Layout:
    factors = tuple(max(1, -(-sheet.side // tile.pixels.shape[1])) for tile in sheet.tiles)
    widths = [t.pixels.shape[1] * f for t, f in zip(sheet.tiles, factors, strict=True)]
    heights = [t.pixels.shape[0] * f for t, f in zip(sheet.tiles, factors, strict=True)]
    cell = max(widths)
    columns = min(sheet.columns, len(sheet.tiles))
    width = max(GAP + columns * (cell + GAP), 360)
    captions = tuple(tuple(_wrapped(tile.caption, SIZE, cell)) for tile in sheet.tiles)
    title = tuple(_wrapped(sheet.title, TITLE, width - 2 * GAP))
    notes = tuple(line for note in sheet.notes for line in _wrapped(note, SIZE, width - 2 * GAP))
    top = GAP + len(title) * (TITLE + 6)
    places: list[tuple[int, int]] = []
    for start in range(0, len(sheet.tiles), columns):
        row = range(start, min(start + columns, len(sheet.tiles)))
        places += [(GAP + (n - start) * (cell + GAP), top) for n in row]
        top += max(heights[n] + len(captions[n]) * LINE for n in row) + GAP
    height = top + len(notes) * LINE + GAP * bool(notes)
    return _Layout(width, height, tuple(places), factors, captions, title, notes)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines of about a width; a word that is longer stays whole."""
    most = max(8, int(width / (size * LETTER)))
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > most:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def _png(sheet: Sheet) -> bytes:
    from PIL import Image, ImageDraw

    at = _layout(sheet)
    page = Image.new("RGB", (at.width, at.height), "white")
    pen = ImageDraw.Draw(page)
    _write(pen, at.title, GAP, GAP, TITLE)
    for tile, (x, y), factor, caption in zip(
        sheet.tiles, at.places, at.factors, at.captions, strict=True
    ):
        picture = _enlarged(tile.pixels, factor)
        page.paste(picture, (x, y))
        if tile.box is not None:
            pen.rectangle(_frame(tile.box, x, y, factor), outline=(230, 0, 70), width=2)
        _write(pen, caption, x, y + picture.height + 2, SIZE)
    _write(pen, at.notes, GAP, at.height - GAP - LINE * len(at.notes), SIZE)
    data = BytesIO()
    page.save(data, "PNG")
    return data.getvalue()


def _write(pen: Any, lines: Sequence[str], x: int, y: int, size: int) -> None:
    for number, line in enumerate(lines):
        pen.text((x, y + number * (size + 3)), line, fill=(40, 40, 40), font=_font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _enlarged(pixels: Pixels, factor: int) -> Image.Image:
    """Each cell as a square of so many points: nothing is smoothed."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    size = picture.width * factor, picture.height * factor
    return picture.resize(size, Image.Resampling.NEAREST)


def _frame(box: tuple[int, int, int, int], x: int, y: int, factor: int) -> tuple[int, ...]:
    top, left, bottom, right = box
    return (
        x + left * factor,
        y + top * factor,
        x + (right + 1) * factor - 1,
        y + (bottom + 1) * factor - 1,
    )


def _svg(sheet: Sheet) -> str:
    at = _layout(sheet)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{at.width}" height="{at.height}" '
        f'viewBox="0 0 {at.width} {at.height}" font-family="Helvetica, Arial, sans-serif" '
        'fill="#282828">',
        f'<rect width="{at.width}" height="{at.height}" fill="#fff"/>',
        *_texts(at.title, GAP, GAP, TITLE),
    ]
    for tile, (x, y), factor, caption in zip(
        sheet.tiles, at.places, at.factors, at.captions, strict=True
    ):
        height, width = (n * factor for n in tile.pixels.shape[:2])
        data = BytesIO()
        _enlarged(tile.pixels, 1).save(data, "PNG")
        parts.append(
            f'<image x="{x}" y="{y}" width="{width}" height="{height}" '
            'preserveAspectRatio="none" style="image-rendering: pixelated" '
            f'href="data:image/png;base64,{b64encode(data.getvalue()).decode()}"/>'
        )
        if tile.box is not None:
            left, top, right, bottom = _frame(tile.box, x, y, factor)
            parts.append(
                f'<rect x="{left}" y="{top}" width="{right - left + 1}" '
                f'height="{bottom - top + 1}" fill="none" stroke="#e60046" stroke-width="2"/>'
            )
        parts += _texts(caption, x, y + height + 2, SIZE)
    parts += _texts(at.notes, GAP, at.height - GAP - LINE * len(at.notes), SIZE)
    return "\n".join([*parts, "</svg>", ""])


def _texts(lines: Sequence[str], x: int, y: int, size: int) -> list[str]:
    return [
        f'<text x="{x}" y="{y + number * (size + 3) + size}" font-size="{size}">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines)
    ]
