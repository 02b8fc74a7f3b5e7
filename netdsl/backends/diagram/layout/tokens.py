"""Tokens with learned ones joined to them, as a column of cells with the middle left out."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from netdsl.backends.diagram.blocks.labels import channels_joined
from netdsl.backends.diagram.blocks.leaf import LINE, Leaf
from netdsl.backends.diagram.scene import Box, Item, Text
from netdsl.backends.diagram.theme import letters_on, series
from netdsl.ir.graph import Node

COLUMN = "column"
"""The form of such a box."""
CELL = 12.5
WIDTH = 30.0
FIRST = 3
"""Tokens that are drawn before the ones left out."""
DOTS = "..."


def cells_of(parts: tuple[int, ...]) -> list[tuple[int, str]]:
    """Each cell from above: which part it is of, and its number there; dots for those between."""
    cells: list[tuple[int, str]] = []
    for number, count in enumerate(parts):
        most = FIRST + 2
        if count <= most:
            cells += [(number, str(n + 1)) for n in range(count)]
            continue
        cells += [(number, str(n + 1)) for n in range(FIRST)]
        cells += [(number, DOTS), (number, str(count))]
    return cells


def column_of(box: Leaf, tokens: Set[Node]) -> Leaf:
    """The box as a column, where it joins learned tokens to others; it is not to scale."""
    if box.unit is None or box.form != "strip" or box.unit.node not in tokens:
        return box
    high = CELL * len(cells_of(box.parts))
    return replace(box, height=high, width=WIDTH, parts=(), form=COLUMN)


def token_cells(box: Leaf, x: float, y: float) -> Iterator[Item]:
    """The column with its middle at a place; parts have the colours of the wires to them."""
    assert box.unit is not None
    top = y - box.height / 2
    parts = tuple(channels_joined(box.unit.node))
    for row, (number, text) in enumerate(cells_of(parts)):
        at = top + row * CELL
        fill = series(number)
        if text == DOTS:
            yield Text(x, at + CELL - 4, text, LINE, "ink", True)
            continue
        yield Box(x - WIDTH / 2, at, WIDTH, CELL - 1, fill, radius=2)
        yield Text(x, at + CELL - 3.2, text, LINE, letters_on(fill), True)
