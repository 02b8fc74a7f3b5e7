"""Shapes of values by name: what a line of the source or a path calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netdsl.ir.dim import Size, evaluate
from netdsl.ir.graph import Graph, Value


class Dims(Mapping[str, tuple[str, ...]]):
    """The shape of every value that has a name or a path, axis by axis, as texts.

    Keys are names of inputs and outputs, paths of layers, blocks and labelled bodies, and names
    given by lines, below the path of their block; several results are `path[0]`, `path[1]`.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._values: dict[str, Value] | None = None

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return tuple(map(str, self.values_by_name()[name].type.shape))

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name())

    def __len__(self) -> int:
        return len(self.values_by_name())

    def values_by_name(self) -> dict[str, Value]:
        """All values that can be asked for, in the order they come to be."""
        if self._values is None:
            by_name: dict[str, Value] = {}
            for name, value in _all_values(self._graph):
                by_name.setdefault(name, value)
            self._values = by_name
        return self._values

    def of_net(self) -> dict[str, Value]:
        """The values that the net itself names: inputs, lines, labels, outputs; each once."""
        return dict(_of_net(self._graph))

    def at(self, sizes: Mapping[str, int]) -> dict[str, str]:
        """Their shapes at sizes that the network takes: `64x112x112`."""
        return {name: _at(value.type.shape, sizes) for name, value in self.of_net().items()}


def _at(shape: tuple[Size, ...], point: Mapping[str, int]) -> str:
    return "x".join(str(evaluate(size, point)) for size in shape) or "1"


def _of_net(graph: Graph) -> Iterator[tuple[str, Value]]:
    named: set[Value] = set()
    values = [(item.name, item.value) for item in graph.inputs]
    for member in graph.root.members():
        names = ((v.name or graph.root.names.get(v, ""), v) for v in member.outputs)
        values += [(name, value) for name, value in names if name]
    values += [(item.name, item.value) for item in graph.outputs]
    for name, value in values:
        if value not in named:
            named.add(value)
            yield name, value


def _all_values(graph: Graph) -> Iterator[tuple[str, Value]]:
    yield from ((item.name, item.value) for item in graph.inputs)
    for scope in graph.root.scopes():
        if scope.label:
            yield from _counted(scope.path, scope.outputs)
        own = {value for member in scope.members() for value in member.outputs}
        for value, name in scope.names.items():
            if value in own:
                yield (f"{scope.path}.{name}" if scope.path else name), value
    for node in graph.nodes():
        yield from _counted(node.path, node.outputs)
    yield from ((item.name, item.value) for item in graph.outputs)


def _counted(name: str, values: tuple[Value, ...]) -> Iterator[tuple[str, Value]]:
    if len(values) == 1:
        yield name, values[0]
    else:
        yield from ((f"{name}[{index}]", value) for index, value in enumerate(values))
