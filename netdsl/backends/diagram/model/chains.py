"""Layers that follow one another, as one unit: for pictures in which each is too much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Node, Value

FEWEST = 2


def chained(units: Sequence[Unit], kept: Collection[Node]) -> tuple[Unit, ...]:
    """The same with each run of layers of one family as one unit.

    A run keeps the size of the maps, and each of its layers is read by the next alone. Units with
    nodes of `kept` stay as they are.
    """
    readers: dict[Value, int] = {}
    for unit in _all(units):
        for value in unit.inputs:
            readers[value] = readers.get(value, 0) + 1
    return tuple(_runs(units, readers, set(kept)))


def _all(units: Iterable[Unit]) -> Iterable[Unit]:
    for unit in units:
        if unit.is_open:
            yield from _all(unit.parts)
        else:
            yield unit


def _runs(units: Sequence[Unit], readers: dict[Value, int], kept: set[Node]) -> Iterable[Unit]:
    run: list[Unit] = []
    for unit in units:
        if run and not _follows(run[-1], unit, readers, kept):
            yield _joined(run)
            run = []
        if unit.is_open:
            yield replace(unit, parts=tuple(_runs(unit.parts, readers, kept)))
        else:
            run.append(unit)
    if run:
        yield _joined(run)


def _follows(before: Unit, unit: Unit, readers: dict[Value, int], kept: set[Node]) -> bool:
    if before.is_block or unit.is_block or before.count > 1 or unit.count > 1 or unit.is_open:
        return False
    if before.node.op.family != unit.node.op.family or len(before.outputs) != 1:
        return False
    (value,) = before.outputs
    if unit.inputs != (value,) or readers.get(value) != 1 or len(unit.outputs) != 1:
        return False
    if kept.intersection(before.nodes) or kept.intersection(unit.nodes):
        return False
    return value.type.shape[1:] == unit.outputs[0].type.shape[1:]


def _joined(run: Sequence[Unit]) -> Unit:
    if len(run) < FEWEST:
        return run[0]
    nodes = tuple(node for unit in run for node in unit.nodes)
    return Unit(run[0].path, (nodes,), run[0].inputs, run[-1].outputs, None, tuple(run))
