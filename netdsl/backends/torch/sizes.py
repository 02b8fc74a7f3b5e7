"""Symbolic sizes in generated code: as arithmetic on the shapes of tensors at hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from netdsl.ir.dim import (
    Dim,
    Floor,
    Maximum,
    Size,
    Symbol,
    ceil_div,
    floor_div,
    is_linear,
    symbols,
)
from netdsl.ir.factors import product
from netdsl.ir.graph import Value

MAX_DIVISOR = 64

At = tuple[str, Value]
"""A variable and the value it holds."""


class NotAtHand(Exception):
    """No tensor at hand has the size that is needed."""


def size_text(size: Size, at_hand: Sequence[At]) -> str:
    """`x.shape[-2] // 2`: the size from the shapes of the tensors at hand.

    Raises `NotAtHand` if it depends on a size that none of them has.
    """
    text, _ = _write(size, at_hand)
    return text[1:-1] if _is_enclosed(text) else text


def is_at_hand(size: Size, values: Collection[Value]) -> bool:
    """Whether a size can be read off these values."""
    try:
        size_text(size, [("x", value) for value in values])
    except NotAtHand:
        return False
    return True


def _is_enclosed(text: str) -> bool:
    """Whether its first bracket is closed by its last letter."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return letter == ")" and place == len(text) - 1
    return False


def _write(size: Size, at_hand: Sequence[At]) -> tuple[str, bool]:
    """The text, and whether it is a sum (which a product puts in parentheses)."""
    if isinstance(size, int):
        return str(size), size < 0
    near = _by_axis(size, at_hand) or _by_axes(size, at_hand) or _up_to_a_multiple(size, at_hand)
    if near is not None:
        return near
    try:
        return _by_terms(size, at_hand)
    except NotAtHand:
        beside = _beside_an_axis(size, at_hand) or _rest_of_an_axis(size, at_hand)
        if beside is None:
            raise
        return beside


def _beside_an_axis(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool] | None:
    """An axis and a rest of fewer terms: `n - 2 * (n // 2)` where the axis `n` is a sum."""
    for name, value in at_hand:
        for axis, there in enumerate(value.type.shape):
            rest = size - there
            if not isinstance(rest, Dim) or len(rest.terms) >= len(size.terms):
                continue
            try:
                text, _ = _write(rest, at_hand)
            except NotAtHand:
                continue
            sign, rest_text = ("-", text[1:]) if text.startswith("-") else ("+", text)
            return f"{name}.shape[{axis - value.type.rank}] {sign} {rest_text}", True
    return None


def _rest_of_an_axis(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool] | None:
    """Parts of an axis, what it leaves over, what it lacks: `n // 2`, `n % 2`, `-n % 2`.

    They are looked for where floors were taken apart, so that no text of terms is left.
    """
    for name, value in at_hand:
        for axis, there in enumerate(value.type.shape):
            for over in range(2, MAX_DIVISOR + 1):
                if size == there - over * floor_div(there, over):
                    return f"{name}.shape[{axis - value.type.rank}] % {over}", True
                if size == floor_div(there, over):
                    return f"{name}.shape[{axis - value.type.rank}] // {over}", True
                if size == -there - over * floor_div(-there, over):
                    return f"-{name}.shape[{axis - value.type.rank}] % {over}", True
    return None


def _up_to_a_multiple(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool] | None:
    """What an axis lacks to the next multiple of a number, or half of that: `-n % 16`."""
    if not any(factor < 0 for _, factor in size.terms):
        return None
    for name, value in at_hand:
        for axis, there in enumerate(value.type.shape):
            for over in range(2, MAX_DIVISOR + 1 if size.symbols == symbols(there) else 0):
                lacks = ceil_div(there, over) * over - there
                text = f"-{name}.shape[{axis - value.type.rank}] % {over}"
                if size == lacks:
                    return text, True
                if size == floor_div(lacks, 2):
                    return f"{text} // 2", True
                if size == ceil_div(lacks, 2):
                    return f"({text} + 1) // 2", True
    return None


def _by_terms(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool]:
    parts: list[str] = []
    first_added = sorted(size.terms, key=lambda term: term[1] < 0)
    for monomial, coefficient in first_added:
        factors = [_atom(atom, at_hand) for atom in monomial]
        if abs(coefficient) != 1:
            factors.insert(0, str(abs(coefficient)))
        sign = "-" if coefficient < 0 else "+"
        parts.append(f"{sign} {' * '.join(factors)}")
    if size.constant:
        parts.append(f"{'-' if size.constant < 0 else '+'} {abs(size.constant)}")
    text = " ".join(parts)
    text = text[2:] if text.startswith("+ ") else "-" + text[2:]
    return text, len(parts) > 1 or text.startswith("-")


def _by_axis(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool] | None:
    """An axis of exactly that size, or one that differs by a number."""
    shifted: tuple[str, bool] | None = None
    for name, value in at_hand:
        for axis, there in enumerate(value.type.shape):
            apart = size - there
            if not isinstance(apart, int):
                continue
            text = f"{name}.shape[{axis - value.type.rank}]"
            if apart == 0:
                return text, False
            shifted = shifted or (f"{text} {'+' if apart > 0 else '-'} {abs(apart)}", True)
    return shifted


def _by_axes(size: Dim, at_hand: Sequence[At]) -> tuple[str, bool] | None:
    """A number times axes of one tensor in a row: `2 * x.shape[-2] * x.shape[-1]`."""
    if is_linear(size):
        return None
    for name, value in at_hand:
        axes = [(n, axis) for n, axis in enumerate(value.type.shape) if isinstance(axis, Dim)]
        for first, last in combinations(range(len(axes) + 1), 2):
            there = product([axis for _, axis in axes[first:last]])
            times = _times(size, there) if last - first > 1 else 0
            if times:
                texts = [f"{name}.shape[{n - value.type.rank}]" for n, _ in axes[first:last]]
                return " * ".join([str(times)] * (times != 1) + texts), times < 0
    return None


def _times(size: Dim, part: Size) -> int:
    """The number by which a part is to be multiplied to give the size; 0 if there is none."""
    if not isinstance(part, Dim) or not part.terms or not size.terms:
        return 0
    times = size.terms[0][1] // part.terms[0][1]
    return times if size == part * times else 0


def _by_division(size: Dim, divisor: int, at_hand: Sequence[At]) -> str | None:
    """An axis divided by a number: a floor of an axis that is a floor itself became one floor."""
    for name, value in at_hand:
        for axis, there in enumerate(value.type.shape):
            for over in range(2, min(divisor, MAX_DIVISOR) + 1):
                for plus in range(over if divisor % over == 0 else 0):
                    apart = floor_div(there + plus, over) - size
                    if isinstance(apart, int):
                        text = f"{name}.shape[{axis - value.type.rank}]"
                        text = f"({text} + {plus})" if plus else text
                        shift = f" {'-' if apart > 0 else '+'} {abs(apart)}" if apart else ""
                        return f"({text} // {over}{shift})"
    return None


def _atom(atom: Symbol | Floor | Maximum, at_hand: Sequence[At]) -> str:
    near = _by_axis(Dim(0, (((atom,), 1),)), at_hand)
    if near is not None:
        return f"({near[0]})" if near[1] else near[0]
    match atom:
        case Symbol(name):
            raise NotAtHand(name)
        case Floor(numerator, divisor):
            divided = _by_division(Dim(0, (((atom,), 1),)), divisor, at_hand)
            if divided is not None:
                return divided
            text, is_sum = _write(numerator, at_hand)
            whole = f"({text})" if is_sum else text
            return f"({whole} // {divisor})"
        case Maximum(left, right):
            sides = [_write(side, at_hand)[0] for side in (left, right)]
            return f"max({', '.join(map(_inside_max, sides))})"


def _inside_max(text: str) -> str:
    """A side of a maximum; one that is a maximum itself stands without its own `max`."""
    is_maximum = text.startswith("max(") and _is_enclosed(text[3:])
    return text[4:-1] if is_maximum else text
