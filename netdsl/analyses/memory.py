"""How much memory the values of a network take at inference, and where most of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import BYTES
from netdsl.ops.axes import total
from netdsl.ops.base import elements, op_of
from netdsl.ops.facts import Storage
from netdsl.ops.source import Weight
from netdsl.ops.tables import types_of

OF_THEIR_OWN = (Storage.OWN, Storage.ALIKE)
KEEPS_LAYOUT = (Storage.ALIKE, Storage.VIEW)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the values that exist while each layer runs, for one sample at inference.

    A value exists from the layer that makes it to the last layer that needs it; an input from the
    start, an output to the end. What PyTorch gives as a view takes no memory of its own and keeps
    what it is a view of; no layer works in place. Weights are not in it, nor what a layer needs
    inside for a while. It is thus what an ideal runtime needs, and the least that PyTorch does: in
    eager mode a name keeps a value until it is bound anew.

    `alive` are the bytes while each node runs (formulas of symbolic sizes), `peak` is the greatest
    of them and `at` the path where it is reached; None and empty while sizes are symbols.
    """

    alive: Mapping[Node, Size]
    peak: int | None
    at: str


def memory(graph: Graph) -> Memory:
    """The memory that the values of a network take."""
    nodes = graph.inference_nodes()
    held = _Holdings(graph, nodes)
    alive: dict[Node, Size] = {}
    now: Size = sum((held.size(v) for v in held.first), 0)
    for index, node in enumerate(nodes):
        for value in held.born.get(index, ()):
            now = now + held.size(value)
        alive[node] = now
        for value in held.dying.get(index, ()):
            now = now - held.size(value)
    numbers = [n for n in alive.values() if isinstance(n, int)]
    if not numbers or len(numbers) < len(alive):
        return Memory(MappingProxyType(alive), None, "")
    peak = max(numbers)
    at = next(node.path for node in nodes if alive[node] == peak)
    return Memory(MappingProxyType(alive), peak, at)


class _Holdings:
    """Which values hold memory, and from which step to which.

    `first` are the inputs that something needs, `born` and `dying` the values by step.
    """

    def __init__(self, graph: Graph, nodes: Collection[Node]) -> None:
        self.roots: dict[Value, Value] = {}
        self.born: dict[int, list[Value]] = {}
        self.dying: dict[int, list[Value]] = {}
        last: dict[Value, int] = {}
        scattered: set[Value] = set()
        for index, node in enumerate(nodes):
            storage = op_of(node).storage(*types_of(node))
            lies_apart = any(value in scattered for value in node.inputs)
            copies = lies_apart and storage is Storage.RESHAPED
            base = None if copies or storage in OF_THEIR_OWN else node.inputs[0]
            for value in node.outputs:
                self.roots[value] = self.root(base) if base is not None else value
                if base is None:
                    self.born.setdefault(index, []).append(value)
                if storage is Storage.STRIDED or (lies_apart and storage in KEEPS_LAYOUT):
                    scattered.add(value)
            for value in (*node.inputs, *node.outputs):
                last[self.root(value)] = index
        never_freed = {self.root(output.value) for output in graph.inference_outputs}
        self.first = [item.value for item in graph.inputs if item.value in last]
        for value in [*self.first, *(v for born in self.born.values() for v in born)]:
            if value not in never_freed:
                self.dying.setdefault(last[value], []).append(value)

    def root(self, value: Value) -> Value:
        """The value whose memory it lies in."""
        return self.roots.get(value, value)

    def size(self, value: Value) -> Size:
        """Bytes; a weight is no value of its own."""
        if value.producer is not None and isinstance(value.producer.op, Weight):
            return 0
        return total(value.type.items) * elements((value.type,)) * BYTES.get(value.type.dtype, 4)
