"""The least number of layers, counted before they are built, is never more than there are."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.lints import WARNINGS
from tests.elaborate.compile_text import build, chain, net
from tests.examples import NAMES, SLIM, example
from tests.legal_networks import legal_network


def layers_of(text: str) -> int:
    """How many layers a legal text has, each call of a shared one counted."""
    graph, diagnostics = build(text)
    assert graph is not None, [str(d) for d in diagnostics]
    return sum(1 for _ in graph.nodes())


@pytest.mark.parametrize("name", NAMES)
def test_examples_fit_in_exactly_their_layers(name: str) -> None:
    """A count too high anywhere on the way would refuse the network."""
    network = netdsl.load(example(name), params=SLIM.get(name))
    count = sum(1 for _ in network.graph.nodes())
    options = {"params": SLIM.get(name), "allow": WARNINGS}
    netdsl.load(example(name), max_layers=count, **options)  # type: ignore[arg-type]
    with pytest.raises(netdsl.DiagnosticError, match="too-many-layers"):
        netdsl.load(example(name), max_layers=count - 1, **options)  # type: ignore[arg-type]


def test_random_networks_fit_in_exactly_their_layers() -> None:
    for seed in range(60):
        text = legal_network(seed, symbolic=False)
        count = layers_of(text)
        assert build(text, max_nodes=count)[0] is not None, seed
        assert build(text, max_nodes=count - 1)[0] is None, seed


PASS = "block Pass(n: int = 0) { in }"
TEXTS = {
    "a block without layers": chain("repeat 50 { Pass } -> repeat 50 { Pass(1) } -> relu", before=PASS),
    "a layer given that is none": chain("B(Pass) -> relu", before=PASS + "\nblock B(l: layer) { repeat 9 { l } }"),
    "a value named as a layer": net("a = x -> relu: relu\n b = (for i in 0..3 { relu }) -> add\n output y = (a, b, relu) -> add"),
    "a label at the head": chain("g: { relu: relu -> tanh -> add { relu ; tanh: tanh } }"),
    "arms of an if": chain("repeat 6 { if 1 > 2 { relu -> relu } else { tanh } -> if 1 > 2 { relu } } -> relu"),
    "empty loops": chain("repeat 0 { relu } -> for i in [] { relu } -> for i in 0..0 { relu } -> for i in 3..1 { relu } -> tanh"),
    "a count that is rebound": chain("for n in [1, 2] { repeat n { relu } }"),
    "a list that is rebound": chain("for n in [[], [1]] { for i in n { relu } } -> tanh"),
    "a parameter named as a layer": chain("B(2)", before="block B(dropout: int) { repeat dropout { dropout(0.1) } }"),
    "a shared layer": net("layer e = conv(3, 1)\n output y = x -> repeat 5 { e }"),
    "a shared block": net("layer e = Pass\n output y = x -> repeat 5 { e } -> relu", before=PASS),
    "one that uses itself": chain("B(5)", before="block B(n: int) { relu -> if n > 0 { B(n - 1) } }"),
    "two that use each other": chain("A(5)", before="block A(n: int) { relu -> if n > 0 { B(n) } }\nblock B(n: int) { tanh -> A(n - 1) }"),
    "branches": chain("repeat 3 { add { relu ; if 1 > 2 { tanh } ; for i in 0..2 { conv(3, 1) } ; in } }"),
    "weights": chain("B -> B", before="block B { weight w: [3, 1, 1]\n (in, w) -> add }"),
    "a list of sources": net("output y = (for i in 0..4 { x -> relu }) -> add"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_fits_in_exactly_its_layers(name: str) -> None:
    count = layers_of(TEXTS[name])
    assert build(TEXTS[name], max_nodes=count)[0] is not None
    assert build(TEXTS[name], max_nodes=count - 1)[0] is None
