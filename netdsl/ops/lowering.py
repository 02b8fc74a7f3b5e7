"""How an op is said in ONNX, as data: nodes over named values; nothing here imports onnx."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.refusal import Refusal

OnnxAttribute: TypeAlias = int | float | str | list[int] | list[float] | list[str]


UNKNOWN = -1
"""Stands for the size of an axis that is not said, in the shape of a value within a lowering."""


WHOLE = ("int64", "int32", "int16", "bool")
LACKING = {
    **dict.fromkeys(("Add", "Sub", "Mul"), ("bool",)),
    **dict.fromkeys(("Max", "Min", "ReduceMax", "ReduceMin", "ArgMax"), ("bool", "int16")),
    **dict.fromkeys(("AveragePool", "Erf", "InstanceNormalization", "LRN", "Resize"), ("float64",)),
    "DepthToSpace": WHOLE,
    "Pad": ("int16",),
}
"""Element types that ONNX, or ONNX Runtime on the CPU, has no form of an operator for."""
MOVING = (
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "Reshape",
    "Shape",
    "Slice",
    "Split",
    "Transpose",
)
"""Operators that compute nothing; bfloat16 goes through no others."""


def is_lacking(op: str, dtype: str) -> bool:
    """Whether the runtimes can't run an operator on elements of a type."""
    return dtype in LACKING.get(op, ()) or (dtype == "bfloat16" and op not in MOVING)


@dataclass(frozen=True, slots=True)
class OnnxValue:
    """A value of the ONNX graph: `shape` has the batch axis in front, where there is one."""

    name: str
    shape: Shape
    dtype: str = "float32"


@dataclass(slots=True)
class OnnxNode:
    """One operator; an input that is left out has an empty name."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, OnnxAttribute] = field(default_factory=dict[str, OnnxAttribute])


@dataclass(frozen=True, slots=True)
class OnnxConstant:
    """A small tensor with its numbers: whole ones if `dtype` is int64."""

    shape: tuple[int, ...]
    numbers: tuple[float, ...]
    dtype: str


class Lowering:
    """What an op's `onnx` method writes into: the nodes of one call of a layer.

    `inputs` are its values, `tensors` their static types and `results` those of its results;
    `samples` is the size of the batch, and `batch` that of its first axis here.
    `size_of` gives a one-element int64 value for a size, which may depend on symbols; `constant`
    the name of a constant, `weight` the value of one of the layer's weights.
    """

    def __init__(
        self,
        inputs: Sequence[OnnxValue],
        tensors: Sequence[Tensor],
        results: Sequence[Tensor],
        batch: Size,
        size_of: Callable[[Size], OnnxValue],
        constant: Callable[[OnnxConstant], OnnxValue],
        weight: Callable[[str], OnnxValue],
        fresh: Callable[[str], str],
    ) -> None:
        self.inputs, self.tensors, self.results = tuple(inputs), tuple(tensors), tuple(results)
        self.samples, self.size_of, self.constant = batch, size_of, constant
        self.batch = self._batch(results[0])
        self.weight, self._fresh = weight, fresh
        self.nodes: list[OnnxNode] = []
        self.values: list[OnnxValue] = []

    def result(self, index: int = 0) -> Shape:
        """The shape of a result, with the batch axis in front."""
        return self.full(self.results[index])

    def full(self, tensor: Tensor) -> Shape:
        """A static type's shape as ONNX sees it."""
        return (self._batch(tensor), *tensor.shape) if tensor.batched else tensor.shape

    def _batch(self, tensor: Tensor) -> Size:
        """The batch, with the items of a sample in it."""
        batch = self.samples
        for count in tensor.items:
            batch = batch * count
        return batch

    def axis(self, axis: int, index: int = 0) -> int:
        """An axis of input `index`, counted without the batch, as ONNX counts it."""
        return axis + 1 if self.tensors[index].batched else axis

    def node(
        self,
        op: str,
        inputs: Sequence[OnnxValue | None],
        shape: Shape | None = None,
        dtype: str | None = None,
        **attributes: OnnxAttribute,
    ) -> OnnxValue:
        """A node with one result; by default of the first input's shape and type."""
        (value,) = self.split(op, inputs, [shape], dtype, **attributes)
        return value

    def split(
        self,
        op: str,
        inputs: Sequence[OnnxValue | None],
        shapes: Sequence[Shape | None],
        dtype: str | Sequence[str] | None = None,
        **attributes: OnnxAttribute,
    ) -> tuple[OnnxValue, ...]:
        """A node with a result for each shape; of one type, or of a type each."""
        first = next((value for value in inputs if value is not None), None)
        assert first is not None
        if is_lacking(op, first.dtype):
            self.refuse(
                f"the runtimes have no {op} for {first.dtype}",
                help="another element type: float32, int64 or int32",
            )
        kinds = [dtype or first.dtype] * len(shapes) if isinstance(dtype, str | None) else dtype
        values = tuple(
            OnnxValue(self._fresh(op), first.shape if shape is None else shape, kind)
            for shape, kind in zip(shapes, kinds, strict=True)
        )
        names = [value.name if value is not None else "" for value in inputs]
        self.nodes.append(OnnxNode(op, names, [value.name for value in values], attributes))
        self.values += values
        return values

    def cast(self, x: OnnxValue, dtype: str) -> OnnxValue:
        """`x` in another element type."""
        return x if x.dtype == dtype else self.node("Cast", [x], dtype=dtype, to=dtype)

    def ints(self, *numbers: int) -> OnnxValue:
        """A constant list of whole numbers."""
        return self.constant(OnnxConstant((len(numbers),), numbers, "int64"))

    def number(self, value: float, dtype: str = "") -> OnnxValue:
        """A constant single number, by default of the first input's type."""
        return self._written(OnnxConstant((), (value,), dtype or self._dtype()))

    def floats(
        self, numbers: Sequence[float], shape: Sequence[int] | None = None, dtype: str = ""
    ) -> OnnxValue:
        """A constant tensor, by default a list of the first input's type."""
        wanted = tuple(shape or (len(numbers),))
        return self._written(OnnxConstant(wanted, tuple(numbers), dtype or self._dtype()))

    def _dtype(self) -> str:
        return self.inputs[0].dtype if self.inputs else "float32"

    def _written(self, constant: OnnxConstant) -> OnnxValue:
        if constant.dtype == "bfloat16":
            self.refuse("constants of bfloat16 are not written")
        return self.constant(constant)

    def sizes(self, sizes: Sequence[Size]) -> OnnxValue:
        """A list of sizes: a constant where all are numbers, else put together in the graph."""
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == len(sizes):
            return self.ints(*known)
        parts = [self.size_of(size) for size in sizes]
        return parts[0] if len(parts) == 1 else self.node(
            "Concat", parts, (len(parts),), "int64", axis=0
        )  # fmt: skip

    def reshape(self, x: OnnxValue, shape: Shape) -> OnnxValue:
        """`x` in another shape. The batch is copied, one unknown axis is left to the runtime."""
        wanted = [
            0 if i < len(x.shape) and size == x.shape[i] and not isinstance(size, int) else size
            for i, size in enumerate(shape)
        ]
        open_axes = [i for i, size in enumerate(wanted) if not isinstance(size, int)]
        if len(open_axes) == 1:
            wanted[open_axes[0]] = -1
        return self.node("Reshape", [x, self.sizes(wanted)], shape)

    def transpose(self, x: OnnxValue, *order: int) -> OnnxValue:
        """The axes in another order, the batch included."""
        return self.node("Transpose", [x], tuple(x.shape[i] for i in order), perm=list(order))

    def cut(
        self, x: OnnxValue, axes: Sequence[int], starts: OnnxValue, ends: OnnxValue, shape: Shape
    ) -> OnnxValue:
        """`x[start:end]` along axes."""
        return self.node("Slice", [x, starts, ends, self.ints(*axes)], shape)

    def refuse(self, message: str, help: str = "") -> NoReturn:
        """This call has no form in ONNX that is right."""
        raise Refusal("in", message, code="not-in-onnx", notes=(), help=help)
