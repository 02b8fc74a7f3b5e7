"""A U that is not wide: the path down in one stack, the path up in another, the turn between."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.diagram.scene import Item
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.steps import Step
from netdsl.backends.diagram.volumes.u import DOWN, NEXT, ULayout

BETWEEN = (13.0, 9.0, 5.0)
"""Spaces between the labels of neighbours, to choose from."""
APART, SPARE = 20.0, 90.0


class NarrowU(ULayout):
    """The levels of each side begin one above the other, so that a picture is not too wide.

    `indent` is here the space between the labels of neighbours.
    """

    def _lefts(self) -> dict[Step, float]:
        down, turn, up = self._parts()
        lefts: dict[Step, float] = {}
        for step in down:
            lefts[step] = self._next(step, down, lefts, 0.0)
        rooms = {skip.end: self._room(skip) for skip in self.shape.skips}
        start = 0.0
        for step in up:
            reach = self._right_of(step, lefts) + NEXT
            if step in rooms:
                first, room = rooms[step]
                reach = max(reach, lefts[first] + self.column_of[first].width + room)
            start = max(start, reach if self._opens(step, up) else 0.0)
        for step in up:
            lefts[step] = self._next(step, up, lefts, start)
        wide = max(lefts[i] + self.column_of[i].width for i in lefts)
        spare = min(max(self.study.looks.inside - 2 * DOWN - wide, 0.0), SPARE)
        wide += spare
        lefts.update((step, lefts[step] + spare) for step in up)
        offset = 0.0
        for step in turn:
            lefts[step] = self._next(step, turn, lefts, 0.0)
        if turn:
            own = max(lefts[step] + self.column_of[step].width for step in turn)
            offset = max((wide - own) / 2, 0.0)
        lefts.update((step, lefts[step] + offset) for step in turn)
        self._between(lefts)
        return lefts

    def _parts(self) -> tuple[list[Step], list[Step], list[Step]]:
        """The spine's path down, its lowest level, its path up."""
        spine = self.shape.spine
        lowest = max(self.level(step) for step in spine)
        at = [n for n, step in enumerate(spine) if self.level(step) == lowest]
        return spine[: at[0]], spine[at[0] : at[-1] + 1], spine[at[-1] + 1 :]

    def _opens(self, step: Step, side: list[Step]) -> bool:
        """Whether it is the first of its level."""
        place = next(n for n, other in enumerate(side) if other is step)
        return place == 0 or self.level(side[place - 1]) != self.level(step)

    def _next(self, step: Step, side: list[Step], lefts: dict[Step, float], start: float) -> float:
        if self._opens(step, side):
            return start
        before = side[next(n for n, other in enumerate(side) if other is step) - 1]
        column = self.column_of[before]
        return lefts[before] + max(column.width + self.indent, column.form.width + APART)

    def _rising(self, before: Column, column: Column) -> Iterator[Item]:
        """The levels of a side stand one above the other: no room for rays."""
        yield from self.climb(before, column, "up.line")
