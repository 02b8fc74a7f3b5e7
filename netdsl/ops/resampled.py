"""A stretch of a resized image, an axis at a time: the cells it reads, and its weights in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.ir.dim import Size
from netdsl.ops.cells import Indices
from netdsl.ops.levels import LEVELS
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted
from netdsl.ops.resampling import cells_of
from netdsl.ops.resize_onnx import BETWEEN, SMOOTHED, to_levels

BILINEAR, BICUBIC = "bilinear", "bicubic"


@dataclass(frozen=True, slots=True)
class Stretch:
    """`count` cells, from number `start` on, of an axis that is resized from `size` to `resized`.

    Cells before 0 and from `resized` on are none of the image.
    """

    size: int
    resized: int
    start: int
    count: int

    def taps(self, wanted: Indices, mode: str, antialias: bool) -> Indices:
        """The cells of the axis that have a weight for some cells of the stretch."""
        inside = (i + self.start for i in wanted if 0 <= i + self.start < self.resized)
        return cells_of(
            frozenset(inside), self.size, self.resized, mode,
            antialias=antialias, small=False, wide=False,
        )  # fmt: skip

    def links(self, mode: str, antialias: bool) -> int:
        """How many cells the cells of the stretch read in all."""
        each = (frozenset((i,)) for i in range(self.count))
        return sum(len(self.taps(one, mode, antialias)) for one in each)


class Weights:
    """The weights of a stretch in ONNX: a matrix [count, size], worked out from sizes in the graph.

    `resized` and `start` are lists of one int64.
    """

    def __init__(
        self, to: Lowering, size: Size, resized: OnnxValue, start: OnnxValue, count: int
    ) -> None:
        self.to, self.size, self.count = to, size, count
        zero = to.ints(0)
        last = to.node("Sub", [resized, to.ints(1)])
        index = to.node("Add", [to.ints(*range(count)), start], (count,))
        inside = to.node("Min", [to.node("Max", [index, zero]), last])
        self.is_inside = to.node("Equal", [index, inside], dtype="bool")
        """Which cells of the stretch are cells of the image."""
        sizes = to.size_of(size), resized
        before, after = (to.node("Cast", [n], dtype="float64", to="float64") for n in sizes)
        self.step = to.node("Div", [before, after])
        half = to.number(0.5, "float64")
        centre = to.node("Add", [to.cast(inside, "float64"), half])
        self.place = to.node("Sub", [to.node("Mul", [centre, self.step]), half])
        self.cells = to.cast(counted(to, size), "float64")

    def matrix(self, x: OnnxValue, mode: str, antialias: bool) -> OnnxValue:
        """The weights in the type of `x`."""
        to = self.to
        if not antialias and mode == BICUBIC:
            weights = self._four()
        else:
            weights = self._kernel(mode, antialias)
        return to.node("CastLike", [weights, x], dtype=x.dtype)

    def _kernel(self, mode: str, antialias: bool) -> OnnxValue:
        """By the distance of each cell to each place."""
        to, one = self.to, self._number(1)
        place, scale = self.place, one
        if antialias:
            scale = to.node("Max", [self.step, one])
        else:  # a place before the first cell is that cell, one behind the last the last
            place = to.node("Max", [place, self._number(0)])
            last = to.node("Sub", [to.cast(to.size_of(self.size), "float64"), one])
            place = to.node("Min", [place, last])
        column = to.node("Unsqueeze", [place, to.ints(1)], (self.count, 1))
        apart = to.node("Sub", [self.cells, column], (self.count, self.size))
        distance = to.node("Div", [to.node("Abs", [apart]), scale])
        if mode == BILINEAR:
            weights = to.node(
                "Max", [to.node("Sub", [one, distance], distance.shape), self._number(0)]
            )
        else:
            weights = self._cubic(distance, SMOOTHED)
        if not antialias:
            return weights
        total = to.node("ReduceSum", [weights, to.ints(1)], (self.count, 1), keepdims=1)
        return to.node("Div", [weights, total])

    def _four(self) -> OnnxValue:
        """Four cells around each place; those beyond the border are the last one once more."""
        to = self.to
        floor_ = to.node("Floor", [self.place])
        last = to.node("Sub", [to.cast(to.size_of(self.size), "float64"), self._number(1)])
        total: OnnxValue | None = None
        for offset in (-1, 0, 1, 2):
            cell = to.node("Add", [floor_, self._number(offset)])
            distance = to.node("Abs", [to.node("Sub", [self.place, cell])])
            weight = self._cubic(distance, BETWEEN)
            inside = to.node("Min", [to.node("Max", [cell, self._number(0)]), last])
            columns = [
                to.node("Unsqueeze", [v, to.ints(1)], (self.count, 1)) for v in (inside, weight)
            ]
            hit = to.node("Equal", [columns[0], self.cells], (self.count, self.size), "bool")
            part = to.node("Mul", [to.cast(hit, "float64"), columns[1]])
            total = part if total is None else to.node("Add", [total, part])
        assert total is not None
        return total

    def _cubic(self, distance: OnnxValue, a: float) -> OnnxValue:
        """Keys's kernel: one polynomial up to 1, another up to 2, then 0."""
        to = self.to
        near = self._polynomial(distance, (a + 2, -(a + 3), 0, 1))
        far = self._polynomial(distance, (a, -5 * a, 8 * a, -4 * a))
        parts = [to.node("Less", [distance, self._number(bound)], dtype="bool") for bound in (1, 2)]
        outer = to.node("Where", [parts[1], far, self._number(0)], distance.shape, "float64")
        return to.node("Where", [parts[0], near, outer], distance.shape, "float64")

    def _polynomial(self, t: OnnxValue, terms: Sequence[float]) -> OnnxValue:
        total = self.to.node("Mul", [t, self._number(terms[0])])
        for number in terms[1:-1]:
            total = self.to.node("Mul", [self.to.node("Add", [total, self._number(number)]), t])
        return self.to.node("Add", [total, self._number(terms[-1])])

    def _number(self, value: float) -> OnnxValue:
        return self.to.number(value, "float64")


def resampled(
    to: Lowering, rows: Weights, columns: Weights, mode: str, antialias: bool
) -> OnnxValue:
    """Both axes of the first input by their weights, in its own type."""
    x, shape = to.inputs[0], to.result()
    numbers = to.cast(x, "float64") if x.dtype == LEVELS else x
    across = to.transpose(columns.matrix(numbers, mode, antialias), 1, 0)
    wide = (*x.shape[:3], shape[3])
    y = to.node("MatMul", [numbers, across], wide)
    y = to.node("MatMul", [rows.matrix(y, mode, antialias), y], shape, y.dtype)
    return to_levels(to, y) if x.dtype == LEVELS else y
