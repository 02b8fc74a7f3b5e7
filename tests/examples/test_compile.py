"""torch.compile takes every example whole, and the outputs stay."""

from __future__ import annotations

import pytest

from tests.examples import NAMES, random_inputs, slim

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_break(name: str) -> None:
    network = slim(name)
    xs = random_inputs(network, network.sizes.smallest() or {}, 2)
    model = network.torch(seed=0).eval()
    try:
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        with torch.no_grad():
            torch.testing.assert_close(compiled(*xs), model(*xs))
    finally:
        torch._dynamo.reset()
