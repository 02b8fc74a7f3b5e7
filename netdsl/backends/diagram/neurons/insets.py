"""A small map above a column of neurons: the cells its neuron depends on, those that are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netdsl.analyses.links import Product, is_in
from netdsl.backends.diagram.fonts import text_width, wrapped
from netdsl.backends.diagram.neurons.columns import Column, Index
from netdsl.backends.diagram.neurons.field_maps import (
    MOST_BOXES,
    Plane,
    cells,
    frame,
    grid,
    rays,
    runs,
)
from netdsl.backends.diagram.scene import Ellipse, Group, Item, Text
from netdsl.backends.diagram.shape_names import TIMES, times

SIDE, THINNEST = 84.0, 12.0
"""The longer side of a map; the least of the shorter one."""
CAPTION, CAPTION_STEP = 9.0, 11.5


@dataclass(frozen=True, slots=True)
class Inset:
    """Two axes of a column's numbers: of a map the rows and columns, at one channel and slice.

    `lead` are the other axes with their indices; `patches` the cells that the chosen neurons
    depend on; `dots` the drawn neurons, each with whether it has the `lead` indices.
    """

    name: str
    shape: tuple[int, int]
    lead: tuple[tuple[str, int, int], ...]
    patches: list[Product]
    dots: tuple[tuple[Index, tuple[int, int], bool], ...]

    @property
    def is_stretched(self) -> bool:
        return min(self.shape) * SIDE / max(self.shape) < THINNEST

    def plane(self, middle: float, y: float) -> Plane:
        """Its place: the middle along, the upper edge of the room for all insets."""
        rows, columns = self.shape
        wide, high = (max(n * SIDE / max(self.shape), THINNEST) for n in (columns, rows))
        return Plane(
            middle - wide / 2, y + (SIDE - high) / 2, rows, columns, wide / columns, high / rows
        )

    def captions(self, width: float) -> list[str]:
        """Its size, and at which channel it is."""
        size = times(self.shape)
        told = [f"{size}, stretched" if self.is_stretched else f"{size} cells"]
        if not self.lead:
            told[0] = f"all {told[0]}"
        lead = ", ".join(f"{name} {at} of {count}" for name, at, count in self.lead)
        holes = sum(len(runs(p[0])) * len(runs(p[1])) for p in self.patches)
        if holes > MOST_BOXES:
            told.append("holes shaded too")
        return [part for text in (*told, lead) if text for part in wrapped(text, CAPTION, width)]


def inset_of(column: Column, chosen: Sequence[Index], is_last: bool) -> Inset | None:
    """The map of a column; None of a vector. `is_last` where the channels are the last axis."""
    shape = column.shape
    if len(shape) < 2:
        return None
    axes = (len(shape) - 2, len(shape) - 1)
    if is_last and len(shape) > 2:
        axes = (len(shape) - 3, len(shape) - 2)
    others = [axis for axis in range(len(shape)) if axis not in axes]

    def lead_of(index: Index) -> Index:
        return tuple(index[axis] for axis in others)

    inside = [i for i in column.drawn if is_in(column.seen, i)]
    counted = Counter(map(lead_of, list(chosen) or inside or column.drawn))
    lead = max(sorted(counted), key=lambda at: counted[at])
    rows, columns = axes
    patches = [
        (piece[rows], piece[columns])
        for piece in column.seen
        if all(at in piece[axis] for at, axis in zip(lead, others, strict=True))
    ]
    channel = others[-1] if is_last and others else 0
    names = ["channel" if axis == channel else "slice" for axis in others]
    told = tuple(
        (name, at, shape[axis]) for name, at, axis in zip(names, lead, others, strict=True)
    )
    dots = tuple((i, (i[rows], i[columns]), lead_of(i) == lead) for i in column.drawn)
    return Inset(column.name, (shape[rows], shape[columns]), told, patches, dots)


def drawn_inset(inset: Inset, plane: Plane, column: Column, chosen: Sequence[Index]) -> Group:
    """The map, its shaded part, and a dot for each drawn neuron."""
    items: list[Item] = [*grid(plane)]
    if inset.patches:
        items += cells(plane, inset.patches, "focus" if chosen else "amber", 0.3)
        items.append(frame(plane, inset.patches, "focus" if chosen else "amber", 0.9))
    radius = min(3.2, max(1.5, min(plane.wide, plane.high) * 0.34))
    for index, (row, place), is_here in sorted(inset.dots, key=lambda dot: dot[2]):
        colour = "ink"
        if index in chosen:
            colour = "focus"
        elif is_in(column.seen, index):
            colour = "amber"
        x, y = plane.x + (place + 0.5) * plane.wide, plane.y + (row + 0.5) * plane.high
        items.append(Ellipse(x, y, radius, radius, colour if is_here else "paper", colour, 0.8))
    lead = ",".join(str(at) for _, at, _ in inset.lead)
    size = TIMES.join(map(str, inset.shape))
    title = f"{inset.name}: " + ", ".join(f"{name} {at}" for name, at, _ in inset.lead)
    data = (("layer", inset.name), ("lead", lead), ("cells", size))
    return Group(tuple(items), title=title.removesuffix(": "), css="inset", data=data)


def sights(before: tuple[Inset, Plane] | None, after: tuple[Inset, Plane] | None) -> Iterator[Item]:
    """Lines from the edge of what is seen in one map to that in the next."""
    if before is None or after is None or not before[0].patches or not after[0].patches:
        return
    yield from rays(before[1], before[0].patches, after[1], after[0].patches)


def caption(inset: Inset, middle: float, y: float, width: float) -> Iterator[Text]:
    """What stands below a map; `y` is the upper edge of the room for all insets."""
    for row, text in enumerate(inset.captions(width)):
        yield Text(middle, y + SIDE + 12 + CAPTION_STEP * row, text, CAPTION, "soft")


def inset_width(inset: Inset, width: float) -> float:
    """How much room it takes along the row of columns."""
    plane = inset.plane(0, 0)
    return max(plane.width, *(text_width(t, CAPTION) for t in inset.captions(width)))
