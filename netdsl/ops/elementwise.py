"""Values that meet place by place, and a number that meets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.sequences import is_tuple
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.base import POINTWISE, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, replaced, spread
from netdsl.ops.facts import Saved, Storage, value_words
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.merge import SAME_SIZE, check_ranks, sample_shapes
from netdsl.ops.onnx_parts import number_value
from netdsl.ops.params import NUMBERS, Number, optional, param
from netdsl.ops.promotion import as_float, check_range, common_dtype, met_dtypes
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)

TAKES_ALL = ("Max", "Min")
"""Operators of ONNX that take any number of values, whatever their element type."""
BOOLEAN = {"Add": "Or", "Mul": "And", "Max": "Or", "Min": "And"}
"""What operators of ONNX are on truth values."""


def meeting_shapes(inputs: Tensors, rules: Rules) -> list[Shape]:
    """The shapes of what meets place by place; without a batch all align from the right."""
    if any(tensor.batched for tensor in inputs):
        return sample_shapes(inputs, rules)
    rank = max(tensor.rank for tensor in inputs)
    return [(1,) * (rank - tensor.rank) + tensor.shape for tensor in inputs]


class Elementwise(Op):
    """What all of these share: equal shapes; an axis of literally 1 spreads."""

    family: ClassVar[str] = "merging"
    arity: ClassVar[tuple[int, int | None]] = (1, None)
    takes_weights: ClassVar[bool] = True
    operator: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        shapes = meeting_shapes(inputs, rules)
        rank = check_ranks(shapes, self.name, rules)
        dtype = self.result_dtype(inputs, rules)
        result = [self._axis(shapes, axis, rank, rules) for axis in range(rank)]
        return (Tensor(tuple(result), dtype, any(t.batched for t in inputs)),)

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        """The element type of the result."""
        return common_dtype(inputs)

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
                equal(common, size, (common, size)),
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
        shapes = meeting_shapes(inputs, Rules())
        return [(number, spread(wanted, shape)) for number, shape in enumerate(shapes)]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        """A merge of one value is that value."""
        return Storage.VIEW if len(inputs) == 1 else Storage.ALIKE

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall(self.operator, tuple(In(i) for i in range(len(inputs))))

    def onnx(self, to: Lowering) -> OnnxValue:
        if len(to.inputs) > 1 and self.onnx_operator in TAKES_ALL and to.results[0].dtype != "bool":
            values = [to.cast(x, to.results[0].dtype) for x in to.inputs]
            return to.node(self.onnx_operator, values, to.result())
        return self.folded(to, to.inputs, met_dtypes(to.tensors))

    def folded(self, to: Lowering, values: Sequence[OnnxValue], dtypes: Sequence[str]) -> OnnxValue:
        """The operator between one value after the other, in the types in which these meet."""
        x = values[0]
        for other, dtype in zip(values[1:], dtypes[1:], strict=True):
            operator = BOOLEAN.get(self.onnx_operator, "") if dtype == "bool" else ""
            pair = [to.cast(x, dtype), to.cast(other, dtype)]
            shape = spread_shape(x.shape, other.shape)
            x = to.node(operator or self.onnx_operator, pair, shape)
        return x


def kept_of_two(inputs: Tensors) -> Saved | None:
    """What PyTorch keeps of a product of two values: both."""
    is_plain = len(inputs) == 2 and all(x.dtype == "float32" for x in inputs)
    return Saved((0, 1)) if is_plain else None


def kept_beside(number: object) -> Saved | None:
    """What it keeps of a product with a number: nothing; one for each channel is a table."""
    return None if is_tuple(number) else Saved()


def spread_shape(a: Shape, b: Shape) -> Shape:
    """The shape in which two shapes meet, aligned from the right."""
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(n if isinstance(m, int) and m == 1 else m for m, n in pairs)


# --- with a number ---------------------------------------------------------------------------


@dataclass(frozen=True)
class WithNumber(Elementwise):
    """What takes a number: it stands behind what flows in, and counts as one of the values."""

    function: ClassVar[str] = ""
    """Of PyTorch; what `per_channel`, the module for a list of numbers, calls."""
    per_channel: ClassVar[str] = "PerChannel"
    gives_floats: ClassVar[bool] = False
    before_number: ClassVar[str] = ""
    """Words for pictures, where no sign says it."""
    empty: ClassVar[float | None] = None
    """A number beside which what flows in does not matter."""

    number: Number | tuple[Number, ...] | None = param(
        optional(NUMBERS), "a number, an open size, or a list: one number a channel", None,
        told=None, tries=(2, 0.5, -1, 0, 3.0, (0.5, 2.0), (1.0, 0.0, 2.0, 1.5), (1, 2, 3, 4)),
    )  # fmt: skip

    def inputs_taken(self) -> tuple[int, int | None]:
        least, most = self.arity
        if self.number is None:
            return least, most
        return max(least - 1, 1), most if most is None else most - 1

    def passes(self, count: int) -> bool:
        """A sum of one value, or a product, is that value."""
        return count == 1 and self.number is None and self.arity[0] == 1

    def miscounted(self, count: int) -> tuple[str, str] | None:
        least, _ = self.arity
        if self.number is not None or count != least - 1:
            return None
        message = f"`{self.name}` takes {least} values, and {count} come{'s' * (count == 1)} in"
        return message, f"give it one more, or a number in parentheses: `-> {self.name}(2)`"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (result,) = super().infer(inputs, rules)
        if is_tuple(self.number):
            self._check_list(len(self.number), result, rules)
        if self.number is not None:
            check_range(self.number, self.computed_dtype(inputs), rules)
        return (result,)

    def _check_list(self, count: int, result: Tensor, rules: Rules) -> None:
        channels = result.shape[0] if result.rank else 0
        if channels == count:
            return
        numbers = f"{count} number{'s' * (count != 1)}"
        rules.refuse(
            "number",
            f"{numbers} for {channels} channel{'s' * (channels != 1)}"
            if isinstance(channels, int)
            else f"{numbers}, and how many channels there are depends on the input: {channels}",
            code="bad-argument",
            help="give one for each channel, which are axis 0; one number for all has no brackets",
        )

    def computed_dtype(self, inputs: Tensors) -> str:
        """The element type in which it computes."""
        common = common_dtype(inputs, self.number)
        return as_float(common) if self.gives_floats else common

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        return self.computed_dtype(inputs)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        if self.empty is None or self.number is None:
            return super().reads(inputs, outputs, wanted)
        wanted = self._felt(wanted)
        return super().reads(inputs, outputs, wanted) if all(wanted) else []

    def _felt(self, wanted: Product) -> Product:
        """Those of the elements on which what flows in has an effect."""
        if is_tuple(self.number):
            return replaced(wanted, 0, (i for i in wanted[0] if self.number[i] != self.empty))
        return (frozenset(),) if self.number == self.empty else wanted

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        count = super().connections(inputs, outputs)
        if self.empty is None or self.number is None:
            return count
        if is_tuple(self.number):
            felt = sum(number != self.empty for number in self.number)
            return count * felt // len(self.number)
        return 0 if self.number == self.empty else count

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.ALIKE if self.number is not None else super().storage(inputs, outputs)

    # --- words for pictures

    def shown_sign(self) -> str:
        return "" if self.number is not None else self.sign

    def headline(self, inputs: Tensors) -> str:
        if self.number is None:
            return super().headline(inputs)
        number = f"{len(self.number)} numbers" if is_tuple(self.number) else self.number
        return f"{self.sign or self.before_number} {value_words(number)}"

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        return self.headline(inputs)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return super().says(inputs, outputs) if self.number is None else self.headline(inputs)

    # --- PyTorch and ONNX

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        values: tuple[TorchValue, ...] = tuple(In(i) for i in range(len(inputs)))
        if is_tuple(self.number):
            listed = From(list(self.number), "number")
            rank, dtype = outputs[0].rank, Code(f"torch.{self.computed_dtype(inputs)}")
            settings = keywords(rank=rank, dtype=dtype)
            args = (Code(self.function), listed)
            return TorchModule(self.per_channel, args, settings, helper="arithmetic")
        if self.number is not None:
            values = (*values, From(self.number, "number"))
        return TorchCall(self.operator, values)

    def onnx(self, to: Lowering) -> OnnxValue:
        values, dtypes = list(to.inputs), met_dtypes(to.tensors, self.number)
        if self.gives_floats:
            dtypes = list(map(as_float, dtypes))
        if self.number is not None:
            values.append(number_value(to, self.number, dtypes[-1]))
        return self.folded(to, values, dtypes)
