"""How far the ratio of two open sizes strays from the one that it tends to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm

from netdsl.ir.dim import Dim, Floor, Size, Symbol, evaluate, is_linear, symbols

MOST_TRIED = 5_000
"""Sizes that are tried; a longer period is not judged."""


@dataclass(frozen=True, slots=True)
class Drift:
    """That `least <= size - ratio*made <= most` at all sizes, both ends attained."""

    ratio: Fraction
    least: Fraction
    most: Fraction


SAME = Drift(Fraction(1), Fraction(0), Fraction(0))
"""A cell for each place."""


def drift(size: Size, result: Size) -> Drift | None:
    """How `size` strays from a fixed multiple of `result`; None: without bound, or not known.

    Both are linear in one symbol, so what is left of their difference repeats with the
    symbol: trying one period of it is a proof.
    """
    names = {*symbols(size), *symbols(result)}
    if len(names) != 1 or not (is_linear(size) and is_linear(result)):
        return None
    slope, other = _slope(size), _slope(result)
    if slope is None or not other:
        return None
    ratio, period = slope / other, lcm(*_divisors(size), *_divisors(result))
    if ratio <= 0 or period > MOST_TRIED:
        return None
    (name,) = names
    strays = [
        evaluate(size, {name: at}) - ratio * evaluate(result, {name: at})
        for at in range(1, period + 1)
    ]
    return Drift(ratio, min(strays), max(strays))


def steady(size: Size) -> tuple[int, int] | None:
    """Its least and greatest value, where it repeats: both attained. None: without bound."""
    names = set(symbols(size))
    if len(names) != 1 or not is_linear(size) or _slope(size) != 0:
        return None
    period = lcm(*_divisors(size))
    if period > MOST_TRIED:
        return None
    (name,) = names
    values = [evaluate(size, {name: at}) for at in range(1, period + 1)]
    return min(values), max(values)


def _slope(size: Size) -> Fraction | None:
    """By how much a linear size grows with its one symbol; None where a maximum is in it."""
    if isinstance(size, int):
        return Fraction(0)
    total = Fraction(0)
    for (atom,), factor in size.terms:
        match atom:
            case Symbol():
                total += factor
            case Floor(numerator, divisor):
                slope = _slope(numerator)
                if slope is None:
                    return None
                total += factor * slope / divisor
            case _:
                return None
    return total


def _divisors(size: Size) -> Iterator[int]:
    """What the symbol has to advance by a multiple of, for all floors to repeat."""
    if isinstance(size, Dim):
        for (atom,), _ in size.terms:
            if isinstance(atom, Floor):
                yield atom.divisor * lcm(*_divisors(atom.numerator))


def one_cell(step: Fraction, start: Fraction, end: Fraction) -> bool:
    """Whether all places between two ends round down to one cell, at every position."""
    places = (i * step for i in range(step.denominator))
    return all(floor(place + start) == floor(place + end) for place in places)
