"""Which wires are skips: they pass by layers that the other ways into a merge go through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from netdsl.analyses.receptive_field import data_inputs
from netdsl.backends.diagram.leaf import Leaf
from netdsl.backends.diagram.units import family
from netdsl.backends.diagram.wiring import SKIP, Wire
from netdsl.ir.graph import Value


def with_skips(
    wires: Iterable[Wire], depths: Mapping[str, int], boxes: Mapping[str, Leaf]
) -> list[Wire]:
    """The wires, those marked that are skips and bear no other mark."""
    wires = list(wires)
    into: dict[str, list[Wire]] = {}
    for wire in wires:
        into.setdefault(wire.head, []).append(wire)
    return [
        replace(wire, mark=SKIP)
        if not wire.mark and _is_skip(wire, into[wire.head], depths, boxes[wire.head])
        else wire
        for wire in wires
    ]


def _is_skip(wire: Wire, into: Sequence[Wire], depths: Mapping[str, int], box: Leaf) -> bool:
    others = [other for other in into if other is not wire]
    here = depths.get(wire.tail, 0)
    is_shorter = bool(others) and all(here < depths.get(other.tail, 0) for other in others)
    return is_shorter and (box.form == "circle" or _is_merged(wire.value, box))


def _is_merged(value: Value, box: Leaf) -> bool:
    """Whether a closed block merges what comes in just as it is."""
    if box.unit is None or not box.unit.is_block:
        return False
    readers = [node for node in box.unit.nodes if any(v is value for _, v in data_inputs(node))]
    return bool(readers) and all(family(node) == "merging" for node in readers)
