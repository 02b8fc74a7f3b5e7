"""Regions of one kind become blocks: one where they can be made one, else one for each sort."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from netdsl.importers.marked import Marks
from netdsl.importers.program import Path, Program
from netdsl.importers.recover.bodies import Bodies
from netdsl.importers.recover.classes import NAME, Classes
from netdsl.importers.recover.exact import exact
from netdsl.importers.recover.inline import Inline
from netdsl.importers.recover.lets import with_lets
from netdsl.importers.recover.places import place_labels
from netdsl.importers.recover.regions import Scope
from netdsl.importers.recover.resolve import Resolver
from netdsl.importers.recover.runs import Runs
from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import (
    Argument,
    Body,
    Definition,
    Parameter,
    Stage,
    Text,
    has_classes,
)
from netdsl.importers.recover.slots import Instances, Slots, Vector, is_plain, written
from netdsl.importers.recover.unify import Clash, Merger, lifted
from netdsl.ops import registry

Key = tuple[str, int]
TRIED = 12
"""Sorts of a kind that others are tried to be made one with."""
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
"""Kinds that say nothing of what a region is."""


@dataclass(eq=False, slots=True)
class Sort:
    """Scopes of one kind that become one block: their bodies made one, by numbers."""

    body: Body
    members: dict[int, list[Scope]] = field(default_factory=dict[int, list[Scope]])

    @property
    def scopes(self) -> list[Scope]:
        return [scope for scopes in self.members.values() for scope in scopes]


class Blocks:
    """Makes the definitions of a program; `singles` are regions that are no block of their own."""

    def __init__(self, program: Program, root: Scope) -> None:
        self.bodies = Bodies(program, root, self.call_of)
        self.root = root
        self.definitions: dict[str, Definition] = {}
        self.calls: dict[Scope, tuple[str, dict[str, Argument]]] = {}
        self.singles: set[Path] = set()
        self.taken = {program.name}
        self.classes = program.classes
        self.numbers = [str(size) for one in program.inputs for size in one.shape]
        self.merger = Merger(Inline(self.definitions, Marks()))

    def call_of(self, scope: Scope) -> Stage:
        """A scope as a call of its block."""
        name, args = self.calls[scope]
        return Stage("call", name, scope.region.origin, args=dict(args))

    def make(self) -> None:
        """Make all blocks, inner ones first."""
        for scopes in in_order(self.root):
            for sort in self.sorts(scopes):
                self.define(sort)

    # --- sorts --------------------------------------------------------------------------------

    def sorts(self, scopes: list[Scope]) -> list[Sort]:
        """The scopes of a kind by sorts, the largest first."""
        written = [self.bodies.body(scope) for scope in scopes]
        for body in written:
            place_labels(body)
        looped = [self.runs().body(body) for body in written]
        plain = self.joined(scopes, written)
        if all(exact(a) == exact(b) for a, b in zip(written, looped, strict=True)):
            return plain
        other = self.joined(scopes, looped)
        return other if self.cost(other) < self.cost(plain) else plain

    def cost(self, sorts: list[Sort]) -> int:
        """How long the definitions of these sorts are."""
        return sum(len(exact(self.looped(*self.resolved(sort)))) for sort in sorts)

    def runs(self, slots: Slots | None = None) -> Runs:
        names = set(self.numbers) | ({slot.name for slot in slots.chosen} if slots else set())
        return Runs(self.merger.inline, names, with_lets=slots is not None)

    def looped(self, slots: Slots, body: Body) -> Body:
        names = {slot.name for slot in slots.chosen} | set(self.numbers)
        return self.runs(slots).whole(with_lets(body, names))

    def joined(self, scopes: list[Scope], written: list[Body]) -> list[Sort]:
        """The sorts of scopes with these bodies."""
        alike: dict[str, dict[str, list[Scope]]] = defaultdict(lambda: defaultdict(list))
        bodies: dict[str, Body] = {}
        for scope, body in zip(scopes, written, strict=True):
            key = f"{self.bodies.inputs.get(scope)}{exact(body)}"
            bodies.setdefault(key, body)
            facts = f"{channels_of(scope)}{plain_settings(scope)}"
            alike[key][facts].append(scope)
        sorts: list[Sort] = []
        number = 0
        by_count = sorted(alike, key=lambda key: -sum(map(len, alike[key].values())))
        for key in by_count:
            members = dict(enumerate(alike[key].values(), number))
            number += len(members)
            sort = Sort(lifted(bodies[key], frozenset(members)), members)
            if not any(self.join(one, sort) for one in sorts[:TRIED]):
                sorts.append(sort)
        return sorts

    def join(self, one: Sort, other: Sort) -> bool:
        """Take the members of another sort into one, if that can be."""
        inputs = [self.bodies.inputs.get(sort.scopes[0]) for sort in (one, other)]
        if inputs[0] != inputs[1]:
            return False
        try:
            body = self.merger.bodies(one.body, other.body)
            both = Sort(body, {**one.members, **other.members})
            self.resolved(both)
        except Clash:
            return False
        one.body, one.members = both.body, both.members
        return True

    # --- definitions --------------------------------------------------------------------------

    def define(self, sort: Sort) -> None:
        scopes = sort.scopes
        if len({scope.path for scope in scopes}) == 1 and len(scopes) == 1:
            self.singles.add(scopes[0].region.path)
        slots, body = self.resolved(sort)
        name = self.name(sort)
        scope = scopes[0]
        looped = self.looped(slots, body)
        given = {NAME: Classes(self.classes)} if has_classes(looped) else {}
        definition = Definition(
            name,
            looped,
            scope.region.origin,
            [Parameter(NAME, "int")] * bool(given) + slots.parameters(),
            self.bodies.inputs.get(scope, ()),
            scope.region.doc,
        )
        self.definitions[name] = definition
        for number, members in sort.members.items():
            values = {slot.name: slot.values[number] for slot in slots.chosen}
            args = {one.name: argument(values[one.name]) for one in slots.parameters()} | given
            self.calls |= dict.fromkeys(members, (name, args))

    def resolved(self, sort: Sort) -> tuple[Slots, Body]:
        names = self.bodies.inputs.get(sort.scopes[0], ("in",))
        instances = instances_of(sort, names, self.bodies.shares)
        taken = set(names) | set(registry()) | ({NAME} if self.classes else set())
        slots = Slots(instances, taken)
        body = Resolver(slots).body(sort.body)
        return slots, body

    def name(self, sort: Sort) -> str:
        """What the source calls it, with what sets it apart if the name is taken."""
        scope = sort.scopes[0]
        kind = scope.kind.rsplit(".", 1)[-1]
        if kind in CONTAINERS:
            words = [part for part in scope.path if not part.isdigit()]
            kind = words[-1].title().replace("_", "") if words else kind
        stem = re.sub(r"\W", "_", kind, flags=re.ASCII)
        stem = stem if re.match("[A-Za-z_]", stem) else f"Block{stem}"
        name, number = stem, 1
        while name in self.definitions or name in self.taken or name in registry():
            number += 1
            name = f"{stem}{number}"
        return name


def argument(value: object) -> Argument:
    """What a call passes on: strings in quotes."""
    return Text(written(value)) if isinstance(value, str) else cast(Argument, value)


def instances_of(sort: Sort, names: tuple[str, ...], shares: Mapping[float, Share]) -> Instances:
    """What is known of the members of a sort."""
    counts = {number: len(scopes) for number, scopes in sort.members.items()}
    firsts = {number: scopes[0] for number, scopes in sort.members.items()}
    texts = [f"{name}.channels" for name in names]
    channels: dict[str, Vector] = {}
    for place, text in enumerate(texts):
        vector = {
            number: counted[place]
            for number, scope in firsts.items()
            if len(counted := channels_of(scope)) > place and counted[place]
        }
        if len(vector) == len(firsts):
            channels[text] = vector
    settings = settings_of(firsts, list(channels.values()))
    for values in settings.values():
        steps = {i: shares.get(value) for i, value in values.items() if type(value) is float}
        if len(steps) == len(values) and None not in steps.values():
            values.update(steps)
    return Instances(counts, channels, settings)


def settings_of(
    firsts: Mapping[int, Scope], channels: list[Vector]
) -> dict[str, dict[int, object]]:
    """What constructors were given, without what repeats the incoming channels."""
    settings: dict[str, dict[int, object]] = {}
    for name in dict.fromkeys(n for scope in firsts.values() for n in scope.region.settings):
        values = {
            number: value
            for number, scope in firsts.items()
            if is_plain(value := scope.region.settings.get(name))
        }
        if name.isidentifier() and len(values) == len(firsts) and values not in channels:
            settings[name] = values
    return settings


def plain_settings(scope: Scope) -> dict[str, object]:
    return {name: value for name, value in scope.region.settings.items() if is_plain(value)}


def channels_of(scope: Scope) -> list[int]:
    """The channels of what flows in; 0 where nobody knows."""
    values = [*scope.flows, *scope.named]
    return [value.shape[0] if value.shape else 0 for value in values]


def in_order(root: Scope) -> Iterator[list[Scope]]:
    """The scopes that may become blocks by kinds, those that others hold first."""
    heights: dict[Scope, int] = {}
    nested: set[str] = set()
    for scope in root.scopes():
        inner = [heights[one] for one in scope.items if isinstance(one, Scope)]
        heights[scope] = max(inner, default=0) + scope.is_block
        around = scope.parent
        while scope.is_block and around is not None:
            if around.is_block and around.kind == scope.kind:
                nested.add(scope.kind)
            around = around.parent
    kinds: dict[Key, list[Scope]] = defaultdict(list)
    for scope in root.scopes():
        if scope.is_block:
            kinds[key_of(scope, heights, nested)].append(scope)
    visited: set[Key] = set()

    def visit(key: Key) -> Iterator[list[Scope]]:
        if key in visited:
            return
        visited.add(key)
        for scope in kinds[key]:
            for inner in blocks_in(scope):
                yield from visit(key_of(inner, heights, nested))
        yield kinds[key]

    for key in list(kinds):
        yield from visit(key)


def key_of(scope: Scope, heights: Mapping[Scope, int], nested: set[str]) -> Key:
    """A kind; by height where one may lie in another of its kind."""
    return scope.kind, heights[scope] if scope.kind in nested else 0


def blocks_in(scope: Scope) -> Iterator[Scope]:
    """The blocks that stand in a scope, or in its groups."""
    for item in scope.items:
        if isinstance(item, Scope):
            if item.is_block:
                yield item
            else:
                yield from blocks_in(item)
