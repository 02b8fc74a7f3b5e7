"""The block that is the idea of a network, to be opened large beside its overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from netdsl.backends.diagram.counts import macs_of
from netdsl.backends.diagram.model.merging import has_own_merge
from netdsl.backends.diagram.model.shape import Shape, U, recognise
from netdsl.backends.diagram.units import Unit, leaves
from netdsl.ir.dim import Size, evaluate
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

EXAMPLE_SIZE = 256
"""Of each open axis, where blocks are compared by their multiply-adds."""
LEAST_SHARE = 0.05
"""Of the multiply-adds, below which a kind of block is no idea."""


def idea_of(graph: Graph, units: Sequence[Unit], shape: Shape | None = None) -> Unit | None:
    """The block to open large, of those in these units that are closed; None where none merges.

    First one with a fan whose ways differ in a setting, then one with a chain of concats, then a
    pair, then that kind of block with a merge of its own that computes most.
    """
    ideas = ideas_of(graph, units, shape or recognise(graph))
    return ideas[-1] if ideas else None


def ideas_of(graph: Graph, units: Sequence[Unit], shape: Shape) -> tuple[Unit, ...]:
    """The blocks to open large: one; of a U the block on the way down, then that on the way up."""
    closed = dict(_closed(units, graph.inference_nodes()))
    for nodes in _told(shape):
        holder = _holder(closed, nodes)
        if holder is not None:
            return (holder,)
    if shape.layout == U:
        both = _down_and_up(shape, units)
        if both:
            return both
    pair = next((unit for unit in closed if unit.scope is None), None)
    chosen = pair or _most(graph, closed)
    return () if chosen is None else (chosen,)


def _closed(
    units: Sequence[Unit], running: Collection[Node], times: int = 1
) -> Iterator[tuple[Unit, int]]:
    """All closed blocks that run at inference, outer first, and how often each stands there."""
    for unit in units:
        if unit.is_block:
            number = times * unit.count
            if not unit.is_open and any(node in running for node in unit.nodes):
                yield unit, number
            yield from _closed(unit.parts, running, number)


def _told(shape: Shape) -> Iterator[set[Node]]:
    """Nodes that belong together in an idea: fans that differ in a setting, chains."""
    for fan in shape.features.fans:
        if fan.setting:
            yield {fan.merge, *(node for way in fan.ways for node in way)}
    for chain in shape.features.chains:
        yield set(chain.merges)


def _holder(closed: Iterable[Unit], nodes: Collection[Node]) -> Unit | None:
    """The smallest block that holds all these nodes."""
    holders = [unit for unit in closed if set(nodes) <= set(unit.nodes)]
    return min(holders, key=lambda unit: len(unit.nodes), default=None)


def _most(graph: Graph, closed: Mapping[Unit, int]) -> Unit | None:
    """A typical block of the kind that computes most, of those with a merge of their own."""
    sizes = dict.fromkeys(graph.symbols, EXAMPLE_SIZE)
    work: Counter[str] = Counter()
    kinds: dict[str, dict[Unit, int]] = {}
    for unit, times in closed.items():
        if unit.scope is not None and has_own_merge(unit):
            name = unit.scope.definition
            kinds.setdefault(name, {})[unit] = times
            work[name] += times * _number(unit.macs, sizes)
    total = _number(macs_of(tuple(graph.inference_nodes())), sizes)
    name = max(kinds, key=lambda kind: work[kind], default="")
    return _typical(kinds[name]) if name and work[name] >= LEAST_SHARE * total > 0 else None


def _number(size: Size, sizes: Mapping[str, int]) -> int:
    return max(0, evaluate(size, sizes))


def _typical(units: Mapping[Unit, int]) -> Unit:
    """The first block that is made as most of its kind are."""
    made = Counter[object]()
    for unit, times in units.items():
        made[_make(unit)] += times
    most = max(made.values())
    return next(unit for unit in units if made[_make(unit)] == most)


def _make(unit: Unit) -> object:
    """The layers of a block by name, without those that drop or only pass on."""
    idle = (Work.PASSES, Work.DROPS)
    return tuple(node.op.name for node in unit.nodes if op_of(node).work not in idle)


def _down_and_up(shape: Shape, units: Sequence[Unit]) -> tuple[Unit, ...]:
    """The block of a U that goes a level down, and the one that comes up to where that began."""
    closed = [unit for unit in leaves(units) if unit.is_block and unit.scope is not None]
    merges = {bridge.merge for bridge in shape.bridges}
    ups = [unit for unit in closed if merges & set(unit.nodes)]
    ups = ups or [unit for unit in closed if _rises(shape, unit)]
    if not ups:
        return ()
    for down in (unit for unit in closed if unit not in ups):
        start, end = _start(shape, down), _level(shape, down)
        beside = next((up for up in ups if _level(shape, up) == start), None)
        if start is not None and end == start + 1 and beside is not None:
            return down, beside
    return (ups[-1],)


def _rises(shape: Shape, unit: Unit) -> bool:
    """Whether a block ends at a finer level than all that it begins at."""
    start, end = _start(shape, unit), _level(shape, unit)
    return start is not None and end is not None and end < start


def _level(shape: Shape, unit: Unit) -> int | None:
    """The level that a block ends at."""
    levels = (shape.levels[node] for node in reversed(unit.nodes))
    return next((level for level in levels if level is not None), None)


def _start(shape: Shape, unit: Unit) -> int | None:
    """The finest level that a block begins at."""
    producers = [value.producer for value in unit.inputs]
    before = (shape.levels[node] if node is not None else 0 for node in producers)
    return min((level for level in before if level is not None), default=None)
