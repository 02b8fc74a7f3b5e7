"""Blocks and networks that torchvision does not have, against other packages that do.

`make test` installs those under free licences; YOLO's (ultralytics) and the hourglass
(pytorch-stacked-hourglass), which are under copyleft, are compared where somebody has them.
"""

from __future__ import annotations

from collections.abc import Callable
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
    ours: Any, theirs: Any, names: dict[str, str], sizes: tuple[tuple[int, int], ...] = SIZES
) -> None:
    """At inference; in training with the gradients of the input and what is kept of the batch."""
    ours.unit.load_state_dict(renamed(theirs.state_dict(), names), strict=True)
    assert constants(ours) == constants(theirs)
    for size in sizes:
        x = torch.randn(2, 8, *size)
        with torch.no_grad():
            close(ours.eval()(x), theirs.eval()(x))
    x = torch.randn(4, 8, *sizes[0])
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
    files = ("gan", "gates", "hourglass", "norms", "preact", "se", "segment", "yolo")
    uses = "".join(f"use std.{name}\n" for name in files)
    text = f"{uses}net Unit {{ input x: [8, H, W] ; output y = x -> unit: {stage} }}"
    return netdsl.loads(text).torch(seed=1)


PREACT = {f"body.conv{i}.{part}": f"{part}{i}" for i in (1, 2) for part in ("bn", "conv")}
POOLS = {
    f"branches.branch{i + 2}.conv.{part}": f"features.{i}.{place}"
    for i in range(4)
    for part, place in (("conv", 1), ("bn", 2))
}
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
    assert_equal(ours, theirs, names)


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


BACKBONES = {
    "yolov5n": ("C3", "YoloConv(16, 6, stride=2, padding=2)", (1, 2, 3, 1), ""),
    "yolov8n": ("C2f", "YoloConv(16, 3, stride=2)", (1, 2, 2, 1), ", shortcut=true"),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones_of_yolo(name: str) -> None:
    """The first ten layers of two of its models, written with the library."""
    stage, stem, depths, rest = BACKBONES[name]
    lines = [f"model.0: {stem}"]
    for i, depth in enumerate(depths):
        channels = 32 * 2**i
        lines.append(f"model.{2 * i + 1}: YoloConv({channels}, 3, stride=2)")
        lines.append(f"model.{2 * i + 2}: {stage}({channels}, {depth}{rest})")
    chain = " -> ".join([*lines, "model.9: SPPF(256)"])
    text = f"use std.yolo\nnet Backbone {{ input x: [3, H, W] ; output y = x -> {chain} }}"
    torch.manual_seed(0)
    tasks = public("ultralytics.nn.tasks")
    theirs = restless(tasks.DetectionModel(f"{name}.yaml", verbose=False).model[:10])
    ours = netdsl.loads(text).torch(seed=1)
    ours.load_state_dict(renamed(theirs.state_dict(), {}, "model."), strict=True)
    assert constants(ours) == constants(theirs)
    for size in ((64, 97), (2, 33)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            close(ours.eval()(x), theirs(x))


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


def test_hrnet() -> None:
    """The whole network under timm's keys, in timm's order."""
    timm = public("timm")
    torch.manual_seed(0)
    theirs, network = restless(timm.create_model("hrnet_w18")), netdsl.load(example("hrnet_w18"))
    ours = network.torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert norm_constants(ours) == norm_constants(theirs)
    parameters = sum(p.numel() for p in theirs.parameters())
    assert network.summary().parameters == parameters == 21_299_004
    for size in ((64, 96), (61, 94)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            close(ours.eval()(x), theirs(x))


def test_sizes_of_hrnet_are_those_that_timm_takes() -> None:
    timm = public("timm")
    with torch.device("meta"):
        theirs = timm.create_model("hrnet_w18").eval()
    contract = netdsl.load(example("hrnet_w18")).sizes

    def runs(height: int, width: int) -> bool:
        try:
            theirs(torch.empty(1, 3, height, width, device="meta"))
        except RuntimeError:
            return False
        return True

    for size in (1, 16, 28, 29, 31, 32, 33, 60, 61, 64, 65):
        assert contract.accepts(H=size, W=64) == runs(size, 64)
        assert contract.accepts(H=64, W=size) == runs(64, size)


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
