"""Layers whose sizes follow those of the input go through `torch.export`, sizes left open."""

from __future__ import annotations

import warnings

import pytest

import netdsl
from netdsl.lints import WARNINGS

torch = pytest.importorskip("torch")

CASES = {
    "same": "conv(4, 3, stride=2, padding=same_upper) -> maxpool(3, stride=2, padding=same_upper) "
    "-> avgpool(3, stride=2, padding=same_lower, count_include_pad=false)",
    "positions": "concat { identity ; positions } -> conv(2, 1)",
    "slice": "slice(1, 1, H - 2) -> slice(2, W - 9)",
    "unfold": "unfold(3, padding=1) -> relu -> fold(3, size=x, padding=1)",
    "transposed": "maxpool(2, ceil_mode=true) -> conv_transpose(3, 3, stride=2, padding=1, size=x)",
    "depth": "reshape([3, H / 2, 2, W / 2, 2]) -> permute([0, 2, 4, 1, 3]) "
    "-> reshape([12, H / 2, W / 2])",
}
SIZES = {"depth": ((34, 50), (40, 58))}


@pytest.mark.parametrize("name", CASES)
def test_torch_export(name: str) -> None:
    from torch.export import Dim

    text = f"net A {{ input x: [3, H, W]\n output y = x -> {CASES[name]} }}"
    module = netdsl.loads(text, allow=WARNINGS).torch(seed=0).eval()
    axes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    if name == "depth":  # PyTorch has to be told that sizes are multiples
        axes |= {2: 2 * Dim("h", min=5, max=99), 3: 2 * Dim("w", min=5, max=99)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.randn(2, 3, 32, 48),), dynamic_shapes=(axes,))
    exported = program.module()
    for size in SIZES.get(name, ((33, 49), (40, 57), (31, 64))):
        x = torch.randn(3, 3, *size)
        torch.testing.assert_close(exported(x), module(x), rtol=1e-4, atol=1e-5)
