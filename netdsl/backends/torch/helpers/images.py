"""Resizing and cropping of images, in floats or in levels from 0 to 255."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Letterbox(nn.Module):
    """Fits images into a frame without squashing them; the rest of the frame is filled."""

    def __init__(
        self,
        size: tuple[int, int],
        fill: float = 114.0,
        mode: str = "bilinear",
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.size = size
        self.fill = fill
        self.mode = mode
        self.antialias = antialias

    def forward(self, x: Tensor) -> Tensor:
        ratio = min(self.size[0] / x.shape[-2], self.size[1] / x.shape[-1])
        height, width = (max(1, round(n * ratio)) for n in x.shape[-2:])
        x = resized(x, (height, width), self.mode, self.antialias)
        down, across = self.size[0] - height, self.size[1] - width
        top, left = down // 2, across // 2
        return F.pad(x, (left, across - left, top, down - top), value=self.fill)


class RandomResizedCrop(nn.Module):
    """A random part of each image while training, and the middle of it later, in one size."""

    def __init__(
        self,
        size: int,
        short: int,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        mode: str = "bilinear",
        antialias: bool = True,
    ) -> None:
        super().__init__()
        self.size = size
        self.short = (
            short  # to which the shorter side is resized before the middle is cut
        )
        self.scale = scale
        self.ratio = ratio
        self.mode = mode
        self.antialias = antialias

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return torch.cat([self.part(image) for image in x.split(1)])
        shorter = min(x.shape[-2:])
        height, width = (self.short * n // shorter for n in x.shape[-2:])
        x = resized(x, (height, width), self.mode, self.antialias)
        # half of what is left over, rounded to an even number
        i, j = (
            (n + 1) // 4 + (n + 2) // 4 for n in (height - self.size, width - self.size)
        )
        return x[..., i : i + self.size, j : j + self.size]

    def part(self, x: Tensor) -> Tensor:
        """A random part of one image."""
        i, j, height, width = self.place(x.shape[-2], x.shape[-1])
        x = x[..., i : i + height, j : j + width]
        return resized(x, (self.size, self.size), self.mode, self.antialias)

    def place(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of a part: its area and its ratio are drawn."""
        (least, most), (tall, wide) = self.scale, self.ratio
        for _ in range(10):
            share, slope, down, across = torch.rand(4).tolist()
            area = height * width * (least + share * (most - least))
            ratio = tall ** (1 - slope) * wide**slope
            w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < w <= width and 0 < h <= height:
                return int(down * (height - h + 1)), int(across * (width - w + 1)), h, w
        # no part fits: the middle, as much of it as the ratio allows
        w = min(width, max(1, round(height * wide)))
        h = min(height, max(1, round(width / tall)))
        return (height - h) // 2, (width - w) // 2, h, w


def resized(x: Tensor, size: tuple[int, int], mode: str, antialias: bool) -> Tensor:
    """Images in another size; levels from 0 to 255 are rounded and stay within."""
    numbers = x.float() if x.dtype == torch.uint8 else x
    height, width = size
    if antialias and width == 1 and height > 1:
        # PyTorch smooths columns wrongly where one is left: they are smoothed as rows
        y = F.interpolate(numbers, size=(x.shape[-2], 1), mode=mode, antialias=True)
        y = F.interpolate(y.mT, size=(1, height), mode=mode, antialias=True).mT
    else:
        y = F.interpolate(numbers, size=size, mode=mode, antialias=antialias)
    return y.round().clamp(0, 255).to(torch.uint8) if x.dtype == torch.uint8 else y
