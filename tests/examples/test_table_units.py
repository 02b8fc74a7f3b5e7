"""Blocks of the library that compute kernels and factors from tables, beside public modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
nn, F = torch.nn, torch.nn.functional

from tests.backends.onnx.runtime import session  # noqa: E402

SIZES = (7, 12), (16, 5), (5, 5)


def timm(name: str) -> Any:
    torchvision_models()
    return getattr(pytest.importorskip("timm.layers"), name)


SPECTRAL = [f"parametrizations.weight.{key}" for key in ("0._u", "0._v", "original")]


def spectral_norm(*arguments: Any, **named: Any) -> Any:
    return nn.utils.parametrizations.spectral_norm(nn.Conv2d(*arguments, **named))


def weight_norm(*arguments: Any, **named: Any) -> Any:
    return nn.utils.parametrizations.weight_norm(nn.Conv2d(*arguments, **named))


def frozen(eps: float) -> Any:
    torchvision_models()
    from torchvision.ops.misc import FrozenBatchNorm2d

    return FrozenBatchNorm2d(8, eps=eps)


UNITS: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "BlurPool": (lambda: timm("BlurPool2d")(8), []),
    "BlurPool(4)": (lambda: timm("BlurPool2d")(8, 4), []),
    "BlurPool(5, stride=3)": (lambda: timm("BlurPool2d")(8, 5, 3), []),
    'BlurPool(3, mode="constant")': (
        lambda: timm("BlurPool2d")(None, 3, pad_mode="constant"),
        [],
    ),
    "StdConv(6, 3)": (lambda: timm("StdConv2d")(8, 6, 3), ["weight"]),
    "StdConv(6, 5, stride=2, groups=2, bias=true, eps=0.001)": (
        lambda: timm("StdConv2d")(8, 6, 5, stride=2, groups=2, bias=True, eps=0.001),
        ["bias", "weight"],
    ),
    "ScaledStdConv(6, 3)": (
        lambda: timm("ScaledStdConv2d")(8, 6, 3),
        ["bias", "gain", "weight"],
    ),
    "ScaledStdConv(4, 1, groups=4, gamma=1.7)": (
        lambda: timm("ScaledStdConv2d")(8, 4, 1, groups=4, gamma=1.7),
        ["bias", "gain", "weight"],
    ),
    "WeightNormConv(6, 3)": (
        lambda: weight_norm(8, 6, 3, padding=1),
        ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"],
    ),
    "WeightNormConv(6, 4, stride=2, padding=0, groups=2)": (
        lambda: weight_norm(8, 6, 4, stride=2, groups=2),
        ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"],
    ),
    "SpectralNormConv(6, 3)": (
        lambda: spectral_norm(8, 6, 3, padding=1),
        ["bias", *SPECTRAL],
    ),
    "SpectralNormConv(6, 4, stride=2, padding=0, groups=2)": (
        lambda: spectral_norm(8, 6, 4, stride=2, groups=2),
        ["bias", *SPECTRAL],
    ),
    "FrozenBatchNorm": (
        lambda: frozen(1e-5),
        ["bias", "running_mean", "running_var", "weight"],
    ),
    "FrozenBatchNorm(eps=0.25)": (
        lambda: frozen(0.25),
        ["bias", "running_mean", "running_var", "weight"],
    ),
}


def unit(stage: str) -> netdsl.Network:
    text = f"net Unit {{ input x: [8, H, W] ; output y = x -> unit: {stage} }}"
    return netdsl.loads(f"use std.kernels\nuse std.norms\n{text}")


def runtime(network: netdsl.Network, module: Any, *inputs: Any) -> Any:
    """What ONNX Runtime gives."""
    feeds = {port.name: x.numpy() for port, x in zip(network.inputs, inputs, strict=True)}
    (result,) = session(network.onnx(module).SerializeToString()).run(None, feeds)
    return torch.from_numpy(result)


@pytest.mark.parametrize("stage", UNITS)
def test_units_are_the_public_ones(stage: str) -> None:
    """Keys, which of them are learned, numbers in training, gradients of the input and of the weights."""
    torch.manual_seed(0)
    make, keys = UNITS[stage]
    theirs, network = make(), unit(stage)
    for key, tensor in theirs.state_dict().items():
        tensor.uniform_(0.01, 0.5) if "var" in key else tensor.normal_()
    module: Any = network.torch(seed=1)
    module.unit.load_state_dict(theirs.state_dict(), strict=True)
    ours = module.unit
    assert sorted(ours.state_dict()) == keys
    assert {k for k, _ in ours.named_parameters()} == {k for k, _ in theirs.named_parameters()}
    for size in SIZES:
        x = torch.randn(2, 8, *size)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        result, wanted = module(inputs[0]), theirs(inputs[1])
        torch.testing.assert_close(result, wanted, rtol=1e-5, atol=1e-5)
        learned = dict(ours.named_parameters()), dict(theirs.named_parameters())
        gradients = [
            torch.autograd.grad((y * y.detach().sin()).sum(), [x, *(own[k] for k in learned[0])])
            for y, x, own in zip((result, wanted), inputs, learned, strict=True)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            runtime(network, module, x), wanted.detach(), rtol=1e-5, atol=1e-5
        )
    kept = {key: value.clone() for key, value in theirs.state_dict().items()}
    torch.testing.assert_close(dict(ours.state_dict()), kept, rtol=0, atol=0)


def test_initial_numbers_of_a_frozen_norm_change_nothing() -> None:
    module: Any = unit("FrozenBatchNorm(eps=0)").torch(seed=0)
    x = torch.randn(2, 8, 5, 6)
    assert torch.equal(module(x), x)


def test_the_trunk_of_torchvisions_detectors() -> None:
    """A ResNet with frozen norms: keys, and maps at two sizes."""
    torchvision_models()
    from torchvision.models import resnet50
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.ops.misc import FrozenBatchNorm2d

    torch.manual_seed(0)
    layers = {f"layer{i}": str(i) for i in (1, 2, 3, 4)}
    whole = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    theirs = IntermediateLayerGetter(whole, layers).eval()
    for key, tensor in theirs.state_dict().items():
        if "running_var" in key:
            tensor.uniform_(0.5, 1.5)
    outputs = "".join(f"output y{i} = maps[{i}]\n" for i in range(4))
    ours = netdsl.loads(
        "use std.norms\nuse std.resnet\nnet A {\ninput x: [3, H, W]\n"
        f"maps = x -> body: ResNetTrunk(norm=FrozenBatchNorm)\n{outputs}}}"
    ).torch(seed=1)
    ours.body.load_state_dict(theirs.state_dict(), strict=True)
    for size in (64, 33), (40, 97):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            for mine, other in zip(ours(x), theirs(x).values(), strict=True):
                assert float((mine - other).abs().max()) <= 1e-5 * float(other.abs().max())


def test_layer_scale_is_that_of_timm() -> None:
    torch.manual_seed(0)
    theirs = timm("LayerScale")(12, init_values=0.25)
    network = netdsl.loads(
        "use std.norms\nnet N { input x: [T, 12] ; output y = x -> unit: LayerScale(0.25) }"
    )
    module: Any = network.torch(seed=0)
    torch.testing.assert_close(dict(module.unit.state_dict()), dict(theirs.state_dict()))
    nn.init.normal_(theirs.gamma)
    module.unit.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 7, 12)
    assert torch.equal(module(x), theirs(x))
    torch.testing.assert_close(runtime(network, module, x), theirs(x).detach())


def modulated(x: Any, weight: Any, style: Any, demodulate: bool, eps: float) -> Any:
    """A kernel of its own for every sample, as the paper has it."""
    results = []
    for sample, scales in zip(x, style, strict=True):
        kernel = weight * scales[None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.pow(2).sum((1, 2, 3), keepdim=True) + eps).sqrt()
        results.append(F.conv2d(sample[None], kernel, padding=weight.shape[-1] // 2))
    return torch.cat(results)


@pytest.mark.parametrize(
    ("stage", "demodulate", "eps"),
    [
        ("ModulatedConv(6)", True, 1e-8),
        ("ModulatedConv(6, 1, demodulate=false)", False, 0.0),
        ("ModulatedConv(3, 5, eps=0.5)", True, 0.5),
    ],
)
def test_modulated_kernels(stage: str, demodulate: bool, eps: float) -> None:
    """Numbers, and gradients of the map, of the style and of the weight."""
    network = netdsl.loads(
        "use std.kernels\nnet N { input x: [8, H, W]\n input style: [8]\n"
        f"output y = (x, style) -> unit: {stage} }}"
    )
    torch.manual_seed(0)
    module: Any = network.torch(seed=0).double()
    assert list(module.state_dict()) == ["unit.weight"]
    weight = module.unit.weight
    for size in (7, 12), (16, 5):
        x = torch.randn(3, 8, *size, dtype=torch.float64, requires_grad=True)
        style = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
        results = module(x, style), modulated(x, weight, style, demodulate, eps)
        torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)
        gradients = [
            torch.autograd.grad((y * y.detach().sin()).sum(), (x, style, weight)) for y in results
        ]
        torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)
        single = network.torch(seed=0)
        given = x.detach().float(), style.detach().float()
        wanted = results[1].detach().float()
        scale = float(wanted.abs().max())
        for found in single(*given).detach(), runtime(network, single, *given):
            assert float((found - wanted).abs().max()) <= 1e-6 * scale
