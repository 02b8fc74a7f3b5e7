"""Sizes fixed in a finished graph give the graph that is built with these sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

import netdsl
from netdsl.ir.printer import graph_text
from netdsl.lints import WARNINGS
from netdsl.passes.fix_sizes import fix_sizes
from tests.legal_networks import legal_network

EXAMPLES = sorted(p.stem for p in Path("examples").glob("*.net"))


def assert_same(text_or_path: str | Path) -> None:
    def build(sizes: dict[str, int] | None = None) -> netdsl.Network:
        if isinstance(text_or_path, Path):
            return netdsl.load(text_or_path, sizes=sizes, allow=WARNINGS)
        return netdsl.loads(text_or_path, sizes=sizes, allow=WARNINGS)

    network = build()
    sizes = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 320)).closest or {}
    direct = build(sizes)
    assert graph_text(fix_sizes(network.graph, sizes)) == graph_text(direct.graph)
    assert network.torch_source() == direct.torch_source()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    assert_same(Path("examples") / f"{name}.net")


@pytest.mark.parametrize("seed", range(40))
def test_generated_networks(seed: int) -> None:
    assert_same(legal_network(seed, symbolic=True))


def test_a_head_that_only_training_needs_stops_nothing() -> None:
    network = netdsl.load("examples/inception_v3.net", sizes={"H": 96, "W": 80})
    assert str(network.sizes) == "fixed sizes"
    assert network.outputs[0].shape == (1000,)
    assert not network.sizes.training(8).accepts()
    rows = {row.path: row for row in network.summary().rows}
    assert rows["AuxLogits.conv1.conv"].output == "none at this size"
    assert rows["AuxLogits.conv1.conv"].macs == 0


def test_the_module_has_its_weights_and_runs() -> None:
    torch = pytest.importorskip("torch")
    path = "examples/inception_v3.net"
    whole = netdsl.load(path).torch(seed=0).eval()
    fixed = netdsl.load(path, sizes={"H": 96, "W": 80}).torch().eval()
    fixed.load_state_dict(whole.state_dict(), strict=True)
    x = torch.randn(2, 3, 96, 80)
    with torch.no_grad():
        torch.testing.assert_close(fixed(x)[0], whole(x)[0])


def test_what_inference_refuses_is_an_error() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.load("examples/inception_v3.net", sizes={"H": 70, "W": 80})
    assert {d.code for d in caught.value.diagnostics} == {"shape-mismatch"}


def test_one_size_of_two() -> None:
    network = netdsl.load("examples/inception_v3.net", sizes={"H": 96})
    assert str(network.sizes) == "any W >= 75"


@pytest.mark.parametrize("size", [0, -3, 2.5, True, 2**40])
def test_numbers_that_are_no_sizes(size: object) -> None:
    with pytest.raises(netdsl.DiagnosticError):
        netdsl.load("examples/mobilenet_v2.net", sizes={"H": size, "W": 8})


def test_what_is_too_large_stays_an_error() -> None:
    text = "net A { input x: [900, H, W]; output y = x -> flatten -> relu }"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text, sizes={"H": 2**20, "W": 2**20})
    assert [d.code for d in caught.value.diagnostics] == ["too-large"]
