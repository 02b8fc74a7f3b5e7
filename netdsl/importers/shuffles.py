"""Channels split into groups, turned and put together again are a shuffle of the channels."""

from __future__ import annotations

from netdsl.importers.program import Axis, Call, Program, Region, Value


def join_shuffles(program: Program) -> None:
    """Write reshape, permute and reshape as one `channel_shuffle`, where they are one."""
    _join(program.root, program.uses())


def _join(region: Region, uses: dict[Value, int]) -> None:
    made: dict[Value, Call] = {}
    for item in list(region.items):
        if isinstance(item, Region):
            _join(item, uses)
        if not isinstance(item, Call):
            continue
        turn = made.get(item.inputs[0])
        split = made.get(turn.inputs[0]) if turn is not None else None
        if turn is not None and split is not None and (groups := _groups(split, turn, item)):
            place = region.items.index(item)
            shuffle = Call(
                "channel_shuffle", {"groups": groups}, split.inputs, item.outputs, item.origin
            )
            region.items[place] = shuffle
            region.items.remove(split)
            region.items.remove(turn)
        if len(item.outputs) == 1 and uses.get(item.output) == 1:
            made[item.output] = item


def _groups(split: Call, turn: Call, back: Call) -> int:
    """The number of groups of a shuffle; 0 where the calls are none."""
    if (split.layer, turn.layer, back.layer) != ("reshape", "permute", "reshape"):
        return 0
    apart, together = split.settings.get("shape"), back.settings.get("shape")
    if not isinstance(apart, list) or not isinstance(together, list) or len(apart) < 3:
        return 0
    groups, width, *cells = apart
    sizes = [Axis(split.inputs[0], axis) for axis in range(1, len(apart) - 1)]
    if turn.settings.get("axes") != [1, 0, *range(2, len(apart))] or cells != sizes:
        return 0
    if not isinstance(groups, int) or not isinstance(width, int) or groups < 1 or width < 1:
        return 0
    return groups if together == [groups * width, *sizes] else 0
