"""Sizes and conditions at many points at once: each part of a formula is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul

from netdsl.ir.condition import HOLDS, All, AnyOf, Truth
from netdsl.ir.dim import Atom, Compare, Dim, Floor, Maximum, Monomial, Quotient, Size, Symbol


class Columns:
    """The points are the rows of a table that has a column of numbers for each symbol."""

    def __init__(self, symbols: Mapping[str, list[int]]) -> None:
        self.symbols = symbols
        self.count = len(next(iter(symbols.values()), [0]))
        self._known: dict[Dim | Atom, list[int]] = {}

    def where(self, truth: Truth) -> list[bool]:
        """Whether a condition holds, row by row."""
        match truth:
            case bool():
                return [truth] * self.count
            case Compare(operator, left, right):
                test = HOLDS[operator]
                return [test(n) for n in self.numbers(left - right)]
            case All(parts):
                return list(map(all, zip(*map(self.where, parts), strict=True)))
            case AnyOf(parts):
                return list(map(any, zip(*map(self.where, parts), strict=True)))

    def numbers(self, size: Size) -> list[int]:
        """What a size is, row by row."""
        if isinstance(size, int):
            return [size] * self.count
        if size not in self._known:
            total = [size.constant] * self.count
            for monomial, c in size.terms:
                part = self._product(monomial)
                total = [a + c * b for a, b in zip(total, part, strict=True)]
            self._known[size] = total
        return self._known[size]

    def _product(self, monomial: Monomial) -> list[int]:
        column = self._atom(monomial[0])
        for atom in monomial[1:]:
            column = list(map(mul, column, self._atom(atom)))
        return column

    def _atom(self, atom: Atom) -> list[int]:
        if atom not in self._known:
            match atom:
                case Symbol(name):
                    column = self.symbols[name]
                case Floor(numerator, divisor):
                    column = [n // divisor for n in self.numbers(numerator)]
                case Maximum(left, right):
                    column = list(map(max, self.numbers(left), self.numbers(right)))
                case Quotient(left, right):
                    pairs = zip(self.numbers(left), self.numbers(right), strict=True)
                    column = [n // max(over, 1) for n, over in pairs]
            self._known[atom] = column
        return self._known[atom]
