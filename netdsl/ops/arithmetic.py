"""Sums, differences, products, quotients and powers of values, and of a value and a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Dim, compare
from netdsl.ir.sequences import is_tuple
from netdsl.ops.base import Rules, Tensors
from netdsl.ops.elementwise import WithNumber, kept_beside, kept_of_two
from netdsl.ops.facts import Saved
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.promotion import kind_of


@dataclass(frozen=True)
class Add(WithNumber):
    """The sum of the values, and of a number.

    add: [64, 56, 56], [64, 56, 56] -> [64, 56, 56]
    add: [8, H, W], [8, 1, 1] -> [8, H, W]
    add(1): [8, H, W] -> [8, H, W]
    """

    name: ClassVar[str] = "add"
    keeps: ClassVar[str] = "nothing"
    sign: ClassVar[str] = "+"
    elsewhere: ClassVar[str] = "shortcut"
    operator: ClassVar[str] = "+"
    function: ClassVar[str] = "torch.add"
    onnx_operator: ClassVar[str] = "Add"


@dataclass(frozen=True)
class Sub(WithNumber):
    """The first value less the second, or less a number.

    A number less a value, `1 - x`, is `x -> mul(-1) -> add(1)`.

        sub: [8, 5], [8, 5] -> [8, 5]
        sub([0.5, 0.4, 0.3]): [3, H, W] -> [3, H, W]
    """

    name: ClassVar[str] = "sub"
    keeps: ClassVar[str] = "nothing"
    sign: ClassVar[str] = "-"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "subtract"
    operator: ClassVar[str] = "-"
    function: ClassVar[str] = "torch.sub"
    onnx_operator: ClassVar[str] = "Sub"

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        if any(tensor.dtype == "bool" for tensor in inputs):
            rules.refuse(
                "in",
                "truth values can't be subtracted",
                code="wrong-dtype",
                help="`mul(1)` makes 1 and 0 of them; `equal(0)` is their opposite",
            )
        return super().result_dtype(inputs, rules)


@dataclass(frozen=True)
class Mul(WithNumber):
    """The product of the values, and of a number; a gate [C, 1, 1] scales the channels.

    mul: [64, H, W], [64, 1, 1] -> [64, H, W]
    mul(0.1): [64, H, W] -> [64, H, W]
    mul([1, 0.5, 2]): [3, 8, 8] -> [3, 8, 8]
    """

    name: ClassVar[str] = "mul"
    sign: ClassVar[str] = "×"
    elsewhere: ClassVar[str] = "multiply"
    operator: ClassVar[str] = "*"
    function: ClassVar[str] = "torch.mul"
    onnx_operator: ClassVar[str] = "Mul"
    empty: ClassVar[float | None] = 0

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Both values; a number is none."""
        return kept_of_two(inputs) if self.number is None else kept_beside(self.number)


@dataclass(frozen=True)
class Div(WithNumber):
    """The first value over the second, or over a number; of whole numbers, too, a float.

    A number over a value, `1 / x`, is `x -> reciprocal`.

        div: [8, H, W], [1, H, W] -> [8, H, W]
        div(255): [3, H, W] -> [3, H, W]
    """

    name: ClassVar[str] = "div"
    sign: ClassVar[str] = "÷"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "divide div truediv"
    operator: ClassVar[str] = "/"
    function: ClassVar[str] = "torch.div"
    onnx_operator: ClassVar[str] = "Div"
    gives_floats: ClassVar[bool] = True

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Both values; a number is none."""
        return kept_of_two(inputs) if self.number is None else kept_beside(self.number)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if self.number == 0 or (is_tuple(self.number) and 0 in self.number):
            rules.refuse("number", "division by zero", code="bad-argument")
        if isinstance(self.number, Dim):
            rules.require(
                compare("!=", self.number, 0),
                "number",
                f"division by zero where {self.number} is 0",
                help="`max` keeps a size from 0: `div(max(n, 1))`",
            )
        return super().infer(inputs, rules)


@dataclass(frozen=True)
class Pow(WithNumber):
    """The first value to the power of the second, or of a number.

    pow(2): [8, H, W] -> [8, H, W]
    pow: [8, H, W], [8, 1, 1] -> [8, H, W]
    """

    name: ClassVar[str] = "pow"
    title: ClassVar[str] = "power"
    sign: ClassVar[str] = "^"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "pow"
    operator: ClassVar[str] = "**"
    function: ClassVar[str] = "torch.pow"
    onnx_operator: ClassVar[str] = "Pow"
    empty: ClassVar[float | None] = 0

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        dtype = super().result_dtype(inputs, rules)
        if dtype == "bool":
            rules.refuse("in", "truth values have no powers", code="wrong-dtype")
        numbers = self.number if is_tuple(self.number) else (self.number,)
        negative = [n for n in numbers if isinstance(n, int) and n < 0]
        if negative and kind_of(dtype) < 2:
            rules.refuse(
                "number",
                f"a whole number to the power of {negative[0]} is none",
                code="bad-argument",
                help=f"with a point it is a float: `pow({float(negative[0])})`",
            )
        if isinstance(self.number, Dim) and kind_of(dtype) < 2:
            rules.require(
                compare(">=", self.number, 0),
                "number",
                f"a whole number to the power of {self.number} is none where that is below 0",
                help="in floats it is one: `mul(1.0)` before it",
            )
        return dtype

    def folded(self, to: Lowering, values: Sequence[OnnxValue], dtypes: Sequence[str]) -> OnnxValue:
        """Powers of whole numbers are products; the runtimes compute others in floats."""
        if kind_of(dtypes[-1]) == 2:
            return super().folded(to, values, dtypes)
        if not isinstance(self.number, int):
            to.refuse(
                "a power of whole numbers that is no fixed number has no exact form in ONNX",
                help="compute it in floats: `mul(1.0)` before it",
            )
        return _power(to, to.cast(values[0], dtypes[-1]), self.number)


def _power(to: Lowering, x: OnnxValue, exponent: int) -> OnnxValue:
    """x * x * ...: squares, and squares of squares."""
    one = to.node("Equal", [x, x], dtype="bool")
    result: OnnxValue | None = None
    while exponent:
        if exponent % 2:
            result = x if result is None else to.node("Mul", [result, x])
        exponent //= 2
        x = to.node("Mul", [x, x]) if exponent else x
    return to.cast(one, x.dtype) if result is None else result
