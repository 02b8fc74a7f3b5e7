"""The examples against timm: weights load, outputs are equal, most bit by bit, at the same sizes."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

import netdsl
from tests.examples import example, network, norm_constants, restless, runs, sizes_to_try
from tests.sampling import some

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from tests.torchvision_models import torchvision_models  # noqa: E402


class Facts(NamedTuple):
    """timm's name, its number of parameters, the sizes that it takes, two of them to try."""

    model: str
    parameters: int
    contract: str
    sizes: tuple[tuple[int, int], ...] = ((64, 96), (61, 94))


MODELS = {
    "hrnet_w18": Facts("hrnet_w18", 21_299_004, "H and W mod 32 in {29, 30, 31, 0}, at least 29"),
    "repvgg_a0": Facts("repvgg_a0", 9_108_968, "any H, any W"),
    "efficientnet_lite0": Facts("efficientnet_lite0", 4_652_008, "any H, any W"),
    "inception_resnet_v2": Facts(
        "inception_resnet_v2", 55_843_464, "any H >= 75, any W >= 75", ((75, 96), (97, 80))
    ),
    "pnasnet": Facts("pnasnet5large", 86_057_668, "any H >= 3, any W >= 3"),
    "mobilevit_s": Facts("mobilevit_s", 5_578_632, "any H, any W", ((64, 96), (61, 94), (1, 1))),
    "vit_small_patch16_dinov3": Facts(
        "vit_small_patch16_dinov3", 21_586_944, "H and W multiples of 16", ((64, 96), (16, 208))
    ),
}
HEAVY = ("pnasnet",)
CASES = [pytest.param(name, marks=pytest.mark.full if name in HEAVY else ()) for name in MODELS]
OTHER_ORDER = ("pnasnet", "repvgg_a0")
"""Those with timm's keys in another order, because sums are written in the order they are added in."""

CLOSE = {"vit_small_patch16_dinov3": 1e-5}
"""How far apart outputs may be, as a share of the largest: its angles are rounded otherwise."""


def build(name: str) -> Any:
    """A model of timm's, behind torchvision, which it imports."""
    torchvision_models()
    timm = pytest.importorskip("timm")
    return timm.create_model(name).eval()


@cache
def pair(name: str) -> tuple[Any, Any]:
    """timm's model with numbers in place of zeros and ones, and ours with the same weights."""
    torch.manual_seed(0)
    theirs, ours = restless(build(MODELS[name].model)), network(name).torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours.eval()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", CASES)
def test_weights_load_and_outputs_are_equal(name: str) -> None:
    theirs, ours = pair(name)
    keys = [list(model.state_dict()) for model in (ours, theirs)]
    assert keys[0] == keys[1] or name in OTHER_ORDER
    assert norm_constants(ours) == norm_constants(theirs)
    for size in MODELS[name].sizes:
        image = torch.randn(2, 3, *size)
        with torch.no_grad():
            found, expected = ours(image), answers(theirs, image)
        found = found if isinstance(found, tuple) else (found,)
        for mine, other in zip(found, expected, strict=True):
            assert mine.shape == other.shape
            assert (mine - other).abs().max() <= CLOSE.get(name, 0) * other.abs().max()


def answers(model: Any, image: Any) -> tuple[Any, ...]:
    """What a model gives; of one without classes the class token, and the patches as a map."""
    if model.num_classes:
        return (model(image),)
    (last,) = model.forward_intermediates(
        image, indices=1, norm=True, return_prefix_tokens=True, intermediates_only=True
    )
    patches, tokens_in_front = last
    return tokens_in_front[:, 0], patches


def test_efficientnet_lite0_of_tensorflow() -> None:
    """The same with other places of windows and other constants."""
    torch.manual_seed(0)
    theirs = restless(build("tf_efficientnet_lite0"))
    other = netdsl.load(example("efficientnet_lite0"), params={"tensorflow": True})
    assert str(other.sizes) == "any H, any W"
    ours = other.torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert norm_constants(ours) == norm_constants(theirs)
    for size in ((64, 96), (61, 94), (1, 2), (33, 16)):
        image = torch.randn(2, 3, *size)
        with torch.no_grad():
            assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("name", MODELS)
def test_parameters(name: str) -> None:
    with torch.device("meta"):
        theirs = build(MODELS[name].model)
    count = sum(parameter.numel() for parameter in theirs.parameters())
    assert network(name).summary().parameters == count == MODELS[name].parameters


@pytest.mark.parametrize("name", CASES)
def test_sizes_are_those_that_timm_takes(name: str) -> None:
    contract = network(name).sizes
    assert str(contract) == MODELS[name].contract
    with torch.device("meta"):
        model = build(MODELS[name].model)
    for height, width in some(sizes_to_try(network(name)), 37):
        assert contract.accepts(H=height, W=width) == runs(model, height, width)
