"""torch.compile takes every example whole, and the outputs stay."""

from __future__ import annotations

import pytest

from tests.examples import NAMES, random_inputs, slim

torch = pytest.importorskip("torch")
patched = pytest.importorskip("torch._dynamo").config.patch


@pytest.mark.one_in(7)
@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_break(name: str) -> None:
    """Recurrent layers by a setting that PyTorch asks for."""
    network = slim(name)
    xs = random_inputs(network, network.sizes.smallest() or {}, 2)
    model = network.torch(seed=0).eval()
    try:
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        with torch.no_grad(), patched(allow_rnn=True):
            torch.testing.assert_close(compiled(*xs), model(*xs))
    finally:
        torch._dynamo.reset()


@pytest.mark.full  # builds C++
@pytest.mark.parametrize("name", ["googlenet", "sppnet", "unet"])
def test_the_code_that_pytorch_writes_gives_the_same(name: str) -> None:
    """By inductor, its default; open sizes stay open."""
    network = slim(name)
    model = network.torch(seed=0).eval()
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    try:
        for size in (97, 120):
            xs = random_inputs(network, dict.fromkeys(network.sizes.symbols, size), 2)
            with torch.no_grad():
                torch.testing.assert_close(compiled(*xs), model(*xs), rtol=1e-4, atol=1e-4)
    finally:
        torch._dynamo.reset()
