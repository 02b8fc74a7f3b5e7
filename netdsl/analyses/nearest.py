"""The size nearest to one that a network refuses."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.analyses.sizes import Sizes
from netdsl.ir.condition import Truth, all_of
from netdsl.ir.dim import symbol
from netdsl.ir.solver import Domain, GaveUp


def nearest(sizes: Sizes, wanted: Mapping[str, int]) -> dict[str, int] | None:
    """The accepted sizes whose distances from the wanted ones, symbol by symbol, add up to least.

    Of several as near, the one that comes first in lexicographic order. None where nothing is
    accepted, or where the question can't be answered exactly.
    """
    if not sizes.symbols:
        return None
    mark = "d"
    while any(name.startswith(mark) for name in sizes.symbols):
        mark += "d"
    # a distance d stands for d - 1, since a symbol of the solver is at least 1
    away = {name: symbol(f"{mark}{index}") for index, name in enumerate(sizes.symbols)}
    total = symbol(f"{mark}{len(sizes.symbols)}")
    bounds: list[Truth] = [total >= sum(away.values(), 0)]
    for name, distance in away.items():
        size, number = symbol(name), wanted[name]
        bounds += [size - number < distance, number - size < distance]
    names = (str(total), *sizes.symbols, *map(str, away.values()))
    try:
        found = Domain(names, all_of(sizes.condition, *bounds)).smallest()
    except GaveUp:
        return None
    return {name: found[name] for name in sizes.symbols} if found else None
