"""The least and the greatest number that a size can be, as far as that is plain.

Two bounds are taken together: by intervals, part by part, and by the linear form of the size, in
which a floor is its quotient less a rest (`2 * floor(n/2) - n` lies between -1 and 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from weakref import WeakKeyDictionary

from netdsl.ir.dim import (
    Atom,
    Dim,
    Floor,
    Maximum,
    Monomial,
    Range,
    Size,
    Symbol,
    bounds,
    maxima_of,
    sides,
)

Ranges = Mapping[str, Range]


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of monomials with rational factors, plus a number between `low` and `high`.

    The monomials are symbols, maxima and products; their floors are taken apart.
    """

    factors: dict[Monomial, Fraction]
    low: Fraction
    high: Fraction


def interval(size: Dim, ranges: Ranges) -> Range:
    """Numbers that `size` never falls below or exceeds (None: none known)."""
    low, high = _by_terms(size, ranges)
    if len(size.terms) > 1 and size.is_linear:
        low, high = _narrower((low, high), _by_form(size, ranges))
    maxima = maxima_of(size)
    if maxima:
        low, high = _narrower((low, high), _by_sides(size, *maxima[0], ranges))
    return low, high


def linear(size: Size) -> Linear:
    """The linear form of a size."""
    if isinstance(size, int):
        return Linear({}, Fraction(size), Fraction(size))
    form = _FORMS.get(size)
    if form is None:
        form = _FORMS[size] = _linear(size)
    return form


_FORMS: WeakKeyDictionary[Dim, Linear] = WeakKeyDictionary()


def _linear(size: Dim) -> Linear:
    factors: dict[Monomial, Fraction] = {}
    low = high = Fraction(size.constant)
    for monomial, c in size.terms:
        part = _of_monomial(monomial)
        for inner, factor in part.factors.items():
            factors[inner] = factors.get(inner, Fraction(0)) + c * factor
        ends = (c * part.low, c * part.high)
        low, high = low + min(ends), high + max(ends)
    return Linear({m: f for m, f in factors.items() if f}, low, high)


def _of_monomial(monomial: Monomial) -> Linear:
    first = monomial[0]
    if len(monomial) > 1 or not isinstance(first, Floor):
        return Linear({monomial: Fraction(1)}, Fraction(0), Fraction(0))
    inner, divisor = linear(first.numerator), first.divisor
    factors = {m: f / divisor for m, f in inner.factors.items()}
    # the floor is (numerator - remainder) / divisor, with a remainder from 0 to divisor - 1
    return Linear(factors, (inner.low - divisor + 1) / divisor, inner.high / divisor)


def _by_form(size: Dim, ranges: Ranges) -> Range:
    form = linear(size)
    low: Fraction | None = form.low
    high: Fraction | None = form.high
    for monomial, factor in form.factors.items():
        least, most = _of_product(monomial, ranges)
        if factor < 0:
            least, most = most, least
        low = None if low is None or least is None else low + factor * least
        high = None if high is None or most is None else high + factor * most
    return None if low is None else ceil(low), None if high is None else floor(high)


def _by_sides(size: Dim, atom: Maximum, factor: int, ranges: Ranges) -> Range:
    """A sum with a maximum is the larger of two sums, or the smaller, if it is taken away.

    The larger of two is at least half their sum, the smaller at most.
    """
    left, right = sides(size, atom, factor)
    (a, b), (c, d) = (bounds(side, ranges) for side in (left, right))
    least, most = bounds(left + right, ranges)
    if factor > 0:
        lows = [n for n in (a, c) if n is not None] + ([] if least is None else [-(-least // 2)])
        return max(lows, default=None), None if b is None or d is None else max(b, d)
    highs = [n for n in (b, d) if n is not None] + ([] if most is None else [most // 2])
    return None if a is None or c is None else min(a, c), min(highs, default=None)


def _by_terms(size: Dim, ranges: Ranges) -> Range:
    low: int | None = size.constant
    high: int | None = size.constant
    for monomial, c in size.terms:
        least, most = _of_product(monomial, ranges)
        if c < 0:
            least, most = most, least
        low = None if low is None or least is None else low + c * least
        high = None if high is None or most is None else high + c * most
    return low, high


def _of_product(monomial: Monomial, ranges: Ranges) -> Range:
    low, high = _of_atom(monomial[0], ranges)
    for atom in monomial[1:]:
        next_low, next_high = _of_atom(atom, ranges)
        if low is None or next_low is None or low < 0 or next_low < 0:
            return None, None
        low = low * next_low
        high = None if high is None or next_high is None else high * next_high
    return low, high


def _of_atom(atom: Atom, ranges: Ranges) -> Range:
    match atom:
        case Symbol(name):
            return ranges.get(name, (1, None))
        case Floor(numerator, divisor):
            low, high = bounds(numerator, ranges)
            return (
                None if low is None else low // divisor,
                None if high is None else high // divisor,
            )
        case Maximum(left, right):
            (a, b), (c, d) = bounds(left, ranges), bounds(right, ranges)
            lows = [n for n in (a, c) if n is not None]
            return max(lows, default=None), None if b is None or d is None else max(b, d)


def _narrower(one: Range, other: Range) -> Range:
    (a, b), (c, d) = one, other
    low = c if a is None else a if c is None else max(a, c)
    high = d if b is None else b if d is None else min(b, d)
    return low, high
