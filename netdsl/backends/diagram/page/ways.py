"""Which cells of its inputs a cell of a layer's result reads, as rules that hold at every size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.links import UnknownLinks, reads, shape_of
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.base import BINS, POINTWISE, UNKNOWN, Window, op_of
from netdsl.ops.cells import Indices, Product, whole
from netdsl.ops.plugins import is_ours
from netdsl.ops.tables import types_of
from netdsl.passes.copied import copied
from netdsl.passes.fix_sizes import fix_sizes

Rule: TypeAlias = "str | list[int]"
"""Of one axis: `all`, `same` index, `bins` that cover it together, or a window: its size, stride
and start, each as numerator and denominator, and the distance of its cells."""
MOST_CHANNELS = 4_096
"""Channels up to which a rule is compared with what the layer says of single cells."""


@dataclass(frozen=True)
class Way:
    """A rule for each axis of an input, and whether it tells exactly the cells that are read.

    Where it is not exact, fewer may be read: never others.
    """

    rules: tuple[Rule, ...]
    is_exact: bool


class Ways:
    """The ways of all layers of a graph; `sizes` are some that it takes, to compare at."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int]) -> None:
        fixed = fix_sizes(copied(graph), sizes) if graph.symbols and sizes else graph
        self._fixed = dict(zip(graph.nodes(), fixed.nodes(), strict=True))
        self._can_compare = not graph.symbols or bool(sizes)
        self._axes = ChannelAxes(graph)
        self._known: dict[object, dict[int, Way]] = {}

    def of(self, node: Node) -> dict[int, Way]:
        """By the number of an input whose numbers are read."""
        fixed = self._fixed[node]
        channels = tuple(self._axes.of(value) for value in (*node.inputs, *node.outputs))
        key = (node.op, types_of(node), fixed.op, types_of(fixed), channels)
        if key not in self._known:
            self._known[key] = {
                number: self._checked(node, number, self._ruled(node, number))
                for number, value in node.data_inputs()
                if value.type.batched
            }
        return self._known[key]

    def _ruled(self, node: Node, number: int) -> Way:
        """As the layer's own words for its windows have it, at every size."""
        inputs, outputs = types_of(node)
        op, before, after = op_of(node), inputs[number], outputs[0]
        rank = len(before.items) + before.rank
        everything = Way(("all",) * rank, not after.spatial and not before.items)
        if op.changes_items or before.items or after.items or before.rank != after.rank:
            return everything
        if self._axes.of(node.inputs[number]) or any(map(self._axes.of, node.outputs)):
            return Way(("all",) * rank, False)
        windows = op.windows_into(inputs, outputs, number)
        if windows is None or len(windows) != len(before.spatial):
            return everything
        spreads = [n == 1 and m != 1 for n, m in zip(before.spatial, after.spatial, strict=True)]
        rules = [
            "all" if spread else _rule(window)
            for window, spread in zip(windows, spreads, strict=True)
        ]
        is_sure = not any(w is not None and (w.is_loose or w == UNKNOWN) for w in windows)
        reads_part = op.cut_axis(before.rank) == 0 or op.shuffles() or not is_ours(type(op))
        return Way(("all", *rules), is_sure and not reads_part)

    def _checked(self, node: Node, number: int, way: Way) -> Way:
        """The way, as far as the layer reads so at single places of some sizes."""
        fixed = self._fixed[node]
        most = max((value.type.shape[:1] for value in fixed.outputs), default=())
        if not self._can_compare or not _is_there(fixed) or (most and int(most[0]) > MOST_CHANNELS):  # type: ignore[arg-type]
            return Way(way.rules, False)
        is_exact = way.is_exact
        try:
            for wanted in _places(fixed.outputs[0], self._axes.of(node.outputs[0])):
                foreseen = _foreseen(way, wanted, fixed, number)
                seen = [piece for n, piece in reads(fixed, wanted) if n == number]
                if any(not a <= b for piece in seen for a, b in zip(piece, foreseen, strict=True)):
                    return Way(("all",) * len(way.rules), False)
                is_exact &= seen == [foreseen] or (not seen and not all(foreseen))
        except UnknownLinks:
            return Way(("all",) * len(way.rules), False)
        return Way(way.rules, is_exact and len(fixed.outputs) == 1)


def _rule(window: Window | None) -> Rule:
    if window is None or window == UNKNOWN:
        return "all"
    if window == BINS:
        return "bins"
    if window.wraps or window.mirrors:
        return "all"
    if window == POINTWISE:
        return "same"
    parts = (Fraction(window.size), window.stride, window.start)
    return [*(n for part in parts for n in (part.numerator, part.denominator)), window.dilation]


def _is_there(node: Node) -> bool:
    return all(n > 0 for value in (*node.inputs, *node.outputs) for n in shape_of(value))


def _places(value: Value, channel: int) -> Iterator[Product]:
    """Some cells with all their channels: the ends, those beside them, and the middle."""
    shape = shape_of(value)
    every = whole(shape)
    for pick in (lambda n: 0, lambda n: 1, lambda n: n // 2, lambda n: n - 2, lambda n: n - 1):
        yield tuple(
            cells
            if axis == channel
            else frozenset((min(max(pick(len(cells)), 0), len(cells) - 1),))
            for axis, cells in enumerate(every)
        )


def _foreseen(way: Way, wanted: Product, node: Node, number: int) -> Product:
    """What the rules say of some cells of the result."""
    before, after = shape_of(node.inputs[number]), shape_of(node.outputs[0])
    cells: list[Indices] = []
    for axis, (rule, size) in enumerate(zip(way.rules, before, strict=True)):
        if rule == "all":
            cells.append(frozenset(range(size)))
        else:
            ruled = (_read(rule, i, size, after[axis]) for i in wanted[axis])
            cells.append(frozenset(n for own in ruled for n in own if 0 <= n < size))
    return tuple(cells)


def _read(rule: Rule, index: int, size: int, result: int) -> range:
    if rule == "same":
        return range(index, index + 1)
    if rule == "bins":
        return range(index * size // result, -(-(index + 1) * size // result))
    length, length_over, stride, stride_over, start, start_over, dilation = map(int, rule)
    first = Fraction(start, start_over) + index * Fraction(stride, stride_over)
    return range(ceil(first), floor(first + Fraction(length, length_over) - 1) + 1, dilation)
