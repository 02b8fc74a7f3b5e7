"""Which sizes of a box the contract refuses: a runtime that knows boxes alone takes them too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from netdsl.analyses.describe import describe
from netdsl.analyses.sizes import Sizes
from netdsl.backends.serving.box import Box
from netdsl.ir.columns import Columns
from netdsl.ir.solver import Group, groups

MOST_COUNTED = 1_000_000
"""Points of a box that are asked one by one."""
MOST_LISTED = 400
"""Runs of sizes that a list may have."""

Run = tuple[int, int]
"""Sizes in a row, from the first to the last."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What the contract refuses of a box, of symbols that conditions join.

    `words` are its conditions on these symbols, `total` the points of the box and `count` those
    that are refused, where they could be counted. `runs` lists the latter: for each run of sizes
    of all symbols but the last, those of the last. None where the list is too long.
    """

    symbols: tuple[str, ...]
    words: str
    total: int
    count: int | None
    runs: tuple[tuple[tuple[Run, ...], tuple[Run, ...]], ...] | None

    def lines(self) -> list[str]:
        """`H: 17 to 31, 33 to 47`, or for joined symbols a line for each size of the first."""
        *before, last = self.symbols
        lines: list[str] = []
        for fixed, runs in self.runs or ():
            at = "".join(
                f"{name} = {run_text(run)}, " for name, run in zip(before, fixed, strict=True)
            )
            lines.append(f"{at}{last} = {', '.join(map(run_text, runs))}")
        return lines


def refused(sizes: Sizes, box: Box) -> list[Refused]:
    """What the contract refuses of a box, group by group of the symbols that conditions join."""
    return [_of_group(group, box) for group in groups(sizes.symbols, sizes.condition)]


def run_text(run: Run) -> str:
    """`17 to 31`, or the size alone."""
    first, last = run
    return str(first) if first == last else f"{first} to {last}"


def _of_group(group: Group, box: Box) -> Refused:
    ranges = [box.range_of(name) for name in group.symbols]
    total = prod(map(len, ranges))
    words = describe(group.symbols, group.condition).text
    if group.condition is True:
        return Refused(group.symbols, words, total, 0, ())
    if total > MOST_COUNTED:
        return Refused(group.symbols, words, total, None, None)
    points = list(product(*ranges))
    columns = Columns(dict(zip(group.symbols, map(list, zip(*points, strict=True)), strict=True)))
    held = columns.where(group.condition)
    out = [point for point, holds in zip(points, held, strict=True) if not holds]
    runs = tuple(_joined(_by_last(out)))
    length = sum(len(last) for _, last in runs)
    return Refused(group.symbols, words, total, len(out), runs if length <= MOST_LISTED else None)


def _by_last(points: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[Run, ...]]:
    """For sizes of all symbols but the last, the runs of the last."""
    by_others: dict[tuple[int, ...], list[int]] = {}
    for *others, last in points:
        by_others.setdefault(tuple(others), []).append(last)
    return {others: tuple(_runs(numbers)) for others, numbers in by_others.items()}


def _runs(numbers: Sequence[int]) -> Iterator[Run]:
    """Numbers in rising order, those in a row together."""
    start = previous = numbers[0]
    for number in numbers[1:]:
        if number != previous + 1:
            yield start, previous
            start = number
        previous = number
    yield start, previous


def _joined(
    rows: dict[tuple[int, ...], tuple[Run, ...]],
) -> Iterator[tuple[tuple[Run, ...], tuple[Run, ...]]]:
    """Rows that follow each other along the symbol before the last, and are alike, as one."""
    open_row: tuple[tuple[Run, ...], tuple[Run, ...]] | None = None
    for others, runs in rows.items():
        fixed = tuple((number, number) for number in others)
        if open_row is not None and _continues(open_row, fixed, runs):
            open_row = (*open_row[0][:-1], (open_row[0][-1][0], others[-1])), runs
            continue
        if open_row is not None:
            yield open_row
        open_row = fixed, runs
    if open_row is not None:
        yield open_row


def _continues(
    row: tuple[tuple[Run, ...], tuple[Run, ...]], fixed: tuple[Run, ...], runs: tuple[Run, ...]
) -> bool:
    before, its_runs = row
    if not fixed or its_runs != runs or before[:-1] != fixed[:-1]:
        return False
    return before[-1][1] + 1 == fixed[-1][0]
