"""The body of a block: parameters and conditions in place of what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from netdsl.importers.recover.conditions import Conditions
from netdsl.importers.recover.sketch import Argument, Body, Chain, Line, Stage, Text, Varying
from netdsl.importers.recover.slots import Slots
from netdsl.importers.recover.unify import ACT, Clash

Ids = frozenset[int]
CROWD = 3
"""From so many parameters of one name on, each is called by the label of its layer too."""


class Resolver:
    """Resolves merged bodies; complete vectors come first, so that others can speak of them."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.conditions = Conditions(slots)

    def body(self, body: Body) -> Body:
        """A body for all instances."""
        ids = self.slots.instances.ids
        whole = [one for one in _vectors(body) if one[2].keys() == ids]
        kinds = {(hint, *map(str, vector.values())): hint for hint, _, vector in whole}
        counts = Counter(kinds.values())
        self.slots.crowded = {hint for hint, count in counts.items() if count >= CROWD}
        for hint, label, vector in whole:
            self.slots.express(vector, hint, label)
        return self._body(body, ids)

    def _body(self, body: Body, ids: Ids) -> Body:
        return Body([self._line(line, ids) for line in body.lines])

    def _line(self, line: Line, ids: Ids) -> Line:
        args = {name: self._value(value, "channels", "") for name, value in line.args.items()}
        return replace(line, chain=self._chain(line.chain, ids), args=args)

    def _chain(self, chain: Chain, ids: Ids) -> Chain:
        several = [self._chain(one, ids) for one in chain.several]
        return Chain(self._stages(chain.stages, ids), chain.source, several)

    def _stages(self, stages: list[Stage], ids: Ids) -> list[Stage]:
        resolved: list[Stage] = []
        groups = list(_by_presence(stages))
        while groups:
            present, members = groups.pop(0)
            inner = [self._stage(stage) for stage in members]
            if present == ids:
                resolved += inner
                continue
            condition = self.conditions.condition(present, ids, _name_of(members))
            branch = Stage("if", "", members[0].origin, body=_body_of(inner), head=condition)
            if groups and groups[0][0] == ids - present:
                others = [self._stage(stage) for stage in groups.pop(0)[1]]
                branch.otherwise = _body_of(others)
            resolved.append(branch)
        return resolved

    def _stage(self, stage: Stage) -> Stage:
        ids = stage.present
        label = _label(stage)
        args = {name: self._value(value, name, label) for name, value in stage.args.items()}
        resolved = replace(
            stage,
            args=args,
            branches=[self._branch(one, ids) for one in stage.branches],
            body=None if stage.body is None else self._body(stage.body, ids),
            otherwise=None if stage.otherwise is None else self._body(stage.otherwise, ids),
        )
        if stage.name == ACT and ACT in args:
            act = args[ACT]
            resolved.name = act.text if isinstance(act, Text) else ACT
            resolved.args = {}
        return resolved

    def _branch(self, chain: Chain, ids: Ids) -> Chain:
        if chain.present == ids or not chain.present:
            return self._chain(chain, ids)
        inner = self._chain(chain, chain.present)
        condition = self.conditions.condition(chain.present, ids, _name_of(chain.stages))
        origin = chain.stages[0].origin
        body = Body([Line((), inner, origin)])
        return Chain([Stage("if", "", origin, body=body, head=condition)])

    def _value(self, value: Argument, hint: str, label: str) -> Argument:
        if not isinstance(value, Varying):
            return value
        return cast(Argument, self.slots.express(value.values, hint, label))


def _vectors(body: Body, outer: str = "") -> Iterator[tuple[str, str, dict[int, object]]]:
    for line in body.lines:
        for value in line.args.values():
            if isinstance(value, Varying):
                yield "channels", outer, value.values
        yield from _vectors_in(line.chain, outer)


def _vectors_in(chain: Chain, outer: str) -> Iterator[tuple[str, str, dict[int, object]]]:
    for one in chain.several:
        yield from _vectors_in(one, outer)
    for stage in chain.stages:
        label = _label(stage) or outer
        for one in stage.branches:
            yield from _vectors_in(one, label)
        for inner in (stage.body, stage.otherwise):
            if inner is not None:
                yield from _vectors(inner, label)
        for name, value in stage.args.items():
            if isinstance(value, Varying):
                yield name, label, value.values


def _label(stage: Stage) -> str:
    parts = [part for part in stage.label if isinstance(part, str) and not part.isdigit()]
    return "" if stage.is_placed else "_".join(parts)


def _by_presence(stages: list[Stage]) -> Iterator[tuple[Ids, list[Stage]]]:
    """Neighbours that the same instances have."""
    members: list[Stage] = []
    for stage in stages:
        if members and stage.present != members[0].present:
            yield members[0].present, members
            members = []
        members.append(stage)
    if members:
        yield members[0].present, members


def _body_of(stages: list[Stage]) -> Body:
    return Body([Line((), Chain(stages), stages[0].origin)])


def _name_of(stages: list[Stage]) -> str:
    """What a condition of its own is called: the label of the part, or its name."""
    for stage in stages:
        parts = [part for part in stage.label if isinstance(part, str)]
        if parts and not stage.is_placed and parts[-1].isidentifier():
            return parts[-1]
    for stage in stages:
        if stage.name and stage.name.isidentifier():
            return f"with_{stage.name.lower()}"
    return "with_part"


__all__ = ["Clash", "Resolver"]
