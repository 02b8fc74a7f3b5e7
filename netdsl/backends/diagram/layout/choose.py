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

    Where it is too wide for a page, boxes have fewer words, and then layers that follow one another
    are one box.
    """
    layout = _LAYOUTS.get(shape.layout)
    if layout is None:
        return None
    ends = {b.fork for b in shape.bridges if b.fork} | {b.merge for b in shape.bridges}
    best: tuple[SmallSheet, Overview] | None = None
    for is_short, is_terse in ((False, False), (False, True), (True, True)):
        drawn = chained(units, ends) if is_short else tuple(units)
        sheet = SmallSheet(graph, drawn, options, shape, is_terse=is_terse)
        overview = layout(sheet)
        if best is None or overview.width < best[1].width:
            best = sheet, overview
        if overview.width <= ROOM:
            break
    return best
