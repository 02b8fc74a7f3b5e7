"""Shape arithmetic: sums, products, comparisons, roundings, casts of numbers and sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netdsl.importers.onnx.folding import elementwise, first, fold
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.quantity import (
    Plain,
    Quantity,
    Undecided,
    ceiled,
    compared,
    divided,
    floored,
    least,
    most,
    truncated,
)
from netdsl.importers.onnx.values import INTEGERS

if TYPE_CHECKING:
    import numpy as np


def _is_whole(array: np.ndarray) -> bool:
    """Whether numbers are whole ones, sizes among them."""
    if array.dtype == object:
        return all(not isinstance(one, float) for one in array.reshape(-1).tolist())
    return str(array.dtype) in INTEGERS or array.dtype == bool


@fold("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "Mod")
def _arithmetic(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    values = [first(arrays, n) for n in range(len(arrays))]
    if node.operator == "Mod":
        node.only("fmod", 0)
    symbolic = any(value.dtype == object for value in values)
    result = values[0]
    for other in values[1:]:
        is_whole = _is_whole(result) and _is_whole(other)
        if symbolic:
            result = numpy.asarray(_symbolic(node.operator, is_whole)(result, other))
        else:
            result = _plain(node.operator, result, other, is_whole)
    return [result]


def _symbolic(operator: str, is_whole: bool) -> Callable[..., Any]:
    def quotient(a: Plain, b: Plain) -> Plain:
        if not isinstance(a, Quantity) and not isinstance(b, Quantity):
            if b == 0:
                raise Undecided("a size is divided by 0")
            return int(a / b) if is_whole else a / b
        exact = divided(a, b)
        return truncated(exact) if is_whole else exact

    functions: dict[str, Callable[..., object]] = {
        "Add": lambda a, b: a + b,
        "Sub": lambda a, b: a - b,
        "Mul": lambda a, b: a * b,
        "Div": quotient,
        "Min": least,
        "Max": most,
        "Mod": lambda a, b: a % b,
    }
    if operator not in functions:
        raise Undecided(f"`{operator}` of a size has no exact word")
    return elementwise(functions[operator])


def _plain(operator: str, a: np.ndarray, b: np.ndarray, is_whole: bool) -> np.ndarray:
    import numpy

    if operator == "Div" and is_whole:
        if (b == 0).any():
            raise Undecided("a whole number is divided by 0")
        quotient = numpy.abs(a) // numpy.abs(b)
        return (quotient * numpy.sign(a) * numpy.sign(b)).astype(a.dtype)
    functions: dict[str, Any] = {
        "Add": numpy.add,
        "Sub": numpy.subtract,
        "Mul": numpy.multiply,
        "Div": numpy.divide,
        "Min": numpy.minimum,
        "Max": numpy.maximum,
        "Pow": numpy.power,
        "Mod": numpy.mod,
    }
    return functions[operator](a, b)


@fold("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
def _comparison(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    signs = {"Equal": "==", "Less": "<", "Greater": ">", "LessOrEqual": "<=",
             "GreaterOrEqual": ">="}  # fmt: skip
    a, b = first(arrays), first(arrays, 1)
    sign = signs[node.operator]
    if a.dtype != object and b.dtype != object:
        plain = {"==": numpy.equal, "<": numpy.less, ">": numpy.greater, "<=": numpy.less_equal,
                 ">=": numpy.greater_equal}  # fmt: skip
        return [plain[sign](a, b)]
    return [numpy.asarray(elementwise(lambda x, y: compared(sign, x, y))(a, b)).astype(bool)]


@fold("Where")
def _where(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    condition = first(arrays)
    if condition.dtype == object:
        raise Undecided("a choice depends on the sizes")
    return [numpy.where(condition, first(arrays, 1), first(arrays, 2))]


@fold("Floor", "Ceil", "Neg", "Abs")
def _rounding(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = first(arrays)
    if one.dtype != object:
        plain = {"Floor": numpy.floor, "Ceil": numpy.ceil, "Neg": numpy.negative, "Abs": numpy.abs}
        return [plain[node.operator](one)]
    rounds: dict[str, Callable[[Plain], object]] = {
        "Floor": floored,
        "Ceil": ceiled,
        "Neg": lambda a: -a,
        "Abs": lambda a: most(a, -a),
    }
    return [elementwise(rounds[node.operator])(one)]


DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
          9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
          16: "bfloat16"}  # fmt: skip
"""ONNX's numbers for element types."""


@fold("Cast", "CastLike")
def _cast(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = first(arrays)
    for ignored in ("saturate", "round_mode"):  # these are for types of 8 bits
        node.has(ignored)
    if node.operator == "CastLike":
        dtype = str(first(arrays, 1).dtype)
    else:
        dtype = DTYPES.get(node.int("to"), "")
    if not dtype or dtype == "object":
        node.refuse("numbers are cast to a type that is not read", code="wrong-dtype")
    if one.dtype != object:
        return [one.astype("float32" if dtype == "bfloat16" else dtype)]
    if dtype == "bool":
        return [numpy.asarray(elementwise(lambda a: not compared("==", a, 0))(one)).astype(bool)]
    if dtype in INTEGERS:
        return [elementwise(truncated)(one)]
    return [elementwise(lambda a: a if isinstance(a, Quantity) else float(a))(one)]
