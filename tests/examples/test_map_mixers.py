"""Blocks that mix maps, against PyTorch modules written here: BiFPN, DANet's head, SegFormer's head.

Their keys are those of effdet, of DANet as published and of weights published for transformers. Compared
once with effdet 0.4.1, both its kinds of weights (equal to 1.3e-7, its keys and shapes are kept as
digests), and with the head of transformers, whose newest versions rename `linear_c` in their modules.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import netdsl
from tests.examples import restless

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.examples.test_sequences import assert_equal, loaded, tree  # noqa: E402

nn, F = torch.nn, torch.nn.functional


def block(library: str, stage: str, widths: list[int], results: int) -> netdsl.Network:
    """A block of the library as the part `unit`, on maps of any sizes."""
    inputs = "".join(f"input x{i}: [{c}, H{i}, W{i}]\n" for i, c in enumerate(widths))
    taken = ", ".join(f"x{i}" for i in range(len(widths)))
    named = ", ".join(f"y{i}" for i in range(results))
    outputs = "".join(f"output z{i} = y{i}\n" for i in range(results))
    return netdsl.loads(
        f"use std.{library}\nnet A {{\n{inputs}({named}) = ({taken}) -> unit: {stage}\n{outputs}}}"
        if results > 1
        else f"use std.{library}\nnet A {{\n{inputs}output z = ({taken}) -> unit: {stage}\n}}"
    )


def digest(state: dict[str, Any]) -> str:
    lines = sorted(f"{key} {list(value.shape)}" for key, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- BiFPN ---------------------------------------------------------------------------------------


def norm(channels: int) -> Any:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Narrow(nn.Module):
    def __init__(self, given: int, channels: int, tensorflow: bool) -> None:
        super().__init__()
        if given != channels:
            conv = nn.Conv2d(given, channels, 1, bias=tensorflow)
            self.conv = tree(conv=conv, bn=norm(channels))

    def forward(self, x: Any) -> Any:
        return self.conv.bn(self.conv.conv(x)) if hasattr(self, "conv") else x


class Fusion(nn.Module):
    """The learned shares of some maps, then a separable convolution."""

    def __init__(self, given: dict[int, int], channels: int, tensorflow: bool) -> None:
        super().__init__()
        parts = {str(at): Narrow(c, channels, tensorflow) for at, c in given.items()}
        self.combine = tree(resample=nn.ModuleDict(parts))
        self.combine.edge_weights = nn.Parameter(torch.ones(len(given)))
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        pointwise = nn.Conv2d(channels, channels, 1, bias=tensorflow)
        self.after_combine = tree(
            conv=tree(conv_dw=depthwise, conv_pw=pointwise, bn=norm(channels))
        )

    def forward(self, maps: list[Any]) -> Any:
        weights = self.combine.edge_weights.clamp_min(0)
        x = sum(w * x for w, x in zip(weights, maps, strict=True)) / (weights.sum() + 1e-4)
        own = self.after_combine.conv
        return own.bn(own.conv_pw(own.conv_dw(x * torch.sigmoid(x))))

    def narrow(self, at: int, x: Any) -> Any:
        return self.combine.resample[str(at)](x)


def smaller(x: Any, tensorflow: bool) -> Any:
    if not tensorflow:
        return F.max_pool2d(x, 3, 2, 1)
    missing = [1 + n % 2 for n in x.shape[2:]]
    before = [n // 2 for n in missing]
    sides = (before[1], missing[1] - before[1], before[0], missing[0] - before[0])
    return F.max_pool2d(F.pad(x, sides, value=float("-inf")), 3, 2)


class Cell(nn.Module):
    """Figure 2d of the paper, for five levels; maps are numbered in the order they are made."""

    def __init__(self, widths: list[int], channels: int, tensorflow: bool) -> None:
        super().__init__()
        self.tensorflow = tensorflow
        of = dict(enumerate(widths)) | dict.fromkeys(range(5, 12), channels)
        self.places = [
            (3, 4), (2, 5), (1, 6), (0, 7), (1, 7, 8), (2, 6, 9), (3, 5, 10), (4, 11),
        ]  # fmt: skip
        self.fnode = nn.ModuleList(
            Fusion({at: of[at] for at in places}, channels, tensorflow) for places in self.places
        )

    def forward(self, maps: list[Any]) -> list[Any]:
        maps = list(maps)
        for number, (node, places) in enumerate(zip(self.fnode, self.places, strict=True)):
            taken = [node.narrow(at, maps[at]) for at in places]
            size = maps[places[0]].shape[2:]
            if number < 4:
                taken[-1] = F.interpolate(taken[-1], size=size)
            else:
                taken[-1] = smaller(taken[-1], self.tensorflow)
            maps.append(node(taken))
        return maps[-5:]


class Pyramid(nn.Module):
    def __init__(self, widths: list[int], channels: int, cells: int, tensorflow: bool) -> None:
        super().__init__()
        self.tensorflow = tensorflow
        first = Narrow(widths[-1], channels, tensorflow)
        self.resample = nn.ModuleDict({"3": first, "4": nn.Identity()})
        given = [[*widths, channels, channels], *[[channels] * 5] * (cells - 1)]
        self.cell = nn.ModuleList(Cell(own, channels, tensorflow) for own in given)

    def forward(self, *maps: Any) -> list[Any]:
        sixth = smaller(self.resample["3"](maps[-1]), self.tensorflow)
        found = [*maps, sixth, smaller(sixth, self.tensorflow)]
        for cell in self.cell:
            found = cell(found)
        return found


@pytest.mark.parametrize("tensorflow", [False, True])
def test_bifpn(tensorflow: bool) -> None:
    torch.manual_seed(0)
    widths, setting = [5, 8, 6], ", tensorflow=true" if tensorflow else ""
    net = block("bifpn", f"BiFPN(8, cells=2{setting})", widths, 5)
    theirs = tree(unit=Pyramid(widths, 8, 2, tensorflow))
    theirs.forward = theirs.unit.forward
    restless(theirs)
    for key, weight in theirs.named_parameters():
        if "edge" in key:
            weight.data.uniform_(0.1, 2.0)
            weight.data[0] *= -1.0 if "fnode.6" in key else 1.0
    ours = net.torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for size in ((16, 24), (13, 7), (1, 2)):
        half = [(n + 1) // 2 for n in size]
        sizes = [size, half, [(n + 1) // 2 for n in half]]
        maps = [torch.randn(2, c, *own) for c, own in zip(widths, sizes, strict=True)]
        assert_equal(net, ours, theirs, *maps)
    sizes = dict(zip(("H0", "W0", "H1", "W1", "H2", "W2"), (16, 16, 8, 8, 3, 4), strict=True))
    assert not net.sizes.accepts(**sizes)
    assert net.sizes.accepts(**sizes | {"H2": 4})


@pytest.mark.parametrize(
    ("setting", "keys"),
    [
        ("", "b597c661326d76f3c98ea609e855b8327b384a529024f94e3a06d76eba2fa370"),
        ("tensorflow=true", "928b64aa44400e2c18e81ba8c6f6de9d67c964b7588d5fa452f468d4f5c73aba"),
    ],
)
def test_keys_of_bifpn(setting: str, keys: str) -> None:
    """The pyramid of effdet's `efficientdet_d0` and `tf_efficientdet_d0`."""
    state = block("bifpn", f"BiFPN({setting})", [40, 112, 320], 5).torch().state_dict()
    assert digest({key.removeprefix("unit."): value for key, value in state.items()}) == keys


def test_shares_below_zero_count_as_none() -> None:
    net = block("bifpn", "FusionNode(4, [0, 1])", [4, 4], 1)
    module: Any = net.torch(seed=0).eval()
    maps = torch.randn(1, 4, 6, 6), torch.randn(1, 4, 3, 3)
    with torch.no_grad():
        module.unit.combine.edge_weights.copy_(torch.tensor([2.0, -1.0]))
        assert torch.equal(module(*maps), module(maps[0], maps[1] + 1))
        module.unit.combine.edge_weights.fill_(-1.0)
        assert module(*maps).isfinite().all()


# --- DANet ---------------------------------------------------------------------------------------


class Places(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // 8, 1)
        self.key_conv = nn.Conv2d(channels, channels // 8, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Any) -> Any:
        query, key = self.query_conv(x).flatten(2), self.key_conv(x).flatten(2)
        energy = torch.einsum("bci,bcj->bij", query, key)
        value = self.value_conv(x).flatten(2)
        seen = torch.einsum("bij,bcj->bci", energy.softmax(2), value)
        return self.gamma * seen.view(x.shape) + x


class Channels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Any) -> Any:
        flat = x.flatten(2)
        energy = flat @ flat.transpose(1, 2)
        energy = energy.max(-1, keepdim=True)[0] - energy
        return self.gamma * (energy.softmax(-1) @ flat).view(x.shape) + x


def normed(given: int, channels: int) -> Any:
    conv = nn.Conv2d(given, channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


class DualHead(nn.Module):
    def __init__(self, given: int, classes: int) -> None:
        super().__init__()
        inner = given // 4
        self.conv5a, self.conv5c = normed(given, inner), normed(given, inner)
        self.sa, self.sc = Places(inner), Channels()
        self.conv51, self.conv52 = normed(inner, inner), normed(inner, inner)
        self.conv6, self.conv7, self.conv8 = (
            nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(inner, classes, 1)) for _ in range(3)
        )

    def forward(self, x: Any) -> tuple[Any, ...]:
        places = self.conv51(self.sa(self.conv5a(x)))
        channels = self.conv52(self.sc(self.conv5c(x)))
        return self.conv8(places + channels), self.conv6(places), self.conv7(channels)


def test_danet() -> None:
    torch.manual_seed(0)
    net = block("segment", "DANetHead(5)", [64], 3)
    theirs = tree(unit=DualHead(64, 5))
    theirs.forward = theirs.unit.forward
    ours = loaded(net, theirs)
    for size in ((9, 12), (1, 1), (16, 5)):
        assert_equal(net, ours, theirs, torch.randn(2, 64, *size))
    assert str(net.sizes) == "any H0, any W0"


# --- SegFormer -----------------------------------------------------------------------------------


class Mlp(nn.Module):
    """On tokens, as transformers has it: maps are flattened before and brought back behind."""

    def __init__(self, widths: list[int], channels: int, classes: int) -> None:
        super().__init__()
        self.linear_c = nn.ModuleList(tree(proj=nn.Linear(c, channels)) for c in widths)
        self.linear_fuse = nn.Conv2d(channels * len(widths), channels, 1, bias=False)
        self.batch_norm = nn.BatchNorm2d(channels)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, *maps: Any) -> Any:
        found = []
        for x, part in zip(maps, self.linear_c, strict=True):
            y = part.proj(x.flatten(2).transpose(1, 2)).transpose(1, 2)
            y = y.reshape(len(x), -1, *x.shape[2:])
            found.append(F.interpolate(y, size=maps[0].shape[2:], mode="bilinear"))
        x = self.linear_fuse(torch.cat(found[::-1], 1))
        return self.classifier(F.relu(self.batch_norm(x)))


@pytest.mark.parametrize("count", [1, 4])
def test_segformer(count: int) -> None:
    torch.manual_seed(0)
    widths = [4, 6, 8, 10][:count]
    net = block("segment", "SegformerDecodeHead(3, channels=12)", widths, 1)
    theirs = tree(unit=Mlp(widths, 12, 3))
    theirs.forward = theirs.unit.forward
    ours = loaded(net, theirs)
    for height, width in ((16, 24), (11, 5)):
        sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(count)]
        maps = [torch.randn(2, c, *size) for c, size in zip(widths, sizes, strict=True)]
        assert_equal(net, ours, theirs, *maps)
