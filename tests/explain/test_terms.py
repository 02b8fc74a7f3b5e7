"""Every page of a term: its example runs, and its numbers are what PyTorch counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.analyses.explain.terms import Number, Term, glossary, terms
from netdsl.cli import main
from netdsl.diagnostics.pages import codes
from netdsl.ir.graph import Node, Value
from netdsl.lints import WARNINGS
from netdsl.ops.base import registry
from netdsl.reference import pages

torch = pytest.importorskip("torch")

from tests.explain.oracles import Ran, depth, layers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d[\d,]*")
SUM = re.compile(r"[\d,]+(?: [*+] [\d,]+)+")
WANTED = (
    "neuron filter kernel map channel stride padding dilation groups receptive-field sharing "
    "flatten upsample size connection weight bias parameter depth batch"
)


def counted(what: str, path: str, ran: Ran, network: netdsl.Network) -> Any:
    """What PyTorch says of a layer, an input or the network."""
    if path == "network":
        if what == "shape":
            return "x".join(map(str, ran.shape(network.outputs[0].value)))
        module = network.torch(seed=0)
        inputs = [torch.rand(1, *item.shape) for item in network.inputs]
        return layers(module) if what == "layers" else depth(module(*inputs))
    value, node = place(path, network)
    if what in ("neurons", "shape"):
        shape = ran.shape(value)
        return torch.zeros(shape).numel() if what == "neurons" else "x".join(map(str, shape))
    assert node is not None
    if what == "field":
        return field(ran, value)
    return {
        "connections": lambda: int(ran.links(node).sum()),
        "weights": lambda: ran.parameters(node, "weight"),
        "biases": lambda: ran.parameters(node, "bias"),
        "parameters": lambda: ran.parameters(node),
        "multiply-adds": lambda: ran.macs(node),
    }[what]()


def place(path: str, network: netdsl.Network) -> tuple[Value, Node | None]:
    for item in network.inputs:
        if item.name == path:
            return item.value, None
    node = next(node for node in network.graph.nodes() if node.path == path)
    return node.outputs[0], node


def field(ran: Ran, value: Value) -> str:
    """The box that a place in the middle of a map depends on."""
    middle = tuple(n // 2 for n in ran.shape(value)[1:])
    (seen,) = ran.sees(value, (slice(None), *middle)).values()
    places = seen.any(dim=0).nonzero()
    return "x".join(str(int(n) + 1) for n in places.max(0).values - places.min(0).values)


def holds(number: Number, ran: Ran, network: netdsl.Network) -> bool:
    if not number.path:
        assert SUM.fullmatch(number.what), number
        return eval(number.what.replace(",", "")) == int(number.number.replace(",", ""))
    said = counted(number.what, number.path, ran, network)
    return number.number == (said if isinstance(said, str) else f"{said:,}")


@pytest.mark.parametrize("name", terms())
def test_the_numbers_of_the_example(name: str) -> None:
    term = terms()[name]
    network = netdsl.loads(term.example, allow=WARNINGS)
    ran = Ran(network.graph)
    wrong = [number for number in term.numbers if not holds(number, ran, network)]
    assert not wrong, [(n, n.path and counted(n.what, n.path, ran, network)) for n in wrong]


def test_a_wrong_number_is_seen() -> None:
    """What the test above is for: a number that is off by one, and a sum that is wrong."""
    network = netdsl.loads(terms()["neuron"].example)
    ran = Ran(network.graph)
    right = [Number("connections", "conv", "2,187"), Number("9 * 9", "", "81")]
    wrong = [Number("connections", "conv", "2,188"), Number("9 * 9", "", "80")]
    assert [holds(n, ran, network) for n in (*right, *wrong)] == [True, True, False, False]


def loose_numbers(term: Term) -> list[str]:
    """Numbers from 10 on in the prose that stand neither in the example nor among its numbers."""
    words = [term.example, *(f"{number.words} {number.number}" for number in term.numbers)]
    known = {n.rstrip(",") for text in words for n in NUMBER.findall(text)}
    prose = re.sub(r"`[^`]*`", "", term.mixed_up)
    said = [n.rstrip(",") for n in NUMBER.findall(prose)]
    return [n for n in said if len(n) > 1 and n not in known]


LOOSE = {
    "batch": ["16"],
    "contract": ["50"],
    "depth": ["22", "58"],
    "multiply-add": ["12,544"],
    "skip": ["17"],
    "softmax": ["99"],
}
"""Numbers of other things than the example: each is right by itself, and was worked out by hand."""


@pytest.mark.parametrize("name", terms())
def test_the_prose_says_no_other_numbers(name: str) -> None:
    loose = [n for n in loose_numbers(terms()[name]) if n not in LOOSE.get(name, [])]
    assert not loose


@pytest.mark.parametrize("name", terms())
def test_the_page_is_shown(name: str) -> None:
    term = terms()[name]
    result = CliRunner().invoke(main, ["explain", name], env={"COLUMNS": "90"})
    assert result.exit_code == 0
    assert result.output.startswith(f"{name}\n")
    assert max(map(len, result.output.splitlines())) <= 100
    words = " ".join(result.output.split())
    assert " ".join(term.meaning.split()) in words
    assert len(term.mixed_up) > 100
    assert set(term.also) <= set(terms()), "terms that there are"
    assert name not in term.also
    if name in registry():
        assert "Parameters:" in result.output or "Examples:" in result.output


def test_there_are_forty_terms() -> None:
    assert len(terms()) >= 40
    assert set(WANTED.split()) <= set(terms())
    assert all(len(term.summary) <= 120 for term in terms().values())
    assert len({term.summary for term in terms().values()}) == len(terms())


def test_no_name_means_two_things() -> None:
    """A term may share its page with a layer of that name; nothing else may be called alike."""
    assert not set(codes()) & set(terms())
    assert not set(codes()) & set(pages())
    lowered = [name.lower() for name in (*codes(), *terms())]
    assert len(set(lowered)) == len(lowered)
    shared = set(terms()) & set(pages())
    assert shared == set(terms()) & set(registry()), "no block of the library is called as a term"
    names = (*codes(), *terms(), *pages())
    from netdsl.cli.commands.explain import is_file

    assert not [name for name in names if is_file(name)]


def test_the_glossary_is_current(request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / "glossary.md"
    result = CliRunner().invoke(main, ["explain", "terms", "--all"])
    assert result.output == glossary()
    if request.config.getoption("--bless"):
        path.write_text(glossary(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == glossary()
