"""The neuron view: layers as columns of neurons, every line a connection that exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from netdsl.analyses.calls import call_paths
from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.links import is_in, shape_of
from netdsl.analyses.neurons import Neuron, check_sizes, neuron_of
from netdsl.backends.diagram.fonts import text_width, wrapped
from netdsl.backends.diagram.frame import LINE_SIZE, framed
from netdsl.backends.diagram.model.code import Code, code_of
from netdsl.backends.diagram.neurons.cells_view import cells_picture, enlarges
from netdsl.backends.diagram.neurons.columns import (
    FEW,
    MOST_COLUMNS,
    PAGE_STRETCHES,
    STRETCHES,
    Column,
    Index,
    Link,
    Study,
    study,
)
from netdsl.backends.diagram.neurons.filters import filters_picture
from netdsl.backends.diagram.neurons.insets import (
    CAPTION_STEP,
    SIDE,
    caption,
    drawn_inset,
    inset_of,
    inset_width,
    sights,
)
from netdsl.backends.diagram.neurons.kernel import is_drawable
from netdsl.backends.diagram.neurons.names import refusals
from netdsl.backends.diagram.neurons.words import (
    HEAD,
    PAGE,
    SMALL,
    Room,
    all_to_all,
    foot_of,
    head_of,
    legend,
    sentences,
)
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Picture,
    Point,
    Text,
    line,
    rounded,
)
from netdsl.backends.diagram.units import units_of
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of

RADIUS, STEP = 14.0, 41.0
PILL, PILL_SEEN = 24.0, 33.0
"""Room for a pill; for one that also tells how much of the field it stands for."""
STUB = 8.0
LANE = 5.0
WIDEST = 2.2
"""Of a picture, in parts of its height."""
TINY, INDEX = 8.5, 8.5


def neurons_picture(graph: Graph, options: Options) -> Picture:
    """Neurons of each layer and their links, or a layer by itself. Raises `DrawError`."""
    with refusals():
        check_sizes(graph)
        named = _named(graph, options.neurons[0]) if len(options.neurons) == 1 else None
        chosen = [] if named else [neuron_of(graph, text) for text in options.neurons]
        node = named or _single(graph)
        if node is not None and is_drawable(node):
            return filters_picture(graph, node, chosen, options)
        if node is not None and not chosen:
            return cells_picture(graph, node, options)
        return _columns(graph, chosen, options)


def _columns(graph: Graph, chosen: Sequence[Neuron], options: Options) -> Picture:
    """As many layers as give the picture a good form, or as can be read at a given width."""
    code, width = code_of(graph), options.width
    if not chosen:
        chosen = [default_neuron(graph) if code is None else _of_code(graph, code)]

    def first(
        tries: Iterable[tuple[int, tuple[int, int]]], room: Room, is_good: Callable[[Picture], bool]
    ) -> Picture:
        """The first good picture, or the last."""
        picture: Picture | None = None
        for few, stretch in dict.fromkeys(tries):
            studied = study(graph, chosen, stretch, few)
            picture = _Sheet(graph, studied, code, options, room).picture()
            if is_good(picture):
                break
        assert picture is not None
        return picture

    most = FEW if code is None else MOST_COLUMNS
    usual = first(
        ((most, STRETCHES[0]), *((FEW, s) for s in STRETCHES)),
        Room(),
        lambda picture: picture.width <= WIDEST * picture.height,
    )
    if width is None or usual.smallest_letter(width) >= options.smallest:
        return usual
    return first(
        ((FEW, PAGE_STRETCHES[0]), *((0, s) for s in PAGE_STRETCHES)),
        PAGE,
        lambda picture: picture.smallest_letter(width) >= options.smallest,
    )


def _single(graph: Graph) -> Node | None:
    """The layer of a network that has no other, where it can be drawn by itself."""
    units = units_of(graph)
    if len(units) != 1 or units[0].count > 1 or units[0].is_block:
        return None
    return units[0].node if is_drawable(units[0].node) or enlarges(units[0].node) else None


def _named(graph: Graph, text: str) -> Node | None:
    """The layer of that name, or the first in the block of that name, that is drawn by itself."""
    name = text.strip()
    inside = (n for n in graph.nodes() if n.path == name or n.path.startswith(f"{name}."))
    return next((n for n in inside if is_drawable(n) or enlarges(n)), None)


def _of_code(graph: Graph, code: Code) -> Neuron:
    """A number of the code: that in the middle of its first channel."""
    node, shape = code.value.producer, shape_of(code.value)
    assert node is not None
    index = (0, *(n // 2 for n in shape[1:])) if shape else ()
    return Neuron(code.value, index, call_paths(graph)[node])


def default_neuron(graph: Graph) -> Neuron:
    """The middle of the last convolution's result, or of the last layer's."""
    nodes = [n for n in graph.inference_nodes() if n.inputs and n.outputs]
    if not nodes:
        raise DrawError("there are no neurons to draw: the network computes nothing")
    maps = [n for n in nodes if n.op.family == "convolution" and not op_of(n).zoom]
    node = maps[-1] if maps else nodes[-1]
    shape = shape_of(node.outputs[0])
    index = (0, *(n // 2 for n in shape[1:])) if shape else ()
    return Neuron(node.outputs[0], index, call_paths(graph)[node])


class _Sheet:
    def __init__(
        self, graph: Graph, studied: Study, code: Code | None, options: Options, room: Room
    ) -> None:
        self.graph, self.study, self.options, self.room = graph, studied, options, room
        self.columns, self.code = studied.columns, code
        made = None if code is None else code.value.producer
        self.coded = next((n for n, c in enumerate(self.columns) if made in c.layer.nodes), None)
        self.chosen = set(studied.chosen)
        self.heads = [head_of(column, room) for column in self.columns]
        self.feet = [foot_of(studied, number, room) for number in range(len(self.columns))]
        channels = ChannelAxes(graph)
        self.insets = [
            inset_of(c, self._chosen(n), channels.is_last(c.layer.value))
            for n, c in enumerate(self.columns)
        ]
        heights = [_height(column) for column in self.columns]
        self.tallest = max(heights)
        self.xs = self._places()
        self.ys = [
            _rows(column, (self.tallest - height) / 2)
            for column, height in zip(self.columns, heights, strict=True)
        ]
        self.ports = [_port(column) for column in self.columns]
        self.links = list(studied.links())
        self.over = [link for link in self.links if link.end > link.start + 1]

    def _chosen(self, number: int) -> list[Index]:
        return [index for n, index in self.study.chosen if n == number]

    def _places(self) -> list[float]:
        """Middles of the columns: as far apart as their texts need, no nearer than the links do."""
        xs: list[float] = [0.0]
        for number in range(1, len(self.columns)):
            texts = [self._wide(n) for n in (number - 1, number)]
            pills = [2 * _port(self.columns[n]) for n in (number - 1, number)]
            between = max(
                (text_width(text, SMALL) + 12 for text in all_to_all(self.study, number)), default=0
            )
            forms = [2 * _half(self.columns[n]) for n in (number - 1, number)]
            apart = max(
                sum(texts) / 2 + self.room.text,
                sum(pills) / 2 + self.room.space,
                sum(forms) / 2 + between,
            )
            xs.append(xs[-1] + apart)
        return xs

    def _wide(self, number: int) -> float:
        """How wide the texts of a column and its map are."""
        name, *rest = self.heads[number]
        texts = [text_width(t, SMALL) for t in rest]
        foot = [text_width(t, SMALL, not n) for n, t in enumerate(self.feet[number])]
        inset = self.insets[number]
        own = inset_width(inset, self.room.column) if inset else 0.0
        parts = [text_width(text, SMALL, True) for text in self._part(number)]
        return max(text_width(name, HEAD, True), own, *texts, *foot, *parts)

    def _part(self, number: int) -> list[str]:
        """What stands over the code."""
        if self.code is None or number != self.coded:
            return []
        first, second = self.code.words.split(" for ")
        return [f"code: {first}", f"for {second}"]

    def picture(self) -> Picture:
        order = {"wire": 0, "faint": 0, "amber": 1, "focus": 2}
        drawn = [(order[self._colour(link)], n, link) for n, link in enumerate(self.links)]
        items: list[Item] = [*self._parts()]
        items += [self._link(link) for _, _, link in sorted(drawn, key=lambda d: d[:2])]
        items += self._maps()
        for number, column in enumerate(self.columns):
            items += self._between(number)
            items += self._column(number, column)
        title = f"{self.graph.name}, neuron by neuron"
        signs = legend(self.room, any(self.insets))
        told = sentences(self.graph, self.study, self.room)
        if self.code is not None:
            told += wrapped(self._told_code(self.code), LINE_SIZE, self.room.line)
        return framed(title, told, items, self.options, legend=signs)

    def _told_code(self, code: Code) -> str:
        node = code.value.producer
        path = node.path if node is not None else "the input"
        return (
            f"The code: {code.words}, given by {path}. All that the output has of "
            f"{code.input.name} passes through it."
        )

    # --- columns ------------------------------------------------------------------------

    def _parts(self) -> Iterator[Item]:
        """Of an autoencoder: the code on a ground of its own, the encoder and the decoder."""
        if self.code is None or self.coded is None:
            return
        top = -self._above() - self._map_room() - 13 * (max(map(len, self.heads)) - 1) - 34
        low = self._low() + 24 + 13 * max(map(len, self.feet))
        x, half = self.xs[self.coded], self._wide(self.coded) / 2 + 7
        yield Box(x - half, top - 26, 2 * half, low - top + 22, "focus.fill", "", 0, 8, opacity=0.5)
        for row, text in enumerate(self._part(self.coded)):
            yield Text(x, top - 10 + 13 * row, text, SMALL, "focus", True)
        sizes = [f"{number:,}" for number in (self.code.whole, self.code.numbers)]
        for name, values, (first, last) in (
            ("encoder", self.code.encoder, sizes),
            ("decoder", self.code.decoder, sizes[::-1]),
        ):
            columns = enumerate(zip(self.xs, self.columns, strict=True))
            xs = [
                place
                for number, (place, column) in columns
                if number != self.coded and column.layer.value in values
            ]
            if xs:
                left, right = xs[0] - 26, xs[-1] + 26
                ends = [(left, top + 8), (left, top), (right, top), (right, top + 8)]
                yield line(ends, "focus", 1.2)
                told = f"{name}: {first} to {last}"
                yield Text((left + right) / 2, top - 7, told, 10.5, "focus", True)

    def _maps(self) -> Iterator[Item]:
        """The map of each column, above its neurons, and how its field grows."""
        y = -self._above() + 12 - self._map_room()
        placed = [
            (inset, inset.plane(x, y)) if inset else None
            for inset, x in zip(self.insets, self.xs, strict=True)
        ]
        for number, pair in enumerate(placed):
            if pair is not None:
                yield drawn_inset(*pair, self.columns[number], self._chosen(number))
                yield from caption(pair[0], self.xs[number], y, self.room.column)
        for before, after in pairwise(placed):
            yield from sights(before, after)

    def _map_room(self) -> float:
        """How high the maps are with what stands below them."""
        lines = [len(inset.captions(self.room.column)) for inset in self.insets if inset]
        return SIDE + 22 + CAPTION_STEP * max(lines) if lines else 0.0

    def _between(self, number: int) -> Iterator[Item]:
        """How many connections there are from the column before, where all are connected."""
        texts = all_to_all(self.study, number)
        if texts:
            x = (self.xs[number - 1] + self.xs[number]) / 2
            lowest = max(self.ys[n][0][-1] for n in (number - 1, number))
            for row, text in enumerate(texts):
                yield Text(x, lowest + 30 + 12 * row, text, SMALL, "ink", row == 0)

    def _column(self, number: int, column: Column) -> Iterator[Item]:
        x, top = self.xs[number], -self._above() - self._map_room()
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
        low = self._low()
        for row, text in enumerate(self.feet[number]):
            yield Text(x, low + 24 + 13 * row, text, SMALL, "soft" if row else "ink", not row)

    def _low(self) -> float:
        """Where the texts below the columns begin."""
        return self.tallest + (40 if any(map(self._is_low, range(len(self.columns)))) else 0)

    def _is_low(self, number: int) -> bool:
        """Whether words between columns reach down to the texts below them."""
        if not all_to_all(self.study, number):
            return False
        return max(self.ys[n][0][-1] for n in (number - 1, number)) + 54 > self.tallest

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
        return "faint" if _role(self.columns[link.end]) == "dense" else "wire"

    def _link(self, link: Link) -> Item:
        colour = self._colour(link)
        stroke = {"focus": 1.8, "amber": 1.1, "faint": 0.6}.get(colour, 0.8)
        start, end = self._end(link.start, link.source, 1), self._end(link.end, link.target, -1)
        near = self.xs[link.start] + self.ports[link.start], start[1]
        far = self.xs[link.end] - self.ports[link.end], end[1]
        if link.end == link.start + 1:
            is_dense = bool(all_to_all(self.study, link.end))
            drawn = (
                line([start, near, far, end], colour, stroke)
                if is_dense
                else _swung(start, near, far, end, colour, stroke)
            )
        else:
            lane = self.over.index(link)
            y = -12.0 - LANE * lane
            apart = 4 + lane * min(3.0, (self.room.space / 2 - 8) / len(self.over))
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


def _role(column: Column) -> str:
    return role_of(op_of(column.layer.body))


def _colours(column: Column) -> tuple[str, str]:
    """Fill and line of a neuron; those of merges would look like the field's."""
    kind = _role(column)
    return ("act.fill", "act.line") if kind == "merge" else (f"{kind}.fill", f"{kind}.line")


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
