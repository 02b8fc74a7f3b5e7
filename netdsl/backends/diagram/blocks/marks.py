"""What wires are marked with: that only a size is read, or that they pass by layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from netdsl.backends.diagram.blocks.leaf import Leaf
from netdsl.backends.diagram.blocks.wiring import INPUT, SIZE_ONLY, SKIP, Wire
from netdsl.ir.graph import Node, Value

SUM = "+"
"""The sign of a box that adds; a product is a gate, and no skip leads to it."""


def marked(
    wires: Iterable[Wire], depths: Mapping[str, int], boxes: Mapping[str, Leaf]
) -> list[Wire]:
    """The wires; those that bear no mark yet get one, where there is something to tell."""
    wires = [
        replace(wire, mark=SIZE_ONLY)
        if not wire.mark and _gives_a_size(wire, boxes[wire.head])
        else wire
        for wire in wires
    ]
    into: dict[str, list[Wire]] = {}
    fed = {key for key in boxes if key.startswith(INPUT)}
    for wire in wires:  # what comes from weights alone skips nothing
        if wire.mark != SIZE_ONLY and wire.tail in fed:
            into.setdefault(wire.head, []).append(wire)
            fed.add(wire.head)
    return [
        replace(wire, mark=SKIP)
        if not wire.mark and _is_skip(wire, into.get(wire.head, ()), depths, boxes[wire.head])
        else wire
        for wire in wires
    ]


def _gives_a_size(wire: Wire, box: Leaf) -> bool:
    """Whether nothing but the size of the tensor is read: `upsample(size=skip)`."""
    if box.unit is None:
        return False
    readers = [node for node in box.unit.nodes if any(v is wire.value for v in node.inputs)]
    return bool(readers) and not any(_reads_numbers(node, wire.value) for node in readers)


def _reads_numbers(node: Node, value: Value) -> bool:
    return any(v is value for _, v in node.data_inputs())


def _is_skip(wire: Wire, into: Sequence[Wire], depths: Mapping[str, int], box: Leaf) -> bool:
    if not any(other is wire for other in into):
        return False
    others = [other for other in into if other is not wire]
    here = depths.get(wire.tail, 0)
    is_shorter = bool(others) and all(here < depths.get(other.tail, 0) for other in others)
    return is_shorter and (box.label.title == SUM or _is_merged(wire.value, box))


def _is_merged(value: Value, box: Leaf) -> bool:
    """Whether a closed block merges what comes in just as it is."""
    if box.unit is None or not box.unit.is_block:
        return False
    readers = [node for node in box.unit.nodes if _reads_numbers(node, value)]
    return bool(readers) and all(node.op.family == "merging" for node in readers)
