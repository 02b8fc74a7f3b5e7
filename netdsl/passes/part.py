"""A block, or another labelled part of a network, as a graph of its own."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.graph import Graph, Input, Kind, Node, Output, Scope, Value


def part_of(graph: Graph, scope: Scope) -> Graph:
    """The nodes of a scope, with what flows in as inputs and what flows out as outputs.

    Nodes and values are those of `graph`, which the part has as `within`.
    """
    nodes = list(scope.nodes())
    own = {value for node in nodes for value in node.outputs}
    root = Scope(Kind.NET, scope.span, children=[scope])
    of = f"{scope.path}: {scope.definition}" if scope.definition else scope.path
    return Graph(
        f"{of} of {graph.name}",
        scope.doc,
        root,
        _inputs(scope, nodes, own),
        _outputs(graph, scope, nodes),
        graph.symbols,
        graph.where,
        graph.where_span,
        within=graph,
    )


def _inputs(scope: Scope, nodes: Sequence[Node], own: set[Value]) -> tuple[Input, ...]:
    """Those of the block in its order, then what it reads besides."""
    read = dict.fromkeys(v for node in nodes for v in node.inputs if v not in own)
    named = dict(zip(scope.inputs, scope.input_names, strict=False))
    order = [*(value for value in named if value in read), *(v for v in read if v not in named)]
    return tuple(Input(named.get(value) or value.name or "input", value) for value in order)


def _outputs(graph: Graph, scope: Scope, nodes: Sequence[Node]) -> tuple[Output, ...]:
    """What others read, or the network gives; of a part that nobody reads, its results."""
    inside = set(nodes)
    made = [value for node in nodes for value in node.outputs]
    given = [value for value in made if graph.uses.leaves(value, inside)]
    given = given or [value for value in made if not graph.uses.readers(value)]
    names = {output.value: output.name for output in graph.outputs}
    return tuple(
        Output(scope.names.get(v) or names.get(v) or "output", v, False, v.span) for v in given
    )
