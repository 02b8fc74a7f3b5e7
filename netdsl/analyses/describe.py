"""Sets of sizes in words: `any H >= 15`, `H and W multiples of 32`, `H odd and at least 7`."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.ir.condition import Condition, Truth, all_of, condition_symbols, parts_of
from netdsl.ir.periodic import Members, TooLong, members
from netdsl.ir.simplify import plain
from netdsl.ir.solver import Domain, GaveUp, Verdict, sharing_one_bound

MAX_PERIOD = 4096
LISTED = 16
MOST_COMPARED = 60
NAMES = "\0"
"""Stands for the names of symbols in a text."""


@dataclass(frozen=True, slots=True)
class Description:
    """Sets of sizes in words that say exactly that.

    Where `is_settled` is False the words are the bare conditions: some may follow from others, or
    no size may satisfy them all, which could not be judged within the bounds of the solver.
    """

    text: str
    is_settled: bool = True


def describe(symbols: tuple[str, ...], condition: Truth) -> Description:
    """The sizes at which a condition holds, in words that say exactly that."""
    with sharing_one_bound():
        return _describe(symbols, condition)


def _describe(symbols: tuple[str, ...], condition: Truth) -> Description:
    if condition is False:
        return Description("no size")
    alone: dict[str, list[Condition]] = {name: [] for name in symbols}
    joint: list[Condition] = []
    for part in parts_of(condition):
        used = condition_symbols(part)
        (alone[next(iter(used))] if len(used) == 1 else joint).append(part)
    ones = {name: _describe_one(name, parts) for name, parts in alone.items()}
    if "" in (one.text for one in ones.values()):
        return Description("no size")
    conditions, is_settled = _telling(symbols, alone, joint)
    is_settled = is_settled and all(one.is_settled for one in ones.values())
    try:
        if joint and Domain(symbols, condition).is_empty():
            return Description("no size")
    except GaveUp:
        is_settled = False
    return Description("; ".join([_together(symbols, ones), *map(str, conditions)]), is_settled)


def _telling(
    symbols: tuple[str, ...], alone: dict[str, list[Condition]], joint: list[Condition]
) -> tuple[list[Truth], bool]:
    """The conditions on several symbols, plainly said, without those that follow from the rest.

    And whether that could be judged of each.
    """
    conditions = [part for part in dict.fromkeys(map(plain, joint)) if part is not True]
    others = [part for parts in alone.values() for part in parts]
    return _needed(symbols, conditions, others)


def _needed(
    symbols: tuple[str, ...], parts: list[Truth], others: list[Condition]
) -> tuple[list[Truth], bool]:
    """The parts that do not follow from the others and from each other."""
    if len(parts) > MOST_COMPARED:
        return parts, False
    needed, is_settled = list(parts), True
    for part in parts:
        rest = [p for p in needed if p is not part]
        verdict = Domain(symbols, all_of(*others, *rest)).decide(part)
        is_settled = is_settled and verdict is not Verdict.GAVE_UP
        if verdict is Verdict.PROVED:
            needed = rest
    return needed, is_settled


@dataclass(frozen=True, slots=True)
class _One:
    """Patterns for one symbol and for several: `NAMES` stands for the names; empty for no size."""

    text: str
    plural: str = ""
    is_settled: bool = True


def _together(symbols: tuple[str, ...], ones: dict[str, _One]) -> str:
    """Symbols of one description share it: `H and W multiples of 32`."""
    patterns = {one.text for one in ones.values()}
    plural = ones[symbols[0]].plural
    if len(symbols) > 1 and len(patterns) == 1 and plural:
        return plural.replace(NAMES, " and ".join(symbols))
    return ", ".join(ones[name].text.replace(NAMES, name) for name in symbols)


def _describe_one(name: str, parts: list[Condition]) -> _One:
    if not parts:
        return _One(f"any {NAMES}")
    try:
        sizes = members(name, all_of(*parts))
    except TooLong:
        return _bare(name, parts)
    if sizes.least is None:
        return _One("")
    extra, least, period, residues = pattern(sizes)
    if not residues:
        return _finite(extra)
    if period > MAX_PERIOD:
        return _bare(name, parts)
    base = _periodic_text(least, period, residues)
    if not extra:
        return base
    listed = ", ".join(map(str, extra[:LISTED])) + (", ..." if len(extra) > LISTED else "")
    return _One(f"{base.text}, or {NAMES} in {{{listed}}}")


def _bare(name: str, parts: list[Condition]) -> _One:
    """The conditions themselves, as far as they do not follow from each other."""
    needed, is_settled = _needed((name,), list(dict.fromkeys(map(plain, parts))), [])
    try:
        if Domain((name,), all_of(*parts)).is_empty():
            return _One("")
    except GaveUp:
        is_settled = False
    return _One(" and ".join(map(str, needed)), "", is_settled)


def _finite(sizes: list[int]) -> _One:
    if len(sizes) == 1:
        return _One(f"{NAMES} = {sizes[0]}", f"{NAMES} = {sizes[0]}")
    if sizes == list(range(sizes[0], sizes[-1] + 1)):
        return _One(f"{NAMES} from {sizes[0]} to {sizes[-1]}")
    return _One(f"{NAMES} in {{{', '.join(map(str, sizes))}}}")


def _periodic_text(least: int, period: int, residues: list[int]) -> _One:
    if period == 1:
        return _One(f"any {NAMES} >= {least}" if least > 1 else f"any {NAMES}")
    is_bound = any(n % period in residues for n in range(max(1, least - period), least))
    bound = f", at least {least}" if is_bound else ""
    if residues == [0]:
        return _One(
            f"{NAMES} a multiple of {period}{bound}", f"{NAMES} multiples of {period}{bound}"
        )
    if period == 2:
        text = f"{NAMES} odd{bound.replace(',', ' and')}"
    elif len(residues) == 1:
        text = f"{NAMES} {residues[0]} more than a multiple of {period}{bound}"
    else:
        listed = ", ".join(map(str, residues))
        text = f"{NAMES} mod {period} in {{{listed}}}, at least {least}"
    return _One(text, text)


def pattern(sizes: Members) -> tuple[list[int], int, int, list[int]]:
    """The set as single ones, then from a least one on those of some residues of a period."""
    start, period, holds = sizes.start, sizes.period, sizes.holds
    tail = [n % period for n in range(start, start + period) if holds[n]]
    if not tail:
        return [n for n in range(start) if holds[n]], 0, 1, []
    smaller, residues = period, set(tail)
    for smaller in (n for n in range(1, period + 1) if period % n == 0):
        residues = {r % smaller for r in tail}
        if len(tail) == len(residues) * (period // smaller):
            break
    least = start
    while least > 1 and holds[least - 1] == ((least - 1) % smaller in residues):
        least -= 1
    while least % smaller not in residues:
        least += 1
    return [n for n in range(least) if holds[n]], least, smaller, _order(residues, smaller)


def _order(residues: set[int], period: int) -> list[int]:
    """Residues around 0 as one run: 63, 0, 1, 2."""
    ordered = sorted(residues)
    if ordered[0] == 0 and ordered[-1] == period - 1 and len(ordered) < period:
        gap = next(i for i in range(1, len(ordered)) if ordered[i] != ordered[i - 1] + 1)
        return ordered[gap:] + ordered[:gap]
    return ordered
