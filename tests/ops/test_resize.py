"""`resize` beside torchvision, `F.interpolate` and Pillow, at sizes that grow and that shrink."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.sampling import FULL

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
Image = pytest.importorskip("PIL.Image")

import torch.nn.functional as F  # noqa: E402

from netdsl.backends.torch.helpers import resize as helper  # noqa: E402
from tests.backends.onnx.runtime import outputs, session  # noqa: E402
from tests.ops import tensorflow_area  # noqa: E402
from tests.torchvision_models import torchvision_transforms  # noqa: E402

SIZES = 200
"""Pairs of an image and a result, half of them given by the shorter side."""
LARGEST = 400 if FULL else 120
MODES = {
    "bilinear": {"mode": "bilinear", "antialias": True},
    "bicubic": {"mode": "bicubic", "antialias": True},
    "bilinear, antialias=false": {"mode": "bilinear", "antialias": False},
    "bicubic, antialias=false": {"mode": "bicubic", "antialias": False},
    "nearest": {"mode": "nearest-exact"},
    "nearest_floor": {"mode": "nearest"},
}
"""What `F.interpolate` is to be told."""


@cache
def running(mode: str, dtype: str, size: str) -> tuple[netdsl.Network, Any, Any]:
    """A network that resizes, its module in evaluation mode, and its ONNX file in the runtime."""
    network = netdsl.loads(
        f"net A {{\n    input x: {dtype} [3, H, W]\n    output y = x -> resize({size}, mode={mode})\n}}"
    )
    module = network.torch(seed=0).eval()
    return network, module, session(network.onnx(module).SerializeToString())


def both(mode: str, size: str, x: Any) -> Any:
    """What PyTorch gives; ONNX Runtime gives the same levels, and floats but for rounding."""
    dtype = str(x.dtype).removeprefix("torch.")
    network, module, run = running(mode, dtype, size)
    (wanted,) = outputs(module, [x])
    (found,) = run.run(None, {"x": x.numpy()})
    at = {"H": x.shape[-2], "W": x.shape[-1]}
    shape = [evaluate(n, at) for n in network.outputs[0].shape]
    assert list(wanted.shape[1:]) == list(found.shape[1:]) == shape
    assert wanted.dtype == found.dtype == x.numpy().dtype
    if x.dtype == torch.uint8:
        assert (wanted == found).all(), (mode, size, x.shape)
    else:
        # weights are worked out from places along an axis, which float32 has to 6e-8 of the axis
        scale = max(float(x.abs().max()), 1.0) * max(*x.shape[-2:], *shape[-2:])
        assert np.abs(wanted - found).max() < max(2e-8 * scale, 4e-6), (mode, size, x.shape)
    return torch.from_numpy(wanted)


def sizes(draw: Random, count: int) -> list[tuple[tuple[int, int], str, list[int]]]:
    """Of an image, and of the result as a file and as torchvision have it; few files, many images."""
    wanted = []
    for number in range(count // 10):
        a, b = draw.randint(1, LARGEST), draw.randint(1, LARGEST)
        wanted.append((f"{a}x{b}", [a, b]) if number % 2 else (str(a), [a]))
    return [
        ((draw.randint(2, LARGEST), draw.randint(2, LARGEST)), *wanted[number % len(wanted)])
        for number in range(count)
    ]


def images(draw: Random, shape: tuple[int, int]) -> tuple[Any, Any]:
    """An image of noise, the hardest there is, as levels and as the same numbers in floats."""
    random = torch.Generator().manual_seed(draw.randrange(2**30))
    levels = torch.randint(0, 256, (2, 3, *shape), dtype=torch.uint8, generator=random)
    return levels, levels.float()


def is_sound(mode: str, shape: list[int]) -> bool:
    """Whether PyTorch smooths rightly: not where columns have one cell."""
    return "false" in mode or "nearest" in mode or shape[-1] > 1


@pytest.mark.parametrize("mode", MODES)
def test_floats_are_those_of_pytorch_and_torchvision(mode: str) -> None:
    draw, transforms = Random(mode), torchvision_transforms()
    grown = shrunk = 0
    for shape, size, listed in sizes(draw, SIZES):
        _, x = images(draw, shape)
        x = x / 255
        found = both(mode, size, x)
        way = dict(MODES[mode])
        target = transforms.resize(x[:, :1], listed).shape[-2:]
        assert found.shape[-2:] == target
        if is_sound(mode, list(target)):
            assert torch.equal(found, F.interpolate(x, size=target, **way))
        grown, shrunk = grown + (target > shape), shrunk + (target < shape)
    assert grown > SIZES // 5
    assert shrunk > SIZES // 5


@pytest.mark.parametrize("mode", MODES)
def test_levels_are_those_of_floats_rounded(mode: str) -> None:
    """In double precision; at halves the even level, whichever way rounding goes."""
    draw, transforms = Random(f"levels {mode}"), torchvision_transforms()
    for shape, size, listed in sizes(draw, SIZES):
        levels, x = images(draw, shape)
        found = both(mode, size, levels)
        target = transforms.resize(x[:, :1], listed).shape[-2:]
        if not is_sound(mode, list(target)):
            continue
        wide = x if "nearest" in mode else x.double()  # which has other nearest cells
        exact = F.interpolate(wide, size=target, **MODES[mode]).double()
        apart = (found.double() - exact.clamp(0, 255)).abs()
        assert apart.max() <= 0.5 + 1e-6
        ties = (exact - exact.floor() - 0.5).abs() < 1e-7
        assert (found[ties & (exact > 0) & (exact < 255)] % 2 == 0).all()


@pytest.mark.parametrize(
    ("mode", "filter"),
    [("bilinear", "BILINEAR"), ("bicubic", "BICUBIC")],
)
def test_levels_are_within_one_of_torchvision_and_pillow(mode: str, filter: str) -> None:
    """They round between the two axes, and cut off what is beyond 255 there: not in these images."""
    draw, transforms = Random(f"pillow {mode}"), torchvision_transforms()
    from torchvision.transforms import InterpolationMode

    way = getattr(InterpolationMode, filter)
    for shape, size, listed in sizes(draw, SIZES):
        levels = 64 + images(draw, shape)[0] // 2
        found = both(mode, size, levels)
        picture = Image.fromarray(levels[0].permute(1, 2, 0).numpy())
        height, width = found.shape[-2:]
        pillow = picture.resize((width, height), getattr(Image.Resampling, filter))
        theirs = torch.from_numpy(np.array(pillow)).permute(2, 0, 1)
        assert (found[0].int() - theirs.int()).abs().max() <= 1, (shape, size)
        if is_sound(mode, [height, width]):
            tensors = transforms.resize(levels, listed, interpolation=way, antialias=True)
            assert (found.int() - tensors.int()).abs().max() <= 1, (shape, size)


def test_columns_of_one_cell() -> None:
    """Where PyTorch's own smoothing goes wrong: beside Pillow, which does not."""
    draw = Random("columns")
    for mode, filter in ("bilinear", "BILINEAR"), ("bicubic", "BICUBIC"):
        for size in "7x1", "1", "1x1", "2x1":
            levels = 64 + images(draw, (draw.randint(3, 40), draw.randint(2, 9)))[0] // 2
            x = levels.float()
            found, floats = both(mode, size, levels), both(mode, size, x)
            picture = Image.fromarray(levels[0].permute(1, 2, 0).numpy())
            pillow = picture.resize(found.shape[:-3:-1], getattr(Image.Resampling, filter))
            theirs = torch.from_numpy(np.array(pillow)).permute(2, 0, 1).int()
            assert (found[0].int() - theirs).abs().max() <= 1
            assert (floats[0].clamp(0, 255) - theirs).abs().max() <= 1.5


def test_area_is_the_mean_of_what_lies_under_a_cell() -> None:
    """Whole factors: `avg_pool2d` where it shrinks, and copies where it grows."""
    draw = Random("area")
    for n, m in (2, 3), (4, 1), (5, 7):
        levels, x = images(draw, (6 * n, 5 * m))
        assert torch.allclose(both("area", "6x5", x), F.avg_pool2d(x, (n, m)), atol=1e-4)
        copies = x[:, :, :6, :5].contiguous()
        grown = copies.repeat_interleave(n, 2).repeat_interleave(m, 3)
        assert torch.equal(both("area", f"{6 * n}x{5 * m}", copies), grown)
        exact = F.avg_pool2d(x.double(), (n, m))
        assert (both("area", "6x5", levels) - exact).abs().max() <= 0.5


def test_a_round_robin_takes_each_mode_in_training_only() -> None:
    """Each image has one of the four; in evaluation, and in ONNX, it is `mode`."""
    text = "net A { input x: [3, H, W]\n output y = x -> resize(9x11, mode=bicubic, method=round_robin) }"
    network = netdsl.loads(text)
    _, x = images(Random("robin"), (31, 22))
    x = x[:1].repeat(64, 1, 1, 1)
    module = network.torch(seed=0)
    torch.manual_seed(0)
    drawn = module.train()(x)
    each = [both(mode, "9x11", x[:1]) for mode in ("bilinear", "nearest", "bicubic", "area")]
    seen = [sum(torch.allclose(one, way[0], atol=1e-4) for one in drawn) for way in each]
    assert sum(seen) == 64
    assert min(seen) >= 6
    assert torch.equal(module.eval()(x[:1]), each[2])
    (found,) = session(network.onnx(module).SerializeToString()).run(None, {"x": x[:1].numpy()})
    assert np.abs(found - each[2].numpy()).max() < 1e-3


def test_gradients_reach_the_image() -> None:
    for mode in [*MODES, "area"]:
        _, module, _ = running(mode, "float32", "5x4")
        x = torch.rand(1, 3, 17, 9, requires_grad=True)
        module(x).sum().backward()
        assert torch.isfinite(x.grad).all()
        assert x.grad.abs().sum() > 1


def test_torch_export_leaves_sizes_open() -> None:
    """One program for images that lie and that stand."""
    module = photo("resize(48) -> center_crop(32)").torch(seed=0).eval()
    levels, _ = images(Random("export"), (50, 70))
    open_sizes = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    program = torch.export.export(module, (levels,), dynamic_shapes=(open_sizes,)).module()
    for shape in (50, 70), (91, 40), (33, 33):
        levels, _ = images(Random("export"), shape)
        assert torch.equal(program(levels), module(levels))


# --- sizes ---------------------------------------------------------------------------------------


def photo(stages: str, where: str = "") -> netdsl.Network:
    return netdsl.loads(
        f"net A {{\n    input x: uint8 [3, H, W]{where}\n    output y = x -> {stages}\n}}"
    )


def test_the_shorter_side_is_at_least_what_it_says() -> None:
    network = photo("resize(256)")
    assert str(network.outputs[0].value.type) == (
        "uint8 [3, max(256, floor(256*H/W)), max(256, floor(256*W/H))]"
    )
    assert str(photo("resize(256) -> center_crop(224)").sizes) == "any H, any W"
    assert photo("resize(256) -> center_crop(224)").outputs[0].shape == (3, 224, 224)
    assert photo("resize(256) -> to_float -> conv(8, 7, stride=2) -> maxpool(3)").sizes.accepts(
        H=1, W=3000
    )


def test_an_image_that_is_square_stays_so() -> None:
    network = netdsl.loads("net A {\n input x: [3, S, S]\n output y = x -> resize(48)\n}")
    assert network.outputs[0].shape == (3, 48, 48)


@pytest.mark.parametrize(
    "stages",
    ["resize(256) -> center_crop(257)", "resize(64) -> [3, 64, 64]",
     "resize(64) -> to_float -> add { identity ; maxpool(2) -> upsample(2) }",
     "resize(16) -> to_float -> conv(8, 17)"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["", " where H >= 32, W >= 32"])
def test_what_cannot_be_proved_says_what_to_write(stages: str, where: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as error:
        photo(stages, where)
    for diagnostic in error.value.diagnostics:
        assert diagnostic.code in ("undecided-size", "shape-mismatch")
        help = " ".join(diagnostic.help)
        for way in "center_crop(224)", "resize(224x224)", "pad_to(multiple=32)":
            assert diagnostic.code != "undecided-size" or way in help


def test_what_can_be_proved_is_no_condition() -> None:
    """Two ways to the same size, and a size that is at least what is asked, in halves."""
    network = photo("resize(64) -> to_float -> add { relu ; conv(3, 3, padding=1) }")
    assert network.sizes.constraints == ()
    assert (
        str(photo("resize(64) -> to_float -> maxpool(2) -> center_crop(32)").sizes)
        == "any H, any W"
    )


@pytest.mark.parametrize(
    ("stage", "why"),
    [("resize(0)", "at least 1"), ("resize(4x0)", "at least 1"), ("resize((4, 5, 6))", "2 sides"),
     ("resize(9, mode=area, antialias=false)", "never smooths"), ("resize(9, mode=lanczos)", "lanczos"),
     ("flatten -> resize(9)", "images")],
)  # fmt: skip
def test_refusals(stage: str, why: str) -> None:
    with pytest.raises(netdsl.DiagnosticError, match=why):
        photo(stage)


# --- TensorFlow ------------------------------------------------------------------------------------


def test_area_is_that_of_tensorflow() -> None:
    """At 200 sizes that TensorFlow was run at (`tensorflow_area.py`)."""
    checked = 0
    for (image, size), theirs in zip(
        tensorflow_area.cases(), tensorflow_area.results(), strict=True
    ):
        levels = torch.from_numpy(image)[None, None].repeat(1, 3, 1, 1)
        if checked % 10:  # without ONNX, of which each size is a file of its own
            resized = helper.resized(levels.float(), size, "area", antialias=True)
        else:
            resized = both("area", f"{size[0]}x{size[1]}", levels.float())
            rounded = both("area", f"{size[0]}x{size[1]}", levels)
            assert (rounded[0, 0].double().numpy() - theirs).max() <= 0.51
        assert np.abs(resized[0, 2].numpy() - theirs).max() < 0.02, (image.shape, size)
        checked += 1
    assert checked == 200
