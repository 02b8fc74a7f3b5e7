"""The weight of a layer divided by its spectral norm."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, cast

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ops.axes import AXIS, axis_index, changed, is_fixed, need_float
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import FLOAT, INT, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe


@dataclass(frozen=True)
class SpectralNorm(Op):
    """A table divided by its largest singular value, for `weight=` (Miyato et al. 2018).

    The table is taken as a matrix whose rows lie along `axis`. The value is estimated by two stored
    vectors, `_u` and `_v`, as in PyTorch's `spectral_norm`: each call in training brings them
    nearer by `steps`, a call at inference leaves them. Both begin at random, as in the paper, so
    that the estimate is none before the first step; PyTorch takes 15 steps at the very beginning.

        spectral_norm: weight [64, 32, 3, 3] -> [64, 32, 3, 3]
        spectral_norm(axis=1): weight [32, 64, 4, 4] -> [32, 64, 4, 4]
    """

    name: ClassVar[str] = "spectral_norm"
    family: ClassVar[str] = "norms"
    in_place: ClassVar[bool] = False
    takes_weights: ClassVar[bool] = True

    axis: int | str = param(AXIS, "the axis of the rows: 1 for `conv_transpose`", 0)
    steps: int = param(INT, "steps of the estimate at each call in training", 1)
    eps: float = param(FLOAT, "least length that a vector is divided by", 1e-12)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (table,) = inputs
        if table.batched:
            rules.refuse(
                "in",
                f"`{self.name}` takes a table, and this value differs from sample to sample",
                code="bad-argument",
                help="it is for a weight: `weight w: [...]`, `s = w -> spectral_norm`, then "
                "`x -> conv(..., weight=s)`",
            )
        need_float(table, rules, self.name)
        if table.rank < 2:
            rules.refuse(
                "in",
                f"`{self.name}` takes a matrix, or a table with more axes, and this is {table}",
                code="wrong-rank",
                help="a list is divided by its length: `div { w ; w -> norm(axis=0, keep=true) }`",
            )
        if not is_fixed(table.shape):
            rules.refuse(
                "in", f"a weight has known sizes, and this is {table}", code="needs-fixed-size"
            )
        axis_index(self.axis, table.rank, rules)
        if self.steps < 1:
            rules.refuse(
                "steps", f"there is 1 step at least, not {self.steps}", code="bad-argument"
            )
        return inputs

    def _matrix(self, inputs: Tensors) -> tuple[int, int]:
        """Rows and columns."""
        shape = cast("tuple[int, ...]", inputs[0].shape)
        rows = shape[axis_index(self.axis, len(shape), Rules())]
        return rows, prod(shape) // rows

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        sizes = zip(("_u", "_v"), self._matrix(inputs), strict=True)
        return tuple(WeightSpec(k, (n,), "normal", trained=False, std=n**-0.5) for k, n in sizes)

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        rows, columns = self._matrix(inputs)
        return rows * columns + rows

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return 0

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return []

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rows, columns = self._matrix(inputs)
        settings = changed(
            axis=(From(axis_index(self.axis, inputs[0].rank, Rules()), "axis"), 0),
            steps=(From(self.steps, "steps"), 1),
            eps=(From(self.eps, "eps"), 1e-12),
        )
        args = (From(rows, "rows"), From(columns, "columns"))
        return TorchModule("SpectralNorm", args, settings, helper="norms")

    def onnx(self, to: Lowering) -> OnnxValue:
        (table,) = to.inputs
        axis = axis_index(self.axis, len(table.shape), Rules())
        others = (n for n in range(len(table.shape)) if n != axis)
        rows, columns = self._matrix(to.tensors)
        turned = to.transpose(table, axis, *others) if axis else table
        matrix = to.reshape(turned, (rows, columns)) if len(table.shape) > 2 else turned
        seen = to.node("MatMul", [matrix, to.weight("_v")], (rows,))
        length = to.node("MatMul", [to.weight("_u"), seen], ())
        return to.node("Div", [table, length])
