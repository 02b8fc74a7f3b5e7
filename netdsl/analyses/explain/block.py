"""A block in numbers: its branches side by side, and what it would cost if built otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from netdsl.analyses.cost import (
    count_parameters,
    inference_parameters,
    layer_text,
    macs,
    multiply_adds,
)
from netdsl.analyses.explain.layer import At, AxisField, Fields, fields_of, number
from netdsl.analyses.explain.network import Part, depth, part_of
from netdsl.analyses.links import shape_of
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.ir.graph import Graph, Kind, Node, Scope
from netdsl.ops.base import op_of


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several ways through a block, which another layer joins.

    `steps` are its layers, each as it is written; none where the value passes as it is. `share`
    is its part of the multiply-adds of the block.
    """

    name: str
    joined_by: str
    steps: tuple[str, ...]
    output: tuple[int, ...]
    parameters: int
    macs: int
    share: float


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What the block would cost if it were built in another way; really built, and counted.

    `times` are its multiply-adds by those of the block. Where it can't be built `refusal` says
    why, and there are no numbers.
    """

    name: str
    what: str
    output: tuple[int, ...] = ()
    parameters: int = 0
    macs: int = 0
    times: float = 0.0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What `netdsl explain FILE BLOCK` tells. All counts are for one sample.

    `share` is its part of the network's multiply-adds; `deepest` and `weighing` are its layers
    that multiply by weights, one behind the other and in all; `field` is what a place of its
    result sees of what comes into it.
    """

    network: str
    sizes: Mapping[str, int]
    are_assumed: bool
    path: str
    definition: str
    doc: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    parameters: int
    macs: int
    share: float
    neurons: int
    deepest: int
    weighing: int
    field: tuple[AxisField, ...]
    layers: tuple[Part, ...]
    branches: tuple[Branch, ...]
    otherwise: tuple[Otherwise, ...]
    kind: str = "block"


def explain_block(
    graph: Graph,
    scope: Scope,
    at: At,
    alone: Graph | None,
    otherwise: Sequence[Otherwise],
) -> BlockReport:
    """The report; `alone` is the block as a network of its own, if it can be one."""
    nodes = list(scope.nodes())
    cost, all_macs = macs_of(nodes), number(multiply_adds(graph))
    inside = {value for node in nodes for value in node.outputs}
    entering = dict.fromkeys(
        v for node in nodes for v in node.inputs if v not in inside and v.type.batched
    )
    leaving = [v for n in nodes for v in n.outputs if graph.uses.leaves(v, set(nodes))]
    ways = depth(nodes)
    return BlockReport(
        graph.name,
        at.sizes,
        at.are_assumed,
        scope.path,
        scope.definition or scope.kind.value,
        scope.doc,
        tuple(map(shape_of, entering)),
        tuple(map(shape_of, leaving)),
        parameters_of(nodes),
        cost,
        cost / all_macs if all_macs else 0.0,
        sum(prod(shape_of(v)) for node in nodes if number(macs(node)) for v in node.outputs),
        ways.longest,
        ways.layers,
        field_of(alone),
        tuple(map(part_of, nodes)),
        tuple(branches(scope, cost)),
        tuple(otherwise),
    )


def field_of(alone: Graph | None) -> tuple[AxisField, ...]:
    """What a place of the first result of a block sees of its first input."""
    if alone is None or not alone.outputs or not alone.inputs:
        return ()
    fields: Fields = fields_of(alone, ReceptiveFields(alone), alone.outputs[0].value)
    return fields.get(alone.inputs[0].name, ())


def plain_kernel(alone: Graph) -> int | None:
    """The kernel of the one convolution that sees as much as a block: its field.

    Where the field is the whole map, as behind a gate, the largest window in it.
    """
    axes = field_of(alone)
    if axes and all(axis.step and axis.unclipped < axis.image for axis in axes):
        return max(axis.unclipped for axis in axes)
    kernels = [
        kernel
        for node in alone.nodes()
        if op_of(node).drawn_as == "conv" and (windows := op_of(node).sliding())
        for kernel, _, _ in windows.settings_along(node.inputs[0].type.rank - 1)
    ]
    return max(kernels, default=None)


def cost_of(name: str, what: str, built: Graph, report_macs: int) -> Otherwise:
    """What a block costs that was built in another way."""
    cost = number(multiply_adds(built))
    return Otherwise(
        name,
        what,
        shape_of(built.outputs[0].value) if built.outputs else (),
        inference_parameters(built),
        cost,
        cost / report_macs if report_macs else 0.0,
    )


def macs_of(nodes: Iterable[Node]) -> int:
    """Multiply-adds for one sample."""
    return sum(number(macs(node)) for node in nodes)


def parameters_of(nodes: Iterable[Node]) -> int:
    """Parameters, those of a shared layer once."""
    return sum(map(count_parameters, {node.layer for node in nodes}))


def branches(scope: Scope, whole: int) -> Iterator[Branch]:
    """The branches of the outermost forks of a block, in the order they are written."""
    for child in scope.children:
        if isinstance(child, Node):
            continue
        ways = [c for c in child.children if isinstance(c, Scope) and c.kind is Kind.BRANCH]
        if child.kind is not Kind.FORK or len(ways) < 2:
            yield from branches(child, whole)
            continue
        joins = [c for c in child.children if c not in ways]
        join = _join_text(joins)
        for place, way in enumerate(ways):
            yield _branch(way, place, join, whole, scope.path)


def _join_text(joins: Sequence[Node | Scope]) -> str:
    nodes = [n for j in joins for n in ([j] if isinstance(j, Node) else j.nodes())]
    return layer_text(op_of(nodes[0])) if nodes else ""


def _branch(way: Scope, place: int, join: str, whole: int, around: str) -> Branch:
    nodes = list(way.nodes())
    cost = macs_of(nodes)
    values = way.outputs or (nodes[-1].outputs if nodes else ())
    return Branch(
        _name(way, nodes, around) or f"branch {place}",
        join,
        tuple(layer_text(op_of(node)) for node in nodes),
        shape_of(values[0]) if values else (),
        parameters_of(nodes),
        cost,
        cost / whole if whole else 0.0,
    )


def _name(way: Scope, nodes: Sequence[Node], around: str) -> str:
    """The longest path that its layers with weights have in common, below the block's."""
    if way.label:
        return way.path
    paths = [node.path.split(".") for node in nodes if node.layer.weights or len(nodes) == 1]
    common: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    path = ".".join(common)
    return path if len(path) > len(around) else ""
