"""What a `weight` line fills its table with: a number, a list, or a word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt, prod
from typing import TypeAlias

from netdsl.ir.sequences import is_list, is_tuple
from netdsl.ops.base import Rules
from netdsl.ops.initial import NEED_STD, STD, WORDS
from netdsl.ops.params import FLOAT, Kind, Mismatch, show

Shape: TypeAlias = "tuple[int, ...]"
Numbers: TypeAlias = "tuple[float, ...]"

IDENTITY, BILINEAR, RELATIVE = "identity", "bilinear", "relative_position"
COMPUTED = (IDENTITY, BILINEAR, RELATIVE)
"""Words that stand for certain numbers; those of `init=` draw theirs."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that says how a table begins, with the deviation that it is given."""

    name: str
    std: float | None = None

    def __str__(self) -> str:
        return self.name if self.std is None else f"{self.name}({self.std})"


Fill: TypeAlias = "float | Numbers | Word"


def _fill(value: object) -> object:
    if isinstance(value, Word):
        return value
    if is_list(value) or is_tuple(value):
        return tuple(map(_number, value))
    return _number(value)


def _number(value: object) -> float:
    if isinstance(value, int):  # which a float may not hold
        return int(value)
    try:
        return FLOAT.convert(value)  # type: ignore[return-value]
    except Mismatch:
        raise Mismatch(f"{show(value)} is neither a number, a list of numbers nor a word") from None


FILL = Kind("number, list or word", _fill)


def check_fill(fill: Fill, shape: Shape, dtype: str, rules: Rules) -> None:
    """Refuses what a table of this shape and element type can't be filled with."""
    if isinstance(fill, Word):
        _check_word(fill, shape, dtype, rules)
        return
    numbers = fill if isinstance(fill, tuple) else (fill,)
    if isinstance(fill, tuple):
        _check_length(len(fill), shape, rules)
    wrong = next((n for n in numbers if not _is_of(n, dtype)), None)
    if wrong is not None:
        rules.refuse("fill", f"{wrong} is no {dtype}", code="bad-argument")


def _is_of(number: float, dtype: str) -> bool:
    if dtype == "bool":
        return number in (0.0, 1.0)
    if dtype == "uint8":
        return number % 1 == 0 and 0 <= number <= 255
    return dtype.startswith(("float", "bfloat")) or number % 1 == 0


def _check_length(count: int, shape: Shape, rules: Rules) -> None:
    """A list fills the last axes, as many as its length is the product of."""
    lengths = [prod(shape[axis:]) for axis in range(len(shape) + 1)]
    if count not in lengths:
        listed = " or ".join(map(str, sorted(set(lengths), reverse=True)))
        rules.refuse(
            "fill",
            f"{count} numbers fill no last axes of {list(shape)}",
            code="bad-argument",
            help=f"give {listed} numbers; fewer repeat along the axes in front",
        )


def _check_word(word: Word, shape: Shape, dtype: str, rules: Rules) -> None:
    if word.std is not None and (word.name not in NEED_STD or not 0 < word.std <= 1000):
        rules.refuse(
            "fill",
            f"`{word}`: a deviation above 0 goes with {' and '.join(NEED_STD)}",
            code="bad-argument",
        )
    reason = _why_not(word.name, shape)
    if reason:
        rules.refuse(
            "fill", f"`{word.name}` {reason}, and this is {list(shape)}", code="bad-argument"
        )
    if (dtype == "int64") != (word.name == RELATIVE) or dtype in ("bool", "uint8"):
        kind = "int64" if word.name == RELATIVE else "float32"
        rules.refuse("fill", f"`{word.name}` gives {kind}, not {dtype}", code="wrong-dtype")


def _why_not(word: str, shape: Shape) -> str:
    """Why a word has no numbers for a shape; empty where it has."""
    match word:
        case "identity":
            return "" if len(shape) == 2 and shape[0] == shape[1] else "is of a shape [n, n]"
        case "bilinear":
            fits = len(shape) > 2 and (shape[1] == 1 or shape[0] == shape[1])
            return "" if fits else "is of a shape [n, 1, k, ...] or [n, n, k, ...]"
        case "relative_position":
            fits = _window(_tokens(shape)) > 0
            return "" if fits else "is of a shape [t, t] or [t * t], where t is w * w or w * w + 1"
        case "normal" | "trunc_normal" | "zeros":
            return ""
        case _:
            return "" if len(shape) > 1 else "is of two axes or more"


def _tokens(shape: Shape) -> int:
    """The side of a square, flat or not; 0 where it is none."""
    if len(shape) == 2:
        return shape[0] if shape[0] == shape[1] else 0
    side = isqrt(shape[0]) if len(shape) == 1 else 0
    return side if len(shape) == 1 and side * side == shape[0] else 0


def _window(tokens: int) -> int:
    """The side of the window of so many cells, with a class token or not; 0 if there is none."""
    side = isqrt(tokens)
    return side if side and side * side in (tokens, tokens - 1) else 0


@cache
def numbers_of(fill: Fill, shape: Shape) -> Numbers:
    """All numbers of a table that nothing draws, in the order of storage."""
    if isinstance(fill, Word):
        return _computed(fill.name, shape)
    numbers = fill if isinstance(fill, tuple) else (fill,)
    return numbers * (prod(shape) // len(numbers))


def _computed(word: str, shape: Shape) -> Numbers:
    if word == IDENTITY:
        return tuple(float(row == column) for row in range(shape[0]) for column in range(shape[0]))
    if word == BILINEAR:
        return _bilinear(shape)
    return tuple(map(float, relative_position(_tokens(shape))))


def _bilinear(shape: Shape) -> Numbers:
    """The kernel that enlarges by interpolation (Long et al. 2015), on the diagonal of channels."""
    kernel: Numbers = (1.0,)
    for size in shape[2:]:
        half = (size + 1) // 2
        middle = half - 1 if size % 2 else half - 0.5
        hat = [1 - abs(place - middle) / half for place in range(size)]
        kernel = tuple(before * weight for before in kernel for weight in hat)
    blank = (0.0,) * len(kernel)
    alone = shape[1] == 1
    pairs = ((row, column) for row in range(shape[0]) for column in range(shape[1]))
    return tuple(
        number for row, column in pairs for number in (kernel if alone or row == column else blank)
    )


def relative_position(tokens: int) -> tuple[int, ...]:
    """Which row of a table of biases each pair of cells of a window has (Liu et al. 2021).

    A class token in front has three rows of its own behind the others (Bao et al. 2022).
    """
    window = _window(tokens)
    span = 2 * window - 1
    places = [(row, column) for row in range(window) for column in range(window)]
    has_class = window * window < tokens
    count = span * span + 3
    index = [count - 1, *[count - 3] * len(places)] if has_class else []
    for row, column in places:
        index += [count - 2] * has_class
        index += [(row - r + window - 1) * span + column - c + window - 1 for r, c in places]
    return tuple(index)


def is_drawn(fill: Fill) -> bool:
    """Whether the numbers are drawn at random, by one of the words of `init=`."""
    return isinstance(fill, Word) and fill.name in WORDS


def std_of(word: Word) -> float:
    """The deviation that the numbers are drawn with, where they have one."""
    return (word.std or STD) if word.name in NEED_STD else 0.0
