"""A lattice: rows by the size of the maps, columns by how far a box is from the trunk.

The trunk runs up (or down) on the left, level by level. What changes the level between two rows
of the lattice stands in the gap between them, at the column of the box that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netdsl.backends.diagram.blocks.leaf import CARD
from netdsl.backends.diagram.blocks.wiring import OUTPUT
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.spots import Draft, Spot
from netdsl.ir.graph import Value

GAPS = (22.0, 17.0, 13.0)
"""Between columns: the first with which the picture fits."""
MANY_OUTPUTS = 3
"""Levels of outputs from which on the coarsest maps stand on top."""


def lattice_drafts(sheet: SmallSheet) -> Iterator[Draft]:
    """Ways to lay out a network whose shape is a lattice, the best first."""
    for in_step, in_short in ((True, False), (True, True), (False, False), (False, True)):
        places = _Places(sheet, in_step, in_short)
        if not places.is_lattice:
            return
        for gap in GAPS:
            yield places.draft(gap, aligned=True)
            yield places.draft(gap, aligned=False)


class _Places:
    """The band of each box, its line in the band, and its column.

    `in_step` keeps what runs at the same distance from the trunk in one column; else each row is as
    short as it can be. `in_short`, the trunk stands in the line of the stem until it forks.
    """

    def __init__(self, sheet: SmallSheet, in_step: bool, in_short: bool) -> None:
        self.sheet, self.in_step, self.in_short = sheet, in_step, in_short
        self.levels = {k: level for k, level in sheet.levels.items() if level is not None}
        ends = {self.levels[k] for k in sheet.order if k.startswith(OUTPUT) and k in self.levels}
        joined = {bridge.level for bridge in sheet.shape.bridges}
        self.finest = min(joined | ends, default=0)
        coarsest = max(self.levels.values())
        deepest = next(k for k in sheet.order if self.levels.get(k) == coarsest)
        self.on_trunk = sheet.reach(deepest, sheet.before)
        self.spans = {key: sheet.span(key) for key in sheet.order if sheet.span(key)}
        self.stem = self._stem()
        for key, levels in self.spans.items():
            self.spans[key] = [level for level in levels if level >= self.finest]
        self.tail = self._tail()
        lines = {*self.stem, *self.tail}
        self.is_lattice = any(key not in lines for key in sheet.order)
        if not self.is_lattice:
            return
        self.between = self._between()
        self.bands = self._bands(len(ends) >= MANY_OUTPUTS)
        self.lines: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        self.in_line: dict[int, list[list[str]]] = {}
        self._place()
        places = {(band, self.lines[k]) for k in sheet.order for band in self.all_bands(k)}
        self.numbers = {place: number for number, place in enumerate(sorted(places))}
        self.rows = {k: self.numbers[self.bands[k], self.lines[k]] for k in sheet.order}

    def _stem(self) -> list[str]:
        """The trunk before the lattice: finer maps, and a pool that leads to the finest."""
        stem: list[str] = []
        for key in self.sheet.order:
            level = self.levels.get(key)
            if key not in self.on_trunk or level is None:
                continue
            unit = self.sheet.wiring.leaves.get(key)
            is_first = level == self.finest and set(self.sheet.before[key]) <= {*stem}
            is_pool = is_first and unit is not None and not unit.parameters
            is_chain = is_first and self.in_short and self._leads_to_layers(key)
            if level < self.finest or is_pool or is_chain:
                stem.append(key)
        return stem

    def _leads_to_layers(self, key: str) -> bool:
        """Whether no merge reads a box, and none of several levels."""
        readers = self.sheet.behind[key]
        forms = {self.sheet.boxes[reader].form for reader in readers}
        return forms.isdisjoint(("strip", "circle")) and not self.spans.keys() & {*readers}

    def _tail(self) -> list[str]:
        """What has no map, and the last layers before it that stand in one line."""
        tail = {key for key in self.sheet.order if key not in self.levels} - self.spans.keys()
        if any(len(tail.intersection(self.sheet.behind[key])) > 1 for key in self.sheet.order):
            return [key for key in self.sheet.order if key in tail]
        for key in reversed(self.sheet.order):
            before, behind = self.sheet.before[key], self.sheet.behind[key]
            is_inner = key in self.spans or key in self.on_trunk or len(before) != 1
            if behind and tail.issuperset(behind) and not is_inner:
                tail.add(key)
        return [key for key in self.sheet.order if key in tail]

    def _between(self) -> dict[str, str]:
        """Boxes between two rows, with the box of the lattice that reads them."""
        sheet = self.sheet
        homes: dict[str, str] = {}
        for key in reversed(sheet.order):
            readers, tails = sheet.behind[key], sheet.before[key]
            if len(readers) != 1 or key in self.on_trunk or key not in self.levels or not tails:
                continue
            (reader,) = readers
            unit = sheet.wiring.leaves.get(key)
            if unit is None or unit.is_block or sheet.boxes[key].form in ("strip", "circle"):
                continue
            changes = self.levels.get(tails[0]) != self.levels[key]
            joins = sheet.boxes[reader].form in ("strip", "circle") or len(sheet.before[reader]) > 1
            if changes and joins and self.levels.get(tails[0]) is not None:
                homes[key] = reader
            elif reader in homes and len(tails) == 1 and self._leads_on(tails[0], key):
                homes[key] = homes[reader]
        return homes

    def _leads_on(self, tail: str, key: str) -> bool:
        """Whether a box leads to others of its row too, so that this one leaves the row."""
        others = [k for k in self.sheet.behind[tail] if k != key]
        return any(self.levels.get(k) == self.levels.get(tail) for k in others)

    def _bands(self, is_upward: bool) -> dict[str, int]:
        """Bands from the top; one between two levels where boxes stand there."""
        sign = -1 if is_upward else 1
        high: dict[str, float] = {}
        for key in self.sheet.order:
            if key in self.between:
                head, tail = self.levels[self.between[key]], self._source_level(key)
                high[key] = sign * (head + tail) / 2
            elif key in self.levels and key not in self.stem:
                high[key] = float(sign * self.levels[key])
        tall = [float(sign * level) for levels in self.spans.values() for level in levels]
        placed = [*high.values(), *tall]
        ends = min(placed) - 1, max(placed) + 1
        high |= dict.fromkeys(self.stem, ends[1] if is_upward else ends[0])
        high |= dict.fromkeys(self.tail, ends[1] + 1)
        numbers = {h: n for n, h in enumerate(sorted({*high.values(), *tall}))}
        self.band_of = {sign * int(h): n for h, n in numbers.items() if h == int(h)}
        for key in (*self.stem, *self.tail):
            self.band_of = {lv: n for lv, n in self.band_of.items() if n != numbers[high[key]]}
        for key, levels in self.spans.items():
            high[key] = min(float(sign * level) for level in levels)
        return {key: numbers[h] for key, h in high.items()}

    def all_bands(self, key: str) -> list[int]:
        """The bands that a box reaches over."""
        return sorted(self.band_of[n] for n in self.spans.get(key, ())) or [self.bands[key]]

    def _source_level(self, key: str) -> int:
        while key in self.between:
            key = self.sheet.before[key][0]
        return self.levels[key]

    def _place(self) -> None:
        """Gives each box its line and its column: what a box leads to stands in its line, if only
        one does."""
        for key in self.sheet.order:  # the trunk, and what runs in a line of its own
            if key in self.stem or key in self.tail or key in self.on_trunk:
                lines = [self.in_line.setdefault(band, [[]])[0] for band in self.all_bands(key)]
                columns = [self.columns[line[-1]] + 1 for line in lines if line]
                tall = [self.columns[k] for k in self.sheet.before[key]
                        if k in self.spans and key not in self.tail]  # fmt: skip
                if key in self.spans:
                    tall += [self.columns[k] + 1 for k in self._sources(key) if k in self.columns]
                self._put(key, 0, max([0, *columns, *tall]))
        trunk = [self.columns[k] for k in self.on_trunk if k not in self.stem]
        first = max(trunk, default=-1) + 1
        for key in self.sheet.order:
            if key not in self.columns and key not in self.between:
                column = self._column(key, first)
                self._put(key, self._line(key, column), column)
        self._to_the_right()
        for key in reversed(self.sheet.order):
            if key in self.between:
                self.lines[key], self.columns[key] = 0, self.columns[self.between[key]]

    def _lines_of(self, key: str) -> list[list[str]]:
        return self.in_line.setdefault(self.bands[key], [[]])

    def _put(self, key: str, line: int, column: int) -> None:
        for band in self.all_bands(key):
            lines = self.in_line.setdefault(band, [[]])
            if line == len(lines):
                lines.append([])
            lines[line].append(key)
        self.lines[key], self.columns[key] = line, column

    def _line(self, key: str, column: int) -> int:
        if key in self.spans:
            return 0
        lines = self._lines_of(key)
        own = [k for k in self._sources(key) if self.bands[key] in self.all_bands(k)]
        for number, line in enumerate(lines):
            if line and line[-1] in own and self.columns[line[-1]] < column:
                return number
        for number, line in enumerate(lines):
            if not line or (not own and self.columns[line[-1]] < column):
                return number
        return len(lines)

    def _column(self, key: str, first: int) -> int:
        own: list[int] = []
        others: list[int] = []
        for tail in self._sources(key):
            if tail in self.stem or tail in self.tail or tail not in self.columns:
                continue
            is_here = key in self.spans or self.bands[key] in self.all_bands(tail)
            (own if is_here else others).append(self.columns[tail])
        least = [column + 1 for column in own]
        if self.in_step or not own:
            least += others
        return max([first, *least])

    def _sources(self, key: str) -> Iterable[str]:
        """The boxes of the lattice that lead to a box, through those between rows."""
        for tail in self.sheet.before[key]:
            if tail in self.between:
                yield from self._sources(tail)
            else:
                yield tail

    def _to_the_right(self) -> None:
        """The ends of all lines below each other, with what leads to them alone."""
        ends = [k for k in self.sheet.order if k.startswith(OUTPUT) and k not in self.tail]
        last = max((self.columns[key] for key in ends), default=0)
        for end in ends:
            line = self._lines_of(end)[self.lines[end]]
            if line[-1] != end:
                continue
            column = last
            for key in reversed(line):
                if key in self.on_trunk or len(self.sheet.behind[key]) > 1:
                    break
                self.columns[key] = max(self.columns[key], column)
                column -= 1
                if any(self.bands[key] not in self.all_bands(k) for k in self.sheet.before[key]):
                    break

    # --- places ----------------------------------------------------------------------------------

    def draft(self, gap: float, *, aligned: bool) -> Draft:
        """The boxes with this much room between columns; `aligned` where columns are straight."""
        middles = self._middles(gap) if aligned else {}
        spots: dict[str, Spot] = {}
        right: dict[tuple[int, int], float] = {}
        keys = [key for key in self.sheet.order if key not in self.between]
        for key in sorted(keys, key=lambda key: self.columns[key]):
            box, lines = (
                self.sheet.boxes[key],
                [(band, self.lines[key]) for band in self.all_bands(key)],
            )
            x = max(right.get(line, 0.0) for line in lines)
            for tail in self._sources(key):
                if tail in spots and {*self.all_bands(tail)} & {*self.all_bands(key)}:
                    x = max(x, _right(spots[tail]) + gap)
            if aligned and key not in self.stem and key not in self.tail:
                x = middles[self.columns[key]] - box.width / 2
            rows = [self.row_of(line) for line in lines]
            spot = Spot(key, box, rows[0], x + box.width / 2, rows[-1], self._notes(key))
            spots[key] = spot
            right |= dict.fromkeys(lines, _right(spot) + gap)
        if not aligned:
            self._push_ends(spots)
        every = [*spots.values(), *self._gap_spots(spots, gap)]
        free = {self.bands[key] for key in self.between}
        bands = {row: band for (band, _), row in self.numbers.items() if band not in free}
        captions = self.sheet.band_captions({k: r for k, r in self.rows.items() if not self.lines[k]
                                             and r in bands})  # fmt: skip
        for key in self.spans:
            for value in self.sheet.wiring.leaves[key].outputs:
                row = self._row_of_value(value)
                if row is not None:
                    captions.setdefault(row, (self.sheet.size_of(value), ""))
        for keys in (self.stem, self.tail):
            if keys:
                captions[self.rows[keys[0]]] = self._line_caption(keys)
        pens = list(self.sheet.pens())
        return Draft(every, pens, captions, bands, self._row_of_value)

    def row_of(self, place: tuple[int, int]) -> int:
        """The row of a line of a band."""
        return self.numbers[place]

    def _row_of_value(self, value: Value) -> int | None:
        level = self.sheet.level_of(value)
        band = None if level is None else self.band_of.get(level)
        return None if band is None else self.numbers.get((band, 0))

    def _notes(self, key: str) -> dict[int, str]:
        """The channels of each map that a tall box gives, by row."""
        if key not in self.spans:
            return {}
        values = self.sheet.wiring.leaves[key].outputs
        rows = {self._row_of_value(value): value for value in values}
        return {row: self.sheet.told_channels(v) for row, v in rows.items() if row is not None}

    def _line_caption(self, keys: Sequence[str]) -> tuple[str, str]:
        sizes = [self.sheet.map_size(key) for key in keys]
        first, last = sizes[0], sizes[-1]
        if keys is self.tail:
            last = "vectors"
        if keys[0] not in self.levels:
            return last, ""
        return first, f"to {last}" if last != first else ""

    def _push_ends(self, spots: Mapping[str, Spot]) -> None:
        """The outputs of all lines below each other, at the right."""
        ends = [spots[k] for k in spots if k.startswith(OUTPUT) and k not in self.tail]
        x = max((end.x for end in ends), default=0.0)
        for end in ends:
            if self._lines_of(end.key)[self.lines[end.key]][-1] == end.key:
                end.x = x

    def _middles(self, gap: float) -> dict[int, float]:
        """The middle of each column."""
        widths: dict[int, float] = {}
        for key, column in self.columns.items():
            if key not in self.stem and key not in self.tail and key not in self.between:
                width = self.sheet.boxes[key].width + CARD * self.sheet.boxes[key].cards
                widths[column] = max(widths.get(column, 0.0), width)
        middles: dict[int, float] = {}
        x = 0.0
        for column in sorted(widths):
            middles[column] = x + widths[column] / 2
            x += widths[column] + gap
        return middles

    def _gap_spots(self, placed: Mapping[str, Spot], gap: float) -> list[Spot]:
        """What stands between rows: above or below its reader, more of a chain beside it."""
        spots: dict[str, Spot] = {}
        right: dict[int, float] = {}
        for key in reversed(self.sheet.order):
            if key not in self.between:
                continue
            (reader,) = self.sheet.behind[key]
            row, box = self.rows[key], self.sheet.boxes[key]
            x = placed[reader].x if reader in placed else spots[reader].right + gap + box.width / 2
            if reader in placed and placed[reader].is_bar:
                x = placed[reader].left - 10 + box.width / 2
            if row in right:
                x = max(x, right[row] + gap + box.width / 2) if x > right[row] - box.width else x
            spots[key] = Spot(key, box, row, x)
            right[row] = max(right.get(row, x), spots[key].right)
        return list(spots.values())


def _right(spot: Spot) -> float:
    return spot.right + CARD * spot.box.cards
