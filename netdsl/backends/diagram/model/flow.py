"""The ways data takes through a network: what lies before and behind each node, as bit sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from netdsl.ir.graph import Graph, Node, Value

Set = int
"""A set of places: bit `i` stands for place `i`."""


@dataclass(frozen=True)
class Flow:
    """The inputs of a network, then the nodes that run at inference, each with a place.

    `before` are the places that a place depends on by its data, itself included. Learned values,
    and what is computed from them alone, have no place.
    """

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    sources: tuple[tuple[int, ...], ...]
    before: tuple[Set, ...]

    @cached_property
    def behind(self) -> tuple[Set, ...]:
        """The places that depend on a place, itself included."""
        behind = [1 << place for place in range(len(self.sources))]
        for place in reversed(range(len(self.sources))):
            for source in self.sources[place]:
                behind[source] |= behind[place]
        return tuple(behind)

    @cached_property
    def place(self) -> dict[Node, int]:
        """The place of each node."""
        return {node: place for place, node in enumerate(self.nodes, len(self.inputs))}

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """The places that read each place."""
        readers: list[list[int]] = [[] for _ in self.sources]
        for place, sources in enumerate(self.sources):
            for source in dict.fromkeys(sources):
                readers[source].append(place)
        return tuple(map(tuple, readers))

    def node(self, place: int) -> Node | None:
        """The node at a place; None for an input."""
        return self.nodes[place - len(self.inputs)] if place >= len(self.inputs) else None

    def value(self, place: int) -> Value:
        """What a place gives: of a node its first result."""
        node = self.node(place)
        return self.inputs[place] if node is None else node.outputs[0]

    def merges(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Places that read several others, with those, each once."""
        for place, sources in enumerate(self.sources):
            several = tuple(dict.fromkeys(sources))
            if len(several) > 1:
                yield place, several

    def forks(self, one: int, other: int) -> Iterator[int]:
        """The latest places that both depend on: none of them depends on another."""
        common = self.before[one] & self.before[other]
        while common:
            latest = common.bit_length() - 1
            yield latest
            common &= ~self.before[latest]

    def between(self, fork: int, end: int) -> Set:
        """The places on all ways from a fork to an end: the end is one of them, the fork is not."""
        return self.behind[fork] & self.before[end] & ~(1 << fork)

    def on(self, places: Set) -> list[int]:
        """The places in a set, in order."""
        found: list[int] = []
        while places:
            low = places & -places
            found.append(low.bit_length() - 1)
            places ^= low
        return found


def flow_of(graph: Graph) -> Flow:
    """The ways of data through a graph at inference."""
    inputs = tuple(item.value for item in graph.inputs)
    places = {value: place for place, value in enumerate(inputs)}
    nodes: list[Node] = []
    sources: list[tuple[int, ...]] = [() for _ in inputs]
    before: list[Set] = [1 << place for place in range(len(inputs))]
    for node in graph.inference_nodes():
        if not any(value.type.batched for value in node.outputs):
            continue
        read = tuple(places[value] for _, value in node.data_inputs() if value in places)
        place = len(sources)
        reached = 1 << place
        for source in read:
            reached |= before[source]
        nodes.append(node)
        sources.append(read)
        before.append(reached)
        places.update((value, place) for value in node.outputs)
    return Flow(inputs, tuple(nodes), tuple(sources), tuple(before))
