"""A U: the way down on the left, the way up on the right, bridges straight across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.spots import Draft, Spot

GAP = 20.0
"""Between the boxes of a row."""
STEPS = (42.0, 34.0, 26.0, 20.0, 14.0, 8.0)
"""How much nearer the two ways come with each level: the first with which the picture fits."""
BRIDGE = 40.0
"""The least length of a bridge."""


def u_drafts(sheet: SmallSheet) -> Iterator[Draft]:
    """Ways to lay out a network whose shape is a U, the best first."""
    ways = _Ways(sheet)
    for step in STEPS:
        spots = ways.spots(step)
        captions = sheet.band_captions({spot.key: spot.row for spot in spots})
        yield Draft(spots, list(sheet.pens()), captions)


class _Ways:
    """What stands on each level: on the way down, between, and on the way up."""

    def __init__(self, sheet: SmallSheet) -> None:
        self.sheet = sheet
        self.aside = self._aside()
        self.levels = self._levels()
        self.depth = max(self.levels.values())
        bottom = next(key for key in self.levels if self.levels[key] == self.depth)
        above, below = sheet.reach(bottom, sheet.before), sheet.reach(bottom, sheet.behind)
        self.down: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.middle: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.up: list[list[str]] = [[] for _ in range(self.depth + 1)]
        for key in self.levels:
            level = self.levels[key]
            if level == self.depth or (key in above and key != bottom):
                self.down[level].append(key)
            elif key in below or not any(k in below for k in sheet.reach(key, sheet.behind)):
                self.up[level].append(key)
            else:
                self.middle[level].append(key)

    def _aside(self) -> list[str]:
        """What is no map and comes from none: it is given to blocks besides, and stands above."""
        aside: dict[str, None] = {}
        for key in self.sheet.order:
            if self.sheet.levels[key] is None and all(k in aside for k in self.sheet.before[key]):
                aside[key] = None
        return list(aside)

    def _levels(self) -> dict[str, int]:
        """The level of each box; one without a map stands where it is read, or made."""
        levels: dict[str, int] = {}
        for key in self.sheet.order:
            level = self.sheet.levels[key]
            if key in self.aside:
                continue
            if level is None:
                level = max((levels[k] for k in self.sheet.before[key] if k in levels), default=0)
            levels[key] = level
        least = min(levels.values())
        return {key: level - least for key, level in levels.items()}

    def spots(self, step: float) -> list[Spot]:
        """The boxes at their places: the centre of the U is at 0."""
        half = self._length(self.down[self.depth]) / 2
        spots = self._placed(self.down[self.depth], self.depth, -half)
        distance = half + 12
        for level in range(self.depth - 1, -1, -1):
            down, up = self.down[level], self.up[level]
            inner = (self._width(down[-1:]) + self._width(up[:1])) / 4 if down and up else 0.0
            between = self._length(self.middle[level])
            room = BRIDGE + (between + GAP if self.middle[level] else 0.0)
            distance = max(distance, inner + room / 2)
            if down:
                right = -distance + self._width(down[-1:]) / 2
                spots += self._placed(down, level, right - self._length(down))
            if up:
                spots += self._placed(up, level, distance - self._width(up[:1]) / 2)
            if self.middle[level]:
                spots += self._placed(self.middle[level], level, -between / 2)
            distance += step
        if not self.aside:
            return spots
        for spot in spots:
            spot.row = spot.last = spot.row + 1
        return [*spots, *self._placed(self.aside, 0, min(spot.left for spot in spots))]

    def _width(self, keys: Sequence[str]) -> float:
        return sum(self.sheet.boxes[key].width for key in keys)

    def _length(self, keys: Sequence[str]) -> float:
        return self._width(keys) + GAP * max(len(keys) - 1, 0)

    def _placed(self, keys: Sequence[str], level: int, left: float) -> list[Spot]:
        """Boxes side by side from a place on."""
        spots: list[Spot] = []
        for key in keys:
            box = self.sheet.boxes[key]
            spots.append(Spot(key, box, level, left + box.width / 2))
            left += box.width + GAP
        return spots
