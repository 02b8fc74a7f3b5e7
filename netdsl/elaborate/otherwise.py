"""What to write in place of an argument that a layer does not take, where that is possible."""

from __future__ import annotations

from netdsl.syntax import ast

SAME = frozenset(["same", "same_upper", "same_lower"])
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
    if op == "slice":
        return (
            "`crop((H - 1, W - 1), offset=1)` leaves out the first row and column of a map of any "
            "size, and `maxpool(1, stride=2)` keeps every second one",
        )
    if op == "split":
        return ("`crop((H - 2, W), offset=(2, 0))` takes a part of a map of any size",)
    if parameter == "kernel" and op in ("avgpool", "maxpool"):
        return (f"a window as large as the map is `adaptive_{op}(1)`",)
    return ()


def word(op: str, parameter: str, name: str) -> str:
    """What to write in place of `padding=same`, where a layer has no such word."""
    if parameter != "padding" or name not in SAME | {"valid"}:
        return ""
    if name == "valid":
        return "no padding is `padding=0`"
    if op == "conv":
        return "write `padding=same` with stride 1; with a stride the padding is a number"
    if op not in ("maxpool", "avgpool"):
        return "the padding is a number"
    counted = ", count_include_pad=false" if op == "avgpool" else ""
    return (
        f"the padding is a number: an odd kernel with stride 1 keeps the size by `{op}(3, "
        f"stride=1, padding=1{counted})`, an even one by `{op}(2, stride=1, padding=1{counted}) "
        "-> crop((H, W), offset=1)`"
    )
