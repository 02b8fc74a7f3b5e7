"""Links of one convolution: from a pixel through its weight, between rows of a map, to a neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from netdsl.backends.diagram.neurons.filter_parts import Pixel
from netdsl.backends.diagram.scene import Curve, Group, Point

ENTRY = 14.0
"""Before a map: where its links have come together."""


@dataclass(frozen=True, slots=True)
class Target:
    """A neuron on the sheet: its middle, its map's left edge, how far neurons are apart.

    `is_from_above` tells on which side of its row the links come.
    """

    place: Point
    left: float
    cell: float
    is_from_above: bool

    def way(self, weight: Point, part: float) -> list[Point]:
        """Bezier points behind the weight; `part` of 0 to 1 is a link's place among its like."""
        x, y = self.place
        if x - self.left < self.cell:  # nothing stands before it
            middle = (weight[0] + self.left) / 2
            return [
                (middle, weight[1]),
                (middle, y),
                (self.left, y),
                (self.left, y),
                (x, y),
                (x, y),
            ]
        gap = y + (-0.5 if self.is_from_above else 0.5) * self.cell
        gap += (part - 0.5) * 0.18 * self.cell
        entry, turn = self.left - ENTRY, x - self.cell / 2
        middle = (weight[0] + entry) / 2
        return [
            (middle, weight[1]), (middle, gap), (entry, gap),
            (entry, gap), (turn, gap), (turn, gap),
            (turn + self.cell * 0.35, gap), (x, gap), (x, y),
        ]  # fmt: skip


def link(
    start: Sequence[Point],
    weight: Point,
    target: Target,
    part: float,
    pen: tuple[str, float],
    told: tuple[Pixel, Sequence[int], str],
) -> Group:
    """A pixel's link; `start` are its first points, `pen` is its colour and width."""
    pixel, index, label = told
    colour, stroke = pen
    straight = [point for a, b in pairwise(start) for point in (a, b, b)]
    x, y = start[-1]
    first = (x + weight[0]) / 2
    path = (start[0], *straight, (first, y), (first, weight[1]), weight)
    curve = Curve((*path, *target.way(weight, part)), colour, stroke)
    source, goal = (",".join(map(str, place)) for place in (pixel, index))
    title = f"pixel [{source}] times {label} goes to neuron [{goal}]"
    data = (("from", f"pixel {source}"), ("to", goal))
    return Group((curve,), title=title, css="link", data=data)
