"""Sizes as exact integer functions of the size symbols: sums, products, floors, maxima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import ClassVar, TypeAlias, Union
from weakref import WeakValueDictionary

from netdsl.ir.intervals import (
    Linear,
    Range,
    Ranges,
    by_form,
    by_terms,
    decided,
    larger,
    linear,
    narrower,
    smaller,
)
from netdsl.ir.terms import multiplied, ordered, product_text, sum_text

Size: TypeAlias = Union[int, "Dim"]

MOST_MAXIMA, DEEPEST_MAXIMA = 2, 2
"""Maxima of a size, in a row and in each other, up to which its two sides are looked at apart."""


@dataclass(frozen=True)
class Symbol:
    """A size that the caller chooses: `H` in `[3, H, W]`. At least 1."""

    name: str
    is_linear: ClassVar[bool] = True
    maxima: ClassVar[int] = 0

    @cached_property
    def key(self) -> str:
        return self.name

    @cached_property
    def written(self) -> str:
        return self.name

    @cached_property
    def symbols(self) -> frozenset[str]:
        return frozenset((self.name,))

    @cached_property
    def form(self) -> Linear | None:
        return None

    def bounds(self, ranges: Ranges) -> Range:
        return ranges.get(self.name, (1, None))


@dataclass(frozen=True)
class Floor:
    """`floor(numerator / divisor)`, divisor a number above 1."""

    numerator: Dim
    divisor: int

    @cached_property
    def key(self) -> str:
        return f"floor({self.numerator}/{self.divisor})"

    @cached_property
    def written(self) -> str:
        numerator = str(self.numerator)
        inner = f"({numerator})" if " " in numerator else numerator
        return f"floor({inner}/{self.divisor})"

    @cached_property
    def symbols(self) -> frozenset[str]:
        return self.numerator.symbols

    @property
    def is_linear(self) -> bool:
        return self.numerator.is_linear

    @property
    def maxima(self) -> int:
        return self.numerator.maxima

    @cached_property
    def form(self) -> Linear | None:
        return linear(self.numerator.constant, self.numerator.terms).quotient(self.divisor)

    def bounds(self, ranges: Ranges) -> Range:
        low, high = bounds(self.numerator, ranges)
        return (
            None if low is None else low // self.divisor,
            None if high is None else high // self.divisor,
        )


@dataclass(frozen=True)
class Maximum:
    """The larger of two sizes of which neither is known to be."""

    left: Size
    right: Size

    @cached_property
    def key(self) -> str:
        return f"max({self.left}, {self.right})"

    @cached_property
    def written(self) -> str:
        return self.key

    @cached_property
    def symbols(self) -> frozenset[str]:
        return frozenset((*symbols(self.left), *symbols(self.right)))

    @property
    def is_linear(self) -> bool:
        return is_linear(self.left) and is_linear(self.right)

    @cached_property
    def maxima(self) -> int:
        sides = (side for side in (self.left, self.right) if isinstance(side, Dim))
        return 1 + max((side.maxima for side in sides), default=0)

    @cached_property
    def form(self) -> Linear | None:
        return None

    def bounds(self, ranges: Ranges) -> Range:
        return larger(bounds(self.left, ranges), bounds(self.right, ranges))


Atom: TypeAlias = Symbol | Floor | Maximum
Monomial: TypeAlias = tuple[Atom, ...]
Terms: TypeAlias = tuple[tuple[Monomial, int], ...]


class Dim:
    """A size that depends on a symbol; what does not is a plain int, so `Size = int | Dim`.

    A polynomial with integer coefficients over atoms, in a normal form and interned: two dims
    that are written alike after normalisation are one object, so `==` is identity and means
    "equal at all sizes"; unequal objects may still be equal (ask the solver). Ordering
    comparisons give a `Condition`, arithmetic gives a `Size`.

    Parts are shared: a size that doubles its formula with each layer (`upsample(1.5)`) stays
    small. Whatever walks through a size meets each part once.
    """

    __slots__ = (
        "__weakref__",
        "_text",
        "constant",
        "is_linear",
        "maxima",
        "range",
        "symbols",
        "terms",
    )
    _pool: WeakValueDictionary[tuple[int, Terms], Dim] = WeakValueDictionary()

    constant: int
    terms: Terms
    symbols: frozenset[str]
    """Names of the symbols that it depends on."""
    is_linear: bool
    maxima: int
    """How many maxima stand in each other."""
    range: Range | None
    """What `bounds` found for symbols from 1 on."""

    def __new__(cls, constant: int, terms: Terms) -> Dim:
        pooled = cls._pool.get((constant, terms))
        if pooled is not None:
            return pooled
        self = super().__new__(cls)
        self.constant, self.terms = constant, terms
        self._text = ""
        atoms = [atom for monomial, _ in terms for atom in monomial]
        self.symbols = frozenset().union(*(atom.symbols for atom in atoms))
        self.is_linear = all(len(m) == 1 for m, _ in terms) and all(a.is_linear for a in atoms)
        self.maxima = max((atom.maxima for atom in atoms), default=0)
        self.range = None
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
        return compare("<=", self, other)

    def __lt__(self, other: Size) -> Compare | bool:
        return compare("<", self, other)

    def __ge__(self, other: Size) -> Compare | bool:
        return compare(">=", self, other)

    def __gt__(self, other: Size) -> Compare | bool:
        return compare(">", self, other)

    def __bool__(self) -> bool:
        raise TypeError(f"whether {self} is 0 depends on the sizes")

    def __repr__(self) -> str:
        """As a product where that is shorter; `text` has the terms."""
        return product_text(self.text, self.polynomial)

    @property
    def text(self) -> str:
        """Its terms in their order."""
        if not self._text:
            self._text = sum_text(self.polynomial.items())
        return self._text

    @property
    def polynomial(self) -> dict[Monomial, int]:
        """Its terms, the constant among them where it is not 0."""
        return dict(self.terms) | ({(): self.constant} if self.constant else {})


class Undecided:
    """Conditions have no truth value: whoever writes `if condition` gets an error, not a guess."""

    def __bool__(self) -> bool:
        raise TypeError(f"whether {self} holds depends on the sizes")


@dataclass(frozen=True, eq=True)
class Compare(Undecided):
    """`left operator right`, operator one of `== != < <= > >=`; at least one side symbolic."""

    operator: str
    left: Size
    right: Size

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


def symbol(name: str) -> Dim:
    """The size symbol `name`."""
    return Dim(0, (((Symbol(name),), 1),))


def floor_div(size: Size, divisor: int) -> Size:
    """`floor(size / divisor)` for a positive divisor, in normal form.

    Whole multiples come out (`(4H + 6) // 4 = H + 1 + floor(2/4)`), a common factor is
    cancelled, a floor of a floor is one: `floor((floor(a/b) + c)/d) = floor((a + bc)/bd)`, and
    a maximum gives way where the larger side is known after the division.
    """
    if divisor <= 0:
        raise ValueError("the divisor of a size is a positive number")
    if isinstance(size, int):
        return size // divisor
    if divisor == 1:
        return size
    decided = _without_a_maximum(size, divisor)
    if decided is not None:
        return decided
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


def _without_a_maximum(size: Dim, divisor: int) -> Size | None:
    """The floor with one side of a maximum in its place, where that is the same at all sizes."""
    for atom, factor in maxima_of(size):
        left, right = (floor_div(side, divisor) for side in sides(size, atom, factor))
        low, high = bounds(left - right, {})
        if low is not None and low >= 0:
            return left if factor > 0 else right
        if high is not None and high <= 0:
            return right if factor > 0 else left
    return None


def maxima_of(size: Dim) -> list[tuple[Maximum, int]]:
    """The maxima that are terms of a size, each with its factor; none where they are many."""
    if not 0 < size.maxima <= DEEPEST_MAXIMA:
        return []
    single = [(m[0], factor) for m, factor in size.terms if len(m) == 1]
    maxima = [(atom, factor) for atom, factor in single if isinstance(atom, Maximum)]
    return maxima if len(maxima) <= MOST_MAXIMA else []


def sides(size: Dim, atom: Maximum, factor: int) -> tuple[Size, Size]:
    """The size with the left side of a maximum in its place, and with the right one.

    It is the larger of both where the factor is positive, else the smaller.
    """
    rest = size - _of_atom(atom) * factor
    return rest + atom.left * factor, rest + atom.right * factor


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
    return _substitute(size, values, {})


Done: TypeAlias = dict[Dim | Atom, Size]


def _substitute(size: Size, values: Mapping[str, Size], done: Done) -> Size:
    if isinstance(size, int):
        return size
    if size not in done:
        total: Size = size.constant
        for monomial, coefficient in size.terms:
            product: Size = coefficient
            for atom in monomial:
                product = product * _substitute_atom(atom, values, done)
            total = total + product
        done[size] = total
    return done[size]


def _substitute_atom(atom: Atom, values: Mapping[str, Size], done: Done) -> Size:
    if atom not in done:
        match atom:
            case Symbol(name):
                done[atom] = values.get(name, _of_atom(atom))
            case Floor(numerator, divisor):
                done[atom] = floor_div(_substitute(numerator, values, done), divisor)
            case Maximum(left, right):
                done[atom] = maximum(*(_substitute(side, values, done) for side in (left, right)))
    return done[atom]


def bounds(size: Size, ranges: Ranges) -> Range:
    """Numbers that `size` never falls below or exceeds (None: none known).

    `ranges` gives those of symbols; a symbol not in it is at least 1.
    """
    if isinstance(size, int):
        return size, size
    if ranges:
        return _interval(size, ranges)
    if size.range is None:
        size.range = _interval(size, {})
    return size.range


def _interval(size: Dim, ranges: Ranges) -> Range:
    """What its terms, its linear form and the two sides of a maximum in it leave."""
    found = by_terms(size.constant, size.terms, ranges)
    if len(size.terms) > 1 and size.is_linear:
        found = narrower(found, by_form(linear(size.constant, size.terms), ranges))
    for atom, factor in maxima_of(size)[:1]:
        left, right = sides(size, atom, factor)
        pick = larger if factor > 0 else smaller
        of_sides = (bounds(part, ranges) for part in (left, right, left + right))
        found = narrower(found, pick(*of_sides))
    return found


def symbols(size: Size) -> frozenset[str]:
    """Names of the symbols in `size`."""
    return frozenset() if isinstance(size, int) else size.symbols


def is_linear(size: Size) -> bool:
    """Whether no product of symbols occurs in it, so that integer sets can judge it."""
    return isinstance(size, int) or size.is_linear


def _make(constant: int, terms: Mapping[Monomial, int]) -> Size:
    in_order = ordered(terms)
    return Dim(constant, in_order) if in_order else constant


def _of_atom(atom: Atom) -> Dim:
    return Dim(0, (((atom,), 1),))


def _combine(left: Dim, right: object, sign: int) -> Size:
    if isinstance(right, int):
        return Dim(left.constant + sign * right, left.terms)
    if not isinstance(right, Dim):
        return NotImplemented
    total = dict(left.terms)
    for monomial, c in right.terms:
        total[monomial] = total.get(monomial, 0) + sign * c
    return _make(left.constant + sign * right.constant, total)


def _multiply(left: Dim, right: object) -> Size:
    if not isinstance(right, Dim):
        return NotImplemented
    total = multiplied(left.polynomial, right.polynomial)
    return _make(total.pop((), 0), total)


def compare(operator: str, left: Size, right: Size) -> Compare | bool:
    """The comparison, already decided where the two sides differ by a number or by intervals."""
    answer = decided(operator, bounds(left - right, {}))
    return Compare(operator, left, right) if answer is None else answer
