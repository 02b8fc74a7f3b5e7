"""One neuron in numbers: the exact cells that it reads, what it shares, and what it goes into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from netdsl.analyses.cost import layer_text
from netdsl.analyses.explain.layer import filter_of, sentence
from netdsl.analyses.explain.reading import Links, shared
from netdsl.analyses.links import UnknownLinks, count, field, hull, reads, shape_of
from netdsl.analyses.neurons import Neuron
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.base import op_of
from netdsl.ops.cells import Product, fixed, one, size_of, union
from netdsl.ops.tables import types_of

if TYPE_CHECKING:
    import numpy as np

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """Elements of a value: the indices along each axis, as first and last of each run."""

    value: str
    axes: tuple[tuple[tuple[int, int], ...], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neuron beside this one in its map, and how many values both read."""

    index: Index
    shared: int


@dataclass(frozen=True, slots=True)
class SeenOf:
    """What a neuron depends on of an input: `count` of its `of` values, within a box."""

    input: str
    first: Index
    last: Index
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Reached:
    """The neurons of a layer that read this one; None where it has too many to be asked."""

    layer: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Term:
    """A value that a neuron reads, the weight it is multiplied by, and where both stand."""

    cell: Index
    weight_at: Index
    value: float
    weight: float
    product: float


@dataclass(frozen=True, slots=True)
class Sum:
    """What a neuron computes, number by number; `result` is what the network itself gives."""

    terms: tuple[Term, ...]
    bias: float | None
    total: float
    result: float


@dataclass(frozen=True, slots=True)
class NeuronReport:
    """What `netdsl explain FILE 'LAYER[0,2,4]'` tells.

    `links` is how many values it reads, `window` how many its filter or window has room for
    (None without one): the rest lies in the padding. `sees` is what it depends on of the inputs,
    through all layers before. `sum` is there where weights and inputs are given.
    """

    network: str
    sizes: Mapping[str, int]
    path: str
    index: Index
    shape: tuple[int, ...]
    layer: str
    sentence: str
    links: int | None
    window: int | None
    reads: tuple[Cells, ...]
    neighbours: tuple[Neighbour, ...]
    sees: tuple[SeenOf, ...]
    reached: tuple[Reached, ...]
    sum: Sum | None = None
    kind: str = "neuron"


GIVEN = "This value is given: it comes in, and nothing computes it."


def explain_neuron(
    graph: Graph, neuron: Neuron, sizes: Mapping[str, int], sum: Sum | None = None
) -> NeuronReport:
    """The report of a neuron, all sizes known."""
    value, node = neuron.value, neuron.value.producer
    pieces = _read(value, neuron.index)
    return NeuronReport(
        graph.name,
        sizes,
        neuron.name,
        neuron.index,
        shape_of(value),
        "input" if node is None else layer_text(op_of(node)),
        GIVEN if node is None else sentence(node),
        None if pieces is None else _count(pieces),
        None if node is None else _window(node),
        () if pieces is None or node is None else tuple(_cells(graph, node, pieces)),
        tuple(_neighbours(neuron)),
        tuple(_sees(graph, neuron)),
        tuple(_reached(graph, neuron)),
        sum,
    )


def _read(value: Value, index: Index) -> list[tuple[int, Product]] | None:
    if value.producer is None:
        return []
    try:
        return reads(value.producer, one(index), value.index)
    except UnknownLinks:
        return None


def _count(pieces: Sequence[tuple[int, Product]]) -> int:
    numbers = dict.fromkeys(number for number, _ in pieces)
    return sum(count(p for n, p in pieces if n == number) for number in numbers)


def _window(node: Node) -> int | None:
    facts, windows = filter_of(node), op_of(node).sliding()
    if op_of(node).zoom > 0 or windows is None:
        return None
    if facts is not None:
        return facts.products
    return prod(k for k, _, _ in windows.settings_along(node.inputs[0].type.rank - 1))


def _cells(graph: Graph, node: Node, pieces: Sequence[tuple[int, Product]]) -> Iterator[Cells]:
    for number, piece in pieces:
        yield Cells(name_of(graph, node.inputs[number]), tuple(map(_runs, piece)), size_of(piece))


def name_of(graph: Graph, value: Value) -> str:
    """What a value is called: by a line of the file, or by the layer that gives it."""
    if value.name or value.producer is None:
        return value.name or next((i.name for i in graph.inputs if i.value is value), "")
    return value.producer.path


def _runs(indices: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """First and last of each run of whole numbers without a gap."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return tuple(runs)


def _neighbours(neuron: Neuron) -> Iterator[Neighbour]:
    """The neurons before and behind it along each axis of its map."""
    node, index = neuron.value.producer, neuron.index
    shape = shape_of(neuron.value)
    if node is None or len(shape) < 2:
        return
    own = _pieces_of_first(neuron.value, index)
    for axis in range(1, len(shape)):
        for step in (-1, 1):
            other = (*index[:axis], index[axis] + step, *index[axis + 1 :])
            if own is not None and 0 <= other[axis] < shape[axis]:
                there = _pieces_of_first(neuron.value, other)
                if there is not None:
                    yield Neighbour(other, shared(own, there))


def _pieces_of_first(value: Value, index: Index) -> list[Product] | None:
    pieces = _read(value, index)
    return None if pieces is None else union(piece for number, piece in pieces if number == 0)


def _sees(graph: Graph, neuron: Neuron) -> Iterator[SeenOf]:
    try:
        seen = field(graph, neuron.value, neuron.index)
    except UnknownLinks:
        return
    for item in graph.inputs:
        pieces = seen.get(item.value)
        if pieces and neuron.value.producer is not None:
            ends = hull(pieces)
            first, last = (tuple(end[side] for end in ends) for side in (0, 1))
            yield SeenOf(item.name, first, last, count(pieces), prod(shape_of(item.value)))


def _reached(graph: Graph, neuron: Neuron) -> Iterator[Reached]:
    for node in dict.fromkeys(graph.uses.readers(neuron.value)):
        counts: list[int | None] = []
        for number, value in node.data_inputs():
            if value is neuron.value:
                counts.append(_reached_by(node, number, neuron.index))
        if counts:
            known = [n for n in counts if n is not None]
            yield Reached(node.path, sum(known) if len(known) == len(counts) else None)


def _reached_by(node: Node, number: int, index: Index) -> int | None:
    try:
        pieces = Links(node, number).reached(index)
    except UnknownLinks:
        return None
    return None if pieces is None else count(pieces)


def sum_of(
    node: Node,
    index: Index,
    x: np.ndarray,
    result: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
) -> Sum | None:
    """The products of a neuron and their sum, from the numbers of one sample.

    None where the layer is no sum of products.
    """
    pairs = op_of(node).products(*types_of(node), index)
    if pairs is None:
        return None
    terms = tuple(
        Term(cell, at, float(x[cell]), float(weight[at]), float(x[cell]) * float(weight[at]))
        for cell, at in pairs
    )
    axis = op_of(node).bias_axis(len(fixed(node.outputs[0].type.shape)))
    added = None if bias is None or axis is None else float(bias[index[axis]])
    total = sum(term.product for term in terms) + (added or 0.0)
    return Sum(terms, added, total, float(result[index]))
