"""Several values become one: concatenation and elementwise merges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor, format_shape
from netdsl.ops.axes import AXIS, along, axis_index
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, replaced, spread
from netdsl.ops.facts import Storage, Work, sum_words
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import meeting
from netdsl.ops.params import param
from netdsl.ops.recipe import Code, In, Ins, TorchCall, TorchRecipe, TorchValue, keywords

TAKES_ALL = ("Max", "Min")
"""Operators of ONNX that take any number of values, whatever their element type."""
SAME_SIZE = (
    "bring one to the other's size: `padding=kernel // 2` keeps the size where the stride is 1; "
    "`upsample(size=other)` and `center_crop(other)` change it"
)


def sample_shapes(inputs: Tensors, rules: Rules) -> list[Shape]:
    """The shapes of what meets, aligned to one rank.

    A learned weight has no batch axis: beside batched values its axes align from the right, a 1
    left over in front is the batch axis, and missing axes in front are 1.
    """
    batched = [t for t in inputs if t.batched]
    if not batched:
        return [t.shape for t in inputs]
    rank = batched[0].rank
    return [t.shape if t.batched else _aligned(t, rank, rules) for t in inputs]


def _aligned(weight: Tensor, rank: int, rules: Rules) -> Shape:
    shape = weight.shape
    if len(shape) == rank + 1 and shape[0] == 1:
        return shape[1:]
    if len(shape) > rank:
        rules.refuse(
            "in",
            f"a weight of shape {weight} does not fit a value with {rank} axes",
            code="wrong-rank",
        )
    return (1,) * (rank - len(shape)) + shape


def common_dtype(inputs: Tensors, what: str, rules: Rules) -> str:
    """The element type they share."""
    kinds = sorted({t.dtype for t in inputs})
    if len(kinds) > 1:
        rules.refuse("in", f"`{what}` can't mix {' and '.join(kinds)}", code="wrong-dtype")
    return kinds[0]


def check_ranks(shapes: list[Shape], what: str, rules: Rules) -> int:
    """The rank they share."""
    ranks = {len(s) for s in shapes}
    if len(ranks) == 1:
        return ranks.pop()
    listed = " and ".join(format_shape(s) for s in shapes)
    rules.refuse(
        "in",
        f"`{what}` takes values of one rank, and {listed} come in",
        code="wrong-rank",
        help="a vector does not spread over a map: end a gate in `reshape([C, 1, 1])`",
    )


@dataclass(frozen=True)
class Concat(Op):
    """Puts values one after the other along an axis; the other axes must be equal.

    concat: [64, 28, 28], [32, 28, 28] -> [96, 28, 28]
    concat(axis=-1): [3, H], [3, 5] -> [3, H + 5]
    """

    name: ClassVar[str] = "concat"
    family: ClassVar[str] = "merging"
    arity: ClassVar[tuple[int, int | None]] = (1, None)
    takes_weights: ClassVar[bool] = True
    work: ClassVar[Work] = Work.MOVES
    elsewhere: ClassVar[str] = "cat concatenate concat"

    axis: int | str = param(AXIS, "the axis along which they are joined", "channels")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        shapes = sample_shapes(inputs, rules)
        rank = check_ranks(shapes, "concat", rules)
        if rank == 0:
            rules.refuse("in", "single numbers have no axis to join along", code="wrong-rank")
        axis = axis_index(self.axis, rank, rules)
        dtype = common_dtype(inputs, "concat", rules)
        joined: Size = 0
        for number, shape in enumerate(shapes):
            joined = joined + shape[axis]
            for other in range(rank):
                if other != axis:
                    rules.require(
                        equal(shapes[0][other], shape[other]),
                        f"in[{number}]",
                        f"`concat` joins along axis {axis}, so axis {other} must be equal: it is "
                        f"{shapes[0][other]} here and {shape[other]} there",
                        help=SAME_SIZE,
                    )
        result = (*shapes[0][:axis], joined, *shapes[0][axis + 1 :])
        return (Tensor(result, dtype, any(t.batched for t in inputs)),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(tuple(x for x in inputs if x.batched))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """The parts lie one after the other: along that axis a place may be of any of them."""
        return along(outputs[0], axis_index(self.axis, outputs[0].rank, Rules()), UNKNOWN)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        shapes = [fixed(shape) for shape in sample_shapes(inputs, Rules())]
        axis = axis_index(self.axis, len(shapes[0]), Rules())
        pieces: Reads = []
        start = 0
        for number, shape in enumerate(shapes):
            own = (i - start for i in wanted[axis] if start <= i < start + shape[axis])
            pieces.append((number, replaced(wanted, axis, own)))
            start += shape[axis]
        return pieces

    def joined_axis(self, rank: int) -> int | None:
        return axis_index(self.axis, rank, Rules())

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        axis = axis_index(self.axis, outputs[0].rank, Rules())
        parts = sum_words([shape[axis] for shape in sample_shapes(inputs, Rules())])
        return f"concat {parts}" + (f" on axis {axis}" if axis else "")

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = outputs[0].rank
        axis = axis_index(self.axis, rank, Rules())
        if not outputs[0].batched:
            return TorchCall("torch.cat", (Ins(),), keywords(dim=axis))
        if all(tensor.batched for tensor in inputs):
            return TorchCall("torch.cat", (Ins(),), keywords(dim=axis + 1))
        pieces: list[TorchValue] = [In(i) for i in range(len(inputs))]
        batch = next(i for i, t in enumerate(inputs) if t.batched)
        shapes = sample_shapes(inputs, Rules())
        for i, tensor in enumerate(inputs):
            if not tensor.batched:
                sizes = ", ".join(map(str, shapes[i]))
                pieces[i] = Code(f"{{{i}}}.expand({{{batch}}}.shape[0], {sizes})")
        return TorchCall("torch.cat", (pieces,), keywords(dim=axis + 1))

    def onnx(self, to: Lowering) -> OnnxValue:
        rank = to.results[0].rank
        axis = axis_index(self.axis, rank, Rules())
        if not to.results[0].batched:
            return to.node("Concat", to.inputs, to.result(), axis=axis)
        shapes = sample_shapes(to.tensors, Rules())
        pieces = [
            x
            if tensor.batched
            else to.node("Expand", [x, to.sizes((to.batch, *shape))], (to.batch, *shape))
            for x, tensor, shape in zip(to.inputs, to.tensors, shapes, strict=True)
        ]
        return to.node("Concat", pieces, to.result(), axis=axis + 1)


class _Elementwise(Op):
    """What the elementwise merges share: equal shapes; an axis of literally 1 spreads."""

    family: ClassVar[str] = "merging"
    arity: ClassVar[tuple[int, int | None]] = (1, None)
    takes_weights: ClassVar[bool] = True
    operator: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        shapes = sample_shapes(inputs, rules)
        rank = check_ranks(shapes, self.name, rules)
        dtype = common_dtype(inputs, self.name, rules)
        result = [self._axis(shapes, axis, rank, rules) for axis in range(rank)]
        return (Tensor(tuple(result), dtype, any(t.batched for t in inputs)),)

    def _axis(self, shapes: list[Shape], axis: int, rank: int, rules: Rules) -> Size:
        common: Size = 1
        first = 0
        for number, shape in enumerate(shapes):
            size = shape[axis]
            if isinstance(size, int) and size == 1:
                continue
            if isinstance(common, int) and common == 1:
                common, first = size, number
                continue
            rules.require(
                equal(common, size),
                f"in[{number}]",
                f"`{self.name}` takes equal shapes, and axis {axis} is {common} in input {first} "
                f"and {size} in input {number}",
                help=f"bring one to the other's channels: `conv({common}, 1)`, or `conv({size}, 1)`"
                if axis == 0 and rank > 1
                else SAME_SIZE,
            )
        return common

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs) * sum(x.batched for x in inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Pointwise; an axis of 1 that spreads is seen by all."""
        return tuple(POINTWISE for _ in outputs[0].spatial)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        shapes = sample_shapes(inputs, Rules())
        return [(number, spread(wanted, shape)) for number, shape in enumerate(shapes)]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        """A merge of one value is that value."""
        return Storage.VIEW if len(inputs) == 1 else Storage.ALIKE

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = tuple(In(i) for i in range(len(inputs)))
        return TorchCall(self.operator, args)

    def onnx(self, to: Lowering) -> OnnxValue:
        x, *others = to.inputs
        if others and self.onnx_operator in TAKES_ALL:
            return to.node(self.onnx_operator, to.inputs, to.result())
        for other in others:
            x = to.node(self.onnx_operator, [x, other], meeting(x.shape, other.shape))
        return x


class Add(_Elementwise):
    """The sum of the values.

    add: [64, 56, 56], [64, 56, 56] -> [64, 56, 56]
    add: [8, H, W], [8, 1, 1] -> [8, H, W]
    """

    name: ClassVar[str] = "add"
    sign: ClassVar[str] = "+"
    elsewhere: ClassVar[str] = "shortcut"
    operator: ClassVar[str] = "+"
    onnx_operator: ClassVar[str] = "Add"


class Sub(_Elementwise):
    """The first value less the second.

    sub: [8, 5], [8, 5] -> [8, 5]
    """

    name: ClassVar[str] = "sub"
    sign: ClassVar[str] = "-"
    elsewhere: ClassVar[str] = "subtract"
    operator: ClassVar[str] = "-"
    onnx_operator: ClassVar[str] = "Sub"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if inputs[0].dtype == "bool":
            rules.refuse("in", "truth values can't be subtracted", code="wrong-dtype")
        return super().infer(inputs, rules)

    arity: ClassVar[tuple[int, int | None]] = (2, 2)


class Mul(_Elementwise):
    """The product of the values; a gate [C, 1, 1] scales the channels.

    mul: [64, H, W], [64, 1, 1] -> [64, H, W]
    """

    name: ClassVar[str] = "mul"
    sign: ClassVar[str] = "×"
    elsewhere: ClassVar[str] = "multiply"
    operator: ClassVar[str] = "*"
    onnx_operator: ClassVar[str] = "Mul"


class Max(_Elementwise):
    """The largest of the values at each place.

    max: [8, 4, 4], [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    """

    name: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "maximum"
    operator: ClassVar[str] = "torch.maximum"
    onnx_operator: ClassVar[str] = "Max"


class Min(_Elementwise):
    """The smallest of the values at each place.

    min: [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    """

    name: ClassVar[str] = "min"
    elsewhere: ClassVar[str] = "minimum"
    operator: ClassVar[str] = "torch.minimum"
    onnx_operator: ClassVar[str] = "Min"


class Mean(_Elementwise):
    """The mean of the values at each place.

    mean: [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    """

    name: ClassVar[str] = "mean"
    elsewhere: ClassVar[str] = "average"
    operator: ClassVar[str] = "mean"
    onnx_operator: ClassVar[str] = "Add"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        for tensor in inputs:
            if not tensor.is_float:
                rules.refuse("in", f"`mean` computes with floats, not {tensor}", code="wrong-dtype")
        return super().infer(inputs, rules)

    def onnx(self, to: Lowering) -> OnnxValue:
        summed = super().onnx(to)
        return to.node("Div", [summed, to.number(float(len(to.inputs)))])
