"""Where boxes stand in a drawing in rows, before the ways of the wires between them are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from netdsl.backends.diagram.blocks.leaf import CARD, Leaf
from netdsl.backends.diagram.blocks.pens import Pen
from netdsl.backends.diagram.blocks.wiring import Wire
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.scene import Bounds
from netdsl.ir.graph import Value

CAPTION = 11.0
MARGIN = 10.0
"""Between a band's border, its caption and its boxes."""


@dataclass(eq=False, slots=True)
class Spot:
    """A box in a row, with its middle at `x`, `y`; the layout chooses `row` and `x`.

    A block with maps of several sizes reaches to the row `last`; `notes` stand in it, by row.
    """

    key: str
    box: Leaf
    row: int
    x: float
    last: int = -1
    notes: Mapping[int, str] = field(default_factory=dict[int, str])
    y: float = 0.0

    def __post_init__(self) -> None:
        self.last = max(self.last, self.row)

    @property
    def is_tall(self) -> bool:
        return self.last > self.row

    @property
    def left(self) -> float:
        return self.x - self.box.width / 2

    @property
    def right(self) -> float:
        return self.x + self.box.width / 2

    @property
    def bounds(self) -> Bounds:
        half = self.box.height / 2
        return self.left, self.y - half, self.right, self.y + half

    @property
    def is_bar(self) -> bool:
        """Whether wires enter at the parts of its bar."""
        return self.box.form == "strip"

    @property
    def has_front(self) -> bool:
        """Whether wires enter from the left alone: at parts of a bar, in rows of a block."""
        return self.is_bar or self.is_tall


@dataclass(frozen=True, slots=True)
class Draft:
    """Where boxes stand, before the ways of their wires are found.

    `captions` stand at the left of rows, `bands` says which rows are one band; `row_of` gives the
    row at which a tensor enters or leaves a box of several rows.
    """

    spots: Sequence[Spot]
    wires: Sequence[tuple[Wire, Pen]]
    captions: Mapping[int, tuple[str, str]]
    bands: Mapping[int, int] | None = None
    row_of: Callable[[Value], int | None] = lambda value: None
    is_curved: bool = False

    @property
    def room(self) -> float:
        """What captions take at the left."""
        words = [text_width(t, CAPTION, True) for pair in self.captions.values() for t in pair]
        return max(words, default=0.0) + 3 * MARGIN

    @property
    def width(self) -> float:
        """About how wide the picture gets."""
        left = min(spot.left for spot in self.spots)
        right = max(spot.right + CARD * spot.box.cards for spot in self.spots)
        return self.room + right - left + MARGIN
