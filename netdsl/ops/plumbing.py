"""Layers that move elements and compute none: identity, parts of a value, shuffled channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from netdsl.ir.condition import divides, equal, positive
from netdsl.ir.dim import Size, ceil_div
from netdsl.ir.sequences import is_list
from netdsl.ops.axes import (
    AXIS,
    along,
    at_least,
    axis_index,
    check_divides,
    is_fixed,
    known_channels,
    total,
)
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, replaced
from netdsl.ops.facts import Storage, Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import INT, SYMBOLIC, Kind, Mismatch, either, param
from netdsl.ops.recipe import From, In, TorchCall, TorchModule, TorchRecipe, keywords
from netdsl.ops.sides import cut

BEYOND = 2**31 - 1
"""No axis has so many cells."""


class Identity(Op):
    """The value as it comes in.

    identity: [64, 7, 7] -> [64, 7, 7]
    """

    name: ClassVar[str] = "identity"
    family: ClassVar[str] = "plumbing"
    work: ClassVar[Work] = Work.PASSES
    in_place: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "passthrough"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        return inputs

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule("nn.Identity", call=TorchCall("", (In(0),)))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.inputs[0]


def _count_or_sizes(value: object) -> object:
    if is_list(value):
        return tuple(SYMBOLIC.convert(item) for item in value)
    try:
        return INT.convert(value)
    except Mismatch as mismatch:
        raise Mismatch(f"{mismatch}, nor a list of sizes") from None


COUNT_OR_SIZES = Kind("int | [int]", _count_or_sizes)


class _Cutting(Op):
    """What layers share that give parts of an axis."""

    family: ClassVar[str] = "plumbing"
    keeps: ClassVar[str] = "nothing"
    work: ClassVar[Work] = Work.SELECTS
    takes_weights: ClassVar[bool] = True

    def cut_axis(self, rank: int) -> int | None:
        return axis_index(self.axis, rank, Rules())  # type: ignore[attr-defined]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.STRIDED if self.cut_axis(inputs[0].rank) else Storage.VIEW


@dataclass(frozen=True)
class Split(_Cutting):
    """Cuts a value along an axis into n equal parts, or into parts of the sizes listed.

    split(2): [64, 8, 8] -> [32, 8, 8], [32, 8, 8]
    split([1, 3], axis=-1): [8, 4] -> [8, 1], [8, 3]
    split([T - 1, 1], axis=0): [T, 8] -> [T - 1, 8], [1, 8]
    """

    name: ClassVar[str] = "split"
    gives_several: ClassVar[bool] = True

    parts: int | tuple[Size, ...] = param(
        COUNT_OR_SIZES, "number of parts, or their sizes", told="parts: {}"
    )
    axis: int | str = param(AXIS, "the axis that is cut", "channels", tries=("channels", 0, -1, 1))

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        axis = axis_index(self.axis, x.rank, rules)
        sizes = self._sizes(x.shape[axis], rules)
        return tuple(x.with_shape(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in sizes)

    def _sizes(self, size: Size, rules: Rules) -> list[Size]:
        if isinstance(self.parts, tuple):
            whole: Size = 0
            for part in self.parts:
                message = f"a part is at least 1, not {part}"
                rules.require(positive(part), "parts", message, code="bad-argument")
                whole = whole + part
            rules.require(
                equal(whole, size),
                "parts",
                f"the parts add up to {whole}, and the axis is {size}",
                code="bad-argument",
            )
            return list(self.parts)
        at_least((self.parts,), 1, rules, "parts")
        if self.parts > 10_000:
            rules.refuse("parts", "at most 10,000 parts", code="too-large")
        rules.require(
            divides(self.parts, size),
            "parts",
            f"{self.parts} parts do not divide the axis, which is {size}",
            code="bad-argument",
            help=self._listed(size),
        )
        return [size // self.parts] * self.parts

    def _listed(self, size: Size) -> str:
        """The same number of parts, as equal as they can be, by their sizes."""
        if not isinstance(size, int) or not isinstance(self.parts, int) or size < self.parts:
            return ""
        whole, left = divmod(size, self.parts)
        sizes = [whole + (i < left) for i in range(self.parts)]
        return f"parts of several sizes are listed: `split({sizes})`" if self.parts <= 8 else ""

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Each part sees cells of its own."""
        axis = axis_index(self.axis, inputs[0].rank, Rules())
        return along(inputs[0], axis, UNKNOWN)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axis = axis_index(self.axis, inputs[0].rank, Rules())
        before = sum(fixed(part.shape)[axis] for part in outputs[:result])
        return [(0, replaced(wanted, axis, (before + i for i in wanted[axis])))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        axis = axis_index(self.axis, inputs[0].rank, Rules()) + inputs[0].batched
        if len(outputs) == 1:  # where PyTorch gives a tuple
            return TorchCall("", (In(0),))
        if isinstance(self.parts, tuple):
            sizes = From(list(self.parts), "parts")
            return TorchCall(".split", (In(0), sizes), keywords(dim=axis))
        return TorchCall(".chunk", (In(0), From(self.parts, "parts")), keywords(dim=axis))

    def onnx(self, to: Lowering) -> tuple[OnnxValue, ...]:
        (x,) = to.inputs
        axis = to.axis(axis_index(self.axis, to.tensors[0].rank, Rules()))
        shapes = [to.full(result) for result in to.results]
        sizes = [shape[axis] for shape in shapes]
        if len(sizes) == 1:
            return (x,)
        if isinstance(self.parts, tuple) or is_fixed(sizes):
            return to.split("Split", [x, to.sizes(sizes)], shapes, axis=axis)
        return to.split("Split", [x], shapes, axis=axis, num_outputs=len(sizes))


@dataclass(frozen=True)
class Slice(_Cutting):
    """The cells `start`, `start + step`, ... below `stop` of an axis; negative ends count back.

    slice(channels, 0, 16): [64, 8, 8] -> [16, 8, 8]
    slice(0, 1): [197, 768] -> [196, 768]
    slice(-1, 0, -1, step=2): [8, 9] -> [8, 4]
    slice(1, 0, T - 2): [8, T] -> [8, T - 2]
    """

    name: ClassVar[str] = "slice"

    axis: int | str = param(AXIS, "the axis that is cut")
    start: Size = param(SYMBOLIC, "the first cell kept", 0, told="from {}")
    stop: Size | str = param(
        either(SYMBOLIC, "end"), "the cell after the last one kept", "end", told="to {}"
    )
    step: int = param(INT, "distance from one kept cell to the next", 1)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        axis = axis_index(self.axis, x.rank, rules)
        at_least((self.step,), 1, rules, "step")
        if isinstance(self.stop, int) and self.stop >= BEYOND:
            rules.refuse(
                "stop", f"no axis has a cell {self.stop}", code="bad-argument", help="write `end`"
            )
        size = x.shape[axis]
        first, end = self._ends(size)
        rules.require(first >= 0, "start", f"cell {self.start} is outside of an axis of {size}")
        rules.require(
            end <= size,
            "stop",
            f"cell {self.stop} is outside of an axis of {size}",
            help="what runs to the end of the axis is written without `stop`, or to `end`",
        )
        length = ceil_div(end - first, self.step)
        message = f"nothing is left from {self.start} to {self.stop}"
        rules.require(positive(length), "stop", message)
        return (x.with_shape(*x.shape[:axis], length, *x.shape[axis + 1 :]),)

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return super().storage(inputs, outputs) if self.step == 1 else Storage.STRIDED

    def _ends(self, size: Size) -> tuple[Size, Size]:
        """The cells of the axis that the ends mean; what is open counts from the first one."""
        stop = size if isinstance(self.stop, str) else self.stop
        first, end = (size + n if isinstance(n, int) and n < 0 else n for n in (self.start, stop))
        return first, end

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        axis = axis_index(self.axis, inputs[0].rank, Rules())
        first, _ = self._ends(inputs[0].shape[axis])
        window = cut(first)
        seen = window if window == UNKNOWN else replace(window, stride=Fraction(self.step))
        return tuple(seen if i == axis else POINTWISE for i, _ in enumerate(inputs[0].spatial, 1))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axis = axis_index(self.axis, inputs[0].rank, Rules())
        (first,) = fixed(self._ends(inputs[0].shape[axis])[:1])
        return [(0, replaced(wanted, axis, (first + i * self.step for i in wanted[axis])))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        axis = axis_index(self.axis, inputs[0].rank, Rules()) + inputs[0].batched
        stop = None if isinstance(self.stop, str) else self.stop
        cells = (self.start, stop) if self.step == 1 else (self.start, stop, self.step)
        return TorchCall("[]", (In(0), *((None,) * axis), cells))

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        axis = to.axis(axis_index(self.axis, to.tensors[0].rank, Rules()))
        stop = BEYOND if isinstance(self.stop, str) else self.stop
        ends = [to.sizes([self.start]), to.sizes([stop])]
        return to.node("Slice", [x, *ends, to.ints(axis), to.ints(self.step)], to.result())


@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Mixes the channels of groups: [g*n] becomes [n*g] (Zhang et al. 2018).

    channel_shuffle(2): [116, 28, 28] -> [116, 28, 28]
    """

    name: ClassVar[str] = "channel_shuffle"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "plumbing"
    channels_at: ClassVar[int | None] = 0
    elsewhere: ClassVar[str] = "channelshuffle nativechannelshuffle"

    groups: int = param(INT, "number of groups, which divide the channels", told="{} groups")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if x.rank < 2:
            rules.refuse(
                "in", f"`channel_shuffle` works on maps, and {x} comes in", code="wrong-rank"
            )
        channels = known_channels(x, rules, "channel_shuffle")
        check_divides(self.groups, "groups", channels, "channels", rules)
        return inputs

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        (channels,) = fixed(inputs[0].shape[:1])
        groups, inside = self.groups, channels // self.groups
        return [(0, replaced(wanted, 0, (i % groups * inside + i // groups for i in wanted[0])))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.groups, "groups"),)
        return TorchModule("nn.ChannelShuffle", args)

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        channels = to.tensors[0].channels
        assert isinstance(channels, int)
        groups, inside = self.groups, channels // self.groups
        rest = total(x.shape[2:])
        apart = to.node(
            "Reshape", [x, to.ints(0, groups, inside, -1)], (x.shape[0], groups, inside, rest)
        )
        mixed = to.transpose(apart, 0, 2, 1, 3)
        whole = to.node("Shape", [x], (len(x.shape),), "int64")
        return to.node("Reshape", [mixed, whole], x.shape)
