"""A node judged anew by the rule of its op."""

from __future__ import annotations

from netdsl.ir.condition import Truth
from netdsl.ir.graph import Node
from netdsl.ops.base import Rules, Tensors, op_of, types_of


def by_rule(node: Node) -> tuple[Tensors, list[Truth]]:
    """The types of a node's results, and the conditions that hold for some sizes only.

    Raises `Refusal` where the op does not take what comes in.
    """
    rules = Rules()
    types = op_of(node).infer(types_of(node)[0], rules)
    return types, [needed.condition for needed in rules.needed]
