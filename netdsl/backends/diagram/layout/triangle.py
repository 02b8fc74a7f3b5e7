"""A triangle: a U whose levels have several nodes, each of which takes up all before it.

The node at level i, the j-th that joins ways there, stands at 2 j + i steps to the right: links to
coarser maps go one step down, those to finer ones one step up, and what skips nodes arches over
them in the colour of where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.diagram.blocks.pens import Pen
from netdsl.backends.diagram.blocks.wiring import INPUT, Wire
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.spots import Draft, Spot

GAPS = (44.0, 32.0, 24.0, 16.0)
"""Between two nodes of a level: the first with which the picture fits."""
LEAST = 14.0
"""Between two boxes above."""
ORIGINS = ("amber", "series2", "series3", "series4", "series5")
"""The colours of what comes from the first node of a level, the second, and so on."""


def triangle_drafts(sheet: SmallSheet) -> Iterator[Draft]:
    """Ways to lay out a network whose shape is a triangle, the best first."""
    triangle = _Triangle(sheet)
    for gap in GAPS:
        yield triangle.draft(gap)


class _Triangle:
    def __init__(self, sheet: SmallSheet) -> None:
        self.sheet = sheet
        self.places = self._places()
        self.levels = sorted({level for level, _ in self.places.values()})
        self.widest = max(sheet.boxes[key].width for key in self.places)

    def _places(self) -> dict[str, tuple[int, int]]:
        """The level and the place of each node: 0 on the way down, then the merges in order."""
        sheet = self.sheet
        merges = {sheet.makers[b.merge]: (b.level, b.place) for b in sheet.shape.bridges}
        forks = {tail for tail, head in sheet.bridges if head in merges}
        lowest = max(level for level, _ in merges.values()) + 1
        places: dict[str, tuple[int, int]] = dict(merges)
        for key in sheet.order:
            level = sheet.levels[key]
            is_joined = any(tail in merges for tail in sheet.before[key])
            if key in merges or level is None or is_joined or key.startswith(INPUT):
                continue
            if key in forks or (level == lowest and set(sheet.behind[key]) & merges.keys()):
                places[key] = level, 0
        return places

    def draft(self, gap: float) -> Draft:
        """Nodes in rows by level; what comes before and behind them in a row above."""
        step = (self.widest + gap) / 2
        spots = [
            Spot(key, self.sheet.boxes[key], 1 + self.levels.index(level),
                 (2 * place + self.levels.index(level)) * step)
            for key, (level, place) in self.places.items()
        ]  # fmt: skip
        spots += self._above({spot.key: spot for spot in spots})
        rows = {spot.key: spot.row for spot in spots if spot.row}
        bands = {row: row for row in rows.values()}
        captions = self.sheet.band_captions(rows)
        return Draft(spots, list(self._pens()), captions, bands, is_curved=True)

    def _above(self, nodes: dict[str, Spot]) -> Iterator[Spot]:
        """The row above: the input over the first node, heads over theirs, results at the right."""
        right = -1e9
        others = [key for key in self.sheet.order if key not in nodes]
        over: dict[str, float] = {}
        for key in others:
            ways = self.sheet.behind if key.startswith(INPUT) else self.sheet.before
            near = [nodes[k].x for k in ways[key] if k in nodes]
            over[key] = near[0] if len(near) == 1 else float("inf")
        for key in sorted(others, key=lambda key: (over[key], self.sheet.order.index(key))):
            box = self.sheet.boxes[key]
            x = max(right + LEAST + box.width / 2, over[key] if over[key] < 1e9 else -1e9)
            yield Spot(key, box, 0, x)
            right = x + box.width / 2

    def _pens(self) -> Iterator[tuple[Wire, Pen]]:
        for wire, pen in self.sheet.pens():
            tail, head = self.places.get(wire.tail), self.places.get(wire.head)
            if tail is None or head is None:
                yield wire, pen
            elif tail[0] == head[0]:
                yield wire, Pen(ORIGINS[tail[1] % len(ORIGINS)], 1.7)
            else:
                yield wire, Pen("series0", 1.5) if tail[0] > head[0] else Pen()
