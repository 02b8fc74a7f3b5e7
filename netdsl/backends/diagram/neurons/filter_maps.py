"""The maps of one convolution: their filters, the neurons that are drawn, the links to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.neurons.filter_image import LETTER
from netdsl.backends.diagram.neurons.kernel import MOST_PLANES, MOST_WEIGHTS, Cell, Kernel
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Point, Text
from netdsl.backends.diagram.shape_names import plural, times
from netdsl.backends.diagram.theme import letters_on

FAMILIES = ("conv", "pool", "dense", "up")
"""Families whose colours the maps have."""
CELL, THIN_CELL, MAP_SIDE = 22.0, 28.0, 178.0
"""From a drawn neuron to the next: of maps in full, of thinned ones; the longest side of a map."""
WEIGHT_SIDE, FILTER_SIDE, SEQUENCE_SIDE = 22.0, 56.0, 12.0
ENTRY = 14.0
"""Before a map: where its links have come together."""


@dataclass(frozen=True)
class Map:
    """A map with its filter above it; `scale` is 1 where links lead to it, else a half.

    `colours` are those of the weights with links, by plane and place in the filter.
    """

    kernel: Kernel
    channel: int
    family: str
    scale: float
    colours: dict[tuple[int, int, int], tuple[str, str]]

    @cached_property
    def apart(self) -> float:
        """From a drawn neuron to the next."""
        drawn = len(self.kernel.drawn_rows), len(self.kernel.drawn_columns)
        usual = CELL if drawn == self.kernel.output[1:] else THIN_CELL
        return min(usual, MAP_SIDE / max(drawn)) * self.scale

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the map."""
        rows, columns = self.kernel.drawn_rows, self.kernel.drawn_columns
        return len(columns) * self.apart, len(rows) * self.apart

    @cached_property
    def side(self) -> tuple[float, float]:
        """Width and height of a weight in the filter."""
        if self.has_letters:
            return WEIGHT_SIDE, WEIGHT_SIDE
        size = max(1.5, min(11.0, FILTER_SIDE / max(self.kernel.size))) * self.scale
        return (max(size, SEQUENCE_SIDE * self.scale) if self.kernel.size[1] == 1 else size), size

    @property
    def has_letters(self) -> bool:
        return bool(self.colours) and self.kernel.weights <= MOST_WEIGHTS

    @property
    def _filter(self) -> tuple[float, float]:
        """Width and height of the filter."""
        wide = self.kernel.size[1] * self.side[0]
        return len(self._own_planes) * (wide + 6) - 6, self.kernel.size[0] * self.side[1]

    @property
    def _own_planes(self) -> Sequence[int]:
        """Planes of the filter that are drawn."""
        lit = sorted({plane for plane, _, _ in self.colours})
        return lit or range(min(self.kernel.depth, MOST_PLANES))

    @property
    def above(self) -> float:
        """Room for the filter and its words."""
        return self._filter[1] + (44 if self.colours else 26)

    @property
    def width(self) -> float:
        texts = [text_width(text, 9) for text in (*self._told(), self._counted())]
        return max(self.size[0] + 8, self._filter[0], *texts)

    @property
    def height(self) -> float:
        """With the filter above it and the words below."""
        return self.above + self.size[1] + 36

    def place(self, corner: Point, neuron: Cell) -> Point:
        """The middle of a neuron; `corner` is that of the map with its filter."""
        (x, y), (_, row, column) = corner, neuron
        across = self.kernel.drawn_columns.index(column) + 0.5
        down = self.kernel.drawn_rows.index(row) + 0.5
        return x + across * self.apart, y + self.above + down * self.apart

    def back(self, corner: Point) -> Box:
        """What the neurons stand on, below the links."""
        (x, y), (wide, high) = corner, self.size
        return Box(x - 4, y + self.above - 4, wide + 8, high + 8, "panel.fill", "panel.line")

    def items(self, corner: Point) -> Iterator[Item]:
        """The filter, the neurons, and how many there are."""
        (x, y), (_, high) = corner, self._filter
        yield from self._weights(x, y)
        for row, text in enumerate(self._told()):
            bold = row == 0
            size, colour = (10.0, "ink") if bold else (9.0, "soft")
            yield Text(x, y + high + 13 + 12 * row, text, size, colour, bold, "start")
        for row in self.kernel.drawn_rows:
            for column in self.kernel.drawn_columns:
                cell = (self.channel, row, column)
                radius = 0.3 * self.apart
                dot = Ellipse(
                    *self.place(corner, cell),
                    radius,
                    radius,
                    f"{self.family}.fill",
                    f"{self.family}.line",
                )
                name = ",".join(map(str, self.kernel.index(cell)))
                data = (("neuron", name),)
                yield Group((dot,), title=f"neuron [{name}]", css="neuron", data=data)
        below = y + self.above + self.size[1] + 17
        yield Text(x - 4, below, f"map {self.channel}", 10, "ink", True, "start")
        yield Text(x - 4, below + 12, self._counted(), 9, "soft", False, "start")

    def _told(self) -> list[str]:
        """What stands below the filter."""
        if not self.colours:
            return [f"filter {self.channel}"]
        own = times((self.kernel.depth, *self.kernel.size)[: self.kernel.rank])
        neurons = prod(self.kernel.output[1:])
        return [
            f"filter {self.channel}: {own} = {plural(self.kernel.weights, 'weight')}",
            f"used by all {plural(neurons, 'neuron')} of its map",
        ]

    def _counted(self) -> str:
        """How many neurons of how many are drawn."""
        every = prod(self.kernel.output[1:])
        drawn = len(self.kernel.drawn_rows) * len(self.kernel.drawn_columns)
        size = times(self.kernel.output[1 : self.kernel.rank])
        if self.scale < 1:
            return f"{drawn:,} of {every:,} drawn"
        if drawn == every:
            return f"{size} = {plural(every, 'neuron')}"
        return f"{drawn:,} of {size} neurons drawn"

    def _weights(self, x: float, y: float) -> Iterator[Item]:
        """The filter: weights with links in their colours, with letters where it is small."""
        (rows, columns), (wide, high) = self.kernel.size, self.side
        pale = (f"{self.family}.fill", f"{self.family}.line", "")
        edges = "paper" if self.has_letters else pale[1]
        for number, plane in enumerate(self._own_planes):
            left = x + number * (columns * wide + 6)
            for row, column in product(range(rows), range(columns)):
                colour, label = self.colours.get((plane, row, column), ("", ""))
                fill, edge, label = (colour, edges, label) if colour else pale
                across, down = left + column * wide, y + row * high
                yield Box(across, down, wide, high, fill, edge, min(0.8, high / 12))
                if self.has_letters and label:
                    middle = across + wide / 2, down + high / 2 + 3
                    yield Text(*middle, label, LETTER, letters_on(fill), True)

    def way(
        self, corner: Point, neuron: Cell, weight: Point, part: float, is_from_above: bool
    ) -> list[Point]:
        """Bezier points from a weight to a neuron, between the rows of those before it.

        `part` of 0 to 1 is a link's place among its like.
        """
        x, y = self.place(corner, neuron)
        if neuron[2] <= self.kernel.drawn_columns[0]:  # nothing stands before it
            middle = (weight[0] + x) / 2
            return [(middle, weight[1]), (middle, y), (x, y)]
        gap = y + (-0.5 if is_from_above else 0.5) * self.apart + (part - 0.5) * 0.18 * self.apart
        entry, turn = corner[0] - 4 - ENTRY, x - self.apart / 2
        middle = (weight[0] + entry) / 2
        return [
            (middle, weight[1]), (middle, gap), (entry, gap),
            (entry, gap), (turn, gap), (turn, gap),
            (turn + self.apart * 0.35, gap), (x, gap), (x, y),
        ]  # fmt: skip
