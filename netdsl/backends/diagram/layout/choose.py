"""The layout that a network's shape asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netdsl.backends.diagram.layout.lattice import lattice_overview
from netdsl.backends.diagram.layout.overview import ROOM, Overview
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.u import u_overview
from netdsl.backends.diagram.model.chains import chained
from netdsl.backends.diagram.model.shape import LATTICE, U, Shape
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph

_LAYOUTS: dict[str, Callable[[SmallSheet], Overview]] = {U: u_overview, LATTICE: lattice_overview}


def overview_of(
    graph: Graph, units: Sequence[Unit], options: Options, shape: Shape
) -> tuple[SmallSheet, Overview] | None:
    """The network laid out by its shape; None for one that stands in rows.

    Where it is too wide for a page, layers that follow one another are one box.
    """
    layout = _LAYOUTS.get(shape.layout)
    if layout is None:
        return None
    sheet = SmallSheet(graph, tuple(units), options, shape)
    drawn = layout(sheet)
    if drawn.width > ROOM:
        ends = {b.fork for b in shape.bridges if b.fork} | {b.merge for b in shape.bridges}
        shorter = SmallSheet(graph, chained(units, ends), options, shape)
        other = layout(shorter)
        if other.width < drawn.width:
            return shorter, other
    return sheet, drawn
