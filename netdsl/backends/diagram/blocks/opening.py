"""Which blocks of a network are shown open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace

from netdsl.backends.diagram.hiding import hidden_nodes, hides_training
from netdsl.backends.diagram.naming import is_named, nothing_named
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.units import Unit, longest_way, opened, units_of
from netdsl.ir.graph import Graph, Node

EXAMPLE_SIZE = range(3, 15)
"""Parts of a block that is opened as an example."""
LONGEST_EXAMPLE = 7
"""Its boxes side by side, so that it fits into a row."""


def drawn_units(graph: Graph, options: Options) -> tuple[Unit, ...]:
    """The units of a network that are drawn, all blocks closed."""
    hidden = hidden_nodes(graph, options)
    units = units_of(graph, fold=options.level == "blocks", hidden=hidden)
    if hides_training(options):
        return _running(units, graph.inference_nodes())
    return units


def _running(units: Sequence[Unit], nodes: Set[Node]) -> tuple[Unit, ...]:
    """Without the units that run in training only."""
    kept = (unit for unit in units if not nodes.isdisjoint(unit.nodes))
    return tuple(replace(unit, parts=_running(unit.parts, nodes)) for unit in kept)


def open_units(graph: Graph, options: Options, shown: Set[Node] = frozenset()) -> tuple[Unit, ...]:
    """The units with the blocks open that were asked for, or one example of the usual block.

    Of a part of a network that is one block, this is open. Where none is asked for and some nodes
    have to be shown, the blocks around them are open.
    """
    units = drawn_units(graph, options)
    if options.level != "blocks":
        return opened(units, lambda unit, level: True)
    if shown and not options.chooses_blocks:
        return opened(units, lambda unit, level: not shown.isdisjoint(unit.covered()))
    if graph.within is None or len(units) != 1:
        return chosen_open(units, options)
    (block, *others) = units
    if not block.is_block:  # layers that are folded into one
        block, *others = units_of(graph, fold=False, hidden=hidden_nodes(graph, options))
    if others or not block.is_block:
        return (block, *others)
    inside = chosen_open(block.parts, options) if options.chooses_blocks else block.parts
    return (replace(block, parts=inside, is_open=True),)


def chosen_open(units: Sequence[Unit], options: Options) -> tuple[Unit, ...]:
    """The same for given units, all blocks closed. Raises `DrawError`."""
    wanted = tuple(p for p in options.expand if p != "none")
    matched: set[str] = set()

    def is_wanted(unit: Unit, level: int) -> bool:
        hits = {p for p in wanted if is_meant(unit, p)}
        matched.update(hits)
        return bool(hits) or (options.depth is not None and level < options.depth)

    shown = opened(units, is_wanted)
    for pattern in wanted:
        if pattern not in matched:
            raise DrawError(unmatched(pattern, units))
    if options.expand or options.depth is not None:
        return shown
    example = _example(shown)
    return opened(shown, lambda unit, level: unit.copies is example)


def is_meant(unit: Unit, pattern: str) -> bool:
    """Whether a pattern is for this block: by its path (of one call or of all) or by its kind."""
    return is_named(pattern, unit.path, unit.scope.definition if unit.scope else "")


def unmatched(pattern: str, units: Sequence[Unit]) -> str:
    """The message for a pattern that matches no block."""
    blocks: dict[str, None] = {}
    stack = list(reversed(units))
    while stack:
        unit = stack.pop()
        if unit.is_block:
            blocks[unit.path] = None
            stack.extend(reversed(unit.parts))
    return no_block(pattern, list(blocks))


def no_block(pattern: str, blocks: Sequence[str]) -> str:
    """The message for a pattern that matches none of these blocks."""
    if not blocks:
        return (
            f"there is no block to open as `{pattern}`: the network has none; leave out `--expand`"
        )
    return nothing_named(pattern, "block", blocks)


def _example(units: Sequence[Unit]) -> object:
    """The first block of the most frequent kind, if it has a size that can be taken in."""
    counted: Counter[str] = Counter()
    for unit in units:
        if unit.is_block and unit.scope is not None:
            counted[unit.scope.definition] += unit.count
    for definition, number in counted.most_common():
        first = [u for u in units if u.is_block and u.scope and u.scope.definition == definition]
        chosen = max(first, key=lambda unit: unit.count)
        chosen = first[0] if chosen.count == 1 else chosen
        is_short = longest_way(chosen) <= LONGEST_EXAMPLE
        if number > 1 and is_short and len(chosen.parts) in EXAMPLE_SIZE:
            return chosen.copies
    return None
