"""Model files of ultralytics: modules beside plain PyTorch, scales, heads, paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import netdsl
from netdsl.importers import ultralytics
from netdsl.importers.frontend import Question
from tests.importers import yolo_by_hand as hand

EXAMPLES = Path(__file__).parents[2] / "examples"


def written(folder: Path, rows: list[str], top: str = "nc: 3", name: str = "net.yaml") -> Path:
    """A model file: all rows but the last are the backbone."""
    lines = [top, "backbone:", *(f"  - {row}" for row in rows[:-1]), "head:", f"  - {rows[-1]}"]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


class Row(nn.Module):
    """A convolution and a module behind it, as rows 0 and 1 of a file."""

    def __init__(self, width: int, module: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(hand.Conv(3, width, 3, 2), module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


MODULES: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "[-1, 1, Bottleneck, [16, True]]": (16, lambda: hand.Bottleneck(16, 16)),
    "[-1, 2, C3, [24, False]]": (16, lambda: hand.C3(16, 24, 2, False)),
    "[-1, 2, C2f, [24, True]]": (16, lambda: hand.Split(
        16, 24, 2, lambda w: hand.Bottleneck(w, w, True, e=1.0))),
    "[-1, 2, C3k2, [16, False, 0.25]]": (16, lambda: hand.Split(
        16, 16, 2, lambda w: hand.Bottleneck(w, w), 0.25)),
    "[-1, 1, C3k2, [16, True]]": (16, lambda: hand.Split(16, 16, 1, lambda w: hand.C3(w, w, 2, first=3))),
    "[-1, 1, C3k2, [128, True, 0.5, True]]": (16, lambda: hand.Split(
        16, 128, 1, lambda w: nn.Sequential(hand.Bottleneck(w, w), hand.PSABlock(w, 1)))),
    "[-1, 2, C2fCIB, [16, True]]": (16, lambda: hand.Split(16, 16, 2, lambda w: hand.CIB(w, True))),
    "[-1, 2, C2PSA, [256]]": (256, lambda: hand.C2PSA(256, 2)),
    "[-1, 2, A2C2f, [128, True, 4]]": (128, lambda: hand.A2C2f(128, 128, 2, 4)),
    "[-1, 1, A2C2f, [64, True, 1, True, 1.2]]": (64, lambda: hand.A2C2f(64, 64, 1, 1, True, 1.2)),
    "[-1, 1, SPPF, [24, 5]]": (16, lambda: hand.SPPF(16, 24)),
    "[-1, 1, SPPF, [16, 5, 2, True]]": (16, lambda: hand.SPPF(16, 16, 2, False, True)),
    "[-1, 1, RepNCSPELAN4, [24, 16, 8, 2]]": (16, lambda: hand.Elan(16, 24, 16, 8, 2)),
    "[-1, 1, ADown, [24]]": (16, lambda: hand.ADown(16, 24)),
    "[-1, 1, GhostConv, [24, 3, 2]]": (16, lambda: hand.GhostConv(16, 24, 3, 2)),
    "[-1, 1, AIFI, [32, 4]]": (16, lambda: hand.TransformerLayer(16, 32, 4)),
    "[-1, 2, Conv, [16, 3]]": (16, lambda: nn.Sequential(hand.Conv(16, 16, 3), hand.Conv(16, 16, 3))),
}  # fmt: skip


@pytest.mark.parametrize("row", MODULES)
def test_a_module_is_that_of_the_paper(tmp_path: Path, row: str) -> None:
    """The same keys, and the same numbers at sizes that are not square."""
    width, make = MODULES[row]
    network = netdsl.load(written(tmp_path, [f"[-1, 1, Conv, [{width}, 3, 2]]", row]))
    theirs = Row(width, make()).eval()
    torch.manual_seed(1)
    for name, tensor in theirs.state_dict().items():
        if tensor.is_floating_point():
            low, high = (0.5, 1.5) if name.endswith("var") else (-0.4, 0.4)
            tensor.copy_(torch.empty_like(tensor).uniform_(low, high))
    ours = network.torch(seed=0).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        expected = theirs(x)
        assert torch.allclose(ours(x), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


V8 = """nc: 80
scales:
  n: [0.33, 0.25, 1024]
  m: [0.67, 0.75, 768]
"""
TRUNK = [
    "[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [128, 3, 2]]", "[-1, 3, C2f, [128, True]]",
    "[-1, 1, Conv, [256, 3, 2]]", "[-1, 6, C2f, [256, True]]", "[-1, 1, Conv, [512, 3, 2]]",
    "[-1, 6, C2f, [512, True]]", "[-1, 1, Conv, [1024, 3, 2]]", "[-1, 3, C2f, [1024, True]]",
    "[-1, 1, SPPF, [1024, 5]]", "[-1, 1, nn.Upsample, [None, 2, nearest]]", "[[-1, 6], 1, Concat, [1]]",
    "[-1, 3, C2f, [512]]", "[-1, 1, nn.Upsample, [None, 2, nearest]]", "[[-1, 4], 1, Concat, [1]]",
    "[-1, 3, C2f, [256]]", "[-1, 1, Conv, [256, 3, 2]]", "[[-1, 12], 1, Concat, [1]]",
    "[-1, 3, C2f, [512]]", "[-1, 1, Conv, [512, 3, 2]]", "[[-1, 9], 1, Concat, [1]]", "[-1, 3, C2f, [1024]]",
]  # fmt: skip
"""The layers of YOLOv8, as its paper and its checkpoints have them."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [*TRUNK, "[[15, 18, 21], 1, Detect, [nc]]"]
    return written(tmp_path_factory.mktemp("yolo"), rows, V8)


def test_the_detector_is_the_example(detector: Path) -> None:
    """`examples/yolov8n.net` is tested against published facts by itself."""
    ours, example = netdsl.load(detector).torch(seed=0), netdsl.load(EXAMPLES / "yolov8n.net")
    theirs = example.torch(seed=1)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.allclose(ours.eval()(x), theirs.eval()(x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("scale", "count"), [("n", 3_157_200), ("m", 25_902_640)])
def test_scales_have_the_published_sizes(detector: Path, scale: str, count: int) -> None:
    """Published counts hold the 16 fixed numbers of the boxes' shares."""
    assert netdsl.load(detector, params={"scale": scale}).parameters + 16 == count


def test_the_first_scale_is_taken_where_none_is_said(detector: Path) -> None:
    answer = ultralytics.read(Question(str(detector)))
    assert answer.remarks == ("scale n, the first of the file (`--set scale=m`)",)
    named = written(detector.parent, TRUNK, V8, "yolov8m-trunk.yaml")
    assert ultralytics.read(Question(str(named))).remarks == ()
    assert netdsl.load(named).parameters > 10_000_000


def test_classes_and_channels_may_be_set(detector: Path) -> None:
    network = netdsl.load(detector, params={"nc": "5", "channels": "1"})
    assert [str(size) for size in network.inputs[0].shape] == ["1", "H", "W"]
    assert str(network.outputs[0].shape[0]) == "9"


def test_without_its_head_maps_come_out(detector: Path) -> None:
    network = netdsl.load(detector, params={"head": "false"}, sizes={"H": 64, "W": 96})
    shapes = {one.name: tuple(map(int, one.shape)) for one in network.outputs}
    assert shapes == {"map15": (64, 8, 12), "map18": (128, 4, 6), "map21": (256, 2, 3)}


def test_as_many_channels_as_classes_are_not_scaled(tmp_path: Path) -> None:
    """A rule of the format, there for classifiers, that holds for every module."""
    rows = ["[-1, 1, Conv, [16, 3, 2]]", "[-1, 1, Conv, [64, 3, 2]]"]
    top = "nc: {}\nscales: {{n: [1, 0.5, 1024]}}"
    for classes, width in ((64, 64), (10, 32)):
        network = netdsl.load(written(tmp_path, rows, top.format(classes)))
        assert str(network.outputs[0].shape[0]) == str(width)


def test_classifiers_keep_the_norms_of_pytorch(tmp_path: Path) -> None:
    """Ultralytics sets the constants of norms in all its models but these."""
    trunk = "[-1, 1, Conv, [16, 3, 2]]"
    for head, eps in (("Classify, [nc]", 1e-5), ("Conv, [16]", 1e-3)):
        module = netdsl.load(written(tmp_path, [trunk, f"[-1, 1, {head}]"])).torch(seed=0)
        norms = [one for one in module.modules() if isinstance(one, nn.BatchNorm2d)]
        assert {one.eps for one in norms} == {eps}


HEADS = {
    "Segment, [nc, 8, 64]": {"predictions": (4 + 3 + 8, 16 * 24 // 64 * 5), "prototypes": (8, 16, 24)},
    "Pose, [nc, kpt_shape]": {"predictions": (4 + 3 + 5 * 3, 30)},
    "OBB, [nc, 1]": {"predictions": (4 + 3 + 1, 30)},
    "v10Detect, [nc]": {"predictions": (4 + 3, 30)},
    "Classify, [nc]": {"probabilities": (3,)},
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_what_heads_give(tmp_path: Path, head: str) -> None:
    """A column for each place of two maps of 4x6 and 2x3, and more."""
    source = "-1" if "Classify" in head else "[0, 1]"
    rows = ["[-1, 1, Conv, [16, 8, 8, 0]]", "[-1, 1, Conv, [32, 3, 2]]", f"[{source}, 1, {head}]"]
    top = "nc: 3\nkpt_shape: [5, 3]"
    sizes = {"H": 32, "W": 48}
    network = netdsl.load(written(tmp_path, rows, top), sizes=sizes)
    shapes = {one.name: tuple(map(int, one.shape)) for one in network.outputs}
    if "prototypes" in shapes:
        assert shapes.pop("prototypes") == (8, 8, 12)
        assert shapes == {"predictions": (15, 30)}
    else:
        assert shapes == HEADS[head]
    module = network.torch(seed=0).eval()
    with torch.no_grad():
        result = module(torch.randn(1, 3, 32, 48))
    assert all(one.isfinite().all() for one in (result if isinstance(result, tuple) else (result,)))


def test_an_oriented_box_turns(tmp_path: Path) -> None:
    """Where the angle is 0, boxes are those of the plain head; the angle comes from -45 degrees on."""
    rows = ["[-1, 1, Conv, [16, 8, 8, 0]]", "[-1, 1, Conv, [32, 3, 2]]"]
    plain = netdsl.load(written(tmp_path, [*rows, "[[0, 1], 1, Detect, [nc]]"], name="a.yaml"))
    turned = netdsl.load(written(tmp_path, [*rows, "[[0, 1], 1, OBB, [nc, 1]]"], name="b.yaml"))
    theirs, ours = plain.torch(seed=0).eval(), turned.torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    x = torch.randn(1, 3, 32, 48)
    for angle, bias in ((0.0, -1.0986123), (torch.pi / 4, 0.0)):
        for level in "01":
            last = ours.get_submodule(f"model.2.cv4.{level}.2")
            last.weight.data.zero_()
            last.bias.data.fill_(bias)
        with torch.no_grad():
            boxes, expected = ours(x)[0], theirs(x)[0]
        assert torch.allclose(boxes[-1], torch.full_like(boxes[-1], angle), atol=1e-6)
        assert torch.allclose(boxes[2:7], expected[2:7], atol=1e-4)
        assert torch.allclose(boxes[:2], expected[:2], atol=1e-4) == (angle == 0)


def test_keypoints_are_in_pixels(tmp_path: Path) -> None:
    """A point of a place is twice its numbers from the place's first corner, in cells."""
    rows = ["[-1, 1, Conv, [16, 8, 8, 0]]", "[-1, 1, Conv, [32, 3, 2]]", "[[0, 1], 1, Pose, [nc, kpt_shape]]"]  # fmt: skip
    module = netdsl.load(written(tmp_path, rows, "nc: 3\nkpt_shape: [2, 3]")).torch(seed=0).eval()
    for level in "01":
        last = module.get_submodule(f"model.2.cv4.{level}.2")
        last.weight.data.zero_()
        last.bias.data.copy_(torch.tensor([0.5, 0.25, 0.0, -0.5, 1.0, 0.0]))
    with torch.no_grad():
        points = module(torch.randn(1, 3, 32, 48))[0][7:]
    columns = torch.cat([torch.arange(6.0).repeat(4) * 8, torch.arange(3.0).repeat(2) * 16])
    rows_at = torch.cat([torch.arange(4.0).repeat_interleave(6) * 8, torch.arange(2.0).repeat_interleave(3) * 16])  # fmt: skip
    step = torch.cat([torch.full((24,), 8.0), torch.full((6,), 16.0)])
    expected = [columns + step, rows_at + step / 2, 0.5, columns - step, rows_at + 2 * step, 0.5]
    for point, value in zip(points, expected, strict=True):
        assert torch.allclose(point, torch.as_tensor(value).expand(30), atol=1e-4)
