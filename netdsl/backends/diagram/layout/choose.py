"""The layout that a network's shape asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from netdsl.backends.diagram.layout.bands import drawn
from netdsl.backends.diagram.layout.lanes import lanes_drafts
from netdsl.backends.diagram.layout.lattice import lattice_drafts
from netdsl.backends.diagram.layout.overview import ROOM, Overview
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.spots import Draft
from netdsl.backends.diagram.layout.triangle import triangle_drafts
from netdsl.backends.diagram.layout.u import u_drafts
from netdsl.backends.diagram.model.chains import chained
from netdsl.backends.diagram.model.shape import LANES, LATTICE, TRIANGLE, Shape, U
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph

MOST_TRIED = 8
"""Layouts that are drawn, of those wider than a page."""
_LAYOUTS: dict[str, Callable[[SmallSheet], Iterator[Draft]]] = {
    U: u_drafts,
    LATTICE: lattice_drafts,
    LANES: lanes_drafts,
    TRIANGLE: triangle_drafts,
}


def overview_of(
    graph: Graph, units: Sequence[Unit], options: Options, shape: Shape, room: float = ROOM
) -> tuple[SmallSheet, Overview] | None:
    """The network laid out by its shape; None for one that stands in rows, or that
    can't be laid out without a wire through a box.

    Where it is wider than `room`, boxes have fewer words, and then layers that follow one another
    are one box.
    """
    layout = _LAYOUTS.get(shape.layout)
    if layout is None:
        return None
    if shape.layout == LANES:  # weights are told once, between the lanes
        options = replace(options, show=options.show - {"params"})
    ends = {b.fork for b in shape.bridges if b.fork} | {b.merge for b in shape.bridges}
    drafts: list[tuple[SmallSheet, Draft]] = []
    for is_short, is_terse in ((False, False), (False, True), (True, True)):
        has_pools = shape.layout == LANES
        shown = chained(units, ends, with_pools=has_pools) if is_short else tuple(units)
        sheet = SmallSheet(graph, shown, options, shape, is_terse=is_terse)
        for draft in layout(sheet):
            if draft.width <= room and (overview := drawn(draft)).is_clean:
                return sheet, overview
            drafts.append((sheet, draft))
    for sheet, draft in sorted(drafts, key=lambda pair: pair[1].width)[:MOST_TRIED]:
        if (overview := drawn(draft)).is_clean:
            return sheet, overview
    return None
