"""The sizes nearest to those that a network refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netdsl.ir.condition import Truth, all_of
from netdsl.ir.dim import symbol
from netdsl.ir.solver import Domain, GaveUp

Point = dict[str, int]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Accepted sizes around wanted ones; None where there are none.

    `closest` has the least distance, summed over the symbols; `down` is the closest of those
    with no size above the wanted one (crop to it), `up` with none below (pad to it). Of several
    as close, each is the one that comes first in lexicographic order.
    """

    closest: Point | None
    down: Point | None
    up: Point | None


def nearest(symbols: tuple[str, ...], condition: Truth, wanted: Mapping[str, int]) -> Nearest:
    """The sizes nearest to `wanted` at which the condition holds.

    All None where the question can't be answered exactly.
    """
    if not symbols:
        return Nearest(None, None, None)
    try:
        down, up = (_least_move(symbols, condition, wanted, (way,)) for way in (-1, 1))
        return Nearest(_least_move(symbols, condition, wanted, (-1, 1)), down, up)
    except GaveUp:
        return Nearest(None, None, None)


def _least_move(
    symbols: tuple[str, ...], condition: Truth, wanted: Mapping[str, int], ways: tuple[int, ...]
) -> Point | None:
    """The closest point, sizes moving in the ways given: -1 down, 1 up."""
    mark = "d"
    while any(name.startswith(mark) for name in symbols):
        mark += "d"
    # a distance d stands for d - 1, since a symbol of the solver is at least 1
    away = {name: symbol(f"{mark}{index}") for index, name in enumerate(symbols)}
    total = symbol(f"{mark}{len(symbols)}")
    bounds: list[Truth] = [total >= sum(away.values(), 0)]
    for name, distance in away.items():
        moved = symbol(name) - wanted[name]
        bounds += [way * moved < distance for way in ways]
        if len(ways) == 1:
            bounds.append(ways[0] * moved >= 0)
    names = (str(total), *symbols, *map(str, away.values()))
    found = Domain(names, all_of(condition, *bounds)).smallest()
    return {name: found[name] for name in symbols} if found else None
