"""Where maps of two resolutions meet: bridges, what they enclose, and how they stand in rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

from netdsl.backends.diagram.model.flow import Flow, Set

MOST_READ = 16
"""Values that a merge reads, up to which each pair of them is looked at, not neighbours alone."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two ways from a fork to a merge, by their places.

    Both begin and end on one level. One stays there (`straight` are its places); the other visits
    coarser maps, or finer ones if it is a cap.
    """

    fork: int
    merge: int
    level: int
    straight: Set
    is_cap: bool = False


@dataclass(frozen=True)
class Meetings:
    """All places of a network where maps of two resolutions meet."""

    flow: Flow
    levels: Sequence[int | None]

    @cached_property
    def on_level(self) -> Mapping[int, Set]:
        """The places on each level."""
        found: dict[int, Set] = {}
        for place, level in enumerate(self.levels):
            if level is not None:
                found[level] = found.get(level, 0) | 1 << place
        return found

    @cached_property
    def coarser(self) -> Mapping[int, Set]:
        """The places on coarser levels than each."""
        return self._beyond(reverse=True)

    @cached_property
    def finer(self) -> Mapping[int, Set]:
        """The places on finer levels than each."""
        return self._beyond(reverse=False)

    def _beyond(self, *, reverse: bool) -> Mapping[int, Set]:
        found: dict[int, Set] = {}
        beyond = 0
        for level in sorted(self.on_level, reverse=reverse):
            found[level] = beyond
            beyond |= self.on_level[level]
        return found

    @cached_property
    def all(self) -> tuple[Meeting, ...]:
        """Every one, in the order of their merges."""
        return tuple(dict.fromkeys(self._found()))

    def _found(self) -> Iterator[Meeting]:
        for merge, sources in self.flow.merges():
            maps = [source for source in sources if self.levels[source] is not None]
            for straight, other in _pairs(maps):
                if self.levels[other] == self.levels[straight]:
                    yield from self._of_pair(merge, straight, other)
                    yield from self._of_pair(merge, other, straight)

    def _of_pair(self, merge: int, straight: int, other: int) -> Iterator[Meeting]:
        level = self.levels[straight]
        assert level is not None
        for fork in self.flow.forks(straight, other):
            start = self.levels[fork]
            if start != level:
                continue
            way, around = self.flow.between(fork, straight), self.flow.between(fork, other)
            coarser, finer = self.coarser[level], self.finer[level]
            if around & coarser and not way & coarser:
                yield Meeting(fork, merge, level, way)
            if around & finer and not way & finer and not around & coarser:
                yield Meeting(fork, merge, level, way, is_cap=True)

    @cached_property
    def bridges(self) -> tuple[Meeting, ...]:
        """Those whose other way visits coarser maps."""
        return tuple(one for one in self.all if not one.is_cap)

    @cached_property
    def caps(self) -> tuple[Meeting, ...]:
        """Those whose other way visits finer maps."""
        return tuple(one for one in self.all if one.is_cap)

    @cached_property
    def nested(self) -> tuple[Meeting, ...]:
        """The bridges that enclose another of a coarser level, or lie in one of a finer level."""
        found = {bridge for pair in self.enclosed for bridge in pair}
        return tuple(sorted(found, key=lambda one: (one.merge, one.fork)))

    @cached_property
    def enclosed(self) -> tuple[tuple[Meeting, Meeting], ...]:
        """Each bridge with one of a coarser level that lies between its fork and its merge."""
        bridges = self.bridges
        merges = [bridge.merge for bridge in bridges]
        return tuple(
            (outer, inner)
            for outer in bridges
            for inner in bridges[bisect_left(merges, outer.fork) : bisect_left(merges, outer.merge)]
            if inner.level > outer.level and self._encloses(outer, inner)
        )

    @cached_property
    def turns(self) -> int:
        """How many U's of the same finest level stand in a row; 0 where these levels differ.

        Small U's inside a large one make no row: then it is 1.
        """
        steps = self.steps
        finest: dict[int, int] = {}
        for bridge in self.bridges:
            turn = steps[bridge.merge][0]
            finest[turn] = min(bridge.level, finest.get(turn, bridge.level))
        if len(set(finest.values())) <= 1:
            return len(finest)
        is_one = any(
            steps[outer.merge][0] != steps[inner.merge][0] for outer, inner in self.enclosed
        )
        return int(is_one)

    def _encloses(self, outer: Meeting, inner: Meeting) -> bool:
        before = self.flow.before
        return bool(before[inner.fork] >> outer.fork & 1 and before[outer.merge] >> inner.merge & 1)

    @cached_property
    def steps(self) -> Mapping[int, tuple[int, int]]:
        """For each merge of a bridge: which U in a row it is in, and its place on its level.

        The place is 1 more than the last one of a coarser level that it depends on. A new U begins
        where a merge depends on one of a finer level.
        """
        levels = {bridge.merge: bridge.level for bridge in self.bridges}
        found: dict[int, tuple[int, int]] = {}
        reached: list[dict[int, tuple[int, int]]] = []
        """For each place the last merge of each level that it depends on."""
        for place, sources in enumerate(self.flow.sources):
            own = reached[sources[0]] if sources else {}
            for source in sources[1:]:
                if reached[source] is not own:
                    own = {
                        level: max(own.get(level, (0, 0)), reached[source].get(level, (0, 0)))
                        for level in (*own, *reached[source])
                    }
            if place in levels:
                found[place] = _step(levels[place], own)
                own = {**own, levels[place]: found[place]}
            reached.append(own)
        return found


def _pairs(places: Sequence[int]) -> Iterable[tuple[int, int]]:
    return combinations(places, 2) if len(places) <= MOST_READ else pairwise(places)


def _step(level: int, before: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    """The U and the place of a merge on a level, from those that it depends on."""
    turn = max((turn + (other < level) for other, (turn, _) in before.items()), default=1)
    places = (
        place + (other > level)
        for other, (own, place) in before.items()
        if own == turn and other >= level
    )
    return turn, max(places, default=1)
