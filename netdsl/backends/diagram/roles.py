"""The role of a layer's colours, the same in all views."""

from __future__ import annotations

from collections.abc import Iterable

from netdsl.ops.base import Op
from netdsl.ops.facts import Work

ROLES = {
    "convolution": "conv", "pooling": "pool", "pyramid": "pool", "resampling": "up",
    "reductions": "pool", "dense": "dense", "recurrent": "dense", "merging": "merge",
    "activations": "act",
    "regularising": "act", "norms": "norm", "plumbing": "norm", "": "io",
}  # fmt: skip
"""By family. Plumbing that computes normalises."""
OTHER = "other"
MOVING = (Work.MOVES, Work.SELECTS, Work.PASSES)


def role_of(op: Op) -> str:
    """What only moves numbers has a role of its own, but for merges and what enlarges maps."""
    if op.work in MOVING and op.family != "merging" and op.zoom <= 0:
        return "move"
    return ROLES.get(op.family, OTHER)


def families_of(ops: Iterable[Op]) -> str:
    """How a legend names families of which no role is known: by their own names."""
    return ", ".join(dict.fromkeys(op.family for op in ops if role_of(op) == OTHER))
