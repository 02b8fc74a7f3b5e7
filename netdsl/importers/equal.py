"""Whether two graphs compute the same with the same weights, however they are written."""

from __future__ import annotations

from collections import Counter

from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import Op, op_of


def difference(one: Graph, other: Graph) -> str:
    """What one of two graphs has that the other has not, in a sentence; empty if they are equal."""
    pool: dict[object, int] = {}
    first, second = _Terms(one, pool), _Terms(other, pool)
    if first.inputs() != second.inputs():
        return f"the inputs are {first.inputs()} and {second.inputs()}"
    if first.outputs() != second.outputs():
        return f"the outputs are {first.outputs()} and {second.outputs()}"
    ours, theirs = first.weighted(), second.weighted()
    for name, missing in ("first", ours - theirs), ("second", theirs - ours):
        if missing:
            return f"the {name} alone calls `{next(iter(missing))[0]}` as it does"
    for a, b in zip(one.outputs, other.outputs, strict=True):
        if first.terms[a.value] != second.terms[b.value]:
            return f"output `{a.name}` is not computed alike"
    return ""


class _Terms:
    """Each value of a graph as a number, the same for what is computed alike."""

    def __init__(self, graph: Graph, pool: dict[object, int]) -> None:
        self.graph, self.pool = graph, pool
        self.parts: dict[tuple[Op, int], tuple[int, ...]] = {}
        self.terms = {one.value: self.of((one.name, None)) for one in graph.inputs}
        self.calls = {node: self.call(node) for node in graph.nodes()}

    def of(self, key: object) -> int:
        return self.pool.setdefault(key, len(self.pool))

    def call(self, node: Node) -> int:
        """What a node computes: its layer, its weights by their path, what flows in."""
        op = op_of(node)
        path = node.path if node.layer.weights else ""
        flow = [self.terms[value] for value in node.inputs]
        if op.passes(len(flow)) and node.inputs[0].type == node.output.type:
            self.terms[node.output] = flow[0]
            return flow[0]
        if op.is_associative:
            flow = [part for term in flow for part in self.parts.get((op, term), (term,))]
        if op.is_commutative:
            flow[:2] = sorted(flow[:2])
        term = self.of((op, path, tuple(flow)))
        results = [self.of((term, value.index)) for value in node.outputs]
        self.terms.update(zip(node.outputs, results, strict=True))
        if op.is_associative:
            self.parts[op, results[0]] = tuple(flow)
        return term

    def inputs(self) -> list[str]:
        return [f"{one.name}: {one.value.type}" for one in self.graph.inputs]

    def outputs(self) -> list[tuple[str, bool]]:
        return [(one.name, one.when_training) for one in self.graph.outputs]

    def weighted(self) -> Counter[tuple[str, int]]:
        """The calls of layers with weights, each with its path."""
        return Counter((node.path, term) for node, term in self.calls.items() if node.layer.weights)
