"""Two networks side by side: what stands in both, what is new, what is gone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Node, Value

NodePair: TypeAlias = tuple[Node | None, Node | None]

APART = 1.0
"""The price of a unit that has no partner; two may be partners for less than twice that."""
NEVER = 3.0
MOST_TRIED = 250_000
"""Pairs of units that are weighed; longer stretches are cut at equal names first."""


@dataclass(eq=False, slots=True)
class Match:
    """A place in two networks: a unit of the old one, of the new one, or one of each.

    `parts` are those of two blocks that differ inside. `is_like` tells that layers, settings and
    wiring are equal, `is_resized` that weights are nevertheless of another shape.
    """

    old: Unit | None
    new: Unit | None
    parts: tuple[Match, ...] = ()
    is_like: bool = False
    is_resized: bool = False

    @property
    def unit(self) -> Unit:
        """The one that is drawn: the new one, where there is one."""
        unit = self.new or self.old
        assert unit is not None
        return unit

    @property
    def change(self) -> str:
        """`added`, `gone`, `changed` or `same`."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "gone"
        counts = self.old.count == self.new.count
        return "same" if self.is_like and counts and not self.is_resized else "changed"

    def pairs(self) -> Iterator[NodePair]:
        """Every node of both sides once, in all copies, with its partner in the other."""
        if self.old is None or self.new is None:
            for node in self.unit.covered():
                yield (None, node) if self.old is None else (node, None)
            return
        first = list(self.first_pairs())
        places = [{node: n for n, node in enumerate(unit.nodes)} for unit in (self.old, self.new)]
        for old, new in zip_longest(self.old.copies, self.new.copies):
            for a, b in first:
                one = None if a is None or old is None else old[places[0][a]]
                other = None if b is None or new is None else new[places[1][b]]
                if one is not None or other is not None:
                    yield one, other

    def first_pairs(self) -> Iterator[NodePair]:
        """Of the first copies."""
        assert self.old is not None
        assert self.new is not None
        if self.parts:
            for part in self.parts:
                yield from part.pairs()
        elif self.is_like:
            yield from zip(self.old.nodes, self.new.nodes, strict=True)
        else:
            yield from _folded_pairs(self.old, self.new)


def _folded_pairs(old: Unit, new: Unit) -> Iterator[NodePair]:
    """Of layers folded together: the first of both, then those of one family."""
    yield old.node, new.node
    left = [node for node in new.nodes if node is not new.node]
    for node in old.nodes:
        if node is old.node:
            continue
        partner = next((n for n in left if n.op.family == node.op.family), None)
        if partner is not None:
            left.remove(partner)
        yield node, partner
    for node in left:
        yield None, node


@dataclass(slots=True)
class Comparison:
    """Pairs up units; what makes a unit equal to another is worked out once."""

    _likeness: dict[Unit, object] = field(default_factory=dict)

    def of(self, old: Sequence[Unit], new: Sequence[Unit]) -> tuple[Match, ...]:
        """The units of both, in an order that keeps that of each."""
        start = 0
        while start < min(len(old), len(new)) and not self.price(old[start], new[start]):
            start += 1
        end, most = 0, min(len(old), len(new)) - start
        while end < most and not self.price(old[-1 - end], new[-1 - end]):
            end += 1
        middle = self._aligned(old[start : len(old) - end], new[start : len(new) - end])
        ends = zip(old[len(old) - end :], new[len(new) - end :], strict=True)
        pairs = [*zip(old[:start], new[:start], strict=True), *middle, *ends]
        return tuple(self._match(a, b) for a, b in pairs)

    def price(self, old: Unit, new: Unit) -> float:
        """How little two units have to do with each other; 0 for equal ones of one name."""
        renamed = 0.0 if old.path == new.path else 0.25
        if self.likeness(old) == self.likeness(new):
            return renamed if old.count == new.count else renamed + 0.1
        if old.is_block != new.is_block:
            return NEVER
        if old.is_block:
            is_kind = old.scope and new.scope and old.scope.definition == new.scope.definition
            return (0.4 if is_kind else 1.2) + renamed
        if type(old.node.op) is type(new.node.op):
            return 0.5 + renamed
        return 1.2 + 2 * renamed if old.node.op.family == new.node.op.family else NEVER

    def likeness(self, unit: Unit) -> object:
        """Layers, settings and wiring; no names, no shapes, no number of copies."""
        if unit not in self._likeness:
            self._likeness[unit] = _likeness(unit)
        return self._likeness[unit]

    def _match(self, old: Unit | None, new: Unit | None) -> Match:
        if old is None or new is None:
            return Match(old, new)
        if self.likeness(old) == self.likeness(new):
            return Match(old, new, is_like=True, is_resized=_weights(old) != _weights(new))
        return Match(old, new, self.of(old.parts, new.parts) if old.is_block else ())

    def _aligned(
        self, old: Sequence[Unit], new: Sequence[Unit]
    ) -> Iterator[tuple[Unit | None, Unit | None]]:
        """Pairs of the lowest price in all, in order."""
        done = old_from = new_from = 0
        anchors = self._anchors(old, new) if len(old) * len(new) > MOST_TRIED else []
        for a, b in [*anchors, (len(old), len(new))]:
            stretch = old[old_from:a], new[new_from:b]
            if len(stretch[0]) * len(stretch[1]) <= MOST_TRIED:
                yield from self._cheapest(*stretch)
            else:
                yield from ((unit, None) for unit in stretch[0])
                yield from ((None, unit) for unit in stretch[1])
            if done < len(anchors):
                yield old[a], new[b]
            done, old_from, new_from = done + 1, a + 1, b + 1

    def _anchors(self, old: Sequence[Unit], new: Sequence[Unit]) -> list[tuple[int, int]]:
        """Units of one name that may be partners: as many as can be kept in order."""
        places = {unit.path: n for n, unit in enumerate(old)}
        pairs = [
            (places[unit.path], n)
            for n, unit in enumerate(new)
            if unit.path in places and self.price(old[places[unit.path]], unit) < 2 * APART
        ]
        return longest_rise(pairs)

    def _cheapest(
        self, old: Sequence[Unit], new: Sequence[Unit]
    ) -> Iterator[tuple[Unit | None, Unit | None]]:
        rest = [[APART * (len(old) - a + len(new) - b) for b in range(len(new) + 1)]
                for a in range(len(old) + 1)]  # fmt: skip
        prices = [[self.price(one, other) for other in new] for one in old]
        for a in range(len(old) - 1, -1, -1):
            for b in range(len(new) - 1, -1, -1):
                apart = APART + min(rest[a + 1][b], rest[a][b + 1])
                rest[a][b] = min(apart, prices[a][b] + rest[a + 1][b + 1])
        a = b = 0
        while a < len(old) and b < len(new):
            if rest[a][b] == prices[a][b] + rest[a + 1][b + 1]:
                yield old[a], new[b]
                a, b = a + 1, b + 1
            elif rest[a][b] == APART + rest[a + 1][b]:
                yield old[a], None
                a += 1
            else:
                yield None, new[b]
                b += 1
        yield from ((unit, None) for unit in old[a:])
        yield from ((None, unit) for unit in new[b:])


def _likeness(unit: Unit) -> object:
    if not unit.is_block:
        places = {value: n for n, value in enumerate(unit.inputs)}
        wires = tuple(places.get(value) for value in unit.read())
        return (tuple(repr(node.op) for node in unit.nodes), wires)
    places: dict[Value, object] = {value: f"in{k}" for k, value in enumerate(unit.inputs)}
    rows: list[object] = []
    for number, node in enumerate(unit.nodes):
        rows.append((repr(node.op), tuple(places[value] for value in node.inputs)))
        places.update((value, (number, k)) for k, value in enumerate(node.outputs))
    return (*rows, *(part.count for part in unit.parts))


def _weights(unit: Unit) -> list[tuple[str, ...]]:
    return [tuple(str(spec.shape) for spec in node.layer.weights) for node in unit.nodes]


def longest_rise(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of the pairs, in order, as have first numbers that rise."""
    ends: list[int] = []
    chains: list[int] = []
    before: list[int] = []
    for number, (first, _) in enumerate(pairs):
        length = bisect_left(ends, first)
        before.append(chains[length - 1] if length else -1)
        ends[length : length + 1] = [first]
        chains[length : length + 1] = [number]
    rise: list[tuple[int, int]] = []
    number = chains[-1] if chains else -1
    while number >= 0:
        rise.append(pairs[number])
        number = before[number]
    return rise[::-1]
