"""Which parts of the source are parts of the text: scopes with a label of their own.

A region becomes a scope where all that it holds lies below its path and what flows in and out can
be written; all other regions are taken apart, so that what they hold belongs to what is around.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netdsl.importers.program import Call, Path, Program, Region, Table, Value, values_in
from netdsl.importers.recover.weights import has_weights

LEAST = 4
"""Calls of layers that a region without weights has, to be worth a block."""


@dataclass(eq=False, slots=True)
class Scope:
    """A part of the network that is written as one: the net, a block, a labelled group.

    `flows` are the values that flow in, `named` those of outside that its settings speak of.
    """

    region: Region
    path: Path
    is_block: bool = False
    has_weights: bool = True
    parent: Scope | None = None
    items: list[Call | Scope] = field(default_factory=list["Call | Scope"])
    tables: list[Table] = field(default_factory=list[Table])
    flows: list[Value] = field(default_factory=list[Value])
    named: list[Value] = field(default_factory=list[Value])
    outputs: list[Value] = field(default_factory=list[Value])
    shares: Scope | None = None

    @property
    def kind(self) -> str:
        return self.region.kind

    def scopes(self) -> Iterator[Scope]:
        """The scopes in it, inner ones first, and itself."""
        for item in self.items:
            if isinstance(item, Scope):
                yield from item.scopes()
        yield self

    def calls(self) -> Iterator[Call]:
        for item in self.items:
            if isinstance(item, Call):
                yield item
            else:
                yield from item.calls()


def scopes_of(program: Program, inlined: Iterable[Path] = (), *, with_blocks: bool = True) -> Scope:
    """The scopes of a program; regions at the paths `inlined` are no blocks."""
    builder = _Builder(program, set(inlined))
    if not with_blocks:
        builder.kinds = set()
    return builder.build()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What flows in and out of a region."""

    flows: list[Value]
    named: list[Value]
    outputs: list[Value]
    calls: list[Call]


class _Builder:
    def __init__(self, program: Program, inlined: set[Path]) -> None:
        self.program, self.inlined = program, inlined
        self.tables = {table.value for table in program.root.tables()}
        self.users: dict[Value, list[Call | None]] = defaultdict(list)
        for call in program.root.calls():
            for value in (*call.inputs, *call.sized_by()):
                self.users[value].append(call)
        for output in program.outputs:
            self.users[output.value].append(None)
        self.times = Counter(c.path for c in program.root.calls() if c.path and has_weights(c))
        self.regions: dict[Path, list[Region]] = defaultdict(list)
        for region in _regions(program.root):
            self.regions[region.path].append(region)
        self.kinds = self.repeated_kinds()

    def repeated_kinds(self) -> set[str]:
        """Kinds with several regions that have weights, or one that is called several times."""
        paths: dict[str, set[object]] = defaultdict(set)
        shared: set[str] = set()
        for path, regions in self.regions.items():
            for region in regions:
                if region.kind and _is_weighted(region):
                    paths[region.kind].add(path)
                elif region.kind and region.items:
                    paths[region.kind].add(region)
            if len(regions) > 1 and all(map(_is_weighted, regions)):
                shared |= {region.kind for region in regions if region.kind}
        return {kind for kind, places in paths.items() if len(places) > 1} | shared

    def build(self) -> Scope:
        root = self.program.root
        scope = Scope(root, ())
        scope.flows = [one.value for one in self.program.inputs]
        scope.outputs = [one.value for one in self.program.outputs]
        self.fill(scope, root)
        return scope

    def fill(self, scope: Scope, region: Region) -> None:
        for item in region.items:
            if isinstance(item, Call):
                scope.items.append(item)
            elif isinstance(item, Table):
                scope.tables.append(item)
            else:
                facts = self.facts(item)
                if self.is_scope(item, scope, facts):
                    is_weighted = _is_weighted(item)
                    path = item.path if is_weighted else scope.path
                    inner = Scope(item, path, self.is_block(item), is_weighted, scope)
                    inner.flows, inner.named = facts.flows, facts.named
                    inner.outputs = facts.outputs
                    scope.items.append(inner)
                    self.fill(inner, item)
                else:
                    self.fill(scope, item)

    def facts(self, region: Region) -> _Facts:
        calls = list(region.calls())
        inner = set(calls)
        results = {value for call in calls for value in call.outputs}
        own = {table.value for table in region.tables()}
        flows = _outside((v for c in calls for v in c.inputs), results | own)
        named = _outside((v for c in calls for v in c.sized_by()), results | own)
        order = {value: number for number, value in enumerate(region.inputs)}
        flows.sort(key=lambda value: order.get(value, len(order)))
        leaving = [v for v in results if any(u not in inner for u in self.users[v])]
        places = {value: number for number, value in enumerate(region.outputs)}
        order_made = {value: number for number, value in enumerate(_results(calls))}
        leaving.sort(key=lambda value: (places.get(value, len(places)), order_made[value]))
        return _Facts(flows, [v for v in named if v not in flows], leaving, calls)

    def is_scope(self, region: Region, around: Scope, facts: _Facts) -> bool:
        """Whether a region can be written as a part with a label."""
        path, depth = region.path, len(around.path)
        weighted = [call for call in facts.calls if has_weights(call)]
        if not facts.outputs:
            return False
        if not _is_weighted(region):
            return self.is_block(region) and len(facts.calls) >= LEAST and bool(facts.flows)
        if path[:depth] != around.path or len(path) == depth:
            return False
        below = [call.path for call in weighted] + [table.path for table in region.tables()]
        if any(one[: len(path)] != path or len(one) == len(path) for one in below):
            return False
        if any(call.path and len(call.path) <= len(path) for call in weighted):
            return False
        tables = {table.value for table in region.tables()}
        leaks = any(u not in set(facts.calls) for t in tables for u in self.users[t])
        return not leaks and self.is_whole(region, weighted) and self.fits(region, facts)

    def is_block(self, region: Region) -> bool:
        return region.kind in self.kinds and region.path not in self.inlined

    def is_whole(self, region: Region, weighted: list[Call]) -> bool:
        """Whether no layer in it is shared with what is outside, unless all of it is."""
        again = self.regions[region.path]
        inside = Counter(call.path for call in weighted)
        if len(again) == 1:
            return all(self.times[path] == times for path, times in inside.items())
        return self.is_block(region) and all(
            self.times[path] == len(again) * times for path, times in inside.items()
        )

    def fits(self, region: Region, facts: _Facts) -> bool:
        """Whether what flows in and out can be written: a group takes and gives one value."""
        if self.is_block(region):
            return bool(facts.flows)
        flows = [value for value in facts.flows if value not in self.tables]
        tables = len(flows) < len(facts.flows)
        return len(flows) == 1 and not tables and len(facts.outputs) == 1


def _regions(region: Region) -> Iterator[Region]:
    for item in region.items:
        if isinstance(item, Region):
            yield item
            yield from _regions(item)


def _is_weighted(region: Region) -> bool:
    """Whether a region holds weights, those of layers or tables."""
    return any(map(has_weights, region.calls())) or any(True for _ in region.tables())


def _outside(values: Iterable[Value], inside: set[Value]) -> list[Value]:
    return [value for value in dict.fromkeys(values) if value not in inside]


def _results(calls: Iterable[Call]) -> Iterator[Value]:
    for call in calls:
        yield from call.outputs


__all__ = ["Scope", "scopes_of", "values_in"]
