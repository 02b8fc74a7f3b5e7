"""Frames and random crops against the rules that Ultralytics and torchvision follow."""

from __future__ import annotations

from random import Random

import pytest

import netdsl

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch.nn.functional as F  # noqa: E402

from netdsl.backends.torch.helpers.resize import RandomResizedCrop  # noqa: E402
from tests.backends.onnx.runtime import check_file, session  # noqa: E402
from tests.sampling import FULL  # noqa: E402
from tests.torchvision_models import torchvision_v2  # noqa: E402

CASES = 200 if FULL else 40
LEVEL = 1
"""How far levels may lie apart: a half that is rounded the other way."""


def both(layer: str, dtype: str):
    """The layer in PyTorch and in ONNX Runtime, at open sizes."""
    network = netdsl.loads(f"net A {{ input x: {dtype} [3, H, W]\n output y = x -> {layer} }}")
    assert str(network.sizes) == "any H, any W"
    module = network.torch().eval()
    model = network.onnx(module)
    check_file(model)
    running = session(model.SerializeToString())
    return [module, lambda x: torch.from_numpy(running.run(None, {"x": x.numpy()})[0])]


def drawn(random: Random, dtype: str):
    """A picture of a size between 1 and 70, or a long one."""
    size = [random.randint(1, 70), random.randint(1, 70)]
    if random.random() < 0.1:
        size[random.randrange(2)] = random.randint(300, 900)
    levels = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    return levels if dtype == "uint8" else levels / 255


def close(found, wanted) -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    bound = LEVEL if wanted.dtype == torch.uint8 else 2e-4
    assert float((found.double() - wanted.double()).abs().max()) <= bound


def by_interpolate(x, size, mode: str, antialias: bool):
    if antialias and size[1] == 1:
        return by_columns(x, size[0], mode)
    y = F.interpolate(x.float(), size=size, mode=mode, antialias=antialias)
    return y.round().clamp(0, 255).to(torch.uint8) if x.dtype == torch.uint8 else y


def by_columns(x, height: int, mode: str):
    """To one column, where PyTorch is wrong at once: rows as columns, then the column four times."""
    column = F.interpolate(x.float(), size=(x.shape[2], 1), mode=mode, antialias=True)
    wide = torch.cat([column] * 4, 3)
    y = F.interpolate(wide, size=(height, 4), mode=mode, antialias=True)[..., :1]
    return y.round().clamp(0, 255).to(torch.uint8) if x.dtype == torch.uint8 else y


def framed(x, frame, fill: float, mode: str, antialias: bool):
    """Ultralytics' LetterBox, written down: r = min ratio, sides rounded, halves by -/+ 0.1."""
    height, width = x.shape[-2:]
    r = min(frame[0] / height, frame[1] / width)
    new = [max(1, round(height * r)), max(1, round(width * r))]
    dh, dw = (frame[0] - new[0]) / 2, (frame[1] - new[1]) / 2
    top, left = round(dh - 0.1), round(dw - 0.1)
    wanted = torch.full((*x.shape[:2], *frame), fill, dtype=x.dtype)
    inner = x if new == [height, width] else by_interpolate(x, new, mode, antialias)
    wanted[:, :, top : top + new[0], left : left + new[1]] = inner
    assert top + new[0] + round(dh + 0.1) == frame[0]
    assert left + new[1] + round(dw + 0.1) == frame[1]
    return wanted


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    ("mode", "antialias"),
    [("bilinear", False), ("bilinear", True), ("bicubic", True), ("bicubic", False)],
)
def test_letterbox_follows_the_rule_of_ultralytics(dtype: str, mode: str, antialias: bool) -> None:
    random = Random(f"letterbox {dtype} {mode} {antialias}")
    for frame in (32, 32), (20, 33):
        fill = 114 if dtype == "uint8" else 0.25
        layer = f"letterbox({frame[0]}x{frame[1]}, fill={fill}, mode={mode}, antialias={str(antialias).lower()})"
        ways = both(layer, dtype)
        for _ in range(CASES // 4):
            x = drawn(random, dtype)
            wanted = framed(x, frame, fill, mode, antialias)
            for way in ways:
                close(way(x), wanted)


@pytest.mark.parametrize("layer", ["letterbox(20x33", "random_resized_crop(16"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", ["true", "false"])
def test_levels_are_the_same_in_onnx_and_floats_but_for_rounding(
    layer: str, mode: str, antialias: str
) -> None:
    random = Random(f"{layer} {mode} {antialias}")
    written = f"{layer}, mode={mode}, antialias={antialias})"
    for dtype, most in ("uint8", 0), ("float32", 5e-6):
        module, running = both(written, dtype)
        for _ in range(CASES // 2):
            x = drawn(random, dtype)
            assert float((module(x).double() - running(x).double()).abs().max()) <= most


def test_a_letterbox_is_114_unless_it_is_said() -> None:
    for way in both("letterbox(8)", "uint8"):
        found = way(torch.full((1, 3, 4, 8), 9, dtype=torch.uint8))
        assert found[0, 0, :, 0].tolist() == [114, 114, 9, 9, 9, 9, 114, 114]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_at_inference_it_is_resize_and_center_crop(dtype: str, mode: str) -> None:
    v2 = torchvision_v2()
    random = Random(f"crop {dtype} {mode}")
    for size, crop in (28, 0.875), (21, 0.7), (16, 1):
        short = int(size / crop)
        ways = both(f"random_resized_crop({size}, crop={crop}, mode={mode})", dtype)
        steps = v2.Compose([
            v2.Resize(short, interpolation=v2.InterpolationMode(mode), antialias=True),
            v2.CenterCrop(size),
        ])  # fmt: skip
        for _ in range(CASES // 4):
            x = drawn(random, dtype)
            wanted = steps(x.float())
            wanted = wanted.round().clamp(0, 255).to(torch.uint8) if dtype == "uint8" else wanted
            for way in ways:
                close(way(x), wanted)


def test_it_is_within_a_level_of_pillow() -> None:
    Image = pytest.importorskip("PIL.Image")
    v2 = torchvision_v2()
    (module, running), random = both("random_resized_crop(28)", "uint8"), Random("pillow")
    steps = v2.Compose([v2.Resize(32), v2.CenterCrop(28)])
    for _ in range(CASES):
        x = drawn(random, "uint8")[:1]
        image = steps(Image.fromarray(x[0].permute(1, 2, 0).numpy()))
        wanted = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]
        for way in module, running:
            assert int((way(x).int() - wanted.int()).abs().max()) <= LEVEL


def places(size: tuple[int, int], count: int, **settings):
    torch.manual_seed(0)
    layer = RandomResizedCrop(8, 9, **settings)
    return torch.tensor([layer.place(*size) for _ in range(count)], dtype=torch.float64)


def torchvision_places(size: tuple[int, int], count: int, scale, ratio):
    v2 = torchvision_v2()
    torch.manual_seed(1)
    cut = v2.RandomResizedCrop(8, scale=scale, ratio=ratio)
    x = torch.zeros(1, *size)
    rows = [cut.make_params([x]) for _ in range(count)]
    return torch.tensor([[r["top"], r["left"], r["height"], r["width"]] for r in rows]).double()


@pytest.mark.parametrize("size", [(200, 300), (300, 200), (128, 128)])
def test_parts_are_drawn_as_torchvision_draws_them(size: tuple[int, int]) -> None:
    """Areas and ratios lie within their bounds, and their quantiles are those of torchvision."""
    scale, ratio, count = (0.08, 1.0), (3 / 4, 4 / 3), 4000
    ours, theirs = places(size, count), torchvision_places(size, count, scale, ratio)
    steps = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    for found in ours, theirs:
        top, left, height, width = found.T
        assert bool((top >= 0).all() and (top + height <= size[0]).all())
        assert bool((left >= 0).all() and (left + width <= size[1]).all())
        area, slope = height * width / (size[0] * size[1]), width / height
        assert 0.07 < float(area.min()) < 0.11
        assert float(area.max()) <= 1.0
        assert float(slope.min()) > 0.70
        assert float(slope.max()) < 1.42
    for column in range(4):
        a, b = (found[:, column].quantile(steps) for found in (ours, theirs))
        assert float((a - b).abs().max()) < 0.06 * max(size), column
    slopes = [(f[:, 3] / f[:, 2]).log().quantile(steps) for f in (ours, theirs)]
    assert float((slopes[0] - slopes[1]).abs().max()) < 0.05


@pytest.mark.parametrize("size", [(4, 400), (400, 4), (1, 1), (1, 9000), (30, 31), (7, 5)])
@pytest.mark.parametrize("ratio", [(3 / 4, 4 / 3), (2.0, 2.0), (0.5, 0.6)])
def test_where_no_part_fits_it_is_the_middle(
    size: tuple[int, int], ratio: tuple[float, float]
) -> None:
    """A share of the area that no part can have: torchvision gives up after ten tries, too."""
    settings = {"scale": (1.0, 1.0), "ratio": ratio}
    ours = places(size, 20, **settings)
    theirs = torchvision_places(size, 20, *settings.values())
    assert {tuple(row) for row in ours.tolist()} & {tuple(row) for row in theirs.tolist()}


def test_each_sample_has_its_own_part_in_training() -> None:
    text = "net A { input x: uint8 [3, H, W]\n output y = x -> random_resized_crop(6, scale=[0.2, 0.5]) }"
    module = netdsl.loads(text).torch()
    x = (torch.arange(40 * 50) % 256).to(torch.uint8).reshape(40, 50).expand(5, 3, 40, 50)
    torch.manual_seed(0)
    found = module.train()(x)
    assert found.shape == (5, 3, 6, 6)
    assert found.dtype == torch.uint8
    assert len({tuple(sample.flatten().tolist()) for sample in found}) == 5
    again = module.eval()
    assert torch.equal(again(x)[0], again(x)[4])


@pytest.mark.parametrize(
    ("layer", "dtype", "told"),
    [
        ("letterbox(0)", "uint8", "size must be at least 1"),
        ("letterbox(8, fill=256)", "uint8", "a level is a whole number from 0 to 255, not 256"),
        ("letterbox(8, fill=0.5)", "uint8", "a level is a whole number from 0 to 255, not 0.5"),
        ("letterbox(8)", "int64", "takes levels (uint8) or floats"),
        ("random_resized_crop(8x9)", "uint8", "kept as a square, not 8x9"),
        ("random_resized_crop(8, crop=1.5)", "uint8", "above 0 and at most 1"),
        ("random_resized_crop(8, scale=[1, 0.5])", "uint8", "the least first"),
        ("random_resized_crop(8, ratio=[0.5])", "uint8", "two numbers above 0"),
        ("random_resized_crop(8, mode=nearest)", "uint8", "nearest"),
    ],
)
def test_what_is_refused(layer: str, dtype: str, told: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(f"net A {{ input x: {dtype} [3, H, W]\n output y = x -> {layer} }}")
    assert told in str(caught.value)
