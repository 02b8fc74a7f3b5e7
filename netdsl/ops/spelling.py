"""How a layer with its settings is written in a file."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.ops.base import Op, stated
from netdsl.ops.params import show


def written(op: Op, text: Callable[[object], str] = show) -> str:
    """An op as it is written, without what is so by default; `text` writes a value."""
    parts = [
        text(value) if p.required and not p.named else f"{p.name}={text(value)}"
        for p, value in stated(op)
    ]
    name = op.name or op.keyword
    return f"{name}({', '.join(parts)})" if parts else name
