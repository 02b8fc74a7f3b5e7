"""Numbers that depend on open sizes, as shape arithmetic in a file computes them: exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from netdsl.importers.program import Axis, Computed, Number
from netdsl.ir.dim import Dim, Size, bounds, ceil_div, maximum, minimum, symbol

BATCH = symbol("#batch")
"""The size of the batch axis, where the file leaves it open."""
LARGEST_DENOMINATOR = 2**16


class Undecided(Exception):
    """What a file computes of sizes has no exact word; the text says why."""


@dataclass(frozen=True, eq=False, slots=True)
class Quantity:
    """`dim / over`, and how it is written; None where it speaks of the batch."""

    dim: Dim
    number: Number | None
    over: int = 1

    def __repr__(self) -> str:
        text = str(self.dim).replace("#batch", "batch")
        return text if self.over == 1 else f"({text})/{self.over}"

    def __add__(self, other: object) -> Plain:
        return _summed(self, other, "+")

    def __radd__(self, other: object) -> Plain:
        return _summed(other, self, "+")

    def __sub__(self, other: object) -> Plain:
        return _summed(self, other, "-")

    def __rsub__(self, other: object) -> Plain:
        return _summed(other, self, "-")

    def __mul__(self, other: object) -> Plain:
        return multiplied(self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Plain:
        return multiplied(-1, self)

    def __truediv__(self, other: object) -> Plain:
        return divided(self, other)

    def __rtruediv__(self, other: object) -> Plain:
        return divided(other, self)

    def __floordiv__(self, other: object) -> Plain:
        return floored(divided(self, other))

    def __mod__(self, other: object) -> Plain:
        return _rest(self, other)

    def __rmod__(self, other: object) -> Plain:
        return _rest(other, self)


Plain = int | float | bool | Quantity
"""An entry of an array that the reader computes with."""


def of_axis(dim: Size, axis: Axis | None) -> int | Quantity:
    """The size of an axis."""
    return dim if isinstance(dim, int) else Quantity(dim, axis)


def parts(value: object) -> tuple[Size, int, Number | None]:
    """Numerator, denominator, and how it is written."""
    if isinstance(value, Quantity):
        return value.dim, value.over, value.number
    if isinstance(value, float):
        if value != value or abs(value) > 2**53:
            raise Undecided(f"{value} meets a size")
        exact = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
        if float(exact) != value:
            raise Undecided(f"{value} is no simple fraction")
        plain = int(value) if exact.denominator == 1 else value
        return exact.numerator, exact.denominator, plain
    whole = int(cast(int, value))
    return whole, 1, whole


def made(dim: Size, over: int, number: Number | None) -> Plain:
    """The quantity, or the number that it is at all sizes."""
    if isinstance(dim, int):
        return dim if over == 1 else dim / over
    if over > 1 and dim.constant % over == 0 and all(c % over == 0 for _, c in dim.terms):
        dim, over = cast(Dim, dim // over), 1
    return Quantity(dim, number, over)


def written(operator: str, left: Number | None, right: Number | None) -> Number | None:
    """Two numbers as one, without what changes nothing."""
    if left is None or right is None:
        return None
    match operator, left, right:
        case "+", 0, one:
            return one
        case (("+" | "-"), one, 0):
            return one
        case "*", 1, one:
            return one
        case (("*" | "//" | "/"), one, 1):
            return one
        case "*", int(), Axis() | Computed():
            return Computed("*", (left, right))
        case "*", Axis() | Computed(), int() | float():
            return Computed("*", (right, left))
        case _:
            return Computed(operator, (left, right))


def _summed(left: object, right: object, operator: str) -> Plain:
    (a, b, one), (c, d, other) = parts(left), parts(right)
    second = c * b if operator == "+" else c * (-b)
    return made(a * d + second, b * d, written(operator, one, other))


def multiplied(left: object, right: object) -> Plain:
    """The product."""
    (a, b, one), (c, d, other) = parts(left), parts(right)
    return made(a * c, b * d, written("*", one, other))


def divided(left: object, right: object) -> Plain:
    """The exact quotient. Raises `Undecided` where the divisor is no known number."""
    (a, b, one), (c, d, other) = parts(left), parts(right)
    if not isinstance(c, int):
        whole = quotient(a, c)
        if whole is None or b != 1 or d != 1:
            raise Undecided(f"{left} is divided by {right}")
        return whole if isinstance(whole, int) else Quantity(whole, written("/", one, other))
    if c <= 0:
        raise Undecided(f"{left} is divided by {right}")
    return made(a * d, b * c, written("/", one, other))


def _rest(left: object, right: object) -> Plain:
    return _summed(left, multiplied(floored(divided(left, right)), right), "-")


def quotient(whole: Size, part: Size) -> Size | None:
    """`whole / part` where that is a polynomial, by its leading terms; None where it is not."""
    if isinstance(part, int):
        if part == 0:
            return None
        if isinstance(whole, int):
            return whole // part if whole % part == 0 else None
        terms = all(c % part == 0 for _, c in whole.terms) and whole.constant % part == 0
        return whole // part if terms and part > 0 else None
    if isinstance(whole, int):
        return 0 if whole == 0 else None
    result: Size = 0
    for _ in range(20):
        if isinstance(whole, int):
            return result if whole == 0 else None
        factor = _leading(whole, part)
        if factor is None:
            return None
        result, whole = result + factor, whole - factor * part
    return None


def _leading(whole: Dim, part: Dim) -> Size | None:
    """What the longest term of one size is, in terms of that of another."""
    (one, c), (other, d) = (max(x.terms, key=lambda term: _order(term[0])) for x in (whole, part))
    rest = list(one)
    for atom in other:
        if atom not in rest:
            return None
        rest.remove(atom)
    if c % d:
        return None
    return Dim(0, ((tuple(rest), c // d),)) if rest else c // d


def _order(monomial: tuple[object, ...]) -> tuple[int, str]:
    return len(monomial), str(monomial)


def floored(value: Plain) -> Plain:
    """The largest whole number that is not above."""
    return _rounded(value, "floor", lambda dim, over: dim // over)


def ceiled(value: Plain) -> Plain:
    """The least whole number that is not below."""
    return _rounded(value, "ceil", ceil_div)


def is_count(number: Number | None) -> bool:
    """Whether a number is never below 0, since the sizes of axes are not."""
    match number:
        case Axis():
            return True
        case int() | float():
            return number >= 0
        case Computed("+" | "*" | "/" | "//" | "%" | "max" | "min" | "floor" | "ceil", operands):
            return all(map(is_count, operands))
        case _:
            return False


def truncated(value: Plain) -> Plain:
    """Without what is behind the point, as a cast to whole numbers has it."""
    if isinstance(value, Quantity) and value.over > 1:
        low, _ = bounds(value.dim, {})
        if (low is None or low < 0) and not is_count(value.number):
            raise Undecided(f"{value} may be below 0, and is rounded towards 0")
        return floored(value)
    return value if isinstance(value, Quantity) else int(value)


def _rounded(value: Plain, word: str, divide: Callable[[Dim, int], Size]) -> Plain:
    import math

    if not isinstance(value, Quantity):
        return int(math.floor(value) if word == "floor" else math.ceil(value))
    if value.over == 1:
        return value
    match value.number:
        case None:
            number = None
        case Computed("/", (left, right)) if word == "floor":
            number = Computed("//", (left, right))
        case _:
            number = Computed(word, (value.number,))
    return made(divide(value.dim, value.over), 1, number)


def least(left: Plain, right: Plain) -> Plain:
    """The smaller."""
    return _chosen(left, right, "min", minimum)


def most(left: Plain, right: Plain) -> Plain:
    """The larger."""
    return _chosen(left, right, "max", maximum)


def _chosen(left: Plain, right: Plain, word: str, choose: Callable[[Size, Size], Size]) -> Plain:
    (a, b, one), (c, d, other) = parts(left), parts(right)
    if b != 1 or d != 1:
        raise Undecided(f"{word} of {left} and {right}")
    chosen = choose(a, c)
    if chosen is a:
        return left
    if chosen is c:
        return right
    number = None if one is None or other is None else Computed(word, (one, other))
    return made(chosen, 1, number)


def compared(operator: str, left: Plain, right: Plain) -> bool:
    """Whether it holds at all sizes; raises `Undecided` where it does at some."""
    (a, b, one), (c, d, _) = parts(left), parts(right)
    difference = a * d - c * b
    low, high = (difference,) * 2 if isinstance(difference, int) else bounds(difference, {})
    if isinstance(one, Axis) and b == d == 1 and isinstance(c, int):  # an axis has a cell at least
        low = max(1 - c, low) if low is not None else 1 - c
    answers: dict[str, tuple[bool, bool]] = {
        "==": (low == high == 0, _beyond(low, high)),
        "<": (high is not None and high < 0, low is not None and low >= 0),
        "<=": (high is not None and high <= 0, low is not None and low > 0),
        ">": (low is not None and low > 0, high is not None and high <= 0),
        ">=": (low is not None and low >= 0, high is not None and high < 0),
    }
    always, never = answers[operator]
    if not always and not never:
        raise Undecided(f"whether {left} {operator} {right} depends on the sizes")
    return always


def _beyond(low: int | None, high: int | None) -> bool:
    return (low is not None and low > 0) or (high is not None and high < 0)
