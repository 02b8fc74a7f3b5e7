"""YOLO's units against plain PyTorch modules with the same keys.

test_public_units.py compares them with ultralytics where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl
from tests.examples import norm_constants, restless

torch = pytest.importorskip("torch")
nn = torch.nn


def conv(cin: int, cout: int, kernel: int = 1, act: Any = nn.SiLU, stride: int = 1) -> Any:
    unit = nn.Sequential()
    unit.add_module("conv", nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False))
    unit.add_module("bn", nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03))
    unit.add_module("act", act())
    return unit


class Bottleneck(nn.Module):
    """Two convolutions; from as many channels as go out, if not said otherwise."""

    def __init__(
        self, channels: int, first: int, shortcut: bool, hidden: int = 0, cin: int = 0
    ) -> None:
        super().__init__()
        inner = hidden or channels
        self.cv1, self.cv2 = conv(cin or channels, inner, first), conv(inner, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    def __init__(self, cin: int, cout: int, n: int, shortcut: bool = True) -> None:
        super().__init__()
        half = cout // 2
        self.cv1, self.cv2, self.cv3 = conv(cin, half), conv(cin, half), conv(2 * half, cout)
        self.m = nn.Sequential(*(Bottleneck(half, 1, shortcut) for _ in range(n)))

    def forward(self, x: Any) -> Any:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class C2f(nn.Module):
    def __init__(self, cin: int, cout: int, n: int, shortcut: bool = False) -> None:
        super().__init__()
        half = cout // 2
        self.cv1, self.cv2 = conv(cin, 2 * half), conv((2 + n) * half, cout)
        self.m = nn.ModuleList(Bottleneck(half, 3, shortcut) for _ in range(n))

    def forward(self, x: Any) -> Any:
        kept = list(self.cv1(x).chunk(2, 1))
        for unit in self.m:
            kept.append(unit(kept[-1]))
        return self.cv2(torch.cat(kept, 1))


class Pyramid(nn.Module):
    """SPP, or SPPF where `kernels` is one number; that of YOLO26 where it is `bare`."""

    def __init__(
        self, cin: int, cout: int, kernels: tuple[int, ...] | int, bare: bool = False
    ) -> None:
        super().__init__()
        self.cv1 = conv(cin, cin // 2, act=nn.Identity if bare else nn.SiLU)
        self.cv2 = conv(cin // 2 * 4, cout)
        self.kernels, self.bare = kernels, bare

    def forward(self, x: Any) -> Any:
        def pool(y: Any, k: int) -> Any:
            return nn.functional.max_pool2d(y, k, stride=1, padding=k // 2)

        maps = [self.cv1(x)]
        if isinstance(self.kernels, int):
            for _ in range(3):
                maps.append(pool(maps[-1], self.kernels))
        else:
            maps += [pool(maps[0], k) for k in self.kernels]
        y = self.cv2(torch.cat(maps, 1))
        return x + y if self.bare and x.shape == y.shape else y


UNITS: dict[str, Callable[[], Any]] = {
    "C3(12, 2)": lambda: C3(8, 12, 2),
    "C3(8, shortcut=false)": lambda: C3(8, 8, 1, False),
    "C2f(12, 2)": lambda: C2f(8, 12, 2),
    "C2f(8, 3, shortcut=true)": lambda: C2f(8, 8, 3, True),
    "YoloSPP(10)": lambda: Pyramid(8, 10, (5, 9, 13)),
    "SPPF(10)": lambda: Pyramid(8, 10, 5),
    "SPPF(8, act=identity, shortcut=true)": lambda: Pyramid(8, 8, 5, bare=True),
    "SPPF(10, act=identity, shortcut=true)": lambda: Pyramid(8, 10, 5, bare=True),
}


@pytest.mark.parametrize("stage", UNITS)
def test_units_are_equal(stage: str) -> None:
    torch.manual_seed(0)
    theirs = UNITS[stage]()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    network = netdsl.loads(
        "use std.yolo\n"
        f"net Unit {{\n    input x: [8, H, W]\n    output y = x -> unit: {stage}\n}}\n"
    )
    ours = network.torch(seed=1).eval()
    ours.load_state_dict({f"unit.{k}": v for k, v in theirs.state_dict().items()}, strict=True)
    with torch.no_grad():
        for size in ((7, 12), (16, 5)):
            x = torch.randn(2, 8, *size)
            torch.testing.assert_close(ours(x), theirs.eval()(x))
        ours.train()(x), theirs.train()(x)
        ours.eval()
    kept = {f"unit.{k}": v for k, v in theirs.state_dict().items()}
    torch.testing.assert_close(dict(ours.state_dict()), kept)


class Join:
    """In a table: several layers' results joined along the channels."""

    def __init__(self, *others: int) -> None:
        self.others = others


class Table(nn.Module):
    """Layers as a published configuration lists them, numbered from `start` on.

    A layer takes what the one before gives, or that of the number before it.
    """

    def __init__(
        self, start: int, inputs: tuple[int, ...], rows: list[Any], outputs: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.start, self.inputs, self.outputs, self.rows = start, inputs, outputs, rows
        for number, row in enumerate(rows, start):
            layer = row[1] if isinstance(row, tuple) else row
            if isinstance(layer, nn.Module):
                self.add_module(str(number), layer)

    def forward(self, *maps: Any) -> list[Any]:
        results = dict(zip(self.inputs, maps, strict=True))
        for number, row in enumerate(self.rows, self.start):
            source, layer = row if isinstance(row, tuple) else (number - 1, row)
            x = results[source]
            if isinstance(layer, Join):
                results[number] = torch.cat([x, *(results[other] for other in layer.others)], 1)
            else:
                results[number] = layer(x)
        return [results[number] for number in self.outputs]


def double() -> Any:
    return nn.Upsample(scale_factor=2)


A, B, C = 4, 8, 16
"""The channels of the three maps that come to a neck, the finest first."""


def yolov3(kernel: int) -> Table:
    def pair(channels: int, cin: int = 0) -> Any:
        return Bottleneck(channels, kernel, False, channels // 2, cin)

    rows = [
        pair(C), conv(C, B), conv(B, C, 3), conv(C, B), conv(B, C, 3),
        (14, conv(B, A)), double(), Join(8), pair(B, A + B), pair(B), conv(B, A), conv(A, B, 3),
        (21, conv(A, A // 2)), double(), Join(6), pair(A, A // 2 + A), nn.Sequential(pair(A), pair(A)),
    ]  # fmt: skip
    return Table(11, (6, 8, 10), rows, (27, 22, 15))


def yolov5(n: int) -> Table:
    rows = [
        conv(C, B), double(), Join(6), C3(2 * B, B, n, False),
        conv(B, A), double(), Join(4), C3(2 * A, A, n, False),
        conv(A, A, 3, stride=2), Join(14), C3(2 * A, B, n, False),
        conv(B, B, 3, stride=2), Join(10), C3(2 * B, C, n, False),
    ]  # fmt: skip
    return Table(10, (4, 6, 9), rows, (17, 20, 23))


def yolov8(n: int) -> Table:
    rows = [
        double(), Join(6), C2f(C + B, B, n),
        double(), Join(4), C2f(B + A, A, n),
        conv(A, A, 3, stride=2), Join(12), C2f(A + B, B, n),
        conv(B, B, 3, stride=2), Join(9), C2f(B + C, C, n),
    ]  # fmt: skip
    return Table(10, (4, 6, 9), rows, (15, 18, 21))


NECKS: dict[str, Callable[[], Any]] = {
    "YoloV3Neck": lambda: yolov3(1),
    "YoloV3Neck(kernel=3)": lambda: yolov3(3),
    "YoloV5Neck(depth=2)": lambda: yolov5(2),
    "YoloV8Neck(depth=1)": lambda: yolov8(1),
}


@pytest.mark.parametrize("stage", NECKS)
def test_necks_are_equal(stage: str) -> None:
    torch.manual_seed(0)
    theirs = restless(NECKS[stage]())
    network = netdsl.loads(
        f"""
        use std.yolo
        net Neck {{
            input coarse: [{C}, H, W]
            input middle: [{B}, 2 * H, 2 * W]
            input fine: [{A}, 4 * H, 4 * W]
            (a, b, c) = (fine, middle, coarse) -> unit: {stage}
            output small = a
            output medium = b
            output large = c
        }}
        """
    )
    assert str(network.sizes) == "any H, any W"
    ours = network.torch(seed=1).eval()
    ours.unit.load_state_dict(theirs.state_dict(), strict=True)
    assert norm_constants(ours.unit) == norm_constants(theirs)
    for height, width in ((3, 4), (1, 2)):
        maps = [torch.randn(2, c, height * n, width * n) for c, n in ((C, 1), (B, 2), (A, 4))]
        with torch.no_grad():
            for found, expected in zip(ours(*maps), theirs(*maps[::-1]), strict=True):
                torch.testing.assert_close(found, expected)
