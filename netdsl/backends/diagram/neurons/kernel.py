"""The numbers of one convolution, and which of its channels, weights and neurons are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from netdsl.analyses.links import shape_of
from netdsl.ir.graph import Node
from netdsl.ops.base import op_of
from netdsl.ops.cells import fixed
from netdsl.ops.facts import Sliding
from netdsl.ops.tables import types_of

Cell = tuple[int, int, int]
"""Channel, row, column; a sequence runs downwards, in one column."""
MOST_DRAWN, FEW_DRAWN = 16, 7
"""Rows and columns of a map up to which all are drawn; of more, about so many."""
MOST_PLANES, MOST_WEIGHTS, MOST_MAPS = 3, 27, 3


@dataclass(frozen=True, slots=True)
class Tap:
    """A product of a neuron's sum: the value that is read, and the number of its weight.

    `plane` is that of the filter, `place` the row and column in it.
    """

    cell: Cell
    weight: int
    plane: int
    place: tuple[int, int]


@dataclass(frozen=True)
class Kernel:
    """A convolution over a map or a sequence; `focus` are neurons that are drawn in any case."""

    node: Node
    focus: tuple[Cell, ...] = ()

    @cached_property
    def windows(self) -> Sliding:
        windows = op_of(self.node).sliding()
        assert windows is not None
        return windows

    @cached_property
    def rank(self) -> int:
        """Axes of what comes in, channels included."""
        return len(self.node.inputs[0].type.shape)

    @cached_property
    def input(self) -> Cell:
        return cell_of(shape_of(self.node.inputs[0]), 1)

    @cached_property
    def output(self) -> Cell:
        return cell_of(shape_of(self.node.output), 1)

    @cached_property
    def along(self) -> list[tuple[int, int, int]]:
        """Kernel, stride and dilation of the rows and the columns."""
        own = self.windows.settings_along(self.rank - 1)
        return [*own, (1, 1, 1)][:2]

    @cached_property
    def around(self) -> list[tuple[int, int]]:
        """Cells of padding before and after the rows and the columns."""
        pairs = map(fixed, self.windows.around(shape_of(self.node.inputs[0])[1:]))
        return [*((before, after) for before, after in pairs), (0, 0)][:2]

    @cached_property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a plane of a filter."""
        return self.along[0][0], self.along[1][0]

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns of a window, its holes included."""
        rows, columns = (dilation * (kernel - 1) + 1 for kernel, _, dilation in self.along)
        return rows, columns

    @cached_property
    def depth(self) -> int:
        """Planes of a filter: the channels that a neuron reads."""
        return self.input[0] // self.windows.groups

    @property
    def weights(self) -> int:
        """Weights of a filter."""
        return self.depth * prod(self.size)

    def index(self, cell: Cell) -> tuple[int, ...]:
        """A cell as the network counts it."""
        return cell[: self.rank]

    @cached_property
    def _taps(self) -> dict[Cell, list[Tap]]:
        """What was asked for already."""
        return {}

    def taps(self, neuron: Cell) -> list[Tap]:
        """The products that a neuron adds up, by weight; padding of zeros is none."""
        if neuron not in self._taps:
            self._taps[neuron] = self._listed(neuron)
        return self._taps[neuron]

    def _listed(self, neuron: Cell) -> list[Tap]:
        found = op_of(self.node).products(*types_of(self.node), self.index(neuron)) or []
        taps: list[Tap] = []
        for source, (_, plane, *place) in found:
            row, column = (*place, 0)[:2]
            number = (plane * self.size[0] + row) * self.size[1] + column
            taps.append(Tap(cell_of(source, 0), number, plane, (row, column)))
        return sorted(taps, key=lambda tap: tap.weight)

    def is_whole(self, neuron: Cell) -> bool:
        """Whether no part of a neuron's window lies in the padding."""
        sides = zip(neuron[1:], self.input[1:], self.along, self.around, self.span, strict=True)
        starts = ((i * s - before, n - span) for i, n, (_, s, _), (before, _), span in sides)
        return all(0 <= start <= last for start, last in starts)

    def beside(self, neuron: Cell) -> Cell | None:
        """The next neuron in the row, at its end the one before; of a sequence along it."""
        axis = 2 if self.output[2] > 1 else 1
        if self.output[axis] < 2:
            return None
        moved = list(neuron)
        moved[axis] += 1 if neuron[axis] + 1 < self.output[axis] else -1
        return cell_of(moved, 0)

    @property
    def is_tiled(self) -> bool:
        """Whether windows never overlap and have no holes, so that they can be shaded in turn."""
        is_padded = any(before or after for before, after in self.around)
        return not is_padded and all(k <= s and d == 1 for k, s, d in self.along)

    # --- what is drawn ---------------------------------------------------------------------

    @cached_property
    def drawn_rows(self) -> list[int]:
        return sorted({*thinned(self.output[1]), *(row for _, row, _ in self.focus)})

    @cached_property
    def drawn_columns(self) -> list[int]:
        return sorted({*thinned(self.output[2]), *(column for _, _, column in self.focus)})

    def drawn_planes(self, neurons: Sequence[Cell]) -> list[int]:
        """The channels that are drawn: all, or of many the first, the next and the last read."""
        if self.input[0] <= MOST_PLANES:
            return list(range(self.input[0]))
        read = sorted({tap.cell[0] for neuron in neurons for tap in self.taps(neuron)})
        return read if len(read) <= MOST_PLANES else [*read[: MOST_PLANES - 1], read[-1]]

    def drawn_taps(self, neuron: Cell, planes: Sequence[int]) -> list[Tap]:
        """The products whose links are drawn: all, or of many some rows and columns of a filter."""
        taps = [tap for tap in self.taps(neuron) if tap.cell[0] in planes]
        if min(self.depth, len(planes)) * prod(self.size) <= MOST_WEIGHTS:
            return taps
        most = 3 if min(self.size) > 1 else MOST_WEIGHTS // 3
        rows, columns = (spaced(size, most) for size in self.size)
        return [tap for tap in taps if tap.place[0] in rows and tap.place[1] in columns]

    def usual_neurons(self) -> list[Cell]:
        """Two neurons of the first map that are drawn near each other, with windows apart.

        They stand in the first column in which no window is cut by the border.
        """
        for column in self.drawn_columns:
            whole = [(0, row, column) for row in self.drawn_rows if self.is_whole((0, row, column))]
            if whole:
                break
        else:
            row, column = self.drawn_rows[0], self.drawn_columns[0]
            whole = [(0, row, column), (0, self.drawn_rows[-1], self.drawn_columns[-1])]
        apart = [
            (one, other)
            for one, other in product(whole, whole)
            if (other[1] - one[1]) * self.along[0][1] >= self.span[0]
        ]
        middle = self.output[1] - 1
        pair = min(
            apart or [(whole[0], whole[-1])],
            key=lambda two: (two[1][1] - two[0][1], abs(two[0][1] + two[1][1] - middle)),
        )
        return list(dict.fromkeys(pair))


def is_drawable(node: Node) -> bool:
    """Whether a layer is a convolution whose sums can be drawn: over a map or a sequence."""
    op, windows = op_of(node), op_of(node).sliding()
    if op.family != "convolution" or op.zoom or windows is None or node.inputs[0].type.items:
        return False
    inputs, outputs = types_of(node)
    if inputs[0].rank not in (2, 3) or not node.inputs[0].type.batched or len(node.inputs) > 1:
        return False
    return op.products(inputs, outputs, (0,) * inputs[0].rank) is not None


def cell_of(index: Sequence[int], filler: int) -> Cell:
    """Channel, row and column; a sequence has `filler` for its column."""
    channel, row, column = (*index, filler)[:3]
    return channel, row, column


def thinned(count: int) -> range:
    """All of so many places, or every k-th, as far from both ends as can be."""
    step = 1 if count <= MOST_DRAWN else -(-count // FEW_DRAWN)
    many = count // step
    first = (count - (many - 1) * step) // 2
    return range(first, first + (many - 1) * step + 1, step)


def spaced(count: int, most: int) -> list[int]:
    """All of so many places, or `most` of them at equal distances, the ends included."""
    if count <= most:
        return list(range(count))
    return [i * (count - 1) // (most - 1) for i in range(most)]
