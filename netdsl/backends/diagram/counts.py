"""What some nodes cost: parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.analyses.cost import count_parameters, macs
from netdsl.ir.dim import Size
from netdsl.ir.graph import Node
from netdsl.ops.tables import types_of


def parameters_of(nodes: Sequence[Node]) -> int:
    """Parameters, those of a shared layer once."""
    return sum(map(count_parameters, {node.layer for node in nodes}))


def macs_of(nodes: Sequence[Node]) -> Size:
    """Multiply-adds for one sample."""
    total: Size = 0
    for node in nodes:
        types = types_of(node)
        if not any(isinstance(n, int) and n < 1 for side in types for t in side for n in t.shape):
            total = total + macs(node)
    return total
