"""Boxes in bands, one for each size of map, painted with the wires between them.

Rows of one band share its background; a row of none stands between two bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from netdsl.backends.diagram.blocks.leaf import CARD
from netdsl.backends.diagram.blocks.paint import box_group
from netdsl.backends.diagram.layout.overview import Overview
from netdsl.backends.diagram.layout.routing import LANE, Routing, Stretch, Way
from netdsl.backends.diagram.layout.spots import CAPTION, MARGIN, Draft, Spot
from netdsl.backends.diagram.scene import (
    Bounds,
    Box,
    Curve,
    Group,
    Item,
    Point,
    Text,
    arrow_head,
    bounds_of,
    moved,
    rounded,
)

SMALL = 9.0
PAD = 9.0
"""Between the boxes of a row and the border of its band."""
LOW = 16.0
"""Half the height of a row in which nothing but blocks of several rows stand."""
GAP = 12.0
"""Between two bands."""
RADIUS = 7.0


def drawn(draft: Draft) -> Overview:
    """The drawing of boxes that stand where a layout put them."""
    return Bands(draft).overview()


class Bands(Routing):
    """The rows of a drawing with their heights."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft)
        self.captions = draft.captions
        self.bands = draft.bands or {spot.row: spot.row for spot in self.spots}
        self._stack()

    # --- heights ---------------------------------------------------------------------------------

    def _stack(self) -> None:
        """Gives each row and each gap its place from the top."""
        self.tops: list[float] = []
        self.heights: list[float] = []
        self.gap_tops: list[float] = []
        self.middles: list[float] = []
        y = 0.0
        for row in range(self.count):
            self.gap_tops.append(y)
            lanes, is_first = self.lanes.get(row, 0), self._is_first(row)
            y += (GAP if row and is_first else 0.0) + LANE * lanes + (4 if lanes else 0)
            spots = [spot for spot in self.rows.get(row, []) if not spot.is_tall]
            above = max((s.box.height / 2 + CARD * s.box.cards for s in spots), default=LOW)
            below = max((s.box.height / 2 for s in spots), default=LOW)
            words = any(s.is_bar for s in spots)
            pad = PAD if row in self.bands else 4.0
            y -= 0.0 if is_first else PAD
            self.tops.append(y)
            self.middles.append(y + pad + above + (4 if words else 0))
            for spot in spots:
                spot.y = self.middles[row]
            self.heights.append(above + below + 2 * pad + (8 if words else 0))
            y += self.heights[-1]
        self.gap_tops.append(y)
        lanes = self.lanes.get(self.count, 0)
        self.bottom = y + LANE * lanes + (6 if lanes else 0)
        for spot in self.spots:
            if spot.is_tall:
                top, low = (
                    self.tops[spot.row] + 4,
                    self.tops[spot.last] + self.heights[spot.last] - 4,
                )
                spot.box, spot.y = replace(spot.box, height=low - top), (top + low) / 2

    def _is_first(self, row: int) -> bool:
        """Whether a row begins a band."""
        return row not in self.bands or self.bands[row] != self.bands.get(row - 1)

    def _lane_y(self, stretch: Stretch) -> float:
        top = self.gap_tops[stretch.gap]
        is_between = 0 < stretch.gap < self.count and self._is_first(stretch.gap)
        return top + (GAP / 2 if is_between else 0.0) + 2 + LANE * (stretch.lane + 0.5)

    def corners(self, way: Way) -> list[Point]:
        """The corners of a wire, from its tail to its head."""
        tail, head = way.tail, way.head
        half_out, half_in = tail.box.height / 2, head.box.height / 2
        if way.out == "right":
            points = [(tail.right + CARD * tail.box.cards, self.middles[way.start] + way.y_out)]
        else:
            high = tail.y - half_out - CARD * tail.box.cards
            points = [(way.x_out, high if way.out == "top" else tail.y + half_out)]
        for stretch in way.stretches:
            y = self._lane_y(stretch)
            points += [(stretch.start, y), (stretch.end, y)]
        if way.into == "left":
            end = head.left, self.middles[way.end] + way.y_in
            if way.stretches or (head.has_front and way.out != "right"):
                points.append((way.x_in, end[1]))
            elif way.out != "right":
                points.append((way.x_out, end[1]))
            elif abs(points[-1][1] - end[1]) > 0.5:
                middle = (points[-1][0] + end[0]) / 2
                points += [(middle, points[-1][1]), (middle, end[1])]
        else:
            end = way.x_in, head.y - half_in if way.into == "top" else head.y + half_in
            if way.out == "right":
                end = head.x, end[1]
                points.append((head.x, points[-1][1]))
        return [*points, end]

    # --- painting --------------------------------------------------------------------------------

    def overview(self) -> Overview:
        """All of it, from the corner of the uppermost band on."""
        edge = min(spot.left for spot in self.spots)
        left = edge - self.draft.room
        painted = [item for way in self.ways for item in self._wire(way)]
        boxes = [self._box(spot) for spot in self.spots]
        right = max(bounds_of([*painted, *boxes])[2] + MARGIN, edge)
        items: list[Item] = []
        for row, (first, second) in self.captions.items():
            last = max(r for r, band in self.bands.items() if band == self.bands[row])
            top, height = self.tops[row], self.tops[last] + self.heights[last] - self.tops[row]
            items.append(Box(left, top, right - left, height, "panel.fill", "panel.line", 1, 7))
            y = top + height / 2 + (4 if not second else -2)
            items.append(Text(left + MARGIN, y, first, CAPTION, "ink", True, "start"))
            if second:
                items.append(Text(left + MARGIN, y + 13, second, SMALL, "soft", False, "start"))
        items += [*painted, *boxes]
        x, top, width, bottom = bounds_of(items)
        placed = tuple(moved(item, -x, -top) for item in items)
        places = {
            s.key: (s.bounds[0] - x, s.bounds[1] - top, s.bounds[2] - x, s.bounds[3] - top)
            for s in self.spots
        }
        return Overview(placed, places, width - x, bottom - top, self.is_clean())

    def is_clean(self) -> bool:
        """Whether no two boxes overlap, and no wire runs through a box that it is not of."""
        for row in self.rows.values():
            if any(a.right > b.left for a, b in pairwise(sorted(row, key=lambda s: s.left))):
                return False
        for way in self.ways:
            others = [s.bounds for s in self.spots if s is not way.tail and s is not way.head]
            ends = [way.tail.bounds, way.head.bounds]
            corners = self.corners(way)
            if self.is_curved and way.out == way.into:
                continue
            for number, (a, b) in enumerate(pairwise(corners)):
                inside = [*others, *(ends[1:] if number == 0 and len(corners) > 2 else ())]
                if any(_crosses(a, b, bounds) for bounds in inside):
                    return False
        return True

    def _wire(self, way: Way) -> Iterator[Item]:
        points = self.corners(way)
        if self.is_curved and way.out == way.into == "top":
            (x, y), (end_x, end_y) = points[0], points[-1]
            peak = min(y, end_y) - (min(y, end_y) - self._lane_y(way.stretches[0])) * 4 / 3
            third = (end_x - x) / 5
            bends = (x + third, peak), (end_x - third, peak)
            yield Curve(
                (points[0], *bends, points[-1]), way.pen.colour, way.pen.width, way.pen.dash
            )
            yield arrow_head(points[-1], bends[1], way.pen.colour, 6)
            return
        yield rounded(points, way.pen.colour, way.pen.width, RADIUS, way.pen.dash)
        behind = next((p for p in reversed(points[:-1]) if p != points[-1]), points[0])
        yield arrow_head(points[-1], behind, way.pen.colour, 6)

    def _box(self, spot: Spot) -> Group:
        label = spot.bounds[1] + 18 + SMALL * 1.4 * (len(spot.box.label.lines) + 1)
        notes = [
            Text(spot.x, max(self.middles[row] + 3, label), note, SMALL, "soft")
            for row, note in spot.notes.items()
        ]
        return box_group(spot.box, spot.x, spot.y, spot.key, notes)


def _crosses(a: Point, b: Point, bounds: Bounds) -> bool:
    """Whether a line, upright, level or slanted, has a part within a box."""
    left, top, right, bottom = bounds
    steps = 1 if a[0] == b[0] or a[1] == b[1] else 12
    for step in range(steps):
        ends = [(a[0] + (b[0] - a[0]) * t / steps, a[1] + (b[1] - a[1]) * t / steps)
                for t in (step, step + 1)]  # fmt: skip
        xs, ys = sorted(x for x, _ in ends), sorted(y for _, y in ends)
        is_across = xs[0] < right - 1 and left + 1 < xs[1] + 0.01
        if is_across and ys[0] < bottom - 1 and top + 1 < ys[1] + 0.01:
            return True
    return False
