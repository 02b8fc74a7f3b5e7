"""A copy of a graph with parts of its own, so that it can be changed."""

from __future__ import annotations

from dataclasses import replace

from netdsl.ir.graph import Graph, Layer, Node, Requirement, Scope, Value


def copied(graph: Graph) -> Graph:
    """The same network; ops and types, which never change, are shared."""
    return _Copy(graph).graph


class _Copy:
    """The parts of a graph and their copies."""

    def __init__(self, graph: Graph) -> None:
        self.values: dict[Value, Value] = {}
        self.layers: dict[Layer, Layer] = {}
        self.nodes: dict[Node, Node] = {}
        self.scopes: dict[Scope, Scope] = {}
        for item in graph.inputs:
            self.value(item.value)
        root = self.scope(graph.root, None)
        for scope in graph.root.scopes():
            self._link(scope)
        for layer, copy in self.layers.items():
            copy.calls.extend(self.nodes[node] for node in layer.calls)
        self.graph = replace(
            graph,
            root=root,
            inputs=tuple(replace(i, value=self.values[i.value]) for i in graph.inputs),
            outputs=tuple(replace(o, value=self.values[o.value]) for o in graph.outputs),
            requirements=tuple(map(self.requirement, graph.requirements)),
        )

    def requirement(self, requirement: Requirement) -> Requirement:
        node, scope = requirement.node, requirement.scope
        return replace(
            requirement, node=node and self.nodes[node], scope=scope and self.scopes[scope]
        )

    def value(self, value: Value, producer: Node | None = None) -> Value:
        copy = Value(value.type, value.span, value.name, producer, value.index)
        self.values[value] = copy
        return copy

    def scope(self, scope: Scope, parent: Scope | None) -> Scope:
        """The scope with all below, without what refers to values and to other scopes."""
        copy = Scope(
            scope.kind,
            scope.span,
            parent,
            scope.label,
            scope.path,
            scope.definition,
            scope.doc,
            dict(scope.arguments),
            input_names=scope.input_names,
        )
        self.scopes[scope] = copy
        for child in scope.children:
            copy.children.append(
                self.node(child, copy) if isinstance(child, Node) else self.scope(child, copy)
            )
        return copy

    def node(self, node: Node, scope: Scope) -> Node:
        layer = self.layers.get(node.layer)
        if layer is None:
            own = node.layer
            layer = Layer(own.op, own.weights, dict(own.arguments), own.path)
            self.layers[own] = layer
        inputs = tuple(self.values[value] for value in node.inputs)
        copy = Node(layer, inputs, (), scope, node.span, node.label)
        copy.outputs = tuple(self.value(value, copy) for value in node.outputs)
        self.nodes[node] = copy
        return copy

    def _link(self, scope: Scope) -> None:
        copy = self.scopes[scope]
        copy.inputs = tuple(self.values[value] for value in scope.inputs)
        copy.outputs = tuple(self.values[value] for value in scope.outputs)
        copy.names = {self.values[v]: name for v, name in scope.names.items() if v in self.values}
        copy.shares = scope.shares and self.scopes[scope.shares]
        copy.pattern = scope.pattern and self.scopes[scope.pattern]
