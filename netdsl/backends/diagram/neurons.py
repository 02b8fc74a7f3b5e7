"""The neuron view: layers as columns of neurons, every line a connection that exists."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import UnknownLinks, count, hull, is_in, shape_of
from netdsl.backends.diagram.columns import (
    STRETCHES,
    Column,
    Index,
    Link,
    Study,
    inputs_of,
    name_of,
    not_drawn,
    shape_text,
    study,
)
from netdsl.backends.diagram.filters import filters_picture, is_small_convolution
from netdsl.backends.diagram.fonts import shorten, text_width, wrapped
from netdsl.backends.diagram.frame import LINE_SIZE, framed
from netdsl.backends.diagram.labels import layer_label, tail
from netdsl.backends.diagram.leaf import kind_of
from netdsl.backends.diagram.neuron_names import (
    Neuron,
    check_sizes,
    last_parts,
    neuron_of,
    told,
)
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Picture,
    Point,
    Text,
    moved,
    rounded,
)
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.ir.graph import Graph
from netdsl.ops.cells import Product, one

RADIUS, STEP = 14.0, 41.0
PILL, PILL_SEEN = 24.0, 33.0
"""Room for a pill; for one that also tells how much of the field it stands for."""
STUB = 8.0
LANE = 5.0
SPACE = 66.0
"""From the widest of a column to the widest of the next."""
WIDEST = 2.2
"""Of a picture, in parts of its height."""
WIDE_LINE = 860.0
HEAD, SMALL, TINY, INDEX = 12.0, 9.5, 8.5, 7.6


def neurons_picture(graph: Graph, options: Options) -> Picture:
    """Neurons of each layer and their links. Raises `DrawError`."""
    check_sizes(graph)
    chosen = [neuron_of(graph, text) for text in options.neurons]
    if is_small_convolution(graph):
        return filters_picture(graph, chosen, options)
    if not chosen:
        chosen = [default_neuron(graph)]
    try:
        made = (_Sheet(graph, study(graph, chosen, s), options).picture() for s in STRETCHES)
        return next((p for p in made if p.width <= WIDEST * p.height), None) or (
            _Sheet(graph, study(graph, chosen, STRETCHES[-1]), options).picture()
        )
    except UnknownLinks as error:
        raise told(error) from None


def default_neuron(graph: Graph) -> Neuron:
    """The middle of the last convolution's result, or of the last layer's."""
    running = graph.inference_nodes()
    nodes = [n for n in graph.nodes() if id(n) in running and n.inputs and n.outputs]
    if not nodes:
        raise DrawError("there are no neurons to draw: the network computes nothing")
    maps = [node for node in nodes if node.op.name == "conv"]
    node = maps[-1] if maps else nodes[-1]
    shape = shape_of(node.outputs[0])
    index = (0, *(n // 2 for n in shape[1:])) if shape else ()
    return Neuron(node.outputs[0], index, node.path)


class _Sheet:
    def __init__(self, graph: Graph, found: Study, options: Options) -> None:
        self.graph, self.study, self.options = graph, found, options
        self.columns = found.columns
        self.chosen = set(found.chosen)
        self.heads = [_head(column) for column in self.columns]
        self.feet = [self._foot(number) for number in range(len(self.columns))]
        heights = [_height(column) for column in self.columns]
        self.tallest = max(heights)
        self.xs = self._places()
        self.ys = [
            _rows(column, (self.tallest - height) / 2)
            for column, height in zip(self.columns, heights, strict=True)
        ]
        self.ports = [_port(column) for column in self.columns]
        self.links = list(found.links())
        self.over = [link for link in self.links if link.end > link.start + 1]

    def _places(self) -> list[float]:
        """Middles of the columns: as far apart as their texts need, no nearer than the links do."""
        xs: list[float] = [0.0]
        for number in range(1, len(self.columns)):
            texts = [_width(self._texts(n)) for n in (number - 1, number)]
            pills = [2 * _port(self.columns[n]) for n in (number - 1, number)]
            apart = max(sum(texts) / 2 + 20, sum(pills) / 2 + SPACE)
            xs.append(xs[-1] + apart)
        return xs

    def _texts(self, number: int) -> list[tuple[str, float]]:
        name, *rest = self.heads[number]
        return [(name, HEAD), *((t, SMALL) for t in (*rest, *self.feet[number]))]

    def picture(self) -> Picture:
        order = {"wire": 0, "faint": 0, "amber": 1, "focus": 2}
        drawn = [(order[self._colour(link)], n, link) for n, link in enumerate(self.links)]
        items: list[Item] = [self._link(link) for _, _, link in sorted(drawn, key=lambda d: d[:2])]
        for number, column in enumerate(self.columns):
            items += self._column(number, column)
        title = self.options.title or f"{self.graph.name}, neuron by neuron"
        return framed(title, self._lines(), items, legend=_legend())

    def _lines(self) -> list[str]:
        told = [*self._told(), self._left_out()]
        return [line for text in told for line in wrapped(text, LINE_SIZE, WIDE_LINE)]

    def _told(self) -> Iterator[str]:
        """What each chosen neuron reads, and its field in the layers before it and the inputs."""
        for neuron, (at, index), seen in zip(
            self.study.neurons, self.study.chosen, self.study.fields, strict=True
        ):
            direct = sum(map(count, self.columns[at].layer.reads([one(index)]).values()))
            parts = [
                f"{count(seen[id(c.layer.value)]):,} of {c.total:,} neurons of "
                + last_parts(c.name, LINE_SIZE, 150)
                for c in reversed(self.columns[:at])
                if not c.layer.is_input and seen.get(id(c.layer.value))
            ]
            whole = [
                f"{count(pieces):,} of {prod(shape_of(item.value)):,} values of {item.name}"
                + _patch(pieces)
                for item in self.graph.inputs
                if (pieces := seen.get(id(item.value)))
            ]
            shown = [*parts[:3], *(["..."] if len(parts) > 3 else []), *whole]
            reads = f"{neuron} reads {direct:,} value{'s' * (direct != 1)}"
            yield f"{reads}. Its whole field: {', '.join(shown)}." if shown else f"{reads}."

    def _left_out(self) -> str:
        drawn, every = len(self.columns), len(self.study.layers)
        rule = (
            "A line joins two drawn neurons if and only if one reads the other; pills count the "
            "neurons not drawn."
        )
        if drawn == every:
            return rule
        return f"{rule} {drawn} of {every} layers are drawn, those on a way through the neuron."

    # --- columns ------------------------------------------------------------------------

    def _foot(self, number: int) -> list[str]:
        column = self.columns[number]
        lines = [f"{len(column.drawn):,} of {column.total:,} drawn"]
        if column.layer.is_input:
            return [*lines, "given, not computed"]
        low, high = inputs_of(column)
        many = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        each = "neuron" if column.layer.computes else "value"
        lines.append(f"{many} input{'s' * (high != 1)} a {each}")
        hidden = not_drawn(self.study, number)
        if hidden:
            names = [name_of(self.study, value) for value in hidden]
            told = last_parts(names[0], SMALL, 100) if len(names) == 1 else f"{len(names)} layers"
            lines.append(f"not drawn: {told}")
        layers = {id(node.layer): node.layer for node in column.layer.nodes}
        learned = sum(map(count_parameters, layers.values()))
        shared = "shared " if kind_of(column.layer.unit) == "conv" else ""
        plural = "s" * (learned != 1)
        lines.append(f"{learned:,} {shared}parameter{plural}" if learned else "no parameters")
        return lines

    def _column(self, number: int, column: Column) -> Iterator[Item]:
        x, top = self.xs[number], -self._above()
        name, *rest = self.heads[number]
        lines = max(map(len, self.heads)) - 1
        yield Text(x, top - 13 * lines - 3, name, HEAD, "ink", True)
        for row, text in enumerate(rest):
            yield Text(x, top - 13 * (lines - 1 - row), text, SMALL, "soft")
        neurons, pills = self.ys[number]
        for y, hidden, seen in pills:
            yield from _pill(x, y, hidden, seen)
        for index, y in zip(column.drawn, neurons, strict=True):
            yield self._neuron(number, column, index, x, y)
        for row, text in enumerate(self.feet[number]):
            y = self.tallest + 24 + 13 * row
            yield Text(x, y, text, SMALL, "soft" if row else "ink", not row)

    def _neuron(self, number: int, column: Column, index: Index, x: float, y: float) -> Item:
        place = ",".join(map(str, index))
        fill, edge, ink = "paper", "faint", "soft"
        if (number, index) in self.chosen:
            fill, edge, ink = "focus", "focus", "onseries"
        elif is_in(column.seen, index):
            fill, edge, ink = "amber.fill", "amber", "ink"
        elif not column.layer.is_input:
            (fill, edge), ink = _colours(column), "ink"
        half = _half(column)
        shape: Item = Ellipse(x, y, RADIUS, RADIUS, fill, edge, 1.2)
        if not column.layer.computes:  # a value that is given or moved, not a neuron
            shape = Box(x - half, y - RADIUS * 0.8, 2 * half, RADIUS * 1.6, fill, edge, 1.2, 2)
        elif half > RADIUS:
            shape = Box(x - half, y - RADIUS, 2 * half, 2 * RADIUS, fill, edge, 1.2, RADIUS)
        text = Text(x, y + INDEX * 0.35, place, INDEX, ink, (number, index) in self.chosen)
        name = f"{column.name}[{place}]"
        return Group((shape, text), title=name, css="neuron", data=(("neuron", name),))

    # --- links --------------------------------------------------------------------------

    def _above(self) -> float:
        """Room between headings and neurons, for the links that pass over columns."""
        return 26.0 + LANE * len(self.over)

    def _colour(self, link: Link) -> str:
        ends = (link.start, link.source), (link.end, link.target)
        if any(end in self.chosen for end in ends):
            return "focus"
        if all(is_in(self.columns[n].seen, index) for n, index in ends):
            return "amber"
        return "faint" if kind_of(self.columns[link.end].layer.unit) == "dense" else "wire"

    def _link(self, link: Link) -> Item:
        colour = self._colour(link)
        stroke = {"focus": 1.8, "amber": 1.1, "faint": 0.6}.get(colour, 0.8)
        start, end = self._end(link.start, link.source, 1), self._end(link.end, link.target, -1)
        near = self.xs[link.start] + self.ports[link.start], start[1]
        far = self.xs[link.end] - self.ports[link.end], end[1]
        if link.end == link.start + 1:
            drawn = _swung(start, near, far, end, colour, stroke)
        else:
            lane = self.over.index(link)
            y = -12.0 - LANE * lane
            apart = 4 + lane * min(3.0, (SPACE / 2 - 8) / len(self.over))
            x, back = near[0] + apart, far[0] - apart
            drawn = rounded(
                [start, (x, start[1]), (x, y), (back, y), (back, end[1]), end], colour, stroke, 9
            )
        ends = [
            f"{self.columns[n].name}[{','.join(map(str, i))}]"
            for n, i in ((link.start, link.source), (link.end, link.target))
        ]
        title = f"{ends[1]} reads {ends[0]}"
        return Group((drawn,), title=title, css="link", data=(("from", ends[0]), ("to", ends[1])))

    def _end(self, number: int, index: Index, side: int) -> Point:
        y = self.ys[number][0][self.columns[number].drawn.index(index)]
        return self.xs[number] + side * _half(self.columns[number]), y


def _swung(start: Point, near: Point, far: Point, end: Point, colour: str, stroke: float) -> Curve:
    """Straight past the pills of both columns, a swing between."""
    bend = (far[0] - near[0]) * 0.45
    handles = (near[0] + bend, near[1]), (far[0] - bend, far[1])
    return Curve((start, start, near, near, *handles, far, far, end, end), colour, stroke)


def _colours(column: Column) -> tuple[str, str]:
    """Fill and line of a neuron; those of merges would look like the field's."""
    kind = kind_of(column.layer.unit)
    return ("act.fill", "act.line") if kind == "merge" else (f"{kind}.fill", f"{kind}.line")


def _head(column: Column) -> list[str]:
    """Its name, what it is, what is folded into it, how many neurons it has."""
    name = last_parts(column.name, HEAD, 140)
    layer = column.layer
    what = "neuron" if layer.computes else "value"
    counted = f"{column.total:,} {what}{'s' * (column.total != 1)}"
    if len(column.shape) > 1:
        counted = f"{shape_text(layer.value)} = {counted}"
    if layer.is_input:
        return [name, "input", counted]
    unit = layer.unit
    label = layer_label(unit, tail(unit), ShapeNames(()))
    extra = label.lines[0] if label.lines else ""
    words = [w for w in extra.split(" · ") if w and "filter" not in w and "→" not in w]
    behind = "".join(f" + {word}" for word in tail(unit))
    first = shorten(" ".join([label.title, *words]), SMALL, 170)
    return [name, shorten(f"{first}{behind}", SMALL, 200), counted]


def _width(texts: list[tuple[str, float]]) -> float:
    return max(text_width(text, size, size == HEAD) for text, size in texts)


def _height(column: Column) -> float:
    room = sum(PILL_SEEN if seen else PILL for hidden, seen in column.gaps if hidden)
    return len(column.drawn) * STEP + room


def _rows(column: Column, y: float) -> tuple[list[float], list[tuple[float, int, int]]]:
    """Heights of the drawn neurons, and of the pills with what they stand for."""
    neurons: list[float] = []
    pills: list[tuple[float, int, int]] = []
    for number, (hidden, seen) in enumerate(column.gaps):
        if hidden:
            room = PILL_SEEN if seen else PILL
            pills.append((y + room / 2, hidden, seen))
            y += room
        if number < len(column.drawn):
            neurons.append(y + STEP / 2)
            y += STEP
    return neurons, pills


def _pill_texts(hidden: int, seen: int) -> list[str]:
    return [f"{hidden:,} more", *([f"{seen:,} in field"] if seen else [])]


def _pill_width(hidden: int, seen: int) -> float:
    return max(38.0, *(text_width(t, TINY) for t in _pill_texts(hidden, seen))) + 12


def _port(column: Column) -> float:
    """How far from the middle links may turn without meeting a pill."""
    widths = [_pill_width(hidden, seen) for hidden, seen in column.gaps if hidden]
    return max([2 * _half(column), *widths]) / 2 + STUB


def _half(column: Column) -> float:
    """Half the width of its neurons: more than a circle where their places take more digits."""
    texts = (",".join(map(str, index)) for index in column.drawn)
    return max(RADIUS, *((text_width(text, INDEX, True) + 7) / 2 for text in texts))


def _pill(x: float, y: float, hidden: int, seen: int) -> Iterator[Item]:
    wide = _pill_width(hidden, seen)
    first, *second = _pill_texts(hidden, seen)
    if second:
        yield Box(x - wide / 2, y - 13, wide, 26, "panel.fill", "amber", 0.8, 9)
        yield Text(x, y - 2, first, TINY, "ink")
        yield Text(x, y + 8.5, second[0], TINY, "amber")
        return
    yield Box(x - wide / 2, y - 9, wide, 18, "panel.fill", "panel.line", 0.8, 9)
    yield Text(x, y + 3, first, TINY, "soft")


def _patch(pieces: list[Product]) -> str:
    """`, 14 × 14`: the map's part that is seen."""
    spatial = hull(pieces)[1:]
    size = f" {TIMES} ".join(str(last - first + 1) for first, last in spatial)
    return f" ({size})" if len(spatial) > 1 else ""


def _legend() -> list[Item]:
    """What the signs mean."""
    items: list[Item] = []
    x = 0.0
    for sign, text in (
        (Ellipse(5, 0, 5, 5, "focus", "focus"), "the chosen neuron; its links are thick"),
        (Ellipse(5, 0, 5, 5, "amber.fill", "amber", 1.2), "in its field: it depends on them"),
        (Box(0, -4, 10, 8, "paper", "wire", 1, 2), "a value that is given or moved"),
        (Ellipse(5, 0, 5, 5, "conv.fill", "conv.line", 1), "a neuron that computes"),
    ):
        items.append(moved(sign, x, 0))
        items.append(Text(x + 15, 3.2, text, SMALL, "soft", False, "start"))
        x += 15 + text_width(text, SMALL) + 22
    return items
