"""Two layers of one's own, of which every picture and report tells all, by their facts alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import netdsl
from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.memory import memory
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.example_size import numbers_for
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.volumes.columns import Study
from netdsl.backends.diagram.volumes.steps import steps_of
from netdsl.ir.graph import Graph
from netdsl.lints import WARNINGS
from netdsl.ops.facts import Storage, Work
from netdsl.ops.initial import initial, policy
from netdsl.ops.plugins import plugged
from netdsl.reference import layer_text

LAYERS = '''
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdsl.ops import *


@dataclass(frozen=True)
class Recurrent(Op):
    """A state that runs along the tokens.

    elman(24): [12, 16] -> [12, 24]
    """

    name: ClassVar[str] = "elman"
    family: ClassVar[str] = "stateful"
    title: ClassVar[str] = "Elman network"
    channels_at: ClassVar[int | None] = -1
    leads: ClassVar[bool] = True
    drawn_as: ClassVar[str] = "linear"
    matrices: ClassVar[tuple[str, ...]] = ("into", "along")
    biases: ClassVar[tuple[str, ...]] = ("offset",)
    elsewhere: ClassVar[str] = "elmannetwork"

    features: int = param(INT, "size of the state", told="{} units")
    back: bool = param(BOOL, "whether it runs from the last token to the first", False)

    def infer(self, inputs, rules):
        (x,) = inputs
        if x.rank != 2:
            rules.refuse("in", "tokens [T, F] are wanted", code="wrong-rank")
        return (x.with_shape(x.shape[0], self.features),)

    def weights(self, inputs):
        size, n = inputs[0].shape[1], self.features
        return (
            WeightSpec("into", (n, size), "uniform", fan_in=size),
            WeightSpec("along", (n, n), "uniform", fan_in=n),
            WeightSpec("offset", (n,), "zeros"),
        )

    def macs(self, inputs, outputs):
        return inputs[0].shape[0] * self.features * (inputs[0].shape[1] + self.features)

    def windows(self, inputs, outputs):
        return None

    def connections(self, inputs, outputs):
        count = inputs[0].shape[0]
        return count * (count + 1) // 2 * inputs[0].shape[1] * self.features

    def reads(self, inputs, outputs, wanted, result=0):
        count, size = fixed(inputs[0].shape)
        first, last = (min(wanted[0]), count - 1) if self.back else (0, max(wanted[0]))
        return [(0, (frozenset(range(first, last + 1)), frozenset(range(size))))]

    def torch(self, inputs, outputs):
        sizes = (From(inputs[0].shape[1], "in.features"), From(self.features, "features"))
        back = changed(back=(From(self.back, "back"), False))
        return TorchModule("Elman", sizes, back, helper=str(Path(__file__).with_name("rnn.py")))


@dataclass(frozen=True)
class Wave(Op):
    """A sine.

    wave: [12, 16] -> [12, 16]
    """

    name: ClassVar[str] = "wave"
    family: ClassVar[str] = "activations"

    speed: float = param(FLOAT, "how fast it goes", 1.0)

    def infer(self, inputs, rules):
        return inputs

    def storage(self, inputs, outputs):
        return Storage.ALIKE

    def reads(self, inputs, outputs, wanted, result=0):
        return [(0, wanted)]

    def torch(self, inputs, outputs):
        return TorchCall("torch.sin", (In(0),))
'''
HELPER = """
import torch
from torch import Tensor, nn


class Elman(nn.Module):
    def __init__(self, size: int, features: int, back: bool = False) -> None:
        super().__init__()
        self.back = back
        self.into = nn.Parameter(torch.zeros(features, size))
        self.along = nn.Parameter(torch.zeros(features, features))
        self.offset = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1) if self.back else x
        state, states = x.new_zeros(len(x), len(self.offset)), []
        for token in x.unbind(1):
            state = torch.tanh(token @ self.into.T + state @ self.along.T + self.offset)
            states.append(state)
        made = torch.stack(states, 1)
        return made.flip(1) if self.back else made
"""
NET = """
block Step() : [T, F] -> [T, F] {
    add { identity ; elman(F, back=true) -> wave(0.5) -> elman(F) }
}

net Own {
    input x: [12, 16]
    output y = x -> first: elman(24, back=true) -> wave(0.5) -> a: Step() -> fc: linear(4)
}
"""


@pytest.fixture
def network(tmp_path: Path) -> netdsl.Network:
    (tmp_path / "own.py").write_text(LAYERS)
    (tmp_path / "rnn.py").write_text(HELPER)
    return netdsl.loads(NET, plugins=[tmp_path / "own.py"], allow=WARNINGS)


def texts(graph: Graph, level: str, **options: Any) -> list[str]:
    """All texts of a picture."""
    drawn = svg(picture_of(graph, Options(level=level, **options)), theme("light"), None)
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawn)


def colours(graph: Graph, level: str) -> set[str]:
    drawn = svg(picture_of(graph, Options(level=level)), theme("light"), None)
    return {
        role for role in ("other", "move", "io", "act") if theme("light")[f"{role}.fill"] in drawn
    }


def check_blocks(graph: Graph) -> None:
    found = texts(graph, "blocks", expand=("none",))
    assert {"Elman network", "24 units · back", "first", "+ wave"} <= set(found)
    assert "stateful" in found  # its family, in the legend
    assert "2 × Elman network" in found  # what the closed block does
    assert "12 tokens" in found
    assert any("shapes are length × channels" in text for text in found)
    assert {"other"} == colours(graph, "blocks") & {"other", "move"}
    dot = draw(graph, "dot", Options(expand=("none",)))[0].decode()
    assert "trapezium" not in dot  # no map grows or shrinks
    single = texts(graph, "layers")
    assert {"wave", "speed 0.5", "24 units", "24 units · back"} <= set(single)


def check_volumes(graph: Graph) -> None:
    found = texts(graph, "volumes")
    assert "Elman network · 24 units · back + wave" in " ".join(found)
    assert "12 × 24 ch" in found
    assert "stateful" in found
    assert "288 neurons" in found
    numbers = numbers_for(graph)
    study = Study(steps_of(graph, numbers), numbers, ChannelAxes(graph))
    first = study.axes(study.steps[1])
    assert (first.channels, first.spatial) == (24, (12,))
    assert len(study.steps[1].nodes) == 2  # the sine changes it in place
    assert {"other"} == colours(graph, "volumes") & {"other", "move"}


def check_neurons(graph: Graph) -> None:
    found = texts(graph, "neurons", neurons=("first[3,2]",))
    assert "Elman network 24 units back + wave" in found  # it runs back: 9 tokens from the third on
    assert "first[3,2] reads 144 values. Its whole field: 144 of 192 values of x." in found
    assert "all 12 × 16 cells" in found
    seen = texts(graph, "field", neurons=("first[3,2]",))
    assert "Elman network + wave" in seen


def check_reports(network: netdsl.Network) -> None:
    row = next(r for r in network.summary().rows if r.path == "first")
    assert row.macs == 12 * 24 * (16 + 24)
    assert row.parameters == 24 * 16 + 24 * 24 + 24
    assert row.connections == 12 * 13 // 2 * 16 * 24
    held = [bytes_ // 48 for bytes_ in memory(network.graph).alive.values()]  # type: ignore[operator]
    assert held == [16 + 24, 48, 24, 48, 72, 72, 72, 28]  # rows of 12 floats while each layer runs


def check_initialisation(network: netdsl.Network) -> None:
    layers = {layer.path: layer for layer in network.graph.layers()}
    for path, keys in (("first", ("into", "along", "offset")), ("fc", ("weight", "bias"))):
        begun = initial(layers[path], policy("kaiming_normal"))
        words = {spec.key: spec.init for spec in begun}
        *matrices, bias = keys
        assert words == dict.fromkeys(matrices, "kaiming_normal") | {bias: "zeros"}
    source = network.torch_source(init="vgg")
    assert "nn.init.normal_(self.first.into, std=0.01)" in source
    assert "nn.init.zeros_(self.first.offset)" in source
    assert "self.modules()" not in source  # its helper may hold any


CHECKS = (check_blocks, check_volumes, check_neurons)


def everything(network: netdsl.Network) -> None:
    for check in CHECKS:
        check(network.graph)
    check_reports(network)
    check_initialisation(network)


def test_all_is_told_of_layers_of_ones_own(network: netdsl.Network) -> None:
    everything(network)


def test_docs_and_names_of_other_frameworks(network: netdsl.Network, tmp_path: Path) -> None:
    with plugged([tmp_path / "own.py"]):
        page = layer_text("elman")
    assert "elman(features, back=false)" in page
    assert "[12, 16] -> [12, 24] # 984 parameters, 11,520 multiply-adds" in " ".join(page.split())
    text = "net A { input x: [3, 4] ; output y = x -> nn.ElmanNetwork(4) }"
    with pytest.raises(netdsl.DiagnosticError) as raised:
        netdsl.loads(text, plugins=[tmp_path / "own.py"])
    assert "`elman(" in " ".join(raised.value.diagnostics[0].help)
    with pytest.raises(netdsl.DiagnosticError) as raised:
        netdsl.loads(text)
    assert "elman" not in " ".join(raised.value.diagnostics[0].help)


FAKES: list[tuple[str, str, object]] = [
    ("elman", "work", Work.MOVES),
    ("elman", "work", Work.PASSES),
    ("elman", "zoom", 1),
    ("elman", "channels_at", 0),
    ("elman", "family", "dense"),
    ("elman", "leads", False),
    ("elman", "title", "elman"),
    ("elman", "sign", "+"),
    ("elman", "drawn_as", ""),
    ("elman", "drawn_as", "conv"),
    ("elman", "matrices", ("weight",)),
    ("elman", "biases", ("bias",)),
    ("elman", "storage", lambda self, inputs, outputs: Storage.VIEW),
    ("elman", "headline", lambda self, inputs: "elman"),
    ("elman", "told", lambda self, inputs, outputs, size=str: ()),
    ("elman", "brief", lambda self, inputs, outputs: "recurrent"),
    ("elman", "says", lambda self, inputs, outputs: self.name),
    ("wave", "in_place", False),
    ("wave", "work", Work.PASSES),
    ("wave", "storage", lambda self, inputs, outputs: Storage.VIEW),
    ("wave", "axis_origins", lambda self, inputs, outputs: (1, 0)),
    ("wave", "told", lambda self, inputs, outputs, size=str: ()),
    (
        "wave",
        "reads",
        lambda self, inputs, outputs, wanted, result=0: [(0, (wanted[0], frozenset()))],
    ),
]


@pytest.mark.parametrize(("layer", "fact", "fake"), FAKES)
def test_a_fact_that_is_false_is_seen(
    layer: str, fact: str, fake: object, network: netdsl.Network
) -> None:
    """All of it is read off the facts: none is known by a name, or made up elsewhere."""
    op = next(type(node.op) for node in network.graph.nodes() if node.op.name == layer)
    setattr(op, fact, fake)
    with pytest.raises((AssertionError, StopIteration, IndexError)):
        everything(network)
