"""The windows of a map within which its cells see each other, to scale, and how they are moved."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.diagram.blocks.leaf import LINE
from netdsl.backends.diagram.scene import Box, Item, Text, line
from netdsl.backends.diagram.theme import series
from netdsl.backends.diagram.units import Unit
from netdsl.ops.base import op_of
from netdsl.ops.facts import Tiling
from netdsl.ops.tables import types_of

SIDE = 84.0
"""Points of the longer side of a map."""
LINES_FROM = 3.0
"""Points of a cell from which on cells are drawn one by one."""
BESIDE = 12.0
COLOURS = (0, 2, 3, 5)


def tiling_of(block: Unit) -> tuple[Tiling, tuple[int, int]] | None:
    """How the map of a block is cut into windows, and the sides of that map."""
    for node in block.nodes:
        inputs, outputs = types_of(node)
        if not inputs:
            continue
        tiling = op_of(node).tiling(inputs, outputs)
        sides = [size for size in inputs[0].shape[:2] if isinstance(size, int)]
        if tiling is not None and len(sides) == 2:
            return tiling, (sides[0], sides[1])
    return None


def windows(tiling: Tiling, sides: tuple[int, int]) -> list[Item]:
    """The map with its windows; a cell has the colour of its window where nothing is moved."""
    high, wide = sides
    cell = SIDE / max(sides)
    items: list[Item] = list(_ground(tiling, sides, cell))
    if cell >= LINES_FROM:
        items += [
            line([(0, n * cell), (wide * cell, n * cell)], "paper", 0.5) for n in range(1, high)
        ]
        items += [
            line([(n * cell, 0), (n * cell, high * cell)], "paper", 0.5) for n in range(1, wide)
        ]
    for axis, size in enumerate(sides):
        other = sides[1 - axis] * cell
        for at in _borders(size, tiling.window, tiling.shift[axis]):
            ends = (
                [(0, at * cell), (other, at * cell)]
                if axis == 0
                else [(at * cell, 0), (at * cell, other)]
            )
            items.append(line(ends, "ink", 1.2))
    items.append(Box(0, 0, wide * cell, high * cell, "", "ink", 1.4))
    items += _marked(tiling, sides, cell)
    x, y = wide * cell + BESIDE, LINE + 2
    first, *more = _words(tiling, sides)
    items.append(Text(x, y, first, LINE, "ink", True, "start"))
    for number, text in enumerate(more, 1):
        items.append(Text(x, y + number * (LINE + 3), text, LINE, "soft", False, "start"))
    return items


def _borders(size: int, window: int, shift: int) -> list[int]:
    """Where one window ends and the next begins."""
    return [at for at in range(shift or window, size, window) if 0 < at < size]


def _ground(tiling: Tiling, sides: tuple[int, int], cell: float) -> Iterator[Item]:
    """The windows where nothing is moved, neighbours in other colours."""
    high, wide = sides
    n = tiling.window
    for row in range(0, high, n):
        for column in range(0, wide, n):
            colour = series(COLOURS[(row // n % 2) * 2 + column // n % 2])
            size = min(n, wide - column) * cell, min(n, high - row) * cell
            yield Box(column * cell, row * cell, *size, colour, opacity=0.3)


def _marked(tiling: Tiling, sides: tuple[int, int], cell: float) -> Iterator[Item]:
    """One window, and a cell in it that attends to the others."""
    n, (down, right) = tiling.window, tiling.shift
    top, left = down % n, right % n
    high, wide = min(n, sides[0] - top), min(n, sides[1] - left)
    yield Box(left * cell, top * cell, wide * cell, high * cell, "", "focus", 2.2)
    if cell >= LINES_FROM:
        yield Box((left + n // 2) * cell, (top + n // 2) * cell, cell, cell, "focus")


def _words(tiling: Tiling, sides: tuple[int, int]) -> list[str]:
    n = tiling.window
    count = -(-sides[0] // n) * -(-sides[1] // n)
    named = f"{count} window{'s' * (count != 1)} of {n}×{n} on the {sides[0]}×{sides[1]} map"
    moved = max(tiling.shift)
    if not moved:
        return [named, f"a cell attends to the {n * n} cells of its own window"]
    return [
        f"the same windows, moved by {moved} cells",
        "a window takes cells of several windows of before (their colours);",
        "what falls off the border comes in again at the other side, kept apart",
    ]
