"""The modules printed into generated sources, against modules that others wrote."""

from __future__ import annotations

from random import Random

import pytest

import netdsl

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from netdsl.backends.torch.helpers.adaptive import AdaptiveAvgPool, AdaptiveMaxPool  # noqa: E402
from netdsl.backends.torch.helpers.norms import AxisLayerNorm, Normalize  # noqa: E402
from netdsl.backends.torch.helpers.pyramid import (  # noqa: E402
    PaperPyramidPool,
    SpatialPyramidPool,
)
from netdsl.backends.torch.helpers.regularise import DropPath  # noqa: E402
from netdsl.backends.torch.helpers.windows import WindowAttention  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402


@pytest.fixture(params=[False, True], ids=["eager", "exported"])
def _path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways through the helpers: PyTorch's own pools, and the slices for exporters."""
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: request.param)


def sizes(seed: int, count: int, least: int = 1) -> list[tuple[int, int]]:
    draw = Random(seed)
    return [(draw.randint(least, 33), draw.randint(least, 33)) for _ in range(count)]


@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize("size", [1, 3, 7, (2, 5), (6, 1)])
def test_adaptive_pools(size: int | tuple[int, int]) -> None:
    for height, width in sizes(1, 25):
        x = torch.randn(2, 3, height, width)
        assert torch.equal(AdaptiveMaxPool(size)(x), F.adaptive_max_pool2d(x, size))
        torch.testing.assert_close(AdaptiveAvgPool(size)(x), F.adaptive_avg_pool2d(x, size))


@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize("levels", [(1, 2, 4), (1, 2, 3, 6), (5,), (4, 2, 2)])
def test_the_pyramid(levels: tuple[int, ...]) -> None:
    for height, width in sizes(2, 25):
        x = torch.randn(2, 3, height, width)
        wanted = [F.adaptive_max_pool2d(x, n).flatten(1) for n in levels]
        assert torch.equal(SpatialPyramidPool(levels)(x), torch.cat(wanted, 1))
        means = [F.adaptive_avg_pool2d(x, n).flatten(1) for n in levels]
        torch.testing.assert_close(SpatialPyramidPool(levels, "avg")(x), torch.cat(means, 1))


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_the_windows_of_the_paper(kind: str) -> None:
    """Bin i covers `i*floor(a/n)` and `ceil(a/n)` cells on."""
    tried = 0
    for height, width in sizes(3, 60, least=4):
        if any(a < n or a % n > a // n for a in (height, width) for n in (1, 2, 4)):
            continue
        tried += 1
        x = torch.randn(2, 3, height, width)
        bins = []
        for n in (1, 2, 4):
            for c in range(3):
                for i in range(n):
                    for j in range(n):
                        top, left = i * (height // n), j * (width // n)
                        part = x[:, c, top : top - (-height // n), left : left - (-width // n)]
                        part = part.flatten(1)
                        bins.append(part.amax(1) if kind == "max" else part.mean(1))
        found = PaperPyramidPool((1, 2, 4), kind)(x)
        torch.testing.assert_close(found, torch.stack(bins, 1))
    assert tried > 10


@pytest.mark.parametrize(("window", "shift"), [(4, 0), (4, 2), (4, 1), (7, 3), (2, 1), (3, 1)])
def test_window_attention(window: int, shift: int) -> None:
    torchvision_models()
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    torch.manual_seed(0)
    theirs = ShiftedWindowAttention(12, [window, window], [shift, shift], 3).eval()
    ours = WindowAttention(12, 3, window, shift).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for height, width in [(1, 1), (window, window), (window + 1, 3), *sizes(4, 12)]:
        x = torch.randn(2, height, width, 12)
        with torch.no_grad():
            torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_layer_norm_over_channels() -> None:
    torchvision_models()
    from torchvision.models.convnext import LayerNorm2d

    theirs, ours = LayerNorm2d(6, eps=1e-6), AxisLayerNorm(6, 1, eps=1e-6)
    for module in (theirs, ours):
        torch.manual_seed(0)
        torch.nn.init.normal_(module.weight), torch.nn.init.normal_(module.bias)
    x = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropped_paths(p: float) -> None:
    torchvision_models()
    from torchvision.ops import StochasticDepth

    theirs, ours = StochasticDepth(p, "row"), DropPath(p)
    x = torch.randn(400, 3, 2, 2)
    torch.manual_seed(5)
    wanted = theirs(x)
    torch.manual_seed(5)
    torch.testing.assert_close(ours(x), wanted)
    assert torch.equal(ours.eval()(x), x)


def test_normalize() -> None:
    torchvision_models()
    from torchvision.transforms.functional import normalize

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = torch.rand(3, 5, 6)
    torch.testing.assert_close(Normalize(mean, std, 3)(x), normalize(x, list(mean), list(std)))


def test_lrn_of_a_transposed_map_of_three_axes() -> None:
    """`nn.LocalResponseNorm` refuses it by itself: it takes a view of what is not contiguous."""
    head = "net A { input x: [4, 3, 5, 6]; output y = x -> "
    network = netdsl.loads(f"{head}layernorm(axis=channels) -> norm: lrn(3) }}")
    x = torch.randn(2, 4, 3, 5, 6)
    before = netdsl.loads(f"{head}layernorm(axis=channels) }}").torch()(x)
    found = network.torch()(x)
    assert torch.allclose(found, F.local_response_norm(before.contiguous(), 3))
    labelled = netdsl.loads(f"{head}a: {{ layernorm(axis=channels) -> lrn(3) -> conv(2, 1) }} }}")
    assert labelled.torch()(x).shape == (2, 2, 3, 5, 6)
