"""Whether some sizes are a case of others: what is written for these is right for those."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.dim import Dim, Floor, Size, Symbol, floor_div, substitute

Pair = tuple[Size, Size]


def is_case(pairs: Sequence[Pair]) -> bool:
    """Whether one choice of sizes for the symbols of the left turns each left side to its right.

    `(H, 2*K), (floor(H/2), K)` is one; `(H, K), (H, L)` is none. False where no choice is found.
    """
    symbols: dict[str, Size] = {}
    plain = [pair for pair in pairs if not _is_floor(pair[0])]
    for left, right in (*plain, *pairs):
        _solve(left, right, symbols)
    return all(substitute(left, symbols) == right for left, right in pairs)


def _is_floor(size: Size) -> bool:
    return isinstance(size, Dim) and any(isinstance(a, Floor) for m, _ in size.terms for a in m)


def _solve(left: Size, right: Size, symbols: dict[str, Size]) -> None:
    """Choose the symbol that alone stands in `left` so that it becomes `right`."""
    while isinstance(left, Dim) and len(left.terms) == 1:
        ((monomial, factor),) = left.terms
        rest = right - left.constant if factor > 0 else left.constant - right
        right = floor_div(rest, abs(factor))
        if len(monomial) != 1 or right * abs(factor) != rest:
            return
        match monomial[0]:
            case Symbol(name):
                symbols.setdefault(name, right)
                return
            case Floor(numerator, divisor):
                left, right = numerator, right * divisor
            case _:
                return
