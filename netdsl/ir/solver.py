"""Questions about all sizes at once, answered with integer sets (isl, through islpy).

isl objects stay inside this module: sets are built with the size symbols as parameters, in one
context behind one lock, with a bound on the work; whatever exceeds it is "gave up".
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING

from netdsl.ir.condition import All, AnyOf, Compare, Truth, negate
from netdsl.ir.dim import Floor, Maximum, Size, Symbol, is_linear

if TYPE_CHECKING:
    import islpy

MAX_OPERATIONS = 2_000_000
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

    def equals(self, condition: Truth) -> bool:
        """Whether the domain is exactly the set of sizes (from 1 on) where `condition` holds."""
        other = Domain(self.symbols, condition)
        return self._is_empty(negate(condition)) and other._is_empty(negate(self.condition))

    def smallest(self, condition: Truth = True) -> dict[str, int] | None:
        """The lexicographically smallest point where `condition` holds too, or None."""
        with _LOCK:
            points = self._set(condition)
            try:
                flat = _as_set(points, len(self.symbols))
                if flat.is_empty():
                    return None
                point = flat.lexmin().sample_point()
                return {name: _coordinate(point, index) for index, name in enumerate(self.symbols)}
            except _isl().Error as error:
                raise GaveUp(str(error)) from None
            finally:
                _context().reset_operations()

    def _is_empty(self, condition: Truth) -> bool:
        with _LOCK:
            try:
                return bool(self._set(condition).is_empty())
            except _isl().Error as error:
                raise GaveUp(str(error)) from None
            finally:
                _context().reset_operations()

    def _set(self, condition: Truth) -> islpy.Set:
        names = [_name(symbol) for symbol in self.symbols]
        texts = [f"{name} >= 1" for name in names]
        texts += [_text(part) for part in (self.condition, condition)]
        text = f"[{', '.join(names)}] -> {{ : {' and '.join(texts)} }}"
        isl = _isl()
        try:
            return isl.Set.read_from_str(_context(), text)
        except isl.Error as error:
            raise GaveUp(str(error)) from None


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


def _text(truth: Truth) -> str:
    """A condition in isl's notation."""
    match truth:
        case bool():
            return "true" if truth else "false"
        case Compare():
            return _comparison(truth)
        case All(parts):
            return f"({' and '.join(map(_text, parts))})"
        case AnyOf(parts):
            return f"({' or '.join(map(_text, parts))})"


def _comparison(condition: Compare) -> str:
    difference = condition.left - condition.right
    if not is_linear(difference):
        raise GaveUp(f"{condition} has a product of sizes")
    maxima: dict[Maximum, str] = {}
    body = f"{_size(difference, maxima)} {_SIGNS[condition.operator]} 0"
    if not maxima:
        return f"({body})"
    # a maximum is the variable that is at least both sides and equal to one of them
    known = list(maxima.items())
    for atom, name in known:
        left, right = _size(atom.left, maxima), _size(atom.right, maxima)
        body += (
            f" and {name} >= {left} and {name} >= {right} and ({name} = {left} or {name} = {right})"
        )
    if len(maxima) > len(known):
        raise GaveUp(f"{condition} has maxima of maxima")
    return f"(exists {', '.join(maxima.values())} : {body})"


def _size(size: Size, maxima: dict[Maximum, str]) -> str:
    if isinstance(size, int):
        return f"({size})"
    parts = [str(size.constant)]
    for (atom,), coefficient in size.terms:
        parts.append(f"{coefficient}*{_atom(atom, maxima)}")
    return f"({' + '.join(parts)})"


def _atom(atom: Symbol | Floor | Maximum, maxima: dict[Maximum, str]) -> str:
    match atom:
        case Symbol(name):
            return _name(name)
        case Floor(numerator, divisor):
            return f"floor({_size(numerator, maxima)}/{divisor})"
        case Maximum():
            if atom not in maxima:
                maxima[atom] = f"m{next(_NAMES)}"
            return maxima[atom]


def _name(symbol: str) -> str:
    """A symbol for isl: no word of its notation ends so, and no maximum is called so."""
    return f"{symbol}_"


_NAMES = count()
_SIGNS = {"==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
