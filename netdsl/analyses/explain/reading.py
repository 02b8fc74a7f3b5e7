"""What the neurons of one layer read of the value that comes in, and whom that value reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from netdsl.analyses.links import Reader, shape_of
from netdsl.ir.graph import Node
from netdsl.ops.base import op_of
from netdsl.ops.cells import Indices, Product, one, size_of, union

BY_AXIS = ("convolution", "pooling")
"""Families whose neurons read a box: an index along an axis decides the cells along that axis."""
MOST_NEURONS = 4_096
"""Neurons of other layers that are asked one by one."""
Index: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a neuron in the middle of a map shares with the next one along an axis."""

    axis: str
    shared: int
    of: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How a layer reads its first input, counted neuron by neuron.

    `least` and `most` are the links of one neuron; `reached_least` and `reached_most` the neurons
    that one value of the input goes into. `unread` are values of the input that no neuron reads,
    `unread_places` the places of the map (all channels of it) and `places` how many there are.
    """

    least: int
    most: int
    reached_least: int
    reached_most: int
    unread: int
    unread_places: int
    places: int


class Links:
    """Which values of an input each neuron of a layer reads. Raises `UnknownLinks`."""

    def __init__(self, node: Node, number: int = 0) -> None:
        self.reader, self.number = Reader(node), number
        self.input = shape_of(node.inputs[number])
        self.output = shape_of(node.outputs[0])
        is_box = op_of(node).family in BY_AXIS and len(self.input) == len(self.output)
        self.by_axis = self._by_axis() if is_box and self.input else None

    @property
    def is_counted(self) -> bool:
        """Whether all neurons are counted: with many, boxes only are."""
        return self.by_axis is not None or prod(self.output) <= MOST_NEURONS

    def of(self, index: Index) -> list[Product]:
        """What one neuron reads, each value in one product."""
        pieces = self.reader.values(one(index))
        return union(piece for number, piece in pieces if number == self.number and all(piece))

    def _by_axis(self) -> list[list[Indices]]:
        """For each axis the cells that each index along it decides."""
        zeros = (0,) * len(self.output)
        along: list[list[Indices]] = []
        for axis, size in enumerate(self.output):
            wanted = (one((*zeros[:axis], i, *zeros[axis + 1 :])) for i in range(size))
            along.append([self._piece(cells)[axis] for cells in wanted])
        return along

    def _piece(self, wanted: Product) -> Product:
        """The one box that is read; where its place is outside of the map, with an empty axis."""
        return next(p for n, p in self.reader.values(wanted) if n == self.number)

    def reading(self) -> Reading | None:
        """The counts; None where the neurons are too many."""
        if self.by_axis is not None:
            return self._of_boxes(self.by_axis)
        return self._one_by_one() if self.is_counted else None

    def _of_boxes(self, by_axis: list[list[Indices]]) -> Reading:
        lengths = [[len(cells) for cells in axis] for axis in by_axis]
        reached = [_times_read(axis, n) for axis, n in zip(by_axis, self.input, strict=True)]
        read = [sum(map(bool, counts)) for counts in reached]
        places = prod(self.input[1:])
        return Reading(
            prod(map(min, lengths)),
            prod(map(max, lengths)),
            prod(map(min, reached)),
            prod(map(max, reached)),
            prod(self.input) - prod(read),
            places - prod(read[1:]),
            places,
        )

    def _one_by_one(self) -> Reading:
        import numpy as np

        times = np.zeros(self.input, np.int64)
        counts: list[int] = []
        for index in product(*map(range, self.output)):
            pieces = self.of(index)
            counts.append(sum(map(size_of, pieces)))
            for piece in pieces:
                times[np.ix_(*map(sorted, piece))] += 1
        is_read = times > 0
        by_place = is_read.any(axis=0) if is_read.ndim > 1 else is_read
        return Reading(
            min(counts, default=0),
            max(counts, default=0),
            int(times.min(initial=len(counts))),
            int(times.max(initial=0)),
            int((~is_read).sum()),
            int((~by_place).sum()),
            by_place.size,
        )

    def overlap(self, index: Index, other: Index) -> int:
        """How many values two neurons both read."""
        return shared(self.of(index), self.of(other))

    def overlaps(self, names: Sequence[str]) -> list[Overlap]:
        """What a neuron in the middle shares with the next one along each axis behind the first."""
        middle = tuple((n - 1) // 2 for n in self.output)
        own = sum(map(size_of, self.of(middle)))
        found: list[Overlap] = []
        for axis, name in zip(range(1, len(self.output)), names, strict=True):
            following = (*middle[:axis], middle[axis] + 1, *middle[axis + 1 :])
            if following[axis] < self.output[axis]:
                found.append(Overlap(name, self.overlap(middle, following), own))
        return found

    def reached(self, index: Index) -> list[Product] | None:
        """The neurons that read a value of the input; None where they are too many to be asked."""
        if self.by_axis is not None:
            cells = zip(self.by_axis, index, strict=True)
            box = tuple(frozenset(n for n, c in enumerate(axis) if i in c) for axis, i in cells)
            return [box] if all(box) else []
        if not self.is_counted:
            return None
        return [one(neuron) for neuron in self._readers(index)]

    def _readers(self, index: Index) -> Iterator[Index]:
        for neuron in product(*map(range, self.output)):
            if any(all(i in c for i, c in zip(index, p, strict=True)) for p in self.of(neuron)):
                yield neuron


def shared(some: Sequence[Product], others: Sequence[Product]) -> int:
    """How many elements lie in both of two unions of disjoint products."""
    pairs = product(some, others)
    return sum(prod(len(a & b) for a, b in zip(p, q, strict=True)) for p, q in pairs)


def _times_read(cells: Sequence[Indices], size: int) -> list[int]:
    """How many indices read each cell of an axis."""
    times = [0] * size
    for indices in cells:
        for cell in indices:
            times[cell] += 1
    return times
