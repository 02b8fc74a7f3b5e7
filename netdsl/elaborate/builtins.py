"""The functions that expressions may call: `max`, `ceil`, `len` and their like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, floor

from netdsl.elaborate.arithmetic import Wrong, binary, bounded, compared
from netdsl.elaborate.environment import Flow, Ratio
from netdsl.ir.dim import Dim, ceil_div, floor_div, maximum, minimum
from netdsl.ir.sequences import is_sequence, is_tuple
from netdsl.ops.params import show


def call_builtin(name: str, arguments: Sequence[object]) -> object:
    """The value of a call; raises `Wrong` where the arguments don't fit."""
    return bounded(BUILTINS[name](name, list(arguments)))


def _extreme(name: str, arguments: list[object]) -> object:
    items = _items(name, arguments)
    best = items[0]
    for item in items[1:]:
        if isinstance(best, Dim) or isinstance(item, Dim):
            best = _symbolic_extreme(name, best, item)
        elif compared("<" if name == "min" else ">", item, best):
            best = item
    return best


def _symbolic_extreme(name: str, left: object, right: object) -> object:
    for side in left, right:
        if isinstance(side, bool) or not isinstance(side, int | Dim):
            raise Wrong(f"`{name}` does not work on a size and {show(side)}")
    return (minimum if name == "min" else maximum)(left, right)  # type: ignore[arg-type]


def _sum(name: str, arguments: list[object]) -> object:
    total: object = 0
    for item in _items(name, arguments, empty=True):
        total = binary("+", total, item)
    return total


def _items(name: str, arguments: list[object], *, empty: bool = False) -> list[object]:
    """The arguments, or the items of the one list or size given."""
    items: list[object] = arguments
    if len(arguments) == 1 and is_sequence(arguments[0]):
        items = list(arguments[0])
    if not items and not empty:
        raise Wrong(f"`{name}` of nothing")
    return items


def _length(name: str, arguments: list[object]) -> object:
    value = _one(name, arguments)
    if isinstance(value, Flow):
        return len(value.values)
    if isinstance(value, str) or is_sequence(value):
        return len(value)
    raise Wrong(f"`len` takes a list, not {show(value)}")


def _round_down(name: str, arguments: list[object]) -> object:
    value = _one(name, arguments)
    if is_tuple(value):
        return tuple(_round_down(name, [part]) for part in value)
    if isinstance(value, Ratio):
        return floor_div(value.numerator, value.denominator)
    return value if isinstance(value, Dim) else floor(_number(name, value))


def _round_up(name: str, arguments: list[object]) -> object:
    value = _one(name, arguments)
    if is_tuple(value):
        return tuple(_round_up(name, [part]) for part in value)
    if isinstance(value, Ratio):
        return ceil_div(value.numerator, value.denominator)
    return value if isinstance(value, Dim) else ceil(_number(name, value))


def _round(name: str, arguments: list[object]) -> object:
    if len(arguments) == 2 and isinstance(arguments[1], int):
        return round(_number(name, arguments[0]), arguments[1])
    value = _one(name, arguments)
    return value if isinstance(value, Dim) else round(_number(name, value))


def _whole(name: str, arguments: list[object]) -> object:
    value = _one(name, arguments)
    if isinstance(value, Ratio):
        raise Wrong("`int` of a fraction of a size: say `floor(...)` or `ceil(...)`")
    if isinstance(value, bool | Dim):
        return value if isinstance(value, Dim) else int(value)
    return int(_number(name, value))


def _real(name: str, arguments: list[object]) -> object:
    value = _number(name, _one(name, arguments))
    try:
        return float(value)
    except OverflowError:
        raise Wrong("the number is too large for a float", "too-large") from None


def _absolute(name: str, arguments: list[object]) -> object:
    value = _one(name, arguments)
    if isinstance(value, Dim):
        return maximum(value, -value)
    return abs(_number(name, value))


def _one(name: str, arguments: list[object]) -> object:
    if len(arguments) != 1:
        raise Wrong(f"`{name}` takes one argument, not {len(arguments)}")
    return arguments[0]


def _number(name: str, value: object) -> int | float | Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise Wrong(f"`{name}` takes a number, not {show(value)}")
    return value


BUILTINS: dict[str, Callable[[str, list[object]], object]] = {
    "min": _extreme,
    "max": _extreme,
    "abs": _absolute,
    "round": _round,
    "floor": _round_down,
    "ceil": _round_up,
    "int": _whole,
    "float": _real,
    "len": _length,
    "sum": _sum,
}
"""The functions of the language, by name; `round` goes to the even neighbour, as in Python."""
