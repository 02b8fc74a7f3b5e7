"""Parts of an image at places of their own: cropped or padded to a size, corners and middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size, floor_div, maximum, minimum
from netdsl.ir.tensor import Shape
from netdsl.ops.axes import axis_name, per_axis, spatial_rank
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, bordered, fixed
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import INT, SIZE, SIZE_OR_VALUE, param
from netdsl.ops.recipe import From, In, TorchCall, TorchModule, TorchRecipe
from netdsl.ops.sides import cut, half, target_size

FAR = 2**31 - 1
"""No axis has so many cells."""
FIVE, TEN = 5, 10


@dataclass(frozen=True)
class CropOrPad(Op):
    """The middle of a map in a given size, with zeros around it where the map is smaller.

    TensorFlow's `tf.image.resize_with_crop_or_pad`: each axis by itself is cut, or filled up;
    where an odd number is cut or added, one more of it is at the end.

        crop_or_pad(224): [3, H, W] -> [3, 224, 224]
        crop_or_pad(4x10): [3, 8, 8] -> [3, 4, 10]
    """

    name: ClassVar[str] = "crop_or_pad"
    family: ClassVar[str] = "size"
    elsewhere: ClassVar[str] = "resizewithcroporpad resizeimagewithcroporpad"

    size: object = param(
        SIZE_OR_VALUE, "size of the result, or a value whose size it takes", told="to {}"
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        rank = spatial_rank(x, rules, "crop_or_pad")
        wanted = target_size(self.size, inputs, rank, rules)
        for axis, length in enumerate(wanted):
            name = axis_name(rank, axis)
            rules.require(length >= 1, "size", f"the {name} would be {length}, not 1 or more")
        return (x.with_shape(x.channels, *wanted),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """A zero that is added is read from nowhere."""
        count = inputs[0].channels
        for size, length in zip(inputs[0].spatial, outputs[0].spatial, strict=True):
            count = count * minimum(size, length)
        return count

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return tuple(map(cut, _offsets(inputs[0].spatial, outputs[0].spatial)))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        sizes = fixed(inputs[0].spatial)
        starts = fixed(_offsets(sizes, outputs[0].spatial))
        axes = zip(wanted[1:], sizes, starts, strict=True)
        places = (bordered((i + start for i in cells), size) for cells, size, start in axes)
        return [(0, (wanted[0], *places))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        """`F.pad`, which cuts where an amount is below 0."""
        sizes, lengths = inputs[0].spatial, outputs[0].spatial
        starts = _offsets(sizes, lengths)
        axes = reversed(list(zip(sizes, lengths, starts, strict=True)))
        amounts = [n for size, length, start in axes for n in (-start, length - size + start)]
        return TorchCall("F.pad", (In(0), tuple(amounts)))

    def onnx(self, to: Lowering) -> OnnxValue:
        x, lengths = to.inputs[0], to.result()[2:]
        sizes = x.shape[2:]
        starts = [maximum(0, start) for start in _offsets(sizes, lengths)]
        shown = [minimum(size, n) for size, n in zip(sizes, lengths, strict=True)]
        ends = [start + n for start, n in zip(starts, shown, strict=True)]
        axes = range(2, len(x.shape))
        if tuple(shown) != sizes:
            shape = (*x.shape[:2], *shown)
            x = to.cut(x, axes, to.sizes(starts), to.sizes(ends), shape)
        missing = [n - part for n, part in zip(lengths, shown, strict=True)]
        return padded(to, x, [(floor_div(n, 2), n - floor_div(n, 2)) for n in missing])


def _offsets(sizes: Shape, lengths: Shape) -> list[Size]:
    """The cell that comes first along each axis; below 0 where zeros come before it."""
    rests = [size - length for size, length in zip(sizes, lengths, strict=True)]
    return [maximum(0, floor_div(n, 2)) - maximum(0, floor_div(-n, 2)) for n in rests]


@dataclass(frozen=True)
class Crops(Op):
    """The four corners of an image and its middle; `n=10` adds those of the mirrored image.

    They stand along a new axis 0 in the order of torchvision's `FiveCrop` and `TenCrop`: top left,
    top right, bottom left, bottom right, middle. The mean over them is written
    `crops(224, n=10) -> each { Net } -> mean(axis=0)`.

        crops(224): [3, 256, 256] -> [5, 3, 224, 224]
        crops(6x4, n=10): [3, 8, 8] -> [10, 3, 6, 4]
    """

    name: ClassVar[str] = "crops"
    family: ClassVar[str] = "size"
    joins_axes: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "fivecrop tencrop"

    size: int | tuple[int, ...] = param(SIZE, "size of each crop", told="to {}")
    n: int = param(
        INT, "5, or 10 with the mirrored ones", FIVE, told="{} of them", tries=(5, 10, 3)
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if x.rank != 3:
            message = f"`crops` works on images [C, H, W], and {x} comes in"
            rules.refuse("in", message, code="wrong-rank")
        if self.n not in (FIVE, TEN):
            message = f"there are 5 crops, or 10 with the mirrored ones, not {self.n}"
            rules.refuse("n", message, code="bad-argument", help="write `n=5` or `n=10`")
        wanted = per_axis(self.size, 2, rules, "size")
        for axis, (size, length) in enumerate(zip(x.spatial, wanted, strict=True)):
            name = axis_name(2, axis)
            rules.require(length >= 1, "size", f"a {name} of {length} can't be kept")
            rules.require(
                length <= size, "size", f"{length} cells can't be cut from a {name} of {size}"
            )
        return (x.with_shape(self.n, *x.shape[:1], *wanted),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Each crop sees cells of its own."""
        return (UNKNOWN, UNKNOWN)

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return (None, 0, 1, 2)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        _, width = fixed(inputs[0].spatial)
        numbers, channels, rows, columns = wanted
        reads: Reads = []
        for number in numbers:
            top, left = fixed(_corners(inputs[0].spatial, outputs[0].shape[2:])[number % FIVE])
            across = (left + i for i in columns)
            seen = (width - 1 - i for i in across) if number >= FIVE else across
            reads.append((0, (channels, frozenset(top + i for i in rows), frozenset(seen))))
        return reads

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(tuple(outputs[0].shape[2:]), "size"), From(self.n, "n"))
        return TorchModule("Crops", args, helper="crops")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,), shape = to.inputs, to.result()
        parts = self._five(to, x, shape[3:])
        if self.n == TEN:
            ends = to.ints(-1), to.ints(-FAR), to.ints(3), to.ints(-1)
            parts += self._five(to, to.node("Slice", [x, *ends]), shape[3:])
        return to.node("Concat", parts, shape, axis=1)

    def _five(self, to: Lowering, x: OnnxValue, lengths: Sequence[Size]) -> list[OnnxValue]:
        parts: list[OnnxValue] = []
        for start in _corners(x.shape[2:], lengths):
            ends = [at + n for at, n in zip(start, lengths, strict=True)]
            shape = (*x.shape[:2], *lengths)
            part = to.cut(x, [2, 3], to.sizes(start), to.sizes(ends), shape)
            parts.append(to.node("Unsqueeze", [part, to.ints(1)], (shape[0], 1, *shape[1:])))
        return parts


def _corners(sizes: Sequence[Size], lengths: Sequence[Size]) -> list[tuple[Size, Size]]:
    """Where each of the five crops begins."""
    bottom, right = (size - n for size, n in zip(sizes, lengths, strict=True))
    middle = half(bottom, "round"), half(right, "round")
    return [(0, 0), (0, right), (bottom, 0), (bottom, right), middle]
