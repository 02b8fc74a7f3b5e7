"""A graph made once more for other sizes of its inputs: each layer is judged anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from netdsl.ir.builder import Rule
from netdsl.ir.condition import substitute_in
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Layer, Needed, Node, Requirement, Scope, Value
from netdsl.ops.base import Op
from netdsl.ops.tables import types_of
from netdsl.passes.fix_sizes import arguments_at, op_at


@dataclass(eq=False)
class Replay:
    """What stands for each part of a graph in its copy, in which some symbols are other sizes.

    `values` begins with what flows into the copy in place of the inputs; the types of all others
    are those that `rule` gives. Paths and labels stay as they are. Raises what the rule raises.
    """

    graph: Graph
    sizes: Mapping[str, Size]
    rule: Rule
    values: dict[Value, Value]
    layers: dict[Layer, Layer] = field(default_factory=dict[Layer, Layer])
    nodes: dict[Node, Node] = field(default_factory=dict[Node, Node])
    scopes: dict[Scope, Scope] = field(default_factory=dict[Scope, Scope])
    needed: dict[Node, list[Needed]] = field(default_factory=dict[Node, "list[Needed]"])

    def into(self, root: Scope) -> None:
        """Copy all that stands in the net into the scope of another."""
        self.scopes[self.graph.root] = root
        stack = list(reversed(self.graph.root.children))
        while stack:
            part = stack.pop()
            if isinstance(part, Node):
                self._node(part)
                continue
            self._scope(part)
            stack.extend(reversed(part.children))
        for scope, again in self.scopes.items():
            self._finish(scope, again)

    def _scope(self, scope: Scope) -> None:
        assert scope.parent is not None
        parent = self.scopes[scope.parent]
        again = replace(
            scope,
            parent=parent,
            arguments=arguments_at(scope.arguments, self.sizes),
            inputs=tuple(self.values[value] for value in scope.inputs),
            children=[],
        )
        parent.children.append(again)
        self.scopes[scope] = again

    def _node(self, node: Node) -> None:
        inputs = tuple(self.values[value] for value in node.inputs)
        layer = self.layers.get(node.layer)
        if layer is None:
            layer = replace(
                node.layer,
                op=op_at(cast(Op, node.layer.op), self.sizes),
                arguments=arguments_at(node.layer.arguments, self.sizes),
                calls=[],
            )
            self.layers[node.layer] = layer
        judged = self.rule(layer.op, tuple(value.type for value in inputs))
        scope = self.scopes[node.scope]
        again = replace(node, layer=layer, inputs=inputs, outputs=(), scope=scope)
        again.outputs = tuple(
            replace(value, type=tensor, producer=again)
            for value, tensor in zip(node.outputs, judged.types, strict=True)
        )
        layer.calls.append(again)
        scope.children.append(again)
        self.values.update(zip(node.outputs, again.outputs, strict=True))
        self.nodes[node] = again
        self.needed[again] = list(judged.needed)

    def _finish(self, scope: Scope, again: Scope) -> None:
        """What a scope says of parts that come after its beginning."""
        again.outputs = tuple(self.values[value] for value in scope.outputs)
        again.names = {self.values[value]: name for value, name in scope.names.items()}
        again.shares = scope.shares and self.scopes[scope.shares]
        again.pattern = scope.pattern and self.scopes[scope.pattern]

    def requirements(self) -> Iterator[Requirement]:
        """What the layers need at the new sizes, and what else the file says of sizes."""
        of_rules: dict[Node, set[object]] = {}
        for node in self.nodes:
            judged = self.rule(node.op, types_of(node)[0])
            of_rules[node] = {needed.condition for needed in judged.needed}
        for requirement in self.graph.requirements:
            node, scope = requirement.node, requirement.scope
            if node is not None and requirement.condition in of_rules[node]:
                continue
            condition = substitute_in(requirement.condition, self.sizes)
            again = replace(
                requirement,
                condition=condition,
                node=node and self.nodes[node],
                scope=scope and self.scopes[scope],
            )
            if condition is not True:
                yield again
        for node, needed in self.needed.items():
            yield from (required(node, one) for one in needed)


def required(node: Node, needed: Needed) -> Requirement:
    """What a node needs, at its own place."""
    return Requirement(
        needed.condition,
        needed.code,
        needed.message,
        node.span,
        node,
        needed.training_only,
        needed.unless_batch,
        help=needed.help,
    )
