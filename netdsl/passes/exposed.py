"""A part of a network that gives the values inside of it, without its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netdsl.ir.graph import Argument, Graph, Input, Kind, Layer, Node, Output, Scope, Value


def exposed(
    graph: Graph, wanted: Mapping[str, Value], starts: Mapping[str, Value] | None = None
) -> Graph:
    """The layers that some values need, as a network whose outputs these values are, by name.

    `starts` are values in place of the inputs; the inputs that remain needed stay inputs. The
    paths of the layers, and so the keys of their weights, are those of the graph, which itself
    is not changed. Its size contract is that of the graph.
    """
    return _Copy(graph, wanted, starts or {}).graph()


class _Copy:
    """What is taken over from a graph: each value, layer and node once."""

    def __init__(
        self, graph: Graph, wanted: Mapping[str, Value], starts: Mapping[str, Value]
    ) -> None:
        self.source, self.wanted = graph, wanted
        self.root = Scope(Kind.NET, graph.root.span, doc=graph.root.doc)
        self.values: dict[Value, Value] = {}
        self.layers: dict[Layer, Layer] = {}
        self.calls: dict[Node, Node] = {}
        self.inputs: list[Input] = []
        for name, value in starts.items():
            self._start(name, value)
        self.needed = _needed(wanted.values(), self.values)

    def graph(self) -> Graph:
        for item in self.source.inputs:
            if item.value in self.needed and item.value not in self.values:
                self._start(item.name, item.value)
        for node in self.source.nodes():
            if any(value in self.needed and value not in self.values for value in node.outputs):
                self._call(node)
        outputs = tuple(
            Output(name, self.values[value], False, value.span)
            for name, value in self.wanted.items()
        )
        return Graph(
            self.source.name,
            self.source.doc,
            self.root,
            tuple(self.inputs),
            outputs,
            self.source.symbols,
            self.source.where,
            self.source.where_span,
            tuple(
                replace(r, node=r.node and self.calls.get(r.node), scope=None)
                for r in self.source.requirements
            ),
        )

    def _start(self, name: str, value: Value) -> None:
        self.values[value] = Value(value.type, value.span, name)
        self.inputs.append(Input(name, self.values[value]))

    def _call(self, node: Node) -> None:
        layer = self.layers.get(node.layer) or self._layer(node.layer)
        outputs = tuple(
            Value(v.type, v.span, v.name, index=index) for index, v in enumerate(node.outputs)
        )
        inputs = tuple(self.values[value] for value in node.inputs)
        call = Node(layer, inputs, outputs, self.root, node.span, layer.path)
        layer.calls.append(call)
        self.calls[node] = call
        self.root.children.append(call)
        for before, value in zip(node.outputs, outputs, strict=True):
            value.producer = call
            self.values.setdefault(before, value)

    def _layer(self, layer: Layer) -> Layer:
        """Its settings as they are: how they were written speaks of blocks, and these are gone."""
        arguments = {name: Argument(a.value) for name, a in layer.arguments.items()}
        copy = Layer(layer.op, layer.weights, arguments, layer.path)
        self.layers[layer] = copy
        return copy


def _needed(wanted: Iterable[Value], known: Mapping[Value, Value]) -> set[Value]:
    """The values that some depend on, themselves included; nothing is needed for those known."""
    needed: set[Value] = set()
    stack = list(wanted)
    while stack:
        value = stack.pop()
        if value in needed:
            continue
        needed.add(value)
        if value not in known and value.producer is not None:
            stack.extend(value.producer.inputs)
    return needed
