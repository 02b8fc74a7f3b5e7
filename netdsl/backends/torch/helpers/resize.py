"""Images in another size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Resize(nn.Module):
    """Images in another size: their shorter side, or (height, width).

    Levels, uint8, are computed with as float64, and rounded. With `round_robin` each image takes
    one of four modes at random in training.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        mode: str = "bilinear",
        antialias: bool = True,
        round_robin: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.mode, self.antialias = size, mode, antialias
        self.round_robin = round_robin

    def forward(self, x: Tensor) -> Tensor:
        size = target_size(x, self.size)
        if not (self.round_robin and self.training):
            return resized(x, size, self.mode, self.antialias)
        modes = ("bilinear", "nearest", "bicubic", "area")
        drawn = torch.randint(len(modes), (len(x),)).tolist()
        pairs = zip(x.split(1), drawn, strict=True)
        images = [resized(one, size, modes[n], self.antialias) for one, n in pairs]
        return torch.cat(images)


def target_size(x: Tensor, size: int | tuple[int, int]) -> tuple[int, int]:
    """The size itself, or one in which it is the shorter side."""
    if isinstance(size, tuple):
        return size
    height, width = x.shape[-2:]
    sides = size * height // width, size * width // height
    return torch.sym_max(size, sides[0]), torch.sym_max(size, sides[1])


def resized(x: Tensor, size: tuple[int, int], mode: str, antialias: bool) -> Tensor:
    """Images in a size; levels stay levels."""
    if mode in ("nearest", "nearest_floor"):
        mode = "nearest-exact" if mode == "nearest" else "nearest"
        return F.interpolate(x, size, mode=mode)
    numbers = x if x.is_floating_point() else x.double()
    if mode == "area":
        numbers = averaged(numbers, size)
    elif size[1] == 1:  # on its side, as PyTorch smooths columns of one cell wrongly
        numbers = F.interpolate(
            numbers.mT, size[::-1], mode=mode, antialias=antialias
        ).mT
    else:
        numbers = F.interpolate(numbers, size, mode=mode, antialias=antialias)
    return numbers if x.is_floating_point() else to_levels(numbers)


def averaged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The mean over the part of the image that lies under each new cell."""
    rows, columns = (overlaps(n, m, x) for n, m in zip(x.shape[-2:], size, strict=True))
    return rows @ (x @ columns.mT)


def overlaps(size: int, result: int, x: Tensor) -> Tensor:
    """The share that each cell of an axis has in each new one, `[result, size]`."""
    step = size / result
    edges = torch.arange(result + 1, dtype=torch.float64, device=x.device) * step
    cells = torch.arange(size, dtype=torch.float64, device=x.device)
    ends = torch.minimum(edges[1:, None], cells + 1)
    shared = ends - torch.maximum(edges[:-1, None], cells)
    return (shared.clamp(min=0) / step).to(x.dtype)


def to_levels(x: Tensor) -> Tensor:
    """The nearest levels; what is a half but for rounding goes to the even one."""
    halves = (x * 2**20).round() / 2**20
    return halves.round().clamp(0, 255).to(torch.uint8)
