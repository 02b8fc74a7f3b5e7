"""Padding that makes a size `ceil(in / stride)`, which PyTorch's modules have no word for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def same_cells(
    x: Tensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    lower: bool,
) -> list[int]:
    """The cells to add before and after each axis, the last axis first: as `F.pad` has it."""
    cells = []
    for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
        added = max(((n + s - 1) // s - 1) * s + d * (k - 1) + 1 - n, 0)
        less = added // 2
        cells = [*((added - less, less) if lower else (less, added - less)), *cells]
    return cells


def same_padded(
    x: Tensor, conv: nn.Conv1d | nn.Conv2d | nn.Conv3d, lower: bool
) -> Tensor:
    """What a convolution without padding is given."""
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    cells = same_cells(x, conv.kernel_size, conv.stride, conv.dilation, lower)
    return F.pad(x, cells, mode=mode)


class SameConv1d(nn.Conv1d):
    """`nn.Conv1d` whose result has `ceil(in / stride)` cells; an odd cell is added last."""

    def __init__(self, *args: int, lower: bool = False, **settings: object) -> None:
        super().__init__(*args, **settings)
        self.lower = lower

    def forward(self, x: Tensor) -> Tensor:
        x = same_padded(x, self, self.lower)
        return F.conv1d(
            x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


class SameConv2d(nn.Conv2d):
    """`nn.Conv2d` whose result has `ceil(in / stride)` cells; an odd cell is added last."""

    def __init__(self, *args: int, lower: bool = False, **settings: object) -> None:
        super().__init__(*args, **settings)
        self.lower = lower

    def forward(self, x: Tensor) -> Tensor:
        x = same_padded(x, self, self.lower)
        return F.conv2d(
            x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


class SameConv3d(nn.Conv3d):
    """`nn.Conv3d` whose result has `ceil(in / stride)` cells; an odd cell is added last."""

    def __init__(self, *args: int, lower: bool = False, **settings: object) -> None:
        super().__init__(*args, **settings)
        self.lower = lower

    def forward(self, x: Tensor) -> Tensor:
        x = same_padded(x, self, self.lower)
        return F.conv3d(
            x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


class SameMaxPool(nn.Module):
    """Max pooling whose result has `ceil(in / stride)` cells; an odd cell is added last."""

    def __init__(
        self,
        kernel: int | tuple[int, ...],
        stride: int | tuple[int, ...],
        dilation: int | tuple[int, ...] = 1,
        lower: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = kernel, stride, dilation
        self.lower = lower

    def forward(self, x: Tensor) -> Tensor:
        parts = each_axis(x, self.kernel, self.stride, self.dilation)
        kernel, stride, dilation = parts
        x = F.pad(x, same_cells(x, *parts, self.lower), value=float("-inf"))
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.ndim - 3]
        return pool(x, kernel, stride, 0, dilation)


class SameAvgPool(nn.Module):
    """Average pooling whose result has `ceil(in / stride)` cells; an odd cell is added last."""

    def __init__(
        self,
        kernel: int | tuple[int, ...],
        stride: int | tuple[int, ...],
        lower: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.lower, self.count_include_pad = lower, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride, ones = each_axis(x, self.kernel, self.stride, 1)
        cells = same_cells(x, kernel, stride, ones, self.lower)
        pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.ndim - 3]
        means = pool(F.pad(x, cells), kernel, stride)
        if self.count_include_pad:
            return means
        inside = torch.ones_like(x[:1, :1])
        return means / pool(F.pad(inside, cells), kernel, stride)


def each_axis(x: Tensor, *sizes: int | tuple[int, ...]) -> list[tuple[int, ...]]:
    """Settings with a part for each axis of the map."""
    return [
        size if isinstance(size, tuple) else (size,) * (x.ndim - 2) for size in sizes
    ]
