"""From a program to text that reads as if a person had written it."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.importers.marked import Marks
from netdsl.importers.program import Path, Program, Region
from netdsl.importers.recover.blocks import Blocks
from netdsl.importers.recover.guess import give_kinds, with_regions
from netdsl.importers.recover.places import place_labels
from netdsl.importers.recover.regions import scopes_of
from netdsl.importers.recover.sketch import Body, Definition, chains_of, stages_in
from netdsl.importers.recover.slots import Instances, Slots
from netdsl.importers.recover.tables import with_tables_placed
from netdsl.importers.recover.tidy import tidy
from netdsl.importers.recover.write import Writer

MOST = 6
"""How often regions that no other is like are taken out of what may become blocks."""


def recovered(program: Program, marks: Marks) -> str:
    """The program as text, with marks."""
    if not any(isinstance(item, Region) for item in program.root.items):
        program = with_regions(program)
        give_kinds(program)
    blocks = _blocks(with_tables_placed(program))
    body = blocks.bodies.net()
    place_labels(body)
    body = blocks.runs(Slots(Instances({}, {}, {}))).whole(body)
    used = list(dict.fromkeys(_used(body, blocks.definitions)))
    writer = Writer(used, marks)
    writer.net(program.name, tidy(body), program.root.origin, program.doc, program.classes)
    for definition in used:
        definition.body = tidy(definition.body)
        writer.block(definition)
    return writer.text()


def _blocks(program: Program) -> Blocks:
    """The blocks of a program; a region that no other is like is none."""
    inlined: set[Path] = set()
    rounds = 0
    while True:
        blocks = Blocks(program, scopes_of(program, inlined))
        blocks.make()
        rounds += 1
        if blocks.singles <= inlined or rounds == MOST:
            return blocks
        inlined |= blocks.singles


def _used(body: Body, definitions: dict[str, Definition]) -> Iterator[Definition]:
    """The blocks that a body calls, and those that these call, in the order of their first use."""
    calls = [s for chain in chains_of(body) for s in stages_in(chain) if s.kind == "call"]
    shared = [line.chain for line in body.lines if line.declared == "layer"]
    calls += [s for chain in shared for s in chain.stages if s.kind == "call"]
    for name in dict.fromkeys(stage.name for stage in calls):
        yield definitions[name]
    for name in dict.fromkeys(stage.name for stage in calls):
        yield from _used(definitions[name].body, definitions)
