"""Conditions on sizes: comparisons joined by and, or, not; decided here where that is plain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Union

from netdsl.ir.dim import (
    Compare,
    Size,
    Undecided,
    bounds,
    compare,
    evaluate,
    has_quotient,
    is_linear,
    substitute,
    symbols,
)
from netdsl.ir.intervals import Ranges, decided
from netdsl.ir.products import equations, positive_parts

Condition: TypeAlias = Union[Compare, "All", "AnyOf"]
Truth: TypeAlias = Union[bool, "Condition"]

NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, eq=True)
class All(Undecided):
    """All parts hold."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, AnyOf) else str(p) for p in self.parts)


@dataclass(frozen=True, eq=True)
class AnyOf(Undecided):
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(str(p) for p in self.parts)


def equal(left: Size, right: Size, axes: Sequence[Size] = ()) -> Truth:
    """Whether two sizes are equal (`==` on sizes means the same object: equal at all sizes).

    Of two products it says that of their factors, where that means the same. `axes` are those of
    values that are there: they are at least 1.
    """
    return all_of(*(compare("==", *pair) for pair in equations(left, right, axes)))


def positive(size: Size, axes: Sequence[Size] = ()) -> Truth:
    """Whether a size is at least 1; of a product it says that of its factors.

    `axes` are those of a value that is there: they are at least 1.
    """
    return all_of(*(compare(">=", part, 1) for part in positive_parts(size, axes)))


def divides(divisor: int, size: Size) -> Compare | bool:
    """Whether `size` is a whole multiple of `divisor`."""
    return compare("==", size % divisor, 0)


def negate(truth: Truth) -> Truth:
    """The opposite condition."""
    match truth:
        case bool():
            return not truth
        case Compare(operator, left, right):
            return Compare(NEGATED[operator], left, right)
        case All(parts):
            return any_of(*(negate(p) for p in parts))
        case AnyOf(parts):
            return all_of(*(negate(p) for p in parts))


def all_of(*parts: Truth) -> Truth:
    """Conjunction; known parts are dropped."""
    if any(p is False for p in parts):
        return False
    open_parts = tuple(p for p in parts if not isinstance(p, bool))
    if not open_parts:
        return True
    return open_parts[0] if len(open_parts) == 1 else All(open_parts)


def any_of(*parts: Truth) -> Truth:
    """Disjunction; known parts are dropped."""
    if any(p is True for p in parts):
        return True
    open_parts = tuple(p for p in parts if not isinstance(p, bool))
    if not open_parts:
        return False
    return open_parts[0] if len(open_parts) == 1 else AnyOf(open_parts)


def decide(truth: Truth, ranges: Ranges) -> bool | None:
    """True or False where intervals settle it for all sizes in `ranges`, else None."""
    match truth:
        case bool():
            return truth
        case Compare(operator, left, right):
            return decided(operator, bounds(left - right, ranges))
        case All(parts) | AnyOf(parts):
            answers = [decide(p, ranges) for p in parts]
            settles = isinstance(truth, AnyOf)
            if settles in answers:
                return settles
            return None if None in answers else not settles


def holds(truth: Truth, values: Mapping[str, int]) -> bool:
    """Whether it holds when each symbol has its value."""
    match truth:
        case bool():
            return truth
        case Compare(operator, left, right):
            return HOLDS[operator](evaluate(left, values) - evaluate(right, values))
        case All(parts):
            return all(holds(p, values) for p in parts)
        case AnyOf(parts):
            return any(holds(p, values) for p in parts)


def substitute_in(truth: Truth, values: Mapping[str, Size]) -> Truth:
    """The condition with some symbols replaced."""
    match truth:
        case bool():
            return truth
        case Compare(operator, left, right):
            return compare(operator, substitute(left, values), substitute(right, values))
        case All(parts):
            return all_of(*(substitute_in(p, values) for p in parts))
        case AnyOf(parts):
            return any_of(*(substitute_in(p, values) for p in parts))


def is_linear_condition(truth: Truth) -> bool:
    """Whether no product of symbols occurs in it, so that integer sets can judge it."""
    match truth:
        case bool():
            return True
        case Compare(_, left, right):
            return is_linear(left - right)
        case All(parts) | AnyOf(parts):
            return all(map(is_linear_condition, parts))


def condition_symbols(truth: Truth) -> frozenset[str]:
    """Names of the symbols it speaks of."""
    match truth:
        case bool():
            return frozenset()
        case Compare(_, left, right):
            return symbols(left) | symbols(right)
        case All(parts) | AnyOf(parts):
            return frozenset[str]().union(*map(condition_symbols, parts))


def speaks_of_quotients(truth: Truth) -> bool:
    """Whether a quotient of two sizes occurs in it, of which the solver knows the bounds alone."""
    match truth:
        case bool():
            return False
        case Compare(_, left, right):
            return has_quotient(left - right)
        case All(parts) | AnyOf(parts):
            return any(map(speaks_of_quotients, parts))


def parts_of(truth: Truth) -> list[Condition]:
    """The conditions that a conjunction joins."""
    match truth:
        case bool():
            return []
        case All(parts):
            return [p for part in parts for p in parts_of(part)]
        case _:
            return [truth]


HOLDS: dict[str, Callable[[int], bool]] = {
    "==": lambda difference: difference == 0,
    "!=": lambda difference: difference != 0,
    "<": lambda difference: difference < 0,
    "<=": lambda difference: difference <= 0,
    ">": lambda difference: difference > 0,
    ">=": lambda difference: difference >= 0,
}
