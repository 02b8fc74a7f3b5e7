"""The small picture of a whole network: which of its blocks are closed there, and which open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netdsl.backends.diagram.model.merging import has_own_merge
from netdsl.backends.diagram.model.pairs import with_pairs
from netdsl.backends.diagram.model.shape import LANES, LATTICE, TRIANGLE, Shape, U
from netdsl.backends.diagram.units import Unit, opened, units_of
from netdsl.ir.graph import Graph, Node, Value

MOST_OF_NETWORK = 0.5
SEVERAL_LEVELS = 2


def overview_units(
    graph: Graph, shape: Shape, units: Sequence[Unit] | None = None
) -> tuple[Unit, ...]:
    """The units of a network, blocks closed but for those that the shape lies in.

    Open are wrappers, which hold most of the network in blocks of their own, blocks in which
    several resolutions stand beside each other, and those that call themselves with them. Equal
    blocks in a row stay one unit, and so do others of their kind.
    """
    units = with_pairs(units_of(graph) if units is None else units)
    opens = _opening(graph, shape)
    blocks = [unit for unit in _blocks(units) if unit.scope is not None]
    repeated = {unit.scope.definition for unit in blocks if unit.scope and unit.count > 1}
    shut = {
        n for unit in blocks if unit.scope and unit.scope.definition in repeated for n in unit.nodes
    }
    named = {unit.scope.definition for unit in blocks if unit.scope and opens(unit)}
    merges = {bridge.merge for bridge in shape.bridges}

    def is_wanted(unit: Unit, depth: int) -> bool:
        if unit.scope is None or unit.scope.definition not in named or shut.issuperset(unit.nodes):
            return False
        return opens(unit) or not merges.isdisjoint(unit.nodes)

    return opened(units, is_wanted)


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
    turns = max((bridge.turn for bridge in shape.bridges), default=1)
    has_small = shape.layout == U and shape.stacks < turns  # U's that are blocks of a large one
    is_levelled = shape.layout in (U, TRIANGLE, LATTICE) and not has_small
    calls = shape.features.calls
    lanes = calls.count if shape.layout == LANES and calls is not None else 1
    level_of = _levels_of_values(graph, shape)

    def is_open(unit: Unit) -> bool:
        if unit.scope is None or (unit.count > 1 and not is_levelled):
            return False  # a pair is one thing, and so is what stands in a row
        share = lanes * sum(node in running for node in unit.nodes) / total
        is_wrapper = unit.count == 1 and (lanes > 1 or any(part.is_block for part in unit.parts))
        if share >= MOST_OF_NETWORK and is_wrapper:
            return True
        if not is_levelled or _is_exchange(unit, meets) or not _gives_maps(unit, level_of):
            return False
        inside = {meets[node] for node in unit.nodes if node in meets}
        if len(inside) >= SEVERAL_LEVELS:
            return True
        return len({level_of(value) for value in unit.outputs} - {None}) >= SEVERAL_LEVELS

    return is_open


def _gives_maps(unit: Unit, level_of: Callable[[Value], int | None]) -> bool:
    """Whether a block gives maps: one that turns them into vectors is an end."""
    return any(level_of(value) is not None for value in unit.outputs)


def _is_exchange(unit: Unit, meets: Mapping[Node, int]) -> bool:
    """Whether maps of several levels meet all at once in a block that does little besides.

    None of the merges depends on one of another level, and no block in it has a merge.
    """
    if any(has_own_merge(block) for block in _blocks(unit.parts)):
        return False
    met: dict[Value, set[int]] = {}
    for node in unit.nodes:
        before = {level for value in node.inputs for level in met.get(value, ())}
        if node in meets:
            if before - {meets[node]}:
                return False
            before = {meets[node]}
        met.update((value, before) for value in node.outputs)
    return len({meets[node] for node in unit.nodes if node in meets}) >= SEVERAL_LEVELS


def _levels_of_values(graph: Graph, shape: Shape) -> Callable[[Value], int | None]:
    """The level of a value: of its node; of an input, 0."""

    def level(value: Value) -> int | None:
        return 0 if value.producer is None else shape.levels.get(value.producer)

    return level
