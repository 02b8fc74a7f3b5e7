"""Adaptive pooling that survives export at sizes which are not known yet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def adaptive_bins(x: Tensor, axis: int, bins: int, kind: str) -> Tensor:
    """Pool one axis into bins `[i*n // bins, ceil((i + 1)*n / bins))` by slices."""
    n = x.shape[axis]
    parts = []
    for i in range(bins):
        start = i * n // bins
        length = ((i + 1) * n + bins - 1) // bins - start
        part = x.narrow(axis, start, length)
        parts.append(part.amax(axis, True) if kind == "max" else part.mean(axis, True))
    return torch.cat(parts, axis)


def adaptive_pool(x: Tensor, size: tuple[int, int], kind: str) -> Tensor:
    """Adaptive pooling of a map; the axes separate, so each is pooled on its own for export."""
    if torch.onnx.is_in_onnx_export():
        return adaptive_bins(adaptive_bins(x, -2, size[0], kind), -1, size[1], kind)
    return (
        F.adaptive_max_pool2d(x, size)
        if kind == "max"
        else F.adaptive_avg_pool2d(x, size)
    )


class AdaptiveMaxPool(nn.Module):
    """`nn.AdaptiveMaxPool2d` for exports at any size."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else size

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_pool(x, self.size, "max")


class AdaptiveAvgPool(nn.Module):
    """`nn.AdaptiveAvgPool2d` for exports at any size."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else size

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_pool(x, self.size, "avg")
