"""The code of an autoencoder: the narrowest value on every way from an input to its like."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import shape_of
from netdsl.ir.graph import Graph, Input, Value


@dataclass(frozen=True, slots=True)
class Code:
    """All that an output has of an input passes through `value`, which is smaller than both.

    `encoder` are the values on the ways to it, the input included, `decoder` those on the ways on.
    """

    input: Input
    value: Value
    output: Value
    encoder: frozenset[Value]
    decoder: frozenset[Value]

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
            encoder = _before(graph, value).intersection(above) - {value}
            decoder = _behind(graph, value) & _before(graph, output.value) - {value}
            found = Code(item, value, output.value, encoder, decoder)
            sides = (encoder | {value}, decoder)
            if found.numbers < found.whole and all(_is_learned(graph, side) for side in sides):
                return found
    return None


def _before(graph: Graph, value: Value) -> frozenset[Value]:
    """What a value depends on, itself included."""
    found = {value}
    for node in reversed(list(graph.nodes())):
        if found.intersection(node.outputs):
            found.update(read for _, read in node.data_inputs())
    return frozenset(found)


def _behind(graph: Graph, value: Value) -> frozenset[Value]:
    """What depends on a value, itself included."""
    found = {value}
    for node in graph.nodes():
        if found.intersection(read for _, read in node.data_inputs()):
            found.update(node.outputs)
    return frozenset(found)


def _is_learned(graph: Graph, values: frozenset[Value]) -> bool:
    """Whether a layer with weights makes one of the values."""
    learned = (node for node in graph.nodes() if count_parameters(node.layer))
    return any(values.intersection(node.outputs) for node in learned)


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
