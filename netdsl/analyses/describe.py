"""Sets of sizes in words: `any H >= 15`, `H and W multiples of 32`, `H odd and at least 7`."""

from __future__ import annotations

from math import lcm

from netdsl.ir.condition import (
    All,
    AnyOf,
    Compare,
    Condition,
    Truth,
    all_of,
    any_of,
    compare,
    condition_symbols,
    divides,
    holds,
)
from netdsl.ir.dim import Dim, Floor, Maximum, Size, symbol
from netdsl.ir.simplify import plain
from netdsl.ir.solver import Domain, GaveUp, Verdict

MAX_PERIOD = 4096
LISTED = 16
NAMES = "\0"
"""Stands for the names of symbols in a text."""


def describe(symbols: tuple[str, ...], condition: Truth) -> str:
    """The sizes at which a condition holds, in words that say exactly that."""
    if condition is False:
        return "no size"
    alone: dict[str, list[Condition]] = {name: [] for name in symbols}
    joint: list[Condition] = []
    for part in parts_of(condition):
        used = set(condition_symbols(part))
        (alone[used.pop()] if len(used) == 1 else joint).append(part)
    texts = {name: _describe_one(name, all_of(*parts)) for name, parts in alone.items()}
    said = _together(symbols, texts)
    return "; ".join([said, *map(str, _telling(symbols, condition, joint))])


def _telling(symbols: tuple[str, ...], condition: Truth, joint: list[Condition]) -> list[Truth]:
    """The conditions on several symbols, plainly said, without those that follow from the rest."""
    said = list(dict.fromkeys(map(plain, joint)))
    kept = [p for p in said if p is not True]
    if len(said) == 1:
        return kept
    alone = [p for p in parts_of(condition) if p not in joint]
    for part in list(kept):
        others = [p for p in said if p is not part]
        if Domain(symbols, all_of(*alone, *others)).decide(part) is Verdict.PROVED:
            said.remove(part)
            kept.remove(part)
    return kept


def parts_of(condition: Truth) -> list[Condition]:
    """The conditions that a conjunction joins."""
    match condition:
        case bool():
            return []
        case All(parts):
            return [p for part in parts for p in parts_of(part)]
        case _:
            return [condition]


def _together(symbols: tuple[str, ...], texts: dict[str, tuple[str, str]]) -> str:
    """Symbols of one description share it: `H and W multiples of 32`."""
    patterns = {pattern for pattern, _ in texts.values()}
    plural = texts[symbols[0]][1]
    if len(symbols) > 1 and len(patterns) == 1 and plural:
        return plural.replace(NAMES, " and ".join(symbols))
    return ", ".join(texts[name][0].replace(NAMES, name) for name in symbols)


def _describe_one(name: str, condition: Truth) -> tuple[str, str]:
    """Patterns for one symbol and for several: `NAMES` stands for the names."""
    if condition is True:
        return f"any {NAMES}", ""
    found = periodic(name, condition)
    if found is None:
        return str(condition), ""
    extra, least, period, residues, most = found
    if most is not None:
        return _finite(extra)
    base = _periodic_text(least, period, residues)
    if not extra:
        return base
    listed = ", ".join(map(str, extra[:LISTED])) + (", ..." if len(extra) > LISTED else "")
    return f"{base[0]}, or {NAMES} in {{{listed}}}", ""


def _finite(sizes: list[int]) -> tuple[str, str]:
    if len(sizes) == 1:
        return f"{NAMES} = {sizes[0]}", f"{NAMES} = {sizes[0]}"
    if sizes == list(range(sizes[0], sizes[-1] + 1)):
        return f"{NAMES} from {sizes[0]} to {sizes[-1]}", ""
    return f"{NAMES} in {{{', '.join(map(str, sizes))}}}", ""


def _periodic_text(least: int, period: int, residues: list[int]) -> tuple[str, str]:
    if period == 1:
        return (f"any {NAMES} >= {least}" if least > 1 else f"any {NAMES}"), ""
    if residues == [0]:
        bound = f", at least {least}" if least > period else ""
        return f"{NAMES} a multiple of {period}{bound}", f"{NAMES} multiples of {period}{bound}"
    if period == 2:
        bound = f" and at least {least}" if least > 1 else ""
        return f"{NAMES} odd{bound}", f"{NAMES} odd{bound}"
    listed = ", ".join(str(r) for r in residues)
    text = f"{NAMES} mod {period} in {{{listed}}}, at least {least}"
    return text, text


def periodic(
    name: str, condition: Truth
) -> tuple[list[int], int, int, list[int], int | None] | None:
    """The set of sizes as: single ones, then from a least one on those of some residues.

    The form is guessed from the period (every floor in the condition repeats after its divisor,
    nested ones after the product) and then proved equal to the condition by the solver. None if
    no such form is found. The last part is the greatest size of a finite set, else None.
    """
    period = _period(condition)
    if period > MAX_PERIOD:
        return None
    domain = Domain((name,), condition)
    for start in (2 * period + 64, 8 * period + 512, 4096):
        guess = _guess(name, condition, period, start)
        try:
            if guess is not None and domain.equals(_as_condition(name, *guess)):
                return (*guess, guess[0][-1] if not guess[3] and guess[0] else None)
        except GaveUp:
            return None
    return None


def _guess(
    name: str, condition: Truth, period: int, start: int
) -> tuple[list[int], int, int, list[int]] | None:
    """What the set looks like if it repeats from `start` on."""
    member = [False] + [holds(condition, {name: n}) for n in range(1, start + period)]
    tail = [n % period for n in range(start, start + period) if member[n]]
    if not tail:
        return [n for n in range(start) if member[n]], 0, 1, []
    smaller, residues = period, set(tail)
    for smaller in range(1, period + 1):
        residues = {r % smaller for r in tail}
        if period % smaller == 0 and len(tail) == len(residues) * (period // smaller):
            break
    least = start
    while least > 1 and member[least - 1] == ((least - 1) % smaller in residues):
        least -= 1
    while least % smaller not in residues:
        least += 1
    extra = [n for n in range(least) if member[n]]
    return extra, least, smaller, _order(residues, smaller)


def _order(residues: set[int], period: int) -> list[int]:
    """Residues around 0 as one run: 63, 0, 1, 2."""
    ordered = sorted(residues)
    if ordered[0] == 0 and ordered[-1] == period - 1 and len(ordered) < period:
        gap = next(i for i in range(1, len(ordered)) if ordered[i] != ordered[i - 1] + 1)
        return ordered[gap:] + ordered[:gap]
    return ordered


def _as_condition(
    name: str, extra: list[int], least: int, period: int, residues: list[int]
) -> Truth:
    size = symbol(name)
    single = [compare("==", size, n) for n in extra]
    repeats = any_of(*(divides(period, size - r) if period > 1 else True for r in residues))
    return any_of(*single, all_of(size >= least, repeats) if residues else False)


def _period(condition: Truth) -> int:
    match condition:
        case Compare(_, left, right):
            return lcm(_size_period(left), _size_period(right))
        case All(parts) | AnyOf(parts):
            return lcm(*map(_period, parts))
        case _:
            return 1


def _size_period(size: Size) -> int:
    if not isinstance(size, Dim):
        return 1
    found = 1
    for monomial, _ in size.terms:
        for atom in monomial:
            match atom:
                case Floor(numerator, divisor):
                    found = lcm(found, divisor * _size_period(numerator))
                case Maximum(left, right):
                    found = lcm(found, _size_period(left), _size_period(right))
                case _:
                    pass
    return found
