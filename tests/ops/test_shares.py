"""Fixed shares of an enlarged map: those that PyTorch's gradients have."""

from __future__ import annotations

from itertools import product

import pytest
import torch

import netdsl
from netdsl.lints import WARNINGS
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of

CALLS = [
    ("1, 5, 4", "upsample(3)"),
    ("1, 5, 4", "upsample(scale=1.5x2)"),
    ("1, 5, 4", "upsample(size=7x3)"),
    ("1, 5, 4", "upsample(size=7x5, mode=bilinear)"),
    ("1, 5, 4", "upsample(scale=2.5x1.5, mode=bilinear)"),
    ("1, 5, 4", "upsample(size=9x4, mode=bilinear, align_corners=true)"),
    ("1, 5, 4", "upsample(size=7x8, mode=bicubic)"),
    ("1, 5, 4", "upsample(scale=0.5, mode=bicubic)"),
    ("1, 5, 1", "upsample(size=8x3, mode=bicubic, align_corners=true)"),
    ("2, 7", "upsample(scale=2.5, mode=linear)"),
    ("1, 2, 3, 4", "upsample(2, mode=trilinear)"),
]


@pytest.mark.parametrize(("shape", "call"), CALLS)
def test_shares_are_those_of_gradients(shape: str, call: str) -> None:
    net = netdsl.loads(f"net A {{ input x: [{shape}]\n output y = x -> {call} }}", allow=WARNINGS)
    (node,) = net.graph.nodes()
    given = torch.rand(1, *net.graph.inputs[0].shape, requires_grad=True)  # type: ignore[arg-type]
    made = net.torch()(given)
    for index in product(*map(range, made.shape[1:])):
        (gradient,) = torch.autograd.grad(made[(0, *index)], given, retain_graph=True)
        shares = op_of(node).shares(*types_of(node), index)
        assert shares is not None
        assert len({cell for cell, _ in shares}) == len(shares)
        assert sum(share for _, share in shares) == 1
        told = torch.zeros(given.shape[1:])
        for cell, share in shares:
            assert share
            told[cell] = float(share)
        assert torch.allclose(told, gradient[0], atol=2e-6)
