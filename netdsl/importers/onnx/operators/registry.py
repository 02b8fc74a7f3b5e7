"""How functions say which operators they read, and what several of them do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.reader import Reader

Handler: TypeAlias = Callable[[Node, Reader], None]
HANDLERS: dict[str, Handler] = {}


def reads(*operators: str) -> Callable[[Handler], Handler]:
    """Register a function as what reads these operators."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(operators, function))
        return function

    return register


def axes_of(node: Node, to: Reader, since: int) -> tuple[int, ...] | None:
    """Axes: an attribute before an opset, an input from there on; None where none are given."""
    if node.opset < since:
        return node.ints("axes") if node.has("axes") else None
    if to.optional(node, 1) is None:
        return None
    axes = to.ints_of(node, 1)
    return axes or None
