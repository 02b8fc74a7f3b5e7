"""Sizes of images in pixels: height and width, as they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

Pixels: TypeAlias = tuple[int, int]
"""Height, width."""
WRITTEN = re.compile(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?")


def pixels(size: object) -> Pixels:
    """A size from `224`, `"224"`, `"180x240"` or `(180, 240)`. Raises `ValueError`."""
    if isinstance(size, tuple | list) and len(size) == 2:
        height, width = size
        if all(type(n) is int and n >= 1 for n in size):
            return height, width
    match = WRITTEN.fullmatch(str(size).strip()) if type(size) in (int, str) else None
    if match is None:
        raise ValueError(f"`{size}` is no image size; write 224, or 180x240 for height and width")
    return int(match[1]), int(match[2] or match[1])


def distinct(sizes: Sequence[object]) -> tuple[Pixels, ...]:
    """Sizes in their order, each once. Raises `ValueError`."""
    return tuple(dict.fromkeys(map(pixels, sizes)))


def shown(size: Pixels) -> str:
    """`180x240`."""
    return f"{size[0]}x{size[1]}"
