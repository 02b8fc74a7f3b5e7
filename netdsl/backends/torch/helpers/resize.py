"""Images in another size: resized as a whole, in a frame, or in part."""

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
        height, width = target_size(x, self.short)
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
