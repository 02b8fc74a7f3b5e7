"""Routes between volumes that do not stand side by side, on lanes of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from netdsl.backends.diagram.model.skips import Edge
from netdsl.backends.diagram.scene import Ellipse, Item, Point
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.links import entry, leaving, routed
from netdsl.backends.diagram.volumes.rows import LANE, LANES_ABOVE, Row, zone_of
from netdsl.backends.diagram.volumes.steps import Step

Place = tuple[int, int]
"""Row, and number in it."""
Span = tuple[int, int]
ENTER, ASIDE, APART, BESIDE = 5.0, 3.5, 6.0, 10.0


@dataclass(slots=True)
class Route:
    """All links from one volume: they share lanes as far as they go together.

    `wraps` is the link from the end of a row to the beginning of the next; `is_skip` says whether
    all of them flow on skips.
    """

    source: Place
    targets: list[Place] = field(default_factory=list)
    wraps: bool = False
    is_skip: bool = True

    def spans(self) -> dict[int, Span]:
        """By row, the columns that the route above it passes; -1 is the left margin."""
        if self.wraps:
            return {self.targets[0][0]: (-1, 10**6)}
        rows = {row for row, _ in self.targets} | {self.source[0]}
        spans: dict[int, Span] = {}
        for row in rows:
            columns = [column for r, column in self.targets if r == row]
            columns += [self.source[1]] if row == self.source[0] else []
            spans[row] = min(columns) if len(rows) == 1 else -1, max(columns)
        return spans


class Routes:
    """All routes of a picture that are no links between neighbours."""

    def __init__(self, rows: Sequence[Row], skips: Collection[Edge]) -> None:
        self.rows, self.skips = rows, skips
        self.places: dict[Step, Place] = {
            column.step: (r, c)
            for r, row in enumerate(rows)
            for c, column in enumerate(row.columns)
        }
        self.lenses: list[tuple[Place, int]] = []
        """Maps, and the rows below them that begin with a panel of the map."""
        self.routes = self._routes()
        self.above = self._lanes_above()
        self.beside = self._lanes_beside()
        self.counts = [
            1 + max((lane for (_, r), lane in self.above.items() if r == row), default=-1)
            for row in range(len(rows))
        ]

    @property
    def inner(self) -> list[int]:
        """How many routes run below the heading of each row that has one."""
        counts = [0] * len(self.rows)
        for (number, row), lane in self.above.items():
            if self.rows[row].lead is not None and not self.routes[number].wraps:
                counts[row] = max(counts[row], lane + 1)
        return counts

    def _routes(self) -> list[Route]:
        routes: dict[tuple[Place, bool], Route] = {}
        for r, row in enumerate(self.rows):
            for c, column in enumerate(row.columns):
                for number, source in enumerate(column.step.sources):
                    place = self.places[source]
                    if place == (r, c - 1):
                        continue
                    if row.lead is not None and c == 0 == number and place[0] == r - 1:
                        self.lenses.append((place, r))
                        row.has_lens = True
                        continue
                    ends = place[1] == len(self.rows[place[0]].columns) - 1
                    wraps = c == 0 and place[0] == r - 1 and ends
                    route = routes.setdefault((place, wraps), Route(place, wraps=wraps))
                    route.targets.append((r, c))
                    route.is_skip = route.is_skip and self._is_skip(source, column.step)
        return list(routes.values())

    def _is_skip(self, source: Step, target: Step) -> bool:
        """Whether what one volume takes of another flows on a skip."""
        return any(
            (value, node) in self.skips
            and (value is source.output or value.producer in source.nodes)
            for node in target.nodes
            for value in node.inputs
        )

    def _lanes_above(self) -> dict[tuple[int, int], int]:
        """A lane by route and row; 0 is next to the row, and short routes go there."""
        lanes: dict[tuple[int, int], int] = {}
        for row in range(len(self.rows)):
            spans = [(n, route.spans().get(row)) for n, route in enumerate(self.routes)]
            here = [(n, span) for n, span in spans if span is not None]
            here.sort(key=lambda pair: (pair[1][1] - pair[1][0], pair[0]))
            for number, lane in _packed(here).items():
                lanes[number, row] = lane
        return lanes

    def _lanes_beside(self) -> dict[int, int]:
        """A lane of the left margin for each route that goes to other rows."""
        spans: list[tuple[int, Span]] = []
        for number, route in enumerate(self.routes):
            rows = list(route.spans())
            if len(rows) > 1:
                spans.append((number, (min(rows), max(rows))))
        spans.sort(key=lambda pair: (pair[1][1] - pair[1][0], pair[0]))
        return _packed(spans)

    @property
    def left(self) -> float:
        """Room for the routes on the left of the rows."""
        return APART + LANE * max(self.beside.values()) if self.beside else 0.0

    @property
    def right(self) -> float:
        """How far rows and routes reach to the right, once the rows are placed."""
        edges = [row.right for row in self.rows]
        edges += [self.rows[r.source[0]].right + BESIDE for r in self.routes if r.wraps]
        return max(edges)

    def draw(self) -> Iterator[Item]:
        arrivals: dict[Place, int] = {}
        for number, route in enumerate(self.routes):
            source = self._column(route.source)
            if route.wraps:
                yield from routed(self._wrapped(number, source, route.targets[0]))
                continue
            colour = "amber" if route.is_skip else "wire"
            start = self._leave(route.source)
            for place in route.targets:
                order = arrivals.get(place, 0)
                arrivals[place] = order + 1
                points = self._over(number, route, place, self._arrive(place, order))
                yield from routed(points, colour, 1.2)
            yield Ellipse(start[0], start[1], 1.8, 1.8, colour)

    def _over(self, number: int, route: Route, place: Place, tip: Point) -> list[Point]:
        """Up from the top of a volume, along, and down on the top of another."""
        start = self._leave(route.source)
        y_out, y_in = self._lane(number, route.source[0]), self._lane(number, place[0])
        points: list[Point] = [start, (start[0], y_out)]
        if route.source[0] != place[0]:
            x = self.left - APART - LANE * self.beside[number]
            points += [(x, y_out), (x, y_in)]
            row = self.rows[place[0]]
            if row.lead is not None and place[1] == 0:
                edge = self.left + zone_of(self.rows) - 7
                return [*points[:-1], (x, row.middle), (edge, row.middle)]
        return [*points, (tip[0], y_in), tip]

    def _leave(self, place: Place) -> Point:
        """Where a route starts: on the top, beside the place where others arrive."""
        x, y = self._column(place).crown
        taken = any(place in route.targets and not route.wraps for route in self.routes)
        return (x + ASIDE if taken else x), y

    def _arrive(self, place: Place, order: int) -> Point:
        x, y = self._column(place).crown
        taken = any(place == route.source and not route.wraps for route in self.routes)
        return (x - ASIDE if taken else x) - ENTER * order, y - 1

    def _wrapped(self, number: int, source: Column, place: Place) -> list[Point]:
        """Out of the end of a row, and into the next from the left."""
        y = self._lane(number, place[0])
        x, middle = entry(self._column(place).form)
        before = min(x - 16, self.left + zone_of(self.rows) - 14)
        start = leaving(source.form)
        edge = self.rows[self.places[source.step][0]].right + BESIDE
        return [start, (edge, start[1]), (edge, y), (before, y), (before, middle), (x, middle)]

    def _lane(self, number: int, row: int) -> float:
        """The height of a route above a row."""
        lane = LANES_ABOVE + LANE * self.above[number, row]
        if self.rows[row].lead is not None and not self.routes[number].wraps:
            return self.rows[row].top - lane
        return self.rows[row].top - self.rows[row].head - lane

    def _column(self, place: Place) -> Column:
        return self.rows[place[0]].columns[place[1]]


def _packed(spans: Sequence[tuple[int, Span]]) -> dict[int, int]:
    """The first free lane for each span, in the order given."""
    taken: list[list[Span]] = []
    lanes: dict[int, int] = {}
    for number, (low, high) in spans:
        lane = 0
        while lane < len(taken) and any(a <= high and low <= b for a, b in taken[lane]):
            lane += 1
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
        lanes[number] = lane
    return lanes
