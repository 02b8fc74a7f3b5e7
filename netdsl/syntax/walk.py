"""All parts of a syntax tree, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

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


def are_equal(one: object, other: object) -> bool:
    """Whether two trees say the same, wherever they stand; numbers differ from equal floats."""
    stack = [(one, other)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
            continue
        names = _fields(type(a))
        if not names and a != b:
            return False
        stack.extend((getattr(a, name), getattr(b, name)) for name in names)
    return True


T = TypeVar("T")


def moved(tree: T, span: Span) -> T:
    """The tree with all of its parts at one place."""
    return placed(tree, lambda _: span)


def placed(tree: T, place: Callable[[Span], Span]) -> T:
    """The tree with each part at the place that is given for its own."""
    if isinstance(tree, tuple):
        return cast(T, tuple(placed(part, place) for part in cast(tuple[object, ...], tree)))
    if not is_dataclass(tree):
        return tree
    parts = {name: placed(getattr(tree, name), place) for name in _parts(type(tree))}
    return cast(T, replace(cast(Any, tree), **parts, span=place(cast(Any, tree).span)))


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that say something; none for numbers and texts."""
    if not is_dataclass(kind):
        return ()
    return tuple(f.name for f in fields(kind) if f.name not in ("span", "source"))


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that can hold parts of the tree."""
    if not is_dataclass(kind) or kind is Span:
        return ()
    return tuple(f.name for f in fields(kind) if f.name not in ("span", "doc", "source"))
