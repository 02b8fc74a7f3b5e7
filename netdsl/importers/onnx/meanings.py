"""What settings are in terms of the size symbols."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import cast

from netdsl.importers.onnx.quantity import quotient
from netdsl.importers.program import Axis, Computed, Number, Value
from netdsl.ir.dim import Size, ceil_div, floor_div, maximum, minimum
from netdsl.ir.tensor import Tensor


def meaning(setting: object, types: Mapping[Value, Tensor]) -> object:
    """What a setting is in terms of the size symbols."""
    match setting:
        case Axis(value, axis):
            return types[value].shape[axis]
        case Computed():
            return _computed(setting, types)
        case tuple():
            return tuple(meaning(one, types) for one in cast("tuple[object, ...]", setting))
        case list():
            return [meaning(one, types) for one in cast("list[object]", setting)]
        case _:
            return setting


def _computed(number: Computed, types: Mapping[Value, Tensor]) -> object:
    operands = [cast(Size, meaning(one, types)) for one in number.operands]
    match number.operator, operands:
        case "+", [a, b]:
            return a + b
        case "-", [a, b]:
            return a - b
        case "*", [a, b]:
            return a * b
        case "//", [a, int(b)]:
            return floor_div(a, b)
        case "min", [a, b]:
            return minimum(a, b)
        case "max", [a, b]:
            return maximum(a, b)
        case _:
            return _rounded(number, types)


def _rounded(number: Computed, types: Mapping[Value, Tensor]) -> object:
    """A floor or ceiling of what is multiplied or divided by a fraction."""
    if number.operator in ("floor", "ceil", "//"):
        inner = number.operands[0]
        if number.operator == "//":
            inner = Computed("/", number.operands)
        dim, over = exact(inner, types)
        return ceil_div(dim, over) if number.operator == "ceil" else floor_div(dim, over)
    dim, over = exact(number, types)
    if over == 1:
        return dim
    return dim // over


def exact(one: Number, types: Mapping[Value, Tensor]) -> tuple[Size, int]:
    """A number as numerator and denominator."""
    match one:
        case float():
            part = Fraction(one).limit_denominator(2**16)
            return part.numerator, part.denominator
        case Computed("*", (left, right)):
            (a, b), (c, d) = exact(left, types), exact(right, types)
            return a * c, b * d
        case Computed("/", (left, right)):
            (a, b), (c, d) = exact(left, types), exact(right, types)
            if isinstance(c, int) and c > 0:
                return a * d, b * c
            whole = quotient(a, c)
            assert whole is not None
            return whole * d, b
        case Computed("+" | "-" as sign, (left, right)):
            (a, b), (c, d) = exact(left, types), exact(right, types)
            return a * d + c * b * (1 if sign == "+" else -1), b * d
        case _:
            return cast(Size, meaning(one, types)), 1
