"""Calls in a row that are one layer of the language: global pools, norms of maps, shuffles."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.importers.program import Axis, Call, Program, Region, Value

GLOBAL = {"adaptive_avgpool": "global_avgpool", "adaptive_maxpool": "global_maxpool"}
NORMS = ("layernorm", "rmsnorm")
CHANNELS = "channels"

Rule = Callable[[list[Call]], Call | None]
"""The one call that calls in a row are, if they are one."""


def join(program: Program) -> None:
    """Write what is one layer as one call: nothing else takes what flows between its parts."""
    for count, rule in (2, _pool), (3, _norm), (3, _shuffle):
        _join(program.root, program.uses(), count, rule)


def _join(region: Region, uses: dict[Value, int], count: int, rule: Rule) -> None:
    makers: dict[Value, Call] = {}
    for item in list(region.items):
        if isinstance(item, Region):
            _join(item, uses, count, rule)
        if not isinstance(item, Call):
            continue
        row = [item]
        while len(row) < count and row[0].inputs and row[0].inputs[0] in makers:
            row.insert(0, makers[row[0].inputs[0]])
        one = rule(row) if len(row) == count else None
        if one is not None:
            _replace(region, row, one)
        if len(item.outputs) == 1 and uses.get(item.output) == 1:
            makers[item.output] = one or item


def _replace(region: Region, row: list[Call], one: Call) -> None:
    """Put one call where its kind stood among several, else where the last stood."""
    place = next((part for part in row if part.layer == one.layer), row[-1])
    region.items[region.items.index(place)] = one
    for part in row:
        if part is not place:
            region.items.remove(part)


def _pool(row: list[Call]) -> Call | None:
    """A pool to one cell whose axes are then dropped is a global pool."""
    pool, last = row
    is_to_one_cell = pool.layer in GLOBAL and pool.settings.get("size") == 1
    if not is_to_one_cell or last.layer != "flatten":
        return None
    return Call(GLOBAL[pool.layer], {}, pool.inputs, last.outputs, pool.origin)


def _norm(row: list[Call]) -> Call | None:
    """A norm of tokens between two turns of the axes is a norm along the channels of a map."""
    turn, norm, back = row
    axes = turn.settings.get("axes")
    if norm.layer not in NORMS or (turn.layer, back.layer) != ("permute", "permute"):
        return None
    if not isinstance(axes, list) or len(axes) < 2 or axes != [*range(1, len(axes)), 0]:
        return None
    count = len(axes)
    if norm.settings.get("axis", -1) not in (-1, count - 1):
        return None
    if back.settings.get("axes") != [count - 1, *range(count - 1)]:
        return None
    settings = {**norm.settings, "axis": CHANNELS}
    return Call(norm.layer, settings, turn.inputs, back.outputs, norm.origin, norm.path)


def _shuffle(row: list[Call]) -> Call | None:
    """Channels split into groups, turned and put together again are a shuffle of the channels."""
    split, turn, back = row
    if (split.layer, turn.layer, back.layer) != ("reshape", "permute", "reshape"):
        return None
    apart, together = split.settings.get("shape"), back.settings.get("shape")
    if not isinstance(apart, list) or not isinstance(together, list) or len(apart) < 3:
        return None
    groups, width, *cells = apart
    sizes = [Axis(split.inputs[0], axis) for axis in range(1, len(apart) - 1)]
    if turn.settings.get("axes") != [1, 0, *range(2, len(apart))] or cells != sizes:
        return None
    if not isinstance(groups, int) or not isinstance(width, int) or groups < 1 or width < 1:
        return None
    if together != [groups * width, *sizes]:
        return None
    return Call("channel_shuffle", {"groups": groups}, split.inputs, back.outputs, back.origin)
