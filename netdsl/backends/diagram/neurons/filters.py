"""One small convolution in full: every pixel, every weight, every neuron, links by their weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from netdsl.analyses.links import reads, shape_of
from netdsl.backends.diagram.blocks.labels import layer_label, tail
from netdsl.backends.diagram.fonts import text_width, wrapped
from netdsl.backends.diagram.frame import LINE_SIZE, framed
from netdsl.backends.diagram.neurons.filter_links import Target, link
from netdsl.backends.diagram.neurons.filter_parts import (
    LETTER,
    WEIGHT_SIDE,
    Pixel,
    field_words,
    filter_panel,
    map_back,
    map_panel,
    planes,
    setting_of,
)
from netdsl.backends.diagram.neurons.filter_words import counts, links_of
from netdsl.backends.diagram.neurons.names import Neuron
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Picture, Text
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.theme import letters_on
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph
from netdsl.ops.base import op_of
from netdsl.ops.cells import one

MOST_PIXELS, MOST_NEURONS, MOST_MAPS, MOST_PLANES, MOST_WEIGHTS = 32, 16, 4, 3, 27
MOST_CHOSEN = 4
PLANE_SIDE, PLANE_GAP = 162.0, 26.0
CELL, SMALL_CELL = 22.0, 15.0
TOP = 56.0
WEIGHT_STEP, WEIGHT_GAP = 20.0, 22.0
BELOW = 34.0
"""Room for the words below a map."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a sheet: an image of one plane, the room before and behind the weights.

    `width` is that of a page, onto which maps without links go below the others; 0 is any.
    """

    side: float = 356.0
    before: float = 128.0
    behind: float = 96.0
    width: float = 0.0

    def cell(self, columns: int) -> float:
        """From a neuron of a map to the next."""
        return min(CELL, max(SMALL_CELL, 200 / columns)) if self.width else CELL


PAGE = Layout(250, 84, 70, 620)


def is_small_convolution(graph: Graph) -> bool:
    """Whether the network is one convolution that can be drawn neuron by neuron."""
    units = units_of(graph)
    if len(units) != 1 or units[0].count != 1:
        return False
    node, op = units[0].node, op_of(units[0].node)
    windows = op.sliding()
    if op.family != "convolution" or op.zoom or windows is None:
        return False
    inputs, outputs = shape_of(node.inputs[0]), shape_of(node.output)
    if len(inputs) != 3 or windows.groups != 1 or windows.padding_mode != "zeros":
        return False
    return (
        inputs[0] <= MOST_PLANES and max(inputs[1:]) <= MOST_PIXELS and outputs[0] <= MOST_MAPS
        and max(outputs[1:]) <= MOST_NEURONS and setting_of(node).weights <= MOST_WEIGHTS
    )  # fmt: skip


def filters_picture(graph: Graph, chosen: Sequence[Neuron], options: Options) -> Picture:
    """Pixels, the weights on the links of the chosen neurons, the maps. Raises `DrawError`."""
    unit = units_of(graph)[0]
    outputs = {value for node in unit.nodes for value in node.outputs}
    for neuron in chosen:
        if neuron.value not in outputs:
            raise DrawError(
                f"{neuron} is a value that is given and reads nothing; choose a neuron of "
                f"{unit.path}, such as {unit.path}[0,0,0]"
            )
    if len(chosen) > MOST_CHOSEN:
        raise DrawError(f"the links of at most {MOST_CHOSEN} neurons are drawn at a time")
    usual = _Sheet(graph, unit, chosen, options, Layout()).picture()
    width = options.width
    if width is None or usual.smallest_letter(width) >= options.smallest:
        return usual
    paged = _Sheet(graph, unit, chosen, options, PAGE).picture()
    return max(usual, paged, key=lambda picture: picture.smallest_letter(width))


class _Sheet:
    def __init__(
        self, graph: Graph, unit: Unit, chosen: Sequence[Neuron], options: Options, layout: Layout
    ) -> None:
        self.graph, self.unit, self.options, self.layout = graph, unit, options, layout
        self.node = unit.node
        self.setting = setting_of(self.node)
        self.focus = list(dict.fromkeys(n.index for n in chosen)) or self._default()
        self.lit = sorted({index[0] for index in self.focus})
        self.groups = self._groups()
        self.used = [
            sorted({self._weight(n, pixel) for n in group for pixel in self._read(self.focus[n])})
            for group in self.groups
        ]
        rows, columns = self.setting.input[1:]
        side = layout.side if self.setting.planes == 1 else PLANE_SIDE
        self.pixel = side / max(rows, columns)
        self.image = self.setting.planes * (rows * self.pixel + PLANE_GAP) - PLANE_GAP
        rooms = [len(used) * WEIGHT_STEP + WEIGHT_GAP for used in self.used]
        self.high = max(self.image, sum(rooms) - WEIGHT_GAP)
        self.weight_x = columns * self.pixel + layout.before
        self.maps_x = self.weight_x + layout.behind
        self.cell = layout.cell(self.setting.output[2])
        self._measure_maps()

    def _measure_maps(self) -> None:
        """How far maps are apart, with the filter above each and the words below."""
        panel = self.setting.kernel[0] * WEIGHT_SIDE
        is_beside = self.setting.planes == 1
        self.filter_height = max(panel, 48) + 14 if is_beside else panel + 70
        # links to other maps than the first would run through it, were they beside each other
        self.is_stacked = self.setting.planes > 1 or len(self.lit) > 1 or self.lit[0] > 0
        filters = self.setting.planes * self._wide + (112 if is_beside else 14)
        self.across = max(self.setting.output[2] * self.cell + 44, filters)
        high = self.filter_height + self.setting.output[1] * self.cell
        self.down = high + BELOW + 24
        if self.is_stacked:  # the image and the weights stand in the middle of a high stack
            below = len(self.lit) if self.layout.width else self.setting.output[0]
            self.high = max(self.high, high + (below - 1) * self.down)

    @property
    def _wide(self) -> float:
        """A plane of a filter, with the room behind it."""
        return self.setting.kernel[1] * WEIGHT_SIDE + 8.0

    def _default(self) -> list[tuple[int, ...]]:
        """Two neurons of one map: their links carry the same weights."""
        rows, columns = self.setting.output[1:]
        first = (0, rows // 4, columns // 2)
        second = (0, min(rows - 1, rows * 3 // 4), columns // 4)
        if self.setting.planes > 1:  # with windows as far apart as can be, none cut by the border
            every = [(0, *at) for at in product(range(rows), range(columns))]
            full = [i for i in every if links_of(self.node, i) == self.setting.weights] or every
            first, second = full[0], full[-1]
        return list(dict.fromkeys((first, second)))

    def _groups(self) -> list[list[int]]:
        """The chosen neurons whose links run through the same drawn weights.

        Of one plane each neuron has its weights by itself, all in the same nine colours; of
        several planes those of one map share them.
        """
        if self.setting.planes == 1:
            return [[number] for number in range(len(self.focus))]
        return [[n for n, i in enumerate(self.focus) if i[0] == channel] for channel in self.lit]

    def _weight(self, number: int, pixel: Pixel) -> int:
        return self.setting.weight_between(self.focus[number], pixel)

    def picture(self) -> Picture:
        corners = map(self._map_corner, range(self.setting.output[0]))
        items: list[Item] = [
            *self._pixels(),
            *(map_back(self.setting, c, self.cell) for c in corners),
        ]
        for number in reversed(range(len(self.focus))):
            items += self._links(number)
        items += self._weights()
        items += self._maps()
        items += self._marks()
        label = layer_label(self.unit, tail(self.unit), ShapeNames(()))
        behind = "".join(f" + {word}" for word in tail(self.unit))
        title = f"{self.graph.name}: one convolution, neuron by neuron"
        told = [f"{label.title}, {', '.join(label.lines)}{behind}", *self._counts()]
        if self.layout.width:
            told = [part for text in told for part in wrapped(text, LINE_SIZE, self.layout.width)]
        return framed(title, told, items, self.options)

    # --- in words -----------------------------------------------------------------------

    def _counts(self) -> list[str]:
        """Neurons, links, distinct weights, the sum, the size, what full connection would take."""
        letters = [self._letter(n) for n, i in enumerate(self.focus) if i[0] == self.lit[0]]
        is_coloured = self.setting.planes == 1 and len(self.lit) == 1
        same = "colour" if is_coloured else "label"
        return list(counts(self.node, self.setting, letters, same))

    @staticmethod
    def _letter(number: int) -> str:
        return chr(ord("A") + number)

    def _read(self, index: tuple[int, ...]) -> list[Pixel]:
        """The pixels a neuron reads, planes first."""
        return sorted(p for _, piece in reads(self.node, one(index)) for p in product(*piece))

    # --- pixels and links ------------------------------------------------------------------

    def _corner(self, plane: int) -> tuple[float, float]:
        """The top left corner of a plane of the input; planes stand below each other."""
        top = TOP + (self.high - self.image) / 2
        return 0.0, top + plane * (self.setting.input[1] * self.pixel + PLANE_GAP)

    def _pixels(self) -> Iterator[Item]:
        shape = f" {TIMES} ".join(map(str, self.setting.input))
        name, count = self.graph.inputs[0].name, prod(self.setting.input)
        yield Text(0, 12, f"{name} {shape}", 13, "ink", True, "start")
        told = f"{count:,} values, all drawn (given, not computed)"
        yield Text(0, 28, told, 9.5, "soft", False, "start")
        corners = [self._corner(plane) for plane in range(self.setting.planes)]
        yield from planes(self.setting, corners, self.pixel)
        for index in self.focus:
            for pixel in self._read(index):
                yield from self._read_pixel(index, pixel)
        for row, text in enumerate(field_words(self.setting)):
            yield Text(0, self._words_y() + 13 * row, text, 9.5, "soft", False, "start")

    def _words_y(self) -> float:
        """Below the image, and below the links that come from above it to the lowest weights."""
        named = 9 if self.setting.planes > 1 else 0  # a letter may stand below a window
        return TOP + max((self.high + self.image) / 2, self.high - 14) + 17 + named

    def _read_pixel(self, index: tuple[int, ...], pixel: Pixel) -> Iterator[Item]:
        """A pixel in the colour of the weight that it meets, with its label where there is room."""
        x, y = self._corner(pixel[0])
        x, y = x + pixel[2] * self.pixel, y + pixel[1] * self.pixel
        weight = self.setting.weight_between(index, pixel)
        yield Box(x, y, self.pixel, self.pixel, self.setting.colour(weight), "paper", 0.6)
        readers = [i for i in self.focus if pixel in self._read(i)]
        if self.pixel >= 20 and len(readers) == 1:
            label = self.setting.label(index[0], weight)
            middle = x + self.pixel / 2, y + self.pixel / 2 + 3
            ink = letters_on(self.setting.colour(weight))
            yield Text(*middle, label, LETTER, ink, True)

    def _links(self, number: int) -> Iterator[Item]:
        """Each link runs from a pixel through its weight to the neuron.

        Of neurons that share the drawn weights the first has thick links.
        """
        index = self.focus[number]
        group = next(n for n, numbers in enumerate(self.groups) if number in numbers)
        pixels, target = self._read(index), self._target(index, group)
        stroke = 1.1 if self.groups[group][0] == number else 0.55
        for pixel in pixels:
            weight = self._weight(number, pixel)
            start, y = self._start(pixel, pixels), self._weight_y(group, weight)
            pen = self.setting.colour(weight), stroke
            told = pixel, index, self.setting.label(index[0], weight)
            part = (self.used[group].index(weight) + 0.5) / len(self.used[group])
            ends = [start]
            if self.setting.planes > 1:  # straight on, so as not to cross other windows
                ends.append((self.setting.input[2] * self.pixel + 2, start[1]))
            yield link(ends, (self.weight_x, y), target, part, pen, told)

    def _target(self, index: tuple[int, ...], group: int) -> Target:
        """Where links end: they come from the side where their weights are."""
        place, left = self._neuron_place(index), self._map_corner(index[0])[0]
        ys = [self._weight_y(group, weight) for weight in self.used[group]]
        return Target(place, left, self.cell, (min(ys) + max(ys)) / 2 <= place[1])

    def _weights(self) -> Iterator[Item]:
        for group, numbers in enumerate(self.groups):
            channel = self.focus[numbers[0]][0]
            for weight in self.used[group]:
                label, y = self.setting.label(channel, weight), self._weight_y(group, weight)
                dot = Ellipse(self.weight_x, y, 9.4, 9.4, self.setting.colour(weight))
                text = Text(self.weight_x, y + 3, label, LETTER, letters_on(dot.fill), True)
                yield Group((dot, text), title=f"weight {label}", css="weight")

    def _start(self, pixel: Pixel, pixels: Sequence[Pixel]) -> tuple[float, float]:
        """Where a pixel's link leaves: the right edge of what is read, each on its own height."""
        row = sorted(p[2] for p in pixels if p[:2] == pixel[:2])
        x, y = self._corner(pixel[0])
        part = (row.index(pixel[2]) + 1) / (len(row) + 1)
        return x + (row[-1] + 1) * self.pixel, y + (pixel[1] + part) * self.pixel

    def _weight_y(self, group: int, weight: int) -> float:
        """How high a weight stands between pixels and neurons, those of each group together."""

        def height(number: int) -> float:
            return min(self._neuron_place(self.focus[n])[1] for n in self.groups[number])

        order = sorted(range(len(self.groups)), key=height)
        rooms = [len(self.used[n]) * WEIGHT_STEP + WEIGHT_GAP for n in order]
        free = (self.high - sum(rooms) + WEIGHT_GAP) / (len(order) + 1)
        place = order.index(group)
        top = TOP + free * (place + 1) + sum(rooms[:place])
        return top + (self.used[group].index(weight) + 0.5) * WEIGHT_STEP

    # --- filters and maps -------------------------------------------------------------------

    def _map_corner(self, channel: int) -> tuple[float, float]:
        """Beside the weights; on a page maps without links go into rows below."""
        rows = self.setting.output[1] * self.cell
        beside = list(range(self.setting.output[0]))
        if self.layout.width:
            beside = self.lit
        if channel not in beside:
            left = [n for n in range(self.setting.output[0]) if n not in beside].index(channel)
            each = max(1, int((self.layout.width + 24) // self.across))
            row, column = divmod(left, each)
            y = max(self._lit_end(), self._words_y() + 30) + row * self.down
            return column * self.across, y + self.filter_height
        place = beside.index(channel)
        if not self.is_stacked:
            low = max(TOP + self.filter_height, TOP + self.high / 2 - rows / 2)
            return self.maps_x + place * self.across, low
        total = (len(beside) - 1) * self.down + rows
        top = TOP + max(self.filter_height, (self.high - total) / 2)
        return self.maps_x, top + place * self.down

    def _lit_end(self) -> float:
        """Below the maps that links lead to, with their words."""
        lowest = max(self._map_corner(channel)[1] for channel in self.lit)
        return lowest + self.setting.output[1] * self.cell + BELOW + 14

    def _filter_corner(self, channel: int) -> tuple[float, float]:
        x, y = self._map_corner(channel)
        return x, y - self.filter_height

    def _neuron_place(self, index: tuple[int, ...]) -> tuple[float, float]:
        x, y = self._map_corner(index[0])
        return x + (index[2] + 0.5) * self.cell, y + (index[1] + 0.5) * self.cell

    def _maps(self) -> Iterator[Item]:
        shape = f" {TIMES} ".join(map(str, self.setting.output))
        count = self.setting.output[0]
        heading = f"{count} filter{'s' * (count > 1)} → {shape}"
        yield Text(self.maps_x, 12, heading, 13, "ink", True, "start")
        told = f"{prod(self.setting.output):,} neurons, all drawn"
        yield Text(self.maps_x, 28, told, 9.5, "soft", False, "start")
        for channel in range(count):
            place, above = self._map_corner(channel), self._filter_corner(channel)
            lit = channel in self.lit
            yield from filter_panel(self.setting, channel, above, self._wide, lit)
            yield from map_panel(self.setting, channel, place, self.cell)
            below = place[1] + self.setting.output[1] * self.cell + 18
            yield from self._told(channel, place[0] - 4, below)

    def _told(self, channel: int, x: float, y: float) -> Iterator[Item]:
        rows, columns = self.setting.output[1:]
        links = sum(links_of(self.node, i) for i in self.focus if i[0] == channel)
        places = product(range(rows), range(columns))
        every = sum(links_of(self.node, (channel, *at)) for at in places)
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
            letter, radius = self._letter(number), min(8.5, self.cell * 0.42)
            mark = Ellipse(x, y, radius, radius, "focus", "ink", 1.4)
            place = ",".join(map(str, index))
            text = Text(x, y + 3.2, letter, 9, "onseries", True)
            title = f"{self.node.path}[{place}]"
            yield Group((mark, text), title=title, css="neuron", data=(("neuron", place),))
            pixels = self._read(index)
            for plane in sorted({p[0] for p in pixels}):
                box = self._around([p for p in pixels if p[0] == plane])
                yield box
                spot = self._name_spot(plane, box)
                named[spot] = f"{named[spot]}, {letter}" if spot in named else letter
        for (x, y), letters in named.items():
            wide = text_width(letters, 11, True)
            yield Box(x - wide - 1.5, y - 9.5, wide + 3, 11.5, "paper", "", 0, 2, opacity=0.85)
            yield Text(x, y, letters, 11, "focus", True, "end")

    def _name_spot(self, plane: int, box: Box) -> tuple[float, float]:
        """Where a window's letter ends: above its left edge, or below, if no window is there."""
        left, top = self._corner(plane)
        spots = [(box.x - 3, box.y - 3), (box.x - 3, box.y + box.height + 10)]
        read = {p for index in self.focus for p in self._read(index)}
        for x, y in spots:
            row, column = (y - 4 - top) // self.pixel, (x - 4 - left) // self.pixel
            if (plane, int(row), int(column)) not in read:
                return x, y
        return spots[0]

    def _around(self, pixels: Sequence[Pixel]) -> Box:
        """A frame around pixels of one plane."""
        rows, columns = ([p[axis] for p in pixels] for axis in (1, 2))
        left, top = self._corner(pixels[0][0])
        wide, high = (max(n) - min(n) + 1 for n in (columns, rows))
        left, top = left + min(columns) * self.pixel, top + min(rows) * self.pixel
        return Box(left, top, wide * self.pixel, high * self.pixel, "", "ink", 1.6)
