"""The sizes nearest to those that a network refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from netdsl.ir.columns import Columns
from netdsl.ir.condition import Truth, all_of, holds
from netdsl.ir.dim import symbol
from netdsl.ir.solver import Domain, GaveUp, Group, groups

Point = dict[str, int]
MOST_TRIED = 10_000
BACK, AHEAD = (-1,), (1,)


@dataclass(frozen=True, slots=True)
class Nearest:
    """Accepted sizes around wanted ones; None where there are none, or none could be found.

    `closest` has the least distance, summed over the symbols; `down` is the closest of those
    with no size above the wanted one (crop to it), `up` with none below (pad to it). Of several
    as close, each is the one that comes first in lexicographic order.
    """

    closest: Point | None
    down: Point | None
    up: Point | None


def nearest(symbols: tuple[str, ...], condition: Truth, wanted: Mapping[str, int]) -> Nearest:
    """The sizes nearest to `wanted` at which the condition holds.

    None where the question can't be answered exactly.
    """
    if not symbols:
        return Nearest(None, None, None)
    if holds(condition, wanted):
        point = {name: wanted[name] for name in symbols}
        return Nearest(point, point, point)
    parts = groups(symbols, condition)
    ways = (BACK + AHEAD, BACK, AHEAD)
    return Nearest(*(_least_move(symbols, parts, wanted, way) for way in ways))


def _least_move(
    symbols: tuple[str, ...], parts: list[Group], wanted: Mapping[str, int], ways: tuple[int, ...]
) -> Point | None:
    """The closest point, sizes moving in the ways given; each group of symbols moves by itself."""
    point: Point = {}
    for group in parts:
        moved = _move_group(group, wanted, ways)
        if moved is None:
            return None
        point |= moved
    return {name: point[name] for name in symbols}


def _move_group(group: Group, wanted: Mapping[str, int], ways: tuple[int, ...]) -> Point | None:
    counted = group.counted()
    if counted is not None:
        (name,) = group.symbols
        size = wanted[name]
        below = counted.below(size) if -1 in ways else None
        above = counted.above(size) if 1 in ways else None
        # of two as close, the smaller comes first
        near = [n for n in (below, above) if n is not None]
        return {name: min(near, key=lambda n: abs(n - size))} if near else None
    point = _searched(group, wanted, ways)
    try:
        return point or _solved(group, wanted, ways)
    except GaveUp:
        return None


def _solved(group: Group, wanted: Mapping[str, int], ways: tuple[int, ...]) -> Point | None:
    """The closest point, by the solver. Raises `GaveUp`."""
    symbols = group.symbols
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
    solution = Domain(names, all_of(group.condition, *bounds)).smallest()
    return {name: solution[name] for name in symbols} if solution else None


def _searched(group: Group, wanted: Mapping[str, int], ways: tuple[int, ...]) -> Point | None:
    """The closest point, by asking every point that is closer; None after too many."""
    points = islice(_outward(group.symbols, wanted, ways), MOST_TRIED)
    size = 16
    while batch := list(islice(points, size)):
        columns = Columns({name: [point[name] for point in batch] for name in group.symbols})
        held = columns.where(group.condition)
        if True in held:
            return batch[held.index(True)]
        size = 1024
    return None


def _outward(
    symbols: tuple[str, ...], wanted: Mapping[str, int], ways: tuple[int, ...]
) -> Iterator[Point]:
    """All points, those at the least distance first, of these in lexicographic order."""
    farthest = sum(wanted[name] for name in symbols)  # beyond it nothing is below
    distance = 0
    while 1 in ways or distance < farthest:
        yield from _at_distance(symbols, wanted, ways, distance)
        distance += 1


def _at_distance(
    symbols: tuple[str, ...], wanted: Mapping[str, int], ways: tuple[int, ...], distance: int
) -> Iterator[Point]:
    first, *others = symbols
    if others:
        moves = range(-distance, distance + 1)
    else:
        moves = (-distance, distance) if distance else (0,)
    for move in moves:
        size = wanted[first] + move
        if size < 1 or (move and (move > 0) - (move < 0) not in ways):
            continue
        if not others:
            yield {first: size}
            continue
        for rest in _at_distance(tuple(others), wanted, ways, distance - abs(move)):
            yield {first: size} | rest


def some_point(symbols: tuple[str, ...], condition: Truth, start: int) -> Point | None:
    """A point where the condition holds, near `start` for all symbols; None if none is found."""
    point: Point = {}
    for group in groups(symbols, condition):
        of_group = _searched(group, dict.fromkeys(symbols, start), BACK + AHEAD)
        if of_group is None:
            return None
        point |= of_group
    return point
