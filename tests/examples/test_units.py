"""YOLO's units against plain PyTorch modules with the same keys.

test_public_units.py compares them with ultralytics where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
nn = torch.nn


def conv(cin: int, cout: int, kernel: int = 1, act: Any = nn.SiLU) -> Any:
    unit = nn.Sequential()
    unit.add_module("conv", nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False))
    unit.add_module("bn", nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03))
    unit.add_module("act", act())
    return unit


class Neck(nn.Module):
    def __init__(self, channels: int, first: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2 = conv(channels, channels, first), conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    def __init__(self, cin: int, cout: int, n: int, shortcut: bool = True) -> None:
        super().__init__()
        half = cout // 2
        self.cv1, self.cv2, self.cv3 = conv(cin, half), conv(cin, half), conv(2 * half, cout)
        self.m = nn.Sequential(*(Neck(half, 1, shortcut) for _ in range(n)))

    def forward(self, x: Any) -> Any:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class C2f(nn.Module):
    def __init__(self, cin: int, cout: int, n: int, shortcut: bool = False) -> None:
        super().__init__()
        half = cout // 2
        self.cv1, self.cv2 = conv(cin, 2 * half), conv((2 + n) * half, cout)
        self.m = nn.ModuleList(Neck(half, 3, shortcut) for _ in range(n))

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
