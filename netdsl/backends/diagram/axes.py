"""Which axis of a tensor is which, behind layers that put them in another order."""

from __future__ import annotations

from typing import TypeAlias

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import Shape

Axes: TypeAlias = tuple[int, ...] | None
"""For each axis of a tensor the one it was in a map: 0 the channels; None where that is lost."""


class AxisOrder:
    """The axes of every value of some graphs."""

    def __init__(self, *graphs: Graph) -> None:
        self._axes: dict[Value, Axes] = {}
        for graph in graphs:
            for item in graph.inputs:
                self._axes[item.value] = tuple(range(len(item.value.type.shape)))
            for node in graph.nodes():
                for value in node.outputs:
                    self._axes[value] = self._behind(node, value)

    def is_usual(self) -> bool:
        """Whether the channels come first everywhere."""
        return all(axes == tuple(range(len(axes or ()))) for axes in self._axes.values())

    def spatial(self, value: Value) -> Shape:
        """The axes of a map without its channels; the whole shape where they are mixed."""
        axes, shape = self._axes[value], value.type.shape
        if axes is None:
            return shape
        return tuple(shape[axes.index(axis)] for axis in sorted(axes) if axis)

    def origin(self, value: Value, axis: int) -> int | None:
        """The axis of a map that an axis of a value was: 0 the channels; None where lost."""
        axes = self._axes[value]
        return None if axes is None else axes[axis]

    def _behind(self, node: Node, value: Value) -> Axes:
        rank = len(value.type.shape)
        before = self._axes[node.inputs[0]] if node.inputs else None
        if rank < 2:
            return tuple(range(rank))
        if before is None or len(before) != rank or node.op.name == "reshape":
            return None
        if node.op.name == "permute":
            return tuple(before[axis % rank] for axis in getattr(node.op, "axes", ()))
        return before
