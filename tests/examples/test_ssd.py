"""SSD300 against torchvision: keys, scores, boxes, sizes; what is behind the boxes is left out."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

import netdsl
from tests.examples import example, network, restless, runs
from tests.sampling import some

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from torch import nn  # noqa: E402

from tests.examples.test_detection import detection  # noqa: E402

NAME = "ssd300_vgg16"
SIZES = (300, 300), (268, 330)


class Layers(nn.Module):
    """The layers of torchvision's SSD, and the boxes that its coder makes of what they say."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.backbone, self.head = whole.backbone, whole.head
        self.anchors, self.coder = [whole.anchor_generator], whole.box_coder

    def forward(self, image: Any) -> tuple[Any, Any, Any, Any]:
        from torchvision.models.detection.image_list import ImageList

        maps = list(self.backbone(image).values())
        said = self.head(maps)
        moves, logits = said["bbox_regression"], said["cls_logits"]
        if image.device.type == "meta":
            return moves, logits, moves, logits
        default = self.anchors[0](ImageList(image, [tuple(image.shape[-2:])] * len(image)), maps)
        boxes = [
            self.coder.decode_single(one, own) for one, own in zip(moves, default, strict=True)
        ]
        return moves, logits, torch.stack(boxes), logits.softmax(-1)


def build(**options: Any) -> Any:
    return Layers(detection().ssd300_vgg16(weights=None, weights_backbone=None, **options)).eval()


@cache
def pair(classes: int) -> tuple[Any, Any, netdsl.Network]:
    torch.manual_seed(0)
    theirs = restless(build(num_classes=classes))
    net = netdsl.load(example(NAME), params={"classes": classes})
    ours = net.torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours.eval(), net


@pytest.mark.parametrize("size", SIZES)
def test_weights_load_and_outputs_are_equal(size: tuple[int, int]) -> None:
    """Boxes that are moved far and stretched to the bound of the coder, too."""
    theirs, ours, _ = pair(5)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert "backbone.scale_weight" in theirs.state_dict()
    for scale in 1, 100:
        image = scale * torch.randn(2, 3, *size)
        with torch.no_grad():
            found, expected = ours(image), theirs(image)
        assert found._fields == ("bbox_regression", "cls_logits", "boxes", "scores")
        for mine, other in zip(found, expected, strict=True):
            assert mine.shape == other.shape
            assert float((mine - other).abs().max()) <= 2e-6 * float(other.abs().max())
    stretched = expected[0][..., 2:] / 5 > theirs.coder.bbox_xform_clip
    assert stretched.any()


def test_published_counts() -> None:
    """Those beside torchvision's weights; 8,732 boxes, as in the paper."""
    meta = detection().SSD300_VGG16_Weights.COCO_V1.meta
    summary = netdsl.load(example(NAME), sizes={"H": 300, "W": 300}).summary()
    assert summary.parameters == meta["num_params"]
    assert round(summary.macs / 1e9, 3) == meta["_ops"]
    fixed = netdsl.load(example(NAME), sizes={"H": 300, "W": 300})
    assert fixed.outputs[2].shape == (8732, 4)


def test_beginnings() -> None:
    """The learned length is 20; heads and the maps behind VGG have no bias at first."""
    state = network(NAME).torch(seed=0).state_dict()
    assert torch.equal(state["backbone.scale_weight"], torch.full((512,), 20.0))
    new = [key for key in state if key.startswith("head") or "extra.1" in key]
    assert all(not state[key].any() for key in new if key.endswith("bias"))
    weight = state["head.classification_head.module_list.1.weight"]
    count = weight[0].numel() + weight.shape[0] * 9
    assert float(weight.abs().max()) <= (6 / count) ** 0.5


def test_sizes_are_those_that_torchvision_takes() -> None:
    contract = network(NAME).sizes
    assert str(contract) == "any H >= 268, any W >= 268"
    with torch.device("meta"):
        model = build()
    sizes = [(size, 300) for size in (*range(240, 300), 511)] + [(300, 267), (300, 268), (1, 300)]
    for height, width in [*some(sizes, 4), (267, 268), (268, 267), (268, 268)]:
        assert contract.accepts(H=height, W=width) == runs(model, height, width), (height, width)


def test_onnx_at_two_sizes() -> None:
    pytest.importorskip("onnxruntime")
    from tests.backends.onnx.runtime import session

    theirs, ours, net = pair(5)
    run = session(net.onnx(ours).SerializeToString())
    for size in SIZES:
        image = torch.randn(2, 3, *size)
        with torch.no_grad():
            expected = theirs(image)
        for mine, other in zip(run.run(None, {"image": image.numpy()}), expected, strict=True):
            scale = float(other.abs().max())
            assert float((torch.from_numpy(mine) - other).abs().max()) <= 1e-5 * scale
