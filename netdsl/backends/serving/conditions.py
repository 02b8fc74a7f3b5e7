"""The size contract as Python: expressions on numbers, for whoever has no netdsl."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netdsl.analyses.describe import MAX_PERIOD, describe, pattern
from netdsl.analyses.sizes import Sizes
from netdsl.backends.torch.python_names import variable
from netdsl.ir.condition import All, AnyOf, Truth, parts_of
from netdsl.ir.dim import Atom, Compare, Dim, Floor, Maximum, Size, Symbol
from netdsl.ir.periodic import Members
from netdsl.ir.simplify import plain
from netdsl.ir.solver import Group, groups


@dataclass(frozen=True, slots=True)
class Requirement:
    """What is required of symbols that conditions join: in words, and as Python."""

    symbols: tuple[str, ...]
    words: str
    code: str


class Writer:
    """Writes sizes and conditions; formulas within formulas get lines of their own.

    `lines` are those that go before what was written.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.lines: list[str] = []
        self._known: dict[Atom, str] = {}

    def requirements(self, sizes: Sizes) -> Iterator[Requirement]:
        """The contract, group by group of the symbols that conditions join."""
        for group in groups(sizes.symbols, sizes.condition):
            words = describe(group.symbols, group.condition).text
            yield Requirement(group.symbols, words, self._group(group))

    def _group(self, group: Group) -> str:
        counted = group.counted()
        alone = _of_one(self.names[group.symbols[0]], counted) if counted is not None else None
        if alone is not None:
            return alone
        parts = dict.fromkeys(map(plain, parts_of(group.condition)))
        texts = [self.truth(part) for part in parts]
        return f"all([{', '.join(texts)}])" if texts else str(group.condition)

    def truth(self, truth: Truth) -> str:
        match truth:
            case bool():
                return str(truth)
            case Compare(operator, left, right):
                return f"{self.size(left)} {operator} {self.size(right)}"
            case All(parts) | AnyOf(parts):
                word = " and " if isinstance(truth, All) else " or "
                return f"({word.join(map(self.truth, parts))})"

    def size(self, size: Size) -> str:
        """A size as arithmetic."""
        if isinstance(size, int):
            return str(size)
        text = ""
        for monomial, coefficient in size.terms:
            factors = [self._atom(atom) for atom in monomial]
            if abs(coefficient) != 1:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {' * '.join(factors)}"
        if size.constant:
            text += f" {'-' if size.constant < 0 else '+'} {abs(size.constant)}"
        return f"-{text[3:]}" if text.startswith(" - ") else text[3:]

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, Symbol):
            return self.names[atom.name]
        if atom not in self._known:
            self._known[atom] = self._composed(atom)
        return self._known[atom]

    def _composed(self, atom: Floor | Maximum) -> str:
        match atom:
            case Floor(numerator, divisor):
                text = f"({self.size(numerator)}) // {divisor}"
            case Maximum(left, right):
                text = f"max({self.size(left)}, {self.size(right)})"
        if all(isinstance(inner, Symbol) for inner in _inside(atom)):
            return f"({text})" if isinstance(atom, Floor) else text
        name = variable(f"part{len(self.lines) + 1}", self.names.values())
        self.lines.append(f"{name} = {text}")
        return name


def python_names(symbols: tuple[str, ...]) -> dict[str, str]:
    """A variable for each size symbol: its own name, unless Python needs that."""
    names: dict[str, str] = {}
    for symbol in symbols:
        names[symbol] = variable(symbol, {*dir(builtins), *names.values()})
    return names


def _inside(atom: Floor | Maximum) -> Iterator[Atom]:
    sides = (atom.numerator,) if isinstance(atom, Floor) else (atom.left, atom.right)
    for side in sides:
        if isinstance(side, Dim):
            yield from (inner for monomial, _ in side.terms for inner in monomial)


def _of_one(name: str, sizes: Members) -> str | None:
    """`H % 16 == 0`; None where it would be too long."""
    extra, least, period, residues = pattern(sizes)
    texts: list[str] = []
    if residues:
        if period > MAX_PERIOD:
            return None
        texts.append(_repeated(name, least, period, residues))
    if extra and extra == list(range(extra[0], extra[-1] + 1)):
        texts.append(f"{extra[0]} <= {name} <= {extra[-1]}")
    elif extra:
        texts.append(f"{name} in {{{', '.join(map(str, extra))}}}")
    return " or ".join(texts) or "False"


def _repeated(name: str, least: int, period: int, residues: list[int]) -> str:
    bound = f"{name} >= {least}"
    if period == 1:
        return bound
    if len(residues) == 1:
        return f"{bound} and {name} % {period} == {residues[0]}"
    return f"{bound} and {name} % {period} in {{{', '.join(map(str, residues))}}}"
