"""Windows of a map as columns of numbers, and columns added up to a map again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar, cast

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    changed,
    known_channels,
    links,
    need_float,
    per_axis,
    total,
)
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows
from netdsl.ops.cells import Indices, Product, Reads, fixed, reshaped
from netdsl.ops.facts import Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted, padded
from netdsl.ops.params import SIZE, SIZE_OR_VALUE, FromValue, param
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Keywords,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
)
from netdsl.ops.sides import target_size

Parts = tuple[int, ...]
Steps = tuple[int, int, int, int]
"""Kernel, stride, padding and dilation along an axis."""


class _Columns(Op):
    """What both ways share: windows that slide over a map, one column each, rows first."""

    family: ClassVar[str] = "plumbing"
    channels_at: ClassVar[int | None] = 0
    joins_axes: ClassVar[bool] = True

    def _steps(self, rules: Rules) -> list[Steps]:
        """The settings along rows and columns."""
        settings: list[Parts] = []
        for at in "kernel", "stride", "padding", "dilation":
            parts = per_axis(getattr(self, at), 2, rules, at)
            at_least(parts, 0 if at == "padding" else 1, rules, at)
            settings.append(parts)
        return [(k, s, p, d) for k, s, p, d in zip(*settings, strict=True)]

    def _blocks(self, spatial: Shape, rules: Rules) -> tuple[Size, Size]:
        """How many windows fit along each axis of the map."""
        counts: list[Size] = []
        for axis, (size, (k, s, p, d)) in enumerate(zip(spatial, self._steps(rules), strict=True)):
            count = (size + 2 * p - d * (k - 1) - 1) // s + 1
            rules.require(
                count >= 1,
                "kernel",
                f"the {axis_name(2, axis)} {size} is too small for a window of {d * (k - 1) + 1}",
            )
            counts.append(count)
        rows, columns = counts
        return rows, columns

    def _cells_of_window(self) -> int:
        return prod(k for k, *_ in self._steps(Rules()))

    def _links(self, spatial: Shape, channels: Size) -> Size | None:
        """Cells of windows that lie within the map."""
        steps = self._steps(Rules())
        if max(k for k, *_ in steps) > MAX_KERNEL:
            return None
        pairs = zip(spatial, steps, strict=True)
        along = (links(n, 2 * p - d * (k - 1) - 1, k, s, p, d) for n, (k, s, p, d) in pairs)
        return total(along) * channels

    def _settings(self) -> Keywords:
        return changed(
            dilation=(From(self.dilation, "dilation"), 1),  # type: ignore[attr-defined]
            padding=(From(self.padding, "padding"), 0),  # type: ignore[attr-defined]
            stride=(From(self.stride, "stride"), 1),  # type: ignore[attr-defined]
        )

    def _taps(self) -> list[Parts]:
        """The cells of a window, in the order of its channels."""
        return list(product(*(range(k) for k, *_ in self._steps(Rules()))))


@dataclass(frozen=True)
class Unfold(_Columns):
    """Each window of a map as a column: [C, H, W] becomes [C*k*k, number of windows].

    unfold(3): [8, 6, 7] -> [72, 20]
    unfold((2, 3), stride=2, padding=(0, 1)): [4, 6, 6] -> [24, 9]
    """

    name: ClassVar[str] = "unfold"
    work: ClassVar[Work] = Work.SELECTS
    kernel: int | Parts = param(SIZE, "size of a window")
    stride: int | Parts = param(SIZE, "step from one window to the next", 1)
    padding: int | Parts = param(SIZE, "cells of zero on each side", 0)
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        if x.rank != 3:
            rules.refuse(
                "in", f"`unfold` works on maps [C, H, W], and {x} comes in", code="wrong-rank"
            )
        channels = known_channels(x, rules, self.name)
        blocks = self._blocks(x.spatial, rules)
        return (x.with_shape(channels * self._cells_of_window(), total(blocks)),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        return self._links(inputs[0].spatial, inputs[0].channels)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (UNKNOWN,) * 2

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        spatial = fixed(inputs[0].spatial)
        blocks = fixed(self._blocks(spatial, Rules()))
        boxes = reshaped((wanted[1],), fixed(outputs[0].shape[1:]), blocks)
        pieces: Reads = []
        for number, taps in enumerate(self._taps()):
            channels = _share(wanted[0], number, self._cells_of_window())
            for box in boxes if channels else ():
                axes = zip(box, taps, spatial, self._steps(Rules()), strict=True)
                cells = (_at(own, tap, size, steps) for own, tap, size, steps in axes)
                pieces.append((0, (channels, *cells)))
        return pieces

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.kernel, "kernel"),)
        call = TorchCall("F.unfold", (In(0), *args), self._settings())
        return TorchModule("nn.Unfold", args, self._settings(), call=call)

    def onnx(self, to: Lowering) -> OnnxValue:
        """Rows and columns of all windows are gathered from the padded map, one after the other."""
        steps = self._steps(Rules())
        batch, channels, *_ = to.inputs[0].shape
        blocks = self._blocks(to.tensors[0].spatial, Rules())
        x = padded(to, to.inputs[0], [(p, p) for _, _, p, _ in steps])
        (high, *_), (wide, *_) = steps
        rows, columns = (_places(to, count, own) for count, own in zip(blocks, steps, strict=True))
        x = to.node("Gather", [x, rows], (batch, channels, high, blocks[0], x.shape[3]), axis=2)
        x = to.node("Gather", [x, columns], (*x.shape[:4], wide, blocks[1]), axis=4)
        return to.reshape(to.transpose(x, 0, 1, 2, 4, 3, 5), to.result())


@dataclass(frozen=True)
class Fold(_Columns):
    """Columns back to a map: `unfold` the other way; where windows overlap, they are added up.

    fold(3, size=(6, 7)): [72, 20] -> [8, 6, 7]
    fold(2, size=(4, 6), stride=2): [16, 6] -> [4, 4, 6]
    """

    name: ClassVar[str] = "fold"
    work: ClassVar[Work] = Work.COMPUTES
    elsewhere: ClassVar[str] = "col2im"

    kernel: int | Parts = param(SIZE, "size of a window")
    size: object = param(
        SIZE_OR_VALUE, "height and width of the map, or a value whose size they are", told="to {}"
    )
    stride: int | Parts = param(SIZE, "step from one window to the next", 1)
    padding: int | Parts = param(SIZE, "cells of zero that were on each side", 0)
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, self.name)
        if x.rank != 2:
            rules.refuse(
                "in",
                f"`fold` works on columns [C*k*k, number of windows], and {x} comes in",
                code="wrong-rank",
            )
        spatial = target_size(self.size, inputs, 2, rules)
        for axis, size in enumerate(spatial):
            rules.require(size >= 1, "size", f"a {axis_name(2, axis)} of {size} can't be")
        blocks = self._blocks(spatial, rules)
        channels, cells = known_channels(x, rules, self.name), self._cells_of_window()
        if channels % cells:
            rules.refuse(
                "kernel",
                f"a window has {cells} cells, which do not divide the {channels} channels",
                code="bad-argument",
            )
        rules.require(
            equal(x.shape[1], total(blocks)),
            "size",
            f"{blocks[0]} times {blocks[1]} windows lie in that map, and {x.shape[1]} come in",
        )
        return (x.with_shape(channels // cells, *spatial),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        return self._links(outputs[0].spatial, outputs[0].channels)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (UNKNOWN,)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        blocks = fixed(self._blocks(outputs[0].spatial, Rules()))
        pieces: Reads = []
        for number, taps in enumerate(self._taps()):
            axes = zip(wanted[1:], taps, blocks, self._steps(Rules()), strict=True)
            rows, columns = (_holding(own, tap, count, steps) for own, tap, count, steps in axes)
            channels = frozenset(c * self._cells_of_window() + number for c in wanted[0])
            places = frozenset(i * blocks[1] + j for i in rows for j in columns)
            if places:
                pieces.append((0, (channels, places)))
        return pieces

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        if isinstance(self.size, FromValue):
            size: TorchValue = Code(f"{{{self.size.index}}}.shape[-2:]")
        else:
            size = cast("tuple[Size, ...]", per_axis(self.size, 2, Rules(), "size"))
        return TorchCall("F.fold", (In(0), size, From(self.kernel, "kernel")), self._settings())

    def onnx(self, to: Lowering) -> OnnxValue:
        steps = self._steps(Rules())
        kernel, stride, padding, dilation = (list(parts) for parts in zip(*steps, strict=True))
        shapes = [to.sizes(to.results[0].spatial), to.ints(*kernel)]
        return to.node(
            "Col2Im",
            [to.inputs[0], *shapes],
            to.result(),
            None,
            strides=stride,
            pads=padding + padding,
            dilations=dilation,
        )


def _share(channels: Indices, number: int, cells: int) -> Indices:
    """The channels of the map whose column of cell `number` is wanted."""
    return frozenset(c // cells for c in channels if c % cells == number)


def _at(blocks: Indices, tap: int, size: int, steps: Steps) -> Indices:
    """The cells at one place of some windows; those of padding are none."""
    _, s, p, d = steps
    return frozenset(c for c in (b * s - p + tap * d for b in blocks) if 0 <= c < size)


def _holding(cells: Indices, tap: int, count: int, steps: Steps) -> Indices:
    """The windows that have some cell at one place."""
    _, s, p, d = steps
    found = (divmod(cell + p - tap * d, s) for cell in cells)
    return frozenset(block for block, rest in found if not rest and 0 <= block < count)


def _places(to: Lowering, count: Size, steps: Steps) -> OnnxValue:
    """For each cell of a window its place in the padded axis, of every window: [k, count]."""
    k, s, _, d = steps
    starts = to.node("Mul", [counted(to, count), to.ints(s)])
    taps = to.node("Reshape", [to.ints(*(tap * d for tap in range(k))), to.ints(k, 1)], (k, 1))
    return to.node("Add", [taps, starts], (k, count))
