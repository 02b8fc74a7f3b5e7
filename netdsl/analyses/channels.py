"""Which axis of each value is which: the channels (or features), and those of a map."""

from __future__ import annotations

from typing import TypeAlias

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import Shape
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of

TOKENS, IMAGE = 2, 3
"""How many axes they have."""
Axes: TypeAlias = tuple[int | None, ...]
"""For each axis the one it was in a map: 0 the channels; None where that is lost."""


class ChannelAxes:
    """The axes of every value of some graphs; the channels' is 0 where nothing tells another.

    A map begins with its channels. Layers take the axes along as they say (`Op.axis_origins`);
    behind a `linear`, an `attention` or an `embedding` the channels are last, and an input that
    such a layer reads first is taken to be tokens `[T, F]`. An image `[H, W, 3]` is one whose
    channels the first layer that asks for them finds last. Of a part of a network the axes are
    those that they are in the whole.
    """

    def __init__(self, *graphs: Graph) -> None:
        self._axes: dict[Value, Axes] = {}
        self._turning: set[Node] = set()
        for graph in graphs:
            if graph.within is not None:
                graph = graph.within
            nodes = list(graph.nodes())
            for item in graph.inputs:
                last = _is_last(item.value, nodes)
                rank = len(item.shape)
                self._axes[item.value] = (*range(1, rank), 0) if last else tuple(range(rank))
            for node in nodes:
                for value in node.outputs:
                    self._axes[value] = self._behind(node, value)

    def are_turned(self, graph: Graph) -> bool:
        """Whether a layer of it brings the axes into another order, or loses the channels."""
        return not self._turning.isdisjoint(graph.nodes())

    def of(self, value: Value) -> int:
        """The axis of the channels, without the batch; of items, behind the axes they are of."""
        axes = self._axes.get(value, ())
        return len(value.type.items) + (axes.index(0) if 0 in axes else 0)

    def is_last(self, value: Value) -> bool:
        """Whether the channels stand last: tokens, and maps turned for attention."""
        rank = len(value.type.items) + value.type.rank
        return value.type.rank > 1 and self.of(value) == rank - 1

    def spatial(self, value: Value) -> Shape:
        """The axes of a map without its channels, in its order; all where the channels are lost."""
        axes, shape = self._axes[value], value.type.shape
        places = [place for place, axis in enumerate(axes) if axis != 0]
        origins = [axes[place] for place in places]
        if None not in origins:
            places.sort(key=lambda place: axes[place] or 0)
        return tuple(shape[place] for place in places)

    def origin(self, value: Value, axis: int) -> int | None:
        """The axis of a map that an axis of a value was: 0 the channels; None where lost."""
        return self._axes[value][axis]

    def _behind(self, node: Node, value: Value) -> Axes:
        rank = value.type.rank
        flows = [v for v in node.inputs if v.type.batched]
        if rank < 2 or not flows:
            return tuple(range(rank))
        before = self._axes[flows[0]]
        origins = _origins(node)
        axes = tuple(None if axis is None else before[axis] for axis in origins)
        channels = op_of(node).channels_at
        is_moved = any(axis not in (None, place) for place, axis in enumerate(origins))
        if is_moved or (channels is None and 0 not in axes):
            self._turning.add(node)
        if channels is None:
            return axes
        place = channels % rank
        if axes[place] == 0:
            return axes
        return tuple(0 if n == place else axis or None for n, axis in enumerate(axes))


def _origins(node: Node) -> Axes:
    return op_of(node).axis_origins(*types_of(node))


def _is_last(start: Value, nodes: list[Node]) -> bool:
    """Whether the first layer that asks for the channels finds the last axis where it looks.

    Asked of tokens, and of images of open height whose last axis is a number.
    """
    shape, rank = start.type.shape, start.type.rank
    is_image = rank == IMAGE and isinstance(shape[-1], int) and not isinstance(shape[0], int)
    if rank != TOKENS and not is_image:
        return False
    reached: dict[Value, Axes] = {start: (*range(1, rank), 0)}
    for node in nodes:
        axes = next((reached[value] for value in node.inputs if value in reached), None)
        if axes is None:
            continue
        channels = op_of(node).channels_at
        if channels is not None:
            return axes[channels % len(axes)] == 0
        behind = tuple(None if axis is None else axes[axis] for axis in _origins(node))
        reached.update((v, behind) for v in node.outputs if v.type.rank == len(behind) == rank)
    return False
