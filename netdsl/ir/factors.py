"""Polynomials of sizes as products: `(3*H - 2)*(3*W - 2)` in place of four terms."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

from netdsl.ir.dim import Atom, Dim, Floor, Maximum, Monomial, Size, floor_div, symbols

MOST_TERMS = 64
"""Longer sums are not taken apart."""


def factored(size: Dim) -> list[Size]:
    """Factors whose product is the size, a number first if it is not 1; one factor: it is none.

    A factor holds the atoms that share symbols, so `H` and `W` come apart.
    """
    count = len(size.terms) + bool(size.constant)
    if not 1 < count <= MOST_TERMS or all(len(monomial) < 2 for monomial, _ in size.terms):
        return [size]
    numbers = [c for _, c in size.terms] + ([size.constant] if size.constant else [])
    common = gcd(*numbers)
    terms = {monomial: c // common for monomial, c in size.terms}
    if size.constant:
        terms[()] = size.constant // common
    parts = _parts(terms)
    factors: list[Size] = [*([common] if common > 1 else []), *parts]
    return factors if _product(factors) == size else [size]


def _parts(terms: dict[Monomial, int]) -> list[Size]:
    """The factors of a polynomial whose coefficients share no divisor."""
    for group in _groups(terms):
        split = _split(terms, group)
        if split is not None:
            return [_dim(split[0]), *_parts(split[1])]
    return [_dim(terms)]


def _groups(terms: dict[Monomial, int]) -> list[set[Atom]]:
    """Atoms that share symbols, in the order of the terms; none where there is one group only."""
    groups: list[tuple[set[str], set[Atom]]] = []
    for atom in (atom for monomial in terms for atom in monomial):
        names, atoms = set(symbols(_of(atom))), {atom}
        for other in [group for group in groups if group[0] & names]:
            groups.remove(other)
            names, atoms = names | other[0], atoms | other[1]
        groups.append((names, atoms))
    return [atoms for _, atoms in groups] if len(groups) > 1 else []


def _split(
    terms: dict[Monomial, int], atoms: set[Atom]
) -> tuple[dict[Monomial, int], dict[Monomial, int]] | None:
    """The factor in some atoms and the rest, if the polynomial is their product."""
    rows: dict[Monomial, dict[Monomial, int]] = {}
    for monomial, c in terms.items():
        own = tuple(atom for atom in monomial if atom in atoms)
        rest = tuple(atom for atom in monomial if atom not in atoms)
        rows.setdefault(rest, {})[own] = c
    first = next(iter(rows.values()))
    common = gcd(*first.values())
    unit = {own: c // common for own, c in first.items()}
    leading = next(iter(unit))
    if unit[leading] < 0:
        unit = {own: -c for own, c in unit.items()}
    others: dict[Monomial, int] = {}
    for monomial, row in rows.items():
        factor, left = divmod(row.get(leading, 0), unit[leading])
        if left or row != {own: c * factor for own, c in unit.items()}:
            return None
        others[monomial] = factor
    return unit, others


def _product(parts: list[Size]) -> Size:
    total: Size = 1
    for part in parts:
        total = total * part
    return total


def _of(atom: Atom) -> Dim:
    return Dim(0, (((atom,), 1),))


def _dim(terms: dict[Monomial, int]) -> Size:
    total: Size = terms.get((), 0)
    for monomial, c in terms.items():
        if monomial:
            total = total + _product([c, *map(_of, monomial)])
    return total


def shown(size: Dim, names: Mapping[Atom, Dim] | None = None) -> str:
    """The size as a product, where that is shorter than its terms; floors and maxima by name."""
    whole = renamed(size, names or {})
    assert isinstance(whole, Dim)
    parts = factored(size)
    if sum(isinstance(part, Dim) for part in parts) < 2:  # a number alone stays in each term
        return whole.text
    texts = [str(renamed(part, names or {})) for part in parts]
    product = "*".join(f"({text})" if " " in text else text for text in texts)
    return product if len(product) < len(whole.text) else whole.text


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
        total = total + _product([c, *(names.get(atom, _of(atom)) for atom in monomial)])
    return total


def composed(size: Size) -> list[Floor | Maximum]:
    """Its floors and maxima, in order."""
    if isinstance(size, int):
        return []
    return [a for m, _ in size.terms for a in m if isinstance(a, Floor | Maximum)]
