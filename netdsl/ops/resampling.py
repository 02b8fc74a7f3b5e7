"""Which cells of an axis an image's cells are computed of when it is resized, in exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor

from netdsl.ops.cells import Indices, nearest, single

HALF = Fraction(1, 2)
REACH = {"bilinear": 1, "bicubic": 2}
"""How far a cell reaches in each direction, in cells of the coarser image."""


def cells_of(
    wanted: Indices, size: int, result: int, mode: str, *, antialias: bool, small: bool, wide: bool
) -> Indices:
    """The cells of an axis of `size` that some cells of the result read.

    `small` and `wide` are what they are for `cells.nearest`.
    """
    if mode == "nearest_floor":
        return nearest(wanted, size, result, size / result, small=small, wide=wide)
    if mode == "nearest":
        step = size / result if wide and not small else single(size / result)
        return frozenset(min(int(single((i + 0.5) * step)), size - 1) for i in wanted)
    taps = TAPS[mode, antialias and mode != "area"]
    return frozenset(
        min(max(cell, 0), size - 1)
        for i in wanted
        for cell in taps(i, Fraction(size, result), size)
    )


def _triangle(i: int, step: Fraction, size: int) -> range:
    """Cells whose centre lies within the triangle around a place."""
    return _within(i, step, size, 1)


def _cubic(i: int, step: Fraction, size: int) -> list[int]:
    """Cells within two of the coarser ones, but for those at a distance of exactly one."""
    centre, scale = (i + HALF) * step, max(step, Fraction(1))
    return [j for j in _within(i, step, size, 2) if abs(j + HALF - centre) != scale]


def _within(i: int, step: Fraction, size: int, reach: int) -> range:
    centre, reach_ = (i + HALF) * step, max(step, Fraction(1)) * reach
    first, end = floor(centre - reach_ - HALF) + 1, ceil(centre + reach_ - HALF)
    return range(max(first, 0), min(end, size))


def _linear(i: int, step: Fraction, size: int) -> range:
    """The cells on both sides of a place; one alone where the place is its centre."""
    place = max((i + HALF) * step - HALF, Fraction(0))
    return range(floor(place), ceil(place) + 1)


def _four(i: int, step: Fraction, size: int) -> range:
    """Two cells on each side of a place."""
    place = (i + HALF) * step - HALF
    cell = floor(place)
    return range(cell, cell + 1) if cell == place else range(cell - 1, cell + 3)


def _under(i: int, step: Fraction, size: int) -> range:
    """The cells that lie under a new one, or in part."""
    return range(floor(i * step), ceil((i + 1) * step))


TAPS: Mapping[tuple[str, bool], Callable[[int, Fraction, int], range | list[int]]] = {
    ("bilinear", True): _triangle,
    ("bicubic", True): _cubic,
    ("bilinear", False): _linear,
    ("bicubic", False): _four,
    ("area", False): _under,
}
"""By the mode, and whether it is smoothed."""
