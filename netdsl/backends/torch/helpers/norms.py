"""Normalisations that PyTorch has no module for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AxisLayerNorm(nn.LayerNorm):
    """Layer normalisation over one axis that need not be the last."""

    def __init__(self, size: int, axis: int, **settings) -> None:
        super().__init__(size, **settings)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x.transpose(self.axis, -1))
        return x.transpose(self.axis, -1)


class AxisRMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` over one axis that need not be the last."""

    def __init__(self, size: int, axis: int, **settings) -> None:
        super().__init__(size, **settings)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x.transpose(self.axis, -1))
        return x.transpose(self.axis, -1)


class Normalize(nn.Module):
    """`(x - mean) / std`, a number for each channel, without weights."""

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], rank: int
    ) -> None:
        super().__init__()
        shape = (-1, *(1 for _ in range(rank - 1)))
        self.register_buffer("mean", torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class SpectralNorm(nn.Module):
    """A weight over its largest singular value (Miyato et al. 2018), estimated step by step."""

    def __init__(
        self,
        rows: int,
        columns: int,
        axis: int = 0,
        steps: int = 1,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()
        self.axis, self.steps, self.eps = axis, steps, eps
        self.register_buffer("_u", F.normalize(torch.randn(rows), dim=0, eps=eps))
        self.register_buffer("_v", F.normalize(torch.randn(columns), dim=0, eps=eps))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.movedim(self.axis, 0).flatten(1)
        if self.training:
            self.approach(matrix.detach())
        # the next call changes them in place, and a backward pass may come after it
        u, v = self._u.clone(), self._v.clone()
        return weight / torch.vdot(u, torch.mv(matrix, v))

    def approach(self, matrix: Tensor) -> None:
        """Brings both vectors nearer to the singular ones."""
        for _ in range(self.steps):
            u = torch.mv(matrix, self._v)
            F.normalize(u, dim=0, eps=self.eps, out=self._u)
            v = torch.mv(matrix.t(), self._u)
            F.normalize(v, dim=0, eps=self.eps, out=self._v)
