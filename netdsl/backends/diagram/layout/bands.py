"""Boxes in bands, one for each size of map, and the wires between them at right angles.

A layout says in which row a box stands and how far to the right, and which rows are one band (a
row of none stands between bands); this finds the ways of the wires
(straight in a row, around a corner, or through the gap between two rows on a lane of their own),
how high rows and gaps are, and paints it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netdsl.backends.diagram.blocks.leaf import CARD, Leaf, draw_leaf, strip_places
from netdsl.backends.diagram.blocks.pens import Pen
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY, Wire
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.layout.overview import Overview
from netdsl.backends.diagram.scene import (
    Bounds,
    Box,
    Group,
    Item,
    Point,
    Text,
    arrow_head,
    bounds_of,
    moved,
    rounded,
)
from netdsl.ir.graph import Value

CAPTION, SMALL = 11.0, 9.0
PAD = 9.0
"""Between the boxes of a row and the border of its band."""
GAP, LANE = 12.0, 7.0
"""Between two bands, and what each lane in it adds."""
MARGIN = 10.0
"""Between a band's border, its caption and its boxes."""
PORT, CLEAR = 14.0, 7.0
"""Between the ends of wires on one side of a box; between a wire and a box it passes."""
RADIUS = 7.0


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
        """Whether wires enter at the parts of its bar, from the left."""
        return self.box.form == "strip"


@dataclass(eq=False, slots=True)
class Stretch:
    """A piece of a wire that runs along the gap above row `gap`, on a lane of it."""

    gap: int
    start: float
    end: float
    lane: int = 0


@dataclass(eq=False, slots=True)
class Way:
    """How a wire runs: from a side of its tail in row `start` over stretches to a side of its head
    in row `end`."""

    wire: Wire
    pen: Pen
    tail: Spot
    head: Spot
    start: int
    end: int
    out: str = "right"
    into: str = "left"
    stretches: list[Stretch] = field(default_factory=list[Stretch])
    x_out: float = 0.0
    x_in: float = 0.0
    y_in: float = 0.0
    y_out: float = 0.0


class Bands:
    """A drawing of boxes in rows under construction; rows are numbered from the top, from 0."""

    def __init__(
        self,
        spots: Sequence[Spot],
        wires: Sequence[tuple[Wire, Pen]],
        captions: Mapping[int, tuple[str, str]],
        bands: Mapping[int, int] | None = None,
        row_of: Callable[[Value], int | None] = lambda value: None,
    ) -> None:
        self.spots, self.captions = list(spots), captions
        self.bands = bands or {spot.row: spot.row for spot in spots}
        self.by_key = {spot.key: spot for spot in spots}
        self.rows: dict[int, list[Spot]] = {}
        for spot in sorted(spots, key=lambda spot: spot.x):
            for row in range(spot.row, spot.last + 1):
                self.rows.setdefault(row, []).append(spot)
        self.count = max(self.rows) + 1
        self.ways = [self._way(wire, pen, row_of(wire.value)) for wire, pen in wires]
        for way in sorted(self.ways, key=lambda w: (abs(w.end - w.start), w.wire.port)):
            self._choose(way)
        self._attach()
        self._stretch()
        self._stack()

    def _way(self, wire: Wire, pen: Pen, row: int | None) -> Way:
        """A wire between boxes, at the row of its tensor where a box has several."""
        tail, head = self.by_key[wire.tail], self.by_key[wire.head]
        rows = [s.row if row is None else min(max(row, s.row), s.last) for s in (tail, head)]
        return Way(wire, pen, tail, head, *rows)

    # --- which way a wire takes ------------------------------------------------------------------

    def _choose(self, way: Way) -> None:
        """Sets the sides at which a wire leaves and enters, and the rows it runs between."""
        tail, head = way.tail, way.head
        if way.start == way.end:
            if tail.x < head.x and self._is_free(way.start, tail.right, head.left):
                return
            way.out, way.into = "top", "left" if head.is_bar else "top"
        else:
            below = way.end > way.start
            way.out, way.into = ("bottom", "top") if below else ("top", "bottom")
            if head.is_bar:
                way.into = "left"
            else:
                self._turn(way, below)
        if way.out in ("top", "bottom"):
            way.start = tail.row if way.out == "top" else tail.last
        if way.into in ("top", "bottom"):
            way.end = head.row if way.into == "top" else head.last

    def _turn(self, way: Way, below: bool) -> None:
        """Takes the way around one corner where that is better than up or down."""
        tail, head = way.tail, way.head
        between = range(min(way.start, way.end) + 1, max(way.start, way.end))
        around = self._around(way, between)
        if way.wire.mark == SIZE_ONLY and ("", "left") in around:
            way.into = "left"
            return
        x = _common(tail, head)
        is_straight = _overlap(tail, head) and all(self._is_clear(row, x) for row in between)
        if is_straight and any(abs(x - spot.x) < 0.3 * spot.box.width for spot in (tail, head)):
            return
        if below:
            around.reverse()
        for out, into in around[: 0 if is_straight else 1]:
            way.out, way.into = out or way.out, into or way.into

    def _around(self, way: Way, between: range) -> list[tuple[str, str]]:
        """The ways around one corner that are free."""
        tail, head = way.tail, way.head
        ways: list[tuple[str, str]] = []
        if (
            head.x > tail.right + CLEAR
            and self._is_free(way.start, tail.right, head.x + CLEAR)
            and not any(w.out == "right" and w.tail is tail and w is not way and
                        w.end == way.start for w in self.ways)
            and all(self._is_clear(row, head.x) for row in between)
        ):  # fmt: skip
            ways.append(("right", ""))
        if (
            tail.x < head.left - CLEAR
            and self._is_free(way.end, tail.x - CLEAR, head.left)
            and not any(w.into == "left" and w.head is head and w is not way and
                        w.start == way.end for w in self.ways)
            and all(self._is_clear(row, tail.x) for row in between)
        ):  # fmt: skip
            ways.append(("", "left"))
        return ways

    def _is_free(self, row: int, start: float, end: float) -> bool:
        """Whether no box of a row lies within a stretch."""
        return not any(
            spot.right > start and spot.left < end
            for spot in self.rows.get(row, ())
            if not (spot.right <= start + 0.1 or spot.left >= end - 0.1)
        )

    def _is_clear(self, row: int, x: float) -> bool:
        return self._is_free(row, x - CLEAR, x + CLEAR)

    # --- where wires meet boxes ------------------------------------------------------------------

    def _attach(self) -> None:
        """Gives each wire its place on the sides that it leaves and enters."""
        sides: dict[tuple[str, str], list[tuple[Way, bool]]] = {}
        for way in self.ways:
            sides.setdefault((way.tail.key, way.out), []).append((way, True))
            sides.setdefault((way.head.key, way.into), []).append((way, False))
        for (key, side), ends in sides.items():
            spot = self.by_key[key]
            if side in ("top", "bottom"):
                self._spread(spot, ends, sides)
            elif side == "left" and spot.is_bar:
                self._to_parts(spot, ends)
        for way in self.ways:
            if way.out in ("top", "bottom") and way.into == "left" and not way.head.is_bar:
                way.x_out = max(way.tail.left + 6, min(way.x_out, way.head.left - 2 * CLEAR))

    def _spread(
        self, spot: Spot, ends: list[tuple[Way, bool]],
        sides: Mapping[tuple[str, str], list[tuple[Way, bool]]],
    ) -> None:  # fmt: skip
        """Along the upper or lower side, in the order of where the wires go."""
        ends.sort(key=lambda end: (end[0].head.x if end[1] else end[0].tail.x))
        step = min(PORT, spot.box.width / (len(ends) + 1))
        for number, (way, is_out) in enumerate(ends):
            x = spot.x + (number - (len(ends) - 1) / 2) * step
            other = way.head if is_out else way.tail
            facing = way.into if is_out else way.out
            if len(ends) == 1 and facing in ("top", "bottom") and _overlap(spot, other):
                if len(sides[other.key, facing]) == 1:
                    x = _common(spot, other)
            if is_out:
                way.x_out = x
            else:
                way.x_in = x

    def _to_parts(self, spot: Spot, ends: list[tuple[Way, bool]]) -> None:
        places = strip_places(spot.box, -spot.box.height / 2)
        turning = 0
        for way, _ in sorted(ends, key=lambda end: -end[0].wire.port):
            start, length = places[way.wire.port]
            way.y_in = start + length / 2
            if way.start != way.end:
                way.x_in = spot.left - CLEAR - LANE * turning
                turning += 1
            else:
                half = way.tail.box.height / 2 - 6
                way.y_out = min(max(way.y_in, -half), half)

    # --- lanes -----------------------------------------------------------------------------------

    def _stretch(self) -> None:
        """Finds the stretches of each wire, and a lane for each of them."""
        for way in self.ways:
            if way.out == "right" or (way.into == "left" and not way.head.is_bar):
                continue
            way.stretches = list(self._stretches(way))
        taken: dict[int, list[list[Stretch]]] = {}
        every = [(s, way) for way in self.ways for s in way.stretches]
        for stretch, way in sorted(every, key=lambda pair: abs(pair[0].end - pair[0].start)):
            lanes = taken.setdefault(stretch.gap, [])
            lane = next(
                (n for n, on in enumerate(lanes) if not any(_meet(stretch, s) for s in on)),
                len(lanes),
            )
            if lane == len(lanes):
                lanes.append([])
            lanes[lane].append(stretch)
            stretch.lane = lane
        self.lanes = {gap: len(lanes) for gap, lanes in taken.items()}

    def _stretches(self, way: Way) -> Iterator[Stretch]:
        x_in = way.x_in
        if way.start == way.end:
            yield Stretch(way.start, way.x_out, x_in)
            return
        below = way.end > way.start
        first = way.start + 1 if below else way.start
        last = way.end if below else way.end + 1
        if first == last:
            if abs(way.x_out - x_in) > 0.5:
                yield Stretch(first, way.x_out, x_in)
            return
        x = self._passage(way)
        if abs(way.x_out - x) > 0.5:
            yield Stretch(first, way.x_out, x)
        if abs(x - x_in) > 0.5:
            yield Stretch(last, x, x_in)

    def _passage(self, way: Way) -> float:
        """Where a wire can run through the rows between its ends; the nearest place."""
        low, high = sorted((way.start, way.end))
        rows = [spot for row in range(low + 1, high) for spot in self.rows.get(row, ())]
        tried = [way.x_out, way.x_in]
        tried += [x for spot in rows for x in (spot.left - 12, spot.right + 12)]
        free = [
            x for x in tried
            if not any(s.left - CLEAR < x < s.right + CLEAR for s in rows)
        ]  # fmt: skip
        return min(free, key=lambda x: abs(x - way.x_out) + abs(x - way.x_in))

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
            above = max((s.box.height / 2 + CARD * s.box.cards for s in spots), default=0.0)
            below = max((s.box.height / 2 for s in spots), default=0.0)
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
                top, low = self.tops[spot.row] + 4, self.tops[spot.last] + self.heights[spot.last] - 4
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
            if way.stretches or (head.is_bar and way.out != "right"):
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
        words = [text_width(t, CAPTION, True) for pair in self.captions.values() for t in pair]
        left = edge - MARGIN - max(words, default=0.0) - 2 * MARGIN
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
        return Overview(placed, places, width - x, bottom - top)

    def _wire(self, way: Way) -> Iterator[Item]:
        points = self.corners(way)
        yield rounded(points, way.pen.colour, way.pen.width, RADIUS, way.pen.dash)
        behind = next((p for p in reversed(points[:-1]) if p != points[-1]), points[0])
        yield arrow_head(points[-1], behind, way.pen.colour, 6)

    def _box(self, spot: Spot) -> Item:
        items = draw_leaf(spot.box, spot.x, spot.y, at_top=spot.is_tall)
        for row, note in spot.notes.items():
            items.append(Text(spot.x, self.middles[row] + 10, note, SMALL, "soft"))
        unit = spot.box.unit
        if unit is None:
            return Group(tuple(items), id=spot.key, css="end", title=spot.box.label.title)
        name = f"unit-{unit.path}".replace(" ", "-")
        return Group(tuple(items), id=name, css="unit", data=(("path", unit.path),))


def _overlap(one: Spot, other: Spot) -> bool:
    """Whether a vertical line meets both boxes, not only at a corner."""
    return min(one.right, other.right) - max(one.left, other.left) > 12


def _common(one: Spot, other: Spot) -> float:
    """Where a vertical line meets both boxes, nearer to the middle of the narrow one."""
    wide = one.box.width + other.box.width
    x = (one.x * other.box.width + other.x * one.box.width) / wide
    left, right = max(one.left, other.left), min(one.right, other.right)
    return min(max(x, left + 5), right - 5)


def _meet(one: Stretch, other: Stretch) -> bool:
    a, b = sorted((one.start, one.end))
    c, d = sorted((other.start, other.end))
    return a < d + 3 and c < b + 3
