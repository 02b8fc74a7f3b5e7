"""A picture of one layer: its network in a line above it, what is counted below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netdsl.analyses.links import shape_of
from netdsl.backends.diagram.fonts import shorten, text_width, wrapped
from netdsl.backends.diagram.frame import LINE_SIZE, framed
from netdsl.backends.diagram.neurons.layers import kind_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.scene import (
    Box,
    Group,
    Item,
    Picture,
    Text,
    bounds_of,
    line,
    moved,
)
from netdsl.backends.diagram.shape_names import times
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of

LEAST_WIDTH = 560.0
SIZE, HIGH, GAP, WIDEST = 9.0, 30.0, 12.0, 96.0
"""Of the boxes of the network: their letters, height, distance and most width of a text."""
LENS = 16.0
Fact = tuple[str, str]
"""What a number is of, and how it comes about."""


def lesson(
    graph: Graph, node: Node, title: str, first: str, items: Sequence[Item], told: Sequence[Fact],
    options: Options,
) -> Picture:  # fmt: skip
    """A sheet with what is drawn of a layer; the first fact has no name and is in bold."""
    left, _, right, bottom = bounds_of(items)
    width = max(right, LEAST_WIDTH) - left
    above = [moved(item, left, 0) for item in _network(graph, node, width)]
    lowest = bounds_of(above)[3] + 22 if above else 0.0
    below = _table(told, left, bottom + 16, width)
    placed = [*above, *(moved(item, 0, lowest) for item in (*items, *below))]
    said = " ".join([first, *(f"{head}: {text}." if head else text for head, text in told)])
    return framed(title, wrapped(first, LINE_SIZE, width), placed, options, description=said)


def _table(told: Sequence[Fact], x: float, y: float, width: float) -> Iterator[Item]:
    """The counts below the drawing."""
    (_, first), *rows = told
    edge = x + 12 + max(text_width(head, 9.5, True) for head, _ in rows)
    items: list[Item] = []
    start, y = y, y + 18
    for text in wrapped(first, 11, (width - 24) * 0.94):
        items.append(Text(x + 12, y, text, 11, "ink", True, "start"))
        y += 15
    for head, text in rows:
        items.append(Text(edge, y, head, 9.5, "ink", True, "end"))
        for part in wrapped(text, 9.5, width - edge + x - 20):
            items.append(Text(edge + 8, y, part, 9.5, "soft", False, "start"))
            y += 13.5
    yield Box(x, start, width, y - start, "panel.fill", "panel.line", 1, 7)
    yield from items


def source_of(graph: Graph, node: Node) -> str:
    """What a layer reads, by name."""
    value = node.inputs[0]
    named = next((item.name for item in graph.inputs if item.value is value), "")
    return named or (value.producer.path if value.producer is not None else "a value")


def headings(*told: tuple[float, str, str]) -> Iterator[Text]:
    """In bold what stands below, and what is drawn of it; each at a place along the sheet."""
    for x, first, second in told:
        yield Text(x, 10, first, 13, "ink", True, "start")
        yield Text(x, 25, second, 9.5, "soft", False, "start")


@dataclass(frozen=True, slots=True)
class _Stop:
    """A small box: an input or a unit; `is_joined` where it reads the one before."""

    name: str
    shape: str
    role: str
    is_joined: bool

    @property
    def room(self) -> float:
        return max(text_width(self.name, SIZE, True), text_width(self.shape, SIZE)) + 10 + GAP


def _network(graph: Graph, node: Node, width: float) -> Iterator[Item]:
    """The units of a network in their order, as many around the marked one as fit a width.

    Lens lines lead from it to what stands below. Nothing for a network of one unit.
    """
    units = units_of(graph)
    if len(units) == 1:
        return
    stops, at = _stops(graph, units), next(n for n, u in enumerate(units, 1) if node in u.covered())
    first, last = _around([stop.room for stop in stops], at, width - 90)
    x = 0.0
    if first:
        yield Text(x, HIGH / 2 + 3, f"{first} before", SIZE, "soft", False, "start")
        x += text_width(f"{first} before", SIZE) + GAP
    for number, stop in enumerate(stops[first:last], first):
        wide, is_marked = stop.room - GAP, number == at
        if stop.is_joined and number > first:
            yield line([(x - GAP, HIGH / 2), (x, HIGH / 2)], "wire", 1.0)
        edge, stroke = ("focus", 1.8) if is_marked else (f"{stop.role}.line", 0.9)
        box = Box(x, 0, wide, HIGH, f"{stop.role}.fill", edge, stroke, 4)
        name = Text(x + wide / 2, 12, stop.name, SIZE, "ink", True)
        shape = Text(x + wide / 2, 24, stop.shape, SIZE, "soft")
        yield Group((box, name, shape), css="rest", title=stop.name)
        if is_marked:
            for start, end in ((x, 0.0), (x + wide, width)):
                yield line([(start, HIGH + 1), (end, HIGH + LENS)], "focus", 0.8, "dashed")
            yield line([(0, HIGH + LENS), (width, HIGH + LENS)], "focus", 0.8, "dashed")
        x += stop.room
    if last < len(stops):
        more = f"{len(stops) - last} more"
        yield Text(x, HIGH / 2 + 3, more, SIZE, "soft", False, "start")


def _stops(graph: Graph, units: Sequence[Unit]) -> list[_Stop]:
    """The first input and the units, each with the shape that it gives."""
    item = graph.inputs[0]
    name = shorten(item.name, SIZE, WIDEST, True)
    stops, before = [_Stop(name, times(shape_of(item.value)), "io", False)], {item.value}
    for unit in units:
        own = kind_of(unit.node)
        if unit.is_block:
            own = (unit.scope and unit.scope.definition) or unit.path
        name = shorten(f"{own} × {unit.count}" if unit.count > 1 else own, SIZE, WIDEST, True)
        shape = times(shape_of(unit.outputs[0])) if unit.outputs else ""
        role = "block" if unit.is_block else role_of(op_of(unit.node))
        stops.append(_Stop(name, shape, role, bool(before.intersection(unit.inputs))))
        before = {*unit.outputs}
    return stops


def _around(rooms: Sequence[float], at: int, width: float) -> tuple[int, int]:
    """The first that fits, and the one behind the last: the marked one, then outwards."""
    first, last, free = at, at + 1, width - rooms[at]
    while True:
        if first and rooms[first - 1] <= free:
            first -= 1
            free -= rooms[first]
        elif last < len(rooms) and rooms[last] <= free:
            free -= rooms[last]
            last += 1
        else:
            return first, last
