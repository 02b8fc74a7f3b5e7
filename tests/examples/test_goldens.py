"""Every example as graph, every block of the library in use, some examples as PyTorch source."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import netdsl
from netdsl.ir.graph import Kind
from netdsl.ir.printer import graph_text
from tests.examples import NAMES, example, network
from tests.golden import GOLDENS

Golden = Callable[[str, str], None]

SOURCES = ("googlenet", "hourglass", "lenet", "mobilenet_v2", "resnet50", "sppnet", "unet", "vgg16")
LIBRARY = sorted((Path(netdsl.__file__).parent / "std").glob("*.net"))


@pytest.mark.parametrize("name", NAMES)
def test_graph(name: str, golden: Golden) -> None:
    net = network(name)
    assert not net.warnings
    totals = net.summary().totals()
    golden(f"{name}.graph.txt", f"{graph_text(net.graph)}sizes: {net.sizes}\n{totals}\n")


@pytest.mark.parametrize("name", SOURCES)
def test_pytorch_source(name: str, golden: Golden) -> None:
    golden(f"{name}.torch.txt", network(name).torch_source())


def test_no_golden_is_left_over() -> None:
    assert {p.name for p in GOLDENS.glob("*.graph.txt")} == {f"{n}.graph.txt" for n in NAMES}
    assert {p.name for p in GOLDENS.glob("*.torch.txt")} == {f"{n}.torch.txt" for n in SOURCES}


def test_texts_do_not_depend_on_the_order_of_hashes() -> None:
    """The same bytes in processes whose strings hash apart."""
    code = (
        "import netdsl; from netdsl.ir.printer import graph_text;"
        f"n = netdsl.load({str(example('googlenet'))!r});"
        "print(graph_text(n.graph), n.sizes, n.summary(), n.torch_source())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_example_says_where_it_comes_from(name: str) -> None:
    assert network(name).graph.doc


# what no example uses, in a use of its own
OTHER_BLOCKS = """
use std.conv
use std.depth
use std.fpn (PAN)
use std.se
use std.segment (PyramidPooling)
use std.unet (DoubleConv, UpTransposed)

net Rest {
    input x: [3, H, W]
    low = x -> ConvBN(8, stride=2) -> ConvAct(8, 5, act=silu) -> SqueezeExcitation(2)
    output y = (low, x -> DoubleConv(4)) -> UpTransposed(6) -> PyramidPooling([1, 2]) -> [12, H, W]
    (fine, coarse) = (y, low) -> PAN(8)
    output z = (fine, coarse -> upsample(2)) -> concat
    output u = z -> SpaceToDepth -> DepthToSpace -> Reorg
}
"""


TOKENS = """
use std.maxvit
use std.mobilevit
use std.vit

net Tokens {
    input map: [8, 14, 14]
    input tokens: [17, 12]
    input windows: [9, 4, 12]
    output y = map -> MobileViTBlock(12, 1, heads=3) -> WindowPartition(2) -> GridPartition(2)
    output z = tokens -> BeitBlock(3, 4) -> ViTBlock(3, scale=0.1)
    output w = windows -> PartitionLayers(3, 2)
}
"""


HEADS = """
use std.bifpn (BiFPN)
use std.segment (DANetHead, SegformerDecodeHead)

net Heads {
    input fine: [16, H, W]
    input coarse: [32, P, Q]
    (a, b, _c) = (fine, coarse) -> BiFPN(8, cells=1, levels=3)
    output y = (a, b) -> SegformerDecodeHead(3, channels=4)
    (both, places, channels) = coarse -> DANetHead(3)
    output z = concat { both ; places ; channels }
}
"""


@cache
def documents_of_used_blocks() -> dict[str, str]:
    networks = (
        *map(network, NAMES),
        netdsl.loads(OTHER_BLOCKS),
        netdsl.loads(UNITS),
        netdsl.loads(TOKENS),
        netdsl.loads(HEADS),
    )
    return {
        scope.definition: scope.doc
        for net in networks
        for scope in net.graph.root.scopes()
        if scope.kind is Kind.BLOCK
    }


@pytest.mark.xdist_group("library")
@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_block_of_the_library_is_used_and_documented(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    blocks = [line.split()[1].split("(")[0] for line in lines if line.startswith("block ")]
    assert blocks
    for block in blocks:
        assert documents_of_used_blocks()[block]


def test_the_rest_of_the_library() -> None:
    assert str(netdsl.loads(OTHER_BLOCKS).sizes) == "H and W multiples of 2"


# the blocks that test_units.py, test_public_units.py and test_table_units.py compare with PyTorch
UNITS = """
use std.efficientnet
use std.gan
use std.gates
use std.ghost
use std.kernels
use std.mobile
use std.nasnet
use std.norms
use std.preact
use std.yolo

net Units {
    input x: [8, H, W]
    output y = x -> C3(8) -> C2f(8) -> YoloSPP(8) -> SPPF(8) -> PreActBlock(8) -> DcganStage(8)
    output z = x -> GhostBottleneck(12, 8, squeeze=4) -> EdgeResidual(8) -> FusedMBConv(8)
    (a, b, c) = (x -> upsample(4), x -> upsample(2), x)
        -> YoloV3Neck -> five: YoloV5Neck -> eight: YoloV8Neck
    stem = add { x -> NASNetStem(8) ; (x, x) -> ReductionSums(8) }
    (before, last) = (stem, (x, stem) -> NASNetReduction(4, halve=true)) -> NASNetCell(4, halve=true)
    output cells = last
    output small = a
    output medium = b
    output large = c
    output gates = x -> Cbam(2) -> EfficientChannelAttention -> CoordinateAttention(2)
        -> GlobalContext(2) -> ScaledL2Norm -> MapResponseNorm -> FilterResponseNorm -> EvoNormS0(2)
        -> permute([1, 2, 0])
        -> GlobalResponseNorm -> Glu
    kernels = x -> BlurPool -> StdConv(8, 3) -> ScaledStdConv(8, 3) -> WeightNormConv(8, 3)
        -> SpectralNormConv(8, 3)
    output modulated = (kernels, kernels -> global_avgpool) -> ModulatedConv(8) -> FrozenBatchNorm
        -> permute([1, 2, 0]) -> LayerScale
}
"""
