"""Text that knows where each of its parts comes from, whatever is done to its white space."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from netdsl.diagnostics import Span

OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
SPACE = re.compile(r"\s+")


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

    def finder(self, text: str) -> Callable[[Span], Span]:
        """What gives the origin of a place in the text, in one of its layouts."""
        counts = [0]
        for character in text:
            counts.append(counts[-1] + (not character.isspace()))

        def find(span: Span) -> Span:
            return self.origins[max(0, bisect_right(self.starts, counts[span.start]) - 1)]

        return find
