"""A norm of tokens between two turns of the axes is a norm along the channels of a map."""

from __future__ import annotations

from netdsl.importers.program import Call, Program, Region, Value

NORMS = ("layernorm", "rmsnorm")
CHANNELS = "channels"


def join_norms(program: Program) -> None:
    """Write norms between a turn of the channels to the end and one back as one call."""
    _join(program.root, program.uses())


def _join(region: Region, uses: dict[Value, int]) -> None:
    made: dict[Value, Call] = {}
    for item in list(region.items):
        if isinstance(item, Region):
            _join(item, uses)
        if not isinstance(item, Call):
            continue
        norm = made.get(item.inputs[0])
        turn = made.get(norm.inputs[0]) if norm is not None and norm.layer in NORMS else None
        if norm is not None and turn is not None and _are_turns(turn, norm, item):
            norm.inputs, norm.outputs = turn.inputs, item.outputs
            norm.settings = {**norm.settings, "axis": CHANNELS}
            region.items.remove(turn)
            region.items.remove(item)
        if len(item.outputs) == 1 and uses.get(item.output) == 1:
            made[item.output] = item


def _are_turns(turn: Call, norm: Call, back: Call) -> bool:
    """Whether the channels go to the end, and come back from there behind the norm."""
    axes = turn.settings.get("axes")
    if turn.layer != "permute" or back.layer != "permute" or not isinstance(axes, list):
        return False
    count = len(axes)
    last = norm.settings.get("axis", -1)
    return (
        count > 1
        and last in (-1, count - 1)
        and axes == [*range(1, count), 0]
        and back.settings.get("axes") == [count - 1, *range(count - 1)]
    )
