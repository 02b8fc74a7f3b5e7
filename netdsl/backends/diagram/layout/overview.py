"""A whole network, small: what is painted, and where each box of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netdsl.backends.diagram.scene import Bounds, Item

ROOM = 662.0
"""The width with which letters of 9 points get 6 points high on a page 6.5 inches wide."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A layout of all boxes of a sheet, from its own corner at (0, 0) on.

    `places` are the boxes' bounds by key, for lens lines that start there. It `is_clean` where no
    two boxes overlap and no wire runs through one.
    """

    items: tuple[Item, ...]
    places: Mapping[str, Bounds]
    width: float
    height: float
    is_clean: bool = True
