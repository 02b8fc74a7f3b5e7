"""Products of two values as matrices, and the axes in front of those that are worked on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import need_float, total
from netdsl.ops.base import POINTWISE, Op, Rules, Tensors, Window, Windows
from netdsl.ops.cells import Product, Reads, spread, whole
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.merge import check_ranks, sample_shapes
from netdsl.ops.recipe import In, TorchCall, TorchRecipe


def one_dtype(inputs: Tensors, what: str, rules: Rules) -> str:
    """The element type that all have: products are of one, also in PyTorch."""
    kinds = sorted({tensor.dtype for tensor in inputs})
    if len(kinds) > 1:
        rules.refuse("in", f"`{what}` can't mix {' and '.join(kinds)}", code="wrong-dtype")
    return kinds[0]


def leading(shapes: Sequence[Shape], what: str, rules: Rules) -> Shape:
    """The axes before the last two, in which shapes of one rank meet: equal, or literally 1."""
    common: list[Size] = []
    for axis in range(len(shapes[0]) - 2):
        sizes = [shape[axis] for shape in shapes]
        wide = [n for n, size in enumerate(sizes) if not (isinstance(size, int) and size == 1)]
        common.append(sizes[wide[0]] if wide else 1)
        for number in wide[1:]:
            rules.require(
                equal(common[axis], sizes[number]),
                f"in[{number}]",
                f"`{what}` takes equal leading axes, and axis {axis} is {common[axis]} in input "
                f"{wide[0]} and {sizes[number]} in input {number}",
                help="an axis of literally 1 serves all: `reshape([1, T, F])`",
            )
    return tuple(common)


class MatMul(Op):
    """The product of two matrices, [T, K] and [K, S]; axes in front of them are equal, or 1.

    matmul: [5, 8], [8, 3] -> [5, 3]
    matmul: [4, T, 8], [4, 8, T] -> [4, T, T]
    """

    name: ClassVar[str] = "matmul"
    keeps: ClassVar[str] = "inputs"
    family: ClassVar[str] = "dense"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    takes_weights: ClassVar[bool] = True
    sign: ClassVar[str] = "@"
    elsewhere: ClassVar[str] = "matmul bmm mm"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        for tensor in inputs:
            need_float(tensor, rules, "matmul")
        dtype = one_dtype(inputs, "matmul", rules)
        shapes = sample_shapes(inputs, rules)
        rank = check_ranks(shapes, "matmul", rules)
        if rank < 2 or any(tensor.rank < 2 for tensor in inputs):
            rules.refuse(
                "in",
                f"`matmul` multiplies matrices, and {inputs[0]} and {inputs[1]} come in",
                code="wrong-rank",
                help="a vector of 8 is a matrix of one row by `reshape([1, 8])`",
            )
        front = leading(shapes, "matmul", rules)
        (rows, inner), (height, columns) = (shape[-2:] for shape in shapes)
        rules.require(
            equal(inner, height),
            "in",
            f"`matmul` takes [.., T, K] and [.., K, S], and K is {inner} here and {height} there",
            help="`permute` turns a matrix over: [T, K] becomes [K, T] by `permute([1, 0])`",
        )
        batched = any(tensor.batched for tensor in inputs)
        return (Tensor((*front, rows, columns), dtype, batched),)

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        return total(outputs[0].shape) * inputs[0].shape[-1]

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return self.macs(inputs, outputs) * sum(x.batched for x in inputs)

    def windows_into(self, inputs: Tensors, outputs: Tensors, index: int) -> Windows:
        """A row of the first, a column of the second."""
        last: list[Window | None] = [None, POINTWISE] if index else [POINTWISE, None]
        front = [POINTWISE for _ in outputs[0].shape[:-2]]
        return tuple([*front, *last][1:])

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        left, right = sample_shapes(inputs, Rules())
        *front, rows, columns = wanted
        (inner,) = whole(left[-1:])
        return [
            (0, (*spread(tuple(front), left[:-2]), rows, inner)),
            (1, (*spread(tuple(front), right[:-2]), inner, columns)),
        ]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall("torch.matmul", (In(0), In(1)))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("MatMul", to.inputs, to.result())
