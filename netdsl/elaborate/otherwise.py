"""What to write in place of an argument that a layer does not take, where that is possible."""

from __future__ import annotations

from netdsl.ops.padding import WORDS
from netdsl.syntax import ast

BOUNDS = {"max": "low", "min": "high"}


def without_name(op: str, argument: ast.Expr) -> tuple[str, str]:
    """What to say of `max(0)`, and what to write, where a layer takes an axis by its name alone."""
    number = argument.span.text
    plain = argument.operand if isinstance(argument, ast.Unary) else argument
    is_axis = not (isinstance(plain, ast.Number) and isinstance(plain.value, float))
    ways = [f"for an axis write `{op}(axis={number})`"] if is_axis or op not in BOUNDS else []
    ways += [f"for a bound `clamp({BOUNDS[op]}={number})`"] if op in BOUNDS else []
    return f"`{op}` takes no number", ", ".join(ways)


def value_for(op: str, parameter: str) -> str:
    """What to write where a value is given for a number."""
    return f"two values meet by flowing in: `(a, b) -> {op}`" if parameter == "number" else ""


def open_size(op: str, parameter: str) -> tuple[str, ...]:
    """What to write where a size of the input is given for a known number."""
    if op == "split":
        return ("how many parts there are is known; their sizes may be open: `split([H - 2, 2])`",)
    if parameter == "kernel" and op in ("avgpool", "maxpool"):
        return (f"a window as large as the map is `adaptive_{op}(1)`",)
    return ()


def word(op: str, parameter: str, name: str) -> str:
    """What to write in place of `padding=SAME`, or where a layer has no such word."""
    if parameter != "padding" or name.lower() not in (*WORDS, "valid"):
        return ""
    if op == "conv_transpose":
        return "the padding is a number; `size=other` gives the result another value's size"
    if name.lower() == "valid":
        return "no padding is `padding=0`"
    return (
        "TensorFlow's and Keras's is `padding=same_upper`; with stride 1 `padding=same` says the "
        "same, and `same_lower` adds an odd cell in front"
    )
