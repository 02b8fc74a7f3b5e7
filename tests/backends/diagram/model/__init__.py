"""What is drawn, apart from where: shapes, levels, units and ideas, against what a person says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import netdsl
from netdsl.backends.diagram.model.overview import overview_units
from netdsl.backends.diagram.model.shape import Shape, recognise
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph
from tests.examples import network

FOLDER = Path(__file__).parent / "networks"
WRITTEN = sorted(path.stem for path in FOLDER.glob("*.net"))
"""Networks written for these tests, none of which is an example."""


@cache
def graph_of(name: str) -> Graph:
    """The graph of a network written for these tests, or of an example."""
    return netdsl.load(FOLDER / f"{name}.net").graph if name in WRITTEN else network(name).graph


@cache
def shape_of(name: str) -> Shape:
    """What is recognised in it."""
    return recognise(graph_of(name))


@cache
def overview_of(name: str) -> tuple[Unit, ...]:
    """The units of its overview."""
    return overview_units(graph_of(name), shape_of(name))
