"""A drawing in rows: boxes and wires, cut where the resolution changes, in a pleasant form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import sqrt

from netdsl.backends.diagram.blocks.dot import lay_out
from netdsl.backends.diagram.blocks.fragments import Fragments
from netdsl.backends.diagram.blocks.leaf import LINE, Leaf
from netdsl.backends.diagram.blocks.paint import Row, paint_row, paint_rows
from netdsl.backends.diagram.blocks.row_plan import RowPlan, cluster_title
from netdsl.backends.diagram.blocks.rows import (
    CUT_WITHIN,
    CUT_WITHIN_NARROW,
    MANY,
    ROW_EXTRA,
    Piece,
    changes,
    cut,
    estimated_ratio,
    length_of,
    widths_to_try,
)
from netdsl.backends.diagram.blocks.text_places import freed
from netdsl.backends.diagram.blocks.wiring import Wire
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.frame import LINE_SIZE, MARGIN, framed
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Item, Picture, bounds_of
from netdsl.backends.diagram.units import Unit, leaves

BEST_RATIO = 1.45
LEFT_MARGIN = 150.0
"""About what captions and gutters take beside a row."""
CANDIDATES, FEW_CANDIDATES = 6, 2
"""Ways to cut rows that are laid out; of a network with many boxes fewer."""
BESIDE = (50.0, 80.0, 110.0, 140.0, 180.0, 230.0, 300.0)
"""What gutters and margins may take of a width that is given."""
ODD_CUT = 0.6
"""How much less pleasant a picture is if all its rows are cut within a stage."""
LONG = 1.3
"""How much longer than a usual row an open block may be."""
ODD_CUT_OF_ASPECT = 0.08
"""The same where the aspect is given: letters count for more."""
LEAST_ROOM = 320.0
"""What stands above a drawing may be that wide."""
SMALL = 640.0
"""A network that fits into this width stays in one row."""


class Sheet:
    """One drawing under construction.

    `boxes` are all boxes by key, `wires` what flows between them, `items` what stands side by
    side at the top level: keys of boxes, and units that may be open. Those from `first_late` on
    have rows of their own. `training` are keys of what runs in training only.
    """

    title: str
    options: Options
    boxes: dict[str, Leaf]
    keys: dict[Unit, str]
    wires: Sequence[Wire]
    items: list[str | Unit]
    first_late: int
    training: set[str]
    fragments: Fragments | None = None
    """The blocks that are cut to fit into rows."""
    may_cut_blocks = True
    """Whether a block that is longer than a row goes on in the next."""
    few_ways = False
    """Whether to try few ways to cut it into rows: of many drawings that are made at once."""
    _indexed: tuple[Sequence[Wire], dict[str, list[int]]] = ((), {})
    """Wires, and their numbers by the boxes at their ends."""

    def piece(self, item: str | Unit) -> Piece:
        """About how much room an item takes."""
        raise NotImplementedError

    def caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        """What stands left of a row, in one or two lines."""
        raise NotImplementedError

    def shown_shape(self, wire: Wire) -> str:
        """What stands beside a tensor's wire."""
        raise NotImplementedError

    def marked_out(self, items: list[Item]) -> list[Item]:
        """The drawing with what is to be seen first."""
        return items

    def frame_title(self, unit: Unit, inside: str) -> str:
        """What stands above an open block."""
        title = cluster_title(unit, inside)
        return f"{title}, continued" if self._number(unit) > 1 else title

    def frame_name(self, unit: Unit) -> str:
        """What an open block is called in the file."""
        number = self._number(unit)
        return f"unit-{unit.path}" + (f"-part-{number}" if number > 1 else "")

    def whole(self, unit: Unit) -> Unit:
        """The block that a fragment is of."""
        return unit if self.fragments is None else self.fragments.wholes.get(unit, unit)

    def _number(self, unit: Unit) -> int:
        """Which of the fragments of a block it is, from 1."""
        return 1 if self.fragments is None else self.fragments.numbers.get(unit, 1)

    def lines(self, room: float | None = None) -> list[str]:
        """The description of the network below its name, in lines of that length."""
        raise NotImplementedError

    def legend(self, room: float | None) -> list[Item]:
        """What the signs mean, in lines of that length."""
        raise NotImplementedError

    def _wires_by_end(self) -> dict[str, list[int]]:
        """Numbers of the wires by the boxes at their ends, made anew where the wires changed."""
        if self._indexed[0] is self.wires:
            return self._indexed[1]
        numbers: dict[str, list[int]] = {}
        for number, wire in enumerate(self.wires):
            for key in (wire.tail, wire.head):
                numbers.setdefault(key, []).append(number)
        self._indexed = self.wires, numbers
        return numbers

    def wires_at(self, keys: Iterable[str]) -> list[Wire]:
        """Those that start or end at one of these boxes, in order."""
        by_end = self._wires_by_end()
        numbers = {n for key in keys for n in by_end.get(key, ())}
        return [self.wires[number] for number in sorted(numbers)]

    @property
    def room(self) -> float | None:
        """The width at which the smallest letters are still readable in print."""
        if self.options.width is None:
            return None
        return LINE * self.options.width / self.options.smallest

    @property
    def ratio(self) -> float:
        """Width by height that is aimed at."""
        return self.options.aspect or BEST_RATIO

    def picture(self) -> Picture:
        """The drawing with the rows whose shape is the most pleasant."""
        is_asked = self.options.level == "layers" or self.options.chooses_blocks
        if self.options.direction == "right" and is_asked and self.may_cut_blocks:
            self._fragment()
        pieces = self._pieces()
        usual, narrow = self._plans(pieces), self._narrow(pieces)
        rows = self._rows([*usual, *narrow])
        candidates = [
            (self._drawn([rows[r] for r in plan], above), self._odd_cuts(pieces, plan))
            for plans, above in ((usual, False), (narrow, True))
            for plan in plans
        ]
        return min(candidates, key=self._unpleasant)[0]

    def _fragment(self) -> None:
        """Cuts open blocks that are longer than a row of a page."""
        pieces = [self.piece(item) for item in self.items]
        area = sum(piece.width * (piece.height + ROW_EXTRA) for piece in pieces)
        limit = LONG * max(SMALL, sqrt(self.ratio * area))
        if self.room is not None:
            limit = min(limit, max(self.room - 2 * LEFT_MARGIN, LEFT_MARGIN))
        cut = Fragments(limit, lambda item: self.piece(item).width)
        main, late = cut.of(self.items[: self.first_late]), cut.of(self.items[self.first_late :])
        self.items, self.first_late = [*main, *late], len(main)
        self.fragments = cut

    def _pieces(self) -> list[Piece]:
        """What stands at the top level, and what leads where."""
        place = {key: n for n, item in enumerate(self.items) for key in self.keys_of([item])}
        readers: list[set[int]] = [set() for _ in self.items]
        for wire in self.wires:
            readers[place[wire.tail]].add(place[wire.head])
        pieces = [self.piece(item) for item in self.items]
        return [replace(p, readers=tuple(sorted(r))) for p, r in zip(pieces, readers, strict=True)]

    def _plans(self, pieces: list[Piece]) -> list[tuple[range, ...]]:
        """Ways to cut the sequence into rows that are worth a look."""
        if self.options.aspect is None and self._is_small(pieces):
            return [(range(len(pieces)),)]
        tried: dict[tuple[range, ...], float] = {}
        for width in widths_to_try(pieces, self.ratio):
            rows = tuple(self._cut(pieces, width))
            tried[rows] = estimated_ratio(pieces, rows, LEFT_MARGIN)
        is_short = len(self.boxes) <= MANY and not self.few_ways
        count = CANDIDATES if is_short else FEW_CANDIDATES
        return sorted(tried, key=lambda rows: self._far(tried[rows]))[:count]

    def _narrow(self, pieces: list[Piece]) -> list[tuple[range, ...]]:
        """Rows that leave letters readable at the width that was asked for."""
        if self.room is None or self._is_small(pieces):
            return []
        widths = [max(self.room - beside, 1.0) for beside in BESIDE]
        plans = [
            self._cut(pieces, w, cost) for w in widths for cost in (CUT_WITHIN, CUT_WITHIN_NARROW)
        ]
        return list(dict.fromkeys(tuple(plan) for plan in plans))

    def _is_small(self, pieces: list[Piece]) -> bool:
        """Whether one row is enough."""
        room = SMALL if self.room is None else min(SMALL, self.room - 2 * MARGIN)
        return length_of(pieces, range(len(pieces))) < room and not self.training

    def _cut(self, pieces: list[Piece], width: float, within: float = CUT_WITHIN) -> list[range]:
        """Rows; heads for training stand in rows of their own."""
        if self.options.runs_down:
            return [range(len(pieces))]
        main, late = range(self.first_late), range(self.first_late, len(pieces))
        return cut(pieces, main, width, within) + cut(pieces, late, width, within)

    def _odd_cuts(self, pieces: list[Piece], rows: Sequence[range]) -> float:
        """The share of the rows that start within a stage."""
        starts = [row.start for row in rows[1:] if row.start < self.first_late]
        return sum(not changes(pieces, start) for start in starts) / max(len(starts), 1)

    def _rows(self, plans: Sequence[Sequence[range]]) -> dict[range, Row]:
        """Each row of the plans, laid out; all of them in one run of Graphviz."""
        ranges = list(dict.fromkeys(row for plan in plans for row in plan))
        sequences = [[self.items[i] for i in row] for row in ranges]
        if self.fragments is not None:
            sequences = [self.fragments.joined(row) for row in sequences]
        row_plans = [RowPlan(self, row, frozenset(self.keys_of(row))) for row in sequences]
        graphs = [plan.graph for plan in row_plans]
        layouts = lay_out(graphs, self.options.engine, direction=self.options.direction)
        rows: dict[range, Row] = {}
        for number, row, plan, layout in zip(ranges, sequences, row_plans, layouts, strict=True):
            ends = plan.coming, plan.going, plan.labels
            items = tuple(freed(paint_row(plan.graph, plan.pens, layout, self.boxes)))
            rows[number] = Row(self.caption(row), *ends, layout, items)
        return rows

    def _drawn(self, rows: Sequence[Row], above: bool) -> Picture:
        items = self.marked_out(paint_rows(rows, self.options, above=above))
        room = self.room
        if self.options.aspect is not None or self.options.runs_down:
            # what stands above does not widen the picture
            left, _, right, _ = bounds_of(items)
            room = max(right - left, LEAST_ROOM) + 2 * MARGIN
        lines, legend = self.lines(room), self.legend(room)
        told = " · ".join(lines)
        return framed(self.title, lines, items, self.options, legend=legend, description=told)

    def fitted(self, parts: Sequence[str], room: float | None) -> list[str]:
        """Parts of a description, in lines that fit the width."""
        room = None if room is None else room - 2 * MARGIN
        lines: list[str] = []
        for part in parts:
            longer = f"{lines[-1]} · {part}" if lines else part
            if lines and (room is None or text_width(longer, LINE_SIZE) <= room):
                lines[-1] = longer
            else:
                lines.append(part)
        return lines

    def keys_of(self, row: Sequence[str | Unit]) -> list[str]:
        keys: list[str] = []
        for item in row:
            keys += [item] if isinstance(item, str) else [self.keys[u] for u in leaves([item])]
        return keys

    def _unpleasant(self, candidate: tuple[Picture, float]) -> tuple[float, float]:
        """Letters too small for the width, then how far from a page's proportions, how large, and
        how often cut within a stage."""
        picture, odd_cuts = candidate
        if self.options.aspect is not None:  # all have it: in the smallest, letters are largest
            return 0.0, picture.height * (1 + ODD_CUT_OF_ASPECT * odd_cuts)
        size = (picture.width * picture.height) ** 0.25
        ratio = picture.width / picture.height
        page = 1.0 if 0.5 <= ratio <= 2 else 2.0
        over = 0.0 if self.room is None else max(picture.width / self.room, 1.0)
        return over, self._far(ratio) * size * (1 + ODD_CUT * odd_cuts) * page

    def _far(self, ratio: float) -> float:
        return max(ratio / self.ratio, self.ratio / ratio)
