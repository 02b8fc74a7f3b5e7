"""Several values become one: how their shapes meet, and concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor, format_shape
from netdsl.ops.axes import AXIS, along, axis_index
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, replaced
from netdsl.ops.facts import Work, sum_words
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import param
from netdsl.ops.promotion import promoted
from netdsl.ops.recipe import Code, In, Ins, TorchCall, TorchRecipe, TorchValue, keywords

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
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "merging"
    arity: ClassVar[tuple[int, int | None]] = (1, None)
    takes_weights: ClassVar[bool] = True
    is_associative: ClassVar[bool] = True
    work: ClassVar[Work] = Work.MOVES
    elsewhere: ClassVar[str] = "cat concatenate concat"

    axis: int | str = param(AXIS, "the axis along which they are joined", "channels")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        shapes = sample_shapes(inputs, rules)
        rank = check_ranks(shapes, "concat", rules)
        if rank == 0:
            rules.refuse("in", "single numbers have no axis to join along", code="wrong-rank")
        axis = axis_index(self.axis, rank, rules)
        dtype = reduce(promoted, (t.dtype for t in inputs))
        joined: Size = 0
        for number, shape in enumerate(shapes):
            joined = joined + shape[axis]
            for other in range(rank):
                if other != axis:
                    pair = shapes[0][other], shape[other]
                    rules.require(
                        equal(*pair, axes=pair),
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
                sizes = ", ".join(str(n) if isinstance(n, int) else "-1" for n in shapes[i])
                pieces[i] = Code(f"{{{i}}}.expand({{{batch}}}.shape[0], {sizes})")
        return TorchCall("torch.cat", (pieces,), keywords(dim=axis + 1))

    def onnx(self, to: Lowering) -> OnnxValue:
        rank = to.results[0].rank
        axis = axis_index(self.axis, rank, Rules())
        inputs = [to.cast(x, to.results[0].dtype) for x in to.inputs]
        if not to.results[0].batched:
            return to.node("Concat", inputs, to.result(), axis=axis)
        shapes = sample_shapes(to.tensors, Rules())
        pieces = [
            x
            if tensor.batched
            else to.node("Expand", [x, to.sizes((to.batch, *shape))], (to.batch, *shape))
            for x, tensor, shape in zip(inputs, to.tensors, shapes, strict=True)
        ]
        return to.node("Concat", pieces, to.result(), axis=axis + 1)
