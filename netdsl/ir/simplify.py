"""Conjunctions said shortly: without floors where that is plain, the strongest bound of each kind.

A deep network asks a thousand times that a map is not too small; once is enough for the solver.
"""

from __future__ import annotations

from collections.abc import Iterable

from netdsl.ir.condition import AnyOf, Truth, all_of, any_of
from netdsl.ir.dim import Compare, Dim, Floor, Size, compare


def plain(truth: Truth) -> Truth:
    """An equal condition without floors where that is plain: `H >= 47`, not `(H + 17)//32 >= 2`."""
    match truth:
        case Compare(">=", Dim(terms=((((Floor() as atom),), 1),)) as left, int(right)):
            return plain(compare(">=", atom.numerator, (right - left.constant) * atom.divisor))
        case Compare(">=", Dim() as left, int(right)) if left.constant:
            return plain(compare(">=", left - left.constant, right - left.constant))
        case Compare(">", Dim() as left, int(right)):
            return plain(compare(">=", left, right + 1))
        case AnyOf(parts):
            return any_of(*map(plain, parts))
        case _:
            return truth


def conjunction(parts: Iterable[Truth]) -> Truth:
    """That all hold, as one condition equal to `all_of(*parts)`."""
    bounds: dict[Size, int] = {}
    others: dict[Truth, None] = {}
    for part in dict.fromkeys(parts):
        match plain(part):
            case Compare(">=", Dim() as left, int(right)):
                bounds[left] = max(bounds.get(left, right), right)
            case other:
                others[other] = None
    return all_of(*(compare(">=", left, least) for left, least in bounds.items()), *others)
