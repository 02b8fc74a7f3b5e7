"""What must be true of every graph, whoever built or changed it; a violation is a bug of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netdsl.ir.builder import Rule
from netdsl.ir.condition import condition_symbols
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Kind, Layer, Node, Scope, Value


class BrokenGraph(Exception):
    """A graph that contradicts itself; the message lists every contradiction."""


def verify(graph: Graph, rule: Rule) -> None:
    """Raises `BrokenGraph` unless the graph is whole.

    Producers run before readers, nodes and scopes stand where they say, the graph alone has the
    ends, paths are unique, types are those that `rule` gives, and every condition that
    `rule` names is among the requirements.
    """
    faults = [*_order(graph), *_places(graph), *_ends(graph), *_layers(graph), *_types(graph, rule)]
    if faults:
        raise BrokenGraph(f"{graph.name} is no whole graph:\n" + "\n".join(faults))


def _order(graph: Graph) -> Iterator[str]:
    """Values are made before they are read, and know what makes them."""
    defined = {item.value for item in graph.inputs}
    for node in graph.nodes():
        for value in node.inputs:
            if value not in defined:
                yield f"{node} reads {value} before it is made"
        for index, value in enumerate(node.outputs):
            if value.producer is not node or value.index != index:
                yield f"result {index} of {node} says that {value.producer} makes it"
        defined.update(node.outputs)
    for output in graph.outputs:
        if output.value not in defined:
            yield f"the output {output.name} is never made"
    for scope in graph.root.scopes():
        for value in (*scope.inputs, *scope.outputs):
            if value not in defined:
                yield f"{scope} takes or gives {value}, which is never made"


def _places(graph: Graph) -> Iterator[str]:
    """Each node and scope stands in exactly one scope: the one it names."""
    if graph.root.kind is not Kind.NET or graph.root.parent is not None:
        yield f"{graph.root} is not the scope of a net"
    seen: Counter[Node | Scope] = Counter()
    for scope in graph.root.scopes():
        for child in scope.children:
            seen[child] += 1
            home = child.scope if isinstance(child, Node) else child.parent
            if home is not scope:
                yield f"{child} stands in {scope} and names {home}"
        if len(scope.input_names) not in (0, len(scope.inputs)):
            yield f"{scope} has {len(scope.inputs)} inputs and {len(scope.input_names)} names"
    yield from (f"{child} stands in {times} places" for child, times in seen.items() if times > 1)


def _ends(graph: Graph) -> Iterator[str]:
    """Inputs come from outside, and names stand for one value; the graph alone has its ends."""
    if graph.root.inputs or graph.root.outputs:
        yield "the net's scope has ends beside those of the graph"
    if any(item.value.producer is not None for item in graph.inputs):
        yield "a layer makes an input"
    names = Counter([*(i.name for i in graph.inputs), *(f"output {o.name}" for o in graph.outputs)])
    yield from (f"{name} stands for {times} values" for name, times in names.items() if times > 1)


def _layers(graph: Graph) -> Iterator[str]:
    """Layers know their calls, and no two share a path or a key."""
    nodes = list(graph.nodes())
    calls: dict[Layer, list[Node]] = {}
    for node in nodes:
        calls.setdefault(node.layer, []).append(node)
    paths: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    for layer in graph.layers():
        if layer.calls != calls[layer]:
            yield f"{layer} is called by {calls[layer]} and names {layer.calls}"
        if not layer.path:
            yield f"{layer} has no path"
        paths[layer.path] += 1
        keys.update(layer.key(spec) for spec in layer.weights)
    for name, times in (*paths.items(), *keys.items()):
        if times > 1:
            yield f"{times} layers or weights are called {name}"


def _types(graph: Graph, rule: Rule) -> Iterator[str]:
    """Types and conditions are those of each op's rule, over the graph's own size symbols.

    Where the sizes refuse the heads for training (see `fix_sizes`), only what runs at inference.
    """
    symbols = set(graph.symbols)
    stated = {(r.node, r.condition) for r in graph.requirements}
    is_refused = any(r.condition is False and r.training_only for r in graph.requirements)
    running = graph.inference_nodes() if is_refused else set(graph.nodes())
    for item in graph.inputs:
        yield from _foreign_symbols(item.value, symbols)
    for node in (node for node in graph.nodes() if node in running):
        try:
            judged = rule(node.op, tuple(value.type for value in node.inputs))
        except Exception as error:  # a rule that refuses what stands in the graph
            yield f"{node} would be refused: {error}"
            continue
        if judged.types != tuple(value.type for value in node.outputs):
            types = [str(tensor) for tensor in judged.types]
            yield f"{node} gives {types} by its rule, and has {node.outputs}"
        for needed in judged.needed:
            if (node, needed.condition) not in stated:
                yield f"{node} needs {needed.condition}, which no requirement says"
        for value in node.outputs:
            yield from _foreign_symbols(value, symbols)
    for requirement in graph.requirements:
        unknown = set(condition_symbols(requirement.condition)) - symbols
        if unknown:
            yield f"{requirement.condition} is about {unknown}, and the sizes are {symbols}"


def _foreign_symbols(value: Value, symbols: set[str]) -> Iterator[str]:
    used = {name for size in value.type.shape if isinstance(size, Dim) for name in size.symbols}
    if used - symbols:
        yield f"{value} has the sizes {used - symbols}, which are none of the network's"
