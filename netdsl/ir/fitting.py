"""How the inputs of a network are brought to sizes that it takes, and its outputs back: as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netdsl.ir.condition import Truth
from netdsl.ir.dim import Size

PAD, CROP, RESIZE = WAYS = ("pad", "crop", "resize")
FILLS = {"zeros": "constant", "reflect": "reflect", "edge": "replicate"}
"""What added cells hold, and the mode of `pad` that gives it."""
CORNER, CENTER = ALIGNMENTS = ("corner", "center")


class FitError(ValueError):
    """No such network can be made; the message says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What an output keeps along an axis: `length` cells from `start` on."""

    length: Size
    start: Size = 0


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where each size goes, and what is kept of each output.

    `sizes` are the sizes that the network is given, by symbol, over the symbols of the inputs;
    `where` the sizes that there is one for. `cuts` are, for each output, what is kept along each
    of its axes (None: all), and `remarks` say of each why it stays as it is, or nothing.
    """

    way: str
    fill: str
    align: str
    sizes: Mapping[str, Size]
    where: Truth
    cuts: tuple[tuple[Cut | None, ...], ...]
    remarks: tuple[str, ...]
