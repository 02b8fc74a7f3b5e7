"""A network in one figure: all of it, small, and the block that is its idea, open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from netdsl.backends.diagram.blocks.leaf import LINE
from netdsl.backends.diagram.blocks.legend import legend_of
from netdsl.backends.diagram.blocks.opening import drawn_units
from netdsl.backends.diagram.blocks.picture import BlockSheet, blocks_picture
from netdsl.backends.diagram.blocks.rows import MANY
from netdsl.backends.diagram.example_size import at_example_size
from netdsl.backends.diagram.figure.lens import lens
from netdsl.backends.diagram.figure.panel import Panel, panel
from netdsl.backends.diagram.figure.windows import tiling_of
from netdsl.backends.diagram.frame import MARGIN, framed
from netdsl.backends.diagram.layout.choose import overview_of
from netdsl.backends.diagram.layout.line_sheet import LineSheet
from netdsl.backends.diagram.layout.lines import line_overview
from netdsl.backends.diagram.layout.overview import ROOM, Overview
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.model.idea import idea_of
from netdsl.backends.diagram.model.overview import overview_units
from netdsl.backends.diagram.model.shape import LANES, ROWS, TRIANGLE, Shape, U, recognise
from netdsl.backends.diagram.options import PAGE, DrawError, Options
from netdsl.backends.diagram.scene import Item, Picture, Point, bounds_of, moved
from netdsl.backends.diagram.units import Unit, leaves
from netdsl.ir.graph import Graph
from netdsl.ops.base import op_of

GAP = 26.0
"""Between the overview and the panel: what a lens needs."""
LEGEND_GAP = 16.0
AROUND, PANEL = 130.0, 160.0
"""About the height of title and legend, and of a panel."""
BETWEEN = 12.0
"""Between two panels."""
GATE = "×"
FEWEST_LINKS = 3
WIDEST = 1.9
"""How much wider than a page a shape's layout may be: rows would have smaller letters still."""
FEW = 10
"""Units of a network that needs no overview."""


def figure_picture(graph: Graph, options: Options) -> Picture:
    """The overview of a network with a panel below it. Raises `DrawError`, `EngineError`.

    Rows of units where it is too small for that, or too large.
    """
    rows = replace(options, expand=("none",))
    given = graph
    graph, told = at_example_size(graph, options)
    options = replace(options, width=options.width or PAGE)
    if sum(1 for _ in leaves(drawn_units(graph, options))) > MANY:
        return blocks_picture(given, rows)
    shape, is_asked = _wanted(recognise(graph), options), rows.width is not None
    units = overview_units(graph, shape, drawn_units(graph, options))
    idea = idea_of(graph, units, shape)
    if idea is None and len(units) <= FEW and shape.layout == ROWS:
        return blocks_picture(given, replace(rows, width=options.width))
    drawing = _Figure(graph, units, options, shape, told, is_asked=is_asked).picture(idea)
    if options.layout not in (None, ROWS) and drawing is not None:
        return drawing
    is_page = is_asked or drawing is None or drawing.height <= 2 * drawing.width
    return drawing if drawing is not None and is_page else blocks_picture(given, rows)


def _wanted(shape: Shape, options: Options) -> Shape:
    """The shape with the layout that was asked for. Raises `DrawError` where that has no sense."""
    layout = options.layout
    if layout in (None, shape.layout):
        return shape
    has_parts = {
        ROWS: True,
        LANES: shape.features.calls is not None and shape.features.calls.is_side_by_side,
        TRIANGLE: shape.layout in (U, TRIANGLE),
    }.get(layout, bool(shape.bridges))
    if not has_parts:
        needed = {
            LANES: "layers that are called side by side",
            TRIANGLE: "skips across a path down and up",
        }.get(layout, "skips between levels")
        reason = f": {shape.reason}" if shape.reason else ""
        raise DrawError(
            f"`--layout {layout}` is for networks with {needed}, and this one has none; "
            f"without it, it stands in `{shape.layout}`{reason}"
        )
    return replace(shape, layout=layout)


Place: TypeAlias = tuple[float, float, float, float]
"""Of a legend: its left edge, its width, where it may begin, and where it should end."""


class _Figure:
    """A figure under construction, `room` wide, or wider where no width `is_asked` for."""

    def __init__(
        self, graph: Graph, units: tuple[Unit, ...], options: Options, shape: Shape, told: str,
        *, is_asked: bool,
    ) -> None:  # fmt: skip
        self.graph, self.units, self.options, self.shape = graph, units, options, shape
        assert options.width is not None
        readable = LINE * options.width / options.smallest - 2 * MARGIN
        self.room = ROOM if options.aspect is not None else min(ROOM, readable)
        self.told = told
        self.widest = self.room + 1 if is_asked else WIDEST * self.room

    def picture(self, idea: Unit | None) -> Picture | None:
        """All of it; None where the overview is wider than the page."""
        below = AROUND + (PANEL if idea is not None else 0.0)
        sheet, overview = self._overview(below)
        if overview.width > self.room + 1 and not isinstance(sheet, SmallSheet):
            return None
        sheet.told = self.told
        blocks = _alike(self.units, idea)
        block, cone = self._joined(sheet, overview, blocks, (0.0, overview.height + GAP))
        panels = self._panels(block)
        below = self._composed(sheet, overview, panels, cone, (0.0, overview.height + GAP))
        if self.options.aspect is None or not panels:
            return below
        corner = overview.width + GAP, max(0.0, (overview.height - _high(panels)) / 2)
        block, cone = self._joined(sheet, overview, blocks, corner, panels[0].height)
        panels = self._panels(block)
        aside = self._composed(sheet, overview, panels, cone, corner)
        return min(below, aside, key=lambda drawing: drawing.width)

    def _composed(
        self, sheet: BlockSheet, overview: Overview, panels: Sequence[Panel],
        cone: Sequence[Item], corner: Point,
    ) -> Picture:  # fmt: skip
        """The overview, and its panels below each other, from a corner on."""
        items = [*overview.items, *(cone if panels else ())]
        x, y = corner
        for one in panels:
            items += [moved(item, x, y) for item in one.items]
            y += one.height + BETWEEN
        drawn = sheet.marked_out(items)
        top = (y - BETWEEN if panels else overview.height) + LEGEND_GAP
        legend = 0.0, self.room, max(top, bounds_of(drawn)[3] + LEGEND_GAP), 0.0
        if x and y <= overview.height:
            legend = x, self.room, top, overview.height
        elif x:
            legend = 0.0, overview.width, overview.height + LEGEND_GAP, 0.0
        return self._framed(sheet, drawn, panels, legend)

    def _overview(self, below: float) -> tuple[BlockSheet, Overview]:
        """The whole network by its shape, else in lines."""
        found = overview_of(self.graph, self.units, self.options, self.shape, self.room)
        if found is not None and (self.options.layout or found[1].width <= self.widest):
            return found
        if self.options.layout not in (None, ROWS):
            raise DrawError(
                f"the network can't be laid out as `{self.options.layout}` without wires that run "
                "through boxes; leave out `--layout`"
            )
        sheet = LineSheet(self.graph, tuple(_unwrapped(self.units)), self.options, self.shape)
        return sheet, line_overview(sheet, self.room, below)

    def _joined(
        self, sheet: BlockSheet, overview: Overview, blocks: Sequence[Unit], corner: Point,
        height: float | None = None,
    ) -> tuple[Unit | None, list[Item]]:  # fmt: skip
        """The first of some blocks that a lens can join to the panel, and that lens.

        Where there is none, the first block. With a `height` the panel stands aside, else below.
        """
        left, top = corner
        edge = (
            (left, top, left + self.room, top)
            if height is None
            else (left, top, left, top + height)
        )
        for block in blocks:
            key = next((k for k, u in sheet.wiring.leaves.items() if _holds(u, block)), "")
            if key not in overview.places:
                continue
            is_aside = height is not None
            cone = lens(overview.places[key], edge, overview.items, is_aside=is_aside)
            if cone:
                return block, cone
        return (blocks[0] if blocks else None), []

    def _panels(self, block: Unit | None) -> list[Panel]:
        """The block, open, and a block in it that is an idea of its own."""
        blocks = [block, inside_of(block)] if block is not None else []
        found: list[Panel] = []
        for one in blocks:
            drawn = one and panel(self.graph, self.units, one, self.options, self.room, self.shape)
            if not drawn:
                break
            found.append(drawn)
        return found

    def _framed(
        self, sheet: BlockSheet, items: list[Item], panels: Sequence[Panel], legend: Place
    ) -> Picture:
        """With title, lines and a legend for all of it, below the column that has room for it."""
        boxes = [*sheet.boxes.values(), *(box for one in panels for box in one.boxes)]
        marks = {wire.mark for wire in sheet.wires}.union(*(one.marks for one in panels))
        left, room, top, bottom = legend
        entries = legend_of(
            boxes, sheet.usual_tails, sheet.names, bool(sheet.training), room + 2 * MARGIN, marks,
            sheet.left_out,
        )  # fmt: skip
        _, low, _, high = bounds_of(entries)
        lines = sheet.lines(max(self.room, bounds_of(items)[2]) + 2 * MARGIN)
        if self.options.legend:
            y = max(top, bottom - high + low) - low
            items += [moved(item, left, y) for item in entries]
        told = " · ".join(lines)
        return framed(self.graph.name, lines, items, self.options, description=told)


def _high(panels: Sequence[Panel]) -> float:
    """That of panels below each other."""
    return sum(one.height for one in panels) + BETWEEN * (len(panels) - 1)


def _unwrapped(units: Sequence[Unit]) -> Iterator[Unit]:
    """The parts of open wrappers in their place; what is repeated stays closed."""
    for unit in units:
        if unit.is_open and unit.count == 1:
            yield from _unwrapped(unit.parts)
        else:
            yield replace(unit, is_open=False)


def _alike(units: Sequence[Unit], idea: Unit | None) -> list[Unit]:
    """The idea, then blocks of its class with the same layers: one of them may be joined."""
    if idea is None:
        return []
    mark = _layers(idea)
    others = [u for u in blocks_of(units) if u.copies is not idea.copies and _layers(u) == mark]
    return sorted([idea, *others], key=_windows)


def _windows(unit: Unit) -> int:
    """Of maps cut into windows the one with the fewest, if these are several, is the clearest."""
    cut = tiling_of(unit)
    if cut is None:
        return 0
    tiling, (high, wide) = cut
    count = -(-high // tiling.window) * -(-wide // tiling.window)
    return count if count > 1 else high * wide


def _layers(unit: Unit) -> tuple[str, ...]:
    return (unit.kind, *(node.op.name for node in unit.nodes))


def blocks_of(units: Sequence[Unit]) -> Iterator[Unit]:
    """All blocks, also those in others."""
    for unit in units:
        if unit.is_block:
            yield unit
            yield from blocks_of(unit.parts)


def inside_of(block: Unit) -> Unit | None:
    """A block in a block that has a panel of its own: one with a gate, or a link of a chain."""
    for part in blocks_of(block.parts):
        own = [node for p in part.parts if not p.is_block for node in p.nodes]
        if any(op_of(node).shown_sign() == GATE for node in own):
            return part
    links = [part for part in block.parts if part.is_block]
    if len(links) == len(block.parts) > FEWEST_LINKS and len({link.kind for link in links}) == 1:
        return links[len(links) // 2]
    return None


def _holds(unit: Unit, block: Unit) -> bool:
    """Whether a unit is a block, or has it in it."""
    return unit.copies is block.copies or any(_holds(part, block) for part in unit.parts)
