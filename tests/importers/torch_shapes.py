"""Small modules that copy, cut and put together values in the ways that models do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Expanded(nn.Module):
    """A pooled map spread over the map again, and joined with it: only a joint needs copies."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Conv2d(8, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        mean = x.mean((2, 3), keepdim=True)
        both = torch.cat([x, mean.expand(-1, -1, x.shape[2], x.shape[3])], dim=1)
        return self.head(both) - self.conv(x[:, :3]).amax((2, 3), keepdim=True)[:, :2]


class Copied(nn.Module):
    """Copies along known axes: by `expand`, `repeat`, `tile`, each sample and each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 6, 1)
        self.table = nn.Parameter(torch.randn(1, 1, 4, 4))
        self.rows = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(x)
        tiled = torch.tile(self.table, (1, 6, 2, 2)) + y
        wide = y.mean(1, keepdim=True).expand(-1, 6, -1, -1).reshape(x.shape[0], 3, 2, 8, 8)
        each = y.repeat_interleave(2, dim=1)[:, ::2] * y.repeat(1, 2, 1, 1)[:, 6:]
        samples = y.repeat_interleave(3, dim=0).view(-1, 3, 6, 8, 8)[:, 1]
        return self.rows(tiled + wide.sum(2).repeat(1, 2, 1, 1) + each + samples)


class Outer(nn.Module):
    """Two rows, each spread over the other: neither operand of the sum has all cells."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True)
        a = rows.expand(-1, -1, -1, x.shape[3])
        b = (rows * 2).expand_as(x)
        return (a + b).softmax(3) * columns
