"""Reductions: along some axes of a value, one number in the place of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from netdsl.ir.dim import Size
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import AXES, AXIS, along, axis_index, axis_indices, changed, need_float
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, replaced, whole
from netdsl.ops.elementwise import Elementwise
from netdsl.ops.facts import Storage
from netdsl.ops.lowering import Lowering, OnnxValue, is_lacking
from netdsl.ops.params import BOOL, FLOAT, optional, param
from netdsl.ops.promotion import kind_of
from netdsl.ops.recipe import From, In, Keywords, TorchCall, TorchRecipe, keywords

Axes = int | str | tuple[int, ...]
AXES_TRIED = ("channels", 0, 1, -1, (0,), (1, 2), (0, -1), (0, 1, 2), (2, 2), 4, ())


@dataclass(frozen=True)
class Reduction(Op):
    """What reductions share: the axes go, or stay with size 1."""

    family: ClassVar[str] = "reductions"
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    takes_weights: ClassVar[bool] = True
    merged_by: ClassVar[str] = ""
    """The layer that makes one value of several before it, if there is a like one."""
    method: ClassVar[str] = ""
    """Of PyTorch's tensors."""
    onnx_operator: ClassVar[str] = ""

    axis: Axes = param(AXES, "the axis, or a list of axes", named=True, tries=AXES_TRIED)
    keep: bool = param(BOOL, "whether the axes stay, with size 1", False, named=True)

    def alone(self) -> None:
        """One value is what it takes."""
        return None

    def miscounted(self, count: int) -> tuple[str, str]:
        way = f"merge them (`-> {self.merged_by}`) first" if self.merged_by else "name one of them"
        return f"`{self.name}` reduces one value along `axis`, and {count} flow here", way

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        dtype = self.result_dtype(inputs, rules)
        axes = axis_indices(self.axis, x.rank, rules)
        remaining = (i for i in range(x.rank) if self.keep or i not in axes)
        shape = tuple(1 if i in axes else x.shape[i] for i in remaining)
        return (Tensor(shape, dtype, x.batched),)

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        """The element type of the result."""
        return inputs[0].dtype

    def _axes(self, x: Tensor) -> tuple[int, ...]:
        return axis_indices(self.axis, x.rank, Rules())

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs) * inputs[0].batched

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """All of the axes that are reduced; where they go, the others stand at other places."""
        (x,) = inputs
        axes, other = self._axes(x), POINTWISE if self.keep else UNKNOWN
        return tuple(None if axis in axes else other for axis in range(1, x.rank))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axes, kept = self._axes(inputs[0]), iter(wanted)
        every = whole(inputs[0].shape)
        if self.keep:
            return [(0, tuple(every[i] if i in axes else w for i, w in enumerate(wanted)))]
        return [(0, tuple(cells if i in axes else next(kept) for i, cells in enumerate(every)))]

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        axes = self._axes(inputs[0])
        return tuple(i for i in range(inputs[0].rank) if self.keep or i not in axes)

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.OWN

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = (*self.settings_of_torch(), *self._along(inputs[0]))
        return TorchCall(self.method, (In(0),), settings)

    def settings_of_torch(self) -> Keywords:
        """The keyword arguments of its own."""
        return ()

    def _along(self, x: Tensor) -> Keywords:
        first, *others = (axis + x.batched for axis in self._axes(x))
        axes = keywords(dim=(first, *others) if others else first)
        return (*axes, *changed(keepdim=(From(self.keep, "keep"), False)))

    def onnx(self, to: Lowering) -> OnnxValue:
        return self.reduced(to, self.onnx_operator, to.cast(to.inputs[0], to.results[0].dtype))

    def reduced(self, to: Lowering, operator: str, x: OnnxValue) -> OnnxValue:
        """A reducing operator; what the runtimes lack for a small type they have for int32."""
        wanted = x.dtype
        x = to.cast(x, "int32") if is_lacking(operator, wanted) and kind_of(wanted) < 2 else x
        axes = to.ints(*(to.axis(axis) for axis in self._axes(to.tensors[0])))
        result = to.node(operator, [x, axes], to.result(), keepdims=int(self.keep))
        return to.cast(result, wanted)


@dataclass(frozen=True)
class Sum(Reduction):
    """The sum along axes; of whole numbers and truth values an int64.

    sum(axis=0, keep=true): [8, H, W] -> [1, H, W]
    sum(axis=[1, 2]): [8, H, W] -> [8]
    """

    name: ClassVar[str] = "sum"
    merged_by: ClassVar[str] = "add"
    elsewhere: ClassVar[str] = "sum reducesum"
    method: ClassVar[str] = ".sum"
    onnx_operator: ClassVar[str] = "ReduceSum"

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        return inputs[0].dtype if inputs[0].is_float else "int64"


@dataclass(frozen=True)
class Norm(Reduction):
    """The p-norm along axes: the root of the sum of squares, or of other powers.

    Its gradient at 0 is 0, where that of a root is none.

        norm(axis=0, keep=true): [8, H, W] -> [1, H, W]
        norm(axis=-1, p=1): [196, 768] -> [196]
    """

    name: ClassVar[str] = "norm"
    method: ClassVar[str] = "torch.linalg.vector_norm"

    p: float = param(FLOAT, "the power", 2.0, named=True, told="p = {}",
                     tries=(1.0, 2.0, 3.0, 0.5, 0.0, -1.0))  # fmt: skip

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if self.p <= 0:
            rules.refuse("p", f"p must be above 0, not {self.p}", code="bad-argument")
        return super().infer(inputs, rules)

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        need_float(inputs[0], rules, self.name)
        return inputs[0].dtype

    def settings_of_torch(self) -> Keywords:
        return changed(ord=(From(self.p, "p"), 2.0))

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        if self.p in (1.0, 2.0):
            return self.reduced(to, f"ReduceL{self.p:.0f}", x)
        powers = to.node("Pow", [to.node("Abs", [x]), to.number(self.p)])
        return to.node("Pow", [self.reduced(to, "ReduceSum", powers), to.number(1 / self.p)])


@dataclass(frozen=True)
class ArgMax(Reduction):
    """The index of the largest number along an axis, the first of equal ones.

    argmax(axis=0): [21, H, W] -> int64 [H, W]
    argmax(axis=-1, keep=true): [8, 10] -> int64 [8, 1]
    """

    name: ClassVar[str] = "argmax"
    title: ClassVar[str] = "index of max"
    elsewhere: ClassVar[str] = "argmax"
    method: ClassVar[str] = ".argmax"

    axis: int | str = param(AXIS, "the axis", named=True)

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        if inputs[0].dtype == "bool":
            help = "`mul(1)` makes 1 and 0 of them"
            rules.refuse("in", "truth values have no largest", code="wrong-dtype", help=help)
        return "int64"

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """The index of a single number is 0, whatever it is."""
        (axis,) = self._axes(inputs[0])
        reads = super().reads(inputs, outputs, wanted, result)
        return reads if len(whole(inputs[0].shape)[axis]) > 1 else []

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,), (axis,) = to.inputs, self._axes(to.tensors[0])
        x = to.cast(x, "int32") if is_lacking("ArgMax", x.dtype) and kind_of(x.dtype) < 2 else x
        settings = {"axis": to.axis(axis), "keepdims": int(self.keep)}
        return to.node("ArgMax", [x], to.result(), "int64", **settings)


@dataclass(frozen=True)
class CumSum(Op):
    """The sum of all numbers up to each place of an axis; of whole numbers an int64.

    cumsum(axis=-1): [8, T] -> [8, T]
    """

    name: ClassVar[str] = "cumsum"
    title: ClassVar[str] = "running sum"
    family: ClassVar[str] = "reductions"
    takes_weights: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "cumsum"

    axis: int | str = param(AXIS, "the axis", named=True)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        axis_index(self.axis, x.rank, rules)
        return (Tensor(x.shape, x.dtype if x.is_float else "int64", x.batched),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        (x,) = inputs
        axis = axis_index(self.axis, x.rank, Rules())
        others, size = x.with_shape(*x.shape[:axis], *x.shape[axis + 1 :]), x.shape[axis]
        return elements((others,)) * (size * (size + 1) // 2) * x.batched

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return along(inputs[0], axis_index(self.axis, inputs[0].rank, Rules()), UNKNOWN)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axis = axis_index(self.axis, inputs[0].rank, Rules())
        return [(0, replaced(wanted, axis, range(max(wanted[axis], default=-1) + 1)))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        (x,) = inputs
        axis = axis_index(self.axis, x.rank, Rules()) + x.batched
        return TorchCall(".cumsum", (In(0),), keywords(dim=axis))

    def onnx(self, to: Lowering) -> OnnxValue:
        axis = to.axis(axis_index(self.axis, to.tensors[0].rank, Rules()))
        x = to.cast(to.inputs[0], to.results[0].dtype)
        return to.node("CumSum", [x, to.number(axis, "int64")])


# --- merges that with an axis are reductions ------------------------------------------------


@dataclass(frozen=True)
class _MergeOrReduction(Elementwise):
    """What merges several values, and with `axis` is the reduction of one that has its name."""

    reduction: ClassVar[type[Op]]

    axis: Axes | None = param(
        optional(AXES), "reduces one value along this axis, or a list of axes", None, named=True,
        tries=AXES_TRIED,
    )  # fmt: skip
    keep: bool = param(BOOL, "whether the axes stay, with size 1", False, named=True)

    def __new__(cls, axis: Axes | None = None, keep: bool = False) -> Self:
        return super().__new__(cls if axis is None else cls.reduction)  # type: ignore[return-value]

    def alone(self) -> tuple[str, str] | None:
        return "nothing to merge", f"to reduce write `{self.name}(axis=...)`"


class Max(_MergeOrReduction):
    """The largest of the values at each place, or of one along axes; of truth values, *or*.

    max: [8, 4, 4], [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    max(axis=0, keep=true): [8, H, W] -> [1, H, W]
    """

    name: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "maximum reducemax amax"
    operator: ClassVar[str] = "torch.maximum"
    onnx_operator: ClassVar[str] = "Max"


class Min(_MergeOrReduction):
    """The smallest of the values at each place, or of one along axes; of truth values, *and*.

    min: [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    min(axis=[1, 2]): [8, H, W] -> [8]
    """

    name: ClassVar[str] = "min"
    elsewhere: ClassVar[str] = "minimum reducemin amin"
    operator: ClassVar[str] = "torch.minimum"
    onnx_operator: ClassVar[str] = "Min"


class Mean(_MergeOrReduction):
    """The mean of the values at each place, or of one along axes.

    mean: [8, 4, 4], [8, 4, 4] -> [8, 4, 4]
    mean(axis=[1, 2]): [64, H, W] -> [64]
    """

    name: ClassVar[str] = "mean"
    elsewhere: ClassVar[str] = "average reducemean"
    operator: ClassVar[str] = "mean"
    onnx_operator: ClassVar[str] = "Add"

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        for tensor in inputs:
            need_float(tensor, rules, self.name)
        return super().result_dtype(inputs, rules)

    def onnx(self, to: Lowering) -> OnnxValue:
        summed = super().onnx(to)
        return to.node("Div", [summed, to.number(float(len(to.inputs)), summed.dtype)])


class MaxAlong(Reduction, Max):
    """The largest number along axes."""

    gives: ClassVar[str] = "max"
    merged_by: ClassVar[str] = "max"
    method: ClassVar[str] = ".amax"
    onnx_operator: ClassVar[str] = "ReduceMax"


class MinAlong(Reduction, Min):
    """The smallest number along axes."""

    gives: ClassVar[str] = "min"
    merged_by: ClassVar[str] = "min"
    method: ClassVar[str] = ".amin"
    onnx_operator: ClassVar[str] = "ReduceMin"


class MeanAlong(Reduction, Mean):
    """The mean along axes."""

    gives: ClassVar[str] = "mean"
    merged_by: ClassVar[str] = "mean"
    method: ClassVar[str] = ".mean"
    onnx_operator: ClassVar[str] = "ReduceMean"

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        need_float(inputs[0], rules, self.name)
        return inputs[0].dtype


for _merge, _reduction in (Max, MaxAlong), (Min, MinAlong), (Mean, MeanAlong):
    _merge.reduction = _reduction
