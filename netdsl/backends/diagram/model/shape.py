"""The shape of a network, found from its graph alone, which decides how it is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netdsl.ir.graph import Node

ROWS, U, TRIANGLE, LATTICE, LANES = "rows", "u", "triangle", "lattice", "lanes"
LAYOUTS = (ROWS, U, TRIANGLE, LATTICE, LANES)
"""Values of `--layout`."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """Two ways from a `fork` to a `merge`: one visits coarser maps, the other stays on `level`."""

    fork: Node | None
    """None where it is an input of the network."""
    merge: Node
    level: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How a network is laid out, and why.

    `levels` gives each node the level of its map, 0 for the size of the largest input and 1 more
    each time it is halved; None for vectors and tokens, which have none.
    """

    layout: str = ROWS
    reason: str = ""
    levels: Mapping[Node, int | None] = field(default_factory=dict[Node, int | None])
    bridges: tuple[Bridge, ...] = ()
