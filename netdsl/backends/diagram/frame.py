"""The sheet around a drawing: margins, a title, lines below it."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.backends.diagram.scene import Item, Picture, Text, bounds_of, moved

MARGIN = 20.0
TITLE_SIZE = 20.0
LINE_SIZE = 10.5
LINE_STEP = 15.0


def framed(
    title: str,
    lines: Sequence[str],
    items: Sequence[Item],
    *,
    description: str = "",
    legend: Sequence[Item] = (),
    notes: Sequence[str] = (),
) -> Picture:
    """A picture with `items` below its title, its lines and its legend, whatever their places.

    `legend` is drawn as placed, from its own top left corner on.
    """
    head: list[Item] = [Text(0, TITLE_SIZE * 0.75, title, TITLE_SIZE, "ink", True, "start")]
    y = TITLE_SIZE * 0.75
    for line in lines:
        y += LINE_STEP + (3 if line is lines[0] else 0)
        head.append(Text(0, y, line, LINE_SIZE, "soft", False, "start"))
    y += 12
    if legend:
        left, top, _, bottom = bounds_of(legend)
        head += [moved(item, -left, y - top) for item in legend]
        y += bottom - top + 10
    left, top, right, bottom = bounds_of(items)
    drawn = [moved(item, MARGIN - left, MARGIN + y + 6 - top) for item in items]
    placed = [moved(item, MARGIN, MARGIN) for item in head]
    width = max(bounds_of(placed)[2], MARGIN + right - left) + MARGIN
    height = MARGIN + y + 6 + bottom - top + MARGIN
    return Picture(
        width, height, title, description or " ".join(lines), [*placed, *drawn], list(notes)
    )
