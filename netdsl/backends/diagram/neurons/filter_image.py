"""What a convolution reads: its planes to scale, and the windows of some neurons on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from netdsl.backends.diagram.neurons.field_maps import MOST_BOXES, Plane, grid
from netdsl.backends.diagram.neurons.kernel import Cell, Kernel, Tap
from netdsl.backends.diagram.scene import Box, Group, Item, Point, Text, line
from netdsl.backends.diagram.theme import SERIES, letters_on, series

PLANES = ("red", "green", "blue")
PLANE_COLOURS = ("gone.line", "added.line", "series0")
SIDE, SIDE_OF_SEVERAL, SIDE_OF_FAR = 208.0, 140.0, 100.0
"""Longer side of one plane, of one of several, of one on which cells can't be seen."""
SMALLEST_PIXEL, WIDTH_OF_SEQUENCE = 4.0, 18.0
GAP, LENS = 26.0, 38.0
LETTER = 9.0
"""Of labels of weights, and of the smallest words."""
Place = tuple[float, float, float, float]
"""Left, top, width, height."""


def colour_of(kernel: Kernel, tap: Tap, planes: Sequence[int]) -> str:
    """One colour a weight; of more than there are colours one a row, of several planes one each."""
    if kernel.input[0] > 1:
        return PLANE_COLOURS[planes.index(tap.cell[0])]
    is_few = kernel.weights <= SERIES
    return series(tap.weight if is_few else tap.place[0])


@dataclass(frozen=True)
class Image:
    """The planes below each other, from the origin on, with the windows of the kernel's focus.

    Where cells are too small to be seen, each window stands enlarged beside its plane.
    """

    kernel: Kernel
    planes: Sequence[int]

    @cached_property
    def pixel(self) -> tuple[float, float]:
        """Width and height of a cell on the planes."""
        _, rows, columns = self.kernel.input
        size = self._side / self._cells
        if self.is_far:
            size = (SIDE_OF_FAR if len(self.planes) > 1 else SIDE * 0.7) / max(rows, columns)
        return (WIDTH_OF_SEQUENCE if columns == 1 else size), size

    @property
    def _side(self) -> float:
        return SIDE if len(self.planes) == 1 else SIDE_OF_SEVERAL

    @property
    def _cells(self) -> int:
        """Cells along the longer side, with those of padding."""
        around = (sum(pair) for pair in self.kernel.around)
        return max(n + more for n, more in zip(self.kernel.input[1:], around, strict=True))

    @cached_property
    def is_far(self) -> bool:
        return self._side / self._cells < SMALLEST_PIXEL

    @cached_property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell of a window."""
        if not self.is_far:
            return self.pixel
        rows, columns = self.kernel.span
        size = max(2.2, min(13.0, 84 / max(rows, columns)))
        return (WIDTH_OF_SEQUENCE if columns == 1 else size), size

    @cached_property
    def plane_size(self) -> tuple[float, float]:
        """Width and height of a plane."""
        return self.kernel.input[2] * self.pixel[0], self.kernel.input[1] * self.pixel[1]

    @cached_property
    def step(self) -> float:
        """From a plane to the next."""
        windows = (
            len(self.kernel.focus) * (self.kernel.span[0] * self.cell[1] + 8)
            if self.is_far
            else 0.0
        )
        rim = sum(self.kernel.around[0]) * self.pixel[1]
        return max(self.plane_size[1] + rim, windows) + GAP

    @property
    def zoom(self) -> float:
        """How many times windows are enlarged."""
        return self.cell[1] / self.pixel[1]

    @property
    def has_rim(self) -> bool:
        """Whether cells of padding are drawn around the planes."""
        return not self.is_far and any(map(any, self.kernel.around))

    @property
    def height(self) -> float:
        return len(self.planes) * self.step - GAP

    @property
    def width(self) -> float:
        own = self.plane_size[0] + sum(self.kernel.around[1]) * self.pixel[0]
        return own + (LENS + self.kernel.span[1] * self.cell[0]) * self.is_far

    def corner(self, plane: int) -> Point:
        """The top left corner of a plane; a small one stands in the middle of its windows."""
        rim = [
            before * size
            for (before, _), size in zip(self.kernel.around, self.pixel[::-1], strict=True)
        ]
        top = self.planes.index(plane) * self.step
        spare = (self.step - GAP - self.plane_size[1]) / 2
        return rim[1], top + (spare if self.is_far else rim[0])

    def window(self, number: int, plane: int) -> Place:
        """The frame around what a neuron reads of a plane: enlarged, or on the plane itself."""
        if not self.is_far:
            return self.seen(number, plane)
        rows, columns = self.kernel.span
        wide, high = columns * self.cell[0], rows * self.cell[1]
        top = self.planes.index(plane) * self.step
        free = self.step - GAP - len(self.kernel.focus) * high
        top += free * (number + 1) / (len(self.kernel.focus) + 1) + number * high
        return self.width - wide, top, wide, high

    def seen(self, number: int, plane: int) -> Place:
        """The part of a plane that a neuron reads."""
        taps = self.kernel.taps(self.kernel.focus[number])
        return self._hull([tap.cell for tap in taps if tap.cell[0] == plane])

    def _hull(self, cells: Sequence[Cell]) -> Place:
        """The rectangle around cells of a plane."""
        rows, columns = ([cell[axis] for cell in cells] for axis in (1, 2))
        (x, y), (wide, high) = self.corner(cells[0][0]), self.pixel
        return (
            x + min(columns) * wide, y + min(rows) * high,
            (max(columns) - min(columns) + 1) * wide, (max(rows) - min(rows) + 1) * high,
        )  # fmt: skip

    def reads(self, number: int) -> list[int]:
        """The planes that are drawn of which a neuron reads something."""
        read = {tap.cell[0] for tap in self.kernel.taps(self.kernel.focus[number])}
        return [plane for plane in self.planes if plane in read]

    def spot(self, number: int, tap: Tap) -> Place:
        """Where a value that a neuron reads is drawn."""
        wide, high = self.cell
        if self.is_far:
            left, top, _, _ = self.window(number, tap.cell[0])
            row, column = (
                at * d for at, (_, _, d) in zip(tap.place, self.kernel.along, strict=True)
            )
        else:
            left, top = self.corner(tap.cell[0])
            _, row, column = tap.cell
        return left + column * wide, top + row * high, wide, high

    # --- what is drawn ---------------------------------------------------------------------

    def items(self, lit: Sequence[Sequence[Tap]]) -> Iterator[Item]:
        """The planes and the windows; `lit` are the products of each neuron that have links."""
        for plane in self.planes:
            yield from self._plane(plane)
            for number in range(len(self.kernel.focus)):
                if plane in self.reads(number):
                    yield from self._window(number, plane, lit)

    def _plane(self, plane: int) -> Iterator[Item]:
        x, y = self.corner(plane)
        colour = "wire"
        if self.kernel.input[0] > 1:
            colour = PLANE_COLOURS[self.planes.index(plane)]
            above = self.kernel.around[0][0] * self.pixel[1]
            top = self.planes.index(plane) * self.step if self.is_far else y - above
            yield Text(x, top - 6, self._name(plane), 10, colour, True, "start")
        (wide, high), (rows, columns) = self.pixel, self.kernel.input[1:]
        if not self.is_far:
            rims = [(before * size, sum((before, after)) * size) for (before, after), size in
                    zip(self.kernel.around, (high, wide), strict=True)]  # fmt: skip
            (above, down), (left, across) = rims
            if down or across:
                width, height = self.plane_size
                yield Box(
                    x - left, y - above, width + across, height + down, "", "soft", 0.7, 0, "dashed"
                )
        cells = grid(Plane(x, y, rows, columns, wide, high), "paper", colour)
        yield Group(tuple(cells), css="plane")
        if self.kernel.is_tiled and not self.is_far:
            for i, j, tall, broad in self._tiles():
                yield Box(
                    x + j * wide,
                    y + i * high,
                    broad * wide,
                    tall * high,
                    "wire",
                    "",
                    0,
                    opacity=0.16,
                )

    def _tiles(self) -> list[tuple[int, int, int, int]]:
        """Row, column, height and width of every other window."""
        (_, down, _), (_, across, _) = self.kernel.along
        places = product(range(self.kernel.output[1]), range(self.kernel.output[2]))
        tiles = [(i * down, j * across, *self.kernel.size) for i, j in places if (i + j) % 2 == 0]
        return tiles if len(tiles) <= MOST_BOXES else []

    def _name(self, plane: int) -> str:
        is_image = self.kernel.node.inputs[0].producer is None and self.kernel.input[0] == 3
        return PLANES[plane] if is_image else f"channel {plane}"

    def _window(self, number: int, plane: int, lit: Sequence[Sequence[Tap]]) -> Iterator[Item]:
        """The values read, those with links in the colours of their weights, and frames."""
        left, top, wide, high = self.window(number, plane)
        if self.is_far:
            x, y, broad, tall = self.seen(number, plane)
            for start, end in (
                ((x + broad, y), (left, top)),
                ((x + broad, y + tall), (left, top + high)),
            ):
                yield line([start, end], "focus", 0.6, "dashed")
            yield Box(x, y, max(broad, 1.5), max(tall, 1.5), "", "focus", 1.0)
            yield Box(left, top, wide, high, "paper", "", 0)
        shared = {t.cell for n, one in enumerate(lit) if n != number for t in one}
        for tap in self.kernel.taps(self.kernel.focus[number]):
            if tap.cell[0] != plane:
                continue
            colour, is_lit = colour_of(self.kernel, tap, self.planes), tap in lit[number]
            place = self.spot(number, tap)
            yield Box(*place, colour, "paper", 0.5, opacity=1.0 if is_lit else 0.3)
            if is_lit and min(place[2:]) >= 19 and tap.cell not in shared:
                label = f"{letter_of(self.kernel.focus, number)}{tap.weight + 1}"
                yield Text(
                    place[0] + place[2] / 2,
                    place[1] + place[3] / 2 + 3,
                    label,
                    LETTER,
                    letters_on(colour),
                    True,
                )
        yield Box(left, top, wide, high, "", "ink", 1.5)
        if not self.is_far and number == 0 and plane == self.reads(0)[0]:
            yield from self._next(self.kernel.focus[0], plane)

    def _next(self, neuron: Cell, plane: int) -> Iterator[Item]:
        """The window of the neuron beside it, where both read some of the same values."""
        beside = self.kernel.beside(neuron)
        taps = [] if beside is None else self.kernel.taps(beside)
        if {t.cell for t in taps} & {t.cell for t in self.kernel.taps(neuron)}:
            left, top, wide, high = self._hull([t.cell for t in taps if t.cell[0] == plane])
            yield Box(left, top, wide, high, "", "focus", 1.2, 0, "dashed")


def letter_of(focus: Sequence[Cell], number: int) -> str:
    """The letter of the weights of a neuron's filter: another for each map."""
    maps = list(dict.fromkeys(sorted(cell[0] for cell in focus)))
    return "wuvz"[maps.index(focus[number][0])]
