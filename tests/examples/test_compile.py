"""torch.compile takes every example whole, and the outputs stay."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.examples import NAMES, example

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_break(name: str) -> None:
    network = netdsl.load(example(name))
    at = network.sizes.smallest() or {}
    xs = [torch.randn(2, *(evaluate(d, at) for d in i.shape)) for i in network.inputs]
    model = network.torch(seed=0).eval()
    try:
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        with torch.no_grad():
            torch.testing.assert_close(compiled(*xs), model(*xs))
    finally:
        torch._dynamo.reset()
