"""What the numbers of an output are: probabilities of classes, their logarithms, or neither."""

from __future__ import annotations

from netdsl.ir.graph import Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Scores, Work

HANDS_ON = (Work.MOVES, Work.PASSES, Work.DROPS)
"""Layers that give the numbers that come in."""


def scores_of(value: Value) -> Scores | None:
    """What the layer says that computes a value; None where it says nothing."""
    node = value.producer
    while node is not None:
        op = op_of(node)
        types = (tuple(v.type for v in values) for values in (node.inputs, node.outputs))
        scores = op.scores(*types)
        sources = node.data_inputs()
        if scores is not None or op.work not in HANDS_ON or len(sources) != 1:
            return scores
        node = sources[0][1].producer
    return None
