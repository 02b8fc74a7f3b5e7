"""The code of an autoencoder: the narrowest value on every way from an input to its like."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import shape_of
from netdsl.ir.graph import Graph, Input, Value


@dataclass(frozen=True, slots=True)
class Code:
    """All that an output has of an input passes through `value`, which is smaller than both."""

    input: Input
    value: Value
    output: Value

    @property
    def numbers(self) -> int:
        return prod(shape_of(self.value))

    @property
    def whole(self) -> int:
        """Numbers of the input."""
        return prod(shape_of(self.input.value))

    @property
    def words(self) -> str:
        """`30 numbers for 784, 26.1 times fewer`."""
        fewer = f"{self.whole / self.numbers:,.1f} times fewer"
        return f"{self.numbers:,} number{'s' * (self.numbers != 1)} for {self.whole:,}, {fewer}"


def code_of(graph: Graph) -> Code | None:
    """The code of the first output that is as large as an input; all sizes are numbers."""
    for item in graph.inputs:
        shape = shape_of(item.value)
        above = _dominators(graph, item.value)
        for output in graph.outputs:
            if output.value not in above or shape_of(output.value) != shape:
                continue
            ways = [output.value]
            while ways[-1] is not item.value:
                ways.append(above[ways[-1]][0])
            value = min(reversed(ways), key=lambda passed: prod(shape_of(passed)))
            found = Code(item, value, output.value)
            if found.numbers < found.whole and _is_learned(graph, value):
                return found
    return None


def _is_learned(graph: Graph, value: Value) -> bool:
    """Whether layers with weights make the value, and others read it."""
    before, after = {value}, {value}
    for node in reversed(list(graph.nodes())):
        if before.intersection(node.outputs):
            before.update(read for _, read in node.data_inputs())
    for node in graph.nodes():
        if after.intersection(read for _, read in node.data_inputs()):
            after.update(node.outputs)
    sides = (before, after - {value})
    learned = [node for node in graph.nodes() if count_parameters(node.layer)]
    return all(any(side.intersection(node.outputs) for node in learned) for side in sides)


def _dominators(graph: Graph, start: Value) -> dict[Value, tuple[Value, int]]:
    """Of each value that depends on `start` the last before it on every way, and its depth.

    The nodes of a graph come in the order of their computation, so one pass is enough.
    """
    found: dict[Value, tuple[Value, int]] = {start: (start, 0)}
    for node in graph.inference_nodes():
        read = [value for _, value in node.data_inputs() if value in found]
        if not read:
            continue
        meet = read[0]
        for value in read[1:]:
            while meet is not value:  # the deeper of both goes up
                if found[meet][1] >= found[value][1]:
                    meet = found[meet][0]
                else:
                    value = found[value][0]
        for output in node.outputs:
            found[output] = (meet, found[meet][1] + 1)
    return found
