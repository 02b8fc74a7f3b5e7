"""docs/coverage.md is made of the facts in tests/data; these are true of what is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from netdsl.ops import registry
from tests.coverage import (
    EXPLAINED,
    LACKING,
    WRITTEN,
    installed,
    lacks,
    page,
    read,
    torchvision_facts,
    torchvision_names,
)

ROOT = Path(__file__).resolve().parents[1]
COMPARED = (
    "alexnet",
    "vgg16",
    "squeezenet1_1",
    "googlenet",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenet_v2",
    "inception_v3",
    "resnet152",
    "resnext101_32x8d",
    "wide_resnet50_2",
    "shufflenet_v2_x1_0",
    "mnasnet1_0",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "regnet_y_400mf",
    "convnext_tiny",
)  # fmt: skip
"""Examples that tests/examples/test_torchvision.py compares."""
COMPARED_WITH_TIMM = (
    "hrnet_w18", "repvgg_a0", "efficientnet_lite0", "inception_resnet_v2", "pnasnet5large",
)  # fmt: skip
"""Models of timm that tests/examples/test_timm.py compares examples with."""


needs_torchvision = pytest.mark.skipif(
    find_spec("torchvision") is None, reason="torchvision is not installed"
)


def test_the_page_is_current(request: pytest.FixtureRequest) -> None:
    made = page({"torchvision": COMPARED, "timm": COMPARED_WITH_TIMM})
    path = ROOT / "docs" / "coverage.md"
    if request.config.getoption("--bless"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made


def test_the_layers_named_are_there() -> None:
    assert {layer for text in WRITTEN.values() for layer in text.split()} <= set(registry())
    assert not WRITTEN.keys() & LACKING.keys()


def test_the_examples_that_are_written_lack_nothing() -> None:
    for package, names in ("torchvision", COMPARED), ("timm", COMPARED_WITH_TIMM):
        _, models = read(package)
        assert all(not lacks(models[name]) for name in names if name in models)
    if find_spec("torchvision"):
        from tests.examples.test_timm import MODELS as OF_TIMM
        from tests.examples.test_torchvision import MODELS

        assert set(COMPARED) == set(MODELS)
        assert set(COMPARED_WITH_TIMM) == {facts.model for facts in OF_TIMM.values()}


def test_what_is_missing_is_found() -> None:
    assert lacks(["Conv2d", "CondConv2d", "LSTM"]) == {
        "convolution with weights mixed for each sample (CondConv)", "module `LSTM`",
    }  # fmt: skip
    assert lacks(["Conv2d", "aten.sort.default"]) == {"operation `sort`"}
    assert lacks(["Conv2d", "aten.sum.dim_IntList", "GlobalResponseNorm"]) == set()
    assert lacks(["Conv2d", "ReLU", "aten.relu_.default"]) == set()
    assert "bmm" not in EXPLAINED


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name", ["resnet18", "convnext_tiny", "maxvit_t", "shufflenet_v2_x0_5", "swin_v2_t", "vit_b_16"]
)
@needs_torchvision
def test_the_facts_are_those_of_torchvision(name: str) -> None:
    _, models = read("torchvision")
    assert sorted(models[name]) == torchvision_facts(name)


@needs_torchvision
def test_all_models_of_torchvision_are_counted() -> None:
    if read("torchvision")[0] != installed():
        pytest.skip("another torchvision")
    assert set(read("torchvision")[1]) == set(torchvision_names())
