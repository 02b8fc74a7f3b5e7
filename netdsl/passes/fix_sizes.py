"""Numbers in the place of size symbols, throughout a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from netdsl.elaborate.sharing import is_shared_rightly
from netdsl.ir.condition import substitute_in
from netdsl.ir.dim import Dim, Size, substitute
from netdsl.ir.graph import Argument, Graph, Layer, Value
from netdsl.ir.sequences import is_sequence
from netdsl.ops.base import Op
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import Rulebook


def fix_sizes(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph with these symbols fixed; its parts are changed in place.

    Requirements that hold then are gone; one that does not is False. Nothing is decided anew, so
    heads for training that can't run at these sizes stay, with sizes below 1 in them.
    """
    for value in _values(graph):
        value.type = value.type.substituted(sizes)
    for layer in graph.layers():
        _fix_layer(layer, sizes)
    for scope in graph.root.scopes():
        scope.arguments = arguments_at(scope.arguments, sizes)
    conditions = [substitute_in(r.condition, sizes) for r in graph.requirements]
    requirements = tuple(
        replace(requirement, condition=condition)
        for requirement, condition in zip(graph.requirements, conditions, strict=True)
        if condition is not True
    )
    symbols = tuple(name for name in graph.symbols if name not in sizes)
    where = substitute_in(graph.where, sizes)
    return replace(graph, symbols=symbols, where=where, requirements=requirements)


def is_legal(graph: Graph) -> bool:
    """Whether every layer that runs at inference takes what now comes in, by its own rule.

    So do the calls of a shared layer, which must still be alike.
    """
    rule = Rulebook()
    for node in graph.inference_nodes():
        inputs, outputs = (tuple(v.type for v in vs) for vs in (node.inputs, node.outputs))
        try:
            judged = rule(node.op, inputs)
        except Refusal:
            return False
        if judged.types != outputs:
            return False
    return is_shared_rightly(graph)


def _values(graph: Graph) -> list[Value]:
    computed = [value for node in graph.nodes() for value in node.outputs]
    return [*(item.value for item in graph.inputs), *computed]


def _fix_layer(layer: Layer, sizes: Mapping[str, int]) -> None:
    layer.op = op_at(cast(Op, layer.op), sizes)
    layer.arguments = arguments_at(layer.arguments, sizes)


def op_at(op: Op, sizes: Mapping[str, Size]) -> Op:
    """An op with other sizes in place of some symbols."""
    changed: dict[str, Any] = {p.name: _setting_at(value, sizes) for p, value in op.settings()}
    return replace(op, **changed)


def arguments_at(
    arguments: Mapping[str, Argument], sizes: Mapping[str, Size]
) -> dict[str, Argument]:
    """What names are bound to, with other sizes in place of some symbols."""
    return {n: replace(a, value=_setting_at(a.value, sizes)) for n, a in arguments.items()}


def _setting_at(value: object, sizes: Mapping[str, Size]) -> object:
    """A setting with other sizes: a size, or a list or tuple with sizes in it."""
    if isinstance(value, Dim):
        return substitute(value, sizes)
    if is_sequence(value):
        return type(value)(_setting_at(part, sizes) for part in value)
    return value
