"""One small convolution in full: every pixel, every weight, every neuron, links by their weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import reads, shape_of, size_of
from netdsl.backends.diagram.filter_parts import (
    Pixel,
    field_words,
    filter_panel,
    link,
    map_back,
    map_panel,
    planes,
    setting_of,
)
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.labels import layer_label, tail
from netdsl.backends.diagram.neuron_names import Neuron
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Picture, Text
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph
from netdsl.ops.cells import one

MOST_PIXELS, MOST_NEURONS, MOST_MAPS, MOST_PLANES, MOST_WEIGHTS = 32, 16, 4, 3, 27
MOST_CHOSEN = 4
SIDE, PLANE_SIDE, PLANE_GAP = 356.0, 138.0, 26.0
CELL = 22.0
TOP = 56.0
WEIGHT_STEP, WEIGHT_GAP = 18.0, 22.0


def is_small_convolution(graph: Graph) -> bool:
    """Whether the network is one convolution that can be drawn neuron by neuron."""
    units = units_of(graph)
    if len(units) != 1 or units[0].count != 1 or units[0].node.op.name != "conv":
        return False
    node = units[0].node
    given, made = shape_of(node.inputs[0]), shape_of(node.output)
    plain = getattr(node.op, "padding_mode", "zeros") == "zeros"
    if len(given) != 3 or getattr(node.op, "groups", 1) != 1 or not plain:
        return False
    return (
        given[0] <= MOST_PLANES and max(given[1:]) <= MOST_PIXELS and made[0] <= MOST_MAPS
        and max(made[1:]) <= MOST_NEURONS and setting_of(node).weights <= MOST_WEIGHTS
    )  # fmt: skip


def filters_picture(graph: Graph, chosen: Sequence[Neuron], options: Options) -> Picture:
    """Pixels, the weights on the links of the chosen neurons, the maps. Raises `DrawError`."""
    unit = units_of(graph)[0]
    made = {id(value) for node in unit.nodes for value in node.outputs}
    for neuron in chosen:
        if id(neuron.value) not in made:
            raise DrawError(
                f"{neuron} is a value that is given and reads nothing; choose a neuron of "
                f"{unit.path}, such as {unit.path}[0,0,0]"
            )
    if len(chosen) > MOST_CHOSEN:
        raise DrawError(f"the links of at most {MOST_CHOSEN} neurons are drawn at a time")
    return _Sheet(graph, unit, chosen, options).picture()


class _Sheet:
    def __init__(
        self, graph: Graph, unit: Unit, chosen: Sequence[Neuron], options: Options
    ) -> None:
        self.graph, self.unit, self.options = graph, unit, options
        self.node = unit.node
        self.setting = setting_of(self.node)
        self.focus = list(dict.fromkeys(n.index for n in chosen)) or self._default()
        self.used = [
            sorted(self.setting.weight_between(index, pixel) for pixel in self._read(index))
            for index in self.focus
        ]
        rows, columns = self.setting.given[1:]
        side = SIDE if self.setting.planes == 1 else PLANE_SIDE
        self.pixel = side / max(rows, columns)
        self.high = self.setting.planes * (rows * self.pixel + PLANE_GAP) - PLANE_GAP
        self.weight_x = columns * self.pixel + 128
        self.maps_x = self.weight_x + 96
        self.filter_height = max(self.setting.kernel[0] * 18, 48) + 24
        # links to other maps than the first would run through it, were they beside each other
        self.is_stacked = self.setting.planes > 1 or any(index[0] for index in self.focus)
        self.across = max(self.setting.made[2] * CELL + 44, self.setting.planes * self._wide + 112)
        self.down = max(self.setting.made[1] * CELL, self.filter_height + 30) + 34

    @property
    def _wide(self) -> float:
        """A plane of a filter, with the room behind it."""
        return self.setting.kernel[1] * 18 + 8.0

    def _default(self) -> list[tuple[int, ...]]:
        """Two neurons of one map: their links carry the same weights."""
        rows, columns = self.setting.made[1:]
        first = (0, rows // 4, columns // 2)
        if self.setting.planes > 1:
            return [(0, rows // 2, columns // 2)]
        second = (0, min(rows - 1, rows * 3 // 4), columns // 4)
        return list(dict.fromkeys((first, second)))

    def picture(self) -> Picture:
        corners = map(self._map_corner, range(self.setting.made[0]))
        items: list[Item] = [*self._pixels(), *(map_back(self.setting, c, CELL) for c in corners)]
        for number in range(len(self.focus)):
            items += self._links(number)
        items += self._maps()
        items += self._marks()
        label = layer_label(self.unit, tail(self.unit), ShapeNames(()))
        behind = "".join(f" + {word}" for word in tail(self.unit))
        title = self.options.title or f"{self.graph.name}: one convolution, neuron by neuron"
        told = f"{label.title}, {', '.join(label.lines)}{behind}"
        return framed(title, [told, *self._counts()], items)

    # --- in words -----------------------------------------------------------------------

    def _counts(self) -> list[str]:
        """Neurons, links, distinct weights, and what full connection would take."""
        setting = self.setting
        neurons, values = prod(setting.made), prod(setting.given)
        links = sum(self._reads(index) for index in product(*map(range, setting.made)))
        distinct = setting.weights * setting.made[0]
        biases = count_parameters(self.node.layer) - distinct
        shape, filters = (
            f" {TIMES} ".join(map(str, sizes))
            for sizes in (setting.made, (setting.made[0], setting.planes, *setting.kernel))
        )
        each = f"{setting.weights} links each"
        if links != neurons * setting.weights:
            each = f"at most {setting.weights} links each, fewer at the border"
        added = f" (+ {biases} bias{'es' * (biases > 1)})" if biases else ""
        same = "colour" if self._is_coloured else "label"
        return [
            f"{shape} = {neurons:,} neurons, {each}: {links:,} connections, {filters} = "
            f"{distinct} distinct weights{added}",
            f"Same {same}, same weight: all neurons of a map use one filter, on other pixels.",
            f"A fully connected layer of this size would need {neurons:,} {TIMES} {values:,} = "
            f"{neurons * values:,} distinct weights.",
        ]

    @property
    def _is_coloured(self) -> bool:
        """Whether each weight on a link has a colour of its own."""
        return self.setting.planes == 1 and len({index[0] for index in self.focus}) == 1

    def _reads(self, index: tuple[int, ...]) -> int:
        return sum(size_of(piece) for _, piece in reads(self.node, one(index)))

    def _read(self, index: tuple[int, ...]) -> list[Pixel]:
        """The pixels a neuron reads, planes first."""
        return sorted(p for _, piece in reads(self.node, one(index)) for p in product(*piece))

    # --- pixels and links ------------------------------------------------------------------

    def _corner(self, plane: int) -> tuple[float, float]:
        """The top left corner of a plane of the input; planes stand below each other."""
        return 0.0, TOP + plane * (self.setting.given[1] * self.pixel + PLANE_GAP)

    def _pixels(self) -> Iterator[Item]:
        shape = f" {TIMES} ".join(map(str, self.setting.given))
        name, count = self.graph.inputs[0].name, prod(self.setting.given)
        yield Text(0, 12, f"{name} {shape}", 13, "ink", True, "start")
        told = f"{count:,} values, all drawn (given, not computed)"
        yield Text(0, 28, told, 9.5, "soft", False, "start")
        corners = [self._corner(plane) for plane in range(self.setting.planes)]
        yield from planes(self.setting, corners, self.pixel)
        for index in self.focus:
            for pixel in self._read(index):
                yield from self._read_pixel(index, pixel)
        lowest = max((self._weight_y(n, u[-1]) for n, u in enumerate(self.used) if u), default=TOP)
        y = max(TOP + self.high, lowest - 4) + 17
        for row, text in enumerate(field_words(self.setting)):
            yield Text(0, y + 13 * row, text, 9.5, "soft", False, "start")

    def _read_pixel(self, index: tuple[int, ...], pixel: Pixel) -> Iterator[Item]:
        """A pixel in the colour of the weight that it meets, with its label where there is room."""
        x, y = self._corner(pixel[0])
        x, y = x + pixel[2] * self.pixel, y + pixel[1] * self.pixel
        weight = self.setting.weight_between(index, pixel)
        yield Box(x, y, self.pixel, self.pixel, self.setting.colour(weight), "paper", 0.6)
        if self.pixel >= 20 and len(self.focus) == 1:
            label = self.setting.label(index[0], weight)
            yield Text(x + self.pixel / 2, y + self.pixel / 2 + 2.6, label, 7.2, "onseries", True)

    def _links(self, number: int) -> Iterator[Item]:
        """Each link runs from a pixel through its weight to the neuron."""
        index = self.focus[number]
        pixels = self._read(index)
        target = self._neuron_place(index)
        nodes: list[Item] = []
        for pixel in pixels:
            weight = self.setting.weight_between(index, pixel)
            start, y = self._start(pixel, pixels), self._weight_y(number, weight)
            colour, label = self.setting.colour(weight), self.setting.label(index[0], weight)
            yield link(start, (self.weight_x, y), target, colour, (pixel, index, label))
            radius = 7.6 if text_width(label, 7.0, True) < 12 else 8.4
            dot = Ellipse(self.weight_x, y, radius, radius, colour)
            text = Text(self.weight_x, y + 2.5, label, 7.0, "onseries", True)
            nodes.append(Group((dot, text), title=f"weight {label}", css="weight"))
        yield from nodes

    def _start(self, pixel: Pixel, pixels: Sequence[Pixel]) -> tuple[float, float]:
        """Where a pixel's link leaves: the right edge of what is read, each on its own height."""
        row = sorted(p[2] for p in pixels if p[:2] == pixel[:2])
        x, y = self._corner(pixel[0])
        part = (row.index(pixel[2]) + 1) / (len(row) + 1)
        return x + (row[-1] + 1) * self.pixel, y + (pixel[1] + part) * self.pixel

    def _weight_y(self, number: int, weight: int) -> float:
        """How high a weight stands between pixels and neurons, those of each neuron together."""
        order = sorted(range(len(self.focus)), key=lambda n: self._neuron_place(self.focus[n])[1])
        rooms = [len(self.used[n]) * WEIGHT_STEP + WEIGHT_GAP for n in order]
        free = max(0.0, self.high - sum(rooms) + WEIGHT_GAP) / (len(order) + 1)
        place = order.index(number)
        top = TOP + free * (place + 1) + sum(rooms[:place])
        return top + (self.used[number].index(weight) + 0.5) * WEIGHT_STEP

    # --- filters and maps -------------------------------------------------------------------

    def _map_corner(self, channel: int) -> tuple[float, float]:
        rows = self.setting.made[1] * CELL
        if self.is_stacked:
            total = (self.setting.made[0] - 1) * self.down + rows
            return self.maps_x, max(TOP, TOP + (self.high - total) / 2) + channel * self.down
        middle = TOP + self.high / 2 - rows / 2
        low = max(TOP + self.filter_height + 14, middle)
        return self.maps_x + channel * self.across, low

    def _filter_corner(self, channel: int) -> tuple[float, float]:
        """Above its map, or beside it."""
        x, y = self._map_corner(channel)
        return (x + self.setting.made[2] * CELL + 26, y) if self.is_stacked else (x, TOP)

    def _neuron_place(self, index: tuple[int, ...]) -> tuple[float, float]:
        x, y = self._map_corner(index[0])
        return x + (index[2] + 0.5) * CELL, y + (index[1] + 0.5) * CELL

    def _maps(self) -> Iterator[Item]:
        shape = f" {TIMES} ".join(map(str, self.setting.made))
        count = self.setting.made[0]
        heading = f"{count} filter{'s' * (count > 1)} → {shape}"
        yield Text(self.maps_x, 12, heading, 13, "ink", True, "start")
        told = f"{prod(self.setting.made):,} neurons, all drawn"
        yield Text(self.maps_x, 28, told, 9.5, "soft", False, "start")
        coloured = {index[0] for index in self.focus}
        for channel in range(count):
            place, beside = self._map_corner(channel), self._filter_corner(channel)
            lit = channel in coloured
            yield from filter_panel(self.setting, channel, beside, self._wide, lit)
            yield from map_panel(self.setting, channel, place, CELL)
            if self.is_stacked:  # links come from below as well
                yield from self._told(channel, beside[0], beside[1] + self.filter_height)
            else:
                below = place[1] + self.setting.made[1] * CELL + 18
                yield from self._told(channel, place[0] - 4, below)

    def _told(self, channel: int, x: float, y: float) -> Iterator[Item]:
        rows, columns = self.setting.made[1:]
        links = sum(self._reads(index) for index in self.focus if index[0] == channel)
        every = sum(self._reads((channel, *at)) for at in product(range(rows), range(columns)))
        count = f"{rows} {TIMES} {columns} = {rows * columns} neurons"
        name = f"map {channel}"
        yield Text(x, y, name, 10, "ink", True, "start")
        yield Text(x + text_width(name, 10, True) + 7, y, count, 9, "soft", False, "start")
        told = (
            f"{links:,} of its {every:,} links drawn" if links else f"its {every:,} links left out"
        )
        yield Text(x, y + 13, told, 9, "soft", False, "start")

    def _marks(self) -> Iterator[Item]:
        """The chosen neurons, and frames around what they read."""
        named: dict[tuple[float, float], str] = {}
        for number, index in enumerate(self.focus):
            x, y = self._neuron_place(index)
            letter = chr(ord("A") + number)
            mark = Ellipse(x, y, 8.5, 8.5, "focus", "ink", 1.4)
            place = ",".join(map(str, index))
            text = Text(x, y + 3.2, letter, 9, "onseries", True)
            title = f"{self.node.path}[{place}]"
            yield Group((mark, text), title=title, css="neuron", data=(("neuron", place),))
            pixels = self._read(index)
            for plane in sorted({p[0] for p in pixels}):
                box = self._around([p for p in pixels if p[0] == plane])
                yield box
                if plane == pixels[0][0]:
                    place = box.x - 3, box.y - 3
                    named[place] = f"{named[place]}, {letter}" if place in named else letter
        for (x, y), letters in named.items():
            wide = text_width(letters, 11, True)
            yield Box(x - wide - 1.5, y - 9.5, wide + 3, 11.5, "paper", "", 0, 2, opacity=0.85)
            yield Text(x, y, letters, 11, "focus", True, "end")

    def _around(self, pixels: Sequence[Pixel]) -> Box:
        """A frame around pixels of one plane."""
        rows, columns = ([p[axis] for p in pixels] for axis in (1, 2))
        left, top = self._corner(pixels[0][0])
        wide, high = (max(n) - min(n) + 1 for n in (columns, rows))
        left, top = left + min(columns) * self.pixel, top + min(rows) * self.pixel
        return Box(left, top, wide * self.pixel, high * self.pixel, "", "ink", 1.6)
