"""The examples against torchvision: weights load strictly, outputs and gradients are equal."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

import netdsl

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from tests.examples import FOLDER, example, network, norm_constants  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

CORPUS = FOLDER.parents[1] / "shared" / "corpus" / "torchvision" / "reference.json"


class Facts(NamedTuple):
    """Parameters with all heads, multiply-adds without at the published size, the least size."""

    parameters: int
    macs: int
    least: int
    sizes: tuple[int, int]
    published: int = 224


MODELS = {
    "alexnet": Facts(61_100_840, 714_188_480, 63, (63, 97)),
    "vgg16": Facts(138_357_544, 15_470_264_320, 32, (33, 70)),
    "squeezenet1_1": Facts(1_235_496, 349_151_936, 17, (41, 90)),
    "googlenet": Facts(13_004_888, 1_498_376_192, 15, (64, 95)),
    "resnet18": Facts(11_689_512, 1_814_073_344, 1, (33, 80)),
    "resnet50": Facts(25_557_032, 4_089_184_256, 1, (33, 64)),
    "densenet121": Facts(7_978_856, 2_834_161_664, 29, (33, 64)),
    "mobilenet_v2": Facts(3_504_872, 300_774_272, 1, (33, 64)),
    "inception_v3": Facts(27_161_264, 5_713_216_096, 75, (75, 96), 299),
    "resnet152": Facts(60_192_808, 11_513_626_624, 1, (33, 40)),
    "resnext101_32x8d": Facts(88_791_336, 16_414_015_488, 1, (33, 40)),
    "wide_resnet50_2": Facts(68_883_240, 11_398_021_120, 1, (33, 40)),
    "shufflenet_v2_x1_0": Facts(2_278_604, 144_907_992, 1, (33, 64)),
    "mnasnet1_0": Facts(4_383_312, 314_415_872, 1, (33, 64)),
    "mobilenet_v3_large": Facts(5_483_032, 216_589_760, 1, (33, 64)),
    "efficientnet_b0": Facts(5_288_548, 385_814_752, 1, (33, 64)),
    "regnet_y_400mf": Facts(4_344_144, 401_842_848, 1, (33, 64)),
    "convnext_tiny": Facts(28_589_128, 4_455_531_264, 32, (33, 64)),
}


EXTRA = {
    name: {"init_weights": False} for name in ("googlenet", "inception_v3")
}  # its own initialisation takes half a minute


@cache
def pair(name: str) -> tuple[Any, Any]:
    """torchvision's model with random weights and statistics, and ours with the same."""
    torch.manual_seed(0)
    theirs = getattr(torchvision_models(), name)(weights=None, **EXTRA.get(name, {}))
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    ours = network(name).torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def close(ours: Any, theirs: Any) -> bool:
    scale = theirs.abs().max().clamp(min=1e-12)
    return bool((ours - theirs).abs().max() <= 1e-5 * scale)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", MODELS)
def test_weights_load_and_outputs_are_equal(name: str) -> None:
    theirs, ours = pair(name)
    assert norm_constants(ours) == norm_constants(theirs)
    theirs.eval(), ours.eval()
    small, large = MODELS[name].sizes
    for height, width in ((small, large), (large, small)):
        x = torch.randn(2, 3, height, width)
        with torch.no_grad():
            assert close(ours(x), theirs(x))


def without_dropout(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.train()


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "squeezenet1_1"])
def test_gradients_are_equal_in_training(name: str) -> None:
    theirs, ours = (without_dropout(model) for model in pair(name))
    theirs, ours = theirs.double(), ours.double()
    x = torch.randn(2, 3, 96, 64, dtype=torch.float64)
    outs = [model(x) for model in (theirs, ours)]
    for out, model in zip(outs, (theirs, ours), strict=True):
        model.zero_grad()
        parts = list(out) if isinstance(out, tuple) else [out]
        sum((part**2).mean() for part in parts).backward()
    for (key, mine), (_, other) in zip(
        sorted(ours.named_parameters()), sorted(theirs.named_parameters()), strict=True
    ):
        assert torch.allclose(mine.grad, other.grad, rtol=1e-8, atol=1e-12), key
    theirs.float(), ours.float()


def test_training_outputs_of_googlenet() -> None:
    theirs, ours = pair("googlenet")
    without_dropout(theirs), without_dropout(ours)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = theirs(x), ours(x)
    assert found._fields == ("logits", "aux2", "aux1")
    for mine, other in zip(found, expected, strict=True):
        assert torch.allclose(mine, other, atol=1e-4)
    theirs.eval(), ours.eval()
    assert isinstance(ours(x), torch.Tensor)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_multiply_adds(name: str) -> None:
    summary = netdsl.load(
        example(name), sizes=dict.fromkeys("HW", MODELS[name].published)
    ).summary()
    assert (summary.parameters, summary.macs) == MODELS[name][:2]


def runs(model: Any, height: int, width: int) -> bool:
    try:
        model(torch.empty(1, 3, height, width, device="meta"))
    except RuntimeError:
        return False
    return True


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_those_that_torchvision_takes(name: str) -> None:
    least, contract = MODELS[name].least, network(name).sizes
    said = f"any H >= {least}, any W >= {least}" if least > 1 else "any H, any W"
    assert str(contract) == said
    # RegNet works out its widths with tensors, which need numbers while it is built
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model = getattr(torchvision_models(), name)(weights=None, **EXTRA.get(name, {})).eval()
    model = model.to("meta")
    for size in range(1, least + 2):
        assert contract.accepts(H=size, W=100) == runs(model, size, 100) == (size >= least)
        assert contract.accepts(H=100, W=size) == runs(model, 100, size)


@pytest.mark.parametrize("width", [0.35, 0.75, 1.3, 1.4])
def test_mobilenet_of_other_widths(width: float) -> None:
    with torch.device("meta"):
        theirs = torchvision_models().mobilenet_v2(weights=None, width_mult=width).state_dict()
    ours = netdsl.load(example("mobilenet_v2"), params={"width": width}).graph
    found = {f"{a.path}.{w.key}": w.shape for a in ours.layers() for w in a.weights}
    assert found == {key: tuple(value.shape) for key, value in theirs.items()}


@pytest.mark.parametrize("name", MODELS)
def test_the_reference_table_says_the_same(name: str) -> None:
    if not CORPUS.exists():
        pytest.skip("the reference tables are not here")
    table = json.loads(CORPUS.read_text())["nets"]
    if name not in table:
        pytest.skip(f"the reference tables do not list {name}")
    facts, entry = MODELS[name], table[name]
    assert (entry["params"], entry["macs"]) == facts[:2]
    assert entry["min_size"] == [facts.least, facts.least]
