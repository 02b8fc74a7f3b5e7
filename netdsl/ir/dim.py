"""Sizes as exact integer functions of the size symbols: sums, products, floors, maxima."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, TypeAlias, Union
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from netdsl.ir.condition import Compare

Size: TypeAlias = Union[int, "Dim"]
Range: TypeAlias = tuple[int | None, int | None]


@dataclass(frozen=True)
class Symbol:
    """A size that the caller chooses: `H` in `[3, H, W]`. At least 1."""

    name: str

    @cached_property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class Floor:
    """`floor(numerator / divisor)`, divisor a number above 1."""

    numerator: Dim
    divisor: int

    @cached_property
    def key(self) -> str:
        return f"floor({self.numerator}/{self.divisor})"


@dataclass(frozen=True)
class Maximum:
    """The larger of two sizes of which neither is known to be."""

    left: Size
    right: Size

    @cached_property
    def key(self) -> str:
        return f"max({self.left}, {self.right})"


Atom: TypeAlias = Symbol | Floor | Maximum
Monomial: TypeAlias = tuple[Atom, ...]
Terms: TypeAlias = tuple[tuple[Monomial, int], ...]


class Dim:
    """A size that depends on a symbol; what does not is a plain int, so `Size = int | Dim`.

    A polynomial with integer coefficients over atoms, in a normal form and interned: two dims
    that are written alike after normalisation are one object, so `==` is identity and means
    "equal at all sizes"; unequal objects may still be equal (ask the solver). Ordering
    comparisons give a `Condition`, arithmetic gives a `Size`.
    """

    __slots__ = ("__weakref__", "constant", "terms", "text")
    _pool: WeakValueDictionary[tuple[int, Terms], Dim] = WeakValueDictionary()

    constant: int
    terms: Terms
    text: str

    def __new__(cls, constant: int, terms: Terms) -> Dim:
        found = cls._pool.get((constant, terms))
        if found is not None:
            return found
        self = super().__new__(cls)
        self.constant, self.terms = constant, terms
        self.text = _print(constant, terms)
        cls._pool[(constant, terms)] = self
        return self

    def __add__(self, other: Size) -> Size:
        return _combine(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: Size) -> Size:
        return _combine(self, other, -1)

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    def __neg__(self) -> Size:
        return self * -1

    def __pos__(self) -> Dim:
        return self

    def __mul__(self, other: Size) -> Size:
        if isinstance(other, int):
            return _make(self.constant * other, {m: c * other for m, c in self.terms})
        return _multiply(self, other)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Size:
        return floor_div(self, divisor)

    def __mod__(self, divisor: int) -> Size:
        return self - floor_div(self, divisor) * divisor

    def __le__(self, other: Size) -> Compare | bool:
        return _compare("<=", self, other)

    def __lt__(self, other: Size) -> Compare | bool:
        return _compare("<", self, other)

    def __ge__(self, other: Size) -> Compare | bool:
        return _compare(">=", self, other)

    def __gt__(self, other: Size) -> Compare | bool:
        return _compare(">", self, other)

    def __bool__(self) -> bool:
        raise TypeError(f"whether {self} is 0 depends on the sizes")

    def __repr__(self) -> str:
        """As a product where that is shorter; `text` has the terms."""
        if len(self.terms) + bool(self.constant) < 2 or self.is_linear_in_atoms:
            return self.text
        from netdsl.ir.factors import shown

        return shown(self)

    @property
    def is_linear_in_atoms(self) -> bool:
        """Whether no two atoms are multiplied."""
        return all(len(monomial) < 2 for monomial, _ in self.terms)

    @property
    def symbols(self) -> frozenset[str]:
        """Names of the symbols that it depends on."""
        return frozenset(symbols(self))


def symbol(name: str) -> Dim:
    """The size symbol `name`."""
    return Dim(0, (((Symbol(name),), 1),))


def floor_div(size: Size, divisor: int) -> Size:
    """`floor(size / divisor)` for a positive divisor, in normal form.

    Whole multiples come out (`(4H + 6) // 4 = H + 1 + floor(2/4)`), a common factor is
    cancelled, and a floor of a floor is one: `floor((floor(a/b) + c)/d) = floor((a + bc)/bd)`.
    """
    if divisor <= 0:
        raise ValueError("the divisor of a size is a positive number")
    if isinstance(size, int):
        return size // divisor
    if divisor == 1:
        return size
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, c in size.terms:
        if c // divisor:
            whole[monomial] = c // divisor
        if c % divisor:
            rest[monomial] = c % divisor
    outside = _make(size.constant // divisor, whole)
    return outside + _floor_atom(size.constant % divisor, rest, divisor)


def _floor_atom(constant: int, rest: dict[Monomial, int], divisor: int) -> Size:
    """The floor of a remainder whose coefficients all lie in `0 <= c < divisor`."""
    if not rest:
        return 0
    common = gcd(divisor, *rest.values())
    if common > 1:
        rest = {m: c // common for m, c in rest.items()}
        return floor_div(_make(constant // common, rest), divisor // common)
    if len(rest) == 1:
        (monomial, c), *_ = rest.items()
        inner = monomial[0] if len(monomial) == 1 and c == 1 else None
        if isinstance(inner, Floor):
            return floor_div(inner.numerator + constant * inner.divisor, inner.divisor * divisor)
    numerator = _make(constant, rest)
    assert isinstance(numerator, Dim)
    return _of_atom(Floor(numerator, divisor))


def ceil_div(size: Size, divisor: int) -> Size:
    """`ceil(size / divisor)` for a positive divisor."""
    return floor_div(size + (divisor - 1), divisor)


def maximum(left: Size, right: Size) -> Size:
    """The larger of two sizes."""
    difference = left - right
    if isinstance(difference, int):
        return left if difference >= 0 else right
    low, high = bounds(difference, {})
    if low is not None and low >= 0:
        return left
    if high is not None and high <= 0:
        return right
    first, second = sorted((left, right), key=str)
    return _of_atom(Maximum(first, second))


def minimum(left: Size, right: Size) -> Size:
    """The smaller of two sizes."""
    return left + right - maximum(left, right)


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The number that `size` is when each symbol has its value; every symbol needs one."""
    result = substitute(size, values)
    if not isinstance(result, int):
        missing = ", ".join(sorted(result.symbols))
        raise KeyError(f"no value for {missing}")
    return result


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """`size` with some symbols replaced by numbers or other sizes."""
    if isinstance(size, int):
        return size
    total: Size = size.constant
    for monomial, coefficient in size.terms:
        product: Size = coefficient
        for atom in monomial:
            product = product * _substitute_atom(atom, values)
        total = total + product
    return total


def _substitute_atom(atom: Atom, values: Mapping[str, Size]) -> Size:
    match atom:
        case Symbol(name):
            return values.get(name, _of_atom(atom))
        case Floor(numerator, divisor):
            return floor_div(substitute(numerator, values), divisor)
        case Maximum(left, right):
            return maximum(substitute(left, values), substitute(right, values))


def bounds(size: Size, ranges: Mapping[str, Range]) -> Range:
    """Numbers that `size` never falls below or exceeds (None: none known), by intervals.

    `ranges` gives those of symbols; a symbol not in it is at least 1.
    """
    if isinstance(size, int):
        return size, size
    low: int | None = size.constant
    high: int | None = size.constant
    for monomial, c in size.terms:
        term_low, term_high = _monomial_bounds(monomial, ranges)
        if c < 0:
            term_low, term_high = term_high, term_low
        low = None if low is None or term_low is None else low + c * term_low
        high = None if high is None or term_high is None else high + c * term_high
    return low, high


def _monomial_bounds(monomial: Monomial, ranges: Mapping[str, Range]) -> Range:
    low, high = _atom_bounds(monomial[0], ranges)
    for atom in monomial[1:]:
        next_low, next_high = _atom_bounds(atom, ranges)
        if low is None or next_low is None or low < 0 or next_low < 0:
            return None, None
        low = low * next_low
        high = None if high is None or next_high is None else high * next_high
    return low, high


def _atom_bounds(atom: Atom, ranges: Mapping[str, Range]) -> Range:
    match atom:
        case Symbol(name):
            return ranges.get(name, (1, None))
        case Floor(numerator, divisor):
            low, high = bounds(numerator, ranges)
            return (
                None if low is None else low // divisor,
                None if high is None else high // divisor,
            )
        case Maximum(left, right):
            (a, b), (c, d) = bounds(left, ranges), bounds(right, ranges)
            lows = [n for n in (a, c) if n is not None]
            return max(lows, default=None), None if b is None or d is None else max(b, d)


def symbols(size: Size) -> Iterator[str]:
    """Names of the symbols in `size`, with repetitions."""
    if isinstance(size, int):
        return
    for monomial, _ in size.terms:
        for atom in monomial:
            match atom:
                case Symbol(name):
                    yield name
                case Floor(numerator, _):
                    yield from symbols(numerator)
                case Maximum(left, right):
                    yield from symbols(left)
                    yield from symbols(right)


def is_linear(size: Size) -> bool:
    """Whether no product of symbols occurs in it, so that integer sets can judge it."""
    if isinstance(size, int):
        return True
    for monomial, _ in size.terms:
        if len(monomial) > 1:
            return False
        if not all(map(_is_linear_atom, monomial)):
            return False
    return True


def _is_linear_atom(atom: Atom) -> bool:
    match atom:
        case Floor(numerator, _):
            return is_linear(numerator)
        case Maximum(left, right):
            return is_linear(left) and is_linear(right)
        case _:
            return True


def _make(constant: int, terms: Mapping[Monomial, int]) -> Size:
    kept = [(m, c) for m, c in terms.items() if c]
    if not kept:
        return constant
    kept.sort(key=lambda term: _monomial_key(term[0]))
    return Dim(constant, tuple(kept))


def _of_atom(atom: Atom) -> Dim:
    return Dim(0, (((atom,), 1),))


def _monomial_key(monomial: Monomial) -> tuple[int, tuple[str, ...]]:
    return -len(monomial), tuple(atom.key for atom in monomial)


def _combine(left: Dim, right: Size, sign: int) -> Size:
    if isinstance(right, int):
        return Dim(left.constant + sign * right, left.terms)
    if not isinstance(right, Dim):
        return NotImplemented
    total = dict(left.terms)
    for monomial, c in right.terms:
        total[monomial] = total.get(monomial, 0) + sign * c
    return _make(left.constant + sign * right.constant, total)


def _multiply(left: Dim, right: Dim) -> Size:
    if not isinstance(right, Dim):
        return NotImplemented
    total: dict[Monomial, int] = {}
    for a, c in ((), left.constant), *left.terms:
        for b, d in ((), right.constant), *right.terms:
            product = tuple(sorted((*a, *b), key=lambda atom: atom.key))
            total[product] = total.get(product, 0) + c * d
    return _make(total.pop((), 0), total)


def _compare(operator: str, left: Size, right: Size) -> Compare | bool:
    from netdsl.ir.condition import compare

    return compare(operator, left, right)


def _print(constant: int, terms: Terms) -> str:
    """`2*H + floor((H + 1)/2) - 3`: products first, then by name."""
    parts: list[str] = []
    for monomial, c in terms:
        factors = [_parenthesised(atom) for atom in monomial]
        if abs(c) != 1:
            factors.insert(0, str(abs(c)))
        parts.append(("- " if c < 0 else "+ ") + "*".join(factors))
    if constant:
        parts.append(f"{'-' if constant < 0 else '+'} {abs(constant)}")
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else "-" + text[2:]


def _parenthesised(atom: Atom) -> str:
    if isinstance(atom, Floor):
        numerator = str(atom.numerator)
        inner = f"({numerator})" if " " in numerator else numerator
        return f"floor({inner}/{atom.divisor})"
    return atom.key
