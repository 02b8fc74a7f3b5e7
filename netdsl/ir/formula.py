"""Formulas: how a number is written in the file, as a tree of names, constants and operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, true or false."""

    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter of the block that the formula stands in."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a value has: `in.channels`."""

    base: Formula
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A sign or `not` before one operand; `+ - * / // % ** and or` between two."""

    operator: str
    operands: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a < b <= c`: an operator between each two operands that follow each other."""

    operators: tuple[str, ...]
    operands: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if condition else otherwise`."""

    then: Formula
    condition: Formula
    otherwise: Formula


@dataclass(frozen=True, slots=True)
class Index:
    """`base[index]`."""

    base: Formula
    index: Formula


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the language's own functions: `max(a, b)`."""

    function: str
    operands: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """`(a, b)`, the parts of a size, or `[a, b]`, a list."""

    operands: tuple[Formula, ...]
    is_list: bool = False


Formula: TypeAlias = (
    Constant | Name | Attribute | Operation | Comparison | Conditional | Index | Call | Items
)
IN_CHANNELS = Attribute(Name("in"), "channels")
"""The channels of the one value that flows into a block."""


def parts(formula: Formula) -> Iterator[Formula]:
    """The formula and all formulas in it, in the order written."""
    stack = [formula]
    while stack:
        part = stack.pop()
        yield part
        match part:
            case Constant() | Name():
                pass
            case Attribute(base):
                stack.append(base)
            case Conditional(then, condition, otherwise):
                stack += (otherwise, condition, then)
            case Index(base, index):
                stack += (index, base)
            case _:
                stack += reversed(part.operands)


def total(left: Formula, right: Formula) -> Formula:
    """The sum of two whole numbers, without parentheses: `a + (b - c)` is `a + b - c`."""
    if isinstance(right, Operation) and right.operator in ("+", "-") and len(right.operands) == 2:
        first, last = right.operands
        return Operation(right.operator, (total(left, first), last))
    return Operation("+", (left, right))
