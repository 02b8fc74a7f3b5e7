"""The layout and the features of networks, as a person who knows them would say."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.backends.diagram.model import WRITTEN, shape_of
from tests.examples import NAMES

LAYOUTS = {
    "u": (
        "attention_unet", "fcn8s", "linknet", "monodepth", "stacked_hourglass", "transunet",
        "two_unets", "unet_flat", "unet_wrapped", "vnet", "wave_unet", "u2", "u_of_us",
        "diffusion_unet", "hourglass", "segnet", "unet", "unet16", "unet3d",
    ),
    "triangle": ("plus_plus_small", "unet_plus_plus"),
    "lattice": (
        "bifpn", "panet", "panoptic", "retinanet", "segformer", "ssd",
        "fpn", "hrnet_w18", "retinanet_resnet50_fpn", "ssd300_vgg16", "yolov3_spp", "yolov8n",
    ),
    "lanes": ("siamese_resnet", "triplet", "siamese"),
}  # fmt: skip
"""All others are rows."""
EXPECTED = {name: layout for layout, names in LAYOUTS.items() for name in names}
BRIDGES = {
    "attention_unet": {0: 1, 1: 1, 2: 1},
    "fcn8s": {3: 1, 4: 1},
    "hourglass": {2: 1, 3: 1, 4: 1, 5: 1},
    "linknet": {2: 1, 3: 1, 4: 1},
    "plus_plus_small": {0: 2, 1: 1},
    "stacked_hourglass": {2: 2, 3: 2, 4: 2},
    "two_unets": {0: 2, 1: 2, 2: 2},
    "unet": {0: 1, 1: 1, 2: 1, 3: 1},
    "unet_flat": {0: 1, 1: 1, 2: 1},
    "unet_plus_plus": {0: 4, 1: 3, 2: 2, 3: 1},
    "unet_wrapped": {0: 1, 1: 1, 2: 1},
    "vnet": {0: 1, 1: 1, 2: 1},
    "wave_unet": {0: 1, 1: 1, 2: 1},
    "yolov3_spp": {3: 1, 4: 1},
}
"""How often a path comes up to each level and meets what stayed there."""
CHAINS = {"dense_flat": [4], "densenet121": [6, 12, 24, 16]}
SETTINGS = {
    "deeplabv3_resnet50": ("dilation", {12, 24, 36}),
    "mixed_kernels": ("kernel", {3, 5, 7}),
    "pspnet": ("size", {1, 2, 3, 6}),
    "yolov3_spp": ("kernel", {5, 9, 13}),
}
"""Fans whose ways differ in one setting."""
CALLS = {
    "retinanet": (5, True),
    "retinanet_resnet50_fpn": (5, True),
    "siamese": (2, True),
    "siamese_resnet": (2, True),
    "triplet": (3, True),
    "unrolled": (5, False),
}
"""Layers called again: how often, and whether side by side."""
TOKENS = ("vit_b_16", "vit_small_patch16_dinov3")


@pytest.mark.parametrize("name", sorted({*WRITTEN, *NAMES}))
def test_a_network_is_laid_out_as_a_person_would(name: str) -> None:
    shape = shape_of(name)
    assert shape.layout == EXPECTED.get(name, "rows"), shape.reason
    assert shape.reason


def test_every_expected_name_is_a_network() -> None:
    assert set(EXPECTED) <= {*WRITTEN, *NAMES}
    assert len(WRITTEN) >= 30
    assert not {*WRITTEN} & {*NAMES}


@pytest.mark.parametrize("name", sorted(BRIDGES))
def test_the_bridges_of_each_level_are_counted(name: str) -> None:
    bridges = shape_of(name).bridges
    places = {(bridge.level, bridge.turn, bridge.place) for bridge in bridges}
    assert Counter(level for level, _, _ in places) == BRIDGES[name]


@pytest.mark.parametrize("name", sorted({*WRITTEN, *NAMES}))
def test_what_else_a_network_shows_is_told_and_nothing_falsely(name: str) -> None:
    features = shape_of(name).features
    assert [len(chain.merges) for chain in features.chains] == CHAINS.get(name, [])
    fans = {(fan.setting, frozenset(fan.values)) for fan in features.fans if fan.setting}
    setting, values = SETTINGS.get(name, ("", set()))
    assert fans == ({(setting, frozenset(values))} if setting else set())
    calls = features.calls
    assert (calls and (calls.count, calls.is_side_by_side)) == CALLS.get(name)
    assert bool(features.tokens) == (name in TOKENS)


def test_two_hourglasses_in_a_row_are_counted() -> None:
    assert [shape_of(n).stacks for n in ("stacked_hourglass", "two_unets", "unet")] == [
        2,
        2,
        1,
    ]


def test_inceptions_are_fans_of_four() -> None:
    fans = shape_of("googlenet").features.fans
    assert Counter(len(fan.ways) for fan in fans) == {4: 9}


def test_the_way_that_stays_is_told() -> None:
    """The laterals of a pyramid are one convolution each; the skips of a U-Net compute nothing."""
    fpn = shape_of("fpn").bridges
    assert [[node.op.name for node in bridge.straight] for bridge in fpn] == [["conv"]] * 3
    unet = shape_of("unet").bridges
    assert not any(node.layer.weights for bridge in unet for node in bridge.straight)
