"""The neuron view's columns: a few neurons of each layer, what links them, what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import prod

from netdsl.analyses.links import Product, count, is_in, reads, union
from netdsl.analyses.links import field as field_of
from netdsl.analyses.neurons import Neuron
from netdsl.backends.diagram.neurons.layers import NeuronLayer, layers_of
from netdsl.backends.diagram.options import DrawError
from netdsl.ir.graph import Graph, Value
from netdsl.ops.cells import one, ravel, replaced, size_of, unravel, whole

Index = tuple[int, ...]
FEW = 9
"""Layers of which all are drawn."""
STRETCHES = ((4, 3), (3, 3), (3, 2), (2, 2))
"""Of more layers, those drawn before and behind that of the neuron: as many as fit a page."""
PAGE_STRETCHES = ((4, 3), (4, 2), (3, 2), (3, 1), (2, 1), (1, 1))
"""The same for a page whose width is given, however few layers there are."""
MOST_COLUMNS = 14
SHOWN_OF_SMALL = 10


@dataclass(slots=True)
class Column:
    """A layer: `drawn` are the indices of the neurons that are shown, in order.

    `gaps` tells how many are left out before each drawn one and behind the last, and how many
    of those lie in the field of the chosen neurons; `seen` are products that hold that field.
    """

    layer: NeuronLayer
    drawn: list[Index] = field(default_factory=list)
    seen: list[Product] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layer.shape

    @property
    def total(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Link:
    """A drawn connection: columns by number, and a neuron of each."""

    start: int
    source: Index
    end: int
    target: Index


@dataclass(slots=True)
class Study:
    """Columns from left to right, the chosen neurons in them, and the whole network's layers.

    `chosen` are column numbers and indices; `fields` what each chosen neuron depends on.
    """

    columns: list[Column]
    neurons: list[Neuron]
    chosen: list[tuple[int, Index]]
    fields: list[dict[Value, list[Product]]]
    layers: list[NeuronLayer]

    def links(self) -> Iterator[Link]:
        """Every connection between two neurons that are drawn."""
        places = {column.layer.value: n for n, column in enumerate(self.columns)}
        for end, column in enumerate(self.columns):
            for target in column.drawn:
                for value, pieces in column.layer.reads([one(target)]).items():
                    start = places.get(value)
                    if start is None:
                        continue
                    for source in self.columns[start].drawn:
                        if is_in(pieces, source):
                            yield Link(start, source, end, target)


def study(
    graph: Graph,
    neurons: Sequence[Neuron],
    stretch: tuple[int, int] = STRETCHES[0],
    few: int = FEW,
) -> Study:
    """The columns around the neurons' layers; `stretch` tells how many before and behind them.

    All are drawn where there are no more than `few`. Raises `UnknownLinks`, `DrawError`.
    """
    layers = layers_of(graph)
    homes = [_home(layers, neuron) for neuron in neurons]
    chain = _chain(layers, homes)
    at = [chain.index(layer) for layer, _ in homes]
    first, last = (
        (0, len(chain)) if len(chain) <= few else _stretch(len(chain), min(at), max(at), *stretch)
    )
    columns = [Column(layer) for layer in chain[first:last]]
    fields = [field_of(graph, neuron.value, neuron.index) for neuron in neurons]
    chosen = [(n - first, index) for n, (_, index) in zip(at, homes, strict=True)]
    for column in columns:
        column.seen = union(p for own in fields for p in own.get(column.layer.value, []))
    for number, index in chosen:  # a value inside of its layer is the same neuron
        columns[number].seen = union([*columns[number].seen, one(index)])
    _choose(columns, chosen)
    for column in columns:
        _count_gaps(column)
    return Study(columns, list(neurons), chosen, fields, layers)


def _stretch(count: int, nearest: int, deepest: int, before: int, after: int) -> tuple[int, int]:
    """Which layers of a chain are drawn: the first, and the one behind the last."""
    if deepest - nearest >= MOST_COLUMNS:
        raise DrawError(
            f"{deepest - nearest + 1} layers lie from one neuron to the other, and at most "
            f"{MOST_COLUMNS} are drawn; choose neurons that are nearer"
        )
    first, last = max(0, nearest - before), min(count, deepest + after + 1)
    room = max(0, MOST_COLUMNS - (deepest - nearest + 1))
    first = max(first, nearest - (room + 1) // 2)
    return first, min(last, deepest + 1 + room // 2)


def _home(layers: Sequence[NeuronLayer], neuron: Neuron) -> tuple[NeuronLayer, Index]:
    """The layer that a neuron is drawn in, and its index there."""
    value, index = neuron.value, neuron.index
    for layer in layers:
        if layer.value is value:
            return layer, index
    owner = next((y for y in layers if any(value in n.outputs for n in y.nodes)), None)
    if owner is None:
        why = "runs in training only" if value.type.batched else "is made of learned weights alone"
        raise DrawError(f"{neuron} {why}; choose a neuron that depends on an input at inference")
    node = next(n for n in owner.nodes if value in n.outputs)
    if owner.nodes.index(node) >= owner.nodes.index(owner.body):
        return owner, index
    (number, read), *_ = reads(node, one(index), node.outputs.index(value))
    renamed = tuple(min(axis) for axis in read)
    return _home(layers, Neuron(node.inputs[number], renamed, neuron.name))


def _chain(
    layers: Sequence[NeuronLayer], homes: Sequence[tuple[NeuronLayer, Index]]
) -> list[NeuronLayer]:
    """Layers from an input on, through the chosen neurons, along what the deepest one reads."""
    owner = {layer.value: layer for layer in layers}
    wanted = {layer for layer, _ in homes}
    layer, index = max(homes, key=lambda pair: pair[0].depth)
    above = _ancestors(layers, owner, wanted)
    chain = [layer]
    pieces: list[Product] = [one(index)]
    while not chain[-1].is_input:
        read = chain[-1].reads(pieces)
        sources = [owner[value] for value in read if value in owner]
        if not sources:
            break
        left = wanted - set(chain)
        best = max(sources, key=lambda y: (len(above[y] & left), y.depth))
        pieces = read[best.value]
        chain.append(best)
    chain.reverse()
    missing = [layer for layer, _ in homes if layer not in chain]
    if missing:
        raise DrawError(
            f"no way leads through all of the neurons: {missing[0].name} is on another branch than "
            f"{chain[-1].name}; draw them apart"
        )
    return [*chain, *_behind(layers, chain[-1])]


def _ancestors(
    layers: Sequence[NeuronLayer], owner: dict[Value, NeuronLayer], wanted: set[NeuronLayer]
) -> dict[NeuronLayer, set[NeuronLayer]]:
    """Of each layer, which of the wanted ones it is or depends on."""
    ancestors: dict[NeuronLayer, set[NeuronLayer]] = {}
    for layer in layers:
        own = {layer} & wanted
        ancestors[layer] = own.union(*(ancestors[owner[v]] for v in layer.read() if v in owner))
    return ancestors


def _behind(layers: Sequence[NeuronLayer], layer: NeuronLayer) -> list[NeuronLayer]:
    """The readers that come next, one behind the other, the nearest first."""
    behind: list[NeuronLayer] = []
    while True:
        readers = [y for y in layers if any(v is layer.value for v in y.read())]
        if not readers:
            return behind
        layer = min(readers, key=lambda y: y.depth)
        behind.append(layer)


# --- which neurons are drawn ----------------------------------------------------------------


def _choose(columns: list[Column], neurons: Sequence[tuple[int, Index]]) -> None:
    """The chosen neurons, what they read, their neighbours, first and last of each layer."""
    chosen: list[set[Index]] = [set() for _ in columns]
    for number, index in neurons:
        chosen[number] |= {index, _next(index, columns[number].shape)}
    places = {column.layer.value: n for n, column in enumerate(columns)}
    deepest = max(number for number, _ in neurons)
    for number in range(deepest, 0, -1):
        column = columns[number]
        focus = [i for i in sorted(chosen[number]) if is_in(column.seen, i)]
        for rank, index in enumerate((focus or sorted(chosen[number]))[:2]):
            for value, pieces in column.layer.reads([one(index)]).items():
                if value in places and pieces:
                    chosen[places[value]] |= _corners(pieces, few=rank > 0)
        if not any(is_in(columns[number - 1].seen, i) for i in chosen[number - 1]):
            _join(columns[number - 1], column, chosen[number - 1], chosen[number])
    for number in range(deepest + 1, len(columns)):
        for source in sorted(chosen[number - 1])[:3]:
            reader = _reader(columns[number], columns[number - 1], source)
            if reader is not None:
                chosen[number].add(reader)
    for column, some in zip(columns, chosen, strict=True):
        column.drawn = _filled(sorted(some | _ends(column.shape)), column.shape)


def _join(before: Column, column: Column, sources: set[Index], chosen: set[Index]) -> None:
    """Adds the first neuron of the field that reads the layer before, and what it reads there.

    Of a concat the outer channels are drawn, which may be of other branches.
    """
    value = before.layer.value
    for piece in column.seen:
        reader = first_reader(column.layer, piece, value)
        if reader is not None:
            chosen.add(reader)
            sources |= _corners(column.layer.reads([one(reader)])[value], few=False)
            return


def first_reader(
    layer: NeuronLayer, within: Product, value: Value, source: Index | None = None
) -> Index | None:
    """The first neuron of a product that reads a value, or a neuron `source` of it."""

    def is_reader(cells: Product) -> bool:
        pieces = layer.reads([cells]).get(value, [])
        return bool(pieces) if source is None else is_in(pieces, source)

    if not is_reader(within):
        return None
    for axis in range(len(within)):
        left = sorted(within[axis])
        while len(left) > 1:
            half = left[: len(left) // 2]
            left = half if is_reader(replaced(within, axis, half)) else left[len(half) :]
        within = replaced(within, axis, left)
    return tuple(min(axis) for axis in within)


def _filled(drawn: list[Index], shape: tuple[int, ...]) -> list[Index]:
    """The same with those that are left out alone: a pill would take their place."""
    places = [ravel(index, shape) for index in drawn]
    alone = [a + 1 for a, b in pairwise(places) if b - a == 2]
    return [unravel(place, shape) for place in sorted([*places, *alone])]


def _next(index: Index, shape: tuple[int, ...]) -> Index:
    """The neighbour along the last axis; a scalar has none."""
    if not index:
        return index
    *rest, last = index
    return (*rest, last + 1 if last + 1 < shape[-1] else last - 1 if last else 0)


def _corners(pieces: Sequence[Product], few: bool) -> set[Index]:
    """First, second along the last axis, and last of a set of neurons."""
    low = min(tuple(min(axis) for axis in piece) for piece in pieces)
    high = max(tuple(max(axis) for axis in piece) for piece in pieces)
    start = next(p for p in pieces if all(i in axis for i, axis in zip(low, p, strict=True)))
    second = (*low[:-1], sorted(start[-1])[min(1, len(start[-1]) - 1)]) if low else low
    return {low, high} if few else {low, second, high}


def _ends(shape: tuple[int, ...]) -> set[Index]:
    """The first and the last neuron; all, or some more, of a short vector."""
    if len(shape) == 1:
        size = shape[0]
        if size <= SHOWN_OF_SMALL:
            return {(i,) for i in range(size)}
        return {(0,), (1,), (2,), (size - 2,), (size - 1,)}
    return {tuple(0 for _ in shape), tuple(n - 1 for n in shape)}


def _reader(column: Column, before: Column, source: Index) -> Index | None:
    """A neuron that reads another: near the same relative place."""
    if len(column.shape) != len(before.shape) or len(column.shape) < 2:
        near: Iterable[Index] = [tuple(0 for _ in column.shape)]
    else:
        ranges = [
            sorted({min(max(i * own // other + d, 0), own - 1) for d in (0, -1, 1, -2)})
            for i, own, other in zip(source[1:], column.shape[1:], before.shape[1:], strict=True)
        ]
        near = product(dict.fromkeys((min(source[0], column.shape[0] - 1), 0)), *ranges)
    value = before.layer.value
    for index in near:
        if is_in(column.layer.reads([one(index)]).get(value, []), source):
            return index
    return first_reader(column.layer, whole(column.shape), value, source)


# --- what is left out --------------------------------------------------------------------


def _count_gaps(column: Column) -> None:
    """What is left out between the drawn neurons; drawn and left out are all there are."""
    edges = [0, *(ravel(i, column.shape) for i in column.drawn), column.total]
    seen = [0, *(_seen_before(column, i) for i in column.drawn), in_field(column)]
    own = [0, *(int(is_in(column.seen, i)) for i in column.drawn)]
    for number, (before, after) in enumerate(pairwise(edges)):
        drawn = int(number > 0)
        inside = seen[number + 1] - seen[number] - own[number]
        column.gaps.append((after - before - drawn, inside))
    assert len(column.drawn) + sum(hidden for hidden, _ in column.gaps) == column.total
    assert sum(own) + sum(inside for _, inside in column.gaps) == in_field(column)


def _seen_before(column: Column, index: Index) -> int:
    """How many neurons of the field come before one, in the order of storage."""
    total = 0
    for piece in column.seen:
        for axis, (i, indices) in enumerate(zip(index, piece, strict=True)):
            total += sum(k < i for k in indices) * size_of(piece[axis + 1 :])
            if i not in indices:
                break
    return total


def in_field(column: Column) -> int:
    """How many neurons of a column lie in the field."""
    return count(column.seen)


def inputs_of(column: Column) -> tuple[int, int]:
    """Fewest and most numbers that a neuron reads, of the drawn ones and the one in the middle."""
    middle = tuple(n // 2 for n in column.shape)
    sources = [column.layer.reads([one(i)]) for i in {*column.drawn, middle}]
    counts = [sum(map(count, read.values())) for read in sources]
    return min(counts), max(counts)


def not_drawn(study: Study, number: int) -> list[Value]:
    """What a column reads of layers that have no column."""
    drawn = {column.layer.value for column in study.columns}
    column = study.columns[number]
    used = column.layer.reads([whole(column.shape)])
    return [v for v in column.layer.read() if v not in drawn and used.get(v)]


def name_of(study: Study, value: Value) -> str:
    """The layer that makes a value."""
    return next((y.name for y in study.layers if y.value is value), value.name or "a value")


def chain_of(graph: Graph, neuron: Neuron, start: Value) -> list[NeuronLayer]:
    """The layers from an input, whose value is `start`, to the neuron's."""
    layers = layers_of(graph)
    home = _home(layers, neuron)
    starts = [(y, tuple(0 for _ in y.shape)) for y in layers if y.value is start]
    chain = _chain(layers, [home, *starts])
    return chain[: chain.index(home[0]) + 1]
