"""The least and the greatest number that a sum can be, as far as that is plain.

Two bounds are taken together: by intervals, part by part, and by the linear form of the sum, in
which a floor is its quotient less a rest (`2 * floor(n/2) - n` lies between -1 and 0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Protocol, TypeAlias

Range: TypeAlias = tuple[int | None, int | None]
"""No number is below the first or above the second; None: none is known."""
Ranges: TypeAlias = Mapping[str, Range]
"""Those of symbols; one that is not in it is at least 1."""


class Bounded(Protocol):
    """What a product is made of: it has bounds, and a linear form where it is a quotient."""

    def bounds(self, ranges: Ranges) -> Range: ...

    @cached_property
    def form(self) -> Linear | None: ...


Product: TypeAlias = tuple[Bounded, ...]
Products: TypeAlias = Sequence[tuple[Product, int]]
"""Products with their factors."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of products with rational factors, plus a number between `low` and `high`.

    The products are of symbols and maxima; floors alone are taken apart.
    """

    factors: Mapping[Product, Fraction]
    low: Fraction
    high: Fraction

    def quotient(self, divisor: int) -> Linear:
        """The floor of it: (itself - remainder) / divisor, a remainder from 0 to divisor - 1."""
        factors = {product: f / divisor for product, f in self.factors.items()}
        return Linear(factors, (self.low - divisor + 1) / divisor, self.high / divisor)


def linear(constant: int, terms: Products) -> Linear:
    """The linear form of a sum."""
    factors: dict[Product, Fraction] = {}
    low = high = Fraction(constant)
    for product, c in terms:
        form = product[0].form if len(product) == 1 else None
        if form is None:
            form = Linear({product: Fraction(1)}, Fraction(0), Fraction(0))
        for inner, factor in form.factors.items():
            factors[inner] = factors.get(inner, Fraction(0)) + c * factor
        ends = (c * form.low, c * form.high)
        low, high = low + min(ends), high + max(ends)
    return Linear({m: f for m, f in factors.items() if f}, low, high)


def by_form(form: Linear, ranges: Ranges) -> Range:
    """The bounds of a sum by its linear form."""
    low: Fraction | None = form.low
    high: Fraction | None = form.high
    for product, factor in form.factors.items():
        least, most = _of_product(product, ranges)
        if factor < 0:
            least, most = most, least
        low = None if low is None or least is None else low + factor * least
        high = None if high is None or most is None else high + factor * most
    return None if low is None else ceil(low), None if high is None else floor(high)


def by_terms(constant: int, terms: Products, ranges: Ranges) -> Range:
    """The bounds of a sum, part by part."""
    low: int | None = constant
    high: int | None = constant
    for product, c in terms:
        least, most = _of_product(product, ranges)
        if c < 0:
            least, most = most, least
        low = None if low is None or least is None else low + c * least
        high = None if high is None or most is None else high + c * most
    return low, high


def _of_product(product: Product, ranges: Ranges) -> Range:
    low, high = product[0].bounds(ranges)
    for part in product[1:]:
        next_low, next_high = part.bounds(ranges)
        if low is None or next_low is None or low < 0 or next_low < 0:
            return None, None
        low = low * next_low
        high = None if high is None or next_high is None else high * next_high
    return low, high


def larger(one: Range, other: Range, together: Range = (None, None)) -> Range:
    """The bounds of the larger of two numbers, which is at least half their sum, `together`."""
    (a, b), (c, d), (least, _) = one, other, together
    lows = [n for n in (a, c) if n is not None] + ([] if least is None else [-(-least // 2)])
    return max(lows, default=None), None if b is None or d is None else max(b, d)


def smaller(one: Range, other: Range, together: Range) -> Range:
    """The bounds of the smaller of two numbers, which is at most half their sum."""
    (a, b), (c, d), (_, most) = one, other, together
    highs = [n for n in (b, d) if n is not None] + ([] if most is None else [most // 2])
    return None if a is None or c is None else min(a, c), min(highs, default=None)


def divided(one: Range, by: Range) -> Range:
    """The bounds of the floor of a quotient; a divisor below 1 counts as 1."""
    (low, high), (least, most) = one, by
    least, most = max(least or 1, 1), most if most is None else max(most, 1)
    if low is not None:
        low = low // least if low < 0 else 0 if most is None else low // most
    if high is not None:
        high = high // least if high >= 0 else -1 if most is None else high // most
    return low, high


def narrower(one: Range, other: Range) -> Range:
    """What both bounds leave."""
    (a, b), (c, d) = one, other
    low = c if a is None else a if c is None else max(a, c)
    high = d if b is None else b if d is None else min(b, d)
    return low, high


def decided(operator: str, difference: Range) -> bool | None:
    """Decide `difference operator 0` by the bounds of the difference."""
    low, high = difference
    match operator:
        case ">=" | "<":
            answer = True if low is not None and low >= 0 else None
            answer = False if high is not None and high < 0 else answer
        case ">" | "<=":
            answer = True if low is not None and low > 0 else None
            answer = False if high is not None and high <= 0 else answer
        case _:
            apart = (low is not None and low > 0) or (high is not None and high < 0)
            answer = True if low == 0 == high else (False if apart else None)
    if answer is None:
        return None
    return answer if operator in (">=", ">", "==") else not answer
