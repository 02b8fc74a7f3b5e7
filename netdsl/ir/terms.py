"""Polynomials as bare terms: how they are ordered, multiplied, factored and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce
from hashlib import blake2b
from math import gcd
from typing import Protocol, TypeAlias, TypeVar

MOST_TERMS = 64
"""Longer sums are not taken apart."""
LONGEST_TEXT = 4000


class Part(Protocol):
    """What a polynomial here is made of: something of one name, which depends on symbols."""

    @cached_property
    def key(self) -> str:
        """What it is ordered by."""
        ...

    @cached_property
    def symbols(self) -> frozenset[str]: ...

    @cached_property
    def written(self) -> str:
        """How it is written in a product."""
        ...


P = TypeVar("P", bound=Part)
Polynomial: TypeAlias = Mapping[tuple[P, ...], int]
"""The coefficient of each product; that of the empty product is the constant."""


def ordered(terms: Polynomial[P]) -> tuple[tuple[tuple[P, ...], int], ...]:
    """The terms that are not 0, as sizes have them: long products first, then by name."""
    return tuple(
        sorted(
            ((product, c) for product, c in terms.items() if c),
            key=lambda term: (-len(term[0]), tuple(part.key for part in term[0])),
        )
    )


def multiplied(left: Polynomial[P], right: Polynomial[P]) -> dict[tuple[P, ...], int]:
    """The product of two polynomials."""
    total: dict[tuple[P, ...], int] = {}
    for a, c in left.items():
        for b, d in right.items():
            product = tuple(sorted((*a, *b), key=lambda part: part.key))
            total[product] = total.get(product, 0) + c * d
    return {product: c for product, c in total.items() if c}


def factored(terms: Polynomial[P]) -> list[dict[tuple[P, ...], int]]:
    """Factors whose product it is, a number first if it is not 1; one factor: it is none.

    A factor holds the parts that share symbols, so `H` and `W` come apart.
    """
    if not 1 < len(terms) <= MOST_TERMS or all(len(product) < 2 for product in terms):
        return [dict(terms)]
    common = gcd(*terms.values())
    factors = _factors({product: c // common for product, c in terms.items()})
    if common > 1:
        factors.insert(0, {(): common})
    return factors if reduce(multiplied, factors) == terms else [dict(terms)]


def _factors(terms: dict[tuple[P, ...], int]) -> list[dict[tuple[P, ...], int]]:
    """The factors of a polynomial whose coefficients share no divisor."""
    for group in _groups(terms):
        split = _split(terms, group)
        if split is not None:
            return [split[0], *_factors(split[1])]
    return [terms]


def _groups(terms: Iterable[tuple[P, ...]]) -> list[set[P]]:
    """Parts that share symbols, in the order of the terms; none where there is one group only."""
    groups: list[tuple[frozenset[str], set[P]]] = []
    for part in (part for product in terms for part in product):
        names, parts = part.symbols, {part}
        for other in [group for group in groups if group[0] & names]:
            groups.remove(other)
            names, parts = names | other[0], parts | other[1]
        groups.append((names, parts))
    return [parts for _, parts in groups] if len(groups) > 1 else []


def _split(
    terms: dict[tuple[P, ...], int], parts: set[P]
) -> tuple[dict[tuple[P, ...], int], dict[tuple[P, ...], int]] | None:
    """The factor in some parts and the rest, if the polynomial is their product."""
    rows: dict[tuple[P, ...], dict[tuple[P, ...], int]] = {}
    for product, c in terms.items():
        own = tuple(part for part in product if part in parts)
        rest = tuple(part for part in product if part not in parts)
        rows.setdefault(rest, {})[own] = c
    first = next(iter(rows.values()))
    common = gcd(*first.values())
    unit = {own: c // common for own, c in first.items()}
    leading = next(iter(unit))
    if unit[leading] < 0:
        unit = {own: -c for own, c in unit.items()}
    others: dict[tuple[P, ...], int] = {}
    for product, row in rows.items():
        factor, left = divmod(row.get(leading, 0), unit[leading])
        if left or row != {own: c * factor for own, c in unit.items()}:
            return None
        others[product] = factor
    return unit, others


def sum_text(terms: Iterable[tuple[tuple[Part, ...], int]]) -> str:
    """`2*H + floor((H + 1)/2) - 3`, in this order.

    Of a text beyond all reading the middle is left out, with a mark that no other formula has.
    """
    signed: list[str] = []
    for product, c in terms:
        factors = [part.written for part in product]
        if abs(c) != 1 or not product:
            factors.insert(0, str(abs(c)))
        signed.append(("- " if c < 0 else "+ ") + "*".join(factors))
    text = " ".join(signed)
    text = text[2:] if text.startswith("+ ") else "-" + text[2:]
    if len(text) <= LONGEST_TEXT:
        return text
    mark = blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[: LONGEST_TEXT // 2]} ...{mark}... {text[-LONGEST_TEXT // 4 :]}"


def shorter(whole: str, factors: Iterable[str]) -> str:
    """A sum, or the product of its factors where that is shorter."""
    product = "*".join(f"({text})" if " " in text else text for text in factors)
    return product if len(product) < len(whole) else whole


def product_text(whole: str, terms: Polynomial[P]) -> str:
    """A polynomial as a product, where that is shorter than `whole`, its text as a sum."""
    factors = factored(terms)
    if sum(any(factor) for factor in factors) < 2:  # a number alone stays in each term
        return whole
    return shorter(whole, (sum_text(ordered(factor)) for factor in factors))
