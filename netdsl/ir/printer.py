"""A graph as stable text, for goldens and for reading: one line a layer, blocks as headings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import cast

from netdsl.ir.decimals import decimal
from netdsl.ir.graph import Child, Graph, Input, Kind, Node, OpLike, Scope, Value
from netdsl.ir.tensor import Tensor

INDENT = "  "


def graph_text(graph: Graph) -> str:
    """The whole graph: inputs, layers in the order they run, outputs, what it asks of sizes.

    A line of a layer is `path = layer(inputs; settings): shape`; a setting at its plain default
    is left out. Values are called by the path of their layer; `path.1` is its second result, and
    `path@2` stands for the second call of a shared layer.
    """
    printer = _Printer(graph)
    return "\n".join(printer.lines()) + "\n"


class _Printer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.calls = _call_numbers(graph)
        self.names = {i.value: i.name for i in graph.inputs}

    def lines(self) -> Iterator[str]:
        yield f"net {self.graph.name}"
        for item in self.graph.inputs:
            yield f"{INDENT}input {_input(item)}"
        yield from self.layers()
        for output in self.graph.outputs:
            training = " when training" if output.when_training else ""
            yield f"{INDENT}output {output.name} = {self.value(output.value)}{training}"
        yield from self.requirements()

    def requirements(self) -> Iterator[str]:
        """What is asked of sizes, each condition once."""
        lines = (
            f"{INDENT}requires {r.condition}{' when training' if r.training_only else ''}"
            for r in self.graph.requirements
        )
        yield from dict.fromkeys(lines)

    def layers(self) -> Iterator[str]:
        """Nodes and named scopes, in the order they run; no recursion, nets may be deep."""
        stack: list[tuple[int, Child]] = [
            (1, child) for child in reversed(self.graph.root.children)
        ]
        while stack:
            depth, child = stack.pop()
            if isinstance(child, Node):
                yield INDENT * depth + self.node(child)
                continue
            title = _title(child)
            if title:
                yield INDENT * depth + title
            inner = depth + 1 if title else depth
            stack.extend((inner, below) for below in reversed(child.children))

    def node(self, node: Node) -> str:
        inputs = ", ".join(map(self.value, node.inputs))
        inside = "; ".join(part for part in (inputs, _settings(node.op)) if part)
        results = ", ".join(_tensor(v.type) for v in node.outputs)
        return f"{self.called(node)} = {node.op.name or 'weight'}({inside}): {results}"

    def called(self, node: Node) -> str:
        number = self.calls[node]
        return node.path if number == 1 else f"{node.path}@{number}"

    def value(self, value: Value) -> str:
        if value.producer is None:
            return self.names[value]
        name = self.called(value.producer)
        return name if len(value.producer.outputs) == 1 else f"{name}.{value.index}"


def _call_numbers(graph: Graph) -> dict[Node, int]:
    """Which call of its layer each node is, from 1."""
    return {
        node: number for layer in graph.layers() for number, node in enumerate(layer.calls, start=1)
    }


def _input(item: Input) -> str:
    return f"{item.name}: {_tensor(item.value.type)}"


def _tensor(tensor: Tensor) -> str:
    return str(tensor) if tensor.batched else f"{tensor} unbatched"


def _title(scope: Scope) -> str:
    """The heading of a scope; empty where it is neither a block nor labelled."""
    label = f"{scope.label}: " if scope.label else ""
    if scope.kind is Kind.BLOCK:
        bound = {name: argument.value for name, argument in scope.arguments.items()}
        if scope.channels is not None:
            bound.setdefault("in_channels", scope.channels)
        inside = ", ".join(f"{name}={_setting(value)}" for name, value in bound.items())
        shared = f" again, as {scope.shares.path}" if scope.shares is not None else ""
        return f"{label}{scope.definition}({inside}){shared}"
    return f"{label}{scope.kind.value}" if label else ""


def _settings(op: OpLike) -> str:
    """The fields of an op that are not at their defaults."""
    told = (pair for pair in op.settings() if pair[0].required or pair[1] != pair[0].default)
    return ", ".join(f"{part.name}={_setting(value)}" for part, value in told)


def _setting(value: object) -> str:
    match value:
        case Fraction():
            return decimal(value)
        case str():
            return value
        case tuple() | list():
            opening, closing = "()" if isinstance(value, tuple) else "[]"
            parts = cast("Sequence[object]", value)
            return f"{opening}{', '.join(map(_setting, parts))}{closing}"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
