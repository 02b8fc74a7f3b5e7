"""Integers that remember from which axes of which values they were computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast


@dataclass(frozen=True, slots=True)
class Of:
    """The size of an axis of a traced value; the batch is an axis here."""

    value: int
    axis: int


@dataclass(frozen=True, slots=True)
class Arith:
    """Arithmetic on sizes: `+ - * / // %`, or a function `min`, `max`, `ceil`, `floor`, `round`."""

    operator: str
    operands: tuple[Expression, ...]


Expression: TypeAlias = int | float | Of | Arith


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the module asked of sizes, and the answer it got."""

    left: Expression
    operator: str
    right: Expression
    outcome: bool
    place: tuple[str, int]


@dataclass(slots=True)
class Log:
    """The comparisons of sizes in one run; `place` gives the line that runs."""

    place: Callable[[], tuple[str, int]]
    comparisons: list[Comparison] = field(default_factory=list[Comparison])

    def add(self, left: Expression, operator: str, right: Expression, outcome: bool) -> None:
        self.comparisons.append(Comparison(left, operator, right, outcome, self.place()))


def expression(number: object) -> Expression:
    """What a number was computed from; itself where it is a plain one."""
    return number.expression if isinstance(number, SizedInt | SizedFloat) else cast(Any, number)


def axes(one: Expression) -> Iterator[Of]:
    """The axes that an expression speaks of."""
    stack = [one]
    while stack:
        part = stack.pop()
        if isinstance(part, Of):
            yield part
        elif isinstance(part, Arith):
            stack.extend(part.operands)


def renumbered(part: Expression, numbers: Mapping[int, int]) -> Expression:
    """An expression over other numbers of the same values."""
    if isinstance(part, Of):
        return Of(numbers[part.value], part.axis)
    if isinstance(part, Arith):
        return Arith(part.operator, tuple(renumbered(one, numbers) for one in part.operands))
    return part


def known(part: Expression, sizes: Callable[[Of], int | None]) -> Expression:
    """An expression with the axes that `sizes` knows as numbers, and what follows worked out."""
    if isinstance(part, Of):
        number = sizes(part)
        return part if number is None else number
    if isinstance(part, Arith):
        operands = [known(one, sizes) for one in part.operands]
        if all(isinstance(one, int | float) for one in operands):
            return FUNCTIONS[part.operator](*cast("list[float]", operands))
        return tidy(part.operator, *operands)
    return part


def tidy(operator: str, *operands: Expression) -> Expression:
    """Arithmetic without what changes nothing: `x * 1`, `x + 0`."""
    if len(operands) == 2:
        left, right = operands
        if operator in ("+", "-") and right == 0 and type(right) is int:
            return left
        if operator in ("*", "//") and right == 1 and type(right) is int:
            return left
        if (operator == "*" and left == 1 and type(left) is int) or (
            operator == "+" and left == 0 and type(left) is int
        ):
            return right
    return Arith(operator, operands)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "int": int,
}


class _Sized:
    """Arithmetic of both kinds of sized numbers; `log` is None while nothing is traced."""

    expression: Expression
    log: Log | None

    def _arith(self, operator: str, other: object, *, swapped: bool = False) -> Any:
        if not isinstance(other, int | float) or isinstance(other, bool):
            return NotImplemented
        left, right = (other, self) if swapped else (self, other)
        number = FUNCTIONS[operator](_plain(left), _plain(right))
        return sized(number, tidy(operator, expression(left), expression(right)), self.log)

    def _compare(self, operator: str, other: object, compare: Callable[..., bool]) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        outcome = compare(_plain(self), _plain(other))
        if self.log is not None and expression(other) != self.expression:
            self.log.add(self.expression, operator, expression(other), outcome)
        return outcome

    def __add__(self, other: object) -> Any:
        return self._arith("+", other)

    def __radd__(self, other: object) -> Any:
        return self._arith("+", other, swapped=True)

    def __sub__(self, other: object) -> Any:
        return self._arith("-", other)

    def __rsub__(self, other: object) -> Any:
        return self._arith("-", other, swapped=True)

    def __mul__(self, other: object) -> Any:
        return self._arith("*", other)

    def __rmul__(self, other: object) -> Any:
        return self._arith("*", other, swapped=True)

    def __truediv__(self, other: object) -> Any:
        return self._arith("/", other)

    def __rtruediv__(self, other: object) -> Any:
        return self._arith("/", other, swapped=True)

    def __floordiv__(self, other: object) -> Any:
        return self._arith("//", other)

    def __rfloordiv__(self, other: object) -> Any:
        return self._arith("//", other, swapped=True)

    def __mod__(self, other: object) -> Any:
        return self._arith("%", other)

    def __rmod__(self, other: object) -> Any:
        return self._arith("%", other, swapped=True)

    def __neg__(self) -> Any:
        return self._arith("*", -1)

    def __pos__(self) -> Any:
        return self

    def whole(self, function: str) -> Any:
        """The number made whole by a function of that name."""
        number = FUNCTIONS[function](_plain(self))
        return sized(number, Arith(function, (self.expression,)), self.log)

    def __ceil__(self) -> Any:
        return self.whole("ceil")

    def __floor__(self) -> Any:
        return self.whole("floor")

    def __round__(self, digits: int | None = None) -> Any:
        return self.whole("round") if digits is None else round(_plain(self), digits)

    def __eq__(self, other: object) -> Any:
        return self._compare("==", other, lambda a, b: a == b)

    def __ne__(self, other: object) -> Any:
        return self._compare("!=", other, lambda a, b: a != b)

    def __lt__(self, other: object) -> Any:
        return self._compare("<", other, lambda a, b: a < b)

    def __le__(self, other: object) -> Any:
        return self._compare("<=", other, lambda a, b: a <= b)

    def __gt__(self, other: object) -> Any:
        return self._compare(">", other, lambda a, b: a > b)

    def __ge__(self, other: object) -> Any:
        return self._compare(">=", other, lambda a, b: a >= b)

    def __bool__(self) -> bool:
        return bool(self._compare("!=", 0, lambda a, b: a != b))


class SizedInt(_Sized, int):
    """An int with the expression that it was computed by."""

    def __new__(cls, number: int, source: Expression, log: Log | None) -> SizedInt:
        self = int.__new__(cls, number)
        self.expression, self.log = source, log
        return self

    def __hash__(self) -> int:
        return hash(_plain(self))

    def __ceil__(self) -> Any:
        return self

    def __floor__(self) -> Any:
        return self

    def __index__(self) -> int:
        return _plain(self)

    def __divmod__(self, other: object) -> Any:
        return self // other, self % other


class SizedFloat(_Sized, float):
    """A float with the expression that it was computed by."""

    def __new__(cls, number: float, source: Expression, log: Log | None) -> SizedFloat:
        self = float.__new__(cls, number)
        self.expression, self.log = source, log
        return self

    def __hash__(self) -> int:
        return hash(_plain(self))


class Sizes(tuple[int, ...]):
    """What `Tensor.shape` is while a module is traced: sized integers, as `torch.Size` has them."""

    __slots__ = ()

    def numel(self) -> int:
        """The product of all sizes."""
        product: int = 1
        for one in self:
            product = one * product
        return product

    def __getitem__(self, key: Any) -> Any:
        item = tuple.__getitem__(self, key)
        return Sizes(cast("Iterable[int]", item)) if isinstance(item, tuple) else item


def sized(number: Any, source: Expression, log: Log | None) -> Any:
    """A number with its expression."""
    if isinstance(source, int | float):
        return number
    return (SizedInt if isinstance(number, int) else SizedFloat)(number, source, log)


def _plain(number: Any) -> Any:
    return int.__int__(number) if isinstance(number, int) else float.__float__(number)
