"""The block that is the idea of a network, to be opened large beside its overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from netdsl.backends.diagram.model.shape import Shape, U, recognise
from netdsl.backends.diagram.units import Unit
from netdsl.ir.dim import Size, evaluate
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

EXAMPLE_SIZE = 256
"""Of each open axis, where blocks are compared by their multiply-adds."""


def idea_of(graph: Graph, units: Sequence[Unit], shape: Shape | None = None) -> Unit | None:
    """The block to open large, of those in these units that are closed; None where none merges.

    First one with a fan whose ways differ in a setting, then one with a chain of concats, then a
    pair, then that kind of block with a merge of its own that computes most.
    """
    ideas = ideas_of(graph, units, shape or recognise(graph))
    return ideas[-1] if ideas else None


def ideas_of(graph: Graph, units: Sequence[Unit], shape: Shape) -> tuple[Unit, ...]:
    """The blocks to open large: one; of a U the block on the way down, then that on the way up."""
    closed = list(_closed(units, graph.inference_nodes()))
    for nodes in _told(shape):
        holder = _holder(closed, nodes)
        if holder is not None:
            return (holder,)
    pair = next((unit for unit in closed if unit.scope is None), None)
    if pair is not None:
        return (pair,)
    chosen = _most(graph, closed)
    if chosen is None:
        return ()
    return _down_and_up(shape, closed, chosen) if shape.layout == U else (chosen,)


def _closed(units: Sequence[Unit], running: Collection[Node]) -> Iterator[Unit]:
    """All closed blocks that run at inference, outer first, and those in them."""
    for unit in units:
        if unit.is_block:
            if not unit.is_open and any(node in running for node in unit.nodes):
                yield unit
            yield from _closed(unit.parts, running)


def _told(shape: Shape) -> Iterator[set[Node]]:
    """Nodes that belong together in an idea: fans that differ in a setting, chains."""
    for fan in shape.features.fans:
        if fan.setting:
            yield {fan.merge, *(node for way in fan.ways for node in way)}
    for chain in shape.features.chains:
        yield set(chain.merges)


def _holder(closed: Sequence[Unit], nodes: Collection[Node]) -> Unit | None:
    """The smallest block that holds all these nodes."""
    holders = [unit for unit in closed if set(nodes) <= set(unit.nodes)]
    return min(holders, key=lambda unit: len(unit.nodes), default=None)


def _most(graph: Graph, closed: Sequence[Unit]) -> Unit | None:
    """A typical block of the kind that computes most, of those with a merge of their own."""
    sizes = dict.fromkeys(graph.symbols, EXAMPLE_SIZE)
    work: Counter[str] = Counter()
    kinds: dict[str, list[Unit]] = {}
    for unit in closed:
        if unit.scope is not None and has_own_merge(unit):
            name = unit.scope.definition
            kinds.setdefault(name, []).append(unit)
            work[name] += unit.count * _number(unit.macs, sizes)
    if not kinds:
        return None
    name = max(kinds, key=lambda kind: work[kind])
    return _typical(kinds[name])


def _number(size: Size, sizes: Mapping[str, int]) -> int:
    return max(0, evaluate(size, sizes))


def has_own_merge(unit: Unit) -> bool:
    """Whether several values meet in a layer of the block that stands in no block inside it."""
    return any(_merges(node) for part in unit.parts if not part.is_block for node in part.nodes)


def _merges(node: Node) -> bool:
    values = {value for _, value in node.data_inputs() if value.type.batched}
    return len(values) > 1


def _typical(units: Sequence[Unit]) -> Unit:
    """The first block that is made as most of its kind are."""
    made = Counter[object]()
    for unit in units:
        made[_make(unit)] += unit.count
    most = max(made.values())
    return next(unit for unit in units if made[_make(unit)] == most)


def _make(unit: Unit) -> object:
    """The layers of a block by name, without those that drop or only pass on."""
    idle = (Work.PASSES, Work.DROPS)
    return tuple(node.op.name for node in unit.nodes if op_of(node).work not in idle)


def _down_and_up(shape: Shape, closed: Sequence[Unit], up: Unit) -> tuple[Unit, ...]:
    """The block of a U that goes a level down, and that of its kind that comes up to there."""
    down = next((u for u in closed if u.scope and _change(shape, u) == 1), None)
    name = up.scope.definition if up.scope else ""
    if down is None or (down.scope and down.scope.definition == name):
        return (up,)
    level = shape.levels[down.nodes[-1]]
    ups = (u for u in closed if u.scope and u.scope.definition == name)
    beside = next((u for u in ups if shape.levels[u.nodes[-1]] == (level or 0) - 1), up)
    return down, beside


def _change(shape: Shape, unit: Unit) -> int:
    """How many levels lower a block ends than it begins."""
    producers = [value.producer for value in unit.inputs]
    before = [shape.levels[node] if node is not None else 0 for node in producers]
    after = shape.levels[unit.nodes[-1]]
    starts = [level for level in before if level is not None]
    return after - min(starts) if starts and after is not None else 0
