"""Where several values meet in a block."""

from __future__ import annotations

from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Node


def has_own_merge(unit: Unit) -> bool:
    """Whether several values meet in a layer of the block that stands in no block inside it."""
    return any(_merges(node) for part in unit.parts if not part.is_block for node in part.nodes)


def _merges(node: Node) -> bool:
    values = {value for _, value in node.data_inputs() if value.type.batched}
    return len(values) > 1
