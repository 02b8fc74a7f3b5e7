"""RetinaNet and its parts against torchvision: what is before and behind the layers is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

import netdsl
from tests.examples import example, network, norm_constants, restless, runs, sizes_to_try
from tests.sampling import some

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from torch import nn  # noqa: E402

from tests.torchvision_models import torchvision_models  # noqa: E402

NAME = "retinanet_resnet50_fpn"


def detection() -> Any:
    """torchvision's networks that detect."""
    torchvision_models()
    from torchvision.models import detection

    return detection


class Layers(nn.Module):
    """The layers of torchvision's RetinaNet, which takes lists of pictures and gives boxes."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.backbone, self.head = whole.backbone, whole.head

    def forward(self, image: Any) -> tuple[Any, Any]:
        said = self.head(list(self.backbone(image).values()))
        return said["cls_logits"], said["bbox_regression"]


def build() -> Any:
    return Layers(detection().retinanet_resnet50_fpn(weights=None, weights_backbone=None)).eval()


@cache
def pair() -> tuple[Any, Any]:
    """torchvision's layers with numbers in place of zeros and ones, and ours with the same weights."""
    torch.manual_seed(0)
    theirs, ours = restless(build()), network(NAME).torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours.eval()


def test_weights_load_and_outputs_are_equal() -> None:
    theirs, ours = pair()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert norm_constants(ours) == norm_constants(theirs)
    for size in (64, 97), (61, 33):
        image = torch.randn(2, 3, *size)
        with torch.no_grad():
            found, expected = ours(image), theirs(image)
        assert found._fields == ("cls_logits", "bbox_regression")
        assert all(torch.equal(*both) for both in zip(found, expected, strict=True))


def test_published_weights_have_no_eps_and_frozen_norms() -> None:
    """As torchvision sets them with its first weights; frozen norms have no counter."""
    theirs, _ = pair()
    assert detection().RetinaNet_ResNet50_FPN_Weights.COCO_V1.meta["num_params"] == 34_014_999
    frozen = network(NAME).summary().parameters - 34_014_999
    norms = (part for part in theirs.modules() if isinstance(part, nn.BatchNorm2d))
    assert frozen == sum(parameter.numel() for norm in norms for parameter in norm.parameters())
    module = netdsl.load(example(NAME), params={"eps": 0}).torch(seed=0)
    assert {eps for eps, _ in norm_constants(module).values()} == {0}
    state = {k: v for k, v in theirs.state_dict().items() if "num_batches_tracked" not in k}
    assert not network(NAME).check_weights(state)


def test_keys_of_the_published_weights() -> None:
    """They are of an older form, in which torchvision's heads load as well."""
    theirs, ours = pair()
    state, older = theirs.state_dict(), {}
    for key, value in state.items():
        for i in range(4):
            key = re.sub(rf"(head\.\w+\.conv)\.{i}\.0\.", rf"\1.{2 * i}.", key)
        older[key] = value
    assert older.keys() - state.keys()
    build().load_state_dict(dict(older), strict=True)
    rename = {f"head.*.conv.{2 * i}": f"head.*.conv.{i}.0" for i in range(4)} | {"": ""}
    loaded = network(NAME).torch(weights=older, rename=rename).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in ours.state_dict().items())


def test_sizes_are_those_that_torchvision_takes() -> None:
    contract = network(NAME).sizes
    assert str(contract) == "any H, any W"
    with torch.device("meta"):
        model = build()
    for height, width in some(sizes_to_try(network(NAME)), 90):
        assert contract.accepts(H=height, W=width) == runs(model, height, width)


HEADS: dict[str, Callable[[Any], Any]] = {
    "RetinaNetHead(5)": lambda m: m.RetinaNetHead(8, 9, 5),
    "RetinaNetHead(3, anchors=2)": lambda m: m.RetinaNetHead(8, 2, 3),
    "RetinaNetHead(4, groups=2)": lambda m: m.RetinaNetHead(8, 9, 4, lambda c: nn.GroupNorm(2, c)),
}


@pytest.mark.parametrize("stage", HEADS)
def test_heads(stage: str) -> None:
    """Over three maps, whatever their sizes."""
    torch.manual_seed(0)
    theirs = restless(HEADS[stage](detection().retinanet))
    sizes = [(7, 9), (4, 1), (2, 3)]
    inputs = "".join(f"input x{i}: [8, H{i}, W{i}]\n" for i in range(3))
    ours = netdsl.loads(
        f"use std.retinanet\nnet A {{\n{inputs}"
        f"(scores, boxes) = (x0, x1, x2) -> unit: {stage}\n"
        "output a = scores\noutput b = boxes\n}"
    ).torch(seed=1)
    ours.unit.load_state_dict(theirs.state_dict(), strict=True)
    maps = [torch.randn(2, 8, *size) for size in sizes]
    with torch.no_grad():
        found, said = ours.eval()(*maps), theirs(maps)
    assert torch.equal(found.a, said["cls_logits"])
    assert torch.equal(found.b, said["bbox_regression"])


@pytest.mark.parametrize("channels", [8, 6])
def test_last_levels(channels: int) -> None:
    torchvision_models()
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    torch.manual_seed(0)
    theirs = restless(LastLevelP6P7(8, channels))
    ours = netdsl.loads(
        "use std.retinanet\nnet A {\ninput x: [8, H, W]\n"
        f"(fine, coarse) = x -> unit: LastLevels({channels})\n"
        "output a = fine\noutput b = coarse\n}"
    ).torch(seed=1)
    ours.unit.load_state_dict(theirs.state_dict(), strict=True)
    for size in (7, 9), (1, 2), (12, 8):
        last = torch.randn(2, 8, *size)
        with torch.no_grad():
            levels, _ = theirs([last], [last], ["0"])
            assert all(torch.equal(*both) for both in zip(ours(last), levels[1:], strict=True))
