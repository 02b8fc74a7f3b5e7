"""What differs between the turns of a loop: the columns of a table."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import cast

from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import (
    Body,
    Chain,
    LabelPart,
    Line,
    Numbered,
    Stage,
    Text,
    Varying,
)
from netdsl.importers.recover.slots import Instances, Slots, same
from netdsl.importers.recover.unify import Clash

TIMES, REST = "n", "rest"
"""How often a body is repeated; how often after one that stands before it."""
TAIL = re.compile(r"(.*?)(0|[1-9][0-9]*)")


class Columns:
    """The columns of a table: what differs between the turns of a loop."""

    def __init__(self, count: int, taken: set[str]) -> None:
        instances = Instances(dict.fromkeys(range(count), 1), {}, {})
        self.slots = Slots(instances, set(taken))
        self.count = count
        self.labels: list[tuple[str, dict[int, object]]] = []

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.labels] + [slot.name for slot in self.slots.chosen]

    def rows(self) -> list[list[object]]:
        columns = [values for _, values in self.labels]
        columns += [slot.values for slot in self.slots.chosen]
        return [[column[row] for column in columns] for row in range(self.count)]

    def is_progression(self) -> bool:
        return len(self.names) == 1 and is_counting([row[0] for row in self.rows()])

    def counted_from(self, first: int, merged: list[Stage]) -> list[Stage]:
        """The stages again, where the only column counts from another number."""
        name, column = self.names[0], [row[0] for row in self.rows()]
        is_label = bool(self.labels)
        again = Columns(self.count, self.slots.taken - {name})
        values: dict[int, object] = {row: first + row for row in range(len(column))}
        if not is_label:
            return [self.stage(stage) for stage in merged]
        again.labels.append((name, values))
        again.slots.taken.add(name)
        return [again.stage(stage) for stage in merged]

    def stage(self, stage: Stage) -> Stage:
        label = tuple(map(self.part, stage.label)) if not stage.is_placed else stage.label
        args = {name: self.value(value, name) for name, value in stage.args.items()}
        resolved = replace(
            stage,
            label=label,
            args=args,
            branches=[self.chain(one) for one in stage.branches],
            body=None if stage.body is None else self.body(stage.body),
            otherwise=None if stage.otherwise is None else self.body(stage.otherwise),
        )
        return resolved

    def body(self, body: Body) -> Body:
        return Body([self.line(line) for line in body.lines])

    def line(self, line: Line) -> Line:
        args = {name: self.value(value, "channels") for name, value in line.args.items()}
        return replace(line, chain=self.chain(line.chain), args=args)

    def chain(self, chain: Chain) -> Chain:
        stages = [self.stage(stage) for stage in chain.stages]
        return Chain(stages, chain.source, [self.chain(one) for one in chain.several])

    def value(self, value: object, hint: str) -> object:
        assert isinstance(value, Varying)
        values = list(value.values.values())
        if not values:  # no row has the stage that it belongs to
            raise Clash
        if hint == REST:
            return self.times(cast("dict[int, int]", value.values))
        if all(same(one, values[0]) for one in values):
            return values[0]
        if all(isinstance(one, Share) for one in values):
            return self.share(cast("dict[int, Share]", value.values))
        if any(type(one) not in (int, float, bool, tuple) for one in values):
            raise Clash
        return self.slots.express(value.values, hint)

    def share(self, shares: dict[int, Share]) -> object:
        """A share of stochastic depth by its step."""
        step = self.number({row: share.step for row, share in shares.items()})
        return Text(next(iter(shares.values())).text(f"({step})" if " " in step else step))

    def times(self, rest: dict[int, int]) -> object:
        """How often the rest of a run comes: the run is counted with its first."""
        counts = list(rest.values())
        if all(count == counts[0] for count in counts):
            return counts[0]
        whole = {row: count + 1 for row, count in rest.items()}
        return Text(f"{self.slots.own(whole, TIMES, '')} - 1")

    def part(self, part: LabelPart) -> LabelPart:
        if not isinstance(part, Varying):
            return part
        pieces = {row: TAIL.fullmatch(str(text)) for row, text in part.values.items()}
        stems = {piece[1] for piece in pieces.values() if piece}
        if len(stems) != 1 or None in pieces.values():
            raise Clash
        numbers = {row: int(piece[2]) for row, piece in pieces.items() if piece}
        return Numbered(stems.pop(), self.number(numbers))

    def number(self, numbers: dict[int, int]) -> str:
        """The number of a label: a column, or so much more than one."""
        for name, values in self.labels:
            ahead = {numbers[row] - cast(int, values[row]) for row in numbers}
            if len(ahead) == 1:
                more = ahead.pop()
                return f"{name} + {more}" if more > 0 else f"{name} - {-more}" if more else name
        names = ("i", "k", "j")
        free = (name for name in names if self.slots.free(name) == name)
        name = next(free, self.slots.free("i"))
        self.slots.taken.add(name)
        self.labels.append((name, dict(numbers)))
        return name


def is_counting(values: list[object]) -> bool:
    return all(type(v) is int for v in values) and all(
        cast(int, b) - cast(int, a) == 1 for a, b in pairwise(values)
    )
