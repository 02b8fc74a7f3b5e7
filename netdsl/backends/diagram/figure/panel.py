"""One block of a network, open: its parts, and wires from where they come in to the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netdsl.backends.diagram.blocks.dot import Layout, lay_out
from netdsl.backends.diagram.blocks.labels import Label, amount
from netdsl.backends.diagram.blocks.leaf import LINE, Leaf, sized
from netdsl.backends.diagram.blocks.paint import paint_row
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.row_plan import RowPlan, times_name
from netdsl.backends.diagram.blocks.text_places import freed
from netdsl.backends.diagram.blocks.wiring import Wire
from netdsl.backends.diagram.figure.arcs import MOST as MOST_ARCS
from netdsl.backends.diagram.figure.arcs import arcs
from netdsl.backends.diagram.figure.kernels import kernels
from netdsl.backends.diagram.figure.windows import tiling_of, windows
from netdsl.backends.diagram.fonts import text_width, wrapped
from netdsl.backends.diagram.layout.staircase import growth
from netdsl.backends.diagram.model.shape import Shape
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Group, Item, Text, arrow_head, bounds_of, line, moved
from netdsl.backends.diagram.units import Unit, leaves, opened
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work
from netdsl.ops.tables import types_of

TITLE = 12.0
NARROW = 62.0
"""Points of a line in a box, where boxes must be narrow."""
PAD = 12.0
EDGE = 8.0
"""Between the frame and the ends of wires."""
STEPS = (0.36, 0.36, 0.22, 0.15)
"""Inches between boxes, from the roomiest way to draw to the tightest."""
SLIM = 8.0
"""How much narrower boxes are then."""
MOST_LANES = 6
LANE = 52.0
"""The height of a branch, which its part of the bar of a concat may have."""
HEAD = 26.0
"""The height of the title."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What is painted, from its corner at (0, 0) on; `sheet` knows its boxes and wires."""

    block: Unit
    items: tuple[Item, ...]
    width: float
    height: float
    boxes: tuple[Leaf, ...]
    marks: frozenset[str]


class _Inside(BlockSheet):
    """A network of which one block is drawn, open; boxes say no names of layers."""

    tightness = 0
    """From 1 on shapes stand at the ends alone, and labels in more lines; from 2 on the title
    tells the shapes."""

    def __init__(self, graph: Graph, units: tuple[Unit, ...], options: Options) -> None:
        shown = options.show - {"names"}
        super().__init__(graph, units, replace(options, show=shown))

    def _boxes(self) -> dict[str, Leaf]:
        """The bar of a concat is about as high as its branches."""
        return {
            key: replace(box, height=max(box.height, LANE * len(box.parts)))
            if box.form == "strip" and len(box.parts) <= MOST_LANES
            else box
            for key, box in super()._boxes().items()
        }

    def shown_shape(self, wire: Wire) -> str:
        if self.tightness > 1 or (self.tightness and wire.value not in self.outer):
            return ""
        return super().shown_shape(wire)

    usual: dict[str, Leaf]
    """The boxes at their usual size."""
    outer: frozenset[Value] = frozenset()
    """What comes in and goes out, whose shape is always told."""


def panel(
    graph: Graph, units: Sequence[Unit], block: Unit, options: Options, room: float, shape: Shape
) -> Panel | None:
    """The block's parts on a sheet no wider than `room`; None where they do not fit.

    What makes it an idea is shown too: a chain of concats as arcs, kernels and windows to scale.
    """
    wanted = {id(part.copies) for part in ((block, *block.parts) if is_pair(block) else (block,))}
    shown = opened(units, lambda unit, _: id(unit.copies) in wanted)
    unit = next(u for u in _open(shown) if u.copies is block.copies)
    sheet = _Inside(graph, shown, options)
    rows = unit.parts if is_pair(unit) else (unit,)
    sheet.outer = frozenset(
        value for row in rows for value in (*row.inputs, *row.outputs, *row.aliases.values())
    )
    sheet.usual = sheet.boxes
    chained = _chained(sheet, unit, room, shape)
    if chained is not None:
        return chained
    tries = [_try(sheet, rows, tightness) for tightness in range(len(STEPS))]
    layouts = iter(lay_out([p.graph for one in tries for p in one.plans], options.engine))
    for one in tries:
        places = [next(layouts) for _ in one.plans]
        if max(layout.width for layout in places) + 2 * EDGE <= room:
            return _framed(sheet, unit, one, places, room, shape)
    return None


@dataclass(frozen=True, slots=True)
class _Try:
    """One way to draw the rows of a panel: how tight, what is laid out, with which boxes."""

    tightness: int
    rows: Sequence[Unit]
    plans: Sequence[RowPlan]
    boxes: dict[str, Leaf]


def _try(sheet: _Inside, rows: Sequence[Unit], tightness: int) -> _Try:
    slim = SLIM if tightness == len(STEPS) - 1 else 0.0
    usual = sheet.usual
    keys = [frozenset(sheet.keys[leaf] for leaf in leaves([row])) for row in rows]
    own = frozenset[str]().union(*keys)
    boxes = {k: narrowed(b, slim) if tightness and k in own else b for k, b in usual.items()}
    sheet.tightness, sheet.boxes = tightness, boxes
    plans = [
        RowPlan(sheet, [row], held, is_alone=True) for row, held in zip(rows, keys, strict=True)
    ]
    for plan in plans:
        plan.graph.step = STEPS[tightness]
    return _Try(tightness, rows, plans, boxes)


def narrowed(box: Leaf, slim: float = 0.0) -> Leaf:
    """The same box with its words in more lines, and so much less beside them."""
    if box.unit is None or box.form in ("strip", "circle"):
        return box
    first, *more = wrapped(box.label.title, TITLE, NARROW)
    lines = [part for line in box.label.lines for part in _parted(line)]
    other = sized(box.unit, box.kind, Label(first, (*more, *lines)), box.parts, box.form)
    return replace(other, width=other.width - slim, direction=box.direction)


def _parted(text: str) -> list[str]:
    """A line of settings in several, none much wider than a narrow box."""
    if text_width(text, LINE) <= NARROW:
        return [text]
    return [part for word in text.split(" · ") for part in wrapped(word, LINE, NARROW)]


def _open(units: Sequence[Unit]) -> list[Unit]:
    return [u for unit in units if unit.is_open for u in (unit, *_open(unit.parts))]


def _without_frame(items: Sequence[Item], unit: Unit) -> list[Item]:
    """The frame of the block is the panel itself."""
    name = f"unit-{unit.path}".replace(" ", "-")
    return [item for item in items if not (isinstance(item, Group) and item.id == name)]


def _ends(layout: Layout, dx: float, width: float) -> list[Item]:
    """Wires begin at the left edge of the panel, and end in an arrow at its right edge."""
    items: list[Item] = []
    for key, (x, y) in layout.nodes.items():
        if key.startswith("enter"):
            items.append(line([(EDGE - dx, y), (x + 1, y)], "wire", 1.2))
        elif key.startswith("leave"):
            tip = width - EDGE - dx, y
            items += [
                line([(x - 1, y), (tip[0] - 2, y)], "wire", 1.2),
                arrow_head(tip, (x, y), "wire", 7),
            ]
    return items


def _framed(
    sheet: _Inside, unit: Unit, one: _Try, layouts: Sequence[Layout], room: float, shape: Shape
) -> Panel:
    """The rows below each other, in a frame with a title."""
    head = _head(unit, _ends_told(sheet, unit) if one.tightness > 1 else "")
    width = max(*(layout.width + 2 * EDGE for layout in layouts), bounds_of(head)[2] + PAD, room)
    drawn: list[Item] = []
    y = HEAD
    for row, plan, layout in zip(one.rows, one.plans, layouts, strict=True):
        if len(one.rows) > 1:
            drawn.append(
                Text(PAD, y + LINE, _setting_told(row, one.rows), LINE, "ink", True, "start")
            )
            y += LINE + 2
        told = tiling_of(row)
        if told is not None:
            map_items = windows(*told)
            drawn.append(moved(Group(tuple(map_items), css="map"), PAD, y + 6))
            y += bounds_of(map_items)[3] + 6
        inner = _without_frame(freed(paint_row(plan.graph, plan.pens, layout, one.boxes)), row)
        left, top, right, bottom = bounds_of(inner)
        dx = (width - (right - left)) / 2 - left
        placed = (*inner, *_ends(layout, dx, width))
        drawn += [moved(item, dx, y + PAD - top) for item in placed]
        y += bottom - top + 2 * PAD
    for fan in shape.features.fans:
        below = kernels(fan, width - 2 * PAD) if fan.merge in unit.nodes else []
        drawn += [moved(item, PAD, y) for item in below]
        y += bounds_of(below)[3] + PAD if below else 0.0
    around = _around(unit, head, width, y)
    own = [key for plan in one.plans for key in sorted(plan.own)]
    marks = frozenset(wire.mark for plan in one.plans for wire in plan.near)
    return Panel(unit, (around, *drawn), width, y, tuple(one.boxes[k] for k in own), marks)


def _around(unit: Unit, head: Sequence[Item], width: float, height: float) -> Group:
    """The frame of a panel with its title."""
    frame = Box(0, 0, width, height, "block.fill", "block.line", 1.3, 9)
    name = f"panel-{unit.path}".replace(" ", "-")
    return Group((frame, *head), id=name, css="open", data=(("path", unit.path),))


def _chained(sheet: _Inside, unit: Unit, room: float, shape: Shape) -> Panel | None:
    """The panel of a block that is a chain of concats, if that can be followed."""
    for chain in shape.features.chains:
        sizes = growth(chain, unit, sheet.axes)
        if 0 < len(sizes) <= MOST_ARCS:
            drawn = arcs(sizes, room - 2 * PAD)
            top, bottom = bounds_of(drawn)[1::2]
            placed = [moved(item, PAD, HEAD + PAD - top) for item in drawn]
            height = HEAD + bottom - top + 2 * PAD
            head = _head(unit, _ends_told(sheet, unit))
            around = _around(unit, head, room, height)
            return Panel(unit, (around, *placed), room, height, (), frozenset())
    return None


def is_pair(unit: Unit) -> bool:
    """Whether it is two blocks in turn that differ in one setting."""
    return unit.scope is None and unit.is_block


def _setting_told(row: Unit, others: Sequence[Unit]) -> str:
    """What a block of a pair is called: `features.5.1: shift 3`, with what only it has."""
    theirs = {word for other in others if other is not row for word in _settings(other)}
    own = [word for word in _settings(row) if word not in theirs]
    return f"{row.path}: {', '.join(own)}" if own else row.path


def _settings(block: Unit) -> list[str]:
    """The settings of its layers in words."""
    computing = [node for node in block.nodes if op_of(node).work is Work.COMPUTES]
    return [word for node in computing for word in op_of(node).told(*types_of(node))]


def _ends_told(sheet: BlockSheet, unit: Unit) -> str:
    """The shapes of what comes in and goes out: `197×768 in and out`."""
    sides = [
        ", ".join(dict.fromkeys(sheet.names.shape(value.type.shape) for value in values))
        for values in (unit.inputs, unit.outputs)
    ]
    return f"{sides[0]} in and out" if sides[0] == sides[1] else f"{sides[0]} in, {sides[1]} out"


def _head(unit: Unit, ends: str) -> list[Item]:
    """Its name, its class and what it costs."""
    name = " and ".join(p.path for p in unit.parts) if is_pair(unit) else unit.path
    name = times_name(name, unit.count)
    title = Text(PAD, 18, name, TITLE, "ink", True, "start")
    macs = "" if isinstance(unit.macs, Dim) else amount(unit.macs, "multiply-adds")
    each = " each" if unit.count > 1 else ""
    told = [unit.kind, *filter(None, (amount(unit.parameters, "parameters"), macs))]
    text = " · ".join([*told[:-1], told[-1] + each, *([ends] if ends else [])])
    return [title, Text(PAD + title.width + 10, 18, text, LINE, "soft", False, "start")]
