"""What PyTorch keeps of a forward pass in training, until the gradients are computed."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.analyses.memory import OF_THEIR_OWN
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import BYTES
from netdsl.ops.axes import total
from netdsl.ops.base import elements, op_of
from netdsl.ops.facts import Saved, Storage, Work
from netdsl.ops.source import Weight
from netdsl.ops.tables import types_of


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that autograd holds when the forward pass of training has ended.

    These are the tensors that PyTorch saves for the backward pass, each storage once, weights and
    buffers left out, all heads for training included: `each` for every sample, and `once` for the
    whole batch. `unknown` are layers of which it is not known; their share is missing.
    """

    each: int
    once: int
    unknown: tuple[str, ...] = ()

    def of(self, batch: int) -> int:
        """The bytes for a batch."""
        return self.each * batch + self.once


def kept(graph: Graph) -> Kept:
    """What is kept of one sample; all sizes are numbers."""
    walk = _Walk(graph)
    for node in graph.nodes():
        walk.add(node)
    each = sum(map(walk.bytes_of, walk.held), walk.more)
    assert isinstance(each, int)
    return Kept(each, walk.once, tuple(dict.fromkeys(walk.unknown)))


class _Walk:
    """The calls in the order they run.

    `learned` are values that depend on a weight that is trained: only what gives these is kept.
    """

    def __init__(self, graph: Graph) -> None:
        self.roots: dict[Value, Value] = {}
        self.learned: set[Value] = set()
        self.held: dict[Value, None] = {}
        self.scattered: set[Value] = set()
        self.more: Size = 0
        self.once = 0
        self.unknown: list[str] = []

    def add(self, node: Node) -> None:
        self._place(node)
        learned_inputs = [value in self.learned for value in node.inputs]
        has_weights = any(spec.trained for spec in node.layer.weights)
        if not has_weights and not any(learned_inputs):
            return
        self.learned.update(node.outputs)
        if isinstance(node.op, Weight):
            return
        saved = op_of(node).saved(*types_of(node))
        if saved is None or (len(saved.inputs) > 1 and not all(learned_inputs)):
            self.unknown.append(node.path)
            return
        self._keep(node, saved)

    def _keep(self, node: Node, saved: Saved) -> None:
        values = [node.inputs[n] for n in saved.inputs]
        if saved.outputs:
            values += node.outputs
        for value in values:
            if not (value.producer and isinstance(value.producer.op, Weight)):
                self.held[self.roots.get(value, value)] = None
        items = total(node.outputs[0].type.items)
        self.more = self.more + saved.more * items
        self.once += saved.once

    def _place(self, node: Node) -> None:
        """In whose memory the results lie; what drops in training has memory of its own."""
        op = op_of(node)
        storage = op.storage(*types_of(node))
        if op.work is Work.DROPS and op.share_dropped() > 0:
            storage = Storage.OWN
        lies_apart = any(value in self.scattered for value in node.inputs)
        copies = lies_apart and storage is Storage.RESHAPED
        is_own = copies or storage in OF_THEIR_OWN or not node.inputs
        for value in node.outputs:
            if not is_own:
                base = node.inputs[0]
                self.roots[value] = self.roots.get(base, base)
            if storage is Storage.STRIDED or (
                lies_apart and storage in (Storage.ALIKE, Storage.VIEW)
            ):
                self.scattered.add(value)

    def bytes_of(self, value: Value) -> Size:
        size = BYTES.get(value.type.dtype, 4)
        return total(value.type.items) * elements((value.type,)) * size
