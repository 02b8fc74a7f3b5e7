"""Transformers, segmentation networks and pyramids, and their parts, against torchvision."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

import netdsl
from tests.examples import FOLDER, example, network, norm_constants, restless

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from tests.torchvision_models import torchvision_models  # noqa: E402

CORPUS = FOLDER.parents[1] / "shared" / "corpus" / "torchvision" / "reference.json"
NO_WEIGHTS = {"weights": None, "weights_backbone": None}


class Facts(NamedTuple):
    """Parameters at inference and with all heads, multiply-adds at the published size, sizes."""

    parameters: int
    all_parameters: int
    macs: int
    sizes: tuple[tuple[int, int], ...]
    published: int = 224


MODELS = {
    "vit_b_16": Facts(86_567_656, 86_567_656, 17_563_828_224, ((224, 224),)),
    "swin_t": Facts(28_288_354, 28_288_354, 4_490_566_656, ((4, 4), (61, 97), (57, 28))),
    "swin_v2_t": Facts(28_351_570, 28_351_570, 5_939_690_496, ((4, 4), (61, 97), (57, 28)), 256),
    "maxvit_t": Facts(30_919_624, 30_919_624, 5_558_046_720, ((224, 224),)),
    "fcn_resnet50": Facts(32_957_013, 35_322_218, 26_484_498_432, ((1, 1), (33, 70))),
    "deeplabv3_resnet50": Facts(39_638_869, 42_004_074, 31_310_548_992, ((1, 1), (33, 70))),
    "lraspp_mobilenet_v3_large": Facts(3_221_538, 3_221_538, 379_281_312, ((1, 1), (33, 70))),
}
SEGMENTS = ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")


@cache
def theirs(name: str) -> Any:
    """torchvision's model, with numbers in place of zeros and ones."""
    torch.manual_seed(0)
    models = torchvision_models()
    if name in SEGMENTS:
        heads = {"aux_loss": True} if "resnet" in name else {}
        return restless(getattr(models.segmentation, name)(**NO_WEIGHTS, **heads))
    return restless(getattr(models, name)(weights=None))


@cache
def ours(name: str) -> Any:
    """The example with the same weights, loaded strictly."""
    module = network(name).torch(seed=1)
    module.load_state_dict(theirs(name).state_dict(), strict=True)
    return module.eval()


def assert_close(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("name", MODELS)
def test_weights_load_and_outputs_are_equal(name: str) -> None:
    assert norm_constants(ours(name)) == norm_constants(theirs(name))
    for size in MODELS[name].sizes:
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            expected, found = theirs(name)(x), ours(name)(x)
        assert_close(found, expected["out"] if isinstance(expected, dict) else expected)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", [name for name in MODELS if name not in SEGMENTS])
def test_gradients_are_equal(name: str) -> None:
    x = torch.randn(1, 3, *MODELS[name].sizes[-1])
    gradients = []
    for model in (ours(name), theirs(name)):
        model.zero_grad()
        model(x).square().sum().backward()
        gradients.append({key: p.grad for key, p in model.named_parameters()})
        model.zero_grad()
    assert gradients[0].keys() == gradients[1].keys()
    for key, expected in gradients[1].items():
        found = gradients[0][key]
        assert float((found - expected).abs().max()) <= 1e-3 * float(expected.abs().max()), key


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50"])
def test_auxiliary_heads_in_training(name: str) -> None:
    """Both heads, with the statistics of the batch; without dropout."""
    pair = theirs(name), ours(name)
    for model in pair:
        for module in model.modules():
            module.p = 0.0 if isinstance(module, torch.nn.Dropout) else getattr(module, "p", None)
    x = torch.randn(2, 3, 33, 40)
    with torch.no_grad():
        expected, found = (model.train()(x) for model in pair)
    for model in pair:
        model.eval()
    assert found._fields == ("out", "aux")
    torch.testing.assert_close(found.out, expected["out"], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.aux, expected["aux"], rtol=1e-3, atol=1e-3)


def summary(name: str, size: int) -> Any:
    """What an example costs at a size."""
    symbols = network(name).sizes.symbols
    return netdsl.load(example(name), sizes=dict.fromkeys(symbols, size)).summary()


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_multiply_adds(name: str) -> None:
    facts = MODELS[name]
    fixed = summary(name, facts.published)
    assert (fixed.inference_parameters, fixed.parameters, fixed.macs) == facts[:3]


@pytest.mark.parametrize("name", MODELS)
def test_published_numbers(name: str) -> None:
    """What torchvision says beside its weights: parameters, and billions of multiply-adds."""
    facts, meta = MODELS[name], torchvision_models().get_model_weights(name).DEFAULT.meta
    assert meta["num_params"] == facts.all_parameters
    if name not in SEGMENTS:  # of segmentation networks it counts another size
        assert meta["_ops"] == round(facts.macs / 1e9, 3)


@pytest.mark.parametrize("name", MODELS)
def test_the_reference_table_says_the_same(name: str) -> None:
    if not CORPUS.exists():
        pytest.skip("the reference tables are not here")
    table = json.loads(CORPUS.read_text())["nets"]
    if name not in table:
        pytest.skip(f"the reference tables do not list {name}")
    facts, entry = MODELS[name], table[name]
    macs = facts.macs if facts.published == 224 else summary(name, 224).macs
    assert (entry["params"], entry["macs"]) == (facts.parameters, macs)
    assert entry.get("params_with_aux", facts.parameters) == facts.all_parameters


def runs(model: Any, height: int, width: int) -> bool:
    try:
        model(torch.empty(1, 3, height, width, device="meta"))
    except (RuntimeError, AssertionError):
        return False
    return True


def test_the_vision_transformer_takes_one_size() -> None:
    assert [item.shape for item in network("vit_b_16").inputs] == [(3, 224, 224)]
    with torch.device("meta"):
        model = torchvision_models().vit_b_16(weights=None).eval()
    assert runs(model, 224, 224)
    assert not any(runs(model, *size) for size in ((223, 224), (224, 225), (112, 448), (240, 224)))


@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t"])
def test_swin_takes_all_sizes_from_four_on(name: str) -> None:
    contract = network(name).sizes
    assert str(contract) == "any H >= 4, any W >= 4"
    with torch.device("meta"):
        model = getattr(torchvision_models(), name)(weights=None).eval()
    for size in (*range(1, 10), 29, 33):
        assert contract.accepts(H=size, W=100) == runs(model, size, 100) == (size >= 4)
        assert contract.accepts(H=100, W=size) == runs(model, 100, size)


def maxvit(size: int) -> netdsl.Network | None:
    """The example for images of another size; None if it takes none of them."""
    try:
        return netdsl.load(example("maxvit_t"), params={"size": size, "width": 32})
    except netdsl.DiagnosticError:
        return None


def test_maxvit_takes_the_one_size_that_it_is_built_for() -> None:
    """As torchvision's does, which cuts another into wrong windows, or into none."""
    assert [item.shape for item in network("maxvit_t").inputs] == [(3, 224, 224)]
    build = torchvision_models().maxvit_t
    for size in (112, 220, 221, 223, 225, 336, 444, 445, 448, 449):
        try:
            with torch.device("meta"):
                model = build(weights=None, input_size=(size, size)).eval()
        except ValueError:
            model = None
        assert (maxvit(size) is not None) == (model is not None), size
        assert model is None or runs(model, size, size)


def test_maxvit_at_twice_the_size() -> None:
    """torchvision's class built for it, with fewer channels."""
    torch.manual_seed(0)
    expected = torchvision_models().maxvit.MaxVit(
        (448, 448), 32, 7, [32, 64, 128, 256], [2, 2, 5, 2], 32, 0.2
    )
    built = maxvit(448)
    assert built is not None
    found = built.torch(seed=1)
    found.load_state_dict(restless(expected).state_dict(), strict=True)
    x = torch.randn(1, 3, 448, 448)
    with torch.no_grad():
        assert_close(found.eval()(x), expected(x))


def test_maxvit_drops_samples_as_often() -> None:
    """The shares grow from 0 to 0.2, block by block."""
    found, expected = (
        {
            path.rpartition(".")[0]: round(module.p, 12)
            for path, module in model.named_modules()
            if type(module).__name__ in ("DropPath", "StochasticDepth")
        }
        for model in (network("maxvit_t").torch(), theirs("maxvit_t"))
    )
    assert found == expected
    assert len(set(found.values())) == 11


@pytest.mark.parametrize("name", [*SEGMENTS, "fpn"])
def test_any_size(name: str) -> None:
    assert str(network(name).sizes) == "any H, any W"


def test_pyramid_on_resnet() -> None:
    torchvision_models()
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    expected = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=torch.nn.BatchNorm2d
    )
    found = network("fpn").torch(seed=0)
    found.load_state_dict(restless(expected).state_dict(), strict=True)
    found.eval()
    for size in ((64, 97), (1, 1), (33, 40)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            for mine, other in zip(found(x), expected(x).values(), strict=True):
                assert_close(mine, other)


def block(use: str, channels: str, stages: str) -> Any:
    """A block by itself, as the part `block` of a module."""
    text = f"use {use}\nnet A {{ input x: [{channels}]; output y = x -> block: {stages} }}"
    return netdsl.loads(text).torch(seed=0).eval()


@pytest.mark.parametrize(
    ("use", "shape", "stage", "module"),
    [
        (
            "std.segment",
            "9, H, W",
            "ASPP([2, 5], channels=8)",
            lambda tv: tv.segmentation.deeplabv3.ASPP(9, [2, 5], 8),
        ),
        ("std.segment", "8, H, W", "FCNHead(3)", lambda tv: tv.segmentation.fcn.FCNHead(8, 3)),
        (
            "std.swin",
            "H, W, 12",
            "SwinBlock(3, window=4, shift=2)",
            lambda tv: tv.swin_transformer.SwinTransformerBlock(12, 3, [4, 4], [2, 2]),
        ),
        (
            "std.swin",
            "H, W, 12",
            "PatchMerging",
            lambda tv: tv.swin_transformer.PatchMerging(12),
        ),
        (
            "std.transformer",
            "30, 12",
            "EncoderBlock(3, 20)",
            lambda tv: tv.vision_transformer.EncoderBlock(3, 12, 20, 0.0, 0.0),
        ),
        (
            "std.transformer",
            "30, 12",
            "Encoder(2, 3, 20)",
            lambda tv: tv.vision_transformer.Encoder(30, 2, 3, 12, 20, 0.0, 0.0),
        ),
    ],
    ids=lambda value: value.split("(")[0] if isinstance(value, str) else "",
)
def test_blocks(use: str, shape: str, stage: str, module: Callable[[Any], Any]) -> None:
    torch.manual_seed(0)
    expected = restless(module(torchvision_models()))
    found = block(use, shape, stage)
    found.block.load_state_dict(expected.state_dict(), strict=True)
    assert norm_constants(found.block) == norm_constants(expected)
    for height, width in ((7, 9), (1, 3), (12, 8)):
        axes = shape.replace("H", str(height)).replace("W", str(width))
        x = torch.randn(2, *map(int, axes.split(",")))
        with torch.no_grad():
            assert_close(found(x), expected(x))


def test_pyramid_of_any_number_of_maps() -> None:
    torchvision_models()
    from torchvision.ops import FeaturePyramidNetwork

    net = netdsl.loads(
        """
        use std.fpn (FPN)
        net A {
            input a: [3, H, W]
            input b: [5, P, Q]
            input c: [6, R, S]
            (p, q, r) = (a, b, c) -> block: FPN(4)
            output fine = p
            output middle = q
            output coarse = r
        }
        """
    )
    expected = restless(FeaturePyramidNetwork([3, 5, 6], 4))
    found = net.torch(seed=0)
    found.block.load_state_dict(expected.state_dict(), strict=True)
    maps = [torch.randn(2, 3, 11, 9), torch.randn(2, 5, 6, 4), torch.randn(2, 6, 2, 3)]
    with torch.no_grad():
        pyramid = expected(OrderedDict(zip("abc", maps, strict=True))).values()
        for mine, other in zip(found(*maps), pyramid, strict=True):
            assert_close(mine, other)
