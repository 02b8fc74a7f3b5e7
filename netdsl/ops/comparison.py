"""Comparisons, which give truth values, and the choice by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from netdsl.ops.base import Rules, Tensors
from netdsl.ops.elementwise import WithNumber
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import number_value
from netdsl.ops.promotion import common_dtype


class _Comparison(WithNumber):
    """What comparisons share: truth values come out."""

    keeps: ClassVar[str] = "nothing"

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        return "bool"

    def folded(self, to: Lowering, values: Sequence[OnnxValue], dtypes: Sequence[str]) -> OnnxValue:
        """ONNX compares numbers."""
        dtype = "int32" if dtypes[-1] == "bool" else dtypes[-1]
        pair = [to.cast(value, dtype) for value in values]
        return to.node(self.onnx_operator, pair, to.result(), "bool")


class Greater(_Comparison):
    """Where the first value is greater than the second, or than a number.

    greater(0): [8, H, W] -> bool [8, H, W]
    greater: [8, 5], [8, 5] -> bool [8, 5]
    """

    name: ClassVar[str] = "greater"
    sign: ClassVar[str] = ">"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "greater gt"
    operator: ClassVar[str] = ">"
    function: ClassVar[str] = "torch.gt"
    onnx_operator: ClassVar[str] = "Greater"


class Less(_Comparison):
    """Where the first value is less than the second, or than a number.

    less(0.5): [8, H, W] -> bool [8, H, W]
    """

    name: ClassVar[str] = "less"
    sign: ClassVar[str] = "<"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "less lt"
    operator: ClassVar[str] = "<"
    function: ClassVar[str] = "torch.lt"
    onnx_operator: ClassVar[str] = "Less"


class Equal(_Comparison):
    """Where two values are equal, or one and a number; of truth values `equal(0)` is *not*.

    equal(0): int64 [T] -> bool [T]
    equal(0): bool [8, H, W] -> bool [8, H, W]
    """

    name: ClassVar[str] = "equal"
    sign: ClassVar[str] = "="
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "equal eq"
    operator: ClassVar[str] = "=="
    function: ClassVar[str] = "torch.eq"
    onnx_operator: ClassVar[str] = "Equal"


class Where(WithNumber):
    """Of three values, the second where the first is true, else the third, or a number.

    where: bool [H, W], [H, W], [H, W] -> [H, W]
    where(-1e9): bool [1, T], [8, T] -> [8, T]
    """

    name: ClassVar[str] = "where"
    arity: ClassVar[tuple[int, int | None]] = (3, 3)
    elsewhere: ClassVar[str] = "where"
    before_number: ClassVar[str] = "where, else"
    operator: ClassVar[str] = "torch.where"
    function: ClassVar[str] = "torch.where"
    per_channel: ClassVar[str] = "ElsePerChannel"
    onnx_operator: ClassVar[str] = "Where"

    def miscounted(self, count: int) -> tuple[str, str]:
        came = f"{count} value{'s' * (count != 1)} come{'s' * (count == 1)} in"
        what = "a condition, then, else; the last may be a number"
        return f"`where` takes {what}, and {came}", "`(m, a, b) -> where`, `(m, a) -> where(0)`"

    def computed_dtype(self, inputs: Tensors) -> str:
        return common_dtype(inputs[1:], self.number)

    def result_dtype(self, inputs: Tensors, rules: Rules) -> str:
        if inputs[0].dtype != "bool":
            rules.refuse(
                "in",
                f"the first value of `where` is a condition, and {inputs[0]} comes in",
                code="wrong-dtype",
                help="`m -> greater(0)` makes one",
            )
        return super().result_dtype(inputs, rules)

    def onnx(self, to: Lowering) -> OnnxValue:
        dtype = self.computed_dtype(to.tensors)
        condition, *values = to.inputs
        values = [to.cast(x, dtype) for x in values]
        if self.number is not None:
            values.append(number_value(to, self.number, dtype))
        if dtype != "bool":
            return to.node("Where", [condition, *values], to.result(), dtype)
        then, otherwise = values
        shape = to.result()
        chosen = to.node("And", [condition, then], shape)
        rest = to.node("And", [to.node("Not", [condition]), otherwise], shape)
        return to.node("Or", [chosen, rest], shape)
