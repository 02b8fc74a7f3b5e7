"""What a reader asks of a picture, answered from the file alone, on networks of no example."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

import pytest

import netdsl
from netdsl.ir.graph import Graph, Node, Value
from netdsl.lints import WARNINGS

SVG = "{http://www.w3.org/2000/svg}"
NETS = {
    "residual": """
net Residual {
    input image: [3, 40, 40]
    x = image -> conv(12, 5, stride=2, padding=2) -> batchnorm -> relu
    y = x -> add { identity ; conv(12, 3, padding=1) -> batchnorm -> relu -> conv(12, 3, padding=1) } -> relu
    z = y -> add { conv(20, 1, stride=2) -> batchnorm ; conv(20, 3, stride=2, padding=1) -> relu -> conv(20, 3, padding=1) -> batchnorm } -> relu
    output scores = z -> global_avgpool -> flatten -> linear(30) -> relu -> linear(30) -> relu -> linear(5)
}""",
    "bridged": """
block Deep(channels: int) { conv(channels, 3, padding=1) -> relu -> conv(channels, 3, padding=1) -> relu }
net Bridged {
    input image: [2, 32, 24]
    a = image -> top: Deep(6)
    b = a -> maxpool(2) -> low: Deep(10)
    c = (b -> upsample(scale=2), a) -> concat -> up: Deep(6)
    output mask = c -> conv(1, 1)
}""",
    "parted": """
net Parted {
    input left: [4, 16, 16]
    input right: [4, 16, 16]
    both = (left -> conv(8, 1) -> relu, right -> conv(8, 1)) -> concat
    wide = both -> concat { conv(4, 1) -> relu ; conv(6, 3, padding=1) ; maxpool(3, stride=1, padding=1) }
    gate = wide -> mul { identity ; adaptive_avgpool(1) -> conv(26, 1) -> sigmoid }
    output y = gate -> conv(3, 1)
}""",
}  # fmt: skip
SKIPS = {
    "residual": Counter({("conv1", "add1"): 1, ("add1", "conv4"): 1, ("conv4", "add2"): 1}),
    "bridged": Counter({("top.conv2", "concat1"): 1}),
    "parted": Counter(),
}
"""Wires that go around work, as a person finds them in the text."""


def read(name: str) -> tuple[Graph, list[ET.Element], list[ET.Element]]:
    """The graph; the boxes of units and those of inputs and outputs in its picture."""
    net = netdsl.loads(NETS[name], allow=WARNINGS)
    root = ET.fromstring(net.drawing("svg", depth=9)[0])
    groups = list(root.iter(f"{SVG}g"))
    units = [g for g in groups if g.get("class") == "unit"]
    return net.graph, units, [g for g in groups if g.get("class") == "end"]


def split(text: str | None) -> list[str]:
    return (text or "").split("; ") if text else []


def readers(graph: Graph, value: Value) -> list[Node]:
    return [node for node in graph.nodes() if any(v is value for v in node.inputs)]


@pytest.mark.parametrize("name", NETS)
def test_which_layers_have_a_relu(name: str) -> None:
    graph, units, _ = read(name)
    told = {g.get("data-path"): "relu" in split(g.get("data-ops"))[1:] for g in units}
    for node in graph.nodes():
        if node.op.name in ("conv", "linear"):
            after = readers(graph, node.output)
            while len(after) == 1 and after[0].op.name == "batchnorm":
                after = readers(graph, after[0].output)
            assert told[node.path] == ([n.op.name for n in after] == ["relu"]), node.path


@pytest.mark.parametrize("name", NETS)
def test_which_wires_skip_what(name: str) -> None:
    _, units, ends = read(name)
    found = Counter(
        (tail, g.get("data-path")) for g in units for tail in split(g.get("data-skip-from"))
    )
    if name == "residual":  # a ReLU behind a sum is a box of its own
        found = Counter({(t.replace("relu3", "add1"), h): n for (t, h), n in found.items()})
    assert {h for _, h in found} == {h for _, h in SKIPS[name]}
    assert sum(found.values()) == sum(SKIPS[name].values())
    assert not any(g.get("data-skip-from") for g in ends)


@pytest.mark.parametrize("name", NETS)
def test_where_the_parameters_are(name: str) -> None:
    graph, units, _ = read(name)
    told = sum(int(g.get("data-parameters", "")) for g in units)
    assert told == netdsl.loads(NETS[name], allow=WARNINGS).parameters
    by_path = {g.get("data-path"): int(g.get("data-parameters", "")) for g in units}
    for node in graph.nodes():
        if node.op.name in ("conv", "linear"):
            own = 1
            weight, *rest = node.layer.weights
            for size in weight.shape:
                own *= size
            own += sum(spec.shape[0] for spec in rest)
            norms = 2 * weight.shape[0] * ("batchnorm" in ops_of(units, node.path))
            assert by_path[node.path] == own + norms


def ops_of(units: list[ET.Element], path: str) -> list[str]:
    return split(next(g.get("data-ops") for g in units if g.get("data-path") == path))


@pytest.mark.parametrize("name", NETS)
def test_what_goes_in_and_comes_out(name: str) -> None:
    graph, units, ends = read(name)
    assert [g.get("data-name") for g in ends] == [
        *(item.name for item in graph.inputs), *(item.name for item in graph.outputs)
    ]  # fmt: skip
    nodes = {node.path: node for node in graph.nodes()}
    assert sum(int(g.get("data-operations", "")) for g in units) == len(nodes)
    for group in units:
        first = nodes[group.get("data-path", "")]
        last, ops = first, [op for op in ops_of(units, first.path) if op != "identity"]
        for op in ops[1:]:
            (last,) = readers(graph, last.output)
            assert last.op.name == op
        assert split(group.get("data-in")) == [str(value.type) for value in first.inputs]
        assert split(group.get("data-out")) == [str(value.type) for value in last.outputs]
        assert len(split(group.get("data-from"))) == len(first.inputs)
