"""Layers that follow one another, as one unit: for pictures in which each is too much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Node, Value
from netdsl.ops.base import op_of

FEWEST = 2


def chained(
    units: Sequence[Unit], kept: Collection[Node], *, with_pools: bool = False
) -> tuple[Unit, ...]:
    """The same with each run of layers of one family as one unit.

    A run keeps the size of the maps, and each of its layers is read by the next alone; a pool may
    end it if it is `with_pools`. Units with nodes of `kept` stay as they are.
    """
    readers: dict[Value, int] = {}
    for unit in _all(units):
        for value in unit.inputs:
            readers[value] = readers.get(value, 0) + 1
    return tuple(_runs(units, _Joints(readers, set(kept), with_pools)))


def _all(units: Iterable[Unit]) -> Iterable[Unit]:
    for unit in units:
        if unit.is_open:
            yield from _all(unit.parts)
        else:
            yield unit


def _runs(units: Sequence[Unit], joints: _Joints) -> Iterable[Unit]:
    run: list[Unit] = []
    for unit in units:
        if run and not joints.follows(run[-1], unit):
            yield _joined(run)
            run = []
        if unit.is_open:
            yield replace(unit, parts=tuple(_runs(unit.parts, joints)))
        else:
            run.append(unit)
    if run:
        yield _joined(run)


@dataclass(frozen=True, slots=True)
class _Joints:
    """What decides whether two units are of one run: how many read each value, what is kept."""

    readers: Mapping[Value, int]
    kept: set[Node]
    with_pools: bool

    def follows(self, before: Unit, unit: Unit) -> bool:
        """Whether a unit goes on with the run that the other ends."""
        if any(u.is_block or u.count > 1 or u.is_open for u in (before, unit)):
            return False
        if len(before.outputs) != 1 or len(unit.outputs) != 1:
            return False
        (value,) = before.outputs
        if unit.inputs != (value,) or self.readers.get(value) != 1:
            return False
        if self.kept.intersection(before.nodes) or self.kept.intersection(unit.nodes):
            return False
        if self.with_pools and (_is_pool(before) or _is_pool(unit)):
            return not _is_pool(before)
        is_same = value.type.shape[1:] == unit.outputs[0].type.shape[1:]
        return is_same and before.node.op.family == unit.node.op.family


def _is_pool(unit: Unit) -> bool:
    """Whether a layer makes maps smaller and has no weights."""
    return op_of(unit.node).zoom < 0 and not unit.parameters


def _joined(run: Sequence[Unit]) -> Unit:
    if len(run) < FEWEST:
        return run[0]
    nodes = tuple(node for unit in run for node in unit.nodes)
    return Unit(run[0].path, (nodes,), run[0].inputs, run[-1].outputs, None, tuple(run))
