"""Blocks of the library in recovered texts: used where they are the same, and nowhere else."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.importers.frontend import Answer
from netdsl.importers.imported import imported
from tests.examples import network
from tests.importers.programs import FromGraph
from tests.importers.test_recover import keys, read_back

UNIT = """
# What comes in, beside two convolutions.
block {name}(planes: int, stride: int = 1) {{
    add {{
        conv1: conv(planes, 3, stride=stride, padding=1, bias=false) -> bn1: batchnorm{eps} -> relu
            -> conv2: conv(planes, 3, padding=1, bias=false) -> bn2: batchnorm
        if stride != 1 {{ downsample: {{ conv(planes, 1, stride=2, bias=false) -> batchnorm }} }} else {{ identity }}
    }} -> {act}
}}
"""
NET = """net Small {
    input image: [3, H, W]

    output out = image
        -> stem: conv(16, 3) -> a: Unit(16) -> b: Unit(16) -> c: Unit(32, stride=2) -> d: Unit(32)
        -> head: conv(4, 1)
}
"""


def recovered(*, name: str = "Unit", eps: str = "", act: str = "relu", net: str = NET) -> str:
    text = net.replace("Unit(", f"{name}(") + UNIT.format(name=name, eps=eps, act=act)
    return imported(Answer(FromGraph(netdsl.loads(text).graph).program())).text


@pytest.mark.parametrize("name", ["Unit", "Bottleneck", "BasicBlock"])
def test_a_block_of_the_library_is_used_whatever_it_is_called(name: str) -> None:
    text = recovered(name=name)
    assert text.startswith("use std.resnet (BasicBlock)\n\nnet Small {")
    assert "block" not in text
    assert "a: BasicBlock(16) -> b: BasicBlock(16)" in text.replace("\n        ", " ")
    assert "c: BasicBlock(32, stride=2)" in text
    assert "What comes in" not in text
    own = netdsl.loads(NET + UNIT.format(name="Unit", eps="", act="relu"))
    assert keys(netdsl.loads(text)) == keys(own)


@pytest.mark.parametrize(
    "other",
    [{"eps": "(eps=0.01)"}, {"act": "silu"}, {"act": "relu -> dropout(0.1)"}],
)
def test_a_block_that_computes_something_else_is_kept(other: dict[str, str]) -> None:
    text = recovered(name="BasicBlock", **other)
    assert "use std" not in text
    assert "block BasicBlock(" in text


def test_a_name_that_is_taken_is_not_used() -> None:
    """Another block, which the library has not, is called as the library's."""
    other = UNIT.format(name="BasicBlock", eps="(eps=0.01)", act="relu")
    net = NET.replace("-> head", "-> e: BasicBlock(32) -> f: BasicBlock(32) -> head") + other
    text = recovered(net=net)
    assert "use std" not in text
    assert "block Unit(" in text
    assert "block BasicBlock" in text


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("resnet50", ["std.resnet (Bottleneck)"]),
        ("densenet121", ["std.dense (DenseBlock, Transition)"]),
        ("googlenet", ["std.inception (BasicConv2d, Inception)"]),
        ("squeezenet1_1", ["std.fire (Fire)"]),
        ("mobilenet_v2", ["std.conv (ConvNormActivation)", "std.mobile (InvertedResidual)"]),
        ("convnext_tiny", ["std.convnext (ConvNeXtBlock)"]),
        ("vit_b_16", ["std.transformer (EncoderBlock)"]),
    ],
)
def test_examples_use_what_they_used(name: str, used: list[str]) -> None:
    text = read_back(name).text
    assert [f"use {one}" for one in used] == [t for t in text.splitlines() if t.startswith("use")]
    assert keys(netdsl.loads(text)) == keys(network(name))
