"""Test help: a text to its graph, or to the errors it has."""

from __future__ import annotations

from netdsl.diagnostics import Diagnostic, Sink, Source
from netdsl.driver import check_for_backends
from netdsl.elaborate import elaborate, load_program
from netdsl.ir.graph import Graph


def build(text: str, **options: object) -> tuple[Graph | None, tuple[Diagnostic, ...]]:
    """The graph of the only net in a text (None if it has errors), and all diagnostics."""
    sink = Sink()
    unit = load_program(Source("test.net", text), None, (), sink)
    graph = elaborate(unit, sink, check=check_for_backends, **options) if unit else None  # type: ignore[arg-type]
    return graph, sink.diagnostics


def graph_of(text: str, **options: object) -> Graph:
    """The graph of a text that has no errors."""
    graph, diagnostics = build(text, **options)
    assert graph is not None, [str(d) for d in diagnostics]
    return graph


def errors_of(text: str, **options: object) -> list[str]:
    """`code line:column` of each diagnostic of a text that has errors."""
    graph, diagnostics = build(text, **options)
    assert graph is None
    return [f"{d.code} {d.span.line}:{d.span.column}" if d.span else d.code for d in diagnostics]


def net(body: str, *, shape: str = "[3, 32, 32]", before: str = "") -> str:
    """A net with one input `x`; the body must bind the output `y`."""
    return f"{before}\nnet Test {{\n    input x: {shape}\n{body}\n}}\n"


def chain(stages: str, *, shape: str = "[3, 32, 32]", before: str = "") -> str:
    """A net that is one chain."""
    return net(f"    output y = x -> {stages}", shape=shape, before=before)


def paths(graph: Graph) -> list[str]:
    """Paths of all layers, in the order they run."""
    return [layer.path for layer in graph.layers()]


def keys(graph: Graph) -> list[str]:
    """Keys of all weights."""
    return [
        f"{layer.path}.{spec.key}".strip(".") for layer in graph.layers() for spec in layer.weights
    ]


def shape_of(graph: Graph) -> str:
    """The shape of the first output."""
    return str(graph.outputs[0].value.type)
