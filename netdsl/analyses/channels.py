"""Which axis of each value holds the channels (or features), told from the layers on its way."""

from __future__ import annotations

from typing import cast

from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import Shape
from netdsl.ops.base import Op

FEATURES_LAST = {"linear", "attention", "window_attention", "embedding"}
"""Layers that work along the last axis, or make it."""
CHANNELS_FIRST = {"convolution", "pooling", "pyramid", "resampling", "size"}
"""Families of layers that work on maps [C, ...]."""
MAP_NORMS = {"batchnorm", "groupnorm", "instancenorm", "lrn", "channel_shuffle", "channel_dropout"}


class ChannelAxes:
    """The channels' axis of every value of a graph; 0 where nothing tells another.

    A map begins with its channels. `permute` and `reshape` take them along; behind a `linear`,
    an `attention` or an `embedding` they are last, and an input that such a layer reads first
    is taken to be tokens `[T, F]`.
    """

    def __init__(self, graph: Graph) -> None:
        nodes = list(graph.nodes())
        self._axes: dict[Value, int] = {}
        for item in graph.inputs:
            last = max(len(item.shape) - 1, 0)
            self._axes[item.value] = last if _holds_tokens(item.value, nodes) else 0
        for node in nodes:
            for value in node.outputs:
                self._axes[value] = self._behind(node, value)

    def of(self, value: Value) -> int:
        """The axis of the channels, without the batch."""
        return self._axes.get(value, 0)

    def _behind(self, node: Node, value: Value) -> int:
        op, rank = cast(Op, node.op), value.type.rank
        flows = [v for v in node.inputs if v.type.batched]
        if rank < 2 or not flows:
            return 0
        if op.name in FEATURES_LAST:
            return rank - 1
        if op.family in CHANNELS_FIRST or op.name in MAP_NORMS:
            return 0
        before, given = self.of(flows[0]), flows[0].type
        if op.name == "permute":
            order = [axis % rank for axis in getattr(op, "axes", ())]
            return order.index(before)
        if op.name == "reshape":
            return _kept(given.shape, value.type.shape, before)
        return before if given.rank == rank else 0


def _holds_tokens(start: Value, nodes: list[Node]) -> bool:
    """Whether the first layer that is not pointwise works along the last axis."""
    if start.type.rank != 2:
        return False
    reached = {start}
    for node in nodes:
        if not any(value in reached for value in node.inputs):
            continue
        op = cast(Op, node.op)
        if op.name in FEATURES_LAST:
            return True
        if op.family in CHANNELS_FIRST or op.name in MAP_NORMS | {"permute", "reshape", "flatten"}:
            return False
        reached.update(value for value in node.outputs if value.type.rank == 2)
    return False


def _kept(given: Shape, made: Shape, axis: int) -> int:
    """Where an axis is in another shape: as many numbers lie before it, and it is as long."""
    before: list[object] = []
    count = _product(given[:axis])
    for place, size in enumerate(made):
        before.append(_product(made[:place]))
        if before[-1] == count and size == given[axis]:
            return place
    return 0


def _product(shape: Shape) -> Size:
    total: Size = 1
    for size in shape:
        total = total * size
    return total
