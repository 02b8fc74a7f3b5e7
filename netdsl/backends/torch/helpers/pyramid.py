"""Spatial pyramid pooling: a map of any size to a vector of fixed length."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpatialPyramidPool(nn.Module):
    """Pools a map into n x n bins for each level n and joins the flattened results.

    Where a level divides a larger one, its windows are unions of that level's windows (for any
    size of the map), so the maximum is pooled from there.
    """

    def __init__(self, levels: tuple[int, ...], kind: str = "max") -> None:
        super().__init__()
        self.levels = levels
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        pooled: dict[int, Tensor] = {}
        for level in sorted(set(self.levels), reverse=True):
            pooled[level] = self.pool(x, level, pooled)
        return torch.cat([pooled[level].flatten(1) for level in self.levels], 1)

    def pool(self, x: Tensor, level: int, pooled: dict[int, Tensor]) -> Tensor:
        finer = [n for n in pooled if n % level == 0 and self.kind == "max"]
        if finer:
            return F.max_pool2d(pooled[finer[0]], finer[0] // level)
        if torch.onnx.is_in_onnx_export():
            return self.bins(self.bins(x, -2, level), -1, level)
        pool = F.adaptive_max_pool2d if self.kind == "max" else F.adaptive_avg_pool2d
        return pool(x, level)

    def bins(self, x: Tensor, axis: int, level: int) -> Tensor:
        """One axis pooled by slices, which export at sizes that are not known yet."""
        n = x.shape[axis]
        parts = []
        for i in range(level):
            start = i * n // level
            part = x.narrow(axis, start, ((i + 1) * n + level - 1) // level - start)
            parts.append(
                part.amax(axis, True) if self.kind == "max" else part.mean(axis, True)
            )
        return torch.cat(parts, axis)


class PaperPyramidPool(nn.Module):
    """Pyramid pooling with the windows of He et al. 2014: ceil(a/n) wide, floor(a/n) apart."""

    def __init__(self, levels: tuple[int, ...], kind: str = "max") -> None:
        super().__init__()
        self.levels = levels
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        pool = F.max_pool2d if self.kind == "max" else F.avg_pool2d
        parts = []
        for n in self.levels:
            window = ((height + n - 1) // n, (width + n - 1) // n)
            parts.append(pool(x, window, (height // n, width // n)).flatten(1))
        return torch.cat(parts, 1)
