"""The ways of wires between boxes in rows.

A wire runs straight in a row, straight up or down, around one corner, or through the gap between
two rows on a lane of its own. Where wires are curved, those of one row arch over what they pass,
and those from row to row are straight lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from netdsl.backends.diagram.blocks.leaf import strip_places
from netdsl.backends.diagram.blocks.pens import Pen
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY, Wire
from netdsl.backends.diagram.layout.spots import Draft, Spot

LANE = 7.0
"""Between two lanes of a gap."""
PORT, CLEAR = 14.0, 7.0
"""Between the ends of wires on one side of a box; between a wire and a box it passes."""


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
    is_slanted: bool = False


class Routing:
    """Boxes in rows, numbered from the top from 0, and the way of each wire."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.spots = draft, [replace(spot) for spot in draft.spots]
        self.is_curved = draft.is_curved
        self.by_key = {spot.key: spot for spot in self.spots}
        self.rows: dict[int, list[Spot]] = {}
        for spot in sorted(self.spots, key=lambda spot: spot.x):
            for row in range(spot.row, spot.last + 1):
                self.rows.setdefault(row, []).append(spot)
        self.count = max(self.rows) + 1
        self.ways = [self._way(wire, pen, draft.row_of(wire.value)) for wire, pen in draft.wires]
        for way in sorted(self.ways, key=lambda w: (abs(w.end - w.start), w.wire.port)):
            self._choose(way)
        self._attach()
        if self.is_curved:
            self._slant()
        self._stretch()

    def _way(self, wire: Wire, pen: Pen, row: int | None) -> Way:
        """A wire between boxes, at the row of its tensor where a box has several."""
        tail, head = self.by_key[wire.tail], self.by_key[wire.head]
        rows = [s.row if row is None else min(max(row, s.row), s.last) for s in (tail, head)]
        return Way(wire, pen, tail, head, rows[0], rows[1])

    # --- which way a wire takes ------------------------------------------------------------------

    def _choose(self, way: Way) -> None:
        """Sets the sides at which a wire leaves and enters, and the rows it runs between."""
        tail, head = way.tail, way.head
        if way.start == way.end:
            if tail.x < head.x and self._is_free(way.start, tail.right, head.left):
                return
            way.out, way.into = "top", "left" if head.has_front else "top"
        else:
            below = way.end > way.start
            way.out, way.into = ("bottom", "top") if below else ("top", "bottom")
            if head.is_bar:
                way.into = "left"
            elif not self.is_curved:
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
            elif side == "left" and spot.has_front:
                self._to_front(spot, ends)
        for way in self.ways:
            if way.out in ("top", "bottom") and way.into == "left" and not way.head.has_front:
                way.x_out = max(way.tail.left + 6, min(way.x_out, way.head.left - 2 * CLEAR))

    def _spread(
        self, spot: Spot, ends: list[tuple[Way, bool]],
        sides: Mapping[tuple[str, str], list[tuple[Way, bool]]],
    ) -> None:  # fmt: skip
        """Along the upper or lower side, in the order of where the wires go."""
        ends.sort(key=lambda end: end[0].head.x if end[1] else end[0].tail.x)
        step = min(PORT, spot.box.width / (len(ends) + 1))
        for number, (way, is_out) in enumerate(ends):
            x = spot.x + (number - (len(ends) - 1) / 2) * step
            other = way.head if is_out else way.tail
            facing = way.into if is_out else way.out
            is_alone = len(ends) == 1 and len(sides.get((other.key, facing), ())) == 1
            if is_alone and facing in ("top", "bottom") and _overlap(spot, other):
                x = _common(spot, other)
            if is_out:
                way.x_out = x
            else:
                way.x_in = x

    def _to_front(self, spot: Spot, ends: list[tuple[Way, bool]]) -> None:
        """At the parts of a bar, or in the middle of a row; up or down before it, side by side."""
        places = strip_places(spot.box, -spot.box.height / 2) if spot.is_bar else []
        turning = 0
        for way, _ in sorted(ends, key=lambda end: -end[0].wire.port):
            if places:
                start, length = places[way.wire.port]
                way.y_in = start + length / 2
            if way.out != "right":
                way.x_in = spot.left - CLEAR - LANE * turning
                turning += 1
            else:
                half = way.tail.box.height / 2 - 6
                way.y_out = min(max(way.y_in, -half), half)

    def _slant(self) -> None:
        """Lets wires between neighbouring rows leave and enter where the other box is."""
        for way in self.ways:
            if {way.out, way.into} == {"top", "bottom"} and abs(way.start - way.end) == 1:
                side = 1 if way.head.x > way.tail.x else -1 if way.head.x < way.tail.x else 0
                way.x_out = way.tail.x + side * way.tail.box.width / 4
                way.x_in = way.head.x - side * way.head.box.width / 4
                way.is_slanted = True

    # --- lanes -----------------------------------------------------------------------------------

    def _stretch(self) -> None:
        """Finds the stretches of each wire, and a lane for each of them."""
        for way in self.ways:
            is_around = way.out == "right" or (way.into == "left" and not way.head.has_front)
            if is_around or way.is_slanted:
                continue
            way.stretches = list(self._stretches(way))
        taken: dict[int, list[list[Stretch]]] = {}
        every = [stretch for way in self.ways for stretch in way.stretches]
        for stretch in sorted(every, key=lambda stretch: abs(stretch.end - stretch.start)):
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
        x = self._passage(way, first, last)
        if abs(way.x_out - x) > 0.5:
            yield Stretch(first, way.x_out, x)
        if abs(x - x_in) > 0.5:
            yield Stretch(last, x, x_in)

    def _passage(self, way: Way, first: int, last: int) -> float:
        """Where a wire can run through the rows between its ends; the nearest place.

        `first` and `last` are the gaps in which it runs along before and after.
        """
        low, high = sorted((way.start, way.end))
        rows = [spot for row in range(low + 1, high) for spot in self.rows.get(row, ())]
        tried = [way.x_out, way.x_in]
        tried += [x for spot in rows for x in (spot.left - 12, spot.right + 12)]
        free = [
            x for x in tried
            if not any(s.left - CLEAR < x < s.right + CLEAR for s in rows)
        ]  # fmt: skip
        ways = {x: ((first, way.x_out, x), (last, x, way.x_in)) for x in free}
        blocked = {x: sum(self._is_blocked(*run) for run in runs) for x, runs in ways.items()}
        return min(free, key=lambda x: (blocked[x], abs(x - way.x_out) + abs(x - way.x_in)))

    def _is_blocked(self, gap: int, start: float, end: float) -> bool:
        """Whether a box of several rows stands in a gap, between two places."""
        left, right = sorted((start, end))
        tall = (spot for spot in self.spots if spot.row < gap <= spot.last)
        return any(spot.left < right and left < spot.right for spot in tall)


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
