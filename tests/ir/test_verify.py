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


def second_inputs(graph: Graph) -> None:
    graph.root.inputs = (graph.inputs[0].value,)


def second_outputs(graph: Graph) -> None:
    graph.root.outputs = (graph.outputs[0].value,)


def two_of_one_name(graph: Graph) -> Graph:
    return replace(graph, outputs=tuple(replace(o, name="y") for o in graph.outputs))


def foreign_output(graph: Graph) -> Graph:
    stray = Value(Tensor((8,)), graph.root.span)
    return replace(graph, outputs=(replace(graph.outputs[0], value=stray), graph.outputs[1]))


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


def no_requirements(graph: Graph) -> Graph:
    return replace(graph, requirements=())


def unknown_symbol(graph: Graph) -> Graph:
    return replace(graph, symbols=("H",))


def block_of_strange_value(graph: Graph) -> None:
    block(graph).inputs = (Value(Tensor((3,)), graph.root.span),)


PLANTED: dict[Callable[[Graph], Graph | None], str] = {
    swap: "before it is made",
    forget_producer: "makes it",
    move: "and names",
    double: "stands in 2 places",
    adopt: "and names",
    second_inputs: "ends beside those of the graph",
    second_outputs: "ends beside those of the graph",
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
def test_planted(graph: Graph, plant: Callable[[Graph], Graph | None]) -> None:
    verify(graph, by_rule)
    changed = plant(graph) or graph
    with pytest.raises(BrokenGraph) as error:
        verify(changed, by_rule)
    assert PLANTED[plant] in str(error.value)


def test_it_runs_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph that a test builds goes through it."""
    seen: list[str] = []
    monkeypatch.setattr("netdsl.driver.verify", lambda graph, rule: seen.append(graph.name))
    netdsl.loads(TEXT)
    assert seen == ["A"]
