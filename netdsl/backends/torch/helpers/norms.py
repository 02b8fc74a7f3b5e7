"""Normalisations that PyTorch has no module for."""

from __future__ import annotations

import torch
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
