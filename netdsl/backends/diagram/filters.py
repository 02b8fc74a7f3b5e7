"""One small convolution in full: every pixel, every weight, every neuron, links by their weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import Product, reads, shape_of, size_of
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.labels import layer_label
from netdsl.backends.diagram.neuron_names import Neuron
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Group, Item, Picture, Text
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.theme import series
from netdsl.backends.diagram.units import units_of
from netdsl.ir.graph import Graph, Node

MOST_PIXELS, MOST_NEURONS, MOST_MAPS, MOST_PLANES, MOST_WEIGHTS = 32, 16, 4, 3, 27
PICTURE = 330.0
GAP = 60.0
PLANES = ("R", "G", "B")
PLANE_COLOURS = ("gone.line", "added.line", "series0")
WEIGHT = 19.0


def is_small_convolution(graph: Graph) -> bool:
    """Whether the network is one convolution that can be drawn neuron by neuron."""
    units = units_of(graph)
    if len(units) != 1 or units[0].count != 1 or units[0].node.op.name != "conv":
        return False
    node = units[0].node
    given, made = shape_of(node.inputs[0]), shape_of(node.output)
    if len(given) != 3 or getattr(node.op, "groups", 1) != 1:
        return False
    weights = given[0] * _kernel(node)[0] * _kernel(node)[1]
    return (
        given[0] <= MOST_PLANES and max(given[1:]) <= MOST_PIXELS and made[0] <= MOST_MAPS
        and max(made[1:]) <= MOST_NEURONS and weights <= MOST_WEIGHTS
    )  # fmt: skip


def _kernel(node: Node) -> tuple[int, int]:
    kernel = getattr(node.op, "kernel", 1)
    return kernel if isinstance(kernel, tuple) else (kernel, kernel)  # type: ignore[return-value]


def filters_picture(graph: Graph, chosen: Sequence[Neuron], options: Options) -> Picture:
    """Pixels, the weights of the first filter on their links, the maps of neurons."""
    node = units_of(graph)[0].node
    return _Sheet(graph, node, chosen, options).picture()


class _Sheet:
    def __init__(
        self, graph: Graph, node: Node, chosen: Sequence[Neuron], options: Options
    ) -> None:
        self.graph, self.node, self.options = graph, node, options
        self.given, self.made = shape_of(node.inputs[0]), shape_of(node.output)
        self.kernel = _kernel(node)
        self.planes = self.given[0]
        self.focus = [n.index for n in chosen] or self._default()
        side = PICTURE if self.planes == 1 else PICTURE * 0.42
        self.pixel = side / max(self.given[1:])
        self.weights = [
            (c, i, j)
            for c in range(self.planes)
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]
        self.cell = 22.0
        wide = self.given[2] * self.pixel
        self.weight_x = wide + 150
        self.maps_x = self.weight_x + 100
        self.top = 64.0 if self.planes == 1 else 58.0

    def _default(self) -> list[tuple[int, ...]]:
        """Two neurons of one map: their links carry the same weights."""
        rows, columns = self.made[1:]
        first = (0, min(1, rows - 1), min(rows, columns) // 2)
        if self.planes > 1:
            return [first]
        second = (0, rows * 2 // 3, columns // 4)
        return [first] if first == second else [first, second]

    def picture(self) -> Picture:
        items: list[Item] = [*self._pixels(), *self._maps()]
        for number, index in enumerate(self.focus):
            items += self._links(number, index)
        items += self._marks()
        label = layer_label(units_of(self.graph)[0], (), ShapeNames(()))
        title = self.options.title or f"{self.graph.name}: one convolution, neuron by neuron"
        return framed(title, [f"{label.title}, {', '.join(label.lines)}", *self._counts()], items)

    def _counts(self) -> list[str]:
        """Neurons, links, distinct weights, and what full connection would take."""
        from itertools import product

        neurons = size_of(tuple(frozenset(range(n)) for n in self.made))
        links = sum(size_of(self._read(index)) for index in product(*(range(n) for n in self.made)))
        distinct = len(self.weights) * self.made[0]
        biases = count_parameters(self.node.layer) - distinct
        values = size_of(tuple(frozenset(range(n)) for n in self.given))
        shape = f" {TIMES} ".join(map(str, self.made))
        each = f"{len(self.weights)} links each" if links == neurons * len(self.weights) else (
            f"at most {len(self.weights)} links each, fewer at the border")  # fmt: skip
        same = "Same colour, same weight" if self.planes == 1 else "Same number, same weight"
        weights = f" {TIMES} ".join(map(str, (self.made[0], self.planes, *self.kernel)))
        return [
            f"{shape} = {neurons:,} neurons, {each}: {links:,} connections by {weights} = "
            f"{distinct} distinct weights"
            + (f" (+ {biases} bias{'es' * (biases > 1)})" if biases else ""),
            f"{same}: every neuron of a map uses the same filter on other pixels. A fully "
            f"connected layer would need {neurons:,} {TIMES} {values:,} = "
            f"{neurons * values:,} distinct weights.",
        ]

    def _read(self, index: tuple[int, ...]) -> Product:
        ((_, piece),) = reads(self.node, tuple(frozenset((i,)) for i in index))
        return piece

    def _corner(self, plane: int) -> tuple[float, float]:
        """The top left corner of a plane of the input; planes stand below each other."""
        return 0.0, self.top + plane * (self.given[1] * self.pixel + 24)

    def _colour(self, weight: int) -> str:
        """One colour a weight; of several planes, one a plane."""
        return series(weight) if self.planes == 1 else PLANE_COLOURS[self.weights[weight][0]]

    def _pixels(self) -> Iterator[Item]:
        values = self.given[0] * self.given[1] * self.given[2]
        shape = f" {TIMES} ".join(map(str, self.given))
        name = self.graph.inputs[0].name
        yield Text(0, 12, f"{name} {shape}", 13, "ink", True, "start")
        yield Text(
            0,
            28,
            f"{values:,} values, all drawn (given, not computed)",
            9.5,
            "soft",
            False,
            "start",
        )
        for plane in range(self.planes):
            yield from self._plane(plane)

    def _plane(self, plane: int) -> Iterator[Item]:
        x, y = self._corner(plane)
        outline = "faint" if self.planes == 1 else PLANE_COLOURS[plane]
        rows, columns = self.given[1:]
        for i in range(rows):
            for j in range(columns):
                place = (x + j * self.pixel, y + i * self.pixel)
                fill, edge = "paper", outline
                for index in self.focus:
                    piece = self._read(index)
                    if plane in piece[0] and i in piece[1] and j in piece[2]:
                        fill = self._colour(self._weight(index, (plane, i, j)))
                    if fill != "paper":
                        edge = "paper"
                yield Box(*place, self.pixel, self.pixel, fill, edge, 0.5)
        if self.planes > 1:
            yield Text(x, y - 5, PLANES[plane], 10, outline, True, "start")

    def _weight(self, index: tuple[int, ...], pixel: tuple[int, int, int]) -> int:
        """Which weight of the filter lies on the link from a pixel."""
        stride, padding, dilation = (
            part if isinstance(part := getattr(self.node.op, name), tuple) else (part, part)
            for name in ("stride", "padding", "dilation")
        )
        taps = [
            (pixel[axis + 1] - index[axis + 1] * stride[axis] + padding[axis]) // dilation[axis]
            for axis in range(2)
        ]
        return self.weights.index((pixel[0], taps[0], taps[1]))

    def _links(self, number: int, index: tuple[int, ...]) -> Iterator[Item]:
        """Each link runs from a pixel through its weight to the neuron."""
        piece = self._read(index)
        target = self._neuron_place(index)
        pixels = [
            (c, i, j) for c in sorted(piece[0]) for i in sorted(piece[1]) for j in sorted(piece[2])
        ]
        shift = number * (len(self.weights) * WEIGHT + 26)
        for place in pixels:
            weight = self._weight(index, place)
            x, y = self._corner(place[0])
            start = (x + (place[2] + 0.5) * self.pixel, y + (place[1] + 0.5) * self.pixel)
            middle = (self.weight_x, self._weight_y(weight) + shift)
            colour = self._colour(weight)
            yield _curve(start, middle, colour)
            yield _curve(middle, target, colour)
        for weight in sorted({self._weight(index, p) for p in pixels}):
            y = self._weight_y(weight) + shift
            radius, size = (8.0, 7.5) if self.planes == 1 else (6.6, 5.8)
            yield Ellipse(self.weight_x, y, radius, radius, self._colour(weight))
            yield Text(self.weight_x, y + size * 0.36, f"w{weight + 1}", size, "onseries", True)

    def _weight_y(self, weight: int) -> float:
        """How high a weight stands between pixels and neurons: those of a plane beside it."""
        each = self.kernel[0] * self.kernel[1]
        step = WEIGHT if self.planes == 1 else self.given[1] * self.pixel / each
        _, top = self._corner(self.weights[weight][0])
        return top + (weight % each + 0.5) * step

    def _map_corner(self, channel: int) -> tuple[float, float]:
        filters = self.planes * (self.kernel[1] * 18 + 8) + 70
        across = max(self.made[2] * self.cell + 46, filters)
        under = self.top + self._filter_height() + 40
        if self.planes > 1:
            under = max(under, self._corner(1)[1])
        return self.maps_x + channel * across, under

    def _filter_height(self) -> float:
        return self.kernel[0] * 18 + 16.0

    def _neuron_place(self, index: tuple[int, ...]) -> tuple[float, float]:
        x, y = self._map_corner(index[0])
        return x + (index[2] + 0.5) * self.cell, y + (index[1] + 0.5) * self.cell

    def _maps(self) -> Iterator[Item]:
        shape = f" {TIMES} ".join(map(str, self.made))
        neurons = self.made[0] * self.made[1] * self.made[2]
        yield Text(
            self.maps_x,
            12,
            f"{self.made[0]} filter{'s' * (self.made[0] > 1)} → {shape}",
            13,
            "ink",
            True,
            "start",
        )
        yield Text(self.maps_x, 28, f"{neurons:,} neurons, all drawn", 9.5, "soft", False, "start")
        for channel in range(self.made[0]):
            yield from self._filter(channel)
            yield from self._map(channel)

    def _filter(self, channel: int) -> Iterator[Item]:
        """The weights of a filter, a plane for each input channel."""
        x, _ = self._map_corner(channel)
        y = self.top - 16
        letter = "wuvz"[channel]
        wide = self.kernel[1] * 18 + 8
        for number, (plane, i, j) in enumerate(self.weights):
            left, top = x + plane * wide + j * 18, y + i * 18
            fill = self._colour(number) if channel == 0 else "amber.fill"
            yield Box(left, top, 18, 18, fill, "paper" if channel == 0 else "amber", 0.8)
            ink, size = "onseries" if channel == 0 else "ink", 7.0 if number < 9 else 6.2
            text = f"{letter}{number + 1}"
            yield Text(left + 9, top + 11.5, text, size, ink, channel == 0)
        side = x + self.planes * wide
        size = f" {TIMES} ".join(map(str, (self.planes, *self.kernel)))
        yield Text(side, y + 11, f"filter {channel}", 10, "ink", True, "start")
        yield Text(side, y + 23, size, 8.5, "soft", False, "start")
        yield Text(side, y + 34, f"{len(self.weights)} weights", 8.5, "soft", False, "start")

    def _map(self, channel: int) -> Iterator[Item]:
        x, y = self._map_corner(channel)
        rows, columns = self.made[1:]
        yield Box(
            x - 4, y - 4, columns * self.cell + 8, rows * self.cell + 8, "panel.fill", "panel.line"
        )
        for i in range(rows):
            for j in range(columns):
                cx, cy = self._neuron_place((channel, i, j))
                fill, edge = ("conv.fill", "conv.line") if channel == 0 else ("amber.fill", "amber")
                dot = Ellipse(cx, cy, 6.5, 6.5, fill, edge, 1)
                yield Group((dot,), title=f"neuron [{channel},{i},{j}]", css="neuron")
        links = sum(size_of(self._read(i)) for i in self.focus if i[0] == channel)
        all_links = sum(
            size_of(self._read((channel, i, j))) for i in range(rows) for j in range(columns)
        )
        left, below = x - 4, y + rows * self.cell + 18
        if self.planes > 1:  # beside the map: links come in from below
            left, below = x + columns * self.cell + 12, y + 12
        drawn = (
            f"{links} of {all_links:,} links drawn" if links else f"{all_links:,} links left out"
        )
        count = f"{rows} {TIMES} {columns} = {rows * columns} neurons"
        yield Text(left, below, f"map {channel}", 10, "ink", True, "start")
        yield Text(left + 36, below, count, 9, "soft", False, "start")
        yield Text(left, below + 13, drawn, 9, "soft", False, "start")

    def _marks(self) -> Iterator[Item]:
        """The chosen neurons, and frames around what they read."""
        for number, index in enumerate(self.focus):
            x, y = self._neuron_place(index)
            letter = chr(ord("A") + number)
            yield Ellipse(x, y, 8.5, 8.5, "conv.line", "ink", 1.4)
            yield Text(x, y + 3.2, letter, 9, "onseries", True)
            piece = self._read(index)
            for plane in sorted(piece[0]):
                left, top = self._corner(plane)
                high, wide = (max(axis) - min(axis) + 1 for axis in piece[1:])
                place = (left + min(piece[2]) * self.pixel, top + min(piece[1]) * self.pixel)
                yield Box(*place, wide * self.pixel, high * self.pixel, "", "ink", 1.6)
            first = min(piece[0])
            left, top = self._corner(first)
            x, y = left + min(piece[2]) * self.pixel, top + min(piece[1]) * self.pixel
            yield Text(x - 8, y + self.pixel / 2 + 4, letter, 11, "ink", True)


def _curve(start: tuple[float, float], end: tuple[float, float], colour: str) -> Curve:
    middle = (start[0] + end[0]) / 2
    return Curve((start, (middle, start[1]), (middle, end[1]), end), colour, 1.1)
