"""Cells added around a map until it has the size that is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size, ceil_div, floor_div, maximum
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import at_least, axis_name, per_axis
from netdsl.ops.base import Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, bordered, fixed
from netdsl.ops.facts import TIMES, SizeText
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import FLOAT, SIZE, choice, either, optional, param
from netdsl.ops.recipe import From, In, TorchCall, TorchRecipe, keywords
from netdsl.ops.sides import check_cell, cut

SQUARE = "square"
CENTER, CORNER = "center", "corner"
HELP = "`pad_to(square)`, `pad_to(640x640)`, `pad_to(multiple=32)`"


@dataclass(frozen=True)
class PadTo(Op):
    """An image in a frame: a square as large as its longer side, a size, or the next multiple.

    With `align=center` the image lies in the middle, and of an odd number of cells the end gets
    one more; with `align=corner` all are added at the right and at the bottom.

        pad_to(square): [3, 5, 8] -> [3, 8, 8]
        pad_to(16x20, fill=0.5): [3, 9, 20] -> [3, 16, 20]
        pad_to(multiple=32, align=corner): [3, 40, 64] -> [3, 64, 64]
    """

    name: ClassVar[str] = "pad_to"
    family: ClassVar[str] = "size"

    size: int | str | tuple[int, ...] | None = param(
        optional(either(SIZE, SQUARE)), "height x width, or `square`", None, told=None,
        tries=(None, None, None, SQUARE, SQUARE, 9, 12, (9, 12), (3, 9), 0, (9, 9, 9)),
    )  # fmt: skip
    multiple: int | tuple[int, ...] | None = param(
        optional(SIZE), "of what the sizes become multiples", None, told=None,
        tries=(None, None, 1, 2, 4, (2, 3), 32, 0, (2, 2, 2)),
    )  # fmt: skip
    fill: float = param(FLOAT, "what the cells around hold", 0.0, tries=(1.0, 3.0, -2.0, 0.5))
    align: str = param(choice(CENTER, CORNER), "where the image lies", CENTER)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if x.rank != 3:
            message = f"`{self.name}` works on maps [C, H, W], and {x} comes in"
            rules.refuse("in", message, code="wrong-rank")
        check_cell(self.fill, x.dtype, rules, "fill")
        sizes = self._sizes(x, rules)
        for axis, (size, wanted) in enumerate(zip(x.spatial, sizes, strict=True)):
            rules.require(
                wanted >= size,
                "size",
                f"a {axis_name(2, axis)} of {size} does not fit into {wanted}",
                help="a larger frame, `resize`, `crop_or_pad` or `letterbox`",
            )
        return (x.with_shape(x.channels, *sizes),)

    def _sizes(self, x: Tensor, rules: Rules) -> tuple[Size, ...]:
        """Height and width of the frame."""
        if (self.size is None) == (self.multiple is None):
            message = f"`{self.name}` takes a size or a multiple, one of them"
            rules.refuse("size", message, code="bad-argument", help=HELP)
        if self.multiple is not None:
            steps = per_axis(self.multiple, 2, rules, "multiple")
            at_least(steps, 1, rules, "multiple")
            return tuple(ceil_div(n, step) * step for n, step in zip(x.spatial, steps, strict=True))
        if isinstance(self.size, str):
            return (maximum(*x.spatial),) * 2
        assert self.size is not None
        sizes = per_axis(self.size, 2, rules, "size")
        at_least(sizes, 1, rules, "size")
        return sizes

    def _amounts(self, x: Tensor) -> list[tuple[Size, Size]]:
        """Cells before and after each axis."""
        rests = [n - size for n, size in zip(self._sizes(x, Rules()), x.spatial, strict=True)]
        before = [floor_div(rest, 2) if self.align == CENTER else 0 for rest in rests]
        return [(n, rest - n) for n, rest in zip(before, rests, strict=True)]

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return tuple(cut(-before) for before, _ in self._amounts(inputs[0]))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        before = fixed([n for n, _ in self._amounts(inputs[0])])
        axes = (
            bordered((i - start for i in cells), size, "zeros")
            for cells, size, start in zip(wanted[1:], fixed(inputs[0].spatial), before, strict=True)
        )
        return [(0, (wanted[0], *axes))]

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        corner = ("at the corner",) if self.align == CORNER else ()
        return (f"to {f' {TIMES} '.join(map(size, outputs[0].spatial))}", *corner)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        flat = tuple(n for pair in reversed(self._amounts(inputs[0])) for n in pair)
        value = keywords(value=From(self.fill, "fill")) if self.fill else ()
        return TorchCall("F.pad", (In(0), flat), value)

    def onnx(self, to: Lowering) -> OnnxValue:
        return padded(to, to.inputs[0], self._amounts(to.tensors[0]), value=self.fill)
