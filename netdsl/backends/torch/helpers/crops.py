"""The corners and the middle of an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Crops(nn.Module):
    """Four corners and the middle of an image; with n=10 those of the mirrored image too."""

    def __init__(self, size: tuple[int, int], n: int = 5) -> None:
        super().__init__()
        self.size = size
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        images = [x] if self.n == 5 else [x, x.flip(-1)]
        return torch.stack([part for image in images for part in self.five(image)], 1)

    def five(self, x: Tensor) -> list[Tensor]:
        height, width = self.size
        bottom, right = x.shape[-2] - height, x.shape[-1] - width
        middle = (even_half(bottom), even_half(right))
        places = [(0, 0), (0, right), (bottom, 0), (bottom, right), middle]
        return [x[..., i : i + height, j : j + width] for i, j in places]


class CenterCrop(nn.Module):
    """The middle of a map, where torchvision's CenterCrop takes it."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        for axis, size in enumerate(self.size, 2):
            x = x.narrow(axis, even_half(x.shape[axis] - size), size)
        return x


def even_half(n: int) -> int:
    """Half of n, rounded to an even number where n is odd."""
    return (n + 1) // 4 + (n + 2) // 4
