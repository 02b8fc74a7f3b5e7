"""Modules that the language has no word for, for plug-ins that an import writes."""

from __future__ import annotations

from typing import Any

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Reversed(torch.autograd.Function):
    """A function of one's own, with its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


@torch.library.custom_op("netdsl_tests::rows", mutates_args=())
def rows(x: Tensor) -> Tensor:
    """Compiled, as it were: nobody says its shape on "meta"."""
    return x[:, :, ::2].clone() * 2.0


class Share(nn.Module):
    """Scaled frequencies, and the sum of each channel."""

    def __init__(
        self, width: int, mode: str = "abs", levels: Any = None, input: float = 1.0
    ) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width, 1, 1))
        self.register_buffer("steps", torch.zeros(2, dtype=torch.int64))
        self.mode, self.levels, self.input = mode, levels, input

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.fft.rfft2(x)
        y = (y.abs() if self.mode == "abs" else y.real) * self.scale * self.input
        return y + sum(self.levels or [0]), y.sum((2, 3))


class Auto(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Reversed.apply(x)  # type: ignore[no-any-return]


class Host(nn.Module):
    """Leaves torch for numpy."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.from_numpy(numpy.cumsum(x.numpy(), axis=1)) + y


class Compiled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return rows(x)


class Acting(nn.Module):
    """Made with what is no number: what is around it is the layer."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(torch.fft.fft2(x).real)


class Around(nn.Module):
    def __init__(self, slope: float) -> None:
        super().__init__()
        self.inner = Acting(nn.LeakyReLU(slope))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + 1


class Kept(nn.Module):
    """As many rows as there are large numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, (x > 0.1).flatten(3).any(-1).any(0).any(0)]


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x.copy_(torch.fft.fft2(x).abs())
        return x


class Numbers(nn.Module):
    """All of it at once; one layer is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.one = Share(4, levels=[1, 2], input=2)
        self.two = Share(4, "real")
        self.auto, self.host, self.compiled = Auto(), Host(), Compiled()
        self.around = Around(0.25)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, sums = self.one(self.stem(x))
        x, _ = self.two(x)
        x = self.auto(self.auto(x))
        x = self.around(self.compiled(self.host(x, x.sigmoid())))
        return self.head(F.relu(x)), sums


def holding(kind: type[nn.Module]) -> type[nn.Module]:
    """A network with one module of a class."""

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 1)
            self.part = kind()

        def forward(self, x: Tensor) -> Tensor:
            return self.part(self.stem(x))

    return Holder


HoldsKept, HoldsInPlace, HoldsHolder = holding(Kept), holding(InPlace), holding(holding(Kept))
HoldsAuto = holding(Auto)
