"""Any size by hand, in PyTorch alone: what `Network.padded` is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Rule = Callable[[int], int]
Shape = Callable[..., tuple[int, ...]]


@dataclass(frozen=True)
class Promise:
    """What a network that is padded does: the size that each size goes to, the shapes it gives.

    `shapes` are, by output, functions of the sizes of the image; `axes` is how many it has,
    `channels` those of the image.
    """

    up: Rule
    shapes: dict[str, Shape]
    channels: int = 3
    axes: int = 2

    def image(self, sizes: Sequence[int], device: str = "cpu") -> Tensor:
        shape = (1, self.channels, *sizes)
        return torch.randn(shape) if device == "cpu" else torch.empty(shape, device=device)


def at_least(least: int) -> Rule:
    return lambda n: max(least, n)


def multiple(of: int) -> Rule:
    return lambda n: -(-n // of) * of


def remainders(period: int, least: int, *rests: int) -> Rule:
    """The next size whose remainder is one of these."""
    return lambda n: next(m for m in count(max(n, least)) if m % period in rests)


def stays(n: int) -> int:
    return n


def cells(n: int, by: int) -> int:
    """How many steps cover n cells."""
    return -(-n // by)


def like_image(channels: int) -> Shape:
    return lambda *sizes: (channels, *sizes)


def steps(channels: int, by: int) -> Shape:
    return lambda *sizes: (channels, *(cells(n, by) for n in sizes))


def same(*shape: int) -> Shape:
    return lambda *sizes: shape


def anchors(features: int) -> Shape:
    """RetinaNet's: nine for each cell of five levels."""
    levels = (8, 16, 32, 64, 128)
    return lambda h, w: (sum(9 * cells(h, n) * cells(w, n) for n in levels), features)


def whole_eighths(n: int) -> int:
    """The U-Net of volumes gives multiples of 8; below 8 what was there is kept."""
    return n if n < 8 else n // 8 * 8


PROMISES = {
    "unet16": Promise(multiple(16), {"mask": like_image(2)}, channels=1),
    "unet": Promise(at_least(16), {"mask": like_image(2)}, channels=1),
    "segnet": Promise(at_least(32), {"scores": like_image(12)}),
    "fpn": Promise(stays, {f"p{n}": steps(256, 2**n) for n in (2, 3, 4, 5, 6)}),
    "hourglass": Promise(
        remainders(64, 63, 63, 0, 1, 2),
        {"heatmaps": lambda h, w: (16, max(1, (h + 1) // 4), max(1, (w + 1) // 4))},
    ),
    "yolov8n": Promise(
        remainders(32, 25, 25, 26, 27, 28, 29, 30, 31, 0),
        {"predictions": lambda h, w: (84, 21 * cells(h, 32) * cells(w, 32))},
    ),
    "googlenet": Promise(at_least(15), {"logits": same(1000)}),
    "hrnet_w18": Promise(remainders(32, 29, 29, 30, 31, 0), {"logits": same(1000)}),
    "deeplabv3_resnet50": Promise(stays, {"out": like_image(21)}),
    "retinanet_resnet50_fpn": Promise(
        stays, {"cls_logits": anchors(91), "bbox_regression": anchors(4)}
    ),
    "unet3d": Promise(
        at_least(8), {"mask": lambda *sizes: (3, *map(whole_eighths, sizes))}, axes=3
    ),
    "crnn": Promise(
        at_least(4), {"scores": lambda h, w: (w // 4 + 1, 37)}, channels=1
    ),
}  # fmt: skip
FIXED = {"crnn": {0: 32}}
"""Axes of images that are not open, by number."""


def outputs_of(result: Any) -> list[Tensor]:
    """The tensors that a module gives in evaluation mode."""
    parts = [result] if isinstance(result, Tensor) else list(result)
    return [part for part in parts if part is not None]


def points(name: str, sizes: Sequence[int], other: int) -> Iterator[tuple[int, ...]]:
    """Sizes along each axis in turn, with another size on the others."""
    promise, fixed = PROMISES[name], FIXED.get(name, {})
    for axis in range(promise.axes):
        if axis in fixed:
            continue
        for size in sizes:
            point = [fixed.get(n, other) for n in range(promise.axes)]
            point[axis] = size
            yield tuple(point)


def by_hand(
    module: nn.Module, promise: Promise, x: Tensor, *, fill: str = "constant", fixed: dict[int, int]
) -> list[Tensor]:
    """The outputs of the network for an image padded at its right and bottom, cut to the promise."""
    sizes = x.shape[2:]
    amounts: list[int] = []
    for axis, size in reversed(list(enumerate(sizes))):
        amounts += [0, 0 if axis in fixed else promise.up(size) - size]
    with torch.no_grad():
        wholes = outputs_of(module(F.pad(x, amounts, mode=fill)))
    shapes = [shape(*sizes) for shape in promise.shapes.values()]
    return [
        whole[(slice(None), *(slice(n) for n in shape))]
        for whole, shape in zip(wholes, shapes, strict=True)
    ]


def assert_sizes(module: nn.Module, promise: Promise, sizes: Sequence[int]) -> None:
    """Whether a module on the meta device takes an image, and gives the shapes of the promise."""
    try:
        with torch.no_grad():
            results = outputs_of(module(promise.image(sizes, "meta")))
    except RuntimeError as error:
        raise AssertionError(f"at {sizes}: {error}") from None
    shapes = [tuple(result.shape[1:]) for result in results]
    assert shapes == [shape(*sizes) for shape in promise.shapes.values()], sizes


def assert_numbers(
    module: nn.Module,
    original: nn.Module,
    promise: Promise,
    sizes: Sequence[int],
    fixed: dict[int, int],
    fill: str = "constant",
) -> None:
    """Whether a module computes what padding by hand does."""
    x = promise.image(sizes)
    wanted = by_hand(original, promise, x, fill=fill, fixed=fixed)
    try:
        with torch.no_grad():
            results = outputs_of(module(x))
    except RuntimeError as error:
        raise AssertionError(f"at {sizes}: {error}") from None
    for result, one in zip(results, wanted, strict=True):
        torch.testing.assert_close(result, one)
