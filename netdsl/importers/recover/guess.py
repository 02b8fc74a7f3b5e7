"""Regions for a source that has none: where names with a common beginning hold together.

The layers below `layer1.0` become a region if what lies between them takes one value and gives
one. A sum with what flows in, and an activation behind it, belong to the region before them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from netdsl.importers.program import Call, Item, Path, Program, Region, Table, Value
from netdsl.importers.recover.weights import has_weights
from netdsl.ops import registry

ALIKE = 0.6
"""The share of names that two regions must have in common to be of one kind."""
NUMBERED = re.compile(r"([A-Za-z]{3,})[_-]?[0-9]+[a-z]?")
GENERAL = {"block", "branch", "conv", "group", "layer", "level", "module", "norm", "part", "stage"}
"""Words that tell nothing of what is in a region."""
JOINS = {"add": "Residual", "mul": "Gate", "concat": "Branches"}
"""What a region is called that ends in a join."""


def with_regions(program: Program) -> Program:
    """The program with regions guessed from the paths of its layers, if it has none."""
    if any(isinstance(item, Region) for item in program.root.items):
        return program
    root = replace(program.root, items=_Guess(program).items())
    return replace(program, root=root)


@dataclass(frozen=True, slots=True)
class _Part:
    """The calls of a region, by their numbers, and what comes in and out."""

    path: Path
    calls: frozenset[int]
    entry: Value
    exit: Value


class _Guess:
    def __init__(self, program: Program) -> None:
        self.root = program.root
        self.calls = list(program.root.calls())
        self.tables = {table.value for table in program.root.tables()}
        self.producer = {v: n for n, call in enumerate(self.calls) for v in call.outputs}
        self.users: dict[Value, list[int]] = defaultdict(list)
        for number, call in enumerate(self.calls):
            for value in dict.fromkeys((*call.inputs, *call.sized_by())):
                self.users[value].append(number)
        self.inputs = {one.value for one in program.inputs}
        self.outputs = {one.value for one in program.outputs}
        self.weighted = [has_weights(call) for call in self.calls]
        self.table_paths = [table.path for table in program.root.tables()]

    def items(self) -> list[Item]:
        """The items of the root, in regions."""
        tables = [item for item in self.root.items if isinstance(item, Table)]
        everything = frozenset(range(len(self.calls)))
        return [*tables, *self.nested((), everything)]

    def nested(self, path: Path, inside: frozenset[int]) -> list[Item]:
        """The calls inside a region, those that hold together in regions of their own."""
        parts = list(self.parts(path, inside))
        owner = {number: part for part in parts for number in part.calls}
        items: list[Item] = []
        opened: set[Path] = set()
        for number in sorted(inside):
            part = owner.get(number)
            if part is None:
                items.append(self.calls[number])
            elif part.path not in opened:
                opened.add(part.path)
                items.append(self.region(part))
        return items

    def region(self, part: _Part) -> Region:
        first = self.calls[min(part.calls)]
        region = Region(part.path, "", first.origin, inputs=[part.entry], outputs=[part.exit])
        region.items = self.nested(part.path, part.calls)
        return region

    def parts(self, path: Path, inside: frozenset[int]) -> Iterable[_Part]:
        """The parts right below a path; where a name does not hold together, those below it."""
        names: dict[str, list[int]] = defaultdict(list)
        depth = len(path)
        for number in sorted(inside):
            own = self.calls[number].path
            if self.weighted[number] and len(own) > depth + 1 and own[:depth] == path:
                names[own[depth]].append(number)
        taken: set[int] = set()
        for name, members in names.items():
            part = self.part((*path, name), members, inside)
            inner_parts = [part] if part is not None else self.parts((*path, name), inside)
            for one in inner_parts:
                if not one.calls & taken:
                    taken |= one.calls
                    yield one

    def part(self, path: Path, members: list[int], inside: frozenset[int]) -> _Part | None:
        """The calls between the layers below a path, if they hold together."""
        if any(own[: len(path)] == path for own in self.table_paths):
            return None
        entry = self.entry(members)
        if entry is None:
            return None
        calls = self.between(entry, members)
        if calls is None or not calls <= inside:
            return None
        exit = self.exit(calls)
        if exit is None or not self.is_closed(calls, entry, path):
            return None
        calls, exit = self.extended(calls, entry, exit, inside)
        return _Part(path, frozenset(calls), entry, exit) if len(calls) > 1 else None

    def entry(self, members: list[int]) -> Value | None:
        """The value that all that flows into some calls comes from."""
        start = min(members)
        values = [v for v in self.calls[start].inputs if v not in self.tables]
        return values[0] if len(values) == 1 else None

    def between(self, entry: Value, members: list[int]) -> set[int] | None:
        """These calls, and those that feed them, back to the entry."""
        calls: set[int] = set()
        stack = list(members)
        while stack:
            number = stack.pop()
            if number in calls:
                continue
            calls.add(number)
            for value in (*self.calls[number].inputs, *self.calls[number].sized_by()):
                if value is entry or value in self.tables or value in self.inputs:
                    continue
                producer = self.producer.get(value)
                before = self.producer.get(entry, -1)
                if producer is None or producer <= before:
                    return None
                stack.append(producer)
        return self.joined(calls, entry)

    def joined(self, calls: set[int], entry: Value) -> set[int]:
        """With the joins behind them that bring several results together."""
        while True:
            leaving = [v for n in calls for v in self.calls[n].outputs if self.leaves(v, calls)]
            users = {n for v in leaving for n in self.users[v] if n not in calls}
            if len(leaving) < 2 or not users:
                return calls
            user = min(users)
            call = self.calls[user]
            is_fed = all(
                v is entry or v in self.tables or v in self.inputs or self.producer.get(v) in calls
                for v in call.inputs
            )
            if self.weighted[user] or not is_fed:
                return calls
            calls.add(user)

    def leaves(self, value: Value, calls: set[int]) -> bool:
        return value in self.outputs or any(n not in calls for n in self.users[value])

    def exit(self, calls: set[int]) -> Value | None:
        """The only value that others take, if there is one."""
        leaving = [v for n in sorted(calls) for v in self.calls[n].outputs if self.leaves(v, calls)]
        return leaving[0] if len(leaving) == 1 else None

    def is_closed(self, calls: set[int], entry: Value, path: Path) -> bool:
        """Whether all layers with weights lie below the path."""
        owned = (self.calls[n].path for n in calls if self.weighted[n])
        return all(own[: len(path)] == path and len(own) > len(path) for own in owned)

    def extended(
        self, calls: set[int], entry: Value, exit: Value, inside: frozenset[int]
    ) -> tuple[set[int], Value]:
        """With the sum behind them that adds what flowed in, and activations."""
        while len(self.users[exit]) == 1 and exit not in self.outputs:
            number = self.users[exit][0]
            call = self.calls[number]
            flows = [v for v in call.inputs if v is not exit]
            is_join = call.layer in ("add", "concat", "mul") and bool(flows)
            is_sum = is_join and all(v is entry for v in flows)
            is_act = not flows and registry()[call.layer].family == "activations"
            if self.weighted[number] or number not in inside or not (is_sum or is_act):
                break
            if next(call.sized_by(), None) is not None:
                break
            if is_sum and inside == calls | {number}:
                break
            calls, exit = calls | {number}, call.output
        return calls, exit


# --- kinds ----------------------------------------------------------------------------------------


def give_kinds(program: Program) -> None:
    """Give one kind to regions whose layers have much the same names, and no kind to others."""
    sorts: list[tuple[Counter[str], list[Region]]] = []
    around: dict[Region, Region] = {}
    for region, parent in _regions(program.root):
        around[region] = parent
        names = Counter(_names(region))
        for other, members in sorts:
            if _likeness(names, other) >= ALIKE:
                members.append(region)
                break
        else:
            sorts.append((names, [region]))
    sort_of = {region: number for number, (_, members) in enumerate(sorts) for region in members}
    used: Counter[str] = Counter()
    for _, members in sorts:
        if len(members) < 2 or _are_one_part(members, around, sort_of) or _are_rows(members):
            continue
        names = Counter(map(_end, members))
        end = next((name for name in JOINS.values() if name in names), names.most_common(1)[0][0])
        end = _stem(members) or end
        used[end] += 1
        kind = end if used[end] == 1 else f"{end}{used[end]}"
        for region in members:
            region.kind = kind


def _stem(members: Sequence[Region]) -> str:
    """The word before the number in what all of them are called: `Fire` of `fire2`, `fire3`."""
    matches = [NUMBERED.fullmatch(region.path[-1]) for region in members]
    stems = {match[1].lower() for match in matches if match}
    if len(stems) != 1 or None in matches or stems & GENERAL:
        return ""
    return stems.pop().capitalize()


def _are_one_part(
    members: list[Region], around: dict[Region, Region], sort_of: dict[Region, int]
) -> bool:
    """Whether each is the one part of its sort in a region of one other sort."""
    parents = [around[region] for region in members]
    sorts = {sort_of.get(parent, -1) for parent in parents}
    return len(sorts) == 1 and -1 not in sorts and len(set(parents)) == len(parents)


def _are_rows(members: list[Region]) -> bool:
    """Whether they are regions one after the other, as many as there are or by number."""
    counts: set[int] = set()
    are_numbered = True
    for region in members:
        inner = [item for item in region.items if isinstance(item, Region)]
        if len(inner) < 2 or len(inner) < len(region.items):
            return False
        counts.add(len(inner))
        are_numbered = are_numbered and all(one.path[-1].isdigit() for one in inner)
    return len(counts) > 1 or are_numbered


def _regions(region: Region) -> Iterable[tuple[Region, Region]]:
    """The regions in one, each with the one around it."""
    for item in region.items:
        if isinstance(item, Region):
            yield item, region
            yield from _regions(item)


def _names(region: Region) -> Iterable[str]:
    """The layers of a region with their names below it, without numbers."""
    depth = len(region.path)
    for call in region.calls():
        if has_weights(call):
            yield f"{call.layer} {re.sub('[0-9]+', '#', '.'.join(call.path[depth:]))}"


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    return (one & other).total() / max(1, (one | other).total())


def _end(region: Region) -> str:
    """What a region is called: by how it ends, or by what it is made of."""
    calls = list(region.calls())
    layers = [call.layer for call in calls]
    acts = [layer for layer in layers if registry()[layer].family == "activations"]
    plain = [layer for layer in layers if layer not in acts]
    if len(calls) <= 3 and layers[0] in ("conv", "linear", "conv_transpose"):
        norm = "Norm" * any(registry()[layer].family == "norms" for layer in plain)
        return f"{'Linear' if layers[0] == 'linear' else 'Conv'}{norm}"
    own = [item for item in region.items if isinstance(item, Call) and item.layer not in acts]
    if own and own[-1].layer in JOINS and len(own[-1].inputs) > 1:
        return JOINS[own[-1].layer]
    word = re.sub(r"[^A-Za-z]+", " ", region.path[-1]).title().replace(" ", "")
    return word or "Stage"
