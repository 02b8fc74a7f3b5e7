"""Crops against TensorFlow's rule and torchvision's transforms, in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from random import Random

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402
from tests.sampling import FULL  # noqa: E402
from tests.torchvision_models import torchvision_v2  # noqa: E402

CASES = 200 if FULL else 60
OPEN = "H, W"


def answers(layer: str, dtype: str, shape: str, x):
    """What PyTorch and ONNX Runtime give for a layer."""
    text = f"net A {{ input x: {dtype} [3, {shape}]\n output y = x -> {layer} }}"
    network = netdsl.loads(text)
    module = network.torch().eval()
    model = network.onnx(module)
    check_file(model)
    (theirs,) = session(model.SerializeToString()).run(None, {"x": x.numpy()})
    return [module(x), torch.from_numpy(theirs)]


def drawn(random: Random, dtype: str, least: int = 1):
    """A batch of two maps that no two cells of are alike, and a size."""
    height, width = (random.randint(least, 12) for _ in range(2))
    x = torch.randperm(2 * 3 * height * width).reshape(2, 3, height, width)
    return x.to(getattr(torch, dtype)), height, width


def along(cells: list[int], size: int) -> list[int | None]:
    """TensorFlow's rule along an axis, as its documentation has it.

    "If width is greater than target width, this op centrally crops; if smaller, this op centrally
    pads with 0": what is over or missing is halved, and the odd one is at the end.
    """
    if len(cells) >= size:
        start = (len(cells) - size) // 2
        return cells[start : start + size]
    missing = size - len(cells)
    before = missing // 2
    return [None] * before + cells + [None] * (missing - before)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("shape", [OPEN, "fixed"])
def test_crop_or_pad_follows_the_rule_of_tensorflow(dtype: str, shape: str) -> None:
    random = Random(f"crop_or_pad {dtype} {shape}")
    for _ in range(CASES // 2):
        x, height, width = drawn(random, dtype)
        size = random.randint(1, 12), random.randint(1, 12)
        wanted = torch.zeros((2, 3, *size), dtype=x.dtype)
        for i, row in enumerate(along(list(range(height)), size[0])):
            for j, column in enumerate(along(list(range(width)), size[1])):
                if row is not None and column is not None:
                    wanted[:, :, i, j] = x[:, :, row, column]
        layer = f"crop_or_pad({size[0]}x{size[1]})"
        for found in answers(layer, dtype, OPEN if shape == OPEN else f"{height}, {width}", x):
            assert found.dtype == wanted.dtype
            assert torch.equal(found, wanted), (height, width, size)


def test_crop_or_pad_takes_the_size_of_another_value() -> None:
    text = "net A { input x: [3, H, W]\n input y: [1, P, Q]\n output z = x -> crop_or_pad(size=y) }"
    network = netdsl.loads(text)
    assert network.outputs[0].shape == (3, *network.inputs[1].shape[1:])
    found = network.torch().eval()(torch.ones(1, 3, 5, 9), torch.ones(1, 1, 7, 4))
    assert found[0, 0].sum(1).tolist() == [0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("count", [5, 10])
@pytest.mark.parametrize("shape", [OPEN, "fixed"])
def test_crops_are_those_of_torchvision(dtype: str, count: int, shape: str) -> None:
    v2 = torchvision_v2()
    random = Random(f"crops {dtype} {count} {shape}")
    for _ in range(CASES // 4):
        x, height, width = drawn(random, dtype)
        size = random.randint(1, height), random.randint(1, width)
        cut = (v2.FiveCrop if count == 5 else v2.TenCrop)(size)
        wanted = torch.stack(cut(x), 1)
        layer = f"crops(({size[0]}, {size[1]}), n={count})"
        for found in answers(layer, dtype, OPEN if shape == OPEN else f"{height}, {width}", x):
            assert found.dtype == wanted.dtype
            assert torch.equal(found, wanted), (height, width, size)


def test_the_mean_over_ten_crops() -> None:
    """As torchvision's documentation writes it: crops as a batch, then the mean of the outputs."""
    v2 = torchvision_v2()
    text = """
    net A {
        input x: [3, H, W]
        output y = x -> crops(6, n=10) -> each { conv: conv(4, 3) -> relu -> global_avgpool } -> mean(axis=0)
    }
    """
    network = netdsl.loads(text)
    module = network.torch(seed=3).eval()
    assert {*module.state_dict()} == {"conv.weight", "conv.bias"}
    conv = torch.nn.Conv2d(3, 4, 3)
    conv.load_state_dict({k.removeprefix("conv."): v for k, v in module.state_dict().items()})
    running = session(network.onnx(module).SerializeToString())
    for height, width in (6, 6), (9, 7), (13, 8):
        x = torch.randn(2, 3, height, width)
        crops = torch.stack(v2.TenCrop(6)(x), 1)
        wanted = conv(crops.flatten(0, 1)).relu().mean((2, 3)).view(2, 10, 4).mean(1)
        torch.testing.assert_close(module(x), wanted)
        (theirs,) = running.run(None, {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(theirs), wanted)
    assert str(network.sizes) == "any H >= 6, any W >= 6"


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_the_middle_of_torchvision(dtype: str) -> None:
    v2 = torchvision_v2()
    random = Random(f"center_crop {dtype}")
    for number in range(CASES):
        x, height, width = drawn(random, dtype)
        size = random.randint(1, height), random.randint(1, width)
        wanted = v2.CenterCrop(size)(x)
        layer = f"center_crop(({size[0]}, {size[1]}), rounding=round)"
        shape = OPEN if number % 2 else f"{height}, {width}"
        for found in answers(layer, dtype, shape, x):
            assert torch.equal(found, wanted), (height, width, size)


@pytest.mark.parametrize(("rounding", "first"), [("floor", 1), ("round", 2), ("ceil", 2)])
def test_half_a_cell_is_rounded_as_is_said(rounding: str, first: int) -> None:
    """Of 7 cells 4 are kept: 3 are left over, and 1 and a half come before."""
    x = torch.arange(7.0).expand(1, 3, 7, 7)
    for shape in OPEN, "7, 7":
        for found in answers(f"center_crop(4, rounding={rounding})", "float32", shape, x):
            assert found[0, 0, 0].tolist() == [first, first + 1, first + 2, first + 3]


def test_flips_are_drawn_for_each_sample_in_training_alone() -> None:
    text = "net A { input x: uint8 [3, H, W]\n output y = x -> random_flip(0.3) }"
    module = netdsl.loads(text).torch()
    x = torch.arange(6, dtype=torch.uint8).expand(4000, 3, 2, 6)
    assert torch.equal(module.eval()(x), x)
    torch.manual_seed(0)
    found = module.train()(x)
    mirrored = (found == x.flip(-1)).flatten(1).all(1)
    same = (found == x).flatten(1).all(1)
    assert bool((mirrored ^ same).all())
    assert 0.27 < mirrored.float().mean() < 0.33
    again = module(x)
    assert not torch.equal(again, found)


def test_flips_that_always_or_never_come() -> None:
    for share, wanted in (1, [5, 4, 3, 2, 1, 0]), (0, [0, 1, 2, 3, 4, 5]):
        text = f"net A {{ input x: [1, H, W]\n output y = x -> random_flip({share}) }}"
        module = netdsl.loads(text).torch().train()
        x = torch.arange(6.0).expand(8, 1, 2, 6)
        assert module(x)[:, 0, 1].tolist() == [wanted] * 8


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("crops(224, n=3)", "there are 5 crops, or 10 with the mirrored ones, not 3"),
        ("crops(9)", "9 cells can't be cut from a height of 8"),
        ("crops((4, 5, 6))", "has 3 parts"),
        ("crop_or_pad(0)", "the height would be 0"),
        ("random_flip(1.5)", "a share lies between 0 and 1"),
        ("center_crop(4, rounding=even)", "even"),
    ],
)
def test_what_is_refused(layer: str, told: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(f"net A {{ input x: [3, 8, 8]\n output y = x -> {layer} }}")
    assert told in str(caught.value)
