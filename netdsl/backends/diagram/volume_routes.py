"""Ways between volumes that do not stand side by side, on lanes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netdsl.backends.diagram.scene import Ellipse, Item, Point
from netdsl.backends.diagram.volume_columns import Column
from netdsl.backends.diagram.volume_links import entry, leaving, routed
from netdsl.backends.diagram.volume_rows import GUTTER, LANE, SCALE_ZONE, Row

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Route:
    """From one column to another, by row and number; `wraps` from a row's end to the next."""

    source: Place
    target: Place
    wraps: bool
    is_skip: bool


class Routes:
    """All ways of a picture that are no links between neighbours."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.places: dict[int, Place] = {
            id(column.step): (r, c)
            for r, row in enumerate(rows)
            for c, column in enumerate(row.columns)
        }
        self.routes = list(self._routes())
        self.above: dict[tuple[int, int], int] = {}
        """The lane above a row, by route and row."""
        self.counts = [0] * len(rows)
        self.beside: dict[int, int] = {}
        self._assign()

    def _routes(self) -> Iterator[Route]:
        for r, row in enumerate(self.rows):
            for c, column in enumerate(row.columns):
                for number, source in enumerate(column.step.sources):
                    place = self.places[id(source)]
                    if place == (r, c - 1):
                        continue
                    ends = place[1] == len(self.rows[place[0]].columns) - 1
                    wraps = c == 0 and place[0] == r - 1 and ends
                    yield Route(place, (r, c), wraps, number > 0)

    def _assign(self) -> None:
        """A lane above each row that a way runs over, and one beside the rows that it passes."""
        taken: list[list[tuple[int, int]]] = []
        for number, route in enumerate(self.routes):
            ends = {route.target[0]} if route.wraps else {route.source[0], route.target[0]}
            for row in sorted(ends):
                self.above[number, row] = self.counts[row]
                self.counts[row] += 1
            if route.wraps or route.source[0] == route.target[0]:
                continue
            low, high = sorted((route.source[0], route.target[0]))
            lane = 0
            while lane < len(taken) and any(a <= high and low <= b for a, b in taken[lane]):
                lane += 1
            if lane == len(taken):
                taken.append([])
            taken[lane].append((low, high))
            self.beside[number] = lane

    @property
    def left(self) -> float:
        """Room for the ways on the left of the rows."""
        return LANE * (max(self.beside.values(), default=-1) + 1)

    def draw(self) -> Iterator[Item]:
        arrivals: dict[Place, int] = {}
        for number, route in enumerate(self.routes):
            source, target = self._column(route.source), self._column(route.target)
            y_in = self._lane(number, route.target[0])
            if route.wraps:
                yield from routed(self._wrapped(source, target, y_in, route))
                continue
            order = arrivals.get(route.target, 0)
            arrivals[route.target] = order + 1
            yield from self._over(number, route, source, target, order)

    def _over(
        self, number: int, route: Route, source: Column, target: Column, order: int
    ) -> Iterator[Item]:
        """Up from the top of a volume, along, and down on the top of another."""
        colour = "amber" if route.is_skip else "wire"
        start, tip = source.form.crown, target.form.crown
        tip = (tip[0] - 5 * order, tip[1] - 1)
        y_out, y_in = self._lane(number, route.source[0]), self._lane(number, route.target[0])
        points: list[Point] = [start, (start[0], y_out)]
        if route.source[0] != route.target[0]:
            x = LANE * self.beside[number] + 2
            points += [(x, y_out), (x, y_in)]
        yield from routed([*points, (tip[0], y_in), tip], colour, 1.2)
        yield Ellipse(start[0], start[1], 1.8, 1.8, colour)

    def _wrapped(self, source: Column, target: Column, y: float, route: Route) -> list[Point]:
        row = self.rows[route.target[0]]
        x, middle = entry(target.form)
        if row.lead is not None:
            x = self.left + SCALE_ZONE - 2
        before = min(x - 16, self.left + SCALE_ZONE - 14)
        start = leaving(source.form)
        edge = self.rows[route.source[0]].right + 10
        return [start, (edge, start[1]), (edge, y), (before, y), (before, middle), (x, middle)]

    def _lane(self, number: int, row: int) -> float:
        above = self.rows[row]
        head = above.lead.head if above.lead else 0.0
        return (
            above.top - head - GUTTER + 8 - LANE * (self.counts[row] - 1 - self.above[number, row])
        )

    def _column(self, place: Place) -> Column:
        return self.rows[place[0]].columns[place[1]]
