"""A network in lines of small boxes, grouped by the size of their maps, broken at the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from netdsl.backends.diagram.blocks.dot import Layout, lay_out
from netdsl.backends.diagram.blocks.paint import Row, paint_row, paint_rows
from netdsl.backends.diagram.blocks.row_plan import RowPlan
from netdsl.backends.diagram.blocks.rows import cut
from netdsl.backends.diagram.blocks.text_places import freed
from netdsl.backends.diagram.frame import MARGIN
from netdsl.backends.diagram.layout.chain import CAPTION, PAD, Chain, band
from netdsl.backends.diagram.layout.heads import Head, hang, heads_of
from netdsl.backends.diagram.layout.line_sheet import GAP, LineSheet
from netdsl.backends.diagram.layout.overview import Overview
from netdsl.backends.diagram.layout.stages import Stage, stages_of
from netdsl.backends.diagram.scene import Bounds, Group, Item, bounds_of, moved
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Value

CUT_WITHIN_STAGE = 0.2
"""What it costs to cut a line within a stage, in squared shares of a line."""
SHARES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4)
"""Of the room, which lines are cut for in turn."""
GUTTERS = 36.0
"""What lines take beside their boxes, left and right together."""


def line_overview(sheet: LineSheet, room: float, below: float, can_hang: bool = True) -> Overview:
    """The overview of a network of no special shape.

    `below` is about how high all else of the picture is. Lines get shorter where boxes beside each
    other are too wide for the page, or the picture would be more than twice as wide as high.
    Heads for training hang below lines that are chains; elsewhere they are lines of their own.
    """
    whole = sheet.items, sheet.wires, sheet.first_late
    heads = heads_of(sheet) if can_hang else []
    hang(sheet)
    stages = stages_of(sheet, sheet.items)
    sheet.stages = {place: n for n, stage in enumerate(stages) for place in stage.places}
    shaped = {place for stage in stages if stage.is_stem for place in stage.places}
    sheet.shaped = {sheet.keys_of([sheet.items[place]])[0] for place in shaped}
    drawn: list[Overview] = []
    tried: set[tuple[range, ...]] = set()
    for share in SHARES:
        lines = tuple(_lines(sheet, share * room))
        if lines in tried:
            continue
        tried.add(lines)
        if not _can_hang(sheet, lines, heads):
            sheet.items, sheet.wires, sheet.first_late = whole
            sheet.hung, sheet.shaped = {}, set()
            return line_overview(sheet, room, below, can_hang=False)
        wide = share * room - (GUTTERS if len(lines) > 1 else 0.0)
        items = paint_rows(_rows(sheet, lines, stages, heads, wide), sheet.options, bare=True)
        left, top, right, bottom = bounds_of(items)
        placed = tuple(moved(item, -left, -top) for item in items)
        one = Overview(placed, _places(sheet, placed), right - left, bottom - top)
        if one.width <= room and one.width <= 2 * (one.height + below) - 2 * MARGIN:
            return one
        drawn.append(one)
    return min(drawn, key=lambda one: (one.width > room, abs(one.width - room)))


def _can_hang(sheet: LineSheet, lines: Sequence[range], heads: Sequence[Head]) -> bool:
    """Whether each head has its place: the line of what it reads is a chain."""
    sources = {head.source for head in heads}
    for line in lines:
        items = [sheet.items[place] for place in line]
        keys = sheet.keys_of(items)
        if sources.isdisjoint(keys):
            continue
        if not is_chain(keys, RowPlan(sheet, items, frozenset(keys))):
            return False
    return True


def _lines(sheet: LineSheet, room: float) -> list[range]:
    """Places of the boxes of each line."""
    pieces = sheet.pieces()
    whole, first_late = range(len(pieces)), min(sheet.first_late, len(pieces))
    if sum(piece.width for piece in pieces) <= room and first_late == len(pieces):
        return [whole]
    main, late = range(first_late), range(first_late, len(pieces))
    parts = [
        cut(pieces, part, room - GUTTERS + GAP - 2 * PAD, CUT_WITHIN_STAGE)
        for part in (main, late)
        if part
    ]
    return [line for part in parts for line in part]


def _rows(
    sheet: LineSheet, lines: Sequence[range], stages: Sequence[Stage], heads: Sequence[Head],
    room: float,
) -> list[Row]:  # fmt: skip
    sequences = [[sheet.items[place] for place in line] for line in lines]
    sheet.is_terse = True
    plans = [RowPlan(sheet, items, frozenset(sheet.keys_of(items))) for items in sequences]
    sheet.is_terse = False
    chains: dict[int, Chain] = {}
    for number, (line, items, plan) in enumerate(zip(lines, sequences, plans, strict=True)):
        keys = sheet.keys_of(items)
        if is_chain(keys, plan):
            own = [head for head in heads if head.source in keys]
            chains[number] = Chain(sheet, keys, line, stages, own, room)
    others = [plan.graph for number, plan in enumerate(plans) if number not in chains]
    layouts = iter(lay_out(others, sheet.options.engine) if others else [])
    rows: list[Row] = []
    for number, (items, plan) in enumerate(zip(sequences, plans, strict=True)):
        if number in chains:
            layout, drawn = chains[number].painted()
        else:
            layout, drawn = _banded(sheet, items, plan, next(layouts))
        rows.append(
            Row(("", ""), plan.coming, plan.going, _labels(sheet, plan), layout, tuple(drawn))
        )
    return rows


def _labels(sheet: LineSheet, plan: RowPlan) -> dict[Value, str]:
    """The shapes of what goes to other lines."""
    leaving = {wire.value: wire for wire in plan.near if wire.value in plan.going}
    return {value: sheet.shown_shape(wire) for value, wire in leaving.items()}


def is_chain(keys: Sequence[str], plan: RowPlan) -> bool:
    """Whether each box reads the one before alone, and others only at the ends of the line."""
    place = {key: number for number, key in enumerate(keys)}
    steps: set[tuple[int, int]] = set()
    for wire in plan.near:
        tail, head = place.get(wire.tail), place.get(wire.head)
        if tail is None:
            if head != 0:
                return False
        elif head is None:
            if tail != len(keys) - 1:
                return False
        else:
            steps.add((tail, head))
    return steps == {(n, n + 1) for n in range(len(keys) - 1)}


def _banded(
    sheet: LineSheet, items: Sequence[str | Unit], plan: RowPlan, layout: Layout
) -> tuple[Layout, list[Item]]:
    """A line that Graphviz has laid out, on one band."""
    drawn = freed(paint_row(plan.graph, plan.pens, layout, sheet.boxes))
    first, second = sheet.caption(items)
    left, right = _pads(sheet, plan, layout)
    top, width = CAPTION + 10, layout.width + left + right
    shown = [moved(item, left, top) for item in drawn]
    nodes = {key: (x + left, y + top) for key, (x, y) in layout.nodes.items()}
    height = layout.height + top + 6
    back = band(0, width, 0, height, f"{first} {second}".strip(), "")
    return Layout(width, height, nodes, {}, []), [*back, *shown]


def _pads(sheet: LineSheet, plan: RowPlan, layout: Layout) -> tuple[float, float]:
    """What a band needs left and right of its line, so that no box stands on its border."""
    halves = {key: sheet.boxes[key].width / 2 for key in plan.own}
    left = min(layout.nodes[key][0] - half for key, half in halves.items())
    right = max(layout.nodes[key][0] + half for key, half in halves.items())
    return max(0.0, PAD - left), max(0.0, PAD + right - layout.width)


def _places(sheet: LineSheet, items: Iterable[Item]) -> Mapping[str, Bounds]:
    """Where each box stands, by its key."""
    found: dict[str, Bounds] = {}
    for group in _groups(items):
        found[group.id] = bounds_of(group.items)
    named = {key: unit.path for key, unit in sheet.wiring.leaves.items()}
    ids = {
        key: f"unit-{named[key]}".replace(" ", "-") if key in named else key for key in sheet.boxes
    }
    return {key: found[name] for key, name in ids.items() if name in found}


def _groups(items: Iterable[Item]) -> Iterator[Group]:
    return (item for item in items if isinstance(item, Group))
