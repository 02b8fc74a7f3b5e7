"""The patch of an input that each position of each value sees, borders and all.

All sizes are numbers. A patch is a box: for each axis of the input its first and last cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from netdsl.analyses.links import UnknownLinks, reads, shape_of
from netdsl.ir.graph import Graph, Input, Node, Value
from netdsl.ops.cells import Product, whole

MOST_POSITIONS = 60_000
"""Positions that are followed, of all values together; further axes are taken as seen whole."""

Ends: TypeAlias = "tuple[int, int]"
Patch: TypeAlias = "tuple[Ends, ...] | None"
"""First and last cell along each axis of the input; None: nothing is seen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the positions of a value see.

    `whole` is the patch of all of them together. `along[axis][i]` is the patch of those whose
    index along an axis is i; an axis that tells nothing (of channels, behind a global pool) has
    no entry.
    """

    whole: Patch
    along: dict[int, tuple[Patch, ...]]

    def at(self, index: Sequence[int]) -> Patch:
        """The patch of one position: what lies in the patches of its index along every axis.

        As small as can be where the axes do not mix; never too small.
        """
        return self.of(tuple(frozenset((i,)) for i in index))

    def of(self, cells: Product) -> Patch:
        """The patch of a product of positions."""
        common = self.whole
        for axis, patches in self.along.items():
            if len(cells[axis]) < len(patches):
                common = _common(common, _hull(patches[i] for i in cells[axis]))
        return common


def patches(graph: Graph, item: Input) -> dict[Value, Sight]:
    """What each value sees of an input; values that do not depend on it have no entry."""
    return _Patches(graph, item).sights


class _Patches:
    """The values of a network, in the order it runs."""

    def __init__(self, graph: Graph, item: Input) -> None:
        shape = shape_of(item.value)
        every = tuple((0, n - 1) for n in shape)
        self.followed = 0
        self.sights = {item.value: Sight(every, {axis: _one_by_one(every, axis)
                                                    for axis in range(1, len(shape))})}  # fmt: skip
        for node in graph.nodes():
            if any(value in self.sights for value in node.inputs):
                for result, value in enumerate(node.outputs):
                    self._follow(node, result, value)

    def _follow(self, node: Node, result: int, value: Value) -> None:
        shape = shape_of(value)
        try:
            every = self._seen(node, whole(shape), result)
        except UnknownLinks:
            patches = [self.sights[v].whole for v in node.inputs if v in self.sights]
            self.sights[value] = Sight(_hull(patches), {})
            return
        if every is None:
            return
        along: dict[int, tuple[Patch, ...]] = {}
        for axis in range(len(shape)) if len(shape) > 1 else ():
            slabs = self._along(node, result, shape, axis, every)
            if slabs:
                along[axis] = slabs
        self.sights[value] = Sight(every, along)

    def _along(
        self, node: Node, result: int, shape: tuple[int, ...], axis: int, every: Patch
    ) -> tuple[Patch, ...]:
        """The patches along an axis; none where its ends and its middle see everything."""
        cells = whole(shape)

        def patch_of(index: int) -> Patch:
            slab = (*cells[:axis], frozenset((index,)), *cells[axis + 1 :])
            return self._seen(node, slab, result)

        last = shape[axis] - 1
        some = {0, last // 2, last}
        if self.followed + last > MOST_POSITIONS or all(patch_of(i) == every for i in some):
            return ()
        self.followed += shape[axis]
        return tuple(map(patch_of, range(shape[axis])))

    def _seen(self, node: Node, wanted: Product, result: int) -> Patch:
        return _hull(
            self.sights[node.inputs[number]].of(piece)
            for number, piece in reads(node, wanted, result)
            if node.inputs[number] in self.sights
        )


def _one_by_one(every: tuple[Ends, ...], axis: int) -> tuple[Patch, ...]:
    """Of the input itself: each index sees its own slab."""
    return tuple((*every[:axis], (i, i), *every[axis + 1 :]) for i in range(every[axis][1] + 1))


def _hull(patches: Iterable[Patch]) -> Patch:
    known = [patch for patch in patches if patch is not None]
    if len(known) < 2:
        return known[0] if known else None
    axes = zip(*known, strict=True)
    return tuple((min(e[0] for e in ends), max(e[1] for e in ends)) for ends in axes)


def _common(one: Patch, other: Patch) -> Patch:
    """What lies in both; nothing, if they are apart along any axis."""
    if one is None or other is None:
        return None
    overlap = tuple((max(a[0], b[0]), min(a[1], b[1])) for a, b in zip(one, other, strict=True))
    return overlap if all(first <= last for first, last in overlap) else None
