"""A network that goes down and up again, drawn as a U: one level a resolution, skips across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from netdsl.backends.diagram.example_size import Numbers
from netdsl.backends.diagram.scene import Ellipse, Item
from netdsl.backends.diagram.volumes.columns import Column, Study, label_rows, with_one_lens
from netdsl.backends.diagram.volumes.forms import Scales
from netdsl.backends.diagram.volumes.links import (
    BOW,
    SUM,
    entry,
    growth,
    leaving,
    link,
    plus,
    routed,
)
from netdsl.backends.diagram.volumes.steps import Step
from netdsl.backends.diagram.volumes.words import adds, joins_by_sum

FEWEST_SKIPS = 2
FEWEST_LEVELS = 3
MUCH = 1.7
GAP, NEXT, DOWN = 9.0, 24.0, 14.0
LEVEL_GAP = 18.0
INDENTS = (40.0, 90.0, 140.0, 190.0)
LABEL_GAP = 7.0
SUM_BEFORE = 9.0


@dataclass(frozen=True, slots=True)
class Skip:
    """A skip across: where it leaves the spine, the steps on it, where it joins it again."""

    start: Step
    between: list[Step]
    end: Step


@dataclass(frozen=True, slots=True)
class Shape:
    """The path down and up (`spine`), the skips across, and the level of each step."""

    spine: list[Step]
    skips: list[Skip]
    levels: dict[Step, int]


def u_shape(study: Study) -> Shape | None:
    """How a network is a U; None if it is none.

    A level lower is where a map has clearly fewer pixels than the one before, whatever
    convolutions without padding take away.
    """
    areas: dict[Step, int] = {}
    for step in study.steps:
        axes = study.axes(step)
        if len(axes.spatial) != 2:
            return None
        areas[step] = prod(axes.spatial)
    spine = _longest(study.steps)
    profile = _levels([areas[step] for step in spine])
    low, high = profile.index(max(profile)), len(profile) - 1 - profile[::-1].index(max(profile))
    down, up = profile[: low + 1], profile[high:]
    if down != sorted(down) or up != sorted(up, reverse=True) or len(set(up)) < FEWEST_LEVELS:
        return None
    place = {step: index for index, step in enumerate(spine)}
    skips = _skips(study.steps, spine, place)
    if skips is None or len(skips) < FEWEST_SKIPS:
        return None
    levels = dict(zip(spine, profile, strict=True))
    for skip in skips:
        begin, end = place[skip.start], place[skip.end]
        if profile[begin] != profile[end] or begin > low or end <= high:
            return None
        before = areas[skip.start]
        for step in skip.between:
            if areas[step] >= before * MUCH:
                return None
            if areas[step] * MUCH <= before and step.family != "size":
                return None
        levels.update((step, profile[begin]) for step in skip.between)
    return Shape(spine, skips, levels)


def _levels(areas: Sequence[int]) -> list[int]:
    """One more where the area shrinks by much, one less where it grows by much."""
    levels = [0]
    for before, area in pairwise(areas):
        turn = (area * MUCH <= before) - (area >= before * MUCH)
        levels.append(levels[-1] + turn)
    return levels


def _longest(steps: Sequence[Step]) -> list[Step]:
    """The longest path through, traced from the last step back."""
    best: dict[Step, int] = {}
    came: dict[Step, Step | None] = {}
    for step in steps:
        before = max(step.sources, key=lambda s: best[s], default=None)
        best[step] = 1 + (best[before] if before is not None else 0)
        came[step] = before
    spine: list[Step] = []
    step: Step | None = steps[-1]
    while step is not None:
        spine.append(step)
        step = came[step]
    return spine[::-1]


def _skips(
    steps: Sequence[Step], spine: Sequence[Step], place: dict[Step, int]
) -> list[Skip] | None:
    """The skips beside the spine; None where one is no chain from the spine to the spine."""
    skips: list[Skip] = []
    used: set[Step] = set()
    for step in spine:
        for source in step.sources:
            if place.get(source) == place[step] - 1:
                continue
            between: list[Step] = []
            while source not in place:
                if len(source.sources) != 1 or source in used:
                    return None
                between.insert(0, source)
                used.add(source)
                (source,) = source.sources
            skips.append(Skip(source, between, step))
    return skips if len(used) + len(spine) == len(steps) else None


class ULayout:
    """Columns with their places, and the links between them."""

    def __init__(self, study: Study, shape: Shape, scales: Scales, indent: float) -> None:
        self.study, self.shape, self.scales, self.indent = study, shape, scales, indent
        self.column_of = {s: study.column(s, scales, True) for s in study.steps}
        self.lowest = min(shape.levels.values())
        self.count = max(shape.levels.values()) - self.lowest + 1
        self.places: list[list[float]] = []
        self.label_tops: list[float] = []
        self.tops: list[float] = []
        self._place()

    @property
    def columns(self) -> list[Column]:
        return [self.column_of[step] for step in self.study.steps]

    def level(self, step: Step) -> int:
        """Levels are counted from the top."""
        return self.shape.levels[step] - self.lowest

    def _place(self) -> None:
        lefts = self._lefts()
        y = 0.0
        for number in range(self.count):
            inside = [step for step in self.study.steps if self.level(step) == number]
            columns = with_one_lens([self.column_of[step] for step in inside])
            above = max(column.above for column in columns)
            if any(c.step.node is None and adds(c.step) for c in columns):
                above = max(above, BOW + 1)
            tall = above + max(column.below for column in columns)
            self.tops.append(y)
            places = label_rows(columns)
            for step, column in zip(inside, columns, strict=True):
                self.column_of[step] = column.placed(lefts[step], y + above)
            self.label_tops.append(y + tall + LABEL_GAP)
            self.places.append(places)
            y += tall + LABEL_GAP + places[-1] + LEVEL_GAP

    def _lefts(self) -> dict[Step, float]:
        """Left edges: down with an indent a level, up so far that the rays have room."""
        lefts: dict[Step, float] = {}
        rooms = {skip.end: self._room(skip) for skip in self.shape.skips}
        x, indent = 0.0, 0.0
        before: Step | None = None
        for step in self.shape.spine:
            if before is not None:
                column = self.column_of[before]
                turn = self.level(step) - self.level(before)
                if turn > 0:
                    indent += self.indent
                    x = indent
                elif turn < 0:
                    x = lefts[before] + column.form.width + NEXT
                    x = max(x, self._right_of(step, lefts) + 3 * NEXT)
                else:
                    x = lefts[before] + max(column.width + GAP, column.form.width + NEXT)
            if step in rooms:
                start, room = rooms[step]
                x = max(x, lefts[start] + self.column_of[start].width + room)
            lefts[step] = x
            before = step
        self._between(lefts)
        return lefts

    def crossings(self) -> int:
        """How many labels of steps on the skips lie in the way of rays from below."""
        place = {step: index for index, step in enumerate(self.shape.spine)}
        count = 0
        for skip in self.shape.skips:
            below = self.column_of[self.shape.spine[place[skip.end] - 1]].form
            edges = [self.column_of[s].form.x + self.column_of[s].width for s in skip.between]
            count += sum(edge > below.x + below.width for edge in edges)
        return count

    def _right_of(self, step: Step, lefts: dict[Step, float]) -> float:
        """How far the path down reaches on a level."""
        level = self.level(step)
        return max(
            (
                lefts[i] + self.column_of[i].width
                for i in lefts
                if self.level(self.column_of[i].step) == level
            ),
            default=0.0,
        )

    def _room(self, skip: Skip) -> tuple[Step, float]:
        return skip.start, NEXT + sum(self.column_of[s].width + NEXT for s in skip.between)

    def _between(self, lefts: dict[Step, float]) -> None:
        for skip in self.shape.skips:
            left = lefts[skip.start] + self.column_of[skip.start].width
            wide = sum(self.column_of[step].width for step in skip.between)
            gap = (lefts[skip.end] - left - wide) / (len(skip.between) + 1)
            for step in skip.between:
                left += gap
                lefts[step] = left
                left += self.column_of[step].width

    def links(self, numbers: Numbers) -> Iterator[Item]:
        spine = [self.column_of[step] for step in self.shape.spine]
        starts = {skip.start for skip in self.shape.skips}
        for before, column in pairwise(spine):
            step = self.level(column.step) - self.level(before.step)
            if step == 0:
                yield from link(before, column, numbers)
            elif step < 0 and column.step.family in ("resampling", "convolution"):
                yield from self._rising(before, column)
            elif step < 0:
                yield from self.climb(before, column, "wire")
            else:
                x = before.form.x + before.width + DOWN / 2
                start, end = leaving(before.form), entry(column.form)
                y = self.tops[self.level(column.step)] - LEVEL_GAP / 2 - 1
                back = column.form.x - DOWN
                points = [start, (x, start[1]), (x, y), (back, y), (back, end[1]), end]
                yield from routed(points)
                if before.step in starts:
                    yield Ellipse(x, start[1], 2, 2, "amber")
        yield from self._across(numbers)

    def _rising(self, before: Column, column: Column) -> Iterator[Item]:
        """The rays from the end of a level to the larger map above."""
        yield from growth(before.form, column.form)

    def climb(self, before: Column, column: Column, colour: str) -> Iterator[Item]:
        """Out on the right, up between the levels, and in from the left, below the skip."""
        x = before.form.x + before.width + DOWN / 2
        y = self.tops[self.level(before.step)] - LEVEL_GAP / 2 - 1
        back = column.form.x - DOWN
        start = leaving(before.form)
        tip = column.form.x - 1.0, column.form.bottom - 1.5
        if joins_by_sum(column.step):
            x_sum, y_sum = entry(column.form)
            back, tip = x_sum - SUM_BEFORE, (x_sum - SUM_BEFORE, y_sum + SUM)
        points = [start, (x, start[1]), (x, y), (back, y), (back, tip[1]), tip]
        yield from routed(points if back != tip[0] else [*points[:4], tip], colour, 1.2)

    def _across(self, numbers: Numbers) -> Iterator[Item]:
        for skip in self.shape.skips:
            chain = [self.column_of[step] for step in (skip.start, *skip.between, skip.end)]
            for left, right in pairwise(chain):
                tip = entry(right.form)
                if right.step is skip.end:
                    tip = (right.form.x + self._part(right) - 1, tip[1])
                yield from routed([leaving(left.form), tip], "amber", 1.4)
                if right.step is skip.end and joins_by_sum(skip.end):
                    yield from plus(tip[0] - SUM_BEFORE, tip[1])

    def _part(self, column: Column) -> float:
        """How far in the front of a join the part lies that comes over the skip."""
        x, total = 0.0, sum(part.channels for part in column.parts)
        for part in column.parts:
            if part.role != "up.fill":
                return x
            x += column.form.front * part.channels / total
        return 0.0
