"""Conditions on one symbol, decided for all sizes at once: from some size on they repeat.

A size of one symbol `n`, made of sums, floors and maxima, is `slope * n` plus a rest that lies
between two numbers, and from some `start` on `size(n + period) = size(n) + slope * period`: a floor
repeats with the period of its numerator times its divisor; of the two sides of a maximum one is
larger for good where their slopes differ, and where they are equal their difference repeats.
So a comparison, too, repeats from some size on: where the slope is 0 with the period of the
difference, else it does not change any more once the slope outweighs the rest. What holds up to
there and for one period after is counted; that settles all sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import floor, gcd, lcm

from netdsl.ir.columns import Columns
from netdsl.ir.condition import All, AnyOf, Truth
from netdsl.ir.dim import Atom, Compare, Dim, Floor, Maximum, Size, Symbol

MOST_SIZES = 100_000
MOST_WORK = 6_000_000
"""Sizes that are tried times parts of the condition."""


class TooLong(Exception):
    """The condition is not of one symbol and linear, or repeats too late to be counted."""


@dataclass(frozen=True)
class Members:
    """The sizes from 1 on at which a condition holds.

    `holds[n]` says it for `n < start + period` (`holds[0]` is False); from `start` on it repeats.
    """

    holds: list[bool]
    start: int
    period: int

    def __contains__(self, size: int) -> bool:
        return size > 0 and self.holds[self._place(size)]

    @cached_property
    def least(self) -> int | None:
        """The smallest member."""
        return next((n for n, held in enumerate(self.holds) if held), None)

    def above(self, size: int) -> int | None:
        """The smallest member from `size` on."""
        size = max(size, 1)
        last = max(size, self.start) + self.period
        return next((n for n in range(size, last) if n in self), None)

    def below(self, size: int) -> int | None:
        """The greatest member up to `size`."""
        repeated = range(size, max(size - self.period, self.start - 1), -1)
        first = min(size, self.start - 1)
        member = next((n for n in repeated if n in self), None)
        return member or next((n for n in range(first, 0, -1) if self.holds[n]), None)

    def _place(self, size: int) -> int:
        after = size - self.start
        return size if after < self.period else self.start + after % self.period


@lru_cache(16)
def members(name: str, condition: Truth) -> Members:
    """The sizes at which a condition on the one symbol `name` holds, exactly.

    Raises `TooLong`.
    """
    ends = _Ends()
    start, period = ends.of(condition)
    count = start + period
    if count > MOST_SIZES or count * ends.parts > MOST_WORK:
        raise TooLong
    held = Columns({name: list(range(count))}).where(condition)
    held[0] = False
    return Members(held, start, period)


@dataclass(frozen=True, slots=True)
class _Tail:
    """From `start` on a size is `slope * n` plus a remainder in `low..high` that repeats."""

    slope: Fraction
    low: Fraction
    high: Fraction
    start: int
    period: int


class _Ends:
    """How conditions and sizes go on without end; each part of a size is looked at once."""

    def __init__(self) -> None:
        self.parts = 0
        self._tails: dict[Dim | Atom, _Tail] = {}

    def of(self, truth: Truth) -> tuple[int, int]:
        """From which size on a condition repeats, and how."""
        match truth:
            case bool():
                return 1, 1
            case Compare(_, left, right):
                self.parts += 1
                return self._of_comparison(left - right)
            case All(parts) | AnyOf(parts):
                starts, periods = zip(*map(self.of, parts), strict=True)
                return max(starts), lcm(*periods)

    def slope(self, size: Size) -> Fraction:
        """By how much a size grows with the symbol in the long run."""
        return self._of_size(size).slope

    def _of_comparison(self, difference: Size) -> tuple[int, int]:
        end = self._of_size(difference)
        if end.slope == 0:
            return end.start, end.period
        outweighed = floor(max(abs(end.low), abs(end.high)) / abs(end.slope)) + 1
        return max(end.start, outweighed), 1

    def _of_size(self, size: Size) -> _Tail:
        if isinstance(size, int):
            return _Tail(Fraction(0), Fraction(size), Fraction(size), 1, 1)
        if size not in self._tails:
            self.parts += len(size.terms)
            self._tails[size] = self._of_sum(size)
        return self._tails[size]

    def _of_sum(self, size: Dim) -> _Tail:
        slope, low, high, start, period = Fraction(0), *[Fraction(size.constant)] * 2, 1, 1
        for (atom, *others), c in size.terms:
            if others:
                raise TooLong
            part = self._of_atom(atom)
            ends = (c * part.low, c * part.high)
            slope, low, high = slope + c * part.slope, low + min(ends), high + max(ends)
            start, period = max(start, part.start), lcm(period, part.period)
        return _Tail(slope, low, high, start, period)

    def _of_atom(self, atom: Atom) -> _Tail:
        if atom not in self._tails:
            match atom:
                case Symbol():
                    tail = _Tail(Fraction(1), Fraction(0), Fraction(0), 1, 1)
                case Floor(numerator, divisor):
                    tail = _of_floor(self._of_size(numerator), divisor)
                case Maximum(left, right):
                    tail = _of_maximum(self._of_size(left), self._of_size(right))
            self._tails[atom] = tail
        return self._tails[atom]


def _of_floor(of: _Tail, divisor: int) -> _Tail:
    """It grows by a whole number once the numerator has grown by a multiple of the divisor."""
    grows = of.slope * of.period
    period = of.period * (divisor // gcd(divisor, int(grows)))
    low, high = (of.low - divisor + 1) / divisor, of.high / divisor
    return _Tail(of.slope / divisor, low, high, of.start, period)


def _of_maximum(one: _Tail, other: _Tail) -> _Tail:
    if one.slope < other.slope:
        one, other = other, one
    start = max(one.start, other.start)
    if one.slope == other.slope:
        low, high = max(one.low, other.low), max(one.high, other.high)
        return _Tail(one.slope, low, high, start, lcm(one.period, other.period))
    # the steeper side is the larger one for good when its lead outweighs what the rests can be
    passed = floor((other.high - one.low) / (one.slope - other.slope)) + 1
    return _Tail(one.slope, one.low, one.high, max(start, passed), one.period)


def slope(size: Size) -> Fraction | None:
    """By how much a size grows with its one symbol in the long run.

    None for a product, and for several symbols.
    """
    if not isinstance(size, int) and len(size.symbols) > 1:
        return None
    try:
        return _Ends().slope(size)
    except TooLong:
        return None
