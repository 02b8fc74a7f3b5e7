"""Multiply-adds counted by PyTorch, of networks and of modules that it did not get from here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from tests.examples import example, network  # noqa: E402
from tests.examples.test_detection import NAME as RETINANET  # noqa: E402
from tests.examples.test_detection import build as build_retinanet  # noqa: E402
from tests.examples.test_timm import MODELS as TIMM  # noqa: E402
from tests.examples.test_timm import build  # noqa: E402
from tests.examples.test_torchvision import EXTRA, MODELS  # noqa: E402
from tests.examples.test_vision import MODELS as VISION  # noqa: E402
from tests.examples.test_vision import NO_WEIGHTS, SEGMENTS  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

SIZES = {
    "maxvit_t": ((224, 224),),
    "vit_b_16": ((224, 224),),
    "vit_small_patch16_dinov3": ((224, 224), (96, 128)),
    "inception_v3": ((299, 299), (97, 130)),
    "hrnet_w18": ((224, 224), (93, 126)),
}


def theirs(name: str) -> Any:
    """torchvision's or timm's network without storage for its weights."""
    models = torchvision_models()
    if name in TIMM or name == RETINANET:
        with torch.device("meta"):
            return build(TIMM[name].model) if name in TIMM else build_retinanet()
    # RegNet works out its widths with tensors, which need numbers while it is built
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        if name in SEGMENTS:
            built = getattr(models.segmentation, name)(**NO_WEIGHTS)
        else:
            built = getattr(models, name)(weights=None, **EXTRA.get(name, {}))
    return built.to("meta").eval()


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", [*MODELS, *VISION, *TIMM, RETINANET])
def test_multiply_adds_are_those_that_pytorch_counts(name: str) -> None:
    """PyTorch counts a multiply-add as two operations, in convolutions and matrix products."""
    model, symbols = theirs(name), network(name).sizes.symbols
    for height, width in SIZES.get(name, ((224, 224), (97, 130))):
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, height, width, device="meta"))
        sizes = dict(zip(symbols, (height, width), strict=False))
        assert 2 * netdsl.load(example(name), sizes=sizes).summary().macs == (
            counter.get_total_flops()
        )
