"""A network in one figure: all of it, small, and the block that is its idea, open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netdsl.backends.diagram.blocks.legend import legend_of
from netdsl.backends.diagram.blocks.picture import blocks_picture
from netdsl.backends.diagram.figure.idea import idea_of, overview_units
from netdsl.backends.diagram.figure.lens import lens
from netdsl.backends.diagram.figure.panel import Panel, panel
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.layout.line_sheet import LineSheet
from netdsl.backends.diagram.layout.lines import line_overview
from netdsl.backends.diagram.layout.overview import Overview
from netdsl.backends.diagram.model.shape import recognise
from netdsl.backends.diagram.options import INCH, Options
from netdsl.backends.diagram.scene import Bounds, Item, Picture, bounds_of, moved
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph

ROOM = 662.0
"""The width at which letters of 9 points are 6 points high on a page 6.5 inches wide."""
PAGE = 6.5 * INCH
GAP = 26.0
"""Between the overview and the panel: what a lens needs."""
LEGEND_GAP = 16.0
FEW = 10
"""Units of a network that needs no overview."""


def figure_picture(graph: Graph, options: Options) -> Picture:
    """The overview of a network with a panel below it. Raises `DrawError`, `EngineError`."""
    options = replace(options, width=PAGE)
    units = overview_units(units_of(graph))
    shape = recognise(graph)
    idea = idea_of(units, shape)
    if idea is None and len(units) <= FEW:
        return blocks_picture(graph, replace(options, expand=("none",)))
    sheet = LineSheet(graph, units, options)
    overview = line_overview(sheet, ROOM)
    items, shown = list(overview.items), None
    for block in _alike(units, idea):
        shown = shown if shown and shown.block is block else panel(graph, units, block, options, ROOM)
        if shown is None:
            break
        items, is_joined = _with_panel(sheet, overview, shown)
        if is_joined:
            break
    boxes = [*sheet.boxes.values(), *(shown.boxes if shown else ())]
    marks = {wire.mark for wire in sheet.wires} | (shown.marks if shown else frozenset())
    trains = bool(sheet.training)
    legend = legend_of(boxes, sheet.usual_tail, sheet.names, trains, sheet.room, marks)
    bottom = bounds_of(items)[3] + LEGEND_GAP
    items += [moved(item, 0, bottom - bounds_of(legend)[1]) for item in legend]
    lines = sheet.lines()
    return framed(options.title or graph.name, lines, items, description=" · ".join(lines))


def _with_panel(sheet: LineSheet, overview: Overview, shown: Panel) -> tuple[list[Item], bool]:
    """The panel below the overview; whether a lens joins it to the box that it opens."""
    dx = max(0.0, (overview.width - shown.width) / 2)
    top = overview.height + GAP
    key = next((k for k, u in sheet.wiring.leaves.items() if _holds(u, shown.block)), "")
    cone: list[Item] = []
    if key in overview.places:
        edge = dx, top, dx + shown.width, top + shown.height
        cone = lens(overview.places[key], edge, overview.items)
    placed = [moved(item, dx, top) for item in shown.items]
    return [*overview.items, *cone, *placed], bool(cone)


def _alike(units: Sequence[Unit], idea: Unit | None) -> list[Unit]:
    """The idea, then blocks of its class with the same layers: one of them may be joined."""
    if idea is None:
        return []
    mark = _layers(idea)
    others = [u for u in blocks_of(units) if u.copies is not idea.copies and _layers(u) == mark]
    return [idea, *others]


def _layers(unit: Unit) -> tuple[str, ...]:
    kind = unit.scope.definition if unit.scope is not None else ""
    return (kind, *(node.op.name for node in unit.nodes))


def blocks_of(units: Sequence[Unit]) -> Iterator[Unit]:
    """All blocks, also those in others."""
    for unit in units:
        if unit.is_block:
            yield unit
            yield from blocks_of(unit.parts)


def _holds(unit: Unit, block: Unit) -> bool:
    """Whether a unit is a block, or has it in it."""
    return unit.copies is block.copies or any(_holds(part, block) for part in unit.parts)
