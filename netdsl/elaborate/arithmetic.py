"""Operators on compile-time values: numbers, sizes with parts, lists, conditions."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from math import isfinite
from typing import Any

from netdsl.elaborate.environment import Ratio
from netdsl.ir.condition import All, AnyOf, all_of, any_of, negate
from netdsl.ir.dim import Compare, Dim, compare, floor_div
from netdsl.ir.sequences import is_list, is_tuple
from netdsl.ops.params import show

MAX_NUMBER = 2**62
MAX_ITEMS = 100_000
MAX_TEXT = 10_000

CONDITIONS = (Compare, All, AnyOf)


class Wrong(Exception):
    """An operation that has no answer; the text says why. `code` names the page."""

    def __init__(self, message: str, code: str = "bad-expression", help: str = "") -> None:
        super().__init__(message)
        self.code, self.help = code, help


def unary(symbol: str, value: object) -> object:
    """`-a`, `+a`, `not a`."""
    if symbol == "not":
        if isinstance(value, (bool, *CONDITIONS)):
            return negate(value)
        raise Wrong(f"`not` takes true or false, not {show(value)}")
    if is_tuple(value):
        return tuple(unary(symbol, part) for part in value)
    return binary("-", 0, value) if symbol == "-" else binary("+", 0, value)


def binary(symbol: str, left: object, right: object) -> object:
    """`left symbol right` for `+ - * / // % ** and or`; every result is bounded."""
    if symbol in ("and", "or"):
        return _logical(symbol, left, right)
    if is_tuple(left) or is_tuple(right):
        return _by_parts(symbol, left, right)
    if is_list(left) or is_list(right):
        return _lists(symbol, left, right)
    if isinstance(left, str) and isinstance(right, str) and symbol == "+":
        return bounded(left + right)
    for side in left, right:
        if isinstance(side, bool) or not isinstance(side, int | float | Fraction | Dim | Ratio):
            raise Wrong(f"`{symbol}` does not work on {show(side)}")
    if isinstance(left, Dim | Ratio) or isinstance(right, Dim | Ratio):
        return _symbolic(symbol, left, right)
    return bounded(_numbers(symbol, left, right))  # type: ignore[arg-type]


def is_open(value: object) -> bool:
    """Whether a number, or a part of a size, depends on the size of an input."""
    parts = value if is_tuple(value) else (value,)
    return any(isinstance(part, Dim | Ratio) for part in parts)


def compared(symbol: str, left: object, right: object) -> object:
    """`left symbol right`: true, false, or a condition on the sizes."""
    if is_tuple(left) or is_tuple(right):
        return _compare_parts(symbol, left, right)
    if isinstance(left, Dim | Ratio) or isinstance(right, Dim | Ratio):
        a, b = _ratio(left, symbol), _ratio(right, symbol)
        return compare(symbol, a.numerator * b.denominator, b.numerator * a.denominator)
    if symbol in ("==", "!="):
        return (left == right) is (symbol == "==")
    both_text = isinstance(left, str) and isinstance(right, str)
    if not both_text:
        for side in left, right:
            if isinstance(side, bool) or not isinstance(side, int | float | Fraction):
                raise Wrong(f"`{symbol}` does not work on {show(side)}")
    return _ORDER[symbol](left, right)


def bounded(value: object) -> object:
    """The value, unless it is larger than the compiler keeps."""
    if is_list(value):
        weigh(value)
        return value
    match value:
        case bool():
            return value
        case int() if abs(value) > MAX_NUMBER:
            raise Wrong("the number is larger than 2**62", "too-large")
        case float() if not isfinite(value):
            raise Wrong("the number is too large for a float", "too-large")
        case str() if len(value) > MAX_TEXT:
            raise Wrong(f"the string has more than {MAX_TEXT:,} characters", "too-large")
        case _:
            return value


def weigh(items: list[object]) -> int:
    """The number of items in a list, those of lists in it included; bounded."""
    total, stack = 0, [items]
    while stack:
        current = stack.pop()
        total += len(current)
        if total > MAX_ITEMS:
            raise Wrong(f"the list has more than {MAX_ITEMS:,} items", "too-large")
        stack.extend(filter(is_list, current))
    return total


def _numbers(symbol: str, left: int | float, right: int | float) -> object:
    if symbol in ("/", "//", "%") and right == 0:
        raise Wrong("division by zero")
    if symbol == "/":
        whole = isinstance(left, int) and isinstance(right, int) and left % right == 0
        return left // right if whole else _float(lambda: left / right)
    if symbol == "**":
        return _power(left, right)
    return _float(lambda: _ARITHMETIC[symbol](left, right))


def _power(base: int | float, exponent: int | float) -> object:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if abs(base) > 1 and exponent * abs(base).bit_length() > 128:
            raise Wrong("the number is larger than 2**62", "too-large")
        return base**exponent
    if base == 0 and exponent < 0:
        raise Wrong("division by zero")
    result = _float(lambda: float(base) ** exponent)
    if isinstance(result, complex):
        raise Wrong("a root of a negative number")
    return result


def _float(compute: Callable[[], object]) -> object:
    try:
        return compute()
    except OverflowError:
        raise Wrong("the number is too large for a float", "too-large") from None


def _logical(symbol: str, left: object, right: object) -> object:
    for side in left, right:
        if not isinstance(side, (bool, *CONDITIONS)):
            raise Wrong(f"`{symbol}` takes conditions, not {show(side)}")
    return (all_of if symbol == "and" else any_of)(left, right)  # type: ignore[arg-type]


def _by_parts(symbol: str, left: object, right: object) -> object:
    a, b = _spread(left, right)
    return tuple(binary(symbol, x, y) for x, y in zip(a, b, strict=True))


def _compare_parts(symbol: str, left: object, right: object) -> object:
    if symbol not in ("==", "!="):
        raise Wrong(f"`{symbol}` does not order sizes with several parts")
    a, b = _spread(left, right)
    same = all_of(*(compared("==", x, y) for x, y in zip(a, b, strict=True)))  # type: ignore[arg-type]
    return same if symbol == "==" else negate(same)


def _spread(left: object, right: object) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Both as tuples of equal length; a single number stands for every part."""
    if not is_tuple(left):
        assert is_tuple(right)
        return (left,) * len(right), right
    if not is_tuple(right):
        return left, (right,) * len(left)
    if len(left) != len(right):
        raise Wrong(f"{show(left)} has {len(left)} parts and {show(right)} has {len(right)}")
    return left, right


def _lists(symbol: str, left: object, right: object) -> object:
    if symbol == "+" and is_list(left) and is_list(right):
        return bounded(left + right)
    items, count = (left, right) if is_list(left) else (right, left)
    if symbol == "*" and is_list(items) and isinstance(count, int):
        if len(items) * max(count, 0) > MAX_ITEMS:
            raise Wrong(f"the list would have more than {MAX_ITEMS:,} items", "too-large")
        return items * count
    raise Wrong(f"`{symbol}` does not work on {show(left)} and {show(right)}")


def _symbolic(symbol: str, left: object, right: object) -> object:
    a, b = _ratio(left, symbol), _ratio(right, symbol)
    over = a.denominator * b.denominator
    match symbol:
        case "+":
            return _simplest(a.numerator * b.denominator + b.numerator * a.denominator, over)
        case "-":
            return _simplest(a.numerator * b.denominator - b.numerator * a.denominator, over)
        case "*":
            return _simplest(a.numerator * b.numerator, over)
        case "**":
            return _symbolic_power(left, right)
        case _:
            pass
    divisor = b.numerator
    if not isinstance(divisor, int):
        raise Wrong(
            f"{show(left)} {symbol} {show(right)}: a size can be divided by a known number only",
            "not-linear",
            "a value is divided by a size in a layer: `x -> div(x.width)`",
        )
    if divisor == 0:
        raise Wrong("division by zero")
    sign = 1 if divisor > 0 else -1
    numerator, divisor = a.numerator * b.denominator * sign, a.denominator * divisor * sign
    if symbol == "/":
        return _simplest(numerator, divisor)
    whole = floor_div(numerator, divisor)
    if symbol == "//":
        return whole
    return _symbolic("-", left, _symbolic("*", right, whole))


def _symbolic_power(left: object, right: object) -> object:
    if isinstance(left, Dim) and isinstance(right, int) and 0 <= right <= 8:
        result: object = 1
        for _ in range(right):
            result = binary("*", result, left)
        return result
    raise Wrong(
        f"{show(left)} ** {show(right)} is not an exact function of the sizes", "not-linear"
    )


def _ratio(value: object, symbol: str) -> Ratio:
    match value:
        case Ratio():
            return value
        case int() | Dim() if not isinstance(value, bool):
            return Ratio(value, 1)
        case Fraction():
            return Ratio(value.numerator, value.denominator)
        case float():
            exact = Fraction(repr(value))
            return Ratio(exact.numerator, exact.denominator)
        case _:
            raise Wrong(f"`{symbol}` does not work on a size and {show(value)}")


def _simplest(numerator: object, denominator: int) -> object:
    """A plain size where the division is exact at every size, else the ratio as it stands."""
    assert isinstance(numerator, int | Dim)
    if isinstance(numerator, int) and numerator % denominator == 0:
        return numerator // denominator
    if isinstance(numerator, Dim):
        exact = numerator.constant % denominator == 0 and all(
            c % denominator == 0 for _, c in numerator.terms
        )
        if exact:
            return floor_div(numerator, denominator)
    return Ratio(numerator, denominator)


_ARITHMETIC: dict[str, Callable[[int | float, int | float], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": lambda left, right: left // right,
    "%": operator.mod,
}
_ORDER: dict[str, Callable[[Any, Any], object]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
