"""The places of the cells of a map, as a table."""

from __future__ import annotations

from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import changed
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted
from netdsl.ops.recipe import TorchModule, TorchRecipe


class Positions(Op):
    """Where each cell lies: its number along each axis behind the channels, from 0, rows first.

    It is a table of float32, the same for every sample: the axes of the map, with one place more
    in front than the map has axes behind its channels.

        positions -> concat { x ; identity }: [3, H, W] -> [5, H, W]
        positions -> mul { x ; identity }: [1, 9] -> [1, 9]
    """

    name: ClassVar[str] = "positions"
    family: ClassVar[str] = "plumbing"
    work: ClassVar[Work] = Work.COMPUTES
    takes_weights: ClassVar[bool] = True

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if x.rank < 2:
            rules.refuse(
                "in",
                f"`positions` counts along the axes behind the channels, and {x} has none",
                code="wrong-rank",
            )
        return (Tensor((len(x.spatial), *x.spatial), batched=False),)

    def size_inputs(self) -> frozenset[int]:
        return frozenset({0})

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return (None, *range(1, inputs[0].rank))

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return 0

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return []

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        is_half = inputs[0].dtype in ("float16", "bfloat16")
        settings = changed(single=(is_half, False))
        return TorchModule("Positions", (len(inputs[0].spatial),), settings, helper="positions")

    def onnx(self, to: Lowering) -> OnnxValue:
        *_, result = to.results
        axes = [self._along(to, axis, result.shape[1:]) for axis in range(len(result.shape) - 1)]
        return to.node("Concat", axes, result.shape, axis=0)

    def _along(self, to: Lowering, axis: int, spatial: Shape) -> OnnxValue:
        """The numbers of one axis, for every cell of the map."""
        size = spatial[axis]
        # of the type that the model computes in, which need not be float32
        like = to.number(0.0, "float32")
        numbers = to.node("CastLike", [counted(to, size), like], None, "float32")
        others = range(len(spatial))
        wanted = to.ints(1, *(-1 if other == axis else 1 for other in others))
        line = tuple(size if other == axis else 1 for other in others)
        shaped = to.node("Reshape", [numbers, wanted], (1, *line))
        return to.node("Expand", [shaped, to.sizes((1, *spatial))], (1, *spatial))
