"""A drawing in rows: boxes and wires, cut where the resolution changes, in a pleasant form."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.backends.diagram.dot import lay_out
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.leaf import Leaf
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.paint import Row, paint_rows
from netdsl.backends.diagram.row_plan import RowPlan
from netdsl.backends.diagram.rows import Piece, changes, cut, estimated_ratio, widths_to_try
from netdsl.backends.diagram.scene import Item, Picture
from netdsl.backends.diagram.units import Unit, leaves
from netdsl.backends.diagram.wiring import Wire

BEST_RATIO = 1.45
LEFT_MARGIN = 150.0
"""About what captions and gutters take beside a row."""
CANDIDATES = 6
SMALL = 640.0
"""A network that fits into this width stays in one row."""


class Sheet:
    """One drawing on its way.

    `boxes` are all boxes by key, `wires` what flows between them, `items` what stands side by
    side at the top level: keys of boxes, and units that may be open. Those from `first_late` on
    have rows of their own. `training` are keys of what runs in training only.
    """

    title: str
    options: Options
    boxes: dict[str, Leaf]
    keys: dict[int, str]
    wires: Sequence[Wire]
    depths: dict[str, int]
    items: list[str | Unit]
    first_late: int
    training: set[str]

    def piece(self, item: str | Unit) -> Piece:
        """About how much room an item takes."""
        raise NotImplementedError

    def caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        """What stands left of a row, in one or two lines."""
        raise NotImplementedError

    def shown_shape(self, wire: Wire) -> str:
        """What stands beside a tensor's way."""
        raise NotImplementedError

    def lines(self) -> list[str]:
        """What is said of the network below its name."""
        raise NotImplementedError

    def legend(self) -> list[Item]:
        """What the signs mean."""
        raise NotImplementedError

    def picture(self) -> Picture:
        """The drawing with the rows whose shape is the most pleasant."""
        pieces = [self.piece(item) for item in self.items]
        if sum(piece.width for piece in pieces) < SMALL and not self.training:
            return self._drawn([range(len(pieces))])
        tried: dict[tuple[range, ...], float] = {}
        for width in widths_to_try(pieces, BEST_RATIO):
            rows = tuple(self._cut(pieces, width))
            tried[rows] = estimated_ratio(pieces, rows, LEFT_MARGIN)
        likely = sorted(tried, key=lambda rows: _far(tried[rows]))[:CANDIDATES]
        return min(
            [(self._drawn(rows), self._odd_cuts(pieces, rows)) for rows in likely], key=_unpleasant
        )[0]

    def _cut(self, pieces: list[Piece], width: float) -> list[range]:
        """Rows; heads for training stand in rows of their own."""
        if self.options.direction == "down":
            return [range(len(pieces))]
        main, late = pieces[: self.first_late], pieces[self.first_late :]
        rows = cut(main, width)
        shift = self.first_late
        return rows + [
            range(r.start + shift, r.stop + shift) for r in (cut(late, width) if late else [])
        ]

    def _odd_cuts(self, pieces: list[Piece], rows: Sequence[range]) -> int:
        """Rows that start where the resolution stays the same."""
        starts = [row.start for row in rows[1:] if row.start < self.first_late]
        return sum(not changes(pieces, start) for start in starts)

    def _drawn(self, rows: Sequence[range]) -> Picture:
        sequences = [[self.items[i] for i in row] for row in rows]
        place = {key: n for n, row in enumerate(sequences) for key in self.keys_of(row)}
        plans = [RowPlan(self, n, row, place) for n, row in enumerate(sequences)]
        graphs = [plan.graph for plan in plans]
        layouts = lay_out(graphs, self.options.engine, direction=self.options.direction)
        drawn = [
            Row(
                self.caption(row),
                plan.graph,
                plan.wires,
                plan.coming,
                plan.going,
                plan.labels,
                layout,
            )
            for row, plan, layout in zip(sequences, plans, layouts, strict=True)
        ]
        items = paint_rows(drawn, self.boxes, self.options, self.training, self.depths)
        title = self.options.title or self.title
        return framed(title, self.lines(), items, legend=self.legend())

    def keys_of(self, row: Sequence[str | Unit]) -> list[str]:
        found: list[str] = []
        for item in row:
            found += [item] if isinstance(item, str) else [self.keys[id(u)] for u in leaves([item])]
        return found


def _unpleasant(made: tuple[Picture, int]) -> float:
    """How far from a page's proportions, how large, and how often cut within a resolution."""
    picture, odd_cuts = made
    size = (picture.width * picture.height) ** 0.25
    ratio = picture.width / picture.height
    page = 1.0 if 0.5 <= ratio <= 2 else 2.0
    return _far(ratio) * size * (1 + 0.1 * odd_cuts) * page


def _far(ratio: float) -> float:
    return max(ratio / BEST_RATIO, BEST_RATIO / ratio)
