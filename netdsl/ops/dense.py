"""Fully connected layers, and what changes the form of a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import divides, equal, positive
from netdsl.ir.dim import Dim, Size, floor_div
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import along, at_least, axis_index, changed, check_weight, need_float, total
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, replaced, reshaped, whole
from netdsl.ops.facts import TIMES, Index, Products, Saved, SizeRule, SizeText, Storage, Work
from netdsl.ops.initial import asked, check_init, init_param, std_param
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import INT, INTS, SHAPE, FromValue, param
from netdsl.ops.recipe import Code, From, In, TorchCall, TorchModule, TorchRecipe
from netdsl.ops.tied import bias_param, check_tables, own_or_tables, tables, weight_param

WAYS_OUT = (
    "fix the size of the input, or bring the map to a fixed size first: `global_avgpool`, "
    "`adaptive_avgpool(7x7)`, or `spp` in place of `flatten`"
)


def matmul(to: Lowering, x: OnnxValue, weight: OnnxValue, bias: OnnxValue | None) -> OnnxValue:
    """`x` times a matrix stored as PyTorch does, [features out, features in], plus a bias."""
    shape = (*x.shape[:-1], weight.shape[0])
    product = to.node("MatMul", [x, to.transpose(weight, 1, 0)], shape)
    return to.node("Add", [product, bias]) if bias is not None else product


def renamed(inputs: Tensors, outputs: Tensors, wanted: Product) -> Reads:
    """The same elements under other indices."""
    shapes = fixed(outputs[0].shape), fixed(inputs[0].shape)
    return [(0, piece) for piece in reshaped(wanted, *shapes)]


@dataclass(frozen=True)
class Linear(Op):
    """A full matrix on the last axis.

    linear(10): [84] -> [10]
    linear(3072): [196, 768] -> [196, 3072]
    """

    name: ClassVar[str] = "linear"
    family: ClassVar[str] = "dense"
    channels_at: ClassVar[int | None] = -1
    matrix: ClassVar[bool] = True
    leads: ClassVar[bool] = True
    drawn_as: ClassVar[str] = "linear"
    elsewhere: ClassVar[str] = "linear dense fc fullyconnected innerproduct connected conn"

    features: int = param(INT, "size of the last axis of the result")
    bias: bool | FromValue = bias_param("whether each feature has a bias")
    init: str = init_param()
    std: float | None = std_param()
    weight: FromValue | None = weight_param()

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, "linear")
        if not x.rank:
            rules.refuse("in", f"`linear` needs an axis, and {x} has none", code="wrong-rank")
        at_least((self.features,), 1, rules, "features")
        check_init(self.init, self.std, rules)
        size = x.shape[-1]
        if isinstance(size, Dim):
            rules.refuse(
                "in",
                f"the matrix of `linear` needs a known size, and the last axis is {size}",
                code="needs-fixed-size",
                help=WAYS_OUT,
            )
        check_weight((self.features, size), rules, "features")
        shape = (self.features, size)
        check_tables(self, self.bias, inputs, shape, self.features, rules)
        return (x.with_shape(*x.shape[:-1], self.features),)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        size = inputs[0].shape[-1]
        assert isinstance(size, int)
        if self.weight is not None:
            return ()
        weight = WeightSpec("weight", (self.features, size), "uniform", fan_in=size)
        bias = WeightSpec("bias", (self.features,), "uniform", fan_in=size)
        return asked((weight, bias) if self.bias else (weight,), self.init, self.std)

    def bias_axis(self, rank: int) -> int | None:
        return rank - 1 if self.bias else None

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        return (f"{inputs[0].shape[-1]} → {self.features}",)

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"linear {self.features}"

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"linear {inputs[0].shape[-1]:,} → {self.features:,}"

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        return total(inputs[0].shape) * self.features

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return self.macs(inputs, outputs)

    def products(self, inputs: Tensors, outputs: Tensors, index: Index) -> Products:
        (size,) = fixed(inputs[0].shape[-1:])
        return [((*index[:-1], place), (index[-1], place)) for place in range(size)]

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        return Saved((0,)) if self.weight is None else None

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return along(inputs[0], inputs[0].rank - 1)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axis = inputs[0].rank - 1
        return [(0, replaced(wanted, axis, whole(inputs[0].shape)[axis]))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        if self.weight is not None:
            return TorchCall("F.linear", (In(0), *tables(self, self.bias)))
        args = (From(inputs[0].shape[-1], "in.features"), From(self.features, "features"))
        return TorchModule("nn.Linear", args, changed(bias=(From(self.bias, "bias"), True)))

    def onnx(self, to: Lowering) -> OnnxValue:
        x = to.inputs[0]
        weight, *bias = own_or_tables(self, self.bias, to)
        if to.tensors[0].rank == 1:
            return to.node("Gemm", [x, weight, *bias], to.result(), transB=1)
        return matmul(to, x, weight, bias[0] if bias else None)


class Flatten(Op):
    """All axes become one.

    flatten: [16, 5, 5] -> [400]
    flatten: [3, H, W] -> [3*H*W]
    """

    name: ClassVar[str] = "flatten"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "dense"
    work: ClassVar[Work] = Work.MOVES
    joins_axes: ClassVar[bool] = True

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if not x.rank:
            rules.refuse("in", f"`flatten` needs an axis, and {x} has none", code="wrong-rank")
        return (x.with_shape(total(x.shape)),)

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.RESHAPED

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        factors = "*".join(f"({n})" if " " in str(n) else str(n) for n in inputs[0].shape)
        numbers = f"{factors} = {outputs[0].shape[0]}"
        return (SizeRule("length", "the product of all sizes that come in", numbers),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return renamed(inputs, outputs, wanted)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule("nn.Flatten", (), (), call=TorchCall(".flatten", (In(0), 1)))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Flatten", to.inputs, to.result(), axis=1)


@dataclass(frozen=True)
class Reshape(Op):
    """The same numbers in another shape; one axis may be -1 and takes what is left.

    reshape([64, 1, 1]): [64] -> [64, 1, 1]
    reshape([2, -1]): [8, 3] -> [2, 12]
    """

    name: ClassVar[str] = "reshape"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "dense"
    takes_weights: ClassVar[bool] = True
    work: ClassVar[Work] = Work.MOVES
    joins_axes: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "view"

    shape: tuple[Size, ...] = param(SHAPE, "the new shape, without the batch")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        count = total(x.shape)
        sizes = [n for n in self.shape if not (isinstance(n, int) and n == -1)]
        if len(self.shape) - len(sizes) > 1:
            rules.refuse("shape", "only one axis can be -1", code="bad-argument")
        for size in sizes:
            rules.require(
                positive(size, x.shape), "shape", f"an axis of {size} can't be", code="bad-argument"
            )
        held = total(sizes)
        if len(sizes) == len(self.shape):
            rules.require(
                equal(count, held, (*x.shape, *sizes)),
                "shape",
                f"{x} holds {count} numbers, the new shape {held}",
            )
            return (x.with_shape(*self.shape),)
        rest = self._rest(x, count, held, rules)
        filled = (rest if isinstance(n, int) and n == -1 else n for n in self.shape)
        return (x.with_shape(*filled),)

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        """Where axes are cut alone, or those of 1 go, no element moves, wherever they lie."""
        before, after = ([n for n in x.shape if n != 1] for x in (inputs[0], outputs[0]))
        for size in before:
            part: Size = 1
            while part != size and after:
                part = part * after.pop(0)
            if part != size:
                return Storage.RESHAPED
        return Storage.VIEW

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        """An axis stays itself where as many elements lie before it, and it is as long."""
        before, after = inputs[0].shape, outputs[0].shape
        places = {(total(before[:axis]), size): axis for axis, size in enumerate(before)}
        return tuple(places.get((total(after[:axis]), size)) for axis, size in enumerate(after))

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        return (f"to {TIMES.join(map(size, outputs[0].shape))}",)

    def _rest(self, x: Tensor, count: Size, held: Size, rules: Rules) -> Size:
        if isinstance(held, Dim):
            rules.refuse(
                "shape", "write the size in place of -1: it is not worked out from symbolic sizes",
                code="bad-argument",
            )  # fmt: skip
        rules.require(
            divides(held, count),
            "shape",
            f"{x} holds {count} numbers, which {held} does not divide",
        )
        return floor_div(count, held)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (UNKNOWN,) * len(inputs[0].spatial)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return renamed(inputs, outputs, wanted)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        batch = (Code("{0}.shape[0]"),) if inputs[0].batched else ()
        return TorchCall(".reshape", (In(0), *batch, *self.shape))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.reshape(to.inputs[0], to.result())


@dataclass(frozen=True)
class Permute(Op):
    """The axes in another order.

    permute([1, 2, 0]): [3, 8, 9] -> [8, 9, 3]
    """

    name: ClassVar[str] = "permute"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "dense"
    takes_weights: ClassVar[bool] = True
    work: ClassVar[Work] = Work.MOVES

    axes: tuple[int, ...] = param(INTS, "which axis comes where, without the batch")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        axes = [axis_index(a, x.rank, rules, "axes") for a in self.axes]
        if sorted(axes) != list(range(x.rank)):
            rules.refuse(
                "axes",
                f"{list(self.axes)} is not an order of the {x.rank} axes of {x}",
                code="bad-argument",
            )
        return (x.with_shape(*(x.shape[a] for a in axes)),)

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        in_order = self.axis_origins(inputs, outputs) == tuple(range(inputs[0].rank))
        return Storage.VIEW if in_order else Storage.STRIDED

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return tuple(axis % inputs[0].rank for axis in self.axes)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"axes {', '.join(map(str, self.axes))}"

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (UNKNOWN,) * len(inputs[0].spatial)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axes = [axis_index(a, inputs[0].rank, Rules()) for a in self.axes]
        return [(0, tuple(wanted[axes.index(a)] for a in range(len(axes))))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall(".permute", (In(0), *self._order(inputs[0])))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.transpose(to.inputs[0], *self._order(to.tensors[0]))

    def _order(self, x: Tensor) -> tuple[int, ...]:
        """The axes in their new order, the batch included."""
        axes = (axis_index(axis, x.rank, Rules()) for axis in self.axes)
        return (0, *(axis + 1 for axis in axes)) if x.batched else tuple(axes)


@dataclass(frozen=True)
class Embedding(Op):
    """Looks up a learned vector for each whole number.

    embedding(1000, 64): int64 [T] -> [T, 64]
    """

    name: ClassVar[str] = "embedding"
    keeps: ClassVar[str] = "inputs"
    family: ClassVar[str] = "dense"
    takes_weights: ClassVar[bool] = True
    channels_at: ClassVar[int | None] = -1
    elsewhere: ClassVar[str] = "embedding embed"

    count: int = param(INT, "how many vectors there are; numbers lie below it", told="{} vectors")
    features: int = param(INT, "size of a vector", told="{} features")
    init: str = init_param()
    std: float | None = std_param()
    weight: FromValue | None = weight_param()

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        if x.dtype not in ("int64", "int32"):
            rules.refuse(
                "in",
                f"`embedding` looks up whole numbers, and {x} comes in",
                code="wrong-dtype",
                help="`input ids: int64 [T]`",
            )
        at_least((self.count,), 1, rules, "count")
        at_least((self.features,), 1, rules, "features")
        check_init(self.init, self.std, rules)
        check_weight((self.count, self.features), rules, "count")
        check_tables(self, False, inputs, (self.count, self.features), 0, rules)
        return (Tensor((*x.shape, self.features), "float32", x.batched),)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if self.weight is not None:
            return ()
        weight = WeightSpec("weight", (self.count, self.features), "normal", std=1.0)
        return asked((weight,), self.init, self.std)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted[:-1])]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        if self.weight is not None:
            return TorchCall("F.embedding", (In(0), *tables(self)))
        args = (From(self.count, "count"), From(self.features, "features"))
        return TorchModule("nn.Embedding", args)

    def onnx(self, to: Lowering) -> OnnxValue:
        (weight,) = own_or_tables(self, False, to)
        return to.node("Gather", [weight, to.inputs[0]], to.result(), weight.dtype, axis=0)
