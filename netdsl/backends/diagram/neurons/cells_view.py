"""A layer that enlarges a map: from which cells each cell of the result comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product, takewhile
from math import isqrt, prod

from netdsl.analyses.links import shape_of
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.backends.diagram.neurons.layers import kind_of
from netdsl.backends.diagram.neurons.lesson import Fact, headings, lesson, source_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Picture, Polygon, Text, line
from netdsl.backends.diagram.shape_names import plural, times
from netdsl.backends.diagram.theme import SERIES, series
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of
from netdsl.ops.cells import one, ravel
from netdsl.ops.facts import Work
from netdsl.ops.tables import types_of

Cell = tuple[int, int, int]
"""Channel, row, column; a sequence has one row."""
Sources = dict[Cell, float]
"""Cells that are added up: each with its share, or with the number of its weight."""
MOST_SOURCES, FEW_SOURCES, MOST_CELLS = 5, 3, 20
"""Rows and columns of a map up to which all are drawn, of more; of the result."""
LARGEST, SIDE, APART, GAP = 26.0, 262.0, 92.0, 14.0
"""A cell, the longer side of a result, the room between both, and between channels."""
WITH_SHARES, LETTER = 42.0, 9.0
TOP = 52.0


def enlarges(node: Node) -> bool:
    """Whether a layer makes a larger map of one map, and how is known."""
    op, read = op_of(node), node.data_inputs()
    if op.zoom <= 0 or len(read) != 1 or node.inputs[0].type.items:
        return False
    rank = node.inputs[0].type.rank
    if rank not in (2, 3) or node.output.type.rank != rank:
        return False
    types, first = types_of(node), (0,) * rank
    pieces = op.reads(*types, one(first))
    if not pieces or not all(map(all, (piece for _, piece in pieces))):
        return False
    near = zip(shape_of(node.inputs[0])[1:], *(piece[1:] for _, piece in pieces), strict=True)
    if any(max(map(max, read)) >= len(_patch(n)) for n, *read in near):
        return False
    known = op.products(*types, first) or op.shares(*types, first)
    channels = node.inputs[0].type.channels, node.output.type.channels
    few = [c for c in channels if isinstance(c, int)]
    return known is not None or (op.work is Work.MOVES and few[0] <= SERIES * few[-1])


def _patch(count: int) -> range:
    """The rows or columns of a map that are drawn."""
    return range(count if count <= MOST_SOURCES else FEW_SOURCES)


def cells_picture(graph: Graph, node: Node, options: Options) -> Picture:
    """Cells of the map and of the result, those that belong together in one colour."""
    sheet = _Sheet(graph, node)
    title = f"{graph.name}: {node.path}, cell by cell"
    first = f"{', '.join((kind_of(node), *op_of(node).told(*sheet.types)))}: {sheet.rule}"
    return lesson(graph, node, title, first, list(sheet.items()), list(sheet.facts()), options)


class _Sheet:
    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph, self.node, self.op = graph, node, op_of(node)
        self.types = types_of(node)
        self.rank = node.inputs[0].type.rank
        self.input = self._cell(shape_of(node.inputs[0]), 1)
        self.output = self._cell(shape_of(node.output), 1)
        self.is_learned = self.op.products(*self.types, (0,) * self.rank) is not None
        self.patch = [*map(_patch, self.input[1:])]
        self.drawn = [self._within(axis) for axis in (1, 2)]
        cells: list[Cell] = [(0, row, column) for row, column in product(*self.drawn)]
        self.found = {cell: self._sources(cell) for cell in cells}
        self.planes = sorted({cell[0] for read in self.found.values() for cell in read}) or [0]
        self.is_mixed = not self.is_learned and any(len(read) > 1 for read in self.found.values())
        self.size = min(LARGEST, SIDE / max(1, *map(len, self.drawn)))
        self.wide = WITH_SHARES if self.is_mixed else max(self.size, LARGEST * 0.7)

    @staticmethod
    def _cell(index: Sequence[int], filler: int) -> Cell:
        return (index[0], *((filler,) * (3 - len(index))), *index[1:])  # type: ignore[return-value]

    def _index(self, cell: Cell) -> tuple[int, ...]:
        return (cell[0], *cell[4 - self.rank :])

    def _within(self, axis: int) -> range:
        """The first places of the result along an axis that read drawn cells alone."""

        def is_inside(place: int) -> bool:
            index = self._index((0, place, 0) if axis == 1 else (0, 0, place))
            pieces = self.op.reads(*self.types, one(index)) or []
            if len(index) == 2 and axis == 1:
                return True
            return all(max(p[axis - 3], default=0) in self.patch[axis - 1] for _, p in pieces)

        places = takewhile(is_inside, range(min(self.output[axis], MOST_CELLS)))
        return range(sum(1 for _ in places))

    def _sources(self, cell: Cell) -> Sources:
        """What a cell adds up; of a learned layer what comes from the first channel."""
        index = self._index(cell)
        products = self.op.products(*self.types, index)
        if products is not None:
            windows = self.op.sliding()
            assert windows is not None
            sides = [k for k, _, _ in windows.settings_along(self.rank - 1)]
            return {
                self._cell(source, 0): 1 + ravel(weight[2:], sides)
                for source, weight in products
                if source[0] == 0
            }
        shares = self.op.shares(*self.types, index)
        if shares is not None:
            return {self._cell(source, 0): float(share) for source, share in shares}
        read = self.op.reads(*self.types, one(index)) or []
        return {self._cell([min(axis) for axis in piece], 0): 1.0 for _, piece in read}

    # --- which cells are marked --------------------------------------------------------------

    @cached_property
    def marked(self) -> list[Cell]:
        """The cell of the map that is marked with what comes of it: the middle of each channel."""
        rows, columns = (len(places) // 2 for places in self.patch)
        read = {(row, column) for found in self.found.values() for _, row, column in found}
        at = min(read, key=lambda c: (abs(c[0] - rows) + abs(c[1] - columns), c))
        return [(plane, *at) for plane in self.planes]

    @cached_property
    def readers(self) -> list[Cell]:
        """The marked cells of the result: all that read it, or one that mixes as many as any."""
        if not self.is_mixed:
            marked = set(self.marked)
            return [cell for cell, read in self.found.items() if marked & set(read)]
        rows, columns = (len(drawn) / 2 for drawn in self.drawn)
        return [min(
            self.found,
            key=lambda c: (-len(self.found[c]), abs(c[1] - rows) + abs(c[2] - columns), c),
        )]  # fmt: skip

    @cached_property
    def read(self) -> list[Cell]:
        """The marked cells of the map."""
        return list(self.found[self.readers[0]]) if self.is_mixed else self.marked

    # --- what is drawn ---------------------------------------------------------------------

    def _letter(self, cell: Cell) -> str:
        return chr(ord("a") + cell[1] * len(self.patch[1]) + cell[2])

    def _colour(self, cell: Cell) -> str:
        """One colour a cell; of several channels, one a channel."""
        if len(self.planes) > 1:
            return series(self.planes.index(cell[0]))
        return series(cell[1] * len(self.patch[1]) + cell[2])

    @cached_property
    def area(self) -> tuple[float, float]:
        """Width and height of the map, whose channels stand in a square."""
        many = isqrt(len(self.planes))
        wide, high = (len(places) * self.wide + GAP for places in reversed(self.patch))
        return many * wide - GAP, -(-len(self.planes) // many) * high - GAP

    def _place(self, cell: Cell, is_result: bool) -> tuple[float, float]:
        """The corner of a cell: the map stands beside the result."""
        (width, height), result = self.area, len(self.drawn[0]) * self.size
        if is_result:
            top = TOP + max(0, height - result) / 2
            return width + APART + cell[2] * self.size, top + cell[1] * self.size
        down, across = divmod(self.planes.index(cell[0]), isqrt(len(self.planes)))
        left = across * (len(self.patch[1]) * self.wide + GAP)
        top = TOP + max(0, result - height) / 2 + down * (len(self.patch[0]) * self.wide + GAP)
        return left + cell[2] * self.wide, top + cell[1] * self.wide

    def items(self) -> Iterator[Item]:
        yield from self._lens()
        for plane, row, column in product(self.planes, *self.patch):
            yield self._source((plane, row, column))
        yield from map(self._result, self.found)
        if not (self.is_learned or self.is_mixed):
            yield from self._blocks()
        for plane in self.planes:
            yield self._around([cell for cell in self.read if cell[0] == plane], False)
        yield self._around(self.readers, True)
        yield from self._numbers()
        yield from self._headings()

    def _source(self, cell: Cell) -> Group:
        (x, y), side = self._place(cell, False), self.wide
        items: list[Item] = [
            Box(x, y, side, side, "paper", "", 0),
            Box(x, y, side, side, self._colour(cell), "", 0, opacity=0.42),
            Box(x, y, side, side, "", "ink", 0.9),
        ]
        share = self.found[self.readers[0]].get(cell) if self.is_mixed else None
        middle, lower = y + side / 2, 0.0 if share is None else 6.0
        items.append(Text(x + side / 2, middle + 4 - lower, self._letter(cell), 11, "ink", True))
        if share is not None:
            items.append(Text(x + side / 2, middle + 11, _number(share), LETTER, "ink"))
        name = ",".join(map(str, self._index(cell)))
        return Group(tuple(items), title=f"value [{name}]", css="source", data=(("cell", name),))

    def _result(self, cell: Cell) -> Group:
        """A square for a value, a circle for a neuron, in the colour of what it takes most of."""
        (x, y), side, read = self._place(cell, True), self.size, self.found[cell]
        items: list[Item] = []
        if read:
            most = max(read, key=lambda source: 0 if self.is_learned else read[source])
            opacity = 0.42 if len(read) == 1 else 0.2 if self.is_learned else 0.42 * read[most]
            items.append(self._form(x, y, self._colour(most), "", round(opacity, 3)))
        items.append(self._form(x, y, "", "wire" if self.is_learned else "paper", 1.0))
        text = self._text(cell)
        if text:
            items.append(Text(x + side / 2, y + side / 2 + 3, text, LETTER, "ink"))
        name = ",".join(map(str, self._index(cell)))
        sources = " ".join(",".join(map(str, self._index(source))) for source in sorted(read))
        data = (("cell", name), ("from", sources))
        return Group(tuple(items), title=f"[{name}] from {sources}", css="made", data=data)

    def _form(self, x: float, y: float, fill: str, edge: str, opacity: float) -> Box | Ellipse:
        side = self.size
        if self.is_learned:
            half, radius = side / 2, side * 0.45
            return Ellipse(x + half, y + half, radius, radius, fill, edge, 0.8, opacity=opacity)
        return Box(x, y, side, side, fill, edge, 0.8, opacity=opacity)

    def _text(self, cell: Cell) -> str:
        read = self.found[cell]
        if self.is_learned and self.marked[0] in read:
            return f"w{read[self.marked[0]]:.0f}"
        if len(read) == 1:
            return self._letter(next(iter(read)))
        return f"+{len(read)}" if self.is_learned and read else ""

    def _blocks(self) -> Iterator[Item]:
        """Lines around the cells that come from one."""
        blocks: dict[Cell, list[Cell]] = {}
        for cell, read in self.found.items():
            for source in read:
                blocks.setdefault(source, []).append(cell)
        if len(self.planes) == 1:
            for cells in blocks.values():
                yield self._around(cells, True, "ink", 1.0)

    def _around(
        self, cells: Sequence[Cell], is_result: bool, colour: str = "focus", stroke: float = 2.2
    ) -> Box:
        side = self.size if is_result else self.wide
        xs, ys = zip(*(self._place(cell, is_result) for cell in cells), strict=True)
        wide, high = max(xs) - min(xs) + side, max(ys) - min(ys) + side
        return Box(min(xs), min(ys), wide, high, "", colour, stroke)

    def _lens(self) -> Iterator[Item]:
        """From the map to the result, in line with the cells that are marked."""
        near, far = self._around(self.read, False), self._around(self.readers, True)
        start, end = near.x + near.width, far.x
        left, right = self.area[0], self.area[0] + APART

        def across(upper: float, lower: float) -> list[tuple[float, float]]:
            return [
                (x, upper + (lower - upper) * (x - start) / (end - start)) for x in (left, right)
            ]

        above, below = across(near.y, far.y), across(near.y + near.height, far.y + far.height)
        yield Polygon((*above, *below[::-1]), "panel.fill")
        yield line(above, "focus", 0.9, "dashed")
        yield line(below, "focus", 0.9, "dashed")

    def _numbers(self) -> Iterator[Item]:
        """Of the rows and columns of the result."""
        rows, columns = self.drawn
        for row in rows if self.rank > 2 else ():
            x, y = self._place((0, row, columns[-1]), True)
            middle = y + self.size / 2 + 3
            yield Text(x + self.size + 6, middle, f"{row}", LETTER, "soft", False, "start")
        for column in columns:
            x, y = self._place((0, 0, column), True)
            yield Text(x + self.size / 2, y - 5, f"{column}", LETTER, "soft")

    def _headings(self) -> Iterator[Text]:
        shown, made = prod(map(len, self.patch)) * len(self.planes), len(self.found)
        name = f"{source_of(self.graph, self.node)} {times(self._index(self.input))}"
        what = "neurons" if self.is_learned else "values"
        left = self.area[0] + APART
        return headings(
            (0.0, name, f"{shown:,} of {prod(self.input):,} values drawn"),
            (
                left,
                times(self._index(self.output)),
                f"{made:,} of {prod(self.output):,} {what} drawn",
            ),
        )

    # --- in words --------------------------------------------------------------------------

    @property
    def rule(self) -> str:
        """What letters and colours mean."""
        if self.is_learned:
            return (
                "letters and colours are cells that paint there, w1, w2, ... weights; +2 adds two."
            )
        if self.is_mixed:
            return "a colour is the cell that most is taken of; numbers are of the marked cell."
        if len(self.planes) > 1:
            return "a colour is a channel, a letter a place in it."
        return "colour and letter say where a cell comes from."

    @property
    def heading(self) -> str:
        """What is often misread."""
        if self.is_learned:
            return "Each value paints a window by learned weights; what overlaps is added."
        if self.is_mixed:
            most = max(map(len, self.found.values()))
            return f"Sums of up to {most} cells by fixed numbers: nothing is learned here."
        if len(self.planes) > 1:
            return f"Moved, not computed: {len(self.planes)} channels become the cells of one."
        return "Copied, not computed: squares are values, and nothing is learned here."

    def facts(self) -> Iterator[Fact]:
        """The counts, in the order in which they follow from each other."""
        values, results = prod(self.input), prod(self.output)
        what = "neuron" if self.is_learned else "value"
        yield "", self.heading
        yield "comes in", f"{times(self._index(self.input))} = {plural(values, 'value')}"
        yield "result", f"{times(self._index(self.output))} = {plural(results, what)}"
        rules = dict.fromkeys(rule.numbers for rule in self.op.size_rules(*self.types))
        sides = len(self._index(self.output)) - 1
        if rules:
            yield "size", ", ".join(rules) + " along each side" * (len(rules) == 1 < sides)
        yield from self._example()
        learned, macs = plural(parameters_of([self.node]), "parameter"), macs_of([self.node])
        assert isinstance(macs, int)
        yield "cost", f"{learned}, {plural(macs, 'multiply-add')}"
        left = values - prod(map(len, self.patch)) * len(self.planes)
        rest = f"{results - len(self.found):,} of {results:,} {what}s of the result"
        yield "not drawn", f"{left:,} of {values:,} values, {rest}"

    def _example(self) -> Iterator[Fact]:
        """The marked cell of the result, and how often the marked one of the map is read."""
        cell = self.readers[-1]
        read = sorted(self.found[cell].items())
        place = f"row {cell[1]}, column {cell[2]}" if self.rank > 2 else f"place {cell[2]}"
        sign = (lambda n: f"w{n:.0f}") if self.is_learned else _number
        told = " + ".join(f"{sign(number)}·{self._letter(source)}" for source, number in read)
        told = told.replace("+ \N{MINUS SIGN}", "\N{MINUS SIGN} ")
        products = self.op.products(*self.types, self._index(cell)) or []
        others = len({source[0] for source, _ in products}) - 1
        if others > 0:
            told += f", and the same of {plural(others, 'other channel')}"
        if self.is_learned or self.is_mixed:
            yield place, told
        else:
            (channel, row, column), _ = read[0]
            at = f"row {row}, column {column}" if self.rank > 2 else f"place {column}"
            of = f" of channel {channel}" * (self.input[0] > 1)
            yield place, f"is a copy of {self._letter(read[0][0])}, {at}{of}"
        if not self.is_mixed and len(self.planes) == 1:
            many = plural(len(self.readers), "time")
            yield (
                f"cell {self._letter(self.marked[0])}",
                f"is read {many} by a channel of the result",
            )


def _number(share: float) -> str:
    return f"{share:.3g}".replace("-", "\N{MINUS SIGN}")
