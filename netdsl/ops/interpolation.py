"""Interpolation along one axis as ONNX nodes: cells and weights worked out as PyTorch does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil

from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape
from netdsl.ops.cells import single
from netdsl.ops.factor import SMALL_MAP, copied, torch_size
from netdsl.ops.lowering import UNKNOWN, Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted, padded, replaced

CUBIC = -0.75
"""PyTorch's coefficient of cubic interpolation."""
PLAIN = 2**8
"""Numerators up to this give products with sizes that single precision holds exactly."""


def takes_scales(size: Size, result: Size, factor: Fraction) -> bool:
    """Whether the runtimes' Resize by a factor gives PyTorch's values along an axis.

    They work its size out in single precision, and copy where it stays.
    """
    if isinstance(size, int) and isinstance(result, int):
        scale = single(float(factor))
        exact = result == torch_size(factor, size) == int(single(size * scale)) == int(size * scale)
        return exact and (size != result or factor == 1 or size == 1)
    exact = Fraction(single(float(factor))) == factor and factor.numerator <= PLAIN
    return exact and copied(factor) != 1


def cells_to_spare(factor: Fraction) -> int | None:
    """Copies of the last cell with which Resize makes cells enough; none of them lies further in.

    None where PyTorch copies an axis that stays as it is, and Resize would not always.
    """
    return None if copied(factor) == 1 else ceil(1 / factor)


def resize(
    to: Lowering,
    x: OnnxValue,
    kind: str,
    shape: Shape,
    sizes: OnnxValue | None = None,
    scales: Sequence[int | Fraction] = (),
) -> OnnxValue:
    """A Resize to sizes or by scales; a kind is `nearest`, `linear`, `linear, corners aligned`."""
    listed = to.floats([1.0, 1.0, *map(float, scales)], dtype="float32") if scales else None
    mode, _, corners = kind.partition(", ")
    if mode == "nearest":
        return to.node(
            "Resize",
            [x, None, listed],
            shape,
            mode=mode,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    return to.node(
        "Resize",
        [x, None, listed] if sizes is None else [x, None, None, sizes],
        shape,
        mode=mode,
        coordinate_transformation_mode="align_corners" if corners else "half_pixel",
        cubic_coeff_a=CUBIC,
    )


def resize_spared(
    to: Lowering,
    x: OnnxValue,
    kind: str,
    shape: Shape,
    scales: Sequence[Fraction],
    spare: Sequence[int],
) -> OnnxValue:
    """A Resize by scales of a map with copies of its last cells, what is too much cut off."""
    x = padded(to, x, [(0, n) for n in spare], "replicate")
    beyond = (*shape[:2], *(UNKNOWN for _ in spare))
    x = resize(to, x, kind, beyond, scales=scales)
    axes = range(2, len(shape))
    return to.cut(x, axes, to.ints(*(0 for _ in axes)), to.sizes(shape[2:]), shape)


def nearest(
    to: Lowering,
    x: OnnxValue,
    axis: int,
    size: Size,
    factor: Fraction | None,
    small: OnnxValue | bool,
    shift: float = 0.0,
) -> OnnxValue:
    """The cells that PyTorch takes along an axis; `small` is whether its map is a small one.

    A `shift` of 0.5 takes those at the centres of new ones: `nearest-exact`.
    """
    grown = _Axis(to, x, axis, size, factor, shift)
    if x.shape[axis] == size and factor is None:
        return x
    index = grown.nearest(small)
    return to.node("Gather", [x, index], replaced(x.shape, axis, size), axis=axis)


def is_small(to: Lowering, spatial: Shape) -> OnnxValue | bool:
    """Whether a map of two axes is one in which PyTorch may copy cells."""
    if len(spatial) != 2:
        return False
    around = spatial[0] + spatial[1]
    if isinstance(around, int):
        return around <= SMALL_MAP
    return to.node("LessOrEqual", [to.size_of(around), to.ints(SMALL_MAP)], (1,), "bool")


def interpolated(
    to: Lowering, x: OnnxValue, axis: int, size: Size, factor: Fraction, cubic: bool
) -> OnnxValue:
    """Weighted sums of 2 or 4 cells at the places that a factor gives."""
    grown = _Axis(to, x, axis, size, factor)
    wide = to.ints(-1, *(1 for _ in x.shape[axis + 1 :]))
    total: OnnxValue | None = None
    for index, weight in grown.cubic() if cubic else grown.linear():
        cells = to.node("Gather", [x, index], replaced(x.shape, axis, size), axis=axis)
        spread = to.node("Reshape", [weight, wide], (size, *(1 for _ in x.shape[axis + 1 :])))
        part = to.node("Mul", [cells, to.node("CastLike", [spread, x], dtype=x.dtype)])
        total = part if total is None else to.node("Add", [total, part])
    assert total is not None
    return total


class _Axis:
    """The numbers of an axis that grows from `before` to `after` cells, as values."""

    def __init__(
        self,
        to: Lowering,
        x: OnnxValue,
        axis: int,
        size: Size,
        factor: Fraction | None,
        shift: float = 0.0,
    ) -> None:
        self.to, self.size, self.factor, self.shift = to, size, factor, shift
        self.precise = "float64" if x.dtype == "float64" else "float32"
        self.before, self.after = to.size_of(x.shape[axis]), to.size_of(size)
        self.is_fixed = isinstance(x.shape[axis], int) and isinstance(size, int)
        self.stays = x.shape[axis] == size
        self.counted = counted(to, size)
        self.last = to.node("Sub", [self.before, to.ints(1)])

    # --- nearest -------------------------------------------------------------------------

    def nearest(self, small: OnnxValue | bool) -> OnnxValue:
        """`floor((i + shift) * (in / out))`, or by the factor."""
        special = self.precise == "float64" or copied(self.factor)
        if small is False or not special:
            return self._floor(self.precise)
        index = self._floor("float32")
        times = copied(self.factor)
        if times:
            to = self.to
            held = to.node("Mul", [self.before, to.ints(times)])
            is_copied = to.node("Equal", [self.after, held], (1,), "bool")
            copy = to.node("Div", [self.counted, to.ints(times)])
            index = to.node("Where", [is_copied, copy, index], (self.size,), "int64")
        if small is True:
            return index
        others = self._floor(self.precise)
        return self.to.node("Where", [small, index, others], (self.size,), "int64")

    def _floor(self, dtype: str) -> OnnxValue:
        """Places of a precision, rounded to single precision, then down."""
        to = self.to
        if self.factor is None:
            sizes = [to.node("Cast", [n], dtype=dtype, to=dtype) for n in (self.before, self.after)]
            step = to.node("Div", sizes)
        else:
            step = to.number(1 / float(self.factor), dtype)
        numbers = self._numbers(dtype)
        if self.shift:
            numbers = to.node("Add", [numbers, to.number(self.shift, dtype)])
        place = to.node("Mul", [numbers, step])
        if dtype != "float32":
            place = to.node("Cast", [place], dtype="float32", to="float32")
        index = to.node("Cast", [to.node("Floor", [place])], dtype="int64", to="int64")
        return self._inside(index)

    # --- between cells -------------------------------------------------------------------

    def linear(self) -> Iterator[tuple[OnnxValue, OnnxValue]]:
        """Indices and weights of the two cells around each place."""
        to = self.to
        place = to.node("Max", [self._places(), self._number(0)])
        if copied(self.factor) == 1 and (self.stays or not self.is_fixed):
            stays = to.node("Equal", [self.before, self.after], (1,), "bool")
            numbers = self._numbers(self.precise)
            place = to.node("Where", [stays, numbers, place], (self.size,), self.precise)
        first, rest = self._parted(place)
        yield self._inside(first), to.node("Sub", [self._number(1), rest], (self.size,))
        yield self._inside(to.node("Add", [first, to.ints(1)])), rest

    def cubic(self) -> Iterator[tuple[OnnxValue, OnnxValue]]:
        """Indices and weights of the four cells around each place."""
        to, a = self.to, CUBIC
        first, rest = self._parted(self._places())
        left = to.node("Sub", [self._number(1), rest], (self.size,))
        inner, outer = (a + 2, -(a + 3), 0, 1), (a, -5 * a, 8 * a, -4 * a)
        beyond = [to.node("Add", [t, self._number(1)]) for t in (rest, left)]
        taps = ((-1, beyond[0], outer), (0, rest, inner), (1, left, inner), (2, beyond[1], outer))
        for offset, distance, terms in taps:
            index = to.node("Add", [first, to.ints(offset)])
            index = to.node("Max", [index, to.ints(0)])
            yield self._inside(index), self._polynomial(distance, terms)

    def _places(self) -> OnnxValue:
        """`(i + 0.5) / factor - 0.5`."""
        assert self.factor is not None
        to, half = self.to, self._number(0.5)
        centres = to.node("Add", [self._numbers(self.precise), half])
        scaled = to.node("Mul", [centres, self._number(1 / float(self.factor))])
        return to.node("Sub", [scaled, half])

    def _parted(self, place: OnnxValue) -> tuple[OnnxValue, OnnxValue]:
        """The cell before a place, and how far the place is from it."""
        to = self.to
        floor = to.node("Floor", [place])
        rest = to.node("Sub", [place, floor])
        return to.node("Cast", [floor], dtype="int64", to="int64"), rest

    def _polynomial(self, t: OnnxValue, terms: tuple[float, ...]) -> OnnxValue:
        to = self.to
        total = to.node("Mul", [t, self._number(terms[0])])
        for number in terms[1:-1]:
            total = to.node("Mul", [to.node("Add", [total, self._number(number)]), t])
        return to.node("Add", [total, self._number(terms[-1])])

    def _numbers(self, dtype: str) -> OnnxValue:
        return self.to.node("Cast", [self.counted], dtype=dtype, to=dtype)

    def _number(self, value: float) -> OnnxValue:
        return self.to.number(value, self.precise)

    def _inside(self, index: OnnxValue) -> OnnxValue:
        """No index beyond the last cell."""
        return self.to.node("Min", [index, self.last])
