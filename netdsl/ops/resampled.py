"""A stretch of a resized image, an axis at a time: the cells it reads."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.ops.cells import Indices
from netdsl.ops.resampling import cells_of

BILINEAR, BICUBIC = "bilinear", "bicubic"


@dataclass(frozen=True, slots=True)
class Stretch:
    """`count` cells, from number `start` on, of an axis that is resized from `size` to `resized`.

    Cells before 0 and from `resized` on are none of the image.
    """

    size: int
    resized: int
    start: int
    count: int

    def taps(self, wanted: Indices, mode: str, antialias: bool) -> Indices:
        """The cells of the axis that have a weight for some cells of the stretch."""
        inside = (i + self.start for i in wanted if 0 <= i + self.start < self.resized)
        return cells_of(
            frozenset(inside), self.size, self.resized, mode,
            antialias=antialias, small=False, wide=False,
        )  # fmt: skip

    def links(self, mode: str, antialias: bool) -> int:
        """How many cells the cells of the stretch read in all."""
        each = (frozenset((i,)) for i in range(self.count))
        return sum(len(self.taps(one, mode, antialias)) for one in each)
