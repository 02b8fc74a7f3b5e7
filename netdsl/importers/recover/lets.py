"""Numbers of a block that get a name: formulas written often, and the channels that flow in.

In a branch `in` is what flows into the branch, so behind other stages the channels of the block go
by a name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from netdsl.importers.recover.names import KEPT
from netdsl.importers.recover.sketch import (
    Argument,
    Body,
    Chain,
    Line,
    Stage,
    Text,
    chains_of,
    stages_in,
)

OFTEN = 3
"""A formula that is written so often gets a name."""
INCOMING = re.compile(r"\bin\.channels\b")


def with_lets(body: Body, taken: set[str]) -> Body:
    """The body of a block, with `let` lines for what is written often or far from its head."""
    counts: Counter[str] = Counter()
    hints: dict[str, str] = {}
    for chain in chains_of(body):
        for stage in stages_in(chain):
            for name, value in stage.args.items():
                if isinstance(value, Text) and " " in value.text and "(" not in value.text:
                    counts[value.text] += 1
                    hints.setdefault(value.text, name)
    names: dict[str, str] = {}
    for text, count in counts.items():
        if count >= OFTEN:
            is_count = "channels" in hints[text] or hints[text] in ("groups", "features")
            stem = "hidden" if is_count else hints[text]
            names[text] = free(stem, taken | set(names.values()))
    lets = _Lets(names, free("wide", taken | set(names.values())))
    lines = [replace(line, chain=lets.chain(line.chain, at_entry=True)) for line in body.lines]
    declared = [(name, text) for text, name in names.items()]
    if lets.is_used:
        declared.insert(0, (lets.incoming, "in.channels"))
    origin = body.lines[0].origin
    head = [Line((), Chain([]), origin, declared=f"let {n} = {text}") for n, text in declared]
    return Body([*head, *lines])


def free(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name in taken or name in KEPT:
        number += 1
        name = f"{stem}{number}"
    return name


class _Lets:
    def __init__(self, names: dict[str, str], incoming: str) -> None:
        self.names, self.incoming = names, incoming
        self.is_used = False

    def chain(self, chain: Chain, *, at_entry: bool, is_branch: bool = False) -> Chain:
        """A chain; `at_entry` where what flows in is what flows into the block.

        `is_branch` is True where `in` is not that of the block.
        """
        several = [self.chain(one, at_entry=False, is_branch=is_branch) for one in chain.several]
        at_entry = at_entry and chain.source is None and not several
        stages: list[Stage] = []
        for number, stage in enumerate(chain.stages):
            stages.append(self.stage(stage, at_entry and not number, is_branch))
        return replace(chain, stages=stages, several=several)

    def body(self, body: Body | None, at_entry: bool, is_branch: bool) -> Body | None:
        if body is None:
            return None
        chains = (
            self.chain(one.chain, at_entry=at_entry, is_branch=is_branch) for one in body.lines
        )
        return Body([replace(one, chain=c) for one, c in zip(body.lines, chains, strict=True)])

    def stage(self, stage: Stage, at_entry: bool, is_branch: bool) -> Stage:
        inner = is_branch or not at_entry
        return replace(
            stage,
            args={name: self.value(value, is_branch) for name, value in stage.args.items()},
            head=self.text(stage.head, is_branch),
            branches=[
                self.chain(one, at_entry=at_entry, is_branch=inner) for one in stage.branches
            ],
            body=self.body(stage.body, at_entry, is_branch),
            otherwise=self.body(stage.otherwise, at_entry, is_branch),
        )

    def value(self, value: Argument, is_branch: bool) -> Argument:
        if not isinstance(value, Text):
            return value
        if value.text in self.names:
            return Text(self.names[value.text])
        text = self.text(value.text, is_branch)
        return value if text == value.text else Text(text)

    def text(self, text: str, is_branch: bool) -> str:
        if not is_branch or not INCOMING.search(text):
            return text
        self.is_used = True
        return INCOMING.sub(self.incoming, text)
