"""Where the kernels of a fan read, to scale, if its branches differ in their dilation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from netdsl.backends.diagram.blocks.leaf import LINE
from netdsl.backends.diagram.model.features import Fan
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Point, Text
from netdsl.backends.diagram.theme import series
from netdsl.ir.graph import Node
from netdsl.ops.base import op_of

CELL = 2.0
"""Points of a cell of the map, at most."""
DOT = 2.0
GAP = 10.0


def kernels(fan: Fan, width: float) -> list[Item]:
    """A map for each branch with the cells that its kernel reads from the middle of it.

    Nothing where the branches do not differ in their dilation, or a map is not of numbers.
    """
    if fan.setting != "dilation":
        return []
    ways = [way for way in fan.ways if way]
    reads = [_reads(way) for way in ways]
    maps = [way[0].inputs[0].type.spatial for way in ways]
    sizes = [n for sides in maps for n in sides if isinstance(n, int)]
    if len({len(sides) for sides in maps}) > 1 or len(sizes) != 2 * len(maps):
        return []
    high, wide = sizes[0], sizes[1]
    reach = max(
        [abs(n) for read in reads if read for at in read for n in at] + [max(high, wide) / 2]
    )
    pitch = (width - GAP * (len(ways) - 1)) / len(ways)
    cell = min(CELL, (pitch / 2 - DOT - 1) / reach)
    y = reach * cell + DOT + LINE + 8
    items: list[Item] = [
        Text(0, LINE - 1, _told(high, wide), LINE, "soft", False, "start"),
    ]
    for number, (read, way) in enumerate(zip(reads, ways, strict=True)):
        x = pitch / 2 + number * (pitch + GAP)
        items += _map(read, (x, y), (high * cell, wide * cell), cell, series(number))
        items.append(Text(x, y + reach * cell + DOT + LINE + 4, _name(read, way), LINE, "soft"))
    return items


def _told(high: int, wide: int) -> str:
    return (
        f"which cells of the {high} × {wide} map each branch reads for the one in its middle, "
        "to scale; hollow: beyond the border"
    )


def _reads(way: Sequence[Node]) -> list[tuple[float, float]] | None:
    """The cells that the widest kernel of a branch reads, from its middle; None for all of them."""
    best: list[tuple[float, float]] = [(0.0, 0.0)]
    for node in way:
        op = op_of(node)
        if op.zoom < 0 and all(size == 1 for size in node.output.type.spatial):
            return None
        windows = op.sliding()
        if windows is None or op.zoom:
            continue
        axes = windows.settings_along(2)
        sides = [[(n - (k - 1) / 2) * d for n in range(k)] for k, _, d in axes]
        cells = [(a, b) for a, b in product(*sides)]
        if len(cells) > len(best):
            best = cells
    return best


def _map(
    read: Sequence[Point] | None, middle: Point, sides: Point, cell: float, colour: str
) -> Iterator[Item]:
    """The map as a square; filled where all of it is read."""
    x, y = middle
    high, wide = sides
    box = x - wide / 2, y - high / 2, wide, high
    yield Box(*box, "paper", "faint", 1)
    if read is None:
        yield Box(*box, colour, opacity=0.35)
        return
    for down, right in read:
        is_inside = abs(down * cell) <= high / 2 and abs(right * cell) <= wide / 2
        fill, edge = (colour, "") if is_inside else ("", colour)
        yield Ellipse(x + right * cell, y + down * cell, DOT, DOT, fill, edge, 0.9)


def _name(read: Sequence[Point] | None, way: Sequence[Node]) -> str:
    """`3×3, dilation 12`."""
    if read is None:
        return "all of it"
    for node in way:
        windows = op_of(node).sliding()
        if windows is not None and len(read) > 1:
            kernel, _, dilation = windows.settings_along(2)[0]
            if kernel > 1:
                return f"{kernel}×{kernel}, dilation {dilation}"
    return "1×1"
