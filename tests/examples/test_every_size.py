"""The size contract of every example, size by size, against PyTorch itself."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from netdsl.lints import WARNINGS
from tests.examples import NAMES, OPEN, network, slim
from tests.legal_networks import legal_network
from tests.sampling import FULL

torch = pytest.importorskip("torch")

LARGEST = 200
RANDOM_PAIRS = 300
GENERATED = 300 if FULL else 6
DEEP = 40
"""From this number of layers on an example is sampled, unless everything is run."""


class Judge:
    """What PyTorch does with a size: shapes on the meta device, refusals on the CPU."""

    def __init__(self, network: netdsl.Network) -> None:
        self.network = network
        self.real = network.torch(seed=0).eval()
        self.meta = network.torch(seed=0).eval().to("meta")

    def shapes(self, sizes: dict[str, int], *, sure: bool) -> list[tuple[int, ...]] | None:
        """The shapes of the outputs, or None if PyTorch refuses; `sure` asks the CPU."""
        try:
            return self._run(self.meta, sizes, "meta") if not sure else self._real(sizes)
        except (RuntimeError, ValueError):
            return self._real(sizes)

    def _real(self, sizes: dict[str, int]) -> list[tuple[int, ...]] | None:
        try:
            return self._run(self.real, sizes, "cpu")
        except (RuntimeError, ValueError):
            return None

    def _run(self, module: Any, sizes: dict[str, int], device: str) -> list[tuple[int, ...]]:
        inputs = [
            torch.zeros(
                1,
                *(evaluate(d, sizes) for d in item.shape),
                device=device,
                dtype=getattr(torch, item.dtype),
            )
            for item in self.network.inputs
        ]
        with torch.no_grad():
            found = module(*inputs)
        found = [found] if torch.is_tensor(found) else [part for part in found if part is not None]
        return [tuple(part.shape[1:]) for part in found]


def assert_agrees(network: netdsl.Network, judge: Judge, sizes: dict[str, int]) -> bool:
    """Whether the size is taken; fails where the contract and PyTorch differ."""
    accepts = network.sizes.accepts(**sizes)
    found = judge.shapes(sizes, sure=not accepts)
    assert (found is not None) == accepts, sizes
    if found is not None:
        said = [o.shape for o in network.outputs if not o.when_training]
        assert found == [tuple(evaluate(d, sizes) for d in shape) for shape in said], sizes
    return accepts


def points(network: netdsl.Network, draw: Random, every: int) -> list[dict[str, int]]:
    """Every size from 1 to 200 of each symbol at one legal size of the others, and pairs."""
    legal = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 96)).closest
    assert legal is not None
    found = [legal]
    found += [
        {**legal, name: size}
        for name in network.sizes.symbols
        for size in range(1 + draw.randrange(every), LARGEST + 1, every)
    ]
    for _ in range(RANDOM_PAIRS // every):
        found.append({name: draw.randint(1, LARGEST) for name in network.sizes.symbols})
    near = (network.sizes.nearest(**point).closest for point in found[-4:])
    return [*found, *(point for point in near if point)]


@cache
def sample(name: str) -> int:
    """Of how many sizes one is tried."""
    layers = len(list(network(name).graph.nodes()))
    return 1 if FULL else 15 if layers < DEEP else 40


@pytest.mark.parametrize("name", NAMES)
def test_which_examples_have_open_sizes(name: str) -> None:
    assert bool(network(name).sizes.symbols) == (name in OPEN)


@pytest.mark.one_in(7)
@pytest.mark.parametrize("name", OPEN)
def test_every_size_of_an_example(name: str) -> None:
    judge = Judge(slim(name))
    answers = [
        assert_agrees(slim(name), judge, sizes)
        for sizes in points(slim(name), Random(name), sample(name))
    ]
    assert any(answers)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(GENERATED))
def test_every_size_of_a_generated_network(seed: int) -> None:
    network = netdsl.loads(legal_network(seed, symbolic=True), allow=WARNINGS)
    judge = Judge(network)
    draw = Random(seed)
    for sizes in points(network, draw, 1 if FULL else 20):
        assert_agrees(network, judge, sizes)
