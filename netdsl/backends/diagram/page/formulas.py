"""Sizes and conditions as data that a page computes with: every formula once, by its number."""

from __future__ import annotations

from typing import Any, TypeAlias

from netdsl.ir.condition import All, AnyOf, Truth
from netdsl.ir.dim import Atom, Compare, Dim, Floor, Maximum, Quotient, Size, Symbol

LARGEST_EXACT = 2**53
"""Above it JavaScript's numbers have gaps: larger ones are written as texts."""
LONGEST_TEXT = 80
"""Letters of a formula that is written out beside its number."""

Told: TypeAlias = Any
"""What JSON can say."""


class Formulas:
    """The formulas of a page.

    A size is a number, a text of digits, or `"#3"`: entry 3 of `entries`, which is one of
    `["symbol", name]`, `["floor", size, divisor]`, `["max", left, right]`,
    `["quotient", left, right]`, and `["sum", text, constant, [factor, atom, ...], ...]`, in which
    atoms are the numbers of entries.
    """

    def __init__(self) -> None:
        self.entries: list[list[Told]] = []
        self._numbers: dict[Dim | Atom, int] = {}

    def size(self, size: Size) -> int | str:
        """A size in the page."""
        if isinstance(size, int):
            return size if abs(size) < LARGEST_EXACT else str(size)
        return f"#{self._number(size)}"

    def condition(self, truth: Truth) -> Told:
        """`["==", left, right]`, `["all", ...]`, `["any", ...]`, or a truth value."""
        match truth:
            case bool():
                return truth
            case Compare(operator, left, right):
                return [operator, self.size(left), self.size(right)]
            case All(parts):
                return ["all", *map(self.condition, parts)]
            case AnyOf(parts):
                return ["any", *map(self.condition, parts)]

    def _number(self, part: Dim | Atom) -> int:
        if part not in self._numbers:
            entry = self._sum(part) if isinstance(part, Dim) else self._atom(part)
            self._numbers[part] = len(self.entries)
            self.entries.append(entry)
        return self._numbers[part]

    def _sum(self, size: Dim) -> list[Told]:
        terms = [
            [self.size(factor), *map(self._number, monomial)] for monomial, factor in size.terms
        ]
        text = str(size)
        shown = text if len(text) <= LONGEST_TEXT else ""
        return ["sum", shown, self.size(size.constant), *terms]

    def _atom(self, atom: Atom) -> list[Told]:
        match atom:
            case Symbol(name):
                return ["symbol", name]
            case Floor(numerator, divisor):
                return ["floor", self.size(numerator), self.size(divisor)]
            case Maximum(left, right):
                return ["max", self.size(left), self.size(right)]
            case Quotient(left, right):
                return ["quotient", self.size(left), self.size(right)]
