"""What to write in place of an argument that a layer does not take, where that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.dim import Dim
from netdsl.ir.sequences import is_tuple
from netdsl.ops.padding import WORDS
from netdsl.syntax import ast

BINS = "how many bins there are along an axis is a known number"
BOUNDS = {"max": "low", "min": "high"}
REDUCTIONS = {"avg": "mean", "max": "max"}
"""The layer that reduces whole axes as a kind of pool does."""


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


def open_size(op: str, parameter: str, value: object) -> tuple[str, ...]:
    """What to write where a size of the input is given for a known number."""
    if op == "split":
        return ("how many parts there are is known; their sizes may be open: `split([H - 2, 2])`",)
    kind = _kind_of_pool(op)
    if not kind or parameter not in ("kernel", "size"):
        return ()
    if not is_tuple(value):
        is_window = parameter == "kernel"
        return (f"a window as large as the map is `adaptive_{kind}pool(1)`" if is_window else BINS,)
    is_open = [isinstance(part, Dim) for part in value]
    is_whole = is_open if parameter == "kernel" else [part == 1 for part in value]
    return _reduced(kind, is_whole)


def none_in_size(op: str, parts: Sequence[ast.Expr]) -> tuple[str, ...]:
    """What to write where PyTorch has `None` for an axis that is left as it is; often nothing."""
    names = [part.name if isinstance(part, ast.NameExpr) else "" for part in parts]
    kind = _kind_of_pool(op)
    if not kind or not {"none", "None"} & set(names):
        return ()
    return _reduced(kind, [isinstance(p, ast.Number) and p.value == 1 for p in parts])


def _kind_of_pool(op: str) -> str:
    """`avg` or `max`."""
    kind = op.removeprefix("adaptive_").removesuffix("pool")
    return kind if kind in REDUCTIONS else ""


def _reduced(kind: str, is_whole: Sequence[bool]) -> tuple[str, ...]:
    """How axes are reduced whole, counted from the last."""
    axes = [number - len(is_whole) for number, reduced in enumerate(is_whole) if reduced]
    if not axes:
        return (BINS,)
    axis, what = (axes[0], "a whole axis is") if len(axes) == 1 else (axes, "whole axes are")
    return (f"{what} reduced by `{REDUCTIONS[kind]}(axis={axis}, keep=true)`",)


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
