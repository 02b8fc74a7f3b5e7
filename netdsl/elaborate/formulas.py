"""Expressions as formulas over a block's parameters, so that a backend can say `4 * width`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from netdsl.elaborate.builtins import BUILTINS
from netdsl.elaborate.environment import Environment
from netdsl.ir.formula import (
    Call,
    Comparison,
    Conditional,
    Constant,
    Formula,
    Index,
    Items,
    Operation,
    parts,
)
from netdsl.syntax import ast

MOST_PARTS = 200
"""How many parts a formula has at most: a `let` may double those of the one before it."""


class _NoFormula(Exception):
    """The expression computes with more than parameters and constants."""


def formula_of(expr: ast.Expr, environment: Environment) -> Formula | None:
    """The expression over the block's parameters, or None where it can't be said so.

    A `let` stands for its formula.
    """
    try:
        formula = _formula(expr, environment)
    except _NoFormula:
        return None
    is_long = next(islice(parts(formula), MOST_PARTS, None), None) is not None
    return None if is_long else formula


def _formula(expr: ast.Expr, environment: Environment) -> Formula:
    def each(inner: Iterable[ast.Expr]) -> tuple[Formula, ...]:
        return tuple(_formula(part, environment) for part in inner)

    match expr:
        case ast.Number(value) | ast.Text(value) | ast.Truth(value):
            return Constant(value)
        case ast.SizeLiteral(sizes):
            return Items(tuple(map(Constant, sizes)))
        case ast.NameExpr(name):
            return _bound(name, environment)
        case ast.Attribute(ast.NameExpr("in"), ast.Name("channels")):
            return _bound("in.channels", environment)
        case ast.Index(base, index):
            return Index(*each((base, index)))
        case ast.TupleExpr(items):
            return Items(each(items))
        case ast.ListExpr(items):
            return Items(each(items), is_list=True)
        case ast.Unary(operator, operand):
            return Operation(operator, each((operand,)))
        case ast.Binary(operator, left, right):
            return Operation(operator, each((left, right)))
        case ast.Compare(operands, operators):
            return Comparison(operators, each(operands))
        case ast.Conditional(condition, then, otherwise):
            return Conditional(*each((then, condition, otherwise)))
        case ast.CallExpr(ast.NameExpr(name), arguments) if _is_builtin(name, environment):
            return Call(name, each(argument.value for argument in arguments))
        case _:
            raise _NoFormula


def _bound(name: str, environment: Environment) -> Formula:
    binding = environment.lookup("numbers", name)
    if binding is None or binding.formula is None:
        raise _NoFormula
    return binding.formula


def _is_builtin(name: str, environment: Environment) -> bool:
    return name in BUILTINS and name not in environment.unit.visible
