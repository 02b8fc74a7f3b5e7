"""The block that is the idea of a network (provisional)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdsl.backends.diagram.units import Unit
from netdsl.ir.dim import Dim


def idea_of(units: Sequence[Unit]) -> Unit | None:
    """Of the classes with a merge that of the most multiply-adds: its first block."""
    shares: dict[str, int] = {}
    first: dict[str, Unit] = {}
    for unit in _blocks(units):
        if unit.scope is None or not any(part.node.op.family == "merging" for part in unit.parts if not part.is_block):
            continue
        kind = unit.scope.definition
        macs = 0 if isinstance(unit.macs, Dim) else unit.macs
        shares[kind] = shares.get(kind, 0) + macs * unit.count
        first.setdefault(kind, unit)
    if not shares:
        return None
    return first[max(shares, key=lambda kind: shares[kind])]


def _blocks(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        if unit.is_block:
            yield unit
            yield from _blocks(unit.parts)


def overview_units(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Wrappers give way to their parts."""
    total = sum(u.macs * u.count for u in units if not isinstance(u.macs, Dim)) or 1
    shown: list[Unit] = []
    for unit in units:
        macs = 0 if isinstance(unit.macs, Dim) else unit.macs
        if unit.is_block and unit.count == 1 and macs > 0.55 * total and len(unit.parts) > 1:
            shown += overview_units(unit.parts)
        else:
            shown.append(unit)
    return tuple(shown)
