"""Rows of the block view: cut between stages, outputs beside what gives them, ways in one colour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.pens import PLAIN, Pen, shared
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.rows import Piece, cut, length_of
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Group, Item, Picture, bounds_of, flatten
from tests.backends.diagram.pictures import ROWS, picture
from tests.examples import NAMES, network

STEM = [Piece(100, 50, "224"), Piece(100, 50, "112"), Piece(100, 50, "56", ends=True)]


def sheet_of(name: str, **options: object) -> BlockSheet:
    graph = network(name).graph
    chosen = Options(**options)  # type: ignore[arg-type]
    return BlockSheet(graph, open_units(graph, chosen), chosen)


def groups(items: tuple[Item, ...] | list[Item]) -> list[Group]:
    found = [item for item in items if isinstance(item, Group)]
    return [*found, *(inner for group in found for inner in groups(group.items))]


def middles(picture: Picture) -> dict[str, tuple[float, float]]:
    """Where each box of a unit or an end stands, by the `id` of its group."""
    found: dict[str, tuple[float, float]] = {}
    for group in groups(picture.items):
        if group.css in ("unit", "end"):
            left, top, right, bottom = bounds_of(group.items)
            found[group.id] = ((left + right) / 2, (top + bottom) / 2)
    return found


def rows_of(picture: Picture) -> list[tuple[float, float]]:
    """From where to where each row reaches."""
    panels = [s for s in flatten(picture.items) if isinstance(s, Box) and s.fill == "panel.fill"]
    return [(panel.y, panel.y + panel.height) for panel in panels]


def row_of(rows: list[tuple[float, float]], y: float) -> int:
    return next((n for n, (top, bottom) in enumerate(rows) if top <= y <= bottom), 0)


def in_line(pieces: list[Piece]) -> list[Piece]:
    """The pieces, each leading to the next one."""
    return [replace(piece, readers=(place + 1,)) for place, piece in enumerate(pieces)]


def test_a_pool_ends_a_row_and_a_strided_block_begins_one() -> None:
    stage = [Piece(100, 50, "56"), Piece(100, 50, "56"), Piece(100, 50, "28"), Piece(100, 50, "28")]
    pieces = in_line([*STEM, *stage])
    assert cut(pieces, range(7), 320) == [range(3), range(3, 5), range(5, 7)]


def test_an_output_stays_with_its_layer_unless_the_paper_is_too_narrow() -> None:
    body = [Piece(100, 50, "28"), Piece(100, 50, "28"), Piece(100, 50, "28", stays=True)]
    pieces = in_line([*STEM, *body])
    assert cut(pieces, range(6), 520) == [range(3), range(3, 6)]
    assert cut(pieces, range(6), 100) == [range(n, n + 1) for n in range(6)]


def test_what_stands_below_each_other_takes_the_room_of_one() -> None:
    fork = Piece(100, 50, "28", readers=(1, 2, 3))
    branches = [Piece(70, 40, "28", readers=(4,)), Piece(90, 40, "28", readers=(4,))]
    pieces = [fork, *branches, Piece(60, 40, "28", stays=True), Piece(50, 50, "28")]
    assert length_of(pieces, range(5)) == 100 + 90 + 50
    assert length_of(pieces, range(1, 5)) == 90 + 50
    assert cut(pieces, range(5), 240) == [range(5)]


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_cut_off_from_its_layer(name: str) -> None:
    graph = network(name).graph
    sheet = BlockSheet(graph, open_units(graph, ROWS), ROWS)
    places, rows = middles(picture(name, ROWS)), rows_of(picture(name, ROWS))
    ids = {key: f"unit-{b.unit.path}" if b.unit else key for key, b in sheet.boxes.items()}
    late = sheet.training
    checked = 0
    for wire in sheet.wires:
        if wire.head.startswith("out") and (wire.head in late) == (wire.tail in late):
            ends = [row_of(rows, places[ids[key]][1]) for key in (wire.tail, wire.head)]
            assert ends[0] == ends[1], wire
            checked += 1
    assert checked


def test_rows_of_known_networks_start_with_their_stages() -> None:
    starts = {
        "googlenet": ["in0", "inception3a", "inception4a", "inception5a", "aux1"],
        "resnet50": [
            "in0",
            "layer1.0",
            "layer2.0",
            "layer3.0",
            "layer4.0",
            "global_avgpool1",
        ],
    }
    for name, expected in starts.items():
        rows = rows_of(picture(name, ROWS))
        first: dict[int, tuple[float, str]] = {}
        for key, (x, y) in middles(picture(name, ROWS)).items():
            row = row_of(rows, y)
            first[row] = min(first.get(row, (x, key)), (x, key))
        found = [first[row][1].removeprefix("unit-") for row in sorted(first)]
        assert [f.split(".branch")[0].removesuffix(".conv1") for f in found] == expected


def test_what_gives_only_its_size_is_dotted() -> None:
    sheet = sheet_of("unet", expand=("up1",))
    path = {key: box.unit.path if box.unit else key for key, box in sheet.boxes.items()}
    marked = {(path[w.tail], path[w.head]) for w in sheet.wires if w.mark == SIZE_ONLY}
    assert marked == {("down3", "up1.upsample1")}
    dotted = [s for s in flatten(sheet.picture().items) if isinstance(s, Curve) and s.dash]
    assert {curve.dash for curve in dotted} == {"dotted"}
    closed = sheet_of("unet", expand=("none",))
    assert not [wire for wire in closed.wires if wire.mark == SIZE_ONLY]


def test_a_way_over_several_rows_keeps_its_colour() -> None:
    blue, brown, dots = Pen("series0", 1.6), Pen("series1", 1.6), Pen(dash="dotted")
    assert shared([brown, dots]) == shared([brown, brown]) == brown
    assert shared([blue, brown]) == shared([PLAIN, brown, dots]) == PLAIN
    assert shared([dots]) == dots
    drawing = picture("yolov3_spp", Options(expand=("darkresidual1",)))
    rows = rows_of(drawing)
    lanes = [
        s for s in drawing.items
        if isinstance(s, Curve) and s.points[0][1] < rows[1][1] and s.points[-1][1] > rows[-1][0]
    ]  # fmt: skip
    assert [curve.line for curve in lanes] == ["amber"]  # a bridge, as in a U
