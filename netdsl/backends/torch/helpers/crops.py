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
        # half of what is left over, rounded to an even number
        middle = [(n + 1) // 4 + (n + 2) // 4 for n in (bottom, right)]
        places = [(0, 0), (0, right), (bottom, 0), (bottom, right), middle]
        return [x[..., i : i + height, j : j + width] for i, j in places]
