"""From a program to text that reads as if a person had written it."""

from __future__ import annotations

from netdsl.importers.flat import flat
from netdsl.importers.marked import Marks
from netdsl.importers.program import Program


def recovered(program: Program, marks: Marks) -> str:
    """The program as text, with marks."""
    return flat(program, marks)
