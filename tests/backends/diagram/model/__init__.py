"""What is drawn, apart from where: shapes, levels, units and ideas, against what a person says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import netdsl
from netdsl.ir.graph import Graph
from tests.examples import network

FOLDER = Path(__file__).parent / "networks"
WRITTEN = sorted(path.stem for path in FOLDER.glob("*.net"))
"""Networks written for these tests, none of which is an example."""


@cache
def graph_of(name: str) -> Graph:
    """The graph of a network written for these tests, or of an example."""
    return netdsl.load(FOLDER / f"{name}.net").graph if name in WRITTEN else network(name).graph
