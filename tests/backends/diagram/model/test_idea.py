"""Which blocks the overview opens, and which block is the idea, as a person would choose."""

from __future__ import annotations

from collections import Counter

import pytest

from netdsl.backends.diagram.model.idea import idea_of, ideas_of
from netdsl.backends.diagram.units import Unit, leaves
from tests.backends.diagram.model import WRITTEN, graph_of, overview_of, shape_of
from tests.examples import NAMES

IDEAS = {
    "alternating": ["pair"], "attention_unet": ["Gate"], "backbone": ["Stage"],
    "linknet": ["Encoder", "Decoder"], "mixed_kernels": ["MixUnit"], "mixer": ["MixerLayer"],
    "pspnet": ["PoolingPyramid"], "pvt": ["Reduced"], "resnext": ["Block"],
    "segformer": ["Stage"], "senet": ["Unit"], "siamese_resnet": ["Bottleneck"],
    "stacked_hourglass": ["Residual"], "super_resolution": ["Res"], "transunet": ["EncoderBlock"],
    "unet_wrapped": ["Down", "Up"], "residual_attention": ["Att"], "vnet": ["Stage"], "unet_flat": [], "ssd": [], "fcn8s": [],
    "autoencoder_conv": [], "gru_reader": [],
    "bert": ["BertLayer"], "convnext_tiny": ["ConvNeXtBlock"], "deeplabv3_resnet50": ["ASPP"],
    "densenet121": ["DenseBlock"], "efficientnet_b0": ["MBConv"], "googlenet": ["Inception"],
    "hourglass": ["Residual"], "hrnet_w18": ["BasicBlock"], "mobilenet_v2": ["InvertedResidual"],
    "resnet18": ["BasicBlock"], "resnet50": ["Bottleneck"], "resnext101_32x8d": ["Bottleneck"],
    "shufflenet_v2_x1_0": ["ShuffleUnit"], "squeezenet1_1": ["Fire"], "swin_t": ["pair"],
    "swin_v2_t": ["pair"], "unet": ["Down", "Up"], "unet_plus_plus": ["Node"],
    "vit_b_16": ["EncoderBlock"], "yolov3_spp": ["SppMap"], "yolov8n": ["C2f"],
    "alexnet": [], "lenet": [], "vgg16": [], "crnn": [], "conv27": [], "siamese": [],
}  # fmt: skip
TYPICAL = {
    "densenet121": "features.denseblock1",
    "googlenet": "inception3a",
    "mobilenet_v2": "features.3",
    "resnet50": "layer1.1",
    "unet": "up4",
}
OPEN = {
    "attention_unet": set[str](),
    "fpn": {"FPN", "ResNetTrunk"},
    "hourglass": {"Hourglass"},
    "hrnet_w18": set[str](),
    "resnet50": set[str](),
    "siamese": {"Twin"},
    "stacked_hourglass": {"Glass"},
    "swin_t": set[str](),
    "u_of_us": set[str](),
    "unet": set[str](),
    "unet_wrapped": {"WholeUNet"},
    "vit_b_16": {"Encoder"},
}
MOST_UNITS = 60


def kind(unit: Unit) -> str:
    return unit.scope.definition if unit.scope else "pair"


def opened(units: tuple[Unit, ...]) -> set[str]:
    found: set[str] = set()
    for unit in units:
        if unit.is_open:
            found |= {kind(unit)} | opened(unit.parts)
    return found


@pytest.mark.parametrize("name", sorted(IDEAS))
@pytest.mark.one_in(2)
def test_the_idea_is_the_block_that_a_person_would_open(name: str) -> None:
    ideas = ideas_of(graph_of(name), overview_of(name), shape_of(name))
    assert [kind(unit) for unit in ideas] == IDEAS[name]
    if name in TYPICAL:
        assert ideas[-1].path == TYPICAL[name]


@pytest.mark.parametrize("name", sorted(OPEN))
def test_the_overview_opens_what_the_shape_lies_in(name: str) -> None:
    assert opened(overview_of(name)) == OPEN[name]


@pytest.mark.parametrize("name", sorted({*WRITTEN, *NAMES}))
@pytest.mark.one_in(3)
def test_each_operation_is_in_one_unit_of_the_overview(name: str) -> None:
    units = overview_of(name)
    covered = Counter(node for unit in leaves(units) for node in unit.covered())
    hidden = Counter(node for unit in folded(units) for copy in unit.copies[1:] for node in copy)
    assert covered + hidden == Counter(graph_of(name).nodes())
    assert len(list(leaves(units))) <= MOST_UNITS


@pytest.mark.parametrize(
    ("name", "path"), [("unet", "up4"), ("swin_t", "features.1.0"), ("vgg16", None)]
)
def test_the_one_idea_is_the_last(name: str, path: str | None) -> None:
    idea = idea_of(graph_of(name), overview_of(name))
    assert (idea and idea.path) == path


def folded(units: tuple[Unit, ...]) -> list[Unit]:
    """Open units that stand for several, of which the first is drawn."""
    found = [unit for unit in units if unit.is_open and unit.count > 1]
    return found + [part for unit in units if unit.is_open for part in folded(unit.parts)]


def test_pairs_stand_for_all_their_blocks() -> None:
    units = overview_of("swin_t")
    pairs = [unit for unit in leaves(units) if unit.scope is None and unit.is_block]
    assert [unit.count for unit in pairs] == [1, 1, 3, 1]
    assert [len(unit.parts) for unit in pairs] == [2, 2, 2, 2]
