"""Which pixels each bin of a pooling pyramid, or of an adaptive pool, takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from netdsl.backends.diagram.example_size import Numbers
from netdsl.ir.graph import Node
from netdsl.ops.base import op_of
from netdsl.ops.facts import Edges


@dataclass(frozen=True, slots=True)
class Level:
    """The bins of one level along each axis."""

    axes: tuple[Edges, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes))

    @property
    def bins(self) -> int:
        number = 1
        for count in self.counts:
            number *= count
        return number

    @property
    def is_overlapping(self) -> bool:
        return any(before[1] > after[0] for e in self.axes for before, after in _pairs(e))


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of a pool over a map, and what a bin gives."""

    levels: tuple[Level, ...]
    mode: str
    sizes: tuple[int, ...]
    is_joined: bool


def pyramid_of(node: Node, numbers: Numbers) -> Pyramid | None:
    """The bins of a pool; None where a layer is no such pool, or each bin is one pixel or all."""
    inputs, outputs = numbers.tensors(node)
    bins = op_of(node).bins_of(inputs, outputs)
    if bins is None:
        return None
    sizes, counts = numbers.shape(node.inputs[0])[1:], numbers.shape(node.outputs[0])[1:]
    if not bins.is_joined and (len(sizes) != 2 or counts == sizes or set(counts) == {1}):
        return None
    return Pyramid(tuple(map(Level, bins.levels)), bins.gives, sizes, bins.is_joined)


def window_words(edges: Sequence[tuple[int, int]]) -> str:
    """`window 7, stride 6`, or the range of both where they vary."""
    sizes = sorted({end - start for start, end in edges})
    steps = sorted({b[0] - a[0] for a, b in _pairs(edges)})
    text = f"window {_range(sizes)}"
    return f"{text}, stride {_range(steps)}" if steps else text


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _pairs(edges: Sequence[tuple[int, int]]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return list(pairwise(edges))
