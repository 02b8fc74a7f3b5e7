"""Which calls of a program have weights of their own."""

from __future__ import annotations

from netdsl.importers.program import Call, Value
from netdsl.ops import registry
from netdsl.ops.base import Op


def has_weights(call: Call) -> bool:
    """Whether a call has weights that lie below its path."""
    if registry()[call.layer].weights is Op.weights:
        return False
    settings = call.settings
    if isinstance(settings.get("weight"), Value):
        return settings.get("bias") is True
    if settings.get("affine") is False:
        return bool(settings.get("track"))
    return True
