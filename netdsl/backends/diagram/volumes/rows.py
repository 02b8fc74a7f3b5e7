"""Volumes in rows: where rows break, where columns stand, and the routes between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, log

from netdsl.backends.diagram.scene import Item
from netdsl.backends.diagram.volumes.columns import Column, label_rows, with_one_lens

GAP = 13.0
NEXT = 30.0
LANE = 7.0
GUTTER = 18.0
LANES_ABOVE = 9.0
SCALE_ZONE, NO_SCALE_ZONE = 50.0, 24.0
LENS_DROP = 20.0
LABEL_GAP = 9.0
BEST_ASPECT = 1.45
MOST_ROWS = 24
MOST_OF_AIM = 2.5
TOO_WIDE = 100.0
SMALL, ENOUGH = 40.0, 84.0
ZOOMS = (16, 8, 4, 2)


@dataclass(slots=True)
class Lead:
    """What a row shows before its first volume: its width, its height, room for a heading.

    `whole` is the least width of a panel around the row, `captions` how far the captions reach
    down. `draw` takes the left edge, the middle of the height, and the top of the captions.
    """

    width: float
    height: float
    head: float
    whole: float
    captions: float
    draw: Callable[[float, float, float], list[Item]]


@dataclass(slots=True)
class Row:
    """Columns side by side, with the zoom of their pixels; `top` is that of the volumes."""

    columns: list[Column]
    zoom: int = 1
    lead: Lead | None = None
    top: float = 0.0
    lanes: int = 0
    places: list[float] = field(default_factory=list)
    inner: float = 0.0
    has_lens: bool = False
    """Whether lens lines lead from the row above to the panel at its beginning."""

    @property
    def head(self) -> float:
        """Room for a heading, and for routes between it and what is below."""
        return self.lead.head + self.inner if self.lead else 0.0

    @property
    def above(self) -> float:
        """Room above the middle of the forms."""
        lead = self.lead.height / 2 if self.lead else 0.0
        return max(15.0, lead, *(column.above for column in self.columns))

    @property
    def tall(self) -> float:
        lead = self.lead.height / 2 if self.lead else 0.0
        return self.above + max(15.0, lead, *(column.below for column in self.columns))

    @property
    def middle(self) -> float:
        return self.top + self.above

    @property
    def label_top(self) -> float:
        return self.top + self.tall + LABEL_GAP

    @property
    def bottom(self) -> float:
        lead = self.lead.captions if self.lead else 0.0
        return self.label_top + max(lead, self.places[-1] if self.places else 0.0) + 6

    @property
    def right(self) -> float:
        last = self.columns[-1]
        return max(
            last.form.x + last.form.width, last.form.x + last.form.width / 2 + last.width / 2
        )

    @property
    def has_scale(self) -> bool:
        """Whether the scale of its pixels has to be shown."""
        return self.zoom != 1 and any(c.form.axes.is_map for c in self.columns)


def zone_of(rows: Sequence[Row]) -> float:
    """Room on the left of the volumes: for routes that come in, and for scales."""
    return SCALE_ZONE if any(row.has_scale for row in rows) else NO_SCALE_ZONE


def gap_between(left: Column, right: Column) -> float:
    """Space between two columns: their labels apart, and room for what joins the forms."""
    inside = (left.width - left.form.width) / 2 + (right.width - right.form.width) / 2
    return max(GAP, NEXT - (inside if not left.is_left else left.width - left.form.width))


def width_of(columns: Sequence[Column]) -> float:
    gaps = sum(gap_between(a, b) for a, b in pairwise(columns))
    return sum(c.width for c in columns) + gaps


def into_rows(
    columns: Sequence[Column],
    forced: set[int],
    leads: dict[int, Lead],
    most: float | None = None,
    aspect: float | None = None,
) -> list[Row]:
    """The columns in rows, none wider than `most`: as many as give the picture a good shape.

    Where its `aspect` is given, so many that it is as small as can be.
    """
    best: list[Row] = []
    least = inf
    breaker = _Breaker(columns, forced, {n: lead.width for n, lead in leads.items()}, most)
    for count in range(len(forced) + 1, min(len(columns), MOST_ROWS) + 1):
        breaks = breaker.breaks(count)
        if breaks is None:
            continue
        edges = pairwise([0, *breaks, len(columns)])
        rows = [_zoomed(list(columns[a:b]), leads.get(a)) for a, b in edges]
        cost = _cost(rows, most, aspect)
        if cost < least:
            best, least = rows, cost
        if cost > least + 1.0:
            break
    return best


def _cost(rows: Sequence[Row], most: float | None, aspect: float | None) -> float:
    widths = [width_of(r.columns) + (r.lead.width if r.lead else 0.0) for r in rows]
    width = zone_of(rows) + max(widths)
    height = 90.0
    for row in rows:
        row.places = label_rows(row.columns)
        head = row.lead.head if row.lead else 0.0
        height += row.tall + LABEL_GAP + row.places[-1] + 6 + GUTTER + head
    mean = sum(widths) / len(widths)
    if aspect is not None:
        return max(width / aspect, height) / 300
    if most is not None:
        return max(width / most - 1, 0.0) * TOO_WIDE + 1 - mean / most + height / 3000
    ragged = 1 - mean / max(widths)
    return abs(log(width / height / BEST_ASPECT)) + width / 3000 + ragged


def _zoomed(columns: list[Column], lead: Lead | None) -> Row:
    """Maps that are all small get larger pixels, by a factor that is then stated."""
    maps = [c for c in columns if c.form.axes.is_map]
    largest = max((c.form.tall for c in maps), default=inf)
    if largest >= SMALL:
        return Row(with_one_lens(columns), 1, lead)
    zoom = next((z for z in ZOOMS if largest * z <= ENOUGH), 1)
    return Row(with_one_lens([c.zoomed(zoom) for c in columns]), zoom, lead)


class _Breaker:
    """Finds where rows begin: about equally wide, best where the resolution changes."""

    def __init__(
        self,
        columns: Sequence[Column],
        forced: set[int],
        leads: Mapping[int, float],
        most: float | None,
    ) -> None:
        self.forced, self.count = forced, len(columns)
        self.leads = [leads.get(n, 0.0) for n in range(len(columns))]
        self.most = inf if most is None else most - NO_SCALE_ZONE
        self.widths = [column.width for column in columns]
        self.gaps = [0.0, *(gap_between(a, b) for a, b in pairwise(columns))]
        self.faults = [_fault(columns, start) for start in range(len(columns))]

    def breaks(self, count: int) -> list[int] | None:
        """The first columns of all rows but the first; None where there is no such cut."""
        total = self.count
        whole = sum(self.widths) + sum(self.gaps) + sum(self.leads)
        possible = self._possible(whole / count)
        best = [[inf] * (total + 1) for _ in range(count + 1)]
        came = [[0] * (total + 1) for _ in range(count + 1)]
        best[0][0] = 0.0
        for number in range(1, count + 1):
            before, here = best[number - 1], best[number]
            for start, end, cost in possible:
                if before[start] + cost < here[end]:
                    here[end], came[number][end] = before[start] + cost, start
        if best[count][total] == inf:
            return None
        starts: list[int] = []
        end = total
        for number in range(count, 1, -1):
            end = came[number][end]
            starts.append(end)
        return starts[::-1]

    def _possible(self, aim: float) -> list[tuple[int, int, float]]:
        """Stretches that may be a row, with what each costs."""
        stretches: list[tuple[int, int, float]] = []
        for start in range(self.count):
            width = self.widths[start] + self.leads[start]
            for end in range(start + 1, self.count + 1):
                if end > start + 1:
                    if end - 1 in self.forced:
                        break
                    width += self.gaps[end - 1] + self.widths[end - 1]
                    if width > min(MOST_OF_AIM * aim, self.most):
                        break
                stretches.append((start, end, ((width - aim) / aim) ** 2 + self.faults[start]))
        return stretches


def _fault(columns: Sequence[Column], start: int) -> float:
    """What it costs to begin a row here."""
    if start == 0:
        return 0.0
    before, column = columns[start - 1], columns[start]
    if before.step not in column.step.sources:
        return -0.05
    return 0.0 if before.form.axes.spatial != column.form.axes.spatial else 0.3


def place_rows(
    rows: Sequence[Row], lanes: Sequence[int], inner: Sequence[int], left: float
) -> None:
    """Gives each row its height and each column its place.

    `lanes` are the routes above each row, `inner` those of them that run below its heading.
    """
    y, zone = 0.0, zone_of(rows)
    for row, count, below in zip(rows, lanes, inner, strict=True):
        row.inner = LANE * below + 4 if below else 0.0
        row.places = label_rows(row.columns)
        row.lanes = count
        y += GUTTER + LANE * count + row.head + (LENS_DROP if row.has_lens else 0.0)
        row.top = y
        x = left + zone + (row.lead.width if row.lead else 0.0)
        placed: list[Column] = []
        for number, column in enumerate(row.columns):
            if number:
                x += gap_between(row.columns[number - 1], column)
            placed.append(column.placed(x, row.middle))
            x += column.width
        row.columns = placed
        y = row.bottom
