"""Resizing in ONNX: a matrix of weights for each axis, worked out in the graph at open sizes."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.ir.dim import Size
from netdsl.ops.levels import MOST
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted, padded, replaced

SMOOTHED, BETWEEN = -0.5, -0.75
"""The coefficient of cubic weights, as PyTorch has it with `antialias` and without."""
BEYOND = 2
"""Copies of the last cells that cubic weights reach."""
GRAIN = 2.0**20


@dataclass(frozen=True, slots=True)
class Part:
    """Of an axis that is resized to `resized` cells, those from number `start` on.

    Both are lists of one int64. The part may begin before the image and end behind it.
    """

    resized: OnnxValue
    start: OnnxValue

    def inside(self, to: Lowering, count: Size) -> OnnxValue:
        """The numbers of `count` cells; of those beyond the image the nearest one in it."""
        last = to.node("Sub", [self.resized, to.ints(1)])
        return to.node("Min", [to.node("Max", [self._numbers(to, count), to.ints(0)]), last])

    def is_inside(self, to: Lowering, count: Size) -> OnnxValue:
        """Which of `count` cells are cells of the image."""
        pair = [self._numbers(to, count), self.inside(to, count)]
        return to.node("Equal", pair, (count,), "bool")

    def _numbers(self, to: Lowering, count: Size) -> OnnxValue:
        return to.node("Add", [counted(to, count), self.start], (count,))


def weighted(
    to: Lowering,
    x: OnnxValue,
    axis: int,
    size: Size,
    mode: str,
    antialias: bool,
    part: Part | None = None,
) -> OnnxValue:
    """The cells of one of the last two axes, as weighted sums of those that come in.

    `size` is that of the resized axis, or how many cells there are of a part of it.
    """
    weights = _Weights(to, x, axis, size, part)
    if mode == "area":
        matrix = weights.area()
    elif antialias:
        matrix = weights.smoothed(cubic=mode == "bicubic")
    elif mode == "bicubic":
        sides = ((BEYOND, BEYOND), (0, 0)) if axis == len(x.shape) - 2 else ((BEYOND, BEYOND),)
        matrix = weights.cubic()
        x = padded(to, x, sides, "replicate")
    else:
        matrix = weights.linear()
    matrix = to.cast(matrix, x.dtype)
    shape = replaced(x.shape, axis, size)
    if axis == len(x.shape) - 2:
        return to.node("MatMul", [matrix, x], shape)
    return to.node("MatMul", [x, to.transpose(matrix, 1, 0)], shape)


def to_levels(to: Lowering, x: OnnxValue) -> OnnxValue:
    """The nearest levels; what is a half but for rounding goes to the even one."""
    grain = to.number(GRAIN, x.dtype)
    fine = to.node("Round", [to.node("Mul", [x, grain])])
    whole = to.node("Round", [to.node("Div", [fine, grain])])
    low, high = (to.number(n, x.dtype) for n in (0.0, float(MOST)))
    return to.cast(to.node("Clip", [whole, low, high]), "uint8")


class _Weights:
    """Matrices `[new cells, cells]` for one axis: in single precision for single numbers."""

    def __init__(
        self, to: Lowering, x: OnnxValue, axis: int, size: Size, part: Part | None
    ) -> None:
        self.to, self.before, self.after, self.part = to, x.shape[axis], size, part
        self.dtype = "float64" if x.dtype == "float64" else "float32"

    def smoothed(self, *, cubic: bool) -> OnnxValue:
        """Weights by the distance of centres, in cells of the coarser image, which sum up to 1."""
        to, step, half = self.to, self._step(), self._number(0.5)
        centres = self._column(
            to.node("Mul", [to.node("Add", [to.cast(self._new(), self.dtype), half]), step])
        )
        apart = to.node("Sub", [self._numbers(self.before), centres], self._shape())
        apart = to.node("Add", [apart, half])
        one = self._number(1.0)
        scale = to.node("Div", [one, to.node("Max", [step, one])], (1,))
        apart = to.node("Abs", [to.node("Mul", [apart, scale])])
        weights = self._cubic(apart, SMOOTHED) if cubic else self._triangle(apart)
        whole = to.node("ReduceSum", [weights, to.ints(1)], (self.after, 1), keepdims=1)
        return to.node("Div", [weights, whole])

    def linear(self) -> OnnxValue:
        """Weights of the two cells around a place; beyond the border there is the last cell."""
        to = self.to
        last = to.node("Sub", [self._size(self.before), self._number(1.0)])
        place = to.node("Max", [self._places(), self._number(0.0)])
        place = self._column(to.node("Min", [place, last]))
        apart = to.node("Sub", [self._numbers(self.before), place], self._shape())
        return self._triangle(to.node("Abs", [apart]))

    def cubic(self) -> OnnxValue:
        """Weights of the four cells around a place, of an axis with two copies at both ends."""
        to, around = self.to, self.before + 2 * BEYOND
        numbers = to.node("Sub", [self._numbers(around), self._number(float(BEYOND))])
        apart = to.node("Sub", [numbers, self._column(self._places())], (self.after, around))
        return self._cubic(to.node("Abs", [apart]), BETWEEN)

    def area(self) -> OnnxValue:
        """The share of each cell that lies under a new one; always in double precision."""
        to, self.dtype = self.to, "float64"
        step, numbers, one = self._step(), self._numbers(self.after), self._number(1.0)
        cells = self._numbers(self.before)
        starts = self._column(to.node("Mul", [numbers, step]))
        ends = self._column(to.node("Mul", [to.node("Add", [numbers, one]), step]))
        first = to.node("Max", [starts, cells], self._shape())
        end = to.node("Min", [ends, to.node("Add", [cells, one])], self._shape())
        shared = to.node("Max", [to.node("Sub", [end, first]), self._number(0.0)])
        return to.node("Div", [shared, step])

    def _triangle(self, apart: OnnxValue) -> OnnxValue:
        to = self.to
        return to.node("Max", [to.node("Sub", [self._number(1.0), apart], apart.shape),
                               self._number(0.0)])  # fmt: skip

    def _cubic(self, apart: OnnxValue, a: float) -> OnnxValue:
        """Keys's weights: one polynomial up to a distance of 1, another up to 2."""
        to = self.to
        inner = self._polynomial(apart, (a + 2, -(a + 3), 0.0, 1.0))
        outer = self._polynomial(apart, (a, -5 * a, 8 * a, -4 * a))
        is_outer, is_inner = (
            to.node("Less", [apart, self._number(end)], dtype="bool") for end in (2.0, 1.0)
        )
        rest = to.node("Where", [is_outer, outer, self._number(0.0)], apart.shape, self.dtype)
        return to.node("Where", [is_inner, inner, rest], apart.shape, self.dtype)

    def _polynomial(self, x: OnnxValue, terms: tuple[float, ...]) -> OnnxValue:
        to = self.to
        first, *others = terms
        total = to.node("Mul", [x, self._number(first)])
        for number in others[:-1]:
            total = to.node("Mul", [to.node("Add", [total, self._number(number)]), x])
        return to.node("Add", [total, self._number(others[-1])])

    def _places(self) -> OnnxValue:
        """`step * (i + 0.5) - 0.5`, rounded once, as processors that multiply and add do."""
        to, half = self.to, self.to.number(0.5, "float64")
        numbers = to.cast(self._new(), "float64")
        step = to.cast(self._step(), "float64")
        product = to.node("Mul", [to.node("Add", [numbers, half]), step])
        return to.cast(to.node("Sub", [product, half]), self.dtype)

    def _step(self) -> OnnxValue:
        resized = self.to.size_of(self.after) if self.part is None else self.part.resized
        after = self.to.cast(resized, self.dtype)
        return self.to.node("Div", [self._size(self.before), after])

    def _new(self) -> OnnxValue:
        """The numbers of the new cells, int64."""
        if self.part is None:
            return counted(self.to, self.after)
        return self.part.inside(self.to, self.after)

    def _numbers(self, size: Size) -> OnnxValue:
        return self.to.cast(counted(self.to, size), self.dtype)

    def _size(self, size: Size) -> OnnxValue:
        return self.to.cast(self.to.size_of(size), self.dtype)

    def _number(self, value: float) -> OnnxValue:
        return self.to.number(value, self.dtype)

    def _column(self, numbers: OnnxValue) -> OnnxValue:
        return self.to.node("Reshape", [numbers, self.to.ints(-1, 1)], (self.after, 1))

    def _shape(self) -> tuple[Size, Size]:
        return (self.after, self.before)
