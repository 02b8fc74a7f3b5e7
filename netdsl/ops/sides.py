"""Adding and removing cells at the borders of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from netdsl.ir.dim import Dim, Size, ceil_div, floor_div
from netdsl.ir.drift import steady
from netdsl.ops.axes import axis_name, is_fixed, per_axis, spatial_rank
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Window, Windows, elements
from netdsl.ops.cells import Product, Reads, bordered, fixed
from netdsl.ops.facts import SizeText, Storage
from netdsl.ops.levels import LEVELS, MOST
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import (
    FLOAT,
    SIZE_OR_VALUE,
    SYMBOLIC_SIZE,
    FromValue,
    choice,
    param,
)
from netdsl.ops.promotion import check_range, kind_of
from netdsl.ops.recipe import (
    From,
    In,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)

SIDES = (("front", "back"), ("top", "bottom"), ("left", "right"))
"""Names of the two sides of each axis: depth, height, width (or length)."""
ROUNDINGS = ("floor", "round", "ceil")
"""How half a cell is rounded; `round` gives even numbers."""


@dataclass(frozen=True)
class Pad(Op):
    """Adds cells at the borders: the same on all sides, an amount for each axis, or by side.

    `left`, `right`, `top`, `bottom`, `front`, `back` are added to `amount`.

        pad(1): [3, 8, 8] -> [3, 10, 10]
        pad(right=1, bottom=2): [3, 8, 8] -> [3, 10, 9]
        pad((0, 3), mode=reflect): [3, 8, 8] -> [3, 8, 14]
    """

    name: ClassVar[str] = "pad"
    family: ClassVar[str] = "size"
    elsewhere: ClassVar[str] = "zeropadding zeropad pad"

    amount: object = param(
        SYMBOLIC_SIZE,
        "cells on both sides, one for all axes or one each",
        0,
        told="{} on each side",
    )
    left: object = param(SYMBOLIC_SIZE, "more cells before the width", 0)
    right: object = param(SYMBOLIC_SIZE, "more cells after the width", 0)
    top: object = param(SYMBOLIC_SIZE, "more cells before the height", 0)
    bottom: object = param(SYMBOLIC_SIZE, "more cells after the height", 0)
    front: object = param(SYMBOLIC_SIZE, "more cells before the depth", 0)
    back: object = param(SYMBOLIC_SIZE, "more cells after the depth", 0)
    mode: str = param(
        choice("constant", "reflect", "replicate", "circular"),
        "what the cells hold",
        "constant",
        told="{}",
    )
    value: float = param(FLOAT, "the constant", 0.0)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        rank = spatial_rank(x, rules, "pad")
        if self.mode != "constant" and self.value:
            rules.refuse("value", "a value goes with mode constant only", code="bad-argument")
        check_cell(self.value, x.dtype, rules, "value")
        if self.mode != "constant" and not x.is_float:
            rules.refuse(
                "mode", f"mode {self.mode} works on floats, not on {x}", code="wrong-dtype"
            )
        sizes: list[Size] = []
        for axis, (size, (before, after)) in enumerate(
            zip(x.spatial, self._amounts(rank, rules), strict=True)
        ):
            self._check(size, before, after, axis_name(rank, axis), rules)
            sizes.append(size + before + after)
        return (x.with_shape(x.channels, *sizes),)

    def _amounts(self, rank: int, rules: Rules) -> list[tuple[Size, Size]]:
        both = per_axis(self.amount, rank, rules, "amount")
        for sides in SIDES[: 3 - rank]:
            for side in sides:
                if getattr(self, side) != 0:
                    rules.refuse(side, f"the map has no {side}", code="wrong-rank")
        named = [(getattr(self, a), getattr(self, b)) for a, b in SIDES[3 - rank :]]
        return [(n + a, n + b) for n, (a, b) in zip(both, named, strict=True)]  # type: ignore[operator]

    def _check(self, size: Size, before: Size, after: Size, name: str, rules: Rules) -> None:
        for added in before, after:
            rules.require(
                added >= 0,
                "amount",
                f"the padding of the {name} is {added}, and can't be below 0",
                help="`crop` takes cells away",
            )
            if self.mode == "reflect":
                rules.require(
                    size > added,
                    "amount",
                    f"reflection by {added} needs a larger {name} than {size}",
                )
            if self.mode == "circular":
                rules.require(
                    size >= added,
                    "amount",
                    f"wrapping by {added} needs a {name} of that, not {size}",
                )

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """A constant is read from nowhere."""
        return elements(inputs if self.mode == "constant" else outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return tuple(
            UNKNOWN
            if self.mode == "circular" and (before, after) != (0, 0)
            else replace(cut(-before), mirrors=self.mode == "reflect")
            for before, after in self._amounts(inputs[0].rank - 1, Rules())
        )

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        amounts = self._amounts(inputs[0].rank - 1, Rules())
        before = fixed([n for n, _ in amounts])
        mode = "zeros" if self.mode == "constant" else self.mode
        axes = (
            bordered((i - start for i in cells), size, mode)
            for cells, size, start in zip(wanted[1:], fixed(inputs[0].spatial), before, strict=True)
        )
        return [(0, (wanted[0], *axes))]

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        """Amounts that depend on sizes are long, and the result's shape tells them."""
        if not any(isinstance(value, Dim) for _, value in self.settings()):
            return super().told(inputs, outputs, size)
        return (self.mode,) if self.mode != "constant" else ()

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        amounts = reversed(self._amounts(inputs[0].rank - 1, Rules()))
        flat = tuple(n for pair in amounts for n in pair)
        mode = keywords(mode=self.mode) if self.mode != "constant" else ()
        value = keywords(value=From(self.value, "value")) if self.value else ()
        return TorchCall("F.pad", (In(0), flat), (*mode, *value))

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        return padded(to, x, self._amounts(to.tensors[0].rank - 1, Rules()), self.mode, self.value)


class _Cropping(Op):
    """What layers share that keep a part of a map, which PyTorch does not copy."""

    family: ClassVar[str] = "size"
    keeps: ClassVar[str] = "nothing"

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        is_whole = inputs[0].spatial == outputs[0].spatial
        return Storage.VIEW if is_whole else Storage.STRIDED


@dataclass(frozen=True)
class Crop(_Cropping):
    """Keeps `size` cells of each axis, from `offset` on.

    crop(6): [3, 8, 8] -> [3, 6, 6]
    crop(4x5, offset=(1, 2)): [3, 8, 8] -> [3, 4, 5]
    """

    name: ClassVar[str] = "crop"

    size: object = param(
        SIZE_OR_VALUE, "cells to keep, or a value whose size is kept", told="to {}"
    )
    offset: object = param(SYMBOLIC_SIZE, "cells left out before, an axis each", 0)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        rank = spatial_rank(x, rules, "crop")
        wanted = target_size(self.size, inputs, rank, rules)
        offsets = per_axis(self.offset, rank, rules, "offset")
        for axis, (size, length, start) in enumerate(zip(x.spatial, wanted, offsets, strict=True)):
            name = axis_name(rank, axis)
            rules.require(length >= 1, "size", f"a {name} of {length} can't be kept")
            rules.require(start >= 0, "offset", f"the offset {start} is below 0")  # type: ignore[operator]
            rules.require(
                start + length <= size,  # type: ignore[operator]
                "size",
                f"{length} cells from {start} on don't fit in the {name} {size}",
            )
        return (x.with_shape(x.channels, *wanted),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        offsets = per_axis(self.offset, inputs[0].rank - 1, Rules(), "offset")
        return tuple(map(cut, offsets))  # type: ignore[arg-type]

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        offsets = per_axis(self.offset, inputs[0].rank - 1, Rules(), "offset")
        return [(0, shifted(wanted, offsets))]  # type: ignore[arg-type]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        offsets = per_axis(self.offset, inputs[0].rank - 1, Rules(), "offset")
        return narrowed(list(outputs[0].spatial), list(offsets))  # type: ignore[arg-type]

    def onnx(self, to: Lowering) -> OnnxValue:
        offsets = per_axis(self.offset, to.tensors[0].rank - 1, Rules(), "offset")
        return kept_cells(to, list(offsets))  # type: ignore[arg-type]


@dataclass(frozen=True)
class CenterCrop(_Cropping):
    """Keeps the middle `size` cells of each axis.

    Where the rest is odd, the end loses one more. torchvision's `CenterCrop` is
    `rounding=round`: of 3 cells it takes 2 from the start, of 1 and 5 it takes 0 and 2.

        center_crop(5x4): [3, 8, 8] -> [3, 5, 4]
        center_crop(5, rounding=ceil): [3, 8, 8] -> [3, 5, 5]
    """

    name: ClassVar[str] = "center_crop"

    size: object = param(
        SIZE_OR_VALUE, "cells to keep, or a value whose size is kept", told="to {}"
    )
    rounding: str = param(
        choice(*ROUNDINGS),
        "what becomes of half a cell in front: `round` is to an even number, as torchvision does",
        "floor",
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        rank = spatial_rank(x, rules, "center_crop")
        wanted = target_size(self.size, inputs, rank, rules)
        for axis, (size, length) in enumerate(zip(x.spatial, wanted, strict=True)):
            name = axis_name(rank, axis)
            rules.require(length >= 1, "size", f"a {name} of {length} can't be kept")
            rules.require(
                length <= size, "size", f"{length} cells can't be cut from a {name} of {size}"
            )
        return (x.with_shape(x.channels, *wanted),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        return tuple(cut(half(size - length, self.rounding)) for size, length in pairs)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        return [(0, shifted(wanted, [half(size - n, self.rounding) for size, n in pairs]))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        sizes, lengths = inputs[0].spatial, outputs[0].spatial
        if self.rounding == "round" and is_fixed(lengths) and not is_fixed(sizes):
            return _center(lengths)
        pairs = zip(sizes, lengths, strict=True)
        return narrowed(list(lengths), [half(size - n, self.rounding) for size, n in pairs])

    def onnx(self, to: Lowering) -> OnnxValue:
        pairs = zip(to.tensors[0].spatial, to.results[0].spatial, strict=True)
        return kept_cells(to, [half(size - n, self.rounding) for size, n in pairs])


def half(rest: Size, rounding: str) -> Size:
    """Half of what is left over, a half cell rounded: down, up, or to an even number."""
    if rounding == "floor":
        return floor_div(rest, 2)
    if rounding == "ceil":
        return ceil_div(rest, 2)
    return floor_div(rest + 1, 4) + floor_div(rest + 2, 4)


def _center(lengths: Sequence[Size]) -> TorchRecipe:
    """The middle of maps of open sizes, whose offsets are long to write."""
    return TorchModule("CenterCrop", (From(tuple(lengths), "size"),), helper="crops")


def check_cell(value: float, dtype: str, rules: Rules, at: str) -> None:
    """Refuses a number that a cell can't hold: PyTorch would fill it with another one."""
    if dtype == LEVELS and not (0 <= value <= MOST and value % 1 == 0):
        message = f"a level is a whole number from 0 to {MOST}, not {value:g}"
        rules.refuse(at, message, code="bad-argument")
    if kind_of(dtype) < 2 and value % 1:
        rules.refuse(at, f"{value} is no {dtype}", code="bad-argument")
    check_range(value, dtype, rules, at)


def cut(offset: Size) -> Window:
    """The one cell that a place sees where cells are cut off, or (below 0) added, before the first.

    An open offset that stays between two numbers gives the cells between these.
    """
    if isinstance(offset, int):
        return Window(1, start=Fraction(offset))
    bounds = steady(offset)
    if bounds is None:
        return UNKNOWN
    least, most = bounds
    return Window(1 + most - least, start=Fraction(least), is_loose=most > least)


def shifted(wanted: Product, offsets: Sequence[Size]) -> Product:
    """The cells of the map that a cut from the offsets on shows."""
    pairs = zip(wanted[1:], fixed(offsets), strict=True)
    return (wanted[0], *(frozenset(start + i for i in cells) for cells, start in pairs))


def target_size(size: object, inputs: Tensors, rank: int, rules: Rules) -> tuple[Size, ...]:
    """The sizes asked for: numbers, or those of another value of the same rank."""
    if not isinstance(size, FromValue):
        return per_axis(size, rank, rules, "size")  # type: ignore[return-value]
    other = inputs[size.index]
    if other.rank != rank + 1:
        rules.refuse(
            "size",
            f"the size is that of {other}, and the map has {rank} spatial axes",
            code="wrong-rank",
        )
    return other.spatial


def narrowed(sizes: list[Size], offsets: list[Size]) -> TorchRecipe:
    """`x[:, :, a:a + n, ...]`: the slices as a recipe."""
    cuts: list[TorchValue] = [None]
    for size, offset in zip(sizes, offsets, strict=True):
        cuts.append((offset, offset + size))
    return TorchCall("[]", (In(0), None, *cuts))


def kept_cells(to: Lowering, offsets: list[Size]) -> OnnxValue:
    """The result's cells from the offsets on."""
    x, shape = to.inputs[0], to.result()
    ends = [offset + size for offset, size in zip(offsets, shape[2:], strict=True)]
    axes = range(2, len(shape))
    return to.cut(x, axes, to.sizes(offsets), to.sizes(ends), shape)
