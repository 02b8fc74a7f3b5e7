"""The block that is the idea of a network (provisional)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from netdsl.backends.diagram.model.shape import Shape
from netdsl.backends.diagram.units import Unit
from netdsl.ir.dim import Dim


def idea_of(units: Sequence[Unit], shape: Shape) -> Unit | None:
    """A fan that differs in a setting, a chain of concats, or what most is computed in."""
    blocks = list(_blocks(units))
    marked = [(fan.merge,) for fan in shape.features.fans if fan.setting]
    marked += [chain.merges for chain in shape.features.chains]
    for merges in marked:
        holding = [unit for unit in blocks if set(merges) <= set(unit.nodes)]
        if holding:
            return min(holding, key=lambda unit: len(unit.nodes))
    shares: Counter[str] = Counter()
    kinds: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], Unit] = {}
    for unit in blocks:
        if unit.scope is None or not _merges(unit):
            continue
        macs = 0 if isinstance(unit.macs, Dim) else unit.macs
        shares[unit.scope.definition] += macs * unit.count
        key = (unit.scope.definition, *(node.op.name for node in unit.nodes))
        kinds[key] += unit.count
        first.setdefault(key, unit)
    if not shares:
        return None
    most = max(shares, key=lambda kind: shares[kind])
    return first[max((key for key in kinds if key[0] == most), key=lambda key: kinds[key])]


def _merges(unit: Unit) -> bool:
    return any(part.node.op.family == "merging" for part in unit.parts if not part.is_block)


def _blocks(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        if unit.is_block:
            yield unit
            yield from _blocks(unit.parts)


def overview_units(units: Sequence[Unit], total: int = 0) -> tuple[Unit, ...]:
    """Wrappers give way to their parts."""
    total = total or sum(u.macs * u.count for u in units if not isinstance(u.macs, Dim)) or 1
    shown: list[Unit] = []
    for unit in units:
        macs = 0 if isinstance(unit.macs, Dim) else unit.macs
        if unit.is_block and unit.count == 1 and macs > 0.55 * total and len(unit.parts) > 1:
            shown += overview_units(unit.parts, total)
        else:
            shown.append(unit)
    return tuple(shown)
