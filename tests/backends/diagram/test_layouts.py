"""Networks laid out by their shape: boxes in bands by the size of their maps, wires around them."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

import pytest

import netdsl
from netdsl.backends.diagram.blocks.wiring import coverage
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.layout.choose import overview_of
from netdsl.backends.diagram.layout.overview import Overview
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.model.overview import overview_units
from netdsl.backends.diagram.model.shape import recognise
from netdsl.backends.diagram.options import SMALLEST_PRINT, DrawError, Options
from netdsl.backends.diagram.scene import Box, Curve, Group, Picture, Polygon, Text
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Value
from tests.backends.diagram.checks import along, check_picture, cuts
from tests.examples import network

SIZES = {"diffusion_unet": 64, "yolov8n": 640, "yolov3_spp": 416, "unet3d": 64, "ssd300_vgg16": 300}
LAID_OUT = {
    "unet": "u", "unet16": "u", "unet3d": "u", "segnet": "u", "hourglass": "u",
    "diffusion_unet": "u", "unet_plus_plus": "triangle", "siamese": "lanes", "fpn": "lattice",
    "hrnet_w18": "lattice", "yolov3_spp": "lattice", "yolov8n": "lattice",
    "retinanet_resnet50_fpn": "lattice",
}  # fmt: skip
AT_A_PAGE = ("unet", "unet16", "unet_plus_plus", "fpn", "hrnet_w18", "yolov3_spp", "segnet")
"""Networks whose letters are 6 points high or more at 6.5 inches."""


@cache
def laid_out(name: str) -> tuple[SmallSheet, Overview, tuple[Unit, ...]]:
    graph = network(name).graph
    size = SIZES.get(name, 256)
    if graph.symbols:
        sizes = dict.fromkeys(map(str, graph.symbols), size)
        graph = netdsl.load(f"examples/{name}.net", sizes=sizes).graph
    shape = recognise(graph)
    assert shape.layout == LAID_OUT[name]
    units = overview_units(graph, shape)
    drawn = overview_of(graph, units, Options(), shape)
    assert drawn is not None
    return *drawn, units


def picture(name: str) -> Picture:
    sheet, overview, _ = laid_out(name)
    return framed(name, sheet.lines(sheet.room), overview.items, legend=sheet.legend(sheet.room))


@pytest.mark.parametrize("name", LAID_OUT)
def test_texts_are_apart_and_in_their_boxes(name: str) -> None:
    check_picture(picture(name), Options(), free_of_lines=False)


@pytest.mark.parametrize("name", LAID_OUT)
def test_no_wire_runs_through_a_box(name: str) -> None:
    """A wire may meet the boxes that it joins at their border, and no other box at all."""
    _, overview, _ = laid_out(name)
    boxes = {
        group.id: next(b for b in group.items if isinstance(b, Box | Polygon))
        for group in overview.items
        if isinstance(group, Group) and not _is_circle(group)
    }
    bounds = {key: _bounds(shape) for key, shape in boxes.items()}
    wires = [item for item in overview.items if isinstance(item, Curve)]
    assert len(wires) >= len(boxes) - 1
    for wire in wires:
        for a, b in pairwise(along(wire)):
            for key, (left, top, right, bottom) in bounds.items():
                inside = left + 1.5, top + 1.5, right - 1.5, bottom - 1.5
                assert not cuts(a, b, inside), (key, a, b)


def _is_circle(group: Group) -> bool:
    return not any(isinstance(item, Box | Polygon) for item in group.items)


def _bounds(shape: Box | Polygon) -> tuple[float, float, float, float]:
    if isinstance(shape, Box):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    xs, ys = zip(*shape.points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize("name", LAID_OUT)
def test_each_operation_is_in_one_box(name: str) -> None:
    sheet, overview, units = laid_out(name)
    drawn = [node for _, nodes in coverage(sheet.units) for node in nodes]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == set(sheet.graph.nodes())
    assert overview.places.keys() >= sheet.boxes.keys()
    assert {n for _, nodes in coverage(units) for n in nodes} == set(drawn)


@pytest.mark.parametrize(
    ("name", "coarsest", "finest"),
    [("unet", 16, 256), ("unet16", 16, 256), ("fpn", 4, 64), ("yolov3_spp", 13, 52),
     ("hourglass", 4, 64), ("hrnet_w18", 8, 64), ("retinanet_resnet50_fpn", 2, 32)],
)  # fmt: skip
def test_maps_of_one_size_stand_in_one_band(name: str, coarsest: int, finest: int) -> None:
    """Bands are ordered by the size of the maps, and no two of them meet."""
    sheet, overview, _ = laid_out(name)
    heights: dict[int, list[float]] = {}
    for key, unit in sheet.wiring.leaves.items():
        sizes = {_side(value) for value in unit.outputs}
        if len(sizes) == 1 and None not in sizes and not _is_between(unit):
            _, top, _, bottom = overview.places[key]
            heights.setdefault(sizes.pop() or 0, []).append((top + bottom) / 2)
    spans = sorted((s, min(ys), max(ys)) for s, ys in heights.items() if coarsest <= s <= finest)
    assert len(spans) >= 3
    ups = [a[2] < b[1] for a, b in pairwise(spans)]
    downs = [a[1] > b[2] for a, b in pairwise(spans)]
    assert all(ups) or all(downs), spans


def _is_between(unit: Unit) -> bool:
    """Whether a layer changes the size, and may so stand between two bands."""
    sizes = {_side(value) for value in (*unit.inputs, *unit.outputs)}
    return len(sizes) > 1 and not unit.is_block


def _side(value: Value) -> int | None:
    shape = value.type.shape
    return shape[-1] if len(shape) > 2 and isinstance(shape[-1], int) else None


def test_a_u_goes_down_on_the_left_and_up_on_the_right() -> None:
    sheet, overview, _ = laid_out("unet")
    places = {sheet.wiring.leaves[k].path: p for k, p in overview.places.items()
              if k in sheet.wiring.leaves}  # fmt: skip
    ways = [("down0", "up4"), ("down1", "up3"), ("down2", "up2"), ("down3", "up1")]
    middles = {path: ((p[0] + p[2]) / 2, (p[1] + p[3]) / 2) for path, p in places.items()}
    for (left, right), (lower, upper) in pairwise(ways):
        assert middles[left][1] == middles[right][1] < middles[lower][1] == middles[upper][1]
        assert middles[left][0] < middles[lower][0] < middles[upper][0] < middles[right][0]
    assert middles["down4"][1] > middles["down3"][1]
    bridges = [i for i in overview.items if isinstance(i, Curve) and i.line == "amber"]
    assert len(bridges) == 4
    assert all(len({y for _, y in bridge.points}) == 1 for bridge in bridges)


def test_nodes_of_a_triangle_stand_on_its_diagonals() -> None:
    sheet, overview, _ = laid_out("unet_plus_plus")
    places = {sheet.wiring.leaves[k].path: p for k, p in overview.places.items()
              if k in sheet.wiring.leaves}  # fmt: skip
    x = {path: (p[0] + p[2]) / 2 for path, p in places.items()}
    y = {path: (p[1] + p[3]) / 2 for path, p in places.items()}
    rows = [["x00", "node1", "node5", "node8", "node10"], ["x10", "node2", "node6", "node9"],
            ["x20", "node3", "node7"], ["x30", "node4"], ["x40"]]  # fmt: skip
    for row in rows:
        assert len({y[path] for path in row}) == 1
        steps = [b - a for a, b in pairwise([x[path] for path in row])]
        assert max(steps, default=0) - min(steps, default=0) < 1e-6
    for upper, lower in pairwise(rows):
        assert y[upper[0]] < y[lower[0]]
        for number, path in enumerate(lower):  # half way between two of the row above
            middle = (x[upper[number]] + x[upper[number + 1]]) / 2
            assert abs(x[path] - middle) < 1e-6


def test_lanes_hold_the_calls_and_the_weights_once() -> None:
    sheet, overview, _ = laid_out("siamese")
    by_path: dict[str, list[float]] = {}
    for key, unit in sheet.wiring.leaves.items():
        node = next((n for n in unit.nodes if n.layer.weights), None)
        if node is not None and len(node.layer.calls) == 2:
            by_path.setdefault(node.layer.calls[0].path, []).append(overview.places[key][0])
    assert len(by_path) == 5
    assert all(len(lefts) == 2 and abs(lefts[0] - lefts[1]) < 1 for lefts in by_path.values())
    words = [item.text for group in overview.items if isinstance(group, Group)
             for item in group.items if isinstance(item, Text)]  # fmt: skip
    assert sum(word == "6,464" for word in words) == 1  # 10x10x64 and 64: once, between the lanes


@pytest.mark.parametrize("name", AT_A_PAGE)
def test_letters_can_be_read_at_a_page(name: str) -> None:
    drawing = picture(name)
    assert drawing.smallest_letter(6.5 * 72) >= SMALLEST_PRINT
    assert 0.5 <= drawing.width / drawing.height <= 2


def test_the_same_bytes_each_time() -> None:
    first = laid_out("fpn")[1].items
    laid_out.cache_clear()
    assert laid_out("fpn")[1].items == first


@pytest.mark.parametrize(
    ("name", "layout"),
    [("unet", "lattice"), ("unet_plus_plus", "u"), ("fpn", "u"), ("siamese", "rows")],
)
def test_a_layout_may_be_asked_for(name: str, layout: str) -> None:
    graph = network(name).graph
    asked, usual = (picture_of(graph, Options(layout=one)) for one in (layout, None))
    check_picture(asked, Options(), free_of_lines=False)
    assert asked.items != usual.items
    assert asked.description.split("·")[0] == usual.description.split("·")[0]  # the same network


@pytest.mark.parametrize(
    ("name", "layout", "told"),
    [
        ("googlenet", "u", "skips between levels, and this one has none"),
        ("resnet50", "lanes", "layers that are called side by side, and this one has none"),
        ("fpn", "triangle", "without it, it stands in `lattice`"),
    ],
)
def test_a_layout_for_other_networks_is_refused(name: str, layout: str, told: str) -> None:
    with pytest.raises(DrawError, match=re.escape(told)):
        picture_of(network(name).graph, Options(layout=layout))


def test_a_layout_is_for_the_whole_network_in_blocks() -> None:
    for options in (
        Options(layout="u", level="volumes"),
        Options(layout="u", depth=1),
        Options(layout="spiral"),
    ):
        with pytest.raises(DrawError, match="layout"):
            draw(network("unet").graph, "svg", options)
