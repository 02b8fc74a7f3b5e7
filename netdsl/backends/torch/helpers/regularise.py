"""Regularisers that PyTorch has no module for."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: drops whole samples with probability p while training."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        shape = [x.shape[0]] + [1] * (x.dim() - 1)
        keep = torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(
            1.0 - self.p
        )
        return x * keep.div_(1.0 - self.p) if self.p < 1.0 else x * keep


class RandomFlip(nn.Module):
    """Mirrors samples from left to right with probability p while training."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        shape = [x.shape[0]] + [1] * (x.dim() - 1)
        is_mirrored = torch.rand(shape, device=x.device) < self.p
        return torch.where(is_mirrored, x.flip(-1), x)
