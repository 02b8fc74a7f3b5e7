"""Blocks and networks that torchvision does not have, against other packages that do.

`make test` installs those under free licences; YOLO's (ultralytics) and the hourglass
(pytorch-stacked-hourglass), which are under copyleft, are compared where somebody has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.examples import example, norm_constants, random_inputs, restless

torch = pytest.importorskip("torch")
nn = torch.nn
SIZES = (7, 12), (16, 5), (1, 1)


def public(name: str) -> Any:
    """A package; behind torchvision, which most of them import."""
    if find_spec("torchvision"):
        from tests.torchvision_models import torchvision_models

        torchvision_models()
    return pytest.importorskip(name)


def renamed(state: dict[str, Any], names: dict[str, str], prefix: str = "") -> dict[str, Any]:
    """A state dict, the beginnings of its keys replaced."""
    found = {}
    for key, value in state.items():
        for old, new in names.items():
            if key.startswith(f"{old}."):
                key = f"{new}.{key.removeprefix(f'{old}.')}"
                break
        found[prefix + key] = value
    return found


def constants(module: Any) -> list[tuple[float, float | None]]:
    return sorted(norm_constants(module).values())


def close(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def assert_equal(
    ours: Any,
    theirs: Any,
    names: dict[str, str],
    sizes: tuple[tuple[int, int], ...] = SIZES,
    channels: int = 8,
) -> None:
    """At inference; in training with the gradients of the input and what is kept of the batch."""
    ours.unit.load_state_dict(renamed(theirs.state_dict(), names), strict=True)
    assert constants(ours) == constants(theirs)
    for size in sizes:
        x = torch.randn(2, channels, *size)
        with torch.no_grad():
            close(ours.eval()(x), theirs.eval()(x))
    x = torch.randn(4, channels, *sizes[0])
    inputs = x.clone().requires_grad_(), x.clone().requires_grad_()
    outs = [model.train()(x) for model, x in zip((ours, theirs), inputs, strict=True)]
    for out in outs:
        (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    close(*(out.detach() for out in outs))
    close(inputs[0].grad, inputs[1].grad)
    kept = renamed(theirs.state_dict(), names)
    torch.testing.assert_close(dict(ours.unit.state_dict()), kept)


def unit(stage: str) -> Any:
    """A stage of the library by itself, on 8 channels, as the part `unit` of a module."""
    files = (
        "efficientnet", "gan", "gates", "ghost", "hourglass", "mobile", "nasnet", "norms", "preact",
        "repvgg", "se", "segment", "yolo",
    )  # fmt: skip
    uses = "".join(f"use std.{name}\n" for name in files)
    text = f"{uses}net Unit {{ input x: [8, H, W] ; output y = x -> unit: {stage} }}"
    return netdsl.loads(text).torch(seed=1)


PREACT = {f"body.conv{i}.{part}": f"{part}{i}" for i in (1, 2) for part in ("bn", "conv")}
POOLS = {
    f"branches.branch{i + 2}.conv.{part}": f"features.{i}.{place}"
    for i in range(4)
    for part, place in (("conv", 1), ("bn", 2))
}
EFFICIENT, GHOST = "timm.models._efficientnet_blocks", "timm.models.ghostnet"
FUSED, SEARCHED = "torchvision.models.efficientnet", "timm.models.pnasnet"


def fused(module: Any, expand: int, kernel: int, stride: int, channels: int) -> Any:
    """torchvision's FusedMBConv on 8 channels."""
    config = module.FusedMBConvConfig(expand, kernel, stride, 8, channels, 1)
    return module.FusedMBConv(config, 0.0, nn.BatchNorm2d)


UNITS: dict[str, tuple[str, Callable[[Any], Any], dict[str, str]]] = {
    "PreActBlock(8)": (
        "pytorchcv.models.preresnet", lambda m: m.PreResUnit(8, 8, 1, bottleneck=False), PREACT
    ),
    "PreActBlock(12)": (
        "pytorchcv.models.preresnet", lambda m: m.PreResUnit(8, 12, 1, bottleneck=False),
        {**PREACT, "identity_conv": "shortcut"},
    ),
    "PreActBlock(12, 2)": (
        "pytorchcv.models.preresnet", lambda m: m.PreResUnit(8, 12, 2, bottleneck=False),
        {**PREACT, "identity_conv": "shortcut"},
    ),
    "PyramidPooling": ("pytorchcv.models.pspnet", lambda m: m.PyramidPooling(8, None), POOLS),
    "DcganStage(4)": (
        "torchgan.models", lambda m: m.DCGANGenerator(5, 32, 3, 4, nonlinearity=nn.ReLU()).model[2],
        {"0": "conv", "1": "bn"},
    ),
    "SqueezeExcitation(3)": ("timm.layers", lambda m: m.SqueezeExcite(8, rd_channels=3), {}),
    "RepVGGUnit(8)": ("timm.models.byobnet", lambda m: m.RepVggBlock(8, 8), {}),
    "RepVGGUnit(8, stride=2, groups=2)": (
        "timm.models.byobnet", lambda m: m.RepVggBlock(8, 8, stride=2, group_size=4), {}
    ),
    "RepVGGUnit(12)": ("timm.models.byobnet", lambda m: m.RepVggBlock(8, 12), {}),
    "SqueezeExcite(3, act=silu)": (
        EFFICIENT, lambda m: m.SqueezeExcite(8, rd_channels=3, act_layer=nn.SiLU), {}
    ),
    "DepthwiseSeparable(8, kernel=5, squeeze=2)": (
        EFFICIENT,
        lambda m: m.DepthwiseSeparableConv(
            8, 8, 5, act_layer=nn.SiLU, se_layer=partial(m.SqueezeExcite, rd_ratio=0.25)
        ),
        {},
    ),
    "DepthwiseSeparable(6, stride=2, act=relu6)": (
        EFFICIENT, lambda m: m.DepthwiseSeparableConv(8, 6, stride=2, act_layer=nn.ReLU6), {}
    ),
    "InvertedBottleneck(8, expand=3, squeeze=6)": (
        EFFICIENT,
        lambda m: m.InvertedResidual(
            8, 8, exp_ratio=3, act_layer=nn.SiLU, se_layer=partial(m.SqueezeExcite, rd_ratio=0.25)
        ),
        {},
    ),
    "InvertedBottleneck(12, kernel=5, stride=2, act=relu6)": (
        EFFICIENT,
        lambda m: m.InvertedResidual(8, 12, 5, stride=2, exp_ratio=6, act_layer=nn.ReLU6), {},
    ),
    "DepthwiseSeparable(6, stride=2, tensorflow=true)": (
        EFFICIENT,
        lambda m: m.DepthwiseSeparableConv(
            8, 6, stride=2, act_layer=nn.SiLU, pad_type="same"
        ),
        {},
    ),
    "InvertedBottleneck(12, kernel=5, stride=2, tensorflow=true)": (
        EFFICIENT,
        lambda m: m.InvertedResidual(
            8, 12, 5, stride=2, exp_ratio=6, act_layer=nn.SiLU, pad_type="same"
        ),
        {},
    ),
    "EdgeResidual(10, stride=2, tensorflow=true)": (
        EFFICIENT,
        lambda m: m.EdgeResidual(
            8, 10, stride=2, exp_ratio=4, act_layer=nn.SiLU, pad_type="same"
        ),
        {},
    ),
    "EdgeResidual(8)": (
        EFFICIENT, lambda m: m.EdgeResidual(8, 8, exp_ratio=4, act_layer=nn.SiLU), {}
    ),
    "EdgeResidual(10, stride=2, expand=2)": (
        EFFICIENT, lambda m: m.EdgeResidual(8, 10, stride=2, exp_ratio=2, act_layer=nn.SiLU), {}
    ),
    "FusedMBConv(8, kernel=5)": (FUSED, lambda m: fused(m, 4, 5, 1, 8), {}),
    "FusedMBConv(12, stride=2, expand=2)": (FUSED, lambda m: fused(m, 2, 3, 2, 12), {}),
    "FusedMBConv(8, expand=1)": (FUSED, lambda m: fused(m, 1, 3, 1, 8), {}),
    "Separables(6, 5, stride=2)": (
        SEARCHED, lambda m: m.BranchSeparables(8, 6, 5, 2, stem_cell=True, padding="same"), {}
    ),
    "ReluConv(6, stride=2)": (SEARCHED, lambda m: m.ActConvBn(8, 6, 1, 2, padding="same"), {}),
    "FactorizedReduction(6)": (
        SEARCHED, lambda m: m.FactorizedReduction(8, 6, padding="same"), {}
    ),
    "GhostModule(12)": (GHOST, lambda m: m.GhostModule(8, 12), {}),
    "GhostModule(11, ratio=3, act=identity)": (
        GHOST, lambda m: m.GhostModule(8, 11, ratio=3, act_layer=nn.Identity), {}
    ),
    "GhostModule(7, gated=true)": (GHOST, lambda m: m.GhostModuleV2(8, 7), {}),
    "GhostBottleneck(10, 8)": (GHOST, lambda m: m.GhostBottleneck(8, 10, 8), {}),
    "GhostBottleneck(16, 9, kernel=5, stride=2, squeeze=4)": (
        GHOST, lambda m: m.GhostBottleneck(8, 16, 9, 5, 2, se_ratio=0.25), {}
    ),
    "GhostBottleneck(11, 12, gated=true)": (
        GHOST, lambda m: m.GhostBottleneck(8, 11, 12, mode="attn"), {}
    ),
    "Cbam(3)": ("timm.layers.cbam", lambda m: m.CbamModule(8, rd_channels=3), {}),
    "Cbam(2, 3)": (
        "timm.layers.cbam", lambda m: m.CbamModule(8, rd_channels=2, spatial_kernel_size=3), {}
    ),
    "ChannelGate(2, act=silu)": (
        "timm.layers.cbam", lambda m: m.ChannelAttn(8, rd_channels=2, act_layer=nn.SiLU), {}
    ),
    "EfficientChannelAttention(5)": ("timm.layers", lambda m: m.EcaModule(kernel_size=5), {}),
    "CoordinateAttention(3)": ("timm.layers.coord_attn", lambda m: m.CoordAttn(8, rd_channels=3), {}),
    "GlobalContext(3)": ("timm.layers", lambda m: m.GlobalContext(8, rd_channels=3), {}),
}  # fmt: skip


@pytest.mark.parametrize("stage", UNITS)
def test_units(stage: str) -> None:
    package, make, names = UNITS[stage]
    torch.manual_seed(0)
    theirs, ours = restless(make(public(package))), unit(stage)
    assert_equal(ours, theirs, names, SIZES[:2] if "gated" in stage else SIZES)


DUAL = {
    "branch_pa.conv1.conv": "conv5a.0", "branch_pa.conv1.bn": "conv5a.1",
    "branch_pa.att": "sa", "branch_pa.conv2.conv": "conv51.0", "branch_pa.conv2.bn": "conv51.1",
    "branch_pa.conv3": "conv6.1", "branch_ca.conv1.conv": "conv5c.0",
    "branch_ca.conv1.bn": "conv5c.1", "branch_ca.att": "sc", "branch_ca.conv2.conv": "conv52.0",
    "branch_ca.conv2.bn": "conv52.1", "branch_ca.conv3": "conv7.1", "conv": "conv8.1",
}  # fmt: skip


def test_head_of_danet() -> None:
    """All three results, the same order of branches as there."""
    danet = public("pytorchcv.models.danet")
    torch.manual_seed(0)
    theirs = restless(danet.DANetHead(64, 5))
    given = renamed(theirs.state_dict(), DUAL)
    given = {key.replace("scale.alpha", "gamma"): value for key, value in given.items()}
    network = netdsl.loads(
        "use std.segment\nnet A { input x: [64, H, W]\n(y, a, b) = x -> unit: DANetHead(5)\n"
        "output out = y\noutput places = a\noutput channels = b }"
    )
    ours = network.torch(seed=1).eval()
    ours.unit.load_state_dict(given, strict=True)
    for size in SIZES:
        x = torch.randn(2, 64, *size)
        with torch.no_grad():
            for mine, other in zip(ours(x), theirs(x), strict=True):
                close(mine, other)


YOLO: dict[str, Callable[[Any], Any]] = {
    "C3(12, 2)": lambda m: m.C3(8, 12, 2),
    "C3(8, shortcut=false)": lambda m: m.C3(8, 8, 1, False),
    "C2f(12, 2)": lambda m: m.C2f(8, 12, 2),
    "C2f(8, 3, shortcut=true)": lambda m: m.C2f(8, 8, 3, True),
    "YoloSPP(10)": lambda m: m.SPP(8, 10),
    "SPPF(10, act=identity)": lambda m: m.SPPF(8, 10),
    "SPPF(8, 3, act=identity, shortcut=true)": lambda m: m.SPPF(8, 8, 3, 3, True),
}


@pytest.mark.parametrize("stage", YOLO)
def test_units_of_yolo(stage: str) -> None:
    """As ultralytics has them in a model, where it sets the constants of all norms."""
    theirs = YOLO[stage](public("ultralytics.nn.modules"))
    public("ultralytics.utils.torch_utils").initialize_weights(theirs)
    torch.manual_seed(0)
    restless(theirs)
    assert_equal(unit(stage), theirs, {})


TRUNKS = {
    "yolov3": (
        """
        fine = x -> model.0: YoloConv(8, 3) -> model.1: YoloConv(16, 3, stride=2)
            -> model.2: CspUnit(16, 3, hidden=8) -> model.3: YoloConv(32, 3, stride=2)
            -> model.4: repeat 2 { CspUnit(32, 3, hidden=16) } -> model.5: YoloConv(64, 3, stride=2)
            -> model.6: repeat 8 { CspUnit(64, 3, hidden=32) }
        middle = fine -> model.7: YoloConv(128, 3, stride=2)
            -> model.8: repeat 8 { CspUnit(128, 3, hidden=64) }
        coarse = middle -> model.9: YoloConv(256, 3, stride=2)
            -> model.10: repeat 4 { CspUnit(256, 3, hidden=128) }
        """,
        "YoloV3Neck(kernel=3)",
        0.25,
    ),
    "yolov5": (
        """
        fine = x -> model.0: YoloConv(16, 6, stride=2, padding=2)
            -> model.1: YoloConv(32, 3, stride=2) -> model.2: C3(32)
            -> model.3: YoloConv(64, 3, stride=2) -> model.4: C3(64, 2)
        middle = fine -> model.5: YoloConv(128, 3, stride=2) -> model.6: C3(128, 3)
        coarse = middle -> model.7: YoloConv(256, 3, stride=2) -> model.8: C3(256) -> model.9: SPPF(256)
        """,
        "YoloV5Neck(depth=1)",
        0.25,
    ),
    "yolov8": (
        """
        fine = x -> model.0: YoloConv(16, 3, stride=2)
            -> model.1: YoloConv(32, 3, stride=2) -> model.2: C2f(32, shortcut=true)
            -> model.3: YoloConv(64, 3, stride=2) -> model.4: C2f(64, 2, shortcut=true)
        middle = fine -> model.5: YoloConv(128, 3, stride=2) -> model.6: C2f(128, 2, shortcut=true)
        coarse = middle -> model.7: YoloConv(256, 3, stride=2) -> model.8: C2f(256, shortcut=true)
            -> model.9: SPPF(256)
        """,
        "YoloV8Neck(depth=1)",
        0.25,
    ),
}  # fmt: skip


class Maps(nn.Module):
    """In the place of a network's last layer, which detects: what comes to it."""

    def __init__(self, last: Any) -> None:
        super().__init__()
        self.f, self.i = last.f, last.i

    def forward(self, maps: list[Any]) -> list[Any]:
        return maps


@pytest.mark.parametrize("name", TRUNKS)
def test_trunks_and_necks_of_yolo(name: str) -> None:
    """All layers of its smallest models but the last one, written with the library."""
    trunk, neck, width = TRUNKS[name]
    tasks = public("ultralytics.nn.tasks")
    config = tasks.yaml_model_load(f"{name}n.yaml" if name != "yolov3" else "yolov3.yaml")
    config |= {"scales": {"n": [1.0 if name == "yolov3" else 0.33, width, 1024]}, "scale": "n"}
    torch.manual_seed(0)
    theirs = restless(tasks.DetectionModel(config, verbose=False))
    theirs.model[-1] = Maps(theirs.model[-1])
    outputs = "".join(f"output {value}{value} = {value}\n" for value in "abc")
    text = (
        f"use std.yolo\nnet Trunk {{\ninput x: [3, H, W]\n{trunk}\n"
        f"(a, b, c) = (fine, middle, coarse) -> model: {neck}\n{outputs}}}"
    )
    ours = netdsl.loads(text).torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert constants(ours) == constants(theirs)
    for size in ((64, 96), (32, 64)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            for found, expected in zip(ours(x), theirs(x), strict=True):
                close(found, expected)


def test_hourglass() -> None:
    """Its module file alone, since the package wants more than is needed here."""
    found = find_spec("stacked_hourglass")
    if found is None:
        pytest.skip("pytorch-stacked-hourglass is not installed")
    file = spec_from_file_location("hourglass", Path(str(found.origin)).with_name("model.py"))
    assert file
    assert file.loader
    module = module_from_spec(file)
    file.loader.exec_module(module)
    depth = 3
    torch.manual_seed(0)
    theirs = restless(module.Hourglass(module.Bottleneck, 1, 4, depth))
    parts = [(0, "up"), (1, "low1"), (2, "low3"), (3, "low2")]
    names = {
        f"hg.{level}.{i}.0": "low2." * (depth - 1 - level) + part
        for level in range(depth)
        for i, part in parts
    }
    assert_equal(unit(f"Hourglass({depth}, 8)"), theirs, names, ((8, 24), (16, 8)))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_exchange_between_maps(count: int) -> None:
    hrnet = public("timm.models.hrnet")
    widths = [4, 6, 8, 10][:count]
    torch.manual_seed(0)
    theirs = restless(
        hrnet.HighResolutionModule(
            count, hrnet.BasicBlock, (2,) * count, list(widths), tuple(widths), "SUM"
        )
    )
    inputs = "".join(f"input x{i}: [{c}, H{i}, W{i}]\n" for i, c in enumerate(widths))
    names = ", ".join(f"x{i}" for i in range(count))
    outputs = "".join(f"output y{i} = maps[{i}]\n" for i in range(count))
    network = netdsl.loads(
        "use std.hrnet\n"
        f"net A {{\n{inputs}maps = ({names}) -> unit: HighResolutionModule(2)\n{outputs}}}"
    )
    ours = network.torch(seed=1).eval()
    ours.unit.load_state_dict(theirs.state_dict(), strict=True)
    maps = [torch.randn(2, c, 24 // 2**i, 40 // 2**i) for i, c in enumerate(widths)]
    with torch.no_grad():
        for mine, other in zip(ours(*maps), theirs(list(maps)), strict=True):
            close(mine, other)


def kept_outputs(module: Any, paths: list[str]) -> dict[str, Any]:
    """What these parts of a module give when it runs next."""
    seen: dict[str, Any] = {}
    for path in paths:
        module.get_submodule(path).register_forward_hook(
            lambda _module, _inputs, y, path=path: seen.update({path: y})
        )
    return seen


WIDTHS = [4, 8, 16, 32, 64]


def double(their: str, our: str) -> dict[str, str]:
    """The names of two convolutions with their norms."""
    parts = [
        (f"conv{i}.{j}", f"{part}{i}") for i in (1, 2) for j, part in enumerate(["conv", "norm"])
    ]
    return {f"{their}.{old}": f"{our}.conv.{new}" for old, new in parts}


def test_decoder_of_unet() -> None:
    """At any size: segmentation_models_pytorch takes the size of the skip as well."""
    smp = public("segmentation_models_pytorch.decoders.unet.decoder")
    torch.manual_seed(0)
    theirs = smp.UnetDecoder([1, *WIDTHS], WIDTHS[3::-1], 4, interpolation_mode="bilinear")
    restless(theirs)
    network = netdsl.load(example("unet"), params={"width": WIDTHS[0]})
    ours = restless(network.torch(seed=1))
    names = {k: v for i in range(4) for k, v in double(f"blocks.{i}", f"up{i + 1}").items()}
    given = renamed(theirs.state_dict(), names)
    own = {key for key in ours.state_dict() if key.startswith("up")}
    assert given.keys() == own
    ours.load_state_dict(given, strict=False)
    seen = kept_outputs(ours, [*(f"down{i}" for i in range(5)), "up4"])
    for at in ({"H": 48, "W": 80}, {"H": 35, "W": 50}):
        inputs = random_inputs(network, at, 2)
        with torch.no_grad():
            ours(*inputs)
            features = [inputs[0], *(seen[f"down{i}"] for i in range(5))]
            close(seen["up4"], theirs(features))


def reversed_inputs(kernel: Any, widths: list[int]) -> Any:
    """The same for maps that are joined in reverse."""
    return torch.cat(list(kernel.split(widths, 1))[::-1], 1)


def test_decoder_of_unet_plus_plus() -> None:
    """segmentation_models_pytorch joins the maps of a node in reverse, and doubles sizes."""
    smp = public("segmentation_models_pytorch.decoders.unetplusplus.decoder")
    torch.manual_seed(0)
    theirs = smp.UnetPlusPlusDecoder(
        [1, *WIDTHS], [*WIDTHS[3::-1], 0], 5, interpolation_mode="bilinear"
    )
    restless(theirs)
    network = netdsl.load(example("unet_plus_plus"), params={"width": WIDTHS[0]})
    ours = restless(network.torch(seed=1))
    nodes = [(scale, step) for step in range(1, 5) for scale in range(5 - step)]
    names, given = {}, theirs.state_dict()
    for number, (scale, step) in enumerate(nodes, 1):
        path = f"blocks.x_{4 - step - scale}_{3 - scale}"
        names |= double(path, f"node{number}")
        widths = [WIDTHS[scale + 1], *[WIDTHS[scale]] * step]
        given[f"{path}.conv1.0.weight"] = reversed_inputs(given[f"{path}.conv1.0.weight"], widths)
    given = renamed(given, names)
    assert given.keys() == {key for key in ours.state_dict() if key.startswith("node")}
    ours.load_state_dict(given, strict=False)
    seen = kept_outputs(ours, ["x00", *(f"x{i}0" for i in range(1, 5)), "node10"])
    last = kept_outputs(theirs, ["blocks.x_0_3"])
    for at in ({"H": 48, "W": 80}, {"H": 16, "W": 16}):
        inputs = random_inputs(network, at, 2)
        with torch.no_grad():
            ours(*inputs)
            theirs([inputs[0], *(seen[f"x{i}0"] for i in range(5))])
        close(seen["node10"], last["blocks.x_0_3"])
