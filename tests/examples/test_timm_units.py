"""Cells over two maps and modules of fixed widths, against timm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import netdsl
from tests.examples import norm_constants, restless
from tests.examples.test_public_units import assert_equal, public

torch = pytest.importorskip("torch")

CELLS: dict[str, Callable[[Any], Any]] = {
    "PNASCell(4)": lambda m: m.Cell(6, 4, 10, 4, "same"),
    "PNASCell(4, stride=2)": lambda m: m.Cell(6, 4, 10, 4, "same", is_reduction=True),
    "PNASCell(4, prev=FactorizedReduction(4))": lambda m: m.Cell(
        6, 4, 10, 4, "same", match_prev_layer_dims=True
    ),
    "PNASCell(4, stride=2, prev=FactorizedReduction(4))": lambda m: m.Cell(
        6, 4, 10, 4, "same", is_reduction=True, match_prev_layer_dims=True
    ),
}


@pytest.mark.parametrize("size", [(9, 12), (4, 5), (1, 2)], ids=str)
@pytest.mark.parametrize("stage", CELLS)
def test_cells_of_pnasnet(stage: str, size: tuple[int, int]) -> None:
    """Over two maps, the first twice as large where it is brought to the other's size."""
    torch.manual_seed(0)
    theirs = restless(CELLS[stage](public("timm.models.pnasnet")))
    ours = netdsl.loads(
        "use std.nasnet\nnet A {\ninput a: [6, P, Q]\ninput b: [10, H, W]\n"
        f"(last, cell) = (a, b) -> unit: {stage}\noutput y = last\noutput z = cell\n}}"
    ).torch(seed=1)
    ours.unit.load_state_dict(theirs.state_dict(), strict=True)
    assert norm_constants(ours.unit) == norm_constants(theirs)
    height, width = size
    a, b = torch.randn(2, 6, height, width), torch.randn(2, 10, height, width)
    if "Factorized" in stage:
        a = torch.randn(2, 6, 2 * height - 1, 2 * width)
    with torch.no_grad():
        last, cell = ours.eval()(a, b)
        assert torch.equal(last, b)
        assert torch.equal(cell, theirs(a, b))


NASNET = """
use std.nasnet

net NASNet(c: int = 4) {
    input image: [3, H, W]
    conv = image -> conv0: { conv: conv(8, 3, stride=2, bias=false) -> bn: batchnorm(eps=0.001) }
    stem = conv -> cell_stem_0: NASNetStem(c // 4)
    (quarter, map1) = (stem, (conv, stem) -> cell_stem_1: NASNetReduction(c // 2, halve=true))
        -> cell_0: NASNetCell(c, halve=true) -> for i in 1..6 { cell_[i]: NASNetCell(c) }
    (eighth, map2) = (quarter, (quarter, map1) -> reduction_cell_0: NASNetReduction(2 * c))
        -> cell_6: NASNetCell(2 * c, halve=true) -> for i in 7..12 { cell_[i]: NASNetCell(2 * c) }
    (_sixteenth, map3) = (eighth, (eighth, map2) -> reduction_cell_1: NASNetReduction(4 * c))
        -> cell_12: NASNetCell(4 * c, halve=true) -> for i in 13..18 { cell_[i]: NASNetCell(4 * c) }
    output y = map3 -> relu -> global_avgpool -> last_linear: linear(5)
}
"""


def test_nasnet() -> None:
    """The whole network with all its kinds of cells, with few channels."""
    torch.manual_seed(0)
    model = public("timm.models.nasnet").NASNetALarge(num_classes=5, stem_size=8, num_features=96)
    theirs, network = restless(model), netdsl.loads(NASNET)
    assert str(network.sizes) == "any H >= 3, any W >= 3"
    ours = network.torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert norm_constants(ours) == norm_constants(theirs)
    for size in ((64, 96), (61, 94), (3, 5)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            assert torch.equal(ours(x), theirs(x))


INCEPTION: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "Mixed5b": (192, lambda m, conv: m.Mixed_5b(conv)),
    "Block35": (320, lambda m, conv: m.Block35(0.17, conv)),
    "Block35(scale=0.3)": (320, lambda m, conv: m.Block35(0.3, conv)),
    "Mixed6a": (320, lambda m, conv: m.Mixed_6a(conv)),
    "Block17": (1088, lambda m, conv: m.Block17(0.1, conv)),
    "Mixed7a": (1088, lambda m, conv: m.Mixed_7a(conv)),
    "Block8": (2080, lambda m, conv: m.Block8(0.2, False, conv)),
    "Block8(scale=1, act=identity)": (2080, lambda m, conv: m.Block8(1.0, True, conv)),
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("stage", INCEPTION)
def test_modules_of_inception_resnet(stage: str) -> None:
    """With the constants that timm's network gives them; in training as well."""
    channels, make = INCEPTION[stage]
    module = public("timm.models.inception_resnet_v2")
    conv = partial(
        module.ConvNormAct, padding=0, norm_layer="batchnorm2d", norm_kwargs={"eps": 1e-3}
    )
    torch.manual_seed(0)
    theirs = restless(make(module, conv))
    text = (
        "use std.inception_resnet\n"
        f"net A {{ input x: [{channels}, H, W]\noutput y = x -> unit: {stage} }}"
    )
    ours = netdsl.loads(text).torch(seed=1)
    assert_equal(ours, theirs, {}, ((5, 4), (3, 3)), channels)
