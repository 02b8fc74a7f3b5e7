"""Expressions in the syntax tree: frozen, with a span on every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from netdsl.diagnostics import Span


@dataclass(frozen=True, eq=False, slots=True)
class Name:
    """An identifier where it is written: a definition's name, a parameter, a keyword argument."""

    text: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """`64`, `0.1`, `1e-5`. The value is an int where it is written without `.` and `e`."""

    value: int | float
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """`"block1-0"`, without its quotes."""

    value: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class SizeLiteral:
    """`3x3`, `37x53`, `2x3x4`, `1.5x2`: the parts in the order written."""

    parts: tuple[int | float, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class ListExpr:
    """`[1, 2, 4]`."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class TupleExpr:
    """`(0, 3)`: a size with computed parts. One item in parentheses is that item, not a tuple."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class NameExpr:
    """A bare name (also `in`): a number, a value, a layer, an option word; its use decides."""

    name: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Attribute:
    """`x.channels`, `in.height`, `blocks.Name`."""

    base: Expr
    name: Name
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Index:
    """`list[i]`, `x.shape[0]`, `down[i - 1]`."""

    base: Expr
    index: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Slice:
    """`list[a..b]`, either end may be left out."""

    base: Expr
    start: Expr | None
    stop: Expr | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Argument:
    """One argument of a call: positional where `name` is None."""

    name: Name | None
    value: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class CallExpr:
    """`max(a, b)`, `make_divisible(c, 8)`; for a `layer` parameter also `leaky_relu(0.1)`."""

    callee: NameExpr | Attribute
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Unary:
    """`-a`, `+a`, `not a`: `operator` as written."""

    operator: str
    operand: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Binary:
    """`a + b` and so on: `+ - * / // % **`, and `and`, `or`; `operator` as written."""

    operator: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Compare:
    """`a < b <= c`, as in Python: operands are one more than operators (`== != < <= > >=`)."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Conditional:
    """`then if condition else otherwise`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Range:
    """`start..stop`, stop not in it."""

    start: Expr
    stop: Expr
    span: Span


Expr: TypeAlias = (
    Number
    | Text
    | Truth
    | SizeLiteral
    | ListExpr
    | TupleExpr
    | NameExpr
    | Attribute
    | Index
    | Slice
    | CallExpr
    | Unary
    | Binary
    | Compare
    | Conditional
    | Range
)
