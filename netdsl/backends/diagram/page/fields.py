"""What a page knows of the patches that neurons see: by unit, for each index along each axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.patches import Patch, Sight, patches
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph, Value

MOST_POSITIONS = 8_000
"""Most indices that are listed, of all units together."""
AXES = {1: ("position",), 2: ("row", "column"), 3: ("depth", "row", "column")}
"""The names of the axes of a map without its channels."""

Told = dict[str, Any]


def page_inputs(graph: Graph) -> list[Told]:
    """The inputs that have maps, with the sizes and names of their axes."""
    return [
        {"name": item.name, "sizes": list(map(_number, item.shape[1:])),
         "axes": AXES[len(item.shape) - 1]}
        for item in graph.inputs if len(item.shape) - 1 in AXES
    ]  # fmt: skip


def page_fields(graph: Graph, units: Iterable[Unit]) -> dict[str, Told]:
    """By the path of a unit: the axes of its result, and what it sees of each input with maps.

    All sizes are numbers. Units for which there is no more room are left out, the last first.
    """
    sights = [patches(graph, item) for item in graph.inputs if len(item.shape) - 1 in AXES]
    order = ChannelAxes(graph)
    fields: dict[str, Told] = {}
    room = MOST_POSITIONS
    for unit in units:
        value = unit.outputs[0]
        seen = [sight.get(value) for sight in sights]
        axes = sorted({axis for sight in seen if sight is not None for axis in sight.along})
        told = sum(len(p) for sight in seen if sight is not None for p in sight.along.values())
        if not any(seen) or told > room:
            continue
        room -= told
        fields[unit.path] = {
            "axes": [_axis(value, axis, order) for axis in axes],
            "inputs": [None if sight is None else _told(sight, axes) for sight in seen],
        }
    return fields


def _axis(value: Value, axis: int, order: ChannelAxes) -> Told:
    origin, names = order.origin(value, axis), AXES.get(value.type.rank - 1, ())
    is_known = origin is not None and 0 < origin <= len(names)
    name = names[origin - 1] if is_known and origin else f"index of axis {axis + 1}"
    return {"name": name, "size": _number(value.type.shape[axis])}


def _told(sight: Sight, axes: list[int]) -> Told:
    """The patch of all positions, and by axis of the result and of the input what is narrower."""
    whole = _ends(sight.whole)
    along: list[dict[int, list[Any]]] = []
    for axis in axes:
        rows = [_ends(patch) for patch in sight.along.get(axis, ())]
        columns = [[row and row[k] for row in rows] for k in range(len(whole or ()))]
        narrower = {k: column for k, column in enumerate(columns)
                    if any(ends != whole[k] for ends in column)} if whole else {}  # fmt: skip
        along.append(narrower)
    return {"whole": whole, "along": along}


def _ends(patch: Patch) -> list[list[int]] | None:
    """Without the channels of the input."""
    return None if patch is None else [list(ends) for ends in patch[1:]]


def _number(size: object) -> int | str:
    return size if isinstance(size, int) else str(size)
