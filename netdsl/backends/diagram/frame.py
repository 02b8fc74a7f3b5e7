"""The sheet around a drawing: margins, a title, lines below it, a legend, its aspect."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Item, Picture, Text, bounds_of, moved

MARGIN, NARROW_MARGIN = 20.0, 6.0
"""Around a picture; around one that has nothing above the drawing, for the page it goes into."""
TITLE_SIZE = 20.0
LINE_SIZE = 10.5
LINE_STEP = 15.0
PLAIN = Options()


def framed(
    title: str,
    lines: Sequence[str],
    items: Sequence[Item],
    options: Options = PLAIN,
    *,
    description: str = "",
    legend: Sequence[Item] = (),
    notes: Sequence[str] = (),
) -> Picture:
    """A picture with `items` below its title, its lines and its legend, whatever their places.

    `title` is the usual one; `options` say which of these there are, and the aspect of the whole.
    `legend` is drawn as placed, from its own top left corner on.
    """
    shown_title = title if options.title is None else options.title
    head, y = _head(shown_title, lines) if options.header else ([], 0.0)
    if legend and options.legend:
        left, top, _, bottom = bounds_of(legend)
        head += [moved(item, -left, y - top) for item in legend]
        y += bottom - top + 10
    margin = MARGIN if head else NARROW_MARGIN
    above = margin + (y + 6 if head else 0.0)
    left, top, right, bottom = bounds_of(items)
    placed = [moved(item, margin, margin) for item in head]
    width = max(bounds_of(placed)[2], margin + right - left) + margin
    height = above + bottom - top + margin
    wide, high = _with_aspect(width, height, options.aspect)
    x = margin - left + _aside(right - left + 2 * margin, width, wide)
    drawn = [moved(item, x, above - top + (high - height) / 2) for item in items]
    told = description or " ".join(lines)
    name = shown_title or title
    return Picture(wide, high, name, told, [*placed, *drawn], list(notes), options.font)


def _head(title: str, lines: Sequence[str]) -> tuple[list[Item], float]:
    """The title and what stands below it, and where what follows may begin."""
    head: list[Item] = []
    y = 0.0
    if title:
        y = TITLE_SIZE * 0.75
        head.append(Text(0, y, title, TITLE_SIZE, "ink", True, "start"))
    for number, text in enumerate(lines):
        y += LINE_STEP + (3 if head and not number else 0)
        head.append(Text(0, y, text, LINE_SIZE, "soft", False, "start"))
    return head, y + 12 if head else 0.0


def _with_aspect(width: float, height: float, aspect: float | None) -> tuple[float, float]:
    """The smallest sheet with that aspect that holds so much."""
    if aspect is None:
        return width, height
    return max(width, height * aspect), max(height, width / aspect)


def _aside(drawn: float, width: float, wide: float) -> float:
    """How far a drawing is moved to the right: to the middle, where a sheet is padded."""
    return (wide - drawn) / 2 if wide > width else 0.0
