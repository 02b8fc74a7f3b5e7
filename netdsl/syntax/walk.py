"""All parts of a syntax tree, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache

from netdsl.diagnostics import Span


def walk(root: object) -> Iterator[object]:
    """`root` and every part below it; no recursion, trees may be deep. The order is free."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(node)
            continue
        yield node
        stack.extend(getattr(node, name) for name in _parts(type(node)))


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that can hold parts of the tree."""
    if not is_dataclass(kind) or kind is Span:
        return ()
    return tuple(f.name for f in fields(kind) if f.name not in ("span", "doc", "source"))
