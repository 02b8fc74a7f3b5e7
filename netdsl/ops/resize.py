"""Images in another size, as libraries of images make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size, maximum, quotient
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import MOST_COUNTED, at_least, changed, is_fixed
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed
from netdsl.ops.factor import SMALL_MAP
from netdsl.ops.facts import TIMES, SizeText, by
from netdsl.ops.interpolation import is_small, nearest
from netdsl.ops.levels import LEVELS
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import BOOL, SIZE, choice, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe
from netdsl.ops.resampling import REACH, cells_of
from netdsl.ops.resize_onnx import to_levels, weighted

FIXED, ROUND_ROBIN = "fixed", "round_robin"


@dataclass(frozen=True)
class Resize(Op):
    """An image in another size: its shorter side, the other one in proportion, or height x width.

    `bilinear` and `bicubic` smooth before they shrink, as torchvision and Pillow do; with
    `antialias=false` they are those of `F.interpolate`. `nearest` takes the cell under the centre
    of a new one (`nearest-exact`), `nearest_floor` that of `F.interpolate(mode="nearest")`; `area`
    is the mean over what lies under a new cell, as in TensorFlow. Levels, uint8, are rounded to
    levels. With `method=round_robin` each image takes bilinear, nearest, bicubic or area at random
    in training (Szegedy et al. 2015).

        resize(256): uint8 [3, 480, 640] -> uint8 [3, 256, 341]
        resize(224x224): [3, H, W] -> [3, 224, 224]
        resize(6x5, mode=bicubic, antialias=false): [3, 4, 9] -> [3, 6, 5]
    """

    name: ClassVar[str] = "resize"
    family: ClassVar[str] = "resampling"
    zoom: ClassVar[int] = 0
    elsewhere: ClassVar[str] = "resize"

    size: int | tuple[int, ...] = param(
        SIZE, "the shorter side, or height x width", told=None, tries=(1, 3, (2, 3), (7, 4), 6, 0)
    )
    mode: str = param(
        choice("bilinear", "bicubic", "nearest", "nearest_floor", "area"),
        "how a new cell is found",
        "bilinear",
    )
    antialias: bool = param(BOOL, "whether bilinear and bicubic smooth before they shrink", True)
    method: str = param(
        choice(FIXED, ROUND_ROBIN), "whether each image has a mode of its own in training", FIXED
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        check_image(x, self.name, rules)
        if not (self.antialias or self.mode in REACH or self.method == ROUND_ROBIN):
            rules.refuse(
                "antialias",
                f"mode {self.mode} never smooths",
                code="bad-argument",
                help="leave `antialias` out; it goes with bilinear and bicubic",
            )
        at_least(self.size if isinstance(self.size, tuple) else (self.size,), 1, rules, "size")
        return (x.with_shape(x.channels, *self._sizes(x, rules)),)

    def _sizes(self, x: Tensor, rules: Rules) -> tuple[Size, ...]:
        """Height and width of the result."""
        if isinstance(self.size, int):
            height, width = x.spatial
            return (
                maximum(self.size, quotient(height * self.size, width)),
                maximum(self.size, quotient(width * self.size, height)),
            )
        if len(self.size) != 2:
            rules.refuse(
                "size",
                f"an image has 2 sides, and {by(self.size)} are {len(self.size)} sizes",
                code="bad-argument",
            )
        return self.size

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """The cells that have a weight; known at known sizes, or where each reads one."""
        if self.mode not in REACH and self.mode != "area":
            return elements(outputs)
        sizes = (*inputs[0].spatial, *outputs[0].spatial)
        if not is_fixed(sizes) or max(fixed(sizes)) > MOST_COUNTED:
            return None
        count = inputs[0].channels
        for axis, result in enumerate(fixed(outputs[0].spatial)):
            cells = (self._cells(frozenset((i,)), axis, inputs, outputs) for i in range(result))
            count = count * sum(map(len, cells))
        return count

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        return tuple(POINTWISE if size == result else UNKNOWN for size, result in pairs)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axes = (self._cells(cells, axis, inputs, outputs) for axis, cells in enumerate(wanted[1:]))
        return [(0, (wanted[0], *axes))]

    def _cells(
        self, wanted: frozenset[int], axis: int, inputs: Tensors, outputs: Tensors
    ) -> frozenset[int]:
        """The cells of an axis that some cells of the result read."""
        sizes, results = fixed(inputs[0].spatial), fixed(outputs[0].spatial)
        return cells_of(
            wanted,
            sizes[axis],
            results[axis],
            self.mode,
            antialias=self.antialias,
            small=sum(results) <= SMALL_MAP,
            wide=inputs[0].dtype == "float64",
        )

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        way = self.mode.replace("_", " ")
        smooth = " without smoothing" * (self.mode in REACH and not self.antialias)
        random = ("a mode at random in training",) if self.method == ROUND_ROBIN else ()
        spatial = f" {TIMES} ".join(map(size, outputs[0].spatial))
        return (f"{way}{smooth}, to {spatial}", *random)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"{self.mode.replace('_', ' ')} to {by(outputs[0].spatial)}"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            mode=(From(self.mode, "mode"), "bilinear"),
            antialias=(From(self.antialias, "antialias"), True),
            round_robin=(self.method == ROUND_ROBIN, False),
        )
        return TorchModule("Resize", (From(self.size, "size"),), settings, helper="resize")

    def onnx(self, to: Lowering) -> OnnxValue:
        x, shape = to.inputs[0], to.result()
        if self.mode in ("nearest", "nearest_floor"):
            small = x.dtype == "float64" and is_small(to, shape[2:])
            shift = 0.5 if self.mode == "nearest" else 0.0
            for axis in (2, 3):
                x = nearest(to, x, axis, shape[axis], None, small, shift)
            return x
        numbers = to.cast(x, "float64") if x.dtype == LEVELS else x
        for axis in (3, 2):
            if x.shape[axis] != shape[axis]:
                numbers = weighted(to, numbers, axis, shape[axis], self.mode, self.antialias)
        return to_levels(to, numbers) if x.dtype == LEVELS else numbers


def check_image(x: Tensor, what: str, rules: Rules) -> None:
    """Refuses what is no image: `[C, H, W]` of levels or floats."""
    if x.rank != 3:
        rules.refuse(
            "in",
            f"`{what}` works on images [C, H, W], and {x} comes in",
            code="wrong-rank",
            help="the channels of `[H, W, C]` come first by `permute([2, 0, 1])`",
        )
    if not (x.is_float or x.dtype == LEVELS):
        rules.refuse(
            "in",
            f"`{what}` takes levels (uint8) or floats, and {x} comes in",
            code="wrong-dtype",
            help="`mul(1.0)` makes floats of it",
        )
