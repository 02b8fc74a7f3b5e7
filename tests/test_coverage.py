"""docs/coverage.md is made of the facts in tests/data; these are true of what is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import netdsl
from netdsl.ops import registry
from tests.coverage import (
    EXPLAINED,
    LACKING,
    OPERATIONS,
    UNWRITTEN,
    WRITTEN,
    installed,
    lacks,
    lacks_operations,
    page,
    read,
    torchvision_facts,
    torchvision_names,
)
from tests.torchvision_models import torchvision_models

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
    "vit_b_16",
    "swin_t",
    "swin_v2_t",
    "maxvit_t",
)  # fmt: skip
"""Examples that tests/examples/test_torchvision.py and test_vision.py compare."""
COMPARED_WITH_TIMM = (
    "hrnet_w18", "repvgg_a0", "efficientnet_lite0", "inception_resnet_v2", "pnasnet5large",
)  # fmt: skip
TRANSFORMERS_OF_TIMM = ("mobilevit_s", "vit_small_patch16_dinov3")
"""Models of timm that tests/examples/test_timm.py compares examples with."""
WRITTEN_OUT = {
    "torchvision": COMPARED,
    "timm": COMPARED_WITH_TIMM,
    "timm_transformers": TRANSFORMERS_OF_TIMM,
}


needs_torchvision = pytest.mark.skipif(
    find_spec("torchvision") is None, reason="torchvision is not installed"
)


def test_the_page_is_current(request: pytest.FixtureRequest) -> None:
    made = page(WRITTEN_OUT)
    path = ROOT / "docs" / "coverage.md"
    if request.config.getoption("--bless"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made


def test_the_layers_named_are_there() -> None:
    texts = [*WRITTEN.values(), *OPERATIONS.values()]
    assert {layer for text in texts for layer in text.split()} <= set(registry())
    assert not WRITTEN.keys() & LACKING.keys()


def test_the_examples_that_are_written_lack_nothing() -> None:
    for table, names in WRITTEN_OUT.items():
        _, models = read(table)
        lacked = lacks_operations if table == "timm_transformers" else lacks
        assert all(not lacked(models[name]) for name in names if name in models)
    if find_spec("torchvision"):
        from tests.examples.test_timm import MODELS as OF_TIMM
        from tests.examples.test_torchvision import MODELS
        from tests.examples.test_vision import MODELS as VISION
        from tests.examples.test_vision import SEGMENTS

        assert set(COMPARED) == {*MODELS, *VISION} - {*SEGMENTS}
        compared = {*COMPARED_WITH_TIMM, *TRANSFORMERS_OF_TIMM}
        assert compared == {facts.model for facts in OF_TIMM.values()}


def test_what_is_missing_is_found() -> None:
    assert lacks(["Conv2d", "CondConv2d", "LSTM"]) == {"module `LSTM`"}
    assert lacks(["Conv2d", "aten.sort.default"]) == {"operation `sort`"}
    assert lacks(["Conv2d", "aten.sum.dim_IntList", "GlobalResponseNorm"]) == set()
    assert lacks(["Conv2d", "ReLU", "aten.relu_.default"]) == set()
    assert "bmm" not in EXPLAINED
    assert lacks_operations(["aten.bmm.default", "Linear"]) == set()
    assert lacks_operations(["aten.grid_sampler_2d.default"]) == {"operation `grid_sampler_2d`"}
    assert not set(OPERATIONS) & set(UNWRITTEN)


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


ADDITIVE = """
block Unit(axis: int) { div { identity ; norm(axis=axis, keep=true) -> clamp(low=1e-12) } }

net Additive {
    input x: [16, H, W]
    weight w_g: [8, 1]
    tokens = x -> reshape([16, H * W]) -> permute([1, 0])
    query = tokens -> to_query: linear(8) -> Unit(-1)
    key = tokens -> to_key: linear(8) -> Unit(-1)
    attn = (query, w_g) -> matmul -> mul(8 ** -0.5) -> Unit(0)
    pooled = (attn, query) -> mul -> sum(axis=0, keep=true)
    mixed = add { (pooled, key) -> mul -> proj: linear(8) ; query } -> final: linear(8)
    output y = mixed -> permute([1, 0]) -> reshape([8, H, W])
}
"""
CONDITIONAL = """
net Conditional(experts: int = 3) {
    input x: [4, H, W]
    input routing: [experts]
    weight weight: [experts, 8 * 4 * 3 * 3]
    kernel = weight -> split(experts, axis=0)
    share = routing -> reshape([experts, 1, 1]) -> split(experts)
    output y = add { for i in 0..experts { mul { (x, kernel[i]) -> Kernel ; share[i] } } }
}
block Kernel (x, row) { w = row -> reshape([8, 4, 3, 3]) ; x -> conv(8, 3, padding=1, bias=false, weight=w) }
"""


@needs_torchvision
def test_what_counts_as_covered_by_chains_is_written_so() -> None:
    """Two modules of timm that no one layer is, with their weights by name."""
    torch = pytest.importorskip("torch")
    torchvision_models()
    pytest.importorskip("timm")
    from timm.layers import CondConv2d
    from timm.models.swiftformer import EfficientAdditiveAttention

    torch.manual_seed(0)
    x = torch.randn(2, 16, 5, 7)
    additive = EfficientAdditiveAttention(16, 8)
    conditional = CondConv2d(4, 8, 3, padding=1, num_experts=3)
    shares = torch.rand(2, 3)
    with torch.no_grad():
        module = netdsl.loads(ADDITIVE).torch(weights=additive).eval()
        torch.testing.assert_close(module(x), additive(x))
        module = netdsl.loads(CONDITIONAL).torch(weights=conditional).eval()
        wanted = conditional(x[:, :4], shares)
        torch.testing.assert_close(module(x[:, :4], shares), wanted, atol=1e-5, rtol=1e-4)
