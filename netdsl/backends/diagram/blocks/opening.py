"""Which blocks of a network are shown open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from difflib import get_close_matches
from fnmatch import fnmatchcase

from netdsl.analyses.calls import as_written
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.units import Unit, longest_way, opened, units_of
from netdsl.ir.graph import Graph, Node

EXAMPLE_SIZE = range(3, 15)
"""Parts of a block that is opened as an example."""
LONGEST_EXAMPLE = 7
"""Its boxes side by side, so that it fits into a row."""


def open_units(graph: Graph, options: Options, shown: Set[Node] = frozenset()) -> tuple[Unit, ...]:
    """The units with the blocks open that were asked for, or one example of the usual block.

    Where none is asked for and some nodes have to be shown, the blocks around them are open.
    """
    if options.level != "blocks":
        return opened(units_of(graph, fold=False), lambda unit, level: True)
    if shown and not options.chooses_blocks:
        return opened(units_of(graph), lambda unit, level: not shown.isdisjoint(unit.covered()))
    return chosen_open(units_of(graph), options)


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
    name = unit.scope.definition if unit.scope else ""
    paths = unit.path, as_written(unit.path)
    return name == pattern or any(fnmatchcase(path, pattern) for path in paths)


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
    near = get_close_matches(pattern, blocks, 3) or blocks[:4]
    return f"no block is `{pattern}`; there are, for example: {', '.join(near)}"


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
