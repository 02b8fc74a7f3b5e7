"""What to write in place of an argument that a layer does not take, where that is possible."""

from __future__ import annotations

from netdsl.ops.padding import WORDS
from netdsl.syntax import ast

ALONG = frozenset(["axis", "axes", "dim", "dims", "keep", "keepdim", "keepdims"])
POOL_OF = {"mean": "avgpool", "max": "maxpool"}
LIST = "fn list(v: float, n: int) = [v] if n == 1 else list(v, n // 2) + list(v, n - n // 2)"
BEYOND = "3.4e38"
"""About the largest number of float32."""


def named_argument(op: str, parameter: str) -> str:
    """What to write in place of `mean(axis=0)`."""
    if op not in {*POOL_OF, "min"} or parameter not in ALONG:
        return ""
    merges = f"`{op}` merges several values, and nothing goes along one axis yet"
    if op not in POOL_OF:
        return merges
    pool = POOL_OF[op]
    return (
        f"{merges}: over the C channels of a map write `permute([1, 2, 0]) -> {pool}((1, C)) -> "
        f"permute([2, 0, 1])`, over its rows and columns `adaptive_{pool}(1)`"
    )


def number(op: str, argument: ast.Expr) -> tuple[str, ...]:
    """What to write in place of `mul(0.1)`, `add(1)`, `max(0)`."""
    if op not in ("mul", "add", "sub", "max", "min"):
        return ()
    reason = f"`{op}` merges the values that flow in, and takes no number yet"
    value = _literal(argument)
    if value is None:
        return (reason,)
    if op in ("max", "min"):
        low, high = (value, BEYOND) if op == "max" else (f"-{BEYOND}", value)
        way = "relu" if (op, value) == ("max", 0) else f"hardtanh({low}, {high})"
        return (f"{reason}: for a bound write `{way}`",)
    if op == "mul" and (not value or abs(1 / value) == float("inf")):
        return (reason,)
    mean, deviation = {"mul": 0.0, "add": -value, "sub": value}[op], 1 / value if op == "mul" else 1
    return (
        f"{reason}: for C channels write `normalize(list({float(mean)}, C), "
        f"list({float(deviation)}, C))`, with `{LIST}` beside the net",
        f"a parameter, with a key of its own: `weight s: [] = {value}`, then `(x, s) -> {op}`",
    )


def _literal(expr: ast.Expr) -> int | float | None:
    """The number that is written, perhaps with a minus."""
    match expr:
        case ast.Number(value):
            return value
        case ast.Unary("-", ast.Number(value)):
            return -value
        case _:
            return None


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
