"""Open blocks longer than a row, in fragments that each fit into one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from netdsl.backends.diagram.units import Unit

FRAME = 60.0
"""About what the frame of a block takes beside its parts."""


@dataclass(slots=True)
class Fragments:
    """Cuts open blocks whose `length` exceeds a `limit`; `numbers` counts those of a block."""

    limit: float
    length: Callable[[str | Unit], float]
    numbers: dict[Unit, int] = field(default_factory=dict[Unit, int])

    def of(self, items: Sequence[str | Unit]) -> list[str | Unit]:
        """The same, long open blocks in fragments."""
        return [piece for item in items for piece in self._cut(item, self.limit)]

    def _cut(self, item: str | Unit, limit: float) -> Iterator[str | Unit]:
        if isinstance(item, str) or not item.is_open or self.length(item) <= limit:
            yield item
            return
        inner = max(limit - FRAME, limit / 2)
        parts = [piece for part in item.parts for piece in self._cut(part, inner)]
        runs: list[list[Unit]] = []
        room = 0.0
        for part in parts:
            assert isinstance(part, Unit)
            room -= self.length(part)
            if room < 0 or not runs:
                runs.append([])
                room = inner - self.length(part)
            runs[-1].append(part)
        if len(runs) == 1:
            yield item
            return
        for number, run in enumerate(runs):
            piece = replace(item, parts=tuple(run), outputs=run[-1].outputs)
            self.numbers[piece] = number + 1
            yield piece

    def joined(self, row: Sequence[str | Unit]) -> list[str | Unit]:
        """A row in which neighbouring fragments of a block are one again."""
        items: list[str | Unit] = []
        for item in row:
            last = items[-1] if items else ""
            if isinstance(item, Unit) and isinstance(last, Unit) and self._are_one(last, item):
                inside = [u for u in self.joined([*last.parts, *item.parts]) if isinstance(u, Unit)]
                whole = replace(last, parts=tuple(inside), outputs=item.outputs)
                self.numbers[whole] = self.numbers[last]
                items[-1] = whole
            else:
                items.append(item)
        return items

    def _are_one(self, one: Unit, other: Unit) -> bool:
        return one.copies is other.copies and one in self.numbers and other in self.numbers
