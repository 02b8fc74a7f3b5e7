"""One convolution: what it reads, the links of some neurons through their weights, its maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

from netdsl.analyses.neurons import Neuron
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.neurons.filter_image import LETTER, Image, colour_of, letter_of
from netdsl.backends.diagram.neurons.filter_maps import FAMILIES, Map
from netdsl.backends.diagram.neurons.filter_words import facts, heading, window_words
from netdsl.backends.diagram.neurons.kernel import MOST_MAPS, Cell, Kernel, Tap, cell_of
from netdsl.backends.diagram.neurons.layers import kind_of
from netdsl.backends.diagram.neurons.lesson import Fact, headings, lesson, source_of
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
)
from netdsl.backends.diagram.shape_names import plural, times
from netdsl.backends.diagram.theme import SERIES, letters_on
from netdsl.backends.diagram.units import units_of
from netdsl.ir.graph import Graph, Node
from netdsl.ops.facts import by

MOST_CHOSEN = 4
TOP = 50.0
"""Room for the headings."""
BEFORE, BEHIND, BESIDE = 60.0, 54.0, 20.0
"""Before the weights, behind them, and between maps."""
WEIGHT_STEP, WIDEST_STEP, WEIGHT_GAP = 20.0, 29.0, 22.0
STROKE = 1.1


def filters_picture(
    graph: Graph, node: Node, chosen: Sequence[Neuron], options: Options
) -> Picture:
    """A convolution, and where it stands in its network. Raises `DrawError`."""
    kernel = Kernel(node)
    if len(chosen) > MOST_CHOSEN:
        raise DrawError(f"the links of at most {MOST_CHOSEN} neurons are drawn at a time")
    outputs = {value for unit in units_of(graph) if node in unit.nodes for value in unit.outputs}
    for neuron in chosen:
        if neuron.value not in {node.output, *outputs}:
            raise DrawError(
                f"{neuron} is a value that is given and reads nothing; choose a neuron of "
                f"{node.path}, such as {node.path}[{','.join('0' * kernel.rank)}]"
            )
    cells = [cell_of(neuron.index, 0) for neuron in chosen]
    focus = list(dict.fromkeys(cells)) or kernel.usual_neurons()
    sheet = _Sheet(graph, Kernel(node, tuple(focus)))
    title = f"{graph.name}: one convolution, neuron by neuron"
    what = f"{node.path}, {kind_of(node)} with {plural(kernel.output[0], 'filter')}"
    first = f"{what}: {sheet.rule}"
    return lesson(graph, node, title, first, sheet.items(), sheet.panel(), options)


class _Sheet:
    def __init__(self, graph: Graph, kernel: Kernel) -> None:
        self.kernel, self.focus = kernel, kernel.focus
        self.source = source_of(graph, kernel.node)
        self.planes = kernel.drawn_planes(self.focus)
        self.taps = [kernel.drawn_taps(neuron, self.planes) for neuron in self.focus]
        self.image = Image(kernel, self.planes)
        self.lit = sorted({neuron[0] for neuron in self.focus})
        others = [n for n in range(kernel.output[0]) if n not in self.lit]
        self.others = others[: max(0, MOST_MAPS - len(self.lit))]
        self.maps = {n: self._map(n) for n in (*self.lit, *self.others)}
        self.pins = self._pins()
        room = sum(self.maps[n].height for n in self.lit) + BESIDE * (len(self.lit) - 1)
        pins = len(self.pins)
        gaps = WEIGHT_GAP * (len(self.lit) - 1)
        self.high = max(self.image.height, room, pins * WEIGHT_STEP + gaps)
        self.weight_step = max(
            WEIGHT_STEP, min(WIDEST_STEP, (self.image.height - gaps) / max(1, pins))
        )
        heads = max(text_width(text, 9.5) for text in self._heads()) + 20 - BEHIND
        self.weight_x = max(self.image.width + BEFORE, heads)
        self.maps_x = self.weight_x + BEHIND

    def sizes(self, sizes: Sequence[int]) -> Sequence[int]:
        """Sizes without the only column of a sequence."""
        return sizes[: self.kernel.rank]

    def _map(self, channel: int) -> Map:
        number = [*self.lit, *self.others].index(channel)
        colours = {
            (tap.plane, *tap.place): (colour_of(self.kernel, tap, self.planes), self._label(n, tap))
            for n, taps in enumerate(self.taps)
            for tap in taps
            if self.focus[n][0] == channel
        }
        scale = 1.0 if channel in self.lit else 0.5
        return Map(self.kernel, channel, FAMILIES[number], scale, colours)

    def _label(self, number: int, tap: Tap) -> str:
        return f"{letter_of(self.focus, number)}{tap.weight + 1}"

    def _pins(self) -> list[tuple[int, int]]:
        """Map and number of each weight that has links: those of a map together."""
        return sorted(
            {(self.focus[n][0], tap.weight) for n, taps in enumerate(self.taps) for tap in taps}
        )

    # --- places ----------------------------------------------------------------------------

    def _image_y(self) -> float:
        return TOP + (self.high - self.image.height) / 2

    def _pin(self, channel: int, weight: int) -> Point:
        gaps = WEIGHT_GAP * (len(self.lit) - 1)
        top = TOP + (self.high - len(self.pins) * self.weight_step - gaps) / 2
        place = self.pins.index((channel, weight)) + 0.5
        return self.weight_x, top + place * self.weight_step + WEIGHT_GAP * self.lit.index(channel)

    def _corner(self, channel: int) -> Point:
        """Of a map with its filter: those with links behind the weights, others beside them."""
        column, x = (self.lit, self.maps_x)
        if channel in self.others:
            column = self.others
            x += max(self.maps[n].width for n in self.lit) + BESIDE
        heights = [self.maps[n].height + BESIDE for n in column]
        top = TOP + (self.high - sum(heights) + BESIDE) / 2
        return x, top + sum(heights[: column.index(channel)])

    # --- what is drawn ---------------------------------------------------------------------

    def items(self) -> list[Item]:
        items: list[Item] = [moved(i, 0, self._image_y()) for i in self.image.items(self.taps)]
        corners = {channel: self._corner(channel) for channel in self.maps}
        items += [one.back(corners[n]) for n, one in self.maps.items()]
        for number in reversed(range(len(self.focus))):
            items += self._links(number)
        items += self._weights()
        for channel, one in self.maps.items():
            items += one.items(corners[channel])
        return [*items, *self._marks(), *self._headings()]

    def _links(self, number: int) -> Iterator[Item]:
        """Each link runs from a value through its weight to the neuron.

        Those of the first neuron of a map are full, those of others broken.
        """
        neuron, taps = self.focus[number], self.taps[number]
        if not taps:  # its window lies in the padding
            return
        one, corner = self.maps[neuron[0]], self._corner(neuron[0])
        ys = [self._pin(neuron[0], tap.weight)[1] for tap in taps]
        is_from_above = (min(ys) + max(ys)) / 2 <= one.place(corner, neuron)[1]
        for tap in taps:
            pin = self._pin(neuron[0], tap.weight)
            start = self._start(number, tap)
            first = [start]
            if not self.image.is_far and len(self.planes) > 1:  # so as not to cross other windows
                first.append((self.image.plane_size[0] + 2, start[1]))
            part = (taps.index(tap) + 0.5) / len(taps)
            behind = one.way(corner, neuron, pin, part, is_from_above)
            straight = [point for a, b in pairwise(first) for point in (a, b, b)]
            middle = (first[-1][0] + pin[0]) / 2
            path = (start, *straight, (middle, first[-1][1]), (middle, pin[1]), pin, *behind)
            dash = "" if self._is_first(number) else "dashed"
            curve = Curve(path, colour_of(self.kernel, tap, self.planes), STROKE, dash)
            yield self._told_link(curve, neuron, tap, self._label(number, tap))

    def _told_link(self, curve: Curve, neuron: Cell, tap: Tap, label: str) -> Group:
        source, goal = (",".join(map(str, self.kernel.index(c))) for c in (tap.cell, neuron))
        title = f"pixel [{source}] times {label} goes to neuron [{goal}]"
        data = (("from", f"pixel {source}"), ("to", goal))
        return Group((curve,), title=title, css="link", data=data)

    def _start(self, number: int, tap: Tap) -> Point:
        """Where a value's link leaves: the right edge of what is read, each on its own height."""
        taps = [t for t in self.taps[number] if t.plane == tap.plane and t.place[0] == tap.place[0]]
        left, _, wide, _ = self.image.window(number, tap.cell[0])
        _, y, _, tall = self.image.spot(number, tap)
        part = (taps.index(tap) + 1) / (len(taps) + 1)
        return left + wide, self._image_y() + y + part * tall

    def _weights(self) -> Iterator[Item]:
        for channel, weight in self.pins:
            number, tap = next(
                (n, t)
                for n, taps in enumerate(self.taps)
                for t in taps
                if (self.focus[n][0], t.weight) == (channel, weight)
            )
            (x, y), label = self._pin(channel, weight), self._label(number, tap)
            radius = max(9.4, text_width(label, LETTER, True) / 2 + 2)
            dot = Ellipse(x, y, radius, 9.4, colour_of(self.kernel, tap, self.planes))
            text = Text(x, y + 3, label, LETTER, letters_on(dot.fill), True)
            yield Group((dot, text), title=f"weight {label}", css="weight")

    def _marks(self) -> Iterator[Item]:
        """The neurons with links, and their letters beside what they read."""
        named: dict[Point, str] = {}
        for number, neuron in enumerate(self.focus):
            one, letter = self.maps[neuron[0]], self._letter(number)
            x, y = one.place(self._corner(neuron[0]), neuron)
            radius = min(8.5, max(6.2, one.apart * 0.42))
            place = ",".join(map(str, self.kernel.index(neuron)))
            mark = Ellipse(x, y, radius, radius, "focus", "ink", 1.4)
            text = Text(x, y + 3.2, letter, 9, letters_on("focus"), True)
            title = f"{self.kernel.node.path}[{place}]"
            yield Group((mark, text), title=title, css="neuron", data=(("neuron", place),))
            for plane in self.image.reads(number):
                x, y = self._spot(number, plane)
                spot = x, y + self._image_y()
                named[spot] = f"{named[spot]}, {letter}" if spot in named else letter
        for (x, y), letters in named.items():
            wide = text_width(letters, 11, True)
            yield Box(x - wide - 1.5, y - 9.5, wide + 3, 11.5, "paper", "", 0, 2, opacity=0.85)
            yield Text(x, y, letters, 11, "focus", True, "end")

    def _spot(self, number: int, plane: int) -> Point:
        """Where a window's letter ends: left of it, or at a corner, if another window is there."""
        left, top, _, high = self.image.window(number, plane)
        spots = [(left - 4, top + high / 2 + 4), (left - 3, top - 3), (left - 3, top + high + 10)]
        others = [n for n in range(len(self.focus)) if n != number and plane in self.image.reads(n)]
        frames = [self.image.window(n, plane) for n in others]
        free = (
            (x, y)
            for x, y in spots
            if not any(a < x < a + wide and b < y - 4 < b + tall for a, b, wide, tall in frames)
        )
        return next(free, spots[0])

    def _heads(self) -> tuple[str, str]:
        """What stands above the planes."""
        kernel = self.kernel
        shape, values = times(self.sizes(kernel.input)), prod(kernel.input)
        told = f"{values:,} values, all drawn: they compute nothing"
        if self.image.is_far:
            told = f"{values:,} values, to scale; windows {self.image.zoom:.0f} times enlarged"
        elif len(self.planes) < kernel.input[0]:
            told = f"{len(self.planes)} of {kernel.input[0]:,} channels drawn"
        elif self.image.has_rim:
            told = f"{values:,} values, all drawn; dashed: padding"
        return f"{self.source} {shape}", told

    def _headings(self) -> Iterator[Text]:
        kernel, maps = self.kernel, len(self.maps)
        name, told = self._heads()
        made = f"{plural(kernel.output[0], 'filter')} → {times(self.sizes(kernel.output))}"
        drawn = f"{maps:,} of {plural(kernel.output[0], 'map')} drawn"
        return headings((0.0, name, told), (self.maps_x - 4, made, drawn))

    @property
    def rule(self) -> str:
        """What lines and colours mean."""
        full = [self._letter(n) for n in range(len(self.focus)) if self._is_first(n)]
        broken = [self._letter(n) for n in range(len(self.focus)) if not self._is_first(n)]
        is_coloured = self.kernel.weights <= SERIES and self.kernel.input[0] == len(self.lit) == 1
        lead = f"full lines lead to {' and '.join(full)}, broken to {' and '.join(broken)}"
        if not broken:
            lead = f"lines lead to {' and '.join(full)}"
        told = "colour" if is_coloured else "label"
        return f"a link runs through its weight; {lead}; a {told} is a weight."

    @staticmethod
    def _letter(number: int) -> str:
        return chr(ord("A") + number)

    def _is_first(self, number: int) -> bool:
        """Whether a neuron is the first of its map."""
        return self.focus[number][0] not in (neuron[0] for neuron in self.focus[:number])

    def panel(self) -> list[Fact]:
        """What is misread, and the counts."""
        kernel = self.kernel
        neurons = len(self.maps) * len(kernel.drawn_rows) * len(kernel.drawn_columns)
        counted = facts(kernel, neurons, sum(map(len, self.taps)))
        stride = f"stride {by(kernel.windows.stride)}"
        told = (stride, window_words(kernel, self.focus[0], is_drawn=not self.image.is_far))
        return [("", heading(kernel, self.source)), *counted, told]
