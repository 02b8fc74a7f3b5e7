"""Several bodies as one: what differs between them is kept as a value for each.

Where the structure differs, a part is there for some of them only: a stage, a branch, or the join
around a branch. `Clash` is raised where they have too little in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from netdsl.importers.recover.inline import Inline
from netdsl.importers.recover.sketch import (
    Argument,
    Body,
    Chain,
    LabelPart,
    LayerText,
    Line,
    Numbered,
    Stage,
    Varying,
)
from netdsl.ops import registry

T = TypeVar("T")
Ids = frozenset[int]
ACT = "act"
"""The name of the parameter that stands for an activation."""
MOST = 4000
"""Pairs of stages that are compared where chains differ in structure."""
JOINS = ("add", "concat")
"""Joins that pass on the one value that comes in."""


class Clash(Exception):
    """Two parts that can't be made one."""


# --- one body as that of an instance ----------------------------------------------------------


def lifted(body: Body, ids: Ids) -> Body:
    """A body in which each argument is a value for each of these instances."""
    return Body([_lifted_line(line, ids) for line in body.lines])


def _lifted_line(line: Line, ids: Ids) -> Line:
    return replace(line, chain=_lifted_chain(line.chain, ids), args=_spread(line.args, ids))


def _lifted_chain(chain: Chain, ids: Ids) -> Chain:
    return Chain(
        [lifted_stage(stage, ids) for stage in chain.stages],
        chain.source,
        [_lifted_chain(one, ids) for one in chain.several],
        ids,
    )


def lifted_stage(stage: Stage, ids: Ids) -> Stage:
    return replace(
        stage,
        args=_spread(stage.args, ids),
        branches=[_lifted_chain(one, ids) for one in stage.branches],
        body=None if stage.body is None else lifted(stage.body, ids),
        otherwise=None if stage.otherwise is None else lifted(stage.otherwise, ids),
        present=ids,
    )


def _spread(args: dict[str, Argument], ids: Ids) -> dict[str, Argument]:
    return {name: Varying(dict.fromkeys(ids, value)) for name, value in args.items()}


# --- two bodies ---------------------------------------------------------------------------------


class Merger:
    """Makes two lifted bodies one; `counts` lets numbers in labels differ (in loops).

    With `is_strict` both must have all parts.
    """

    def __init__(self, inline: Inline, *, counts: bool = False, is_strict: bool = False) -> None:
        self.inline, self.counts, self.is_strict = inline, counts, is_strict

    def bodies(self, one: Body, other: Body) -> Body:
        if len(one.lines) != len(other.lines):
            raise Clash
        pairs = zip(one.lines, other.lines, strict=True)
        return Body([self.lines(a, b) for a, b in pairs])

    def lines(self, one: Line, other: Line) -> Line:
        if (one.names, one.output, one.declared) != (other.names, other.output, other.declared):
            raise Clash
        args = self.args(one.args, other.args)
        return replace(one, chain=self.chains(one.chain, other.chain), args=args)

    def chains(self, one: Chain, other: Chain) -> Chain:
        if one.source != other.source or len(one.several) != len(other.several):
            raise Clash
        several = [self.chains(a, b) for a, b in zip(one.several, other.several, strict=True)]
        stages = self.stages(one.stages, other.stages)
        return Chain(stages, one.source, several, one.present | other.present)

    # --- stages -------------------------------------------------------------------------------

    def stages(self, one: list[Stage], other: list[Stage]) -> list[Stage]:
        is_alike = len(one) == len(other) and all(map(self.alike, one, other))
        if is_alike:
            return [self.stage(a, b) for a, b in zip(one, other, strict=True)]
        if self.is_strict:
            raise Clash
        wrapped = _wrapped(one, other, self.alike) or _wrapped(other, one, self.alike)
        if wrapped is not None:
            return self.stages(*wrapped)
        if not any(self.alike(a, b) for a in one for b in other):
            for first, second in ((one, other), (other, one)):
                if [stage.name for stage in second] == ["identity"]:
                    return [*first, *second]
        return self.aligned(one, other)

    def aligned(self, one: list[Stage], other: list[Stage]) -> list[Stage]:
        """Stages of both in order; those without a partner are there for some only."""
        if len(one) * len(other) > MOST:
            raise Clash
        ids = _present(one), _present(other)
        pairs = alignment(one, other, self.alike)
        matched = sum(a is not None and b is not None for a, b in pairs)
        names = {stage.name for stage in (*one, *other)}
        if matched * 2 < len(pairs) and not (matched and "identity" in names):
            raise Clash
        stages: list[Stage] = []
        for a, b in pairs:
            if a is not None and b is not None:
                stages.append(self.stage(a, b))
                continue
            alone = cast(Stage, a or b)
            missing = ids[1] if b is None else ids[0]
            stages.append(self.with_identity(alone, missing) if is_act(alone) else alone)
        return stages

    def with_identity(self, stage: Stage, missing: Ids) -> Stage:
        act = self.as_act(stage)
        values = cast(Varying, act.args[ACT]).values
        both = Varying({**values, **dict.fromkeys(missing, LayerText("identity"))})
        return replace(act, args={ACT: both}, present=stage.present | missing)

    def alike(self, one: Stage, other: Stage) -> bool:
        """Whether two stages may be the same part of two instances."""
        if is_act(one) and is_act(other):
            return True
        is_same = (one.kind, one.name, one.head) == (other.kind, other.name, other.head)
        return is_same and self.labels_alike(one, other)

    def labels_alike(self, one: Stage, other: Stage) -> bool:
        if one.is_placed and other.is_placed:
            return True
        if not self.counts:
            return one.label == other.label
        return len(one.label) == len(other.label) and all(
            _stem(a) == _stem(b) for a, b in zip(one.label, other.label, strict=True)
        )

    def stage(self, one: Stage, other: Stage) -> Stage:
        if is_act(one) and is_act(other):
            return self.acts(one, other)
        if not self.alike(one, other) or one.columns != other.columns:
            raise Clash
        return replace(
            one,
            label=self.label(one, other),
            is_placed=one.is_placed and other.is_placed,
            args=self.args(one.args, other.args),
            branches=self.branches(one.branches, other.branches),
            body=self.maybe(one.body, other.body),
            otherwise=self.maybe(one.otherwise, other.otherwise),
            present=one.present | other.present,
        )

    def maybe(self, one: Body | None, other: Body | None) -> Body | None:
        if one is None or other is None:
            if one is not other:
                raise Clash
            return None
        return self.bodies(one, other)

    def acts(self, one: Stage, other: Stage) -> Stage:
        if one.name == other.name and one.name != ACT:
            try:
                args = self.args(one.args, other.args)
            except Clash:
                pass
            else:
                if all(_is_same(value) for value in args.values()):
                    return replace(one, args=args, present=one.present | other.present)
        one, other = self.as_act(one), self.as_act(other)
        args = self.args(one.args, other.args)
        return replace(one, args=args, present=one.present | other.present)

    def as_act(self, stage: Stage) -> Stage:
        """An activation as a use of a parameter that stands for one."""
        if stage.name == ACT:
            return stage
        args = {
            name: next(iter(cast(Varying, v).values.values())) for name, v in stage.args.items()
        }
        plain = replace(stage, args=cast("dict[str, Argument]", args))
        texts = self.inline.layer_arguments(plain)
        text = LayerText(f"{stage.name}({', '.join(texts)})" if texts else stage.name)
        return replace(stage, name=ACT, args={ACT: Varying(dict.fromkeys(stage.present, text))})

    # --- parts --------------------------------------------------------------------------------

    def branches(self, one: list[Chain], other: list[Chain]) -> list[Chain]:
        if len(one) == len(other):
            return [self.chains(a, b) for a, b in zip(one, other, strict=True)]
        if self.is_strict or not one or not other:
            raise Clash
        pairs = alignment(one, other, self.chains_alike)
        if not any(a is not None and b is not None for a, b in pairs):
            raise Clash
        return [
            self.chains(a, b) if a is not None and b is not None else cast(Chain, a or b)
            for a, b in pairs
        ]

    def chains_alike(self, one: Chain, other: Chain) -> bool:
        if one.source != other.source or bool(one.several) != bool(other.several):
            return False
        if not one.stages or not other.stages:
            return not one.stages and not other.stages
        return any(self.alike(a, b) for a in one.stages for b in other.stages)

    def args(self, one: dict[str, Argument], other: dict[str, Argument]) -> dict[str, Argument]:
        if one.keys() != other.keys():
            raise Clash
        merged: dict[str, Argument] = {}
        for name, value in one.items():
            a, b = cast(Varying, value), cast(Varying, other[name])
            merged[name] = Varying({**a.values, **b.values})
        return merged

    def label(self, one: Stage, other: Stage) -> tuple[LabelPart, ...]:
        if one.is_placed and other.is_placed:
            return one.label
        if one.label == other.label:
            return one.label
        pairs = zip(one.label, other.label, strict=True)
        return tuple(_merged_part(a, b, one.present, other.present) for a, b in pairs)


def _merged_part(one: LabelPart, other: LabelPart, ids: Ids, others: Ids) -> LabelPart:
    if one == other:
        return one
    a = one if isinstance(one, Varying) else Varying(dict.fromkeys(ids, one))
    b = other if isinstance(other, Varying) else Varying(dict.fromkeys(others, other))
    return Varying({**a.values, **b.values})


def _stem(part: LabelPart) -> object:
    """A part of a label without the number at its end."""
    if isinstance(part, Varying):
        return _stem(cast(LabelPart, next(iter(part.values.values()))))
    if isinstance(part, Numbered):
        return part.name
    return part.rstrip("0123456789")


def is_act(stage: Stage) -> bool:
    """Whether a stage is an activation without weights, or stands for one."""
    if stage.kind != "layer" or stage.has_weights or stage.branches:
        return False
    layer = registry().get(stage.name)
    return stage.name == ACT or (layer is not None and layer.family == "activations")


def _is_same(value: Argument) -> bool:
    values = list(cast(Varying, value).values.values())
    return all(one == values[0] for one in values)


def _present(stages: Sequence[Stage]) -> Ids:
    return frozenset().union(*(stage.present for stage in stages))


def _wrapped(
    one: list[Stage], other: list[Stage], alike: Callable[[Stage, Stage], bool]
) -> tuple[list[Stage], list[Stage]] | None:
    """The two with a join around the part of `other` that stands in a join in `one`."""
    forks = [n for n, stage in enumerate(one) if stage.branches and stage.name in JOINS]
    if len(forks) != 1 or any(stage.name == one[forks[0]].name for stage in other):
        return None
    at = forks[0]
    behind = len(one) - at - 1
    ends = len(other) - behind
    if ends <= at or not all(map(alike, one[:at], other[:at])):
        return None
    if behind and not all(map(alike, one[at + 1 :], other[ends:])):
        return None
    inside = other[at:ends]
    ids = _present(inside)
    args = {
        name: Varying(dict.fromkeys(ids, next(iter(cast(Varying, value).values.values()))))
        for name, value in one[at].args.items()
    }
    branch = Chain(inside, present=ids)
    join = replace(one[at], args=args, branches=[branch], present=ids)
    return one, [*other[:at], join, *other[ends:]]


def alignment(
    one: Sequence[T], other: Sequence[T], alike: Callable[[T, T], bool]
) -> list[tuple[T | None, T | None]]:
    """Both in order with as many partners as possible; of equal choices the last partners."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            pair = best[i - 1][j - 1] + 1 if alike(a, b) else 0
            best[i][j] = max(pair, best[i - 1][j], best[i][j - 1])
    pairs: list[tuple[T | None, T | None]] = []
    i, j = len(one), len(other)
    while i or j:
        if i and j and alike(one[i - 1], other[j - 1]) and best[i][j] == best[i - 1][j - 1] + 1:
            i, j = i - 1, j - 1
            pairs.append((one[i], other[j]))
        elif i and (not j or best[i - 1][j] >= best[i][j - 1]):
            i -= 1
            pairs.append((one[i], None))
        else:
            j -= 1
            pairs.append((None, other[j]))
    return pairs[::-1]
