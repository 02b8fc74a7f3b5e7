"""The neuron view's columns: a few neurons of each layer, what links them, what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

from netdsl.analyses.links import Product, count, is_in, reads, shape_of, size_of
from netdsl.analyses.links import field as field_of
from netdsl.backends.diagram.neuron_names import Neuron
from netdsl.backends.diagram.options import DrawError
from netdsl.backends.diagram.units import Unit, leaves, opened, units_of
from netdsl.ir.graph import Graph, Value

Index = tuple[int, ...]
BEFORE, AFTER = 6, 4
"""Layers drawn before and behind that of the neuron."""
SHOWN_OF_SMALL = 10


@dataclass(slots=True)
class Column:
    """A layer: `drawn` are the indices of the neurons that are shown, in order.

    `gaps` tells how many are left out before each drawn one and behind the last, and how many
    of those lie in the field of the chosen neurons; `seen` are products that cover that field.
    """

    value: Value
    unit: Unit | None
    name: str
    shape: tuple[int, ...]
    drawn: list[Index] = field(default_factory=list)
    seen: list[Product] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        number = 1
        for size in self.shape:
            number *= size
        return number

    def place(self, index: Index) -> int:
        """The neuron's number in its layer."""
        place = 0
        for i, size in zip(index, self.shape, strict=True):
            place = place * size + i
        return place


@dataclass(slots=True)
class Study:
    """Columns from left to right, and what was left out of the network beside them."""

    columns: list[Column]
    neurons: list[Neuron]
    skipped_before: int
    skipped_after: int


def study(graph: Graph, neurons: Sequence[Neuron]) -> Study:
    """The columns around the neurons' layers. Raises `UnknownLinks`."""
    chain, at = _chain(graph, neurons)
    first, last = max(0, min(at) - BEFORE), min(len(chain), max(at) + AFTER + 1)
    columns = chain[first:last]
    for neuron in neurons:
        for key, pieces in field_of(graph, neuron.value, neuron.index).items():
            for column in columns:
                if id(column.value) == key:
                    column.seen += pieces
    _choose(columns, neurons)
    for column in columns:
        _count_gaps(column)
    return Study(columns, list(neurons), first, len(chain) - last)


def _chain(graph: Graph, neurons: Sequence[Neuron]) -> tuple[list[Column], list[int]]:
    """The layers on the way through the neurons, inputs first; other branches are left out."""
    units = list(leaves(opened(units_of(graph), lambda unit, level: True)))
    made = {id(v): unit for unit in units for node in unit.nodes for v in node.outputs}
    inputs = {id(item.value): item.name for item in graph.inputs}
    deepest = max(neurons, key=lambda n: _depth(n.value, made))
    way: list[Column] = []
    value: Value | None = deepest.value
    while value is not None:
        unit = made.get(id(value))
        if unit is None:
            way.append(Column(value, None, inputs.get(id(value), ""), shape_of(value)))
            break
        result = unit.outputs[0] if value not in unit.outputs else value
        way.append(Column(result, unit, unit.path, shape_of(result)))
        read = unit.read()
        value = max(read, key=lambda v: _depth(v, made)) if read else None
    way.reverse()
    value = way[-1].value
    while value is not None:
        reader = next((u for u in units if any(v is value for v in u.read())), None)
        if reader is None:
            break
        value = reader.outputs[0]
        way.append(Column(value, reader, reader.path, shape_of(value)))
    places = [_place_of(way, neuron) for neuron in neurons]
    return way, places


def chain_of(graph: Graph, neuron: Neuron) -> list[Column]:
    """The layers from an input to the neuron's, along the longest way."""
    way, (place,) = _chain(graph, [neuron])
    return way[: place + 1]


def _place_of(way: Sequence[Column], neuron: Neuron) -> int:
    for number, column in enumerate(way):
        own = {id(column.value)}
        if column.unit is not None:
            own.update(id(v) for node in column.unit.nodes for v in node.outputs)
        if id(neuron.value) in own:
            return number
    raise DrawError(f"{neuron} is not on the way of the other neurons; draw it by itself")


def _depth(value: Value, made: dict[int, Unit]) -> int:
    """Layers from an input on."""
    depths: dict[int, int] = {}
    stack = [value]
    while stack:
        top = stack[-1]
        unit = made.get(id(top))
        below = [] if unit is None else [v for v in unit.read() if id(v) not in depths]
        if below:
            stack += below
            continue
        depths[id(top)] = (
            0 if unit is None else 1 + max((depths[id(v)] for v in unit.read()), default=0)
        )
        stack.pop()
    return depths[id(value)]


def read_by(column: Column, index: Index, before: Column) -> list[Product]:
    """What a neuron of a column reads of the column before it. Raises `UnknownLinks`."""
    assert column.unit is not None
    wanted: list[tuple[Value, Product]] = [(column.value, tuple(frozenset((i,)) for i in index))]
    made = {id(v): node for node in column.unit.nodes for v in node.outputs}
    found: list[Product] = []
    while wanted:
        value, piece = wanted.pop()
        if value is before.value:
            found.append(piece)
        elif id(value) in made:
            node = made[id(value)]
            wanted += [(node.inputs[n], read) for n, read in reads(node, piece)]
    return found


def _choose(columns: list[Column], neurons: Sequence[Neuron]) -> None:
    """A few neurons a column: the chosen ones, what they read, their neighbours, first and last."""
    chosen: list[set[Index]] = [set() for _ in columns]
    starts: list[int] = []
    for neuron in neurons:
        at = _place_of(columns, neuron)
        starts.append(at)
        chosen[at] |= {neuron.index, _next(neuron.index, columns[at].shape)}
    for number in range(max(starts), 0, -1):
        column, before = columns[number], columns[number - 1]
        focus = [i for i in sorted(chosen[number]) if is_in(column.seen, i)] or sorted(
            chosen[number]
        )
        for index in focus[:2]:
            for piece in read_by(column, index, before):
                chosen[number - 1] |= _corners(piece)
    for number in range(min(starts) + 1, len(columns)):
        column, before = columns[number], columns[number - 1]
        sources = sorted(chosen[number - 1])[:3]
        if number <= max(starts):
            continue
        for source in sources:
            reader = _reader(column, before, source)
            if reader is not None:
                chosen[number].add(reader)
    for column, some in zip(columns, chosen, strict=True):
        some |= _ends(column.shape)
        column.drawn = sorted(some)


def _next(index: Index, shape: tuple[int, ...]) -> Index:
    """The neighbour along the last axis."""
    *rest, last = index
    return (*rest, last + 1 if last + 1 < shape[-1] else last - 1 if last else 0)


def _corners(piece: Product) -> set[Index]:
    """First, second along the last axis, and last of a set of neurons."""
    low = tuple(min(axis) for axis in piece)
    high = tuple(max(axis) for axis in piece)
    second = (*low[:-1], sorted(piece[-1])[min(1, len(piece[-1]) - 1)])
    return {low, second, high}


def _ends(shape: tuple[int, ...]) -> set[Index]:
    """The first and the last neuron; all, or some more, of a short vector."""
    last = tuple(n - 1 for n in shape)
    if len(shape) == 1:
        size = shape[0]
        if size <= SHOWN_OF_SMALL:
            return {(i,) for i in range(size)}
        return {(0,), (1,), (2,), (size - 2,), (size - 1,)}
    return {tuple(0 for _ in shape), last}


def _reader(column: Column, before: Column, source: Index) -> Index | None:
    """A neuron that reads another: near the same relative place."""
    if len(column.shape) != len(before.shape):
        near: Iterable[Index] = [tuple(0 for _ in column.shape)]
    else:
        ranges = [
            sorted({min(max(i * made // given + d, 0), made - 1) for d in (0, -1, 1, -2)})
            for i, made, given in zip(source[1:], column.shape[1:], before.shape[1:], strict=True)
        ]
        channels = dict.fromkeys((min(source[0], column.shape[0] - 1), 0))
        near = product(channels, *ranges)
    for index in near:
        if is_in(read_by(column, index, before), source):
            return index
    return None


def _count_gaps(column: Column) -> None:
    """What is left out between the drawn neurons; drawn and left out are all there are."""
    places = [column.place(index) for index in column.drawn]
    in_field = _field_places(column)
    edges = [-1, *places, column.total]
    for before, after in pairwise(edges):
        hidden = after - before - 1
        column.gaps.append((hidden, _between(in_field, before, after)))
    assert len(places) + sum(hidden for hidden, _ in column.gaps) == column.total


def _field_places(column: Column) -> list[int]:
    """Sorted numbers of the neurons in the field."""
    if not column.seen:
        return []
    import numpy

    mask = numpy.zeros(column.shape, bool)
    for piece in column.seen:
        mask[numpy.ix_(*map(sorted, piece))] = True
    return numpy.flatnonzero(mask.reshape(-1)).tolist()


def _between(places: list[int], low: int, high: int) -> int:
    from bisect import bisect_left, bisect_right

    return bisect_left(places, high) - bisect_right(places, low)


def in_field(column: Column) -> int:
    """How many neurons of a column lie in the field."""
    return count(column.seen, column.shape) if column.seen else 0


def inputs_of(column: Column, before: Column) -> tuple[int, int]:
    """Fewest and most numbers of the column before that a neuron reads, of a sample."""
    counts = [sum(map(size_of, read_by(column, i, before))) for i in column.drawn]
    return min(counts), max(counts)
