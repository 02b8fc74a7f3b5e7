"""Contradictions planted into a whole graph, each found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import netdsl
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Graph, Scope, Value
from netdsl.ir.tensor import Tensor
from netdsl.ir.verify import BrokenGraph, verify
from netdsl.ops.rule import by_rule

TEXT = """
block Unit(c: int) { add { conv(c, 3, padding=1) -> batchnorm ; conv(c, 1) } -> relu }
net A {
    input image: [3, H, W]
    input other: [8, H, W]
    layer shared = conv(8, 3, padding=1)
    a = image -> Unit(8) -> maxpool(3)
    b = other -> shared -> shared -> maxpool(3)
    output y = (a, b) -> concat -> pixel_shuffle(4)
    output z = a -> conv(4, 5)
}
"""


@pytest.fixture
def graph() -> Graph:
    return netdsl.loads(TEXT).graph


def block(graph: Graph) -> Scope:
    return next(s for s in graph.root.scopes() if s.definition == "Unit")


def swap(graph: Graph) -> None:
    graph.root.children.reverse()


def forget_producer(graph: Graph) -> None:
    next(graph.nodes()).output.producer = None


def move(graph: Graph) -> None:
    graph.root.children.append(block(graph).children.pop())


def double(graph: Graph) -> None:
    graph.root.children.append(graph.root.children[-1])


def adopt(graph: Graph) -> None:
    block(graph).parent = block(graph)


def lose_input(graph: Graph) -> None:
    graph.root.inputs = graph.root.inputs[:1]


def rename_input(graph: Graph) -> None:
    graph.root.input_names = ("image", "another")


def lose_output(graph: Graph) -> None:
    graph.outputs = graph.outputs[:1]


def two_of_one_name(graph: Graph) -> None:
    graph.outputs = tuple(replace(output, name="y") for output in graph.outputs)


def foreign_output(graph: Graph) -> None:
    stray = Value(Tensor((8,)), graph.root.span)
    graph.outputs = (replace(graph.outputs[0], value=stray), graph.outputs[1])
    graph.root.outputs = tuple(o.value for o in graph.outputs)


def same_path(graph: Graph) -> None:
    layers = list(graph.layers())
    layers[0].path = layers[1].path


def no_path(graph: Graph) -> None:
    next(graph.layers()).path = ""


def forget_call(graph: Graph) -> None:
    next(layer for layer in graph.layers() if len(layer.calls) == 2).calls.pop()


def other_type(graph: Graph) -> None:
    value = next(graph.nodes()).output
    value.type = replace(value.type, dtype="float64")


def other_size(graph: Graph) -> None:
    value = list(graph.nodes())[-1].output
    value.type = replace(value.type, shape=(4, symbol("H"), symbol("W")))


def no_requirements(graph: Graph) -> None:
    graph.requirements = ()


def unknown_symbol(graph: Graph) -> None:
    graph.symbols = ("H",)


def block_of_strange_value(graph: Graph) -> None:
    block(graph).inputs = (Value(Tensor((3,)), graph.root.span),)


PLANTED: dict[Callable[[Graph], None], str] = {
    swap: "before it is made",
    forget_producer: "makes it",
    move: "and names",
    double: "stands in 2 places",
    adopt: "and names",
    lose_input: "the inputs of the net's scope are not those of the graph",
    rename_input: "calls its inputs otherwise",
    lose_output: "the outputs of the net's scope are not those of the graph",
    two_of_one_name: "output y stands for 2 values",
    foreign_output: "the output y is never made",
    same_path: "2 layers or weights are called",
    no_path: "has no path",
    forget_call: "is called by",
    other_type: "by its rule",
    other_size: "by its rule",
    no_requirements: "which no requirement says",
    unknown_symbol: "which are none of the network's",
    block_of_strange_value: "which is never made",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted(graph: Graph, plant: Callable[[Graph], None]) -> None:
    verify(graph, by_rule)
    plant(graph)
    with pytest.raises(BrokenGraph) as error:
        verify(graph, by_rule)
    assert PLANTED[plant] in str(error.value)


def test_it_runs_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph that a test builds goes through it."""
    seen: list[str] = []
    monkeypatch.setattr("netdsl.driver.verify", lambda graph, rule: seen.append(graph.name))
    netdsl.loads(TEXT)
    assert seen == ["A"]
