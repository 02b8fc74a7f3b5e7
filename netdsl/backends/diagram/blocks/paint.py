"""Rows that Graphviz has laid out, put below each other and joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from netdsl.backends.diagram.blocks.dot import DotCluster, DotGraph, DotNode, Layout, Route
from netdsl.backends.diagram.blocks.leaf import CHANGES, Leaf, draw_leaf, open_mark
from netdsl.backends.diagram.blocks.pens import Pen, shared
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Point,
    Text,
    arrow_head,
    moved,
    rounded,
)
from netdsl.backends.diagram.tips import tip
from netdsl.ir.graph import Value

LANE = 8.0
PAD = 14.0
GAP = 18.0
TURN = 9.0
"""Radius of a corner of a wire between rows."""
CHANNEL = 15.0
CAPTION = 12.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its places; `coming` and `going` are values of other rows, by their ports.

    Each has the pen of its wires to this row, or to all others; `labels` are texts of what is
    named nowhere else, `items` what is painted, from the row's own corner on.
    """

    caption: tuple[str, str]
    coming: Mapping[Value, Pen]
    going: Mapping[Value, Pen]
    labels: Mapping[Value, str]
    layout: Layout
    items: tuple[Item, ...]


def paint_rows(
    rows: Sequence[Row], options: Options, *, above: bool = False, bare: bool = False
) -> list[Item]:
    """All rows, framed, with the wires between them; captions left of the rows, or `above`.

    A `bare` drawing has neither frames nor captions.
    """
    sheet = _Places(rows, options, above, bare)
    items: list[Item] = []
    for number, row in enumerate(rows):
        if sheet.has_panels:
            items += sheet.panel(number, row)
    items += sheet.routes(rows)
    for number, row in enumerate(rows):
        dx, dy = sheet.left + sheet.gutter_left, sheet.tops[number] + sheet.pad
        items += [moved(item, dx, dy) for item in row.items]
    return items


class _Places:
    """Where rows, gutters and lanes lie."""

    def __init__(
        self, rows: Sequence[Row], options: Options, above: bool, bare: bool = False
    ) -> None:
        self.has_panels = options.direction == "right" and len(rows) > 1 and not bare
        self.edge = 0.0 if bare else PAD
        captions = [text for row in rows for text in row.caption]
        widest = max(text_width(text, CAPTION, True) for text in captions)
        self.above = above and self.has_panels
        self.left = widest + 16 if self.has_panels and not above else 0.0
        self.pad = self.edge + (1.5 * CAPTION if self.above else 0.0)
        self.lanes = _lanes(rows)
        count = max(self.lanes.values(), default=-1) + 1
        self.gutter_left = self.edge + LANE * count + (8 if count else 0)
        most = max(len(row.going) for row in rows)
        self.gutter_right = self.edge + LANE * most + (8 if most else 0)
        self.width = max(row.layout.width for row in rows)
        self.tops: list[float] = []
        y = 0.0
        for row in rows:
            self.tops.append(y)
            y += row.layout.height + self.pad + self.edge + GAP + CHANNEL * len(row.going)
        self.rows = rows

    def bottom(self, number: int) -> float:
        return self.tops[number] + self.pad + self.rows[number].layout.height + self.edge

    def panel(self, number: int, row: Row) -> list[Item]:
        top, height = self.tops[number], row.layout.height + self.pad + PAD
        width = self.gutter_left + self.width + self.gutter_right
        items: list[Item] = [Box(self.left, top, width, height, "panel.fill", "panel.line", 1, 8)]
        first, second = row.caption
        if self.above:
            text = f"{first} {second}".strip()
            x = self.left + self.gutter_left + 2
            return [*items, Text(x, top + CAPTION + 4, text, CAPTION, "ink", True, "start")]
        y = top + height / 2 + (4 if not second else -3)
        items.append(Text(self.left - 10, y, first, CAPTION, "ink", True, "end"))
        if second:
            items.append(Text(self.left - 10, y + 15, second, CAPTION, "ink", True, "end"))
        return items

    def routes(self, rows: Sequence[Row]) -> Iterator[Item]:
        """The tensors that go from one row to others, each on a lane of its own."""
        for number, row in enumerate(rows):
            ports = {value: row.layout.nodes[f"leave{n}"] for n, value in enumerate(row.going)}
            inner_first = sorted(ports, key=lambda value: -ports[value][1])
            for rank, value in enumerate(inner_first):
                yield from self._route(number, value, ports[value], rank)

    def _route(self, number: int, value: Value, port: Point, rank: int) -> Iterator[Item]:
        origin = self.left + self.gutter_left
        x_right = origin + self.width + 8 + LANE * (rank + 1)
        y_out = self.tops[number] + self.pad + port[1]
        y_low = self.bottom(number) + GAP / 2 + CHANNEL * rank + 8
        x_left = origin - 8 - LANE * (self.lanes[number, value] + 1)
        way = [
            (origin + port[0] - 1.5, y_out),
            (x_right, y_out),
            (x_right, y_low),
            (x_left, y_low),
        ]
        yield from self._branches(value, way, range(number + 1, len(self.rows)))
        text = self.rows[number].labels.get(value)
        if text:
            yield Text(x_right - 14, y_low - 3.5, text, 9, "soft", False, "end")

    def _branches(self, value: Value, way: list[Point], below: range) -> Iterator[Item]:
        """A way and its ends in other rows; what several share has their pen if they agree."""
        readers = [n for n in below if value in self.rows[n].coming]
        pens = [self.rows[n].coming[value] for n in readers]
        x_left = way[-1][0]
        for place, (number, own) in enumerate(zip(readers, pens, strict=True)):
            row, pen = self.rows[number], shared(pens[place:])
            x, y = row.layout.nodes[f"enter{list(row.coming).index(value)}"]
            end = self.left + self.gutter_left + x + 1.5, self.tops[number] + self.pad + y
            corner, turn = (x_left, end[1]), (x_left, end[1] - TURN)
            if own == pen:
                yield rounded([*way, corner, end], pen.colour, pen.width, TURN, pen.dash)
            else:
                yield rounded([*way, turn], pen.colour, pen.width, TURN, pen.dash)
                yield rounded([turn, corner, end], own.colour, own.width, TURN, own.dash)
            if len(set(pens[place:])) > 1:
                way = [turn]


def _lanes(rows: Sequence[Row]) -> dict[tuple[int, Value], int]:
    """A lane of the left gutter for each value that leaves a row; the short ones go inside."""
    spans: list[tuple[int, int, Value]] = []
    for number, row in enumerate(rows):
        for value in row.going:
            last = max(n for n, r in enumerate(rows) if value in r.coming)
            spans.append((last - number, number, value))
    taken: list[list[tuple[int, int]]] = []
    lanes: dict[tuple[int, Value], int] = {}
    for length, start, value in sorted(spans, key=lambda span: span[:2]):
        end = start + length
        lane = 0
        while lane < len(taken) and any(a < end and start < b for a, b in taken[lane]):
            lane += 1
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        lanes[start, value] = lane
    return lanes


def paint_row(
    graph: DotGraph, pens: Sequence[Pen], layout: Layout, boxes: Mapping[str, Leaf]
) -> Iterator[Item]:
    """Frames, lines and boxes; `pens` belong to the edges."""
    yield from _frames(graph.children, layout)
    for edge, pen, route in zip(graph.edges, pens, layout.routes, strict=True):
        yield from _edge(route, edge.label, pen, edge.head in boxes)
    for key, (x, y) in layout.nodes.items():
        if key in boxes:
            yield box_group(boxes[key], x, y, key)
        elif key.startswith("j"):
            yield Ellipse(x, y, 3, 3, "wire")


def _edge(route: Route, label: str, pen: Pen, pointed: bool) -> Iterator[Item]:
    points = route.points
    if pointed:
        tip_point = points[-1]
        behind = next((p for p in reversed(points[:-1]) if p != tip_point), points[0])
        yield Curve((*points[:-1], tip_point), pen.colour, pen.width, pen.dash)
        yield arrow_head(tip_point, behind, pen.colour, 7)
    else:
        yield Curve(points, pen.colour, pen.width, pen.dash)
    if label and route.label is not None:
        x, y = route.label
        yield Text(x, y + 2, label, 9, "soft")


def box_group(box: Leaf, x: float, y: float, key: str, also: Sequence[Item] = ()) -> Group:
    """A box whose middle is at a place, with what programs and readers learn of it.

    A box that is higher than its texts, to hold `also`, has them at its top.
    """
    items = (*draw_leaf(box, x, y, at_top=bool(also)), *also)
    if box.unit is None:
        return Group(items, id=key, css="end", title=box.tip or box.label.title, data=box.data)
    data = list(box.data)
    if box.kind in CHANGES:
        data.append(("change", box.kind))
    name = f"{'gone' if box.kind == 'gone' else 'unit'}-{box.unit.path}"
    told = box.tip or tip(box.unit)
    return Group(items, id=name.replace(" ", "-"), title=told, css="unit", data=tuple(data))


def _frames(children: Sequence[DotNode | DotCluster], layout: Layout) -> Iterator[Item]:
    for child in children:
        if not isinstance(child, DotCluster):
            continue
        left, top, right, bottom = layout.clusters[child.key]
        frame = Box(left, top, right - left, bottom - top, "block.fill", "block.line", 1.3, 9)
        name, _, rest = child.label.strip().partition("   ")
        title = Text(left + 18, top + 15, name, 11, "ink", True, "start")
        items: list[Item] = [frame, open_mark(left + 11, top + 11), title]
        items.append(Text(left + 24 + title.width, top + 15, rest, 9, "soft", False, "start"))
        data = (("path", child.path),)
        key = child.name.replace(" ", "-")
        yield Group(tuple(items), id=key, title=name, css="open", data=data)
        yield from _frames(child.children, layout)
