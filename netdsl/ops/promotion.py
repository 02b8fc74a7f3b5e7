"""Element types that meet: what PyTorch computes in, and which numbers a type holds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from netdsl.ir.dim import Dim
from netdsl.ir.sequences import is_tuple
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Rules

KINDS = (
    ("bool",),
    ("uint8", "int8", "int16", "int32", "int64"),
    ("float16", "bfloat16", "float32", "float64"),
)
"""Truth values, whole numbers, floats; of two kinds the later one is taken."""
MIXED = {("int8", "uint8"): "int16", ("bfloat16", "float16"): "float32"}
"""Of one kind the later type is taken, but for these pairs, of which neither holds the other."""
LARGEST = {"float16": 65504.0, "bfloat16": 3.38953139e38, "float32": 3.40282347e38}
BITS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}


class Operand(NamedTuple):
    """An element type, and how much it counts: a number less than a tensor without axes."""

    dtype: str
    weight: int


NUMBER, SINGLE, TENSOR = range(3)


def kind_of(dtype: str) -> int:
    """0 for truth values, 1 for whole numbers, 2 for floats."""
    return next(kind for kind, dtypes in enumerate(KINDS) if dtype in dtypes)


def promoted(first: str, second: str) -> str:
    """The type in which elements of two types meet, as `torch.promote_types` has it."""
    mixed = MIXED.get((min(first, second), max(first, second)))
    return mixed or max(first, second, key=lambda t: (kind_of(t), KINDS[kind_of(t)].index(t)))


def met_dtypes(inputs: Iterable[Tensor], number: object = None) -> list[str]:
    """The type of the first value, and those in which each further one meets what is before it.

    A number comes last, as in `a + b + 1` of PyTorch.
    """
    operands = [_operand(tensor) for tensor in inputs]
    if number is not None:
        operands.append(Operand("float32" if has_point(number) else "int64", NUMBER))
    return [operand.dtype for operand in accumulate(operands, _meet)]


def common_dtype(inputs: Iterable[Tensor], number: object = None) -> str:
    """The type in which all of these have met."""
    return met_dtypes(inputs, number)[-1]


def has_point(number: object) -> bool:
    """Whether a number, or one of a list, is a float."""
    numbers = number if is_tuple(number) else (number,)
    return any(isinstance(n, float) for n in numbers)


def as_float(dtype: str) -> str:
    """The type of the results of what gives floats: of whole numbers, float32."""
    return dtype if kind_of(dtype) == 2 else "float32"


def _operand(tensor: Tensor) -> Operand:
    return Operand(tensor.dtype, TENSOR if tensor.batched or tensor.rank else SINGLE)


def _meet(first: Operand, second: Operand) -> Operand:
    """What counts less decides only where it is of a later kind."""
    low, high = sorted((first, second), key=lambda operand: operand.weight)
    if low.weight < high.weight and kind_of(low.dtype) <= kind_of(high.dtype):
        return high
    return Operand(promoted(low.dtype, high.dtype), high.weight)


def check_range(number: object, dtype: str, rules: Rules, at: str = "number") -> None:
    """Refuses a number that a type does not hold: PyTorch goes on with another one."""
    for one in number if is_tuple(number) else (number,):
        if not _holds(dtype, one):
            is_open = isinstance(one, Dim)
            message = "an open size may be" if is_open else f"{one} is"
            rules.refuse(at, f"{message} beyond {dtype}", code="bad-argument")


def _holds(dtype: str, number: object) -> bool:
    """Whether a number is one of a type, but for rounding; sizes are numbers of 32 bits."""
    if isinstance(number, Dim):
        return kind_of(dtype) == 2 or dtype in ("int32", "int64")
    assert isinstance(number, int | float)
    if kind_of(dtype) == 2:
        return abs(number) <= LARGEST.get(dtype, float("inf"))
    bits = BITS.get(dtype, 8)
    return (0 if dtype == "uint8" else -(2**bits)) <= number < 2**bits
