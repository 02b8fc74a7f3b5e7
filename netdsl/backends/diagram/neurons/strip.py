"""The whole network in a line of small boxes, with the layer that is drawn large marked."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.analyses.links import shape_of
from netdsl.backends.diagram.fonts import shorten, text_width
from netdsl.backends.diagram.neurons.filter_words import times
from netdsl.backends.diagram.neurons.layers import kind_of
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.scene import Box, Group, Item, Text, line
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of

SIZE, HIGH, GAP, WIDEST = 9.0, 30.0, 12.0, 96.0
LENS = 16.0


def strip(graph: Graph, marked: Sequence[Node], width: float) -> list[Item]:
    """The units of a network in their order, as many around the marked one as fit a width.

    Lens lines lead from it to what stands below. Nothing for a network of one unit.
    """
    units = units_of(graph)
    if len(units) == 1:
        return []
    at = next(n for n, unit in enumerate(units) if set(marked) & set(unit.covered()))
    first, last = _around(units, at, width - 90)
    items: list[Item] = []
    x = 0.0
    if first:
        text = f"{first} before"
        items.append(Text(x, HIGH / 2 + 3, text, SIZE, "soft", False, "start"))
        x += text_width(text, SIZE) + GAP
    else:
        x = _unit(
            items, x, graph.inputs[0].name, times(shape_of(graph.inputs[0].value)), "io", False
        )
    for number in range(first, last):
        unit = units[number]
        left = x
        if x:
            items.append(line([(x - GAP, HIGH / 2), (x, HIGH / 2)], "wire", 1.0))
        name, below = _words(unit)
        role = "block" if unit.is_block else role_of(op_of(unit.node))
        x = _unit(items, x, name, below, role, number == at)
        if number == at:
            for start, end in ((left, 0.0), (x - GAP, width)):
                items.append(line([(start, HIGH + 1), (end, HIGH + LENS)], "focus", 0.8, "dashed"))
            items.append(line([(0, HIGH + LENS), (width, HIGH + LENS)], "focus", 0.8, "dashed"))
    rest = len(units) - last
    if rest:
        items.append(Text(x, HIGH / 2 + 3, f"{rest} more", SIZE, "soft", False, "start"))
    return items


def _words(unit: Unit) -> tuple[str, str]:
    """What a unit is, and the shape that it gives."""
    what = kind_of(unit.node)
    if unit.is_block:
        what = (
            unit.scope.definition if unit.scope is not None and unit.scope.definition else unit.path
        )
    name = f"{what} × {unit.count}" if unit.count > 1 else what
    return shorten(name, SIZE, WIDEST - 10, True), times(
        shape_of(unit.outputs[0])
    ) if unit.outputs else ""


def _wide(name: str, below: str) -> float:
    return max(text_width(name, SIZE, True), text_width(below, SIZE)) + 10


def _around(units: Sequence[Unit], at: int, width: float) -> tuple[int, int]:
    """The first unit that fits, and the one behind the last: the marked one, then outwards."""
    rooms = [_wide(*_words(unit)) + GAP for unit in units]
    first, last, free = at, at + 1, width - rooms[at]
    while True:
        if first and rooms[first - 1] <= free:
            first -= 1
            free -= rooms[first]
        elif last < len(units) and rooms[last] <= free:
            free -= rooms[last]
            last += 1
        else:
            return first, last


def _unit(items: list[Item], x: float, name: str, below: str, role: str, is_marked: bool) -> float:
    """Adds a box; gives the place of the next."""
    wide = _wide(name, below)
    edge, stroke = ("focus", 1.8) if is_marked else (f"{role}.line", 0.9)
    box = Box(x, 0, wide, HIGH, f"{role}.fill", edge, stroke, 4)
    texts = (
        Text(x + wide / 2, 12, name, SIZE, "ink", True),
        Text(x + wide / 2, 24, below, SIZE, "soft"),
    )
    items.append(Group((box, *texts), css="rest", title=name))
    return x + wide + GAP
