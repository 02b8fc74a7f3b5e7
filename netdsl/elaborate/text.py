"""Expressions as Python text, so that generated source can say `4 * width` and not 256."""

from __future__ import annotations

from netdsl.elaborate.environment import Environment
from netdsl.syntax import ast

_ATOM, _POWER, _UNARY, _TIMES, _PLUS, _COMPARE, _NOT, _AND, _OR, _IF = range(10)
_LEVELS = {"**": _POWER, "*": _TIMES, "/": _TIMES, "//": _TIMES, "%": _TIMES}
_LEVELS |= {"+": _PLUS, "-": _PLUS, "and": _AND, "or": _OR}
_FUNCTIONS = {"min", "max", "abs", "round", "int", "float", "len", "sum"}


def python_text(expr: ast.Expr, environment: Environment) -> str | None:
    """The expression in Python over the block's parameters, or None where it can't be said.

    Names of `let`s are replaced by what they stand for; `in.channels` is `in_channels`.
    """
    written = _write(expr, environment)
    return None if written is None else written[0]


def _write(expr: ast.Expr, environment: Environment) -> tuple[str, int] | None:
    match expr:
        case ast.Number(value) | ast.Text(value) | ast.Truth(value):
            return repr(value), _ATOM
        case ast.SizeLiteral(parts):
            return f"({', '.join(map(repr, parts))})", _ATOM
        case ast.NameExpr(name):
            return _name(name, environment)
        case ast.Attribute(ast.NameExpr("in"), ast.Name("channels")):
            binding = environment.lookup("in.channels")
            return ("in_channels", _ATOM) if binding and binding.text == "in_channels" else None
        case ast.Index(base, index):
            return _join(environment, base, index, "{}[{}]")
        case ast.TupleExpr(items) | ast.ListExpr(items):
            return _sequence(expr, items, environment)
        case ast.Unary(operator, operand):
            inner = _within(operand, environment, _NOT if operator == "not" else _UNARY)
            space = " " if operator == "not" else ""
            level = _NOT if operator == "not" else _UNARY
            return None if inner is None else (f"{operator}{space}{inner}", level)
        case ast.Binary(operator, left, right):
            return _binary(operator, left, right, environment)
        case ast.Compare(operands, operators):
            return _compare(operands, operators, environment)
        case ast.Conditional(condition, then, otherwise):
            return _conditional(condition, then, otherwise, environment)
        case ast.CallExpr(ast.NameExpr(name), arguments) if name in _FUNCTIONS:
            return _call(name, arguments, environment)
        case _:
            return None


def _name(name: str, environment: Environment) -> tuple[str, int] | None:
    binding = environment.lookup(name)
    if binding is None or binding.text is None:
        return None
    return binding.text, _ATOM if binding.text.isidentifier() else _IF


def _within(expr: ast.Expr, environment: Environment, level: int) -> str | None:
    """The text, in parentheses where it binds looser than `level`."""
    written = _write(expr, environment)
    if written is None:
        return None
    text, own = written
    return text if own <= level else f"({text})"


def _binary(
    operator: str, left: ast.Expr, right: ast.Expr, environment: Environment
) -> tuple[str, int] | None:
    level = _LEVELS[operator]
    tighter_left = level - 1 if operator == "**" else level
    a = _within(left, environment, tighter_left)
    b = _within(right, environment, _UNARY if operator == "**" else level - 1)
    return None if a is None or b is None else (f"{a} {operator} {b}", level)


def _compare(
    operands: tuple[ast.Expr, ...], operators: tuple[str, ...], environment: Environment
) -> tuple[str, int] | None:
    texts = [_within(operand, environment, _PLUS) for operand in operands]
    if None in texts:
        return None
    rest = "".join(f" {op} {text}" for op, text in zip(operators, texts[1:], strict=True))
    return f"{texts[0]}{rest}", _COMPARE


def _conditional(
    condition: ast.Expr, then: ast.Expr, otherwise: ast.Expr, environment: Environment
) -> tuple[str, int] | None:
    a = _within(then, environment, _OR)
    test = _within(condition, environment, _OR)
    b = _within(otherwise, environment, _IF)
    return None if a is None or test is None or b is None else (f"{a} if {test} else {b}", _IF)


def _sequence(
    expr: ast.Expr, items: tuple[ast.Expr, ...], environment: Environment
) -> tuple[str, int] | None:
    texts = [_within(item, environment, _IF) for item in items]
    if None in texts:
        return None
    inside = ", ".join(t for t in texts if t is not None)
    return (f"({inside})" if isinstance(expr, ast.TupleExpr) else f"[{inside}]"), _ATOM


def _join(
    environment: Environment, base: ast.Expr, index: ast.Expr, pattern: str
) -> tuple[str, int] | None:
    a, b = _within(base, environment, _ATOM), _within(index, environment, _IF)
    return None if a is None or b is None else (pattern.format(a, b), _ATOM)


def _call(
    name: str, arguments: tuple[ast.Argument, ...], environment: Environment
) -> tuple[str, int] | None:
    texts = [_within(a.value, environment, _IF) for a in arguments if a.name is None]
    if None in texts or len(texts) != len(arguments):
        return None
    return f"{name}({', '.join(t for t in texts if t is not None)})", _ATOM
