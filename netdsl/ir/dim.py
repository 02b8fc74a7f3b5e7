"""Sizes as exact integer functions of the size symbols: what is computed with them."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import TypeAlias

from netdsl.ir.polynomial import (
    Atom,
    Compare,
    Dim,
    Floor,
    Maximum,
    Monomial,
    Quotient,
    Size,
    Symbol,
    Undecided,
    bounds,
    compare,
    floor_div,
    has_quotient,
    is_linear,
    of_atom,
    symbol,
    symbols,
)

__all__ = [
    "Atom", "Compare", "Dim", "Floor", "Maximum", "Monomial", "Quotient", "Size", "Symbol",
    "Undecided", "bounds", "ceil_div", "compare", "evaluate", "floor_div", "has_quotient",
    "is_linear", "maximum", "minimum", "of_atom", "quotient", "substitute", "symbol", "symbols",
]  # fmt: skip


def ceil_div(size: Size, divisor: int) -> Size:
    """`ceil(size / divisor)` for a positive divisor."""
    return floor_div(size + (divisor - 1), divisor)


def maximum(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    difference = left - right
    if isinstance(difference, int):
        return left if difference >= 0 else right
    low, high = bounds(difference, {})
    if low is not None and low >= 0:
        return left
    if high is not None and high <= 0:
        return right
    first, second = sorted((left, right), key=str)
    return of_atom(Maximum(first, second))


def minimum(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    return left + right - maximum(left, right)


def quotient(left: Size, right: Size) -> Size:
    """`floor(left / right)`; a right size below 1, which no axis has, counts as 1.

    Of a right size that is never below 1 a factor of both is cancelled, and a whole multiple of it
    comes out as it is.
    """
    if isinstance(right, int):
        return floor_div(left, max(right, 1))
    least, most = bounds(right, {})
    if most is not None and most <= 1:
        return left
    if isinstance(left, int) and left == 0:
        return 0
    if least is None or least < 1:
        return of_atom(Quotient(left, right))
    common = gcd(*_coefficients(left), *_coefficients(right))
    left, right = floor_div(left, common), floor_div(right, common)
    if isinstance(right, int):
        return floor_div(left, max(right, 1))
    times = _coefficients(left)[-1] // _coefficients(right)[-1]
    if left == right * times:
        return times
    return of_atom(Quotient(left, right))


def _coefficients(size: Size) -> list[int]:
    """Its constant, unless that is 0, and the factors of its terms."""
    if isinstance(size, int):
        return [size]
    return ([size.constant] if size.constant else []) + [factor for _, factor in size.terms]


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The number that `size` is when each symbol has its value; every symbol needs one."""
    result = substitute(size, values)
    if not isinstance(result, int):
        missing = ", ".join(sorted(result.symbols))
        raise KeyError(f"no value for {missing}")
    return result


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """`size` with some symbols replaced by numbers or other sizes."""
    return _substitute(size, values, {})


Done: TypeAlias = dict[Dim | Atom, Size]


def _substitute(size: Size, values: Mapping[str, Size], done: Done) -> Size:
    if isinstance(size, int):
        return size
    if size not in done:
        total: Size = size.constant
        for monomial, coefficient in size.terms:
            product: Size = coefficient
            for atom in monomial:
                product = product * _substitute_atom(atom, values, done)
            total = total + product
        done[size] = total
    return done[size]


def _substitute_atom(atom: Atom, values: Mapping[str, Size], done: Done) -> Size:
    if atom not in done:
        match atom:
            case Symbol(name):
                done[atom] = values.get(name, of_atom(atom))
            case Floor(numerator, divisor):
                done[atom] = floor_div(_substitute(numerator, values, done), divisor)
            case Maximum(left, right):
                done[atom] = maximum(*(_substitute(side, values, done) for side in (left, right)))
            case Quotient(left, right):
                done[atom] = quotient(*(_substitute(side, values, done) for side in (left, right)))
    return done[atom]
