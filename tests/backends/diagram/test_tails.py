"""Norms and activations behind layers, read off the drawings and compared with the graph."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import expected_tail, layer_label, word
from netdsl.backends.diagram.blocks.picture import usual_tails_of
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Group, Item, Text
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.tails import told
from netdsl.backends.diagram.units import Unit, leaves, opened, units_of
from netdsl.diagnostics import DiagnosticError
from netdsl.ir.graph import Graph, Node
from netdsl.lints import WARNINGS
from netdsl.ops.base import op_of
from tests.examples import NAMES, network
from tests.legal_networks import legal_network

SOUGHT = ("norms", "activations")


def read(note: str, usual: list[str], joint: str) -> list[str]:
    """What a reader takes to stand behind a layer, from its note and the legend."""
    if not note:
        return usual
    if note.startswith("no "):
        assert note[3:].split(" or ") == usual
        return []
    if note.startswith("+ "):
        assert not usual
        return note[2:].split(joint)
    if note.startswith("also "):
        return [*usual, *note[5:].split(joint)]
    if note.startswith("only "):
        return note[5:].split(joint)
    assert note.endswith(" instead")
    return note.removesuffix(" instead").split(joint)


def is_note(line: str) -> bool:
    starts = ("no ", "+ ", "also ", "only ")
    return line.startswith(starts) or line.endswith(" instead")


def behind(graph: Graph, node: Node) -> list[Node]:
    """The nodes in a row behind one, each the only reader of the one before."""
    found: list[Node] = []
    given = {o.value for o in graph.outputs}
    while len(node.outputs) == 1 and node.output not in given:
        readers = [n for n in graph.nodes() if any(v is node.output for v in n.inputs)]
        if len(readers) != 1:
            break
        (node,) = readers
        found.append(node)
    return found


def check(graph: Graph) -> int:
    """Every norm and activation is told once: as a box of its own, or behind its layer."""
    units = opened(units_of(graph), lambda unit, level: True)
    usual = usual_tails_of(units_of(graph))
    seen = 0
    for unit in leaves(units):
        label = layer_label(unit, expected_tail(unit, usual), ShapeNames(graph.symbols))
        notes = [line for line in label.lines if is_note(line)]
        assert len(notes) <= 1
        leads = op_of(unit.node).leads
        behind_it = list(usual.get(unit.node.op.family, ())) if leads else []
        shown = read(notes[0] if notes else "", behind_it, " + ")
        assert shown == expected(graph, unit), unit.path
        seen += len(shown)
    return seen


def expected(graph: Graph, unit: Unit) -> list[str]:
    """The words of what the graph has behind the head of a unit, as far as the unit goes."""
    inside = set(unit.nodes)
    found: list[str] = []
    for node in behind(graph, unit.node):
        if node not in inside:
            break
        found.append(word(node))
    assert len(found) == len(unit.layers) - 1
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_behind_the_layers_of_examples(name: str) -> None:
    check(network(name).graph)


def test_what_stands_behind_the_layers_of_random_networks() -> None:
    seen = 0
    for seed in range(60):
        try:
            net = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        except DiagnosticError:
            continue
        seen += check(net.graph)
    assert seen > 20


def test_the_last_linear_looks_different_from_those_before_it() -> None:
    """Where most are followed by a ReLU, the legend says so, and the last one that it has none."""
    for name, count in (("lenet", 2), ("alexnet", 2), ("mtcnn_rnet", 1), ("mtcnn_onet", 1)):
        graph = network(name).graph
        usual = usual_tails_of(units_of(graph))
        linear = [u for u in leaves(units_of(graph)) if u.node.op.name == "linear"]
        labels = [layer_label(u, expected_tail(u, usual), ShapeNames(())).lines for u in linear]
        notes = [next(filter(is_note, lines), "") for lines in labels]
        behind_them = [read(note, list(usual.get("dense", ())), " + ") for note in notes]
        with_relu = [any("ReLU" in text for text in words) for words in behind_them]
        assert sum(with_relu) == count, (name, labels)
        assert not with_relu[-1]
        legend = [t for i in picture_of(graph, Options()).items for t in texts(i)]
        assert any(text.startswith("linear = linear + ") for text in legend) == ("dense" in usual)


def test_words_for_what_is_not_usual() -> None:
    usual = ("BN", "ReLU")
    cases = {
        ("BN", "ReLU"): "", (): "no BN or ReLU", ("BN",): "only BN", ("ReLU",): "only ReLU",
        ("BN", "ReLU", "dropout"): "also dropout", ("BN", "SiLU"): "BN + SiLU instead",
        ("ReLU", "BN"): "ReLU + BN instead",
    }  # fmt: skip
    for own, note in cases.items():
        assert told(own, usual, " + ") == note
        assert read(note, list(usual), " + ") == list(own)
    assert told(("BN",), (), " + ") == told(("BN",), None, " + ") == "+ BN"


def texts(item: Item) -> list[str]:
    if isinstance(item, Group):
        return [text for part in item.items for text in texts(part)]
    return [item.text] if isinstance(item, Text) else []


@pytest.mark.parametrize("name", ["vit_b_16"])
def test_tokens_are_no_channels(name: str) -> None:
    """Behind the class token a map is still 197 tokens of 768 features."""
    graph = network(name).graph
    shown = [
        text for item in picture_of(graph, Options(level="volumes")).items for text in texts(item)
    ]
    assert "197 × 768 ch" in shown
    assert "197 × 768" not in shown
    assert "concat 1+196" in shown


TOKENS = """
net Tokens {
    input x: [3, 32, 32]
    weight token: [1, 1, 8]
    tokens = x -> conv(8, 8, stride=8) -> reshape([8, 16]) -> permute([1, 0])
    output y = (token, tokens) -> concat(axis=0) -> layernorm -> attention(2) -> add { identity ; linear(8) }
}
"""


def test_which_axis_holds_the_channels() -> None:
    graph = netdsl.loads(TOKENS, allow=WARNINGS).graph
    axes = ChannelAxes(graph)
    found = [node.op.name for node in graph.nodes() if axes.is_last(node.output)]
    assert found == [
        "permute", "concat", "layernorm", "attention", "identity", "linear", "add"
    ]  # fmt: skip
    words = netdsl.loads("net A { input x: [7, 12] ; output y = x -> linear(3) }", allow=WARNINGS)
    assert ChannelAxes(words.graph).is_last(words.graph.inputs[0].value)
    sound = netdsl.loads("net A { input x: [7, 12] ; output y = x -> conv(3, 3) }", allow=WARNINGS)
    heard = ChannelAxes(sound.graph)
    assert not any(map(heard.is_last, (sound.graph.inputs[0].value, sound.graph.outputs[0].value)))
