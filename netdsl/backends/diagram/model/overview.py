"""The small picture of a whole network: which of its blocks are closed there, and which open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netdsl.backends.diagram.model.pairs import with_pairs
from netdsl.backends.diagram.model.shape import LANES, LATTICE, TRIANGLE, Shape, U
from netdsl.backends.diagram.units import Unit, opened, units_of
from netdsl.ir.graph import Graph, Value

MOST_OF_NETWORK = 0.5
SEVERAL_LEVELS = 2
PARALLEL_LEVELS = 3


def overview_units(graph: Graph, shape: Shape) -> tuple[Unit, ...]:
    """The units of a network, blocks closed but for those that the shape lies in.

    Open are wrappers, which hold most of the network in blocks of their own, and blocks in which
    several resolutions stand beside each other. Equal blocks in a row stay one unit.
    """
    units = with_pairs(units_of(graph))
    opens = _opening(graph, shape)
    named = {unit.scope.definition for unit in _blocks(units) if unit.scope and opens(unit)}

    def is_wanted(unit: Unit, depth: int) -> bool:
        return opens(unit) or (
            unit.scope is not None and unit.scope.definition in named and _nests(unit, named)
        )

    return opened(units, is_wanted)


def _nests(unit: Unit, named: set[str]) -> bool:
    """Whether a block holds its like, as one that is written by calling itself."""
    return any(part.scope and part.scope.definition in named for part in unit.parts)


def _blocks(units: Sequence[Unit]) -> list[Unit]:
    """All blocks at every depth."""
    found: list[Unit] = []
    stack = list(units)
    while stack:
        unit = stack.pop()
        if unit.is_block:
            found.append(unit)
            stack.extend(unit.parts)
    return found


def _opening(graph: Graph, shape: Shape) -> Callable[[Unit], bool]:
    """Whether a block is open, by what lies in it."""
    running = graph.inference_nodes()
    total = len(running)
    meets = {one.merge: one.level for one in (*shape.bridges, *shape.caps)}
    is_levelled = shape.layout in (U, TRIANGLE, LATTICE)
    calls = shape.features.calls
    lanes = calls.count if shape.layout == LANES and calls is not None else 1
    level_of = _levels_of_values(graph, shape)

    def is_open(unit: Unit) -> bool:
        if unit.scope is None:
            return False  # a pair is one thing
        number = sum(node in running for copy in unit.copies for node in copy)
        if any(part.is_block for part in unit.parts) and number * lanes >= MOST_OF_NETWORK * total:
            return True
        if lanes > 1 and number * lanes >= MOST_OF_NETWORK * total:
            return True
        if not is_levelled:
            return False
        inside = {meets[node] for node in unit.nodes if node in meets}
        if len(inside) >= SEVERAL_LEVELS:
            return True
        sides = (unit.inputs, unit.outputs)
        return any(len({level_of(v) for v in side} - {None}) >= PARALLEL_LEVELS for side in sides)

    return is_open


def _levels_of_values(graph: Graph, shape: Shape) -> Callable[[Value], int | None]:
    """The level of a value: of its node; of an input, 0."""

    def level(value: Value) -> int | None:
        return 0 if value.producer is None else shape.levels.get(value.producer)

    return level
