"""Images of any size in one size, whole in a frame or as a part: resized within the layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import ClassVar

from netdsl.ops.axes import MOST_COUNTED, at_least, changed, per_axis
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows
from netdsl.ops.cells import Product, Reads, fixed
from netdsl.ops.levels import LEVELS
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import BOOL, FLOAT, FLOATS, SCALE, SIZE, choice, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe
from netdsl.ops.resampled import BICUBIC, BILINEAR, Stretch
from netdsl.ops.resize import check_image
from netdsl.ops.resize_onnx import Part, to_levels, weighted
from netdsl.ops.sides import check_cell, half


class _Resizing(Op):
    """What both share: stretches of resized axes, which sizes decide."""

    family: ClassVar[str] = "resampling"
    zoom: ClassVar[int] = 0
    mode: str
    antialias: bool

    def stretches(self, inputs: Tensors, outputs: Tensors) -> tuple[Stretch, Stretch]:
        """Rows and columns, where all sizes are numbers."""
        raise NotImplementedError

    def connections(self, inputs: Tensors, outputs: Tensors) -> int | None:
        sizes = [*inputs[0].shape, *outputs[0].shape]
        if not all(isinstance(size, int) for size in sizes):
            return None
        rows, columns = self.stretches(inputs, outputs)
        if max(rows.size, rows.count) * max(columns.size, columns.count) > MOST_COUNTED:
            return None
        (channels, *_) = fixed(inputs[0].shape)
        down, across = (part.links(self.mode, self.antialias) for part in (rows, columns))
        return channels * down * across

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (UNKNOWN, UNKNOWN)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        parts = zip(self.stretches(inputs, outputs), wanted[1:], strict=True)
        cells = (part.taps(some, self.mode, self.antialias) for part, some in parts)
        return [(0, (wanted[0], *cells))]

    def resampled(self, to: Lowering, parts: Sequence[Part]) -> OnnxValue:
        """Parts of the resized rows and columns of the first input, in its own type."""
        x, shape = to.inputs[0], to.result()
        y = to.cast(x, "float64") if x.dtype == LEVELS else x
        for axis in (3, 2):
            part = parts[axis - 2]
            y = weighted(to, y, axis, shape[axis], self.mode, self.antialias, part)
        return to_levels(to, y) if x.dtype == LEVELS else y


@dataclass(frozen=True)
class Letterbox(_Resizing):
    """The whole image in a frame: as large as fits, not squashed, and the rest filled.

    Ultralytics' rule: both sides are multiplied by the smaller of the two ratios and rounded; of an
    odd number of cells that are left, the end gets one more. `fill` is a number of the image
    itself: 114 of uint8 is 114/255 behind `to_float`.

        letterbox(640): uint8 [3, H, W] -> uint8 [3, 640, 640]
        letterbox(8x10, fill=0.5): [3, 5, 9] -> [3, 8, 10]
    """

    name: ClassVar[str] = "letterbox"

    size: int | tuple[int, ...] = param(SIZE, "size of the frame", told="to {}")
    fill: float = param(FLOAT, "what the rest of the frame holds", 114.0)
    mode: str = param(choice(BILINEAR, BICUBIC), "how values between cells are found", BILINEAR)
    antialias: bool = param(BOOL, "whether it smooths where it shrinks", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        check_image(x, self.name, rules)
        wanted = per_axis(self.size, 2, rules, "size")
        at_least(wanted, 1, rules, "size")
        check_cell(self.fill, x.dtype, rules, "fill")
        return (x.with_shape(x.channels, *wanted),)

    def stretches(self, inputs: Tensors, outputs: Tensors) -> tuple[Stretch, Stretch]:
        sizes, frame = fixed(inputs[0].spatial), fixed(outputs[0].spatial)
        ratio = min(n / size for n, size in zip(frame, sizes, strict=True))
        made = [max(1, round(size * ratio)) for size in sizes]
        rows, columns = (
            Stretch(size, n, -((whole - n) // 2), whole)
            for size, n, whole in zip(sizes, made, frame, strict=True)
        )
        return rows, columns

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            fill=(From(self.fill, "fill"), 114.0),
            mode=(From(self.mode, "mode"), BILINEAR),
            antialias=(From(self.antialias, "antialias"), False),
        )
        size = From(tuple(outputs[0].spatial), "size")
        return TorchModule("Letterbox", (size,), settings, helper="resize")

    def onnx(self, to: Lowering) -> OnnxValue:
        """Ratios and sizes in double precision, as Python computes them."""
        (x,), frame = to.inputs, fixed(to.results[0].spatial)
        sizes = [to.cast(to.size_of(size), "float64") for size in x.shape[2:]]
        pairs = zip(frame, sizes, strict=True)
        ratios = [to.node("Div", [to.number(n, "float64"), size], (1,)) for n, size in pairs]
        ratio = to.node("Min", ratios)
        parts: list[Part] = []
        for whole, size in zip(frame, sizes, strict=True):
            rounded = to.cast(to.node("Round", [to.node("Mul", [size, ratio])]), "int64")
            made = to.node("Max", [rounded, to.ints(1)])
            rest = to.node("Sub", [to.ints(whole), made])
            start = to.node("Neg", [to.node("Div", [rest, to.ints(2)])])
            parts.append(Part(made, start))
        y = self.resampled(to, parts)
        rows, columns = (part.is_inside(to, n) for part, n in zip(parts, frame, strict=True))
        down = to.node("Unsqueeze", [rows, to.ints(1)], (frame[0], 1))
        inside = to.node("And", [down, columns], frame, "bool")
        return to.node("Where", [inside, y, to.number(self.fill, x.dtype)], y.shape, x.dtype)


@dataclass(frozen=True)
class RandomResizedCrop(_Resizing):
    """A random part of each image in training; at inference the middle. All in one size.

    In training it is torchvision's `RandomResizedCrop`: a part with a share of the area in `scale`
    and a width by height in `ratio` is resized. At inference the shorter side is resized to
    `floor(size / crop)`, and the middle is kept as torchvision's `CenterCrop` does: 256 for 224.

        random_resized_crop(224): uint8 [3, H, W] -> uint8 [3, 224, 224]
        random_resized_crop(6, crop=1, mode=bicubic): [3, 9, 8] -> [3, 6, 6]
    """

    name: ClassVar[str] = "random_resized_crop"
    elsewhere: ClassVar[str] = "randomresizedcrop"

    size: int | tuple[int, ...] = param(SIZE, "height and width of the result", told="to {}")
    scale: tuple[float, ...] = param(
        FLOATS,
        "least and greatest share of the area, in training",
        [0.08, 1.0],
        tries=((0.08, 1.0), (0.5, 0.5), (0.5, 0.1), (0.0, 1.0)),
    )
    ratio: tuple[float, ...] = param(
        FLOATS, "least and greatest width by height, in training", [3 / 4, 4 / 3]
    )
    crop: Fraction | tuple[Fraction, ...] = param(
        SCALE, "share of the shorter side that is kept at inference", Fraction("0.875")
    )
    mode: str = param(choice(BILINEAR, BICUBIC), "how values between cells are found", BILINEAR)
    antialias: bool = param(BOOL, "whether it smooths where it shrinks", True)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        check_image(x, self.name, rules)
        height, width = per_axis(self.size, 2, rules, "size")
        at_least((height, width), 1, rules, "size")
        if height != width:
            message = f"the middle of an image is kept as a square, not {height}x{width}"
            rules.refuse("size", message, code="bad-argument", help=f"write `{height}`")
        for at, most in ("scale", 1.0), ("ratio", float("inf")):
            bounds = getattr(self, at)
            if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] <= most:
                what = "two shares from above 0 to 1" if at == "scale" else "two numbers above 0"
                message = f"`{at}` is {what}, the least first, not {list(bounds)}"
                rules.refuse(at, message, code="bad-argument")
        if isinstance(self.crop, tuple) or not 0 < self.crop <= 1:
            message = "`crop` is one share, above 0 and at most 1"
            rules.refuse("crop", message, code="bad-argument")
        return (x.with_shape(x.channels, height, width),)

    def _short(self, size: int) -> int:
        """What the shorter side is resized to."""
        assert isinstance(self.crop, Fraction)
        return floor(size / self.crop)

    def stretches(self, inputs: Tensors, outputs: Tensors) -> tuple[Stretch, Stretch]:
        sizes, (size, _) = fixed(inputs[0].spatial), fixed(outputs[0].spatial)
        made = [self._short(size) * n // min(sizes) for n in sizes]
        starts = fixed([half(n - size, "round") for n in made])
        rows, columns = (
            Stretch(before, after, start, size)
            for before, after, start in zip(sizes, made, starts, strict=True)
        )
        return rows, columns

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        (size, _) = fixed(outputs[0].spatial)
        settings = changed(
            scale=(From(self.scale, "scale"), (0.08, 1.0)),
            ratio=(From(self.ratio, "ratio"), (3 / 4, 4 / 3)),
            mode=(From(self.mode, "mode"), BILINEAR),
            antialias=(From(self.antialias, "antialias"), True),
        )
        args = (size, self._short(size))
        return TorchModule("RandomResizedCrop", args, settings, helper="resize")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,), (size, _) = to.inputs, fixed(to.results[0].spatial)
        sizes = [to.size_of(n) for n in x.shape[2:]]
        shorter = to.node("Min", sizes)
        parts: list[Part] = []
        for before in sizes:
            longer = to.node("Mul", [before, to.ints(self._short(size))])
            made = to.node("Div", [longer, shorter])
            rest = to.node("Sub", [made, to.ints(size)])
            sums = (to.node("Add", [rest, to.ints(n)]) for n in (1, 2))
            start = to.node("Add", [to.node("Div", [one, to.ints(4)]) for one in sums])
            parts.append(Part(made, start))
        return self.resampled(to, parts)
