"""Lists of values that grow from layer to layer, as in DenseNet: each concat goes on from the last.

Where modules of one kind begin by joining lists of several lengths, the joining moves before them;
and what joins `a, b, c` behind something that joins `a, b` joins that result and `c`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from netdsl.importers.program import Call, Program, Region, Table, Value
from netdsl.ops import registry


def gather(program: Program) -> None:
    """Have each join of a growing list go on from the one before."""
    lengths: dict[str, set[int]] = defaultdict(set)
    for region in regions(program.root):
        lengths[region.kind].add(len(join.inputs) if (join := first_join(region)) else 1)
    growing = {kind for kind, several in lengths.items() if kind and len(several) > 2}
    lift(program.root, growing)
    shorten(program.root)


def regions(region: Region) -> Iterator[Region]:
    """A region and those in it."""
    yield region
    for item in region.items:
        if isinstance(item, Region):
            yield from regions(item)


def joins(item: object) -> bool:
    """Whether it is a call that may be made in steps."""
    return isinstance(item, Call) and registry()[item.layer].is_associative


def first_join(region: Region) -> Call | None:
    """The join that a region begins with, of values from outside that nothing else in it takes."""
    first = next((item for item in region.items if not isinstance(item, Table)), None)
    if not isinstance(first, Call) or not joins(first):
        return None
    taken = Counter(value for call in region.calls() for value in (*call.inputs, *call.sized_by()))
    is_alone = all(taken[value] == 1 for value in first.inputs)
    return first if is_alone and set(first.inputs) <= set(region.inputs) else None


def lift(region: Region, growing: set[str]) -> None:
    """Move the first joins of regions of some kinds before them."""
    items = []
    for item in region.items:
        if isinstance(item, Region):
            lift(item, growing)
            if item.kind in growing and (join := first_join(item)):
                items.append(join)
                item.items.remove(join)
                left = [value for value in item.inputs if value not in join.inputs]
                item.inputs, item.input_names = [join.output, *left], []
        items.append(item)
    region.items = items


def shorten(region: Region) -> None:
    """Within each region, have longer joins go on from shorter ones."""
    seen: dict[tuple[object, ...], Value] = {}
    for item in region.items:
        if isinstance(item, Region):
            shorten(item)
        elif isinstance(item, Call) and joins(item):
            settings = (item.layer, *map(str, item.settings.items()))
            parts = list(item.inputs)
            for length in range(len(parts) - 1, 1, -1):
                if before := seen.get((settings, *parts[:length])):
                    item.inputs = [before, *parts[length:]]
                    break
            seen[settings, *parts] = item.output
