"""Equal products of sizes: `H*W = 4*floor(H/2)*floor(W/2)` only where `H = 2*floor(H/2)` and so on.

The solver judges sums, not products, so an equation of products is taken apart where that is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from netdsl.ir.dim import Dim, Size, bounds, is_linear, symbols
from netdsl.ir.drift import SAME, Drift, drift
from netdsl.ir.factors import factors_of, product

Pair = tuple[Size, Size]
"""A factor of the left product, and the one of the right product over the same symbol."""


def equations(left: Size, right: Size, axes: Sequence[Size] = ()) -> list[Pair]:
    """Sizes that are equal, pair by pair, if and only if `left` and `right` are.

    `axes` are those of values that are there: they are at least 1.
    """
    whole: list[Pair] = [(left, right)]
    if is_linear(left - right) or not (isinstance(left, Dim) and isinstance(right, Dim)):
        return whole
    (number, factors), (other, others) = _by_symbol(left), _by_symbol(right)
    if factors.keys() != others.keys() or None in factors:
        return whole
    pairs = [pair for name in factors for pair in _pairs(factors[name], others[name])]
    drifts = [SAME if one is two else drift(one, two) for one, two in pairs]
    known = [d for d in drifts if d is not None]
    if len(known) < len(pairs) or prod(d.ratio for d in known) != Fraction(other, number):
        return whole
    there = _factors_of_all(axes)
    if not (_never_less(pairs, known, there) or _never_less(*_turned(pairs, known), there)):
        return whole
    return [
        (one * d.ratio.denominator, two * d.ratio.numerator)
        for (one, two), d in zip(pairs, known, strict=True)
    ]


def positive_parts(size: Size, axes: Sequence[Size] = ()) -> list[Size]:
    """Sizes that are all at least 1 if and only if `size` is, where the axes of a value are."""
    if is_linear(size) or not isinstance(size, Dim):
        return [size]
    factors = factors_of(size)
    there = _factors_of_all(axes)
    lows = [_least(factor, there) for factor in factors]
    return factors if all(low is not None and low >= 0 for low in lows) else [size]


def _factors_of_all(axes: Sequence[Size]) -> set[Size]:
    """Axes and their factors, which are at least 1 where the axes are."""
    return {part for axis in axes if isinstance(axis, Dim) for part in (axis, *factors_of(axis))}


def _least(size: Size, there: set[Size]) -> int | None:
    """A bound below a size, which is at least 1 if all its factors are `there`."""
    factors = factors_of(size) if isinstance(size, Dim) else [size]
    if size in there or all(f in there or (isinstance(f, int) and f >= 1) for f in factors):
        return 1
    return bounds(size, {})[0]


def _by_symbol(size: Dim) -> tuple[int, dict[str | None, list[Size]]]:
    """A number and, for each symbol, the factors that depend on it alone.

    Factors that depend on several symbols are under None.
    """
    number, factors = 1, dict[str | None, list[Size]]()
    for factor in factors_of(size):
        if isinstance(factor, int):
            number *= factor
            continue
        names = symbols(factor)
        name = next(iter(names)) if len(names) == 1 else None
        factors.setdefault(name, []).append(factor)
    return number, factors


def _pairs(left: list[Size], right: list[Size]) -> list[Pair]:
    """One by one where there are as many, else their products."""
    if len(left) == len(right):
        return list(zip(left, right, strict=True))
    return [(product(left), product(right))]


def _turned(pairs: list[Pair], drifts: list[Drift]) -> tuple[list[Pair], list[Drift]]:
    """The same equation with its sides exchanged."""
    return (
        [(right, left) for left, right in pairs],
        [Drift(1 / d.ratio, -d.most / d.ratio, -d.least / d.ratio) for d in drifts],
    )


def _never_less(pairs: list[Pair], drifts: list[Drift], there: set[Size]) -> bool:
    """Whether no left factor is ever below its share of the right one, and all are above 0.

    Then the products are equal only where each factor is: one that is larger makes the left
    product larger, as the others are at least 1 and no right factor is below 0.
    """
    lows = [(_least(left, there), _least(right, there)) for left, right in pairs]
    are_positive = all(a is not None and b is not None and a >= 1 and b >= 0 for a, b in lows)
    return are_positive and all(d.least >= 0 for d in drifts)
