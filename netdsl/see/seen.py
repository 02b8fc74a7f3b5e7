"""What a look gives: a sheet of pictures, the sentences below it, and the numbers in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netdsl.see.sheet import Sheet

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Tick = Callable[[int, int], None]
"""Told after each step: how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`lines` are printed, `numbers` are the same for programs, `images` as `uint8 [H, W, 3]`."""

    sheet: Sheet
    lines: tuple[str, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])


def quiet(done: int, of: int) -> None:
    """No progress is shown."""


def ahead(tick: Tick, part: int, total: int, done: int, of: int) -> None:
    """Tell the progress of one of several parts that are alike, as that of all together."""
    tick(part * of + done, total)


def as_bytes(pixels: Tensor) -> np.ndarray[Any, Any]:
    """Pixels from 0 to 1, `[C, H, W]` or `[1, C, H, W]`, as `uint8 [H, W, 3]`."""
    picture = pixels.detach().cpu().reshape(pixels.shape[-3:])
    if picture.shape[0] == 1:
        picture = picture.expand(3, -1, -1)
    return picture.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()


def grey(plane: Tensor, low: float, high: float) -> np.ndarray[Any, Any]:
    """One plane of numbers in grey: `low` is black, `high` white."""
    span = high - low or 1.0
    return as_bytes(((plane.detach() - low) / span)[None])
