"""Sizes in normal form: polynomials over symbols, floors, maxima, quotients; bounds."""

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
    divided,
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
    has_quotient: ClassVar[bool] = False
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
        return f"floor({in_brackets(str(self.numerator), ' ')}/{self.divisor})"

    @cached_property
    def symbols(self) -> frozenset[str]:
        return self.numerator.symbols

    @property
    def is_linear(self) -> bool:
        return self.numerator.is_linear

    @property
    def has_quotient(self) -> bool:
        return self.numerator.has_quotient

    @property
    def maxima(self) -> int:
        return self.numerator.maxima

    @cached_property
    def form(self) -> Linear | None:
        return linear(self.numerator.constant, self.numerator.terms).quotient(self.divisor)

    def bounds(self, ranges: Ranges) -> Range:
        return divided(bounds(self.numerator, ranges), (self.divisor, self.divisor))


@dataclass(frozen=True)
class _OfTwo:
    """What maxima and quotients share: they are made of two sizes."""

    left: Size
    right: Size

    @cached_property
    def key(self) -> str:
        return self.written

    @cached_property
    def written(self) -> str:
        raise NotImplementedError

    @cached_property
    def symbols(self) -> frozenset[str]:
        return frozenset((*symbols(self.left), *symbols(self.right)))

    @property
    def inner_maxima(self) -> int:
        return max(side.maxima for side in (self.left, self.right) if isinstance(side, Dim))

    @cached_property
    def has_quotient(self) -> bool:
        return has_quotient(self.left) or has_quotient(self.right)

    @cached_property
    def form(self) -> Linear | None:
        return None


class Maximum(_OfTwo):
    """The larger of two sizes of which neither is known to be."""

    @cached_property
    def written(self) -> str:
        return f"max({self.left}, {self.right})"

    @property
    def is_linear(self) -> bool:
        return is_linear(self.left) and is_linear(self.right)

    @cached_property
    def maxima(self) -> int:
        return 1 + self.inner_maxima

    def bounds(self, ranges: Ranges) -> Range:
        return larger(bounds(self.left, ranges), bounds(self.right, ranges))


class Quotient(_OfTwo):
    """`floor(left / right)` of two open sizes; a right one below 1, which no axis has, counts as 1.

    It has bounds, and is a free number between them for the solver.
    """

    is_linear: ClassVar[bool] = False

    @cached_property
    def has_quotient(self) -> bool:
        return True

    @cached_property
    def written(self) -> str:
        over = in_brackets(str(self.right), " *")
        return f"floor({in_brackets(str(self.left), ' ')}/{over})"

    @cached_property
    def maxima(self) -> int:
        return self.inner_maxima

    def bounds(self, ranges: Ranges) -> Range:
        return divided(bounds(self.left, ranges), bounds(self.right, ranges))


Atom: TypeAlias = Symbol | Floor | Maximum | Quotient
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
        "has_quotient",
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
    has_quotient: bool
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
        self.has_quotient = any(atom.has_quotient for atom in atoms)
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
    return of_atom(Floor(numerator, divisor))


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
    rest = size - of_atom(atom) * factor
    return rest + atom.left * factor, rest + atom.right * factor


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
    """Whether no product or quotient of symbols occurs in it, so that integer sets can judge it."""
    return isinstance(size, int) or size.is_linear


def has_quotient(size: Size) -> bool:
    """Whether a quotient of two open sizes occurs in it."""
    return not isinstance(size, int) and size.has_quotient


def in_brackets(text: str, signs: str) -> str:
    """A text in parentheses where one of the signs is in it."""
    return f"({text})" if any(sign in text for sign in signs) else text


def _make(constant: int, terms: Mapping[Monomial, int]) -> Size:
    in_order = ordered(terms)
    return Dim(constant, in_order) if in_order else constant


def of_atom(atom: Atom) -> Dim:
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
