"""What a graph tells of itself: who takes each value, and what runs at inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pytest

import netdsl
from netdsl.ir.graph import Graph, Uses, Value
from netdsl.lints import WARNINGS
from tests.generator import random_net

TEXT = """
block Twins { (relu, tanh) }
net A {
    input x: [4, 8, 8]
    a = x -> conv(4, 3, padding=1)
    s = a -> sigmoid
    b = s -> maxpool(2) -> upsample(size=a)
    (c, d) = s -> Twins
    output y = (b, s, s, c) -> add
    output half = s when training
    output aux = (a, d) -> mul when training
}
"""
READERS = {
    "x": ("conv", "conv", "conv"),
    "a": ("sigmoid upsample mul", "sigmoid mul", "sigmoid"),
    "s": ("maxpool relu tanh add add", "maxpool relu tanh add add", "maxpool relu tanh add add"),
    "b": ("add", "add", "add"),
    "c": ("add", "add", "add"),
    "d": ("mul", "mul", ""),
}
"""Of each value who takes it, who takes its numbers, and who does so at inference."""


def values(graph: Graph) -> dict[str, Value]:
    return {name: value for value, name in graph.root.names.items()} | {
        item.name: item.value for item in graph.inputs
    }


def ways(graph: Graph) -> tuple[Uses, Uses, Uses]:
    return graph.uses, graph.data_uses, graph.inference_uses


def test_readers() -> None:
    graph = netdsl.loads(TEXT, allow=WARNINGS).graph
    named = values(graph)
    for name, expected in READERS.items():
        read = tuple(" ".join(n.op.name for n in u.readers(named[name])) for u in ways(graph))
        assert read == expected, name


def test_what_only_one_takes() -> None:
    graph = netdsl.loads(TEXT, allow=WARNINGS).graph
    named = values(graph)
    alone = {
        name: [getattr(u.only_reader(named[name]), "path", None) for u in ways(graph)]
        for name in READERS
    }
    assert alone["a"] == [None, None, "sigmoid1"]
    assert alone["s"] == [None, None, None]
    assert alone["b"] == ["add1", "add1", "add1"]
    doubled = netdsl.loads(
        "net A { input x: [3]\n r = x -> relu\n output y = (r, r) -> add }"
    ).graph
    (relu, _) = doubled.nodes()
    assert doubled.uses.only_reader(relu.output) is None


def test_what_leaves() -> None:
    graph = netdsl.loads(TEXT, allow=WARNINGS).graph
    named, nodes = values(graph), {node.op.name: node for node in graph.nodes()}
    everything = set(graph.nodes())
    assert [u.leaves(named["s"], everything) for u in ways(graph)] == [True, True, False]
    assert [u.leaves(named["y"], everything) for u in ways(graph)] == [True, True, True]
    some = {nodes[name] for name in ("conv", "sigmoid")}
    assert [u.leaves(named["a"], some) for u in ways(graph)] == [True, True, False]
    assert not graph.uses.leaves(named["a"], some | {nodes["upsample"], nodes["mul"]})


def test_what_runs_at_inference() -> None:
    graph = netdsl.loads(TEXT, allow=WARNINGS).graph
    running = [node.op.name for node in graph.inference_nodes()]
    assert running == ["conv", "sigmoid", "maxpool", "upsample", "relu", "tanh", "add"]
    needed = [node.op.name for node in graph.nodes() if node in graph.needed_nodes()]
    assert needed == ["conv", "sigmoid", "maxpool", "upsample", "relu", "add"]
    assert [output.name for output in graph.inference_outputs] == ["y"]


def legal_graphs() -> Iterator[Graph]:
    for seed in range(30):
        try:
            yield netdsl.loads(random_net(seed, symbolic=True), allow=WARNINGS).graph
        except netdsl.DiagnosticError:
            continue


def test_each_input_of_each_node_is_one_use() -> None:
    graphs = list(legal_graphs())
    assert len(graphs) > 15
    for graph in graphs:
        taken = Counter((node, value) for node in graph.nodes() for value in node.inputs)
        made = (value for node in graph.nodes() for value in node.outputs)
        values = [*(item.value for item in graph.inputs), *made]
        assert Counter((n, v) for v in values for n in graph.uses.readers(v)) == taken


def test_it_is_final() -> None:
    graph = netdsl.loads(TEXT, allow=WARNINGS).graph
    with pytest.raises(FrozenInstanceError):
        graph.outputs = ()  # type: ignore[misc]
