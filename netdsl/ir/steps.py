"""The nearest member of a set of sizes, above or below a size, as a formula of that size.

A set of sizes that repeats in the end is a few runs `first..last`, and runs that return with each
period. The least member from n on is `max(n, s(n))`, where s is the first cell of the first run
that does not end before n: a staircase, which takes a step behind the end of each run. The greatest
member up to n is `min(n, t(n))`, where t is the last cell of the last run that begins by n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from netdsl.ir.dim import Size, ceil_div, floor_div, maximum, minimum
from netdsl.ir.periodic import Members

Run: TypeAlias = tuple[int, int]
MOST_LISTED = 4
MOST_RUNS = 6
"""A formula with more steps is none that a person reads."""


@dataclass(frozen=True, slots=True)
class Runs:
    """A set of sizes: runs that are there once, then those that return with each period.

    `least` is the first member of the part that repeats; from there on all of it is in the set.
    The runs of `turning` are of any one period, the last one within a period from the first.
    `endless` is where a run without end begins, and then nothing repeats. What repeats may end, at
    `last`.
    """

    once: tuple[Run, ...]
    turning: tuple[Run, ...] = ()
    period: int = 1
    least: int = 0
    endless: int | None = None
    last: int | None = None

    @property
    def are_single(self) -> bool:
        """Whether no two members stand side by side."""
        every = (*self.once, *self.turning)
        return self.endless is None and all(first == last for first, last in every)

    @property
    def greatest(self) -> int | None:
        """The greatest member; None without bound."""
        if self.turning or self.endless is not None:
            return self.last
        return self.once[-1][1]

    @property
    def smallest(self) -> int:
        """The least member."""
        return self.once[0][0] if self.once else self.endless or self.least


def runs_of(members: Members) -> Runs | None:
    """The set as runs; None where it is empty, or there are too many."""
    if members.least is None:
        return None
    start = members.start
    tail = members.holds[start : start + members.period]
    if not any(tail):
        return _few(_ended(_runs(members.holds[:start])))
    period = _period(tail)
    repeated = {(start + index) % period for index, held in enumerate(tail) if held}
    while start > 1 and members.holds[start - 1] == ((start - 1) % period in repeated):
        start -= 1
    once = _runs(members.holds[:start])
    if len(repeated) == period:
        return _few(Runs(once, endless=start))
    least = next(n for n in range(start, start + period) if n % period in repeated)
    turn = next(n for n in range(period) if n in repeated and (n - 1) % period not in repeated)
    turning = _runs([(turn + n) % period in repeated for n in range(period)])
    return _few(Runs(once, tuple((a + turn, b + turn) for a, b in turning), period, least))


def _ended(runs: tuple[Run, ...]) -> Runs:
    """Runs that end; many that are alike, in equal steps, are one that returns."""
    steps = {after[0] - before[0] for before, after in pairwise(runs)}
    lengths = {last - first for first, last in runs}
    if len(runs) < MOST_LISTED or len(steps) > 1 or len(lengths) > 1:
        return Runs(runs)
    return Runs((), runs[:1], steps.pop(), runs[0][0], last=runs[-1][1])


def _few(runs: Runs) -> Runs | None:
    return runs if len(runs.once) + len(runs.turning) <= MOST_RUNS else None


def _runs(holds: Sequence[bool]) -> tuple[Run, ...]:
    """Stretches of members, each with its first and last."""
    edges = [False, *holds, False]
    changes = [n for n, (before, now) in enumerate(pairwise(edges)) if before != now]
    return tuple((a, b - 1) for a, b in zip(changes[::2], changes[1::2], strict=True))


def _period(tail: Sequence[bool]) -> int:
    """The shortest period of what repeats."""
    count = len(tail)
    divisors = (n for n in range(1, count + 1) if count % n == 0)
    return next(n for n in divisors if all(tail[i] == tail[i % n] for i in range(count)))


def least_above(runs: Runs, size: Size) -> Size:
    """The least member from a size on, for sizes up to the greatest member."""
    firsts = [first for first, _ in runs.once]
    rest: Size = 0
    if runs.endless is not None:
        firsts.append(runs.endless)
    elif runs.turning:
        firsts.append(runs.least)
        rest = maximum(_turning_above(runs, size), runs.least) - runs.least
    stair: Size = firsts[0] + rest
    steps = [after - before for before, after in pairwise(firsts)]
    for (_, last), step in zip(runs.once, steps, strict=False):
        stair = stair + step * _is_beyond(size, last, runs.greatest)
    return stair if runs.are_single else maximum(size, stair)


def _turning_above(runs: Runs, size: Size) -> Size:
    """The stairs of the part that repeats, as if it went on without end to both sides."""
    first = runs.turning[0][0]
    firsts = [*(first for first, _ in runs.turning), first + runs.period]
    stair: Size = first
    for (_, last), (before, after) in zip(runs.turning, pairwise(firsts), strict=True):
        stair = stair + (after - before) * ceil_div(size - last, runs.period)
    return stair


def greatest_below(runs: Runs, size: Size) -> Size | None:
    """The greatest member up to a size, for sizes from the least member on.

    None where some runs are there once and others go on without end.
    """
    if runs.once and (runs.turning or runs.endless is not None):
        return None
    if runs.endless is not None:
        return size
    stair = _turning_below(runs, size) if runs.turning else _once_below(runs, size)
    if runs.last is not None:
        stair = minimum(stair, runs.last)
    return stair if runs.are_single else minimum(size, stair)


def _once_below(runs: Runs, size: Size) -> Size:
    stair: Size = runs.once[0][1]
    for (_, before), (first, last) in pairwise(runs.once):
        stair = stair + (last - before) * _is_beyond(size, first - 1, None)
    return stair


def _turning_below(runs: Runs, size: Size) -> Size:
    before = runs.turning[-1][1] - runs.period
    stair: Size = before
    for first, last in runs.turning:
        stair = stair + (last - before) * (floor_div(size - first, runs.period) + 1)
        before = last
    return stair


def _is_beyond(size: Size, end: int, most: int | None) -> Size:
    """1 where a size is larger than `end`, else 0; `most` is the greatest that it can be."""
    if most is not None:
        return floor_div(size - end - 1 + most, most)
    return minimum(maximum(size - end, 0), 1)
