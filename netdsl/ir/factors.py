"""Polynomials of sizes as products: `(3*H - 2)*(3*W - 2)` in place of four terms."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.ir.dim import Atom, Dim, Floor, Maximum, Monomial, Quotient, Size, floor_div
from netdsl.ir.terms import factored, shorter


def factors_of(size: Dim) -> list[Size]:
    """Factors whose product is the size, a number first if it is not 1."""
    if len(size.terms) == 1 and not size.constant:
        ((monomial, c),) = size.terms
        return [*([c] if c != 1 else []), *map(_of, monomial)]
    factors = factored(size.polynomial)
    return [_dim(factor) for factor in factors] if len(factors) > 1 else [size]


def product(parts: list[Size]) -> Size:
    """The product of sizes."""
    total: Size = 1
    for part in parts:
        total = total * part
    return total


def _of(atom: Atom) -> Dim:
    return Dim(0, (((atom,), 1),))


def _dim(terms: Mapping[Monomial, int]) -> Size:
    total: Size = terms.get((), 0)
    for monomial, c in terms.items():
        if monomial:
            total = total + product([c, *map(_of, monomial)])
    return total


def shown(size: Dim, names: Mapping[Atom, Dim] | None = None) -> str:
    """The size as a product, where that is shorter than its terms; floors and maxima by name."""
    whole = renamed(size, names or {})
    assert isinstance(whole, Dim)
    parts = factors_of(size)
    if sum(isinstance(part, Dim) for part in parts) < 2:  # a number alone stays in each term
        return whole.text
    return shorter(whole.text, (str(renamed(part, names or {})) for part in parts))


def gathered(size: Size) -> Size:
    """The same with whole runs of floors summed: `floor(n/2) + floor((n + 1)/2)` is `n`."""
    if isinstance(size, int):
        return size
    runs: dict[tuple[Size, int], dict[int, int]] = {}
    for monomial, c in size.terms:
        if len(monomial) == 1 and isinstance(monomial[0], Floor):
            numerator, divisor = monomial[0].numerator, monomial[0].divisor
            rest = numerator - numerator.constant
            runs.setdefault((rest, divisor), {})[numerator.constant] = c
    total: Size = size
    for (rest, divisor), counts in runs.items():
        often = min(counts.values())
        if len(counts) == divisor and often > 0:
            for constant in counts:
                total = total - floor_div(rest + constant, divisor) * often
            total = total + rest * often
    return total


def renamed(size: Size, names: Mapping[Atom, Dim]) -> Size:
    """The same with other symbols in place of floors and maxima that have one."""
    if isinstance(size, int):
        return size
    total: Size = size.constant
    for monomial, c in size.terms:
        total = total + product([c, *(names.get(atom, _of(atom)) for atom in monomial)])
    return total


def composed(size: Size) -> list[Floor | Maximum | Quotient]:
    """Its floors, maxima and quotients, in order."""
    if isinstance(size, int):
        return []
    return [a for m, _ in size.terms for a in m if isinstance(a, Floor | Maximum | Quotient)]
