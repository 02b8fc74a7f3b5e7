"""Stages that repeat: `repeat`, and `for` over numbers or a table of what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from netdsl.importers.recover.columns import REST, TIMES, Columns
from netdsl.importers.recover.exact import exact_stage
from netdsl.importers.recover.inline import Inline, number, width
from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import (
    Argument,
    Body,
    Chain,
    Line,
    Stage,
    Varying,
    parts_of,
)
from netdsl.importers.recover.slots import same
from netdsl.importers.recover.unify import Clash, Merger, is_act, lifted_stage

PERIOD = 6
"""The most stages that repeat together."""
TABLE = 2.2
"""What a table costs, in stages; a loop must save more."""
NUMBER = 0.15
"""What a number in a table costs."""
TWICE = 2.5
"""What it costs that a loop has two turns only."""
LONG = 52
"""A table that is wider has a line of its own."""
FROM, TO = "start", "stop"
Segment = list[Stage]


@dataclass(eq=False, slots=True)
class Choice:
    """A loop in place of the stages from `start` to `end`, and how many stages it saves."""

    start: int
    end: int
    loop: Stage
    gain: float


@dataclass(eq=False, slots=True)
class Runs:
    """Finds loops in the bodies of one net or block; `lets` are lines for its tables.

    `taken` are names of numbers that are in force, `values` those of values and labels.
    """

    inline: Inline
    taken: set[str]
    with_lets: bool = True
    lets: list[Line] = field(default_factory=list[Line])
    unrolled: dict[Stage, Stage] = field(default_factory=dict[Stage, Stage])
    shapes: dict[Stage, str] = field(default_factory=dict[Stage, str])

    def whole(self, body: Body) -> Body:
        """The body of a net or block, with its tables."""
        looped = self.body(body)
        at = next((n for n, line in enumerate(looped.lines) if not line.declared), 0)
        return Body([*looped.lines[:at], *self.lets, *looped.lines[at:]])

    def body(self, body: Body) -> Body:
        return Body([replace(line, chain=self.chain(line.chain)) for line in body.lines])

    def chain(self, chain: Chain) -> Chain:
        several = [self.chain(one) for one in chain.several]
        return Chain(self.stages(chain.stages), chain.source, several, chain.present)

    def stages(self, stages: list[Stage]) -> list[Stage]:
        stages = [self.inside(stage) for stage in stages]
        while (best := self.best(stages)) is not None:
            loop = self.finished(best.loop)
            stages = [*stages[: best.start], loop, *stages[best.end :]]
        return stages

    def inside(self, stage: Stage) -> Stage:
        """A stage with loops in its parts."""
        looped = replace(
            stage,
            branches=[_one_branch(self.chain(one)) for one in stage.branches],
            body=None if stage.body is None else self.body(stage.body),
            otherwise=None if stage.otherwise is None else self.body(stage.otherwise),
        )
        self.unrolled[looped] = stage
        return looped

    # --- which ---------------------------------------------------------------------------------

    def best(self, stages: list[Stage]) -> Choice | None:
        """The loop that saves most."""
        for stage in stages:
            if stage not in self.shapes:
                self.shapes[stage] = shape_of(self.peeled(stage))
        shapes = [self.shapes[stage] for stage in stages]
        sizes = [size_of(stage) for stage in stages]
        best: Choice | None = None
        for start, period, times in repeats(shapes):
            end = start + period * times
            written = sum(sizes[start:end])
            if best is not None and written - period - 1 <= best.gain:
                continue
            segments = [stages[n : n + period] for n in range(start, end, period)]
            for loop, gain in self.loops(segments, written):
                if best is None or gain > best.gain:
                    best = Choice(start, end, loop, gain)
        for start, end in same_calls(shapes, stages):
            groups = heads_and_tails(stages[start:end], self.defaults(stages[start]))
            if 2 < len(groups) <= (end - start) * 3 // 4:
                choice = self.table(list(map(head_and_tail, groups)), end - start)
                if choice is not None and (best is None or choice[1] > best.gain):
                    best = Choice(start, end, *choice)
        return best if best is not None and best.gain > 0 else None

    def loops(self, segments: list[Segment], written: int) -> Iterator[tuple[Stage, float]]:
        """The loops for segments of one shape, and how many of the written stages they save."""
        origin = segments[0][0].origin
        first = "".join(map(exact_stage, segments[0]))
        if all("".join(map(exact_stage, one)) == first for one in segments[1:]):
            body = Body([Line((), Chain(segments[0]), origin)])
            times: dict[str, Argument] = {TIMES: len(segments)}
            saved = written - sum(map(size_of, segments[0]))
            yield Stage("repeat", "", origin, body=body, args=times), saved - 1
            return
        raw = [[self.unrolled.get(stage, stage) for stage in one] for one in segments]
        peeled = [[self.peeled(stage) for stage in one] for one in segments]
        for variant in (segments, peeled, raw):
            choice = self.table(variant, written)
            if choice is not None:
                yield choice

    def peeled(self, stage: Stage) -> Stage:
        """A group whose calls are written as the first, and then the rest in a loop."""
        raw = self.unrolled.get(stage, stage)
        if raw.kind != "group" or raw.body is None or len(raw.body.lines) != 1:
            return stage
        line = raw.body.lines[0]
        shapes = [shape_of(one) for one in line.chain.stages]
        if not shapes or len(set(shapes)) != 1 or line.chain.stages[0].kind != "call":
            return stage
        groups = heads_and_tails(line.chain.stages, self.defaults(line.chain.stages[0]))
        if len(groups) != 1:
            return stage
        chain = Chain(head_and_tail(groups[0]), line.chain.source, line.chain.several)
        return replace(raw, body=Body([replace(line, chain=chain)]))

    def defaults(self, stage: Stage) -> dict[str, object]:
        """The defaults of a block, each as an argument."""
        definition = self.inline.definitions[stage.name]
        return {one.name: read_back(one.default) for one in definition.parameters if one.default}

    def table(self, segments: list[Segment], written: int) -> tuple[Stage, float] | None:
        """A loop over a table of what differs."""
        inner = {name for one in segments for stage in one for name in _columns_in(stage)}
        merger = Merger(self.inline, counts=True, is_strict=True)
        try:
            merged = _of_row(segments[0], 0)
            for row, segment in enumerate(segments[1:], 1):
                merged = merger.stages(merged, _of_row(segment, row))
            columns = Columns(len(segments), self.taken | inner)
            stages = [columns.stage(stage) for stage in merged]
        except Clash:
            return None
        count = len(columns.names)
        gain = written - sum(map(size_of, stages)) - TABLE - max(0, count - 2)
        gain -= NUMBER * count * len(segments) + TWICE * (len(segments) == 2)
        body = Body([Line((), Chain(stages), segments[0][0].origin)])
        loop = Stage("for", "", segments[0][0].origin, body=body)
        loop.columns, loop.table = columns.names, columns.rows()
        if columns.is_progression():
            gain += 1 + NUMBER * len(segments)
            first = cast(int, loop.table[0][0])
            if first == 1:
                first, stages = 0, columns.counted_from(0, merged)
                loop.body = Body([Line((), Chain(stages), segments[0][0].origin)])
            loop.args = {FROM: first, TO: first + len(segments)}
            loop.table = []
        return loop, gain

    # --- how -----------------------------------------------------------------------------------

    def finished(self, loop: Stage) -> Stage:
        """A loop with the text of what it goes over."""
        if loop.kind == "repeat":
            return loop
        if FROM in loop.args:
            return loop
        names = loop.columns[0] if len(loop.columns) == 1 else f"({', '.join(loop.columns)})"
        text = _listed(loop)
        if width(text) > LONG and self.with_lets:
            name = self.let(text, loop)
            loop.head = f"{names} in {name}"
        else:
            loop.head = f"{names} in {text}"
        return loop

    def let(self, text: str, loop: Stage) -> str:
        stem = "stages" if len(loop.columns) > 1 else loop.columns[0] + "s"
        name, n = stem, 1
        while name in self.taken:
            n += 1
            name = f"{stem}{n}"
        self.taken.add(name)
        if len(loop.columns) > 1:
            comment = f"# {', '.join(loop.columns)}"
            self.lets.append(Line((), Chain([]), loop.origin, declared=comment))
        self.lets.append(Line((), Chain([]), loop.origin, declared=f"let {name} = {text}"))
        return name


def _one_branch(chain: Chain) -> Chain:
    """A branch; in braces where it is a loop alone, which would make a branch of each turn."""
    is_alone = chain.source is None and not chain.several and len(chain.stages) == 1
    if not is_alone or chain.stages[0].kind != "for" or chain.stages[0].label:
        return chain
    loop = chain.stages[0]
    body = Body([Line((), chain, loop.origin)])
    return Chain([Stage("group", "", loop.origin, body=body)], present=chain.present)


def _listed(loop: Stage) -> str:
    """`0..3`, `[64, 128]`, `[[64, 1], [128, 2]]`."""
    rows = loop.table
    if len(loop.columns) == 1:
        return f"[{', '.join(number(row[0]) for row in rows)}]"
    texts = [f"[{', '.join(map(number, row))}]" for row in rows]
    return f"[{', '.join(texts)}]"


def _of_row(segment: Segment, row: int) -> list[Stage]:
    """A segment as a turn of a loop; what runs no time in it says nothing of its numbers."""
    lifted = [lifted_stage(stage, frozenset((row,))) for stage in segment]
    for stage in lifted:
        _silence(stage, is_silent=False)
    return lifted


def _silence(stage: Stage, *, is_silent: bool) -> None:
    if is_silent:
        for value in stage.args.values():
            cast(Varying, value).values.clear()
    rest = stage.args.get(REST)
    is_silent = is_silent or (isinstance(rest, Varying) and 0 in rest.values.values())
    for chain in parts_of(stage):
        for one in chain.stages:
            _silence(one, is_silent=is_silent)


def _columns_in(stage: Stage) -> Iterator[str]:
    """The numbers that loops in a stage go by."""
    yield from stage.columns
    for chain in parts_of(stage):
        for one in chain.stages:
            yield from _columns_in(one)


# --- what repeats -------------------------------------------------------------------------------


def repeats(shapes: list[str]) -> Iterator[tuple[int, int, int]]:
    """Where stages of one shape follow each other: the start, the period, how often."""
    for period in range(1, PERIOD + 1):
        start = 0
        while start + 2 * period <= len(shapes):
            end = start + period
            while end < len(shapes) and shapes[end] == shapes[end - period]:
                end += 1
            times = (end - start) // period
            if times > 1:
                for shift in range(min(period, end - start - period * times + 1)):
                    yield start + shift, period, times
            start = max(start + 1, end - 2 * period + 1) if times > 1 else start + 1


def same_calls(shapes: list[str], stages: list[Stage]) -> Iterator[tuple[int, int]]:
    """The longest runs of calls of one block."""
    start = 0
    while start < len(stages):
        end = start + 1
        while end < len(stages) and shapes[end] == shapes[start]:
            end += 1
        if stages[start].kind == "call" and end - start > 3:
            yield start, end
        start = end


def heads_and_tails(stages: list[Stage], defaults: Mapping[str, object]) -> list[Segment]:
    """Calls of one block in groups: one, and those behind it with the same but for defaults."""
    groups: list[Segment] = []
    for stage in stages:
        if groups and _follows(groups[-1], stage, defaults):
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _follows(group: Segment, stage: Stage, defaults: Mapping[str, object]) -> bool:
    """Whether a call goes on with a group: as those before it, or as the first but for defaults."""
    if not (stage.is_placed and group[0].is_placed):
        return False
    if len(group) > 1:
        return exact_stage(group[-1]) == exact_stage(stage)
    differ = [name for name, value in stage.args.items() if not same(group[0].args[name], value)]
    return all(same(stage.args[name], defaults.get(name)) for name in differ)


def head_and_tail(group: Segment) -> Segment:
    """The first call, then a loop over the others; there may be none."""
    rest = group[1] if len(group) > 1 else group[0]
    inner = Body([Line((), Chain([rest]), rest.origin)])
    loop = Stage("repeat", "", rest.origin, body=inner, args={REST: len(group) - 1})
    return [group[0], loop]


def read_back(text: str) -> object:
    """The number that a default is."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def shape_of(stage: Stage) -> str:
    """A stage without its numbers, as text."""
    if stage.is_placed:
        label = "#"
    else:
        label = ".".join(
            part.rstrip("0123456789") + "#" * part[-1:].isdigit()
            if isinstance(part, str)
            else str(part)
            for part in stage.label
        )
    args = [
        f"{name}" if type(value) in (int, float, bool, tuple, Share) else f"{name}={value}"
        for name, value in stage.args.items()
    ]
    inner = ";".join(
        f"{chain.source}({len(chain.several)})" + ">".join(map(shape_of, chain.stages))
        for chain in parts_of(stage)
    )
    act = stage.name if is_act(stage) else ""
    is_loop = stage.kind in ("repeat", "for")
    kind = "loop" if is_loop else stage.kind
    return f"{kind} {label}:{stage.name}{act}({args}){'' if is_loop else stage.head}[{inner}]"


def size_of(stage: Stage) -> int:
    """How many stages are written."""
    return 1 + sum(size_of(one) for chain in parts_of(stage) for one in chain.stages)
