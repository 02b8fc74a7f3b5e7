"""From a program to text that reads as if a person had written it."""

from __future__ import annotations

from netdsl.importers.marked import Marks
from netdsl.importers.program import Program
from netdsl.importers.recover.bodies import Bodies
from netdsl.importers.recover.places import place_labels
from netdsl.importers.recover.regions import scopes_of
from netdsl.importers.recover.write import Writer


def recovered(program: Program, marks: Marks) -> str:
    """The program as text, with marks."""
    root = scopes_of(program, with_blocks=False)
    bodies = Bodies(program, root, lambda scope: NotImplemented)
    body = bodies.net()
    place_labels(body)
    writer = Writer([], marks)
    writer.net(program.name, body, root.region.origin, program.doc)
    return writer.text()
