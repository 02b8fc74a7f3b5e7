"""Text that knows where each of its parts comes from, whatever is done to its white space."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from netdsl.diagnostics import Span

OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
SPACE = re.compile(r"\s+")
T = TypeVar("T")


@dataclass(slots=True)
class Marks:
    """Hands out marks to write before what comes from a place."""

    origins: list[Span] = field(default_factory=list[Span])

    def mark(self, origin: Span) -> str:
        """What stands in a text for: from here on it comes from `origin`."""
        if not self.origins or self.origins[-1] != origin:
            self.origins.append(origin)
        return f"{OPEN}{len(self.origins) - 1}{CLOSE}"

    def read(self, marked: str) -> tuple[str, Places]:
        """The text without its marks, and the places that they say."""
        starts: list[int] = []
        origins: list[Span] = []
        texts: list[str] = []
        seen = 0
        for number, part in enumerate(MARK.split(marked)):
            if number % 2:
                starts.append(seen)
                origins.append(self.origins[int(part)])
            else:
                texts.append(part)
                seen += len(SPACE.sub("", part))
        return "".join(texts), Places(starts, origins)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a text come from, by the characters before them that are no white space.

    So it holds for the text in every layout.
    """

    starts: list[int]
    origins: list[Span]

    def finder(self, text: str) -> Callable[[int], Span]:
        """What gives the place of an offset in the text, in one of its layouts."""
        counts = [0]
        for character in text:
            counts.append(counts[-1] + (not character.isspace()))

        def find(offset: int) -> Span:
            return self.origins[max(0, bisect_right(self.starts, counts[offset]) - 1)]

        return find


def placed(tree: T, find: Callable[[int], Span]) -> T:
    """A syntax tree with its parts at the places where they come from."""
    if isinstance(tree, tuple):
        return cast(T, tuple(placed(part, find) for part in cast("tuple[object, ...]", tree)))
    if not is_dataclass(tree):
        return tree
    parts = {name: placed(getattr(tree, name), find) for name in _parts(type(tree))}
    span: Span = cast(Any, tree).span
    return cast(T, replace(cast(Any, tree), **parts, span=find(span.start)))


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that can hold parts of the tree."""
    if not is_dataclass(kind) or kind is Span:
        return ()
    return tuple(one.name for one in fields(kind) if one.name not in ("span", "doc", "source"))
