"""Formulas in Python, over the parameters of a constructor."""

from __future__ import annotations

from collections.abc import Iterable
from keyword import iskeyword

from netdsl.backends.torch.layout import literal
from netdsl.ir import formula as ir
from netdsl.ir.formula import Formula

FUNCTIONS = {"min": min, "max": max, "abs": abs, "round": round, "int": int, "float": float,
             "len": len, "sum": sum}  # fmt: skip
"""The functions of the language that Python has under the same name."""
_ATOM, _POWER, _UNARY, _TIMES, _PLUS, _COMPARE, _NOT, _AND, _OR, _IF = range(10)
_LEVELS = {"**": _POWER, "*": _TIMES, "/": _TIMES, "//": _TIMES, "%": _TIMES}
_LEVELS |= {"+": _PLUS, "-": _PLUS, "and": _AND, "or": _OR}


class _NoPython(Exception):
    """A name or a function that Python does not have."""


def python_text(formula: Formula | None) -> str | None:
    """The formula in Python, or None where there is none or Python can't say it.

    Nothing promises that Python computes the same value: who prints the text checks that.
    """
    if formula is None:
        return None
    try:
        return _within(formula, _IF)
    except _NoPython:
        return None


def variables(formula: Formula) -> list[str]:
    """The parameters that the Python of a formula reads, in the order written."""
    named = (p for p in ir.parts(formula) if p == ir.IN_CHANNELS or isinstance(p, ir.Name))
    return [_write(part)[0] for part in named if part != ir.IN_CHANNELS.base]


def _within(formula: Formula, level: int) -> str:
    """The text, in parentheses where it binds looser than `level`."""
    text, own = _write(formula)
    return text if own <= level else f"({text})"


def _write(formula: Formula) -> tuple[str, int]:
    """The text, and how tight it binds."""
    match formula:
        case ir.IN_CHANNELS:
            return "in_channels", _ATOM
        case ir.Constant(value):
            return literal(value), _ATOM
        case ir.Name(name) if not iskeyword(name):
            return name, _ATOM
        case ir.Index(base, index):
            return f"{_within(base, _ATOM)}[{_within(index, _IF)}]", _ATOM
        case ir.Items(operands, is_list):
            inside = _commas(operands)
            comma = "," if len(operands) == 1 else ""
            return (f"[{inside}]" if is_list else f"({inside}{comma})"), _ATOM
        case ir.Call(function, operands) if function in FUNCTIONS:
            return f"{function}({_commas(operands)})", _ATOM
        case ir.Operation(operator, (operand,)):
            level, space = (_NOT, " ") if operator == "not" else (_UNARY, "")
            return f"{operator}{space}{_within(operand, level)}", level
        case ir.Operation("**", (base, exponent)):
            return f"{_within(base, _ATOM)} ** {_within(exponent, _UNARY)}", _POWER
        case ir.Operation(operator, (left, right)):
            level = _LEVELS[operator]
            return f"{_within(left, level)} {operator} {_within(right, level - 1)}", level
        case ir.Comparison(operators, operands):
            first, *others = (_within(operand, _PLUS) for operand in operands)
            pairs = zip(operators, others, strict=True)
            return " ".join([first, *(f"{operator} {text}" for operator, text in pairs)]), _COMPARE
        case ir.Conditional(then, condition, otherwise):
            arms = _within(then, _OR), _within(condition, _OR), _within(otherwise, _IF)
            return "{} if {} else {}".format(*arms), _IF
        case _:
            raise _NoPython


def _commas(formulas: Iterable[Formula]) -> str:
    return ", ".join(_within(formula, _IF) for formula in formulas)
