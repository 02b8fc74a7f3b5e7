"""Pictures of the examples, each made once for all tests that only read it."""

from __future__ import annotations

from functools import cache

from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Picture
from tests.examples import network

DEFAULT = Options()
ROWS = Options(expand=("none",))
"""Rows of units, all blocks closed."""
EVERYTHING = Options(depth=9)
"""All blocks open."""
PAGE = 468.0
"""Points: the 6.5 inches between the margins of a letter page."""
PRINTED = Options(width=PAGE)


@cache
def picture(name: str, options: Options) -> Picture:
    """An example, drawn."""
    return picture_of(network(name).graph, options)
