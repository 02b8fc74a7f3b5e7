"""Random networks: shapes, keys and refusals of the graph are those of the module that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from math import prod
from random import Random

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.generator import random_net

torch = pytest.importorskip("torch")

COUNT = int(os.environ.get("NETDSL_RANDOM_NETWORKS", "120"))


def build(seed: int, symbolic: bool):
    """A network that has no errors, or None."""
    try:
        return netdsl.loads(random_net(seed, symbolic=symbolic))
    except netdsl.DiagnosticError as error:
        codes = {d.code for d in error.diagnostics}
        known = {"shape-mismatch", "no-size-works", "wrong-rank", "bad-argument", "shared-differs"}
        assert codes <= known, (seed, error)
        return None


def keys_of(network) -> dict[str, tuple[int, ...]]:
    return {
        f"{layer.path}.{spec.key}".strip("."): spec.shape
        for layer in network.graph.layers()
        for spec in layer.weights
    }


def is_small(network, **sizes: int) -> bool:
    """Whether no value holds more than a million numbers, so that running it is quick."""
    values = [v for node in network.graph.nodes() for v in node.outputs]
    return all(prod(evaluate(d, sizes) for d in v.type.shape) <= 300_000 for v in values)


def shapes_run(module, *inputs):
    """Output shapes of the module, or None where PyTorch refuses."""
    try:
        with torch.no_grad():
            return tuple(module(*inputs).shape[1:])
    except (RuntimeError, ValueError):
        return None


def check_fixed(seed: int) -> bool:
    """The module has the graph's keys, parameters and shape; False where the file is refused."""
    network = build(seed, symbolic=False)
    if network is None:
        return False
    module = network.torch(seed=0).eval()
    found = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    assert found == keys_of(network), seed
    total = sum(p.numel() for p in module.parameters())
    assert total == network.summary().parameters
    if is_small(network):
        x = torch.randn(2, *network.inputs[0].shape)
        assert shapes_run(module, x) == network.outputs[0].shape, seed
    return True


def check_sizes(seed: int) -> int:
    """Nothing legal is refused, nothing illegal accepted, on one sample; how many were tried."""
    network = build(seed, symbolic=True)
    if network is None:
        return 0
    checked = 0
    module = network.torch(seed=0).eval()
    random = Random(seed)
    sizes = [(n, random.randint(1, 24)) for n in (1, 2, 3, 5, 8, 13, 16, 21)]
    for height, width in [*sizes, (24, 24)]:
        at = {"H": height, "W": width}
        if network.sizes.accepts(**at) and not is_small(network, **at):
            continue
        x = torch.zeros(1, network.inputs[0].shape[0], height, width)
        ran = shapes_run(module, x)
        assert network.sizes.accepts(**at) == (ran is not None), (seed, at, ran)
        if ran is not None:
            expected = tuple(evaluate(d, at) for d in network.outputs[0].shape)
            assert ran == expected
        checked += 1
    return checked


@pytest.mark.parametrize("part", range(4))
def test_fixed_networks_run_as_computed(part: int) -> None:
    built = [check_fixed(seed) for seed in range(part, COUNT, 4)]
    assert sum(built) >= COUNT / 4 * 0.3


@pytest.mark.parametrize("part", range(4))
def test_sizes_are_accepted_exactly_where_pytorch_runs(part: int) -> None:
    checked = [check_sizes(seed) for seed in range(1000 + part, 1000 + COUNT, 4)]
    assert sum(map(bool, checked)) >= COUNT / 4 * 0.3
    assert sum(checked) > 60


def test_sources_are_formatted_and_clean(tmp_path) -> None:
    """As `ruff format` and `ruff check` want them, with their defaults."""
    for seed in range(2000, 2040):
        network = build(seed, symbolic=seed % 2 == 0)
        if network is not None:
            (tmp_path / f"net{seed}.py").write_text(network.torch_source())
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[:4000]
