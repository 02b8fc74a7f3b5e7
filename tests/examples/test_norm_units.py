"""Norms of the library that are made of others, beside PyTorch's and timm's."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
nn, F = torch.nn, torch.nn.functional

from tests.backends.onnx.runtime import session  # noqa: E402


def unit(stage: str, shape: str) -> netdsl.Network:
    uses = "use std.norms\nuse std.gates\n"
    return netdsl.loads(f"{uses}net Unit {{ input x: {shape} ; output y = x -> unit: {stage} }}")


def check(network: netdsl.Network, module: Any, x: Any, wanted: Any) -> None:
    """ONNX Runtime gives it too."""
    (ours,) = session(network.onnx(module).SerializeToString()).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(ours), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("stage", "axis", "eps"),
    [("L2Norm", 0, 1e-12), ("L2Norm(-1)", 2, 1e-12), ("L2Norm(1, eps=0.5)", 1, 0.5)],
)
def test_length_one_bit_for_bit(stage: str, axis: int, eps: float) -> None:
    """Numbers and gradients of `F.normalize`, vectors of zeros included."""
    network = unit(stage, "[8, H, W]")
    module: Any = network.torch()
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5, 6)
    x[0, :, 0, 0] = x[0, :, 1] = x[0, :, :, 2] = 0.0
    given = [x.clone().requires_grad_() for _ in range(2)]
    found, wanted = module(given[0]), F.normalize(given[1], dim=axis + 1, eps=eps)
    assert torch.equal(found, wanted)
    for result in found, wanted:
        (result * torch.linspace(-1, 1, 6)).sum().backward()
    assert torch.equal(given[0].grad, given[1].grad)
    check(network, module, x, wanted.detach())


def test_the_scale_of_ssd() -> None:
    network = unit("ScaledL2Norm", "[8, H, W]")
    module: Any = network.torch(seed=0)
    assert torch.equal(module.state_dict()["unit.weight"], torch.full((8,), 20.0))
    with torch.no_grad():
        module.unit.weight.normal_()
        x = torch.randn(2, 8, 5, 6)
        wanted = module.unit.weight.view(1, -1, 1, 1) * F.normalize(x)
        torch.testing.assert_close(module(x), wanted, rtol=0, atol=1e-6)
    check(network, module, x, wanted)


OF_TIMM: dict[str, tuple[str, str, tuple[Any, ...], dict[str, Any]]] = {
    "GlobalResponseNorm": ("[H, W, 8]", "layers.grn.GlobalResponseNorm", (8,), {}),
    "MapResponseNorm": ("[8, H, W]", "layers.grn.GlobalResponseNorm", (8,), {"channels_last": False}),
    "FilterResponseNorm": ("[8, H, W]", "layers.filter_response_norm.FilterResponseNormTlu2d", (8,), {}),
    "EvoNormS0(4)": ("[8, H, W]", "layers.evo_norm.EvoNorm2dS0", (8,), {"groups": 4}),
    "rmsnorm(axis=channels, eps=1e-6)": ("[8, H, W]", "layers.norm.RmsNorm2d", (8,), {}),
    "layernorm(axis=channels, bias=false, eps=1e-6)": (
        "[8, H, W]", "models.metaformer.LayerNorm2dNoBias", (8,), {},
    ),
}  # fmt: skip
"""Stage: what comes in, timm's module, its arguments."""


@pytest.mark.parametrize("stage", OF_TIMM)
def test_norms_of_timm(stage: str) -> None:
    torchvision_models()
    shape, place, arguments, settings = OF_TIMM[stage]
    file, _, name = place.rpartition(".")
    theirs = getattr(pytest.importorskip(f"timm.{file}"), name)(*arguments, **settings)
    for weight in theirs.parameters():
        nn.init.normal_(weight)
    network = unit(stage, shape)
    module: Any = network.torch(
        weights={f"unit.{key}": value for key, value in theirs.state_dict().items()}
    )
    for size in (5, 6), (2, 1):
        x = torch.randn(
            2, *(8 if n == "8" else size["HW".index(n)] for n in shape[1:-1].split(", "))
        )
        given = [x.clone().requires_grad_() for _ in range(2)]
        found, wanted = module(given[0]), theirs(given[1])
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        for result in found, wanted:
            (result * torch.linspace(-1, 1, x.shape[-1])).sum().backward()
        torch.testing.assert_close(given[0].grad, given[1].grad, rtol=1e-4, atol=1e-5)
        check(network, module, x, wanted.detach())


@pytest.mark.parametrize(("stage", "axis"), [("Glu", 3), ("Glu(axis=0)", 1)])
def test_gated_linear_units(stage: str, axis: int) -> None:
    x = torch.randn(2, 4, 5, 6)
    network = unit(stage, "[4, 5, 6]")
    assert torch.equal(network.torch()(x), F.glu(x, axis))
    (value, gate), network = x.chunk(2, axis), unit(stage.replace(")", ", act=silu)"), "[4, 5, 6]")
    if "(" in stage:
        assert torch.equal(network.torch()(x), value * F.silu(gate))
