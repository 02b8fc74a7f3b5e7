"""The operators that are read: a function each, registered by name."""

from __future__ import annotations

from importlib import import_module

from netdsl.importers.onnx.operators.registry import HANDLERS, Handler

FILES = (
    "arithmetic", "constants", "indexing", "norms", "pads", "pointwise", "pools", "products",
    "recurrent", "reductions", "resizing", "shaping", "windows",
)  # fmt: skip


def handler(operator: str) -> Handler | None:
    """What reads an operator; None where nothing does."""
    if not HANDLERS:
        for name in FILES:
            import_module(f"netdsl.importers.onnx.operators.{name}")
    return HANDLERS.get(operator)
