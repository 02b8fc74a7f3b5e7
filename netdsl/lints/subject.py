"""What lints look at: the definitions of one file, and the network built from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TypeAlias

from netdsl.diagnostics import Span
from netdsl.elaborate import Unit
from netdsl.ir.graph import Graph, Node, Value
from netdsl.syntax import ast
from netdsl.syntax.walk import walk

Definition: TypeAlias = ast.NetDefinition | ast.BlockDefinition | ast.FunctionDefinition


class Subject:
    """One file and its network; what the file uses from others is judged with those files."""

    def __init__(self, unit: Unit, graph: Graph) -> None:
        self.unit, self.graph = unit, graph

    def is_here(self, span: Span) -> bool:
        """Whether a place is in this file."""
        return span.source is self.unit.source

    def nodes(self) -> Iterator[Node]:
        """The layers that are written in this file."""
        return (node for node in self.graph.nodes() if self.is_here(node.span))

    @cached_property
    def definitions(self) -> list[tuple[Definition, list[object]]]:
        """The nets, blocks and functions of the file, each with all parts of its syntax tree."""
        own = [definition.definition for definition in self.unit.own.values()]
        return [(d, list(walk(d))) for d in [*self.unit.nets.values(), *own]]

    @cached_property
    def stages(self) -> dict[tuple[int, int], ast.LayerStage]:
        """The calls of layers, by where they begin and end."""
        every = (part for _, parts in self.definitions for part in parts)
        return {(p.span.start, p.span.end): p for p in every if isinstance(p, ast.LayerStage)}


def source_of(value: Value, families: frozenset[str]) -> Node | None:
    """The last layer before `value` that is of none of these families."""
    while value.producer is not None and value.producer.inputs:
        if value.producer.op.family not in families:
            break
        value = value.producer.inputs[0]
    return value.producer
