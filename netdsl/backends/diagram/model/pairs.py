"""Blocks in turn that are equal but for one setting: shown as one pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from netdsl.backends.diagram.units import Unit, signature
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

FEWEST_PAIRS = 2
FOLLOWING = ("padding",)
"""Settings that go with others: more cells around where a window reaches further."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The one setting in which two blocks differ, and its two values."""

    definition: str
    setting: str
    first: object
    second: object


def with_pairs(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """The units, at every depth, with pairs as one: a unit without a scope, of two parts.

    A pair is one where it occurs twice or more in the network.
    """
    found: dict[Difference, int] = {}
    for run in _runs(units):
        for first, second in pairwise(run):
            difference = difference_of(first, second)
            if difference is not None:
                found[difference] = found.get(difference, 0) + 1
    wanted = {difference for difference, number in found.items() if number >= FEWEST_PAIRS}
    return _joined(units, wanted) if wanted else tuple(units)


def _runs(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    yield units
    for unit in units:
        if unit.parts:
            yield from _runs(unit.parts)


def _joined(units: Sequence[Unit], wanted: set[Difference]) -> tuple[Unit, ...]:
    joined: list[Unit] = []
    index = 0
    while index < len(units):
        pair: list[Unit] = []
        while index + 1 < len(units) and difference_of(*units[index : index + 2]) in wanted:
            following = list(units[index : index + 2])
            if pair and not _repeats(pair, following):
                break
            pair += following
            index += 2
        if pair:
            joined.append(_pair(pair))
            continue
        unit = units[index]
        joined.append(replace(unit, parts=_joined(unit.parts, wanted)) if unit.parts else unit)
        index += 1
    return tuple(joined)


def _repeats(run: Sequence[Unit], following: Sequence[Unit]) -> bool:
    """Whether a pair equals the first one of a run, and reads its last unit."""
    alike = all(signature(a) == signature(b) for a, b in zip(run, following, strict=False))
    return alike and run[-1].outputs == following[0].inputs


def _pair(run: Sequence[Unit]) -> Unit:
    """One or more equal pairs in a row as one unit."""
    pairs = [run[index : index + 2] for index in range(0, len(run), 2)]
    copies = tuple((*one.nodes, *other.nodes) for one, other in pairs)
    aliases = dict(zip(run[-1].outputs, run[1].outputs, strict=True)) if len(pairs) > 1 else {}
    return Unit(
        run[0].path, copies, run[0].inputs, run[-1].outputs, None, tuple(run[:2]), aliases=aliases
    )


def difference_of(first: Unit, second: Unit) -> Difference | None:
    """The setting in which two blocks in a row differ; None where they are no pair."""
    if not (first.scope and first.is_block and second.scope and second.is_block):
        return None
    if first.count != 1 or second.count != 1:
        return None
    definition = first.scope.definition
    if definition != second.scope.definition or len(first.nodes) != len(second.nodes):
        return None
    if first.outputs != second.inputs:
        return None
    found: set[tuple[str, str, str]] = set()
    values: tuple[object, object] = None, None
    for one, other in zip(first.nodes, second.nodes, strict=True):
        if [v.type for v in one.outputs] != [v.type for v in other.outputs]:
            return None
        if type(one.op) is not type(other.op):
            return None
        if op_of(one).work is Work.DROPS or one.op == other.op:
            continue
        for (part, before), (_, after) in zip(one.op.settings(), other.op.settings(), strict=True):
            if before != after and part.name not in FOLLOWING:
                found.add((part.name, repr(before), repr(after)))
                values = before, after
    if len(found) != 1:
        return None
    return Difference(definition, next(iter(found))[0], *values)
