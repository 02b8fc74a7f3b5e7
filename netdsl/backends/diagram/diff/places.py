"""Where two networks are compared in detail: places of one box, or opened into places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from netdsl.backends.diagram.blocks.opening import is_meant, unmatched
from netdsl.backends.diagram.diff.compare import Comparison, Match
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.units import Unit

MOST_BOXES = 60
"""Blocks that differ are opened as long as no more boxes than this are drawn."""


class Place:
    """A match as it is drawn: one box, or opened into places."""

    def __init__(self, match: Match, level: int = 0) -> None:
        self.match, self.level = match, level
        self.parts: tuple[Place, ...] = ()

    def unit(self, side: Callable[[Match], Unit | None]) -> Unit | None:
        """The unit of one side with the parts that this side has."""
        own = side(self.match)
        if own is None or not self.parts:
            return own
        parts = tuple(p for p in (part.unit(side) for part in self.parts) if p is not None)
        return replace(own, parts=parts, is_open=True)

    def leaves(self) -> list[Place]:
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]


class Opening:
    """Which places are opened."""

    def __init__(self, compared: Comparison, options: Options) -> None:
        self.compared, self.options = compared, options

    def of(self, matches: Sequence[Match]) -> list[Place]:
        places = [Place(match) for match in matches]
        if self.options.level == "layers":
            self._open(places, lambda place: True)
        elif self.options.chooses_blocks:
            self._as_asked(places)
        else:
            self._what_differs(places)
        return places

    def _as_asked(self, places: list[Place]) -> None:
        wanted = [p for p in self.options.expand if p != "none"]
        depth, matched = self.options.depth, set[str]()

        def is_wanted(place: Place) -> bool:
            sides = [u for u in (place.match.old, place.match.new) if u is not None]
            hits = {p for p in wanted if any(is_meant(unit, p) for unit in sides)}
            matched.update(hits)
            return bool(hits) or (depth is not None and place.level < depth)

        everything = [Place(place.match) for place in places]
        self._open(everything, lambda place: is_wanted(place) or True)
        for pattern in wanted:
            if pattern not in matched:
                raise DrawError(unmatched(pattern, [p.match.unit for p in places]))
        self._open(places, lambda place: is_wanted(place) or self._holds(place, is_wanted))

    def _holds(self, place: Place, is_wanted: Callable[[Place], bool]) -> bool:
        """Whether something inside is wanted open."""
        inside = self.parts(place)
        return any(is_wanted(part) and self.parts(part) for part in inside) or any(
            self._holds(part, is_wanted) for part in inside
        )

    def _open(self, places: Iterable[Place], is_wanted: Callable[[Place], bool]) -> None:
        for place in places:
            if is_wanted(place):
                place.parts = self.parts(place)
                self._open(place.parts, is_wanted)

    def _what_differs(self, places: list[Place]) -> None:
        """The first block of each kind that differs inside, the outer before the inner."""
        drawn = len(places)
        waiting = list(places)
        kinds: set[object] = set()
        while waiting:
            place = waiting.pop(0)
            inside = self.parts(place) if place.match.parts else ()
            kind = _kind_of_change(place.match)
            if inside and kind not in kinds and drawn - 1 + len(inside) <= MOST_BOXES:
                kinds.add(kind)
                place.parts = inside
                waiting += inside
                drawn += len(inside) - 1

    def parts(self, place: Place) -> tuple[Place, ...]:
        match, level = place.match, place.level + 1
        if match.old is None or match.new is None:
            alone = match.unit.parts
            matches = [Match(None, p) if match.old is None else Match(p, None) for p in alone]
            return tuple(Place(part, level) for part in matches)
        parts = match.parts or self.compared.of(match.old.parts, match.new.parts)
        return tuple(Place(part, level) for part in parts)


def _kind_of_change(match: Match) -> object:
    """The same for blocks that changed alike: of one kind before and after, in as many layers."""
    kinds = [u.scope.definition if u is not None and u.scope else "" for u in _sides(match)]
    parts = tuple((part.change, type(part.unit.node.op)) for part in match.parts)
    return (*kinds, parts)


def _sides(match: Match) -> tuple[Unit | None, Unit | None]:
    return match.old, match.new
