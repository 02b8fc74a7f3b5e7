"""Questions about all sizes at once, answered with integer sets (isl, through islpy).

isl objects stay inside this module: sets are built with the size symbols as parameters, in one
context behind one lock, with a bound on the work; whatever exceeds it is "gave up".
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING

from netdsl.ir.condition import (
    All,
    AnyOf,
    Truth,
    all_of,
    condition_symbols,
    negate,
    parts_of,
)
from netdsl.ir.dim import Atom, Compare, Dim, Floor, Maximum, Quotient, Size, Symbol
from netdsl.ir.periodic import Members, TooLong, members

if TYPE_CHECKING:
    import islpy

MAX_OPERATIONS = 300_000


@dataclass(frozen=True, slots=True)
class Bound:
    """Floors and maxima in a question to isl, and how deep they may stand in each other.

    isl's own count of operations does not see all of its work.
    """

    variables: int
    maxima: int
    depth: int


WHETHER, WHICH = Bound(24, 5, 12), Bound(10, 2, 5)
"""Whether a size exists takes a second or two at most; which is the smallest is harder."""

_LOCK = RLock()


class Verdict(Enum):
    """What is known of a condition over a set of sizes."""

    PROVED = "holds at every size"
    REFUTED = "holds at no size"
    MIXED = "holds at some sizes and not at others"
    GAVE_UP = "not known"


class GaveUp(Exception):
    """A question outside linear integer arithmetic, or one that takes too long."""


class Domain:
    """The sizes at which a condition holds; every symbol is at least 1.

    Symbols that no condition joins are judged apart: what is said of one symbol alone by counting
    until it repeats (`periodic.py`), the rest by integer sets.
    Raises nothing at construction; questions that can't be answered raise `GaveUp`, except
    `decide`, which says so.
    """

    def __init__(self, symbols: tuple[str, ...], condition: Truth = True) -> None:
        self.symbols = symbols
        self.condition = condition

    def decide(self, condition: Truth) -> Verdict:
        """Whether the condition holds at all, no, or some sizes of the domain.

        Over an empty domain everything is proved.
        """
        try:
            if self._is_empty(negate(condition)):
                return Verdict.PROVED
            return Verdict.REFUTED if self._is_empty(condition) else Verdict.MIXED
        except GaveUp:
            return Verdict.GAVE_UP

    def is_empty(self) -> bool:
        """Whether no size is in the domain."""
        return self._is_empty(True)

    def smallest(self, condition: Truth = True) -> dict[str, int] | None:
        """The lexicographically smallest point where `condition` holds too, or None."""
        values: dict[str, int] = {}
        for group in groups(self.symbols, all_of(self.condition, condition)):
            point = _smallest(group)
            if point is None:
                return None
            values |= point
        return {name: values[name] for name in self.symbols}

    def _is_empty(self, condition: Truth) -> bool:
        cases = condition.parts if isinstance(condition, AnyOf) else (condition,)
        return all(self._is_empty_case(case) for case in cases)

    def _is_empty_case(self, condition: Truth) -> bool:
        """Whether the domain holds no size with this; one group without any is enough."""
        gave_up: GaveUp | None = None
        for group in groups(self.symbols, all_of(self.condition, condition)):
            try:
                if _is_empty(group):
                    return True
            except GaveUp as error:
                gave_up = error
        if gave_up is not None:
            raise gave_up
        return False


@dataclass(frozen=True)
class Group:
    """Symbols that are joined by conditions on several of them, and all conditions on these."""

    symbols: tuple[str, ...]
    condition: Truth

    def counted(self) -> Members | None:
        """The sizes of a single symbol, if they can be counted."""
        try:
            return members(self.symbols[0], self.condition) if len(self.symbols) == 1 else None
        except TooLong:
            return None


def groups(symbols: tuple[str, ...], condition: Truth) -> list[Group]:
    """A condition taken apart into those that speak of different symbols."""
    if condition is False:
        return [Group(symbols, False)]
    joined = {name: {name} for name in symbols}
    parts = [(part, condition_symbols(part)) for part in parts_of(condition)]
    for _, used in parts:
        together = set[str]().union(*(joined[name] for name in used))
        joined.update(dict.fromkeys(together, together))
    distinct = {id(names): names for names in joined.values()}.values()
    return [
        Group(
            tuple(name for name in symbols if name in names),
            all_of(*(part for part, used in parts if used & names)),
        )
        for names in distinct
    ]


def _is_empty(group: Group) -> bool:
    if group.condition is True:
        return False
    counted = group.counted()
    if counted is not None:
        return counted.least is None
    with _asking():
        question = Question(group, WHETHER)
        is_empty = bool(_set(question).is_empty())
    if question.is_loose and not is_empty:
        raise GaveUp("it has a quotient of two sizes")
    return is_empty


def _smallest(group: Group) -> dict[str, int] | None:
    counted = group.counted()
    if counted is not None:
        return None if counted.least is None else {group.symbols[0]: counted.least}
    with _asking():
        question = Question(group, WHICH)
        points = _set(question)
        if question.is_loose:
            raise GaveUp("it has a quotient of two sizes")
        flat = _as_set(points, len(group.symbols))
        if flat.is_empty():
            return None
        point = flat.lexmin().sample_point()
        return {name: _coordinate(point, index) for index, name in enumerate(group.symbols)}


@contextmanager
def _asking() -> Generator[None]:
    """One question to isl; whatever it refuses is "gave up"."""
    with _LOCK:
        try:
            yield
        except _isl().Error as error:
            raise GaveUp(str(error)) from None
        finally:
            if not _sharing:
                _context().reset_operations()


@contextmanager
def sharing_one_bound() -> Generator[None]:
    """The questions asked inside have the bound of a single one together."""
    with _LOCK:
        _sharing.append(True)
        try:
            yield
        finally:
            _sharing.pop()
            if not _sharing and _context.cache_info().currsize:
                _context().reset_operations()


_sharing: list[bool] = []


def _set(question: Question) -> islpy.Set:
    return _isl().Set.read_from_str(_context(), question.text())


@cache
def _isl():  # type: ignore[no-untyped-def]
    import islpy

    return islpy


@cache
def _context() -> islpy.Context:
    context = _isl().Context()
    context.set_max_operations(MAX_OPERATIONS)
    return context


def _as_set(points: islpy.Set, dimensions: int) -> islpy.Set:
    """The parameters as ordinary dimensions, so that a smallest point can be asked for."""
    isl = _isl()
    points = points.from_params() if points.is_params() else points
    points = points.insert_dims(isl.dim_type.set, 0, dimensions)
    for index in range(dimensions):
        points = points.equate(isl.dim_type.param, index, isl.dim_type.set, index)
    return points.project_out(isl.dim_type.param, 0, dimensions)


def _coordinate(point: islpy.Point, index: int) -> int:
    return int(str(point.get_coordinate_val(_isl().dim_type.set, index)))


class Question:
    """A group of conditions in isl's notation, each floor and maximum as a variable of its own.

    Formulas share parts, which a text does not: it would double with each `upsample(1.5)`.
    """

    def __init__(self, group: Group, bound: Bound) -> None:
        self.group, self.bound = group, bound
        self.variables: dict[Atom, str] = {}
        self.definitions: list[str] = []
        self.depths: dict[str, int] = {}
        self.maxima = 0
        self.is_loose = False

    def text(self) -> str:
        """Raises `GaveUp` for a product, and beyond the bounds on floors and maxima."""
        condition = self._truth(self.group.condition)
        names = [_name(symbol) for symbol in self.group.symbols]
        parts = [*(f"{name} >= 1" for name in names), *self.definitions, condition]
        body = " and ".join(parts)
        if self.variables:
            body = f"exists ({', '.join(self.variables.values())} : {body})"
        return f"[{', '.join(names)}] -> {{ : {body} }}"

    def _truth(self, truth: Truth) -> str:
        match truth:
            case bool():
                return "true" if truth else "false"
            case Compare(operator, left, right):
                return f"({self._size(left - right)} {_SIGNS[operator]} 0)"
            case All(parts):
                return f"({' and '.join(map(self._truth, parts))})"
            case AnyOf(parts):
                return f"({' or '.join(map(self._truth, parts))})"

    def _size(self, size: Size) -> str:
        if isinstance(size, int):
            return f"({size})"
        if any(len(monomial) > 1 for monomial, _ in size.terms):
            raise GaveUp(f"{size} is a product of sizes")
        parts = [str(size.constant)]
        parts += [f"{c}*{self._atom(atom)}" for (atom,), c in size.terms]
        return f"({' + '.join(parts)})"

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, Symbol):
            return _name(atom.name)
        if isinstance(atom, Quotient):
            return self._free(atom)
        if atom not in self.variables:
            sides = (atom.numerator,) if isinstance(atom, Floor) else (atom.left, atom.right)
            texts = [self._size(side) for side in sides]  # its parts have their variables before it
            name = f"v{len(self.variables)}"
            self.variables[atom] = name
            self._check(atom, name, sides)
            self.definitions.append(_definition(atom, name, texts))
        return self.variables[atom]

    def _free(self, atom: Quotient) -> str:
        """A number of which only the bounds are known: more points than there are sizes."""
        self.is_loose = True
        if atom not in self.variables:
            name = self.variables[atom] = f"v{len(self.variables)}"
            self.depths[name] = 1
            low, high = atom.bounds({})
            self.definitions += [] if low is None else [f"{name} >= {low}"]
            self.definitions += [] if high is None else [f"{name} <= {high}"]
        return self.variables[atom]

    def _check(self, atom: Floor | Maximum, name: str, sides: Iterable[Size]) -> None:
        self.maxima += isinstance(atom, Maximum)
        inner = [a for side in sides if isinstance(side, Dim) for (a, *_), _ in side.terms]
        self.depths[name] = 1 + max(self.depths.get(self.variables.get(a, ""), 0) for a in inner)
        if len(self.variables) > self.bound.variables or self.maxima > self.bound.maxima:
            raise GaveUp("it has too many floors and maxima")
        if self.depths[name] > self.bound.depth:
            raise GaveUp("floors and maxima stand too deep in each other")


def _definition(atom: Floor | Maximum, name: str, texts: list[str]) -> str:
    """What a variable is; a maximum is at least both sides and equal to one of them."""
    if isinstance(atom, Floor):
        return f"{name} = floor({texts[0]}/{atom.divisor})"
    left, right = texts
    return f"{name} >= {left} and {name} >= {right} and ({name} = {left} or {name} = {right})"


def _name(symbol: str) -> str:
    """A symbol for isl: no word of its notation ends so, and no variable is called so."""
    return f"{symbol}_"


_SIGNS = {"==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
