"""One figure tells the idea: the whole network small, and the block that is its idea, open."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
import torch

import netdsl
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.figure.windows import windows
from netdsl.backends.diagram.options import DrawError, Options, check_options
from netdsl.backends.diagram.scene import (
    Bounds,
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Picture,
    Point,
    Polygon,
    Text,
    bounds_of,
    flatten,
)
from netdsl.ops.facts import Tiling
from tests.backends.diagram.checks import along
from tests.backends.diagram.pictures import DEFAULT, ROWS, picture
from tests.examples import NAMES, example, network
from tests.torchvision_models import torchvision_models

PANELS = {
    "googlenet": ["inception"],
    "resnet50": ["layer"],
    "deeplabv3_resnet50": ["classifier.0"],
    "densenet121": ["features.denseblock1", "features.denseblock1.denselayer"],
    "vit_b_16": ["encoder.layers.encoder_layer_0"],
    "efficientnet_b0": ["features.", "features."],
    "swin_t": ["features.5.0"],
    "vgg16": [],
}
"""What the paths of the panels begin with."""


def groups(items: Iterable[Item], css: str) -> list[Group]:
    return [item for item in items if isinstance(item, Group) and item.css == css]


def panels(drawing: Picture) -> list[Group]:
    return groups(drawing.items, "open")


def within(one: Bounds, other: Bounds) -> bool:
    return all(a >= b - 0.1 for a, b in zip(one[:2], other[:2], strict=True)) and all(
        a <= b + 0.1 for a, b in zip(one[2:], other[2:], strict=True)
    )


def words(items: Iterable[Item]) -> list[str]:
    return [s.text for s in flatten(items) if isinstance(s, Text)]


@pytest.mark.parametrize("name", PANELS)
def test_the_idea_stands_on_a_panel_below_the_overview(name: str) -> None:
    drawing = picture(name, DEFAULT)
    opened = panels(drawing)
    paths = [dict(g.data)["path"] for g in opened]
    assert len(paths) == len(PANELS[name])
    assert all(p.startswith(start) for p, start in zip(paths, PANELS[name], strict=True))
    frames = [bounds_of(g.items) for g in opened]
    for group in groups(drawing.items, "unit"):
        box = bounds_of(group.items)
        assert any(within(box, frame) for frame in frames) or not frames or box[3] < frames[0][1]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_every_box_of_an_overview_is_another_part(name: str) -> None:
    """No path twice in the overview, and none that lies in another."""
    drawing = picture(name, DEFAULT)
    frames = [bounds_of(g.items) for g in panels(drawing)]
    small = [
        dict(g.data)["path"]
        for g in groups(drawing.items, "unit")
        if not any(within(bounds_of(g.items), frame) for frame in frames)
    ]
    assert len(small) == len(set(small))
    assert small


# ---- the lens ----


def inside(shape: tuple[Point, ...], point: Point) -> bool:
    """By the number of sides that a ray to the right crosses."""
    x, y = point
    crossed = 0
    for (ax, ay), (bx, by) in zip(shape, (*shape[1:], shape[0]), strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            crossed += 1
    return crossed % 2 == 1


def cones(drawing: Picture) -> list[Polygon]:
    return [i for i in drawing.items if isinstance(i, Polygon) and 0 < i.opacity < 0.2]


def crosses(cone: Polygon, drawing: Picture) -> list[str]:
    """What lies in a cone that is no band and no frame."""
    _, top, _, bottom = bounds_of([cone])
    found: list[str] = []
    boxes = [g.items for css in ("unit", "end") for g in groups(drawing.items, css)]
    boxes += [[i] for i in drawing.items if isinstance(i, Text)]
    for items in boxes:
        a, b, c, d = bounds_of(items)
        near = [(a + (c - a) * i / 12, b + (d - b) * j / 12) for i in range(13) for j in range(13)]
        found += [repr(items)[:60]] * any(inside(cone.points, p) for p in near if p[1] > top + 1)
    for curve in (i for i in drawing.items if isinstance(i, Curve) and i.line != "block.line"):
        points = [p for p in along(curve) if top + 1 < p[1] < bottom - 1]
        found += [repr(curve)[:60]] * any(inside(cone.points, p) for p in points)
    return found


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", NAMES)
def test_a_lens_crosses_no_box_no_text_and_no_wire(name: str) -> None:
    drawing = picture(name, DEFAULT)
    for cone in cones(drawing):
        assert crosses(cone, drawing) == []
        (_, y), _, (_, end), _ = cone.points
        frame = bounds_of(panels(drawing)[0].items)
        assert end == pytest.approx(frame[1], abs=0.1)
        assert y < end


def test_a_lens_leads_from_the_box_that_is_open_and_a_planted_text_is_seen() -> None:
    drawing = picture("googlenet", DEFAULT)
    (cone,) = cones(drawing)
    path = dict(panels(drawing)[0].data)["path"]
    boxes = [g for g in groups(drawing.items, "unit") if dict(g.data)["path"] == path]
    (x, y), (u, _), _, _ = cone.points
    left, _, right, bottom = bounds_of(boxes[0].items)
    assert (x, u, y) == pytest.approx((left, right, bottom), abs=0.5)
    middle = bounds_of([cone])
    at = (middle[0] + middle[2]) / 2, (middle[1] + middle[3]) / 2
    drawing.items.append(Text(*at, "planted"))
    try:
        assert crosses(cone, drawing)
    finally:
        drawing.items.pop()


# ---- slides ----

SLIDE = Options(aspect=16 / 9, theme="slides")


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name",
    [
        "googlenet",
        "unet",
        "unet_plus_plus",
        "hrnet_w18",
        "fpn",
        "swin_t",
        "deeplabv3_resnet50",
        "yolov3_spp",
        "densenet121",
    ],
)
def test_on_a_slide_the_panel_stands_aside_so_that_letters_are_6_points(name: str) -> None:
    drawing, page = picture(name, SLIDE), picture(name, DEFAULT)
    wide, high = 40 / 3 * 72, 7.5 * 72
    letters = drawing.least * min(wide / drawing.width, high / drawing.height)
    assert letters > 5.95
    assert letters > page.least * min(wide / page.width, high / page.height)
    frame = bounds_of(panels(drawing)[0].items)
    boxes = [bounds_of(g.items) for css in ("unit", "end") for g in groups(drawing.items, css)]
    frames = [bounds_of(g.items) for g in panels(drawing)]
    assert all(box[2] < frame[0] or any(within(box, f) for f in frames) for box in boxes)
    for cone in cones(drawing):
        (x, _), _, (end, low), (_, up) = cone.points
        assert x < end == pytest.approx(frame[0], abs=0.1)
        assert frame[1] <= up < low <= frame[3]
        assert any(box[2] == pytest.approx(x, abs=0.5) for box in boxes)
        taken = [*boxes, *(item.bounds() for item in drawing.items if isinstance(item, Text))]
        assert not any(
            inside(cone.points, (a + (c - a) * i / 12, b + (d - b) * j / 12))
            for a, b, c, d in taken for i in range(13) for j in range(13)
            if a + (c - a) * i / 12 > x + 1
        )  # fmt: skip
        curves = [i for i in drawing.items if isinstance(i, Curve) and i.line != "block.line"]
        ways = [p for curve in curves for p in along(curve) if x + 1 < p[0] < end - 1]
        assert not any(inside(cone.points, p) for p in ways)


def test_a_lens_leads_aside_where_nothing_is_in_its_way() -> None:
    assert [dict(g.data)["path"] for g in panels(picture("unet", SLIDE))] == ["up1"]
    assert len(cones(picture("unet", SLIDE))) == 1


# ---- what a panel shows ----


def test_arcs_are_what_the_layers_of_torchvision_read() -> None:
    block = torchvision_models().get_model("densenet121", weights=None).features.denseblock1
    reads = [layer.conv1.in_channels for layer in block.children()]
    frame = panels(picture("densenet121", DEFAULT))[0]
    left, top, right, bottom = bounds_of(frame.items)
    shapes = flatten(picture("densenet121", DEFAULT).items)
    own = [s for s in shapes if within(bounds_of([s]), (left, top, right, bottom))]
    sums = [int(s.text) for s in own if isinstance(s, Text) and s.bold and s.text.isdigit()]
    assert sorted(sums)[-len(reads) - 1 :] == [*reads, 256]
    links = [s for s in own if isinstance(s, Curve)]
    count = len(reads) + 1
    assert len(links) == count * (count + 1) // 2


def test_kernels_read_the_cells_that_gradients_show() -> None:
    drawing = picture("deeplabv3_resnet50", DEFAULT)
    for rate in (12, 24, 36):
        told = next(t for t in drawing.texts() if t.text == f"3×3, dilation {rate}")
        dots = [
            s for s in flatten(drawing.items)
            if isinstance(s, Ellipse) and s.rx == 2 and abs(s.x - told.x) < 66 and s.y < told.y
        ]  # fmt: skip
        assert len(dots) == 9
        x = torch.zeros(1, 1, 28, 28, requires_grad=True)
        conv = torch.nn.Conv2d(1, 1, 3, padding=rate, dilation=rate)
        conv(x)[0, 0, 14, 14].backward()
        assert x.grad is not None
        assert sum(bool(dot.fill) for dot in dots) == int((x.grad != 0).sum())


@pytest.mark.parametrize(
    ("size", "window", "shift"), [(14, 7, 0), (14, 7, 3), (16, 8, 4), (12, 4, 1)]
)
def test_windows_are_those_of_a_map_that_is_rolled(size: int, window: int, shift: int) -> None:
    numbers = torch.arange(size)
    rolled = torch.roll(numbers, -shift)
    home = {int(cell): place // window for place, cell in enumerate(rolled)}
    borders = {b for a, b in pairwise(range(size)) if home[a] != home[b]}
    drawn = windows(Tiling(window, (shift, shift)), (size, size))
    cell = 84 / size
    ways = [s for s in drawn if isinstance(s, Curve) and s.line == "ink"]
    down = {round(s.points[0][0] / cell) for s in ways if s.points[0][0] == s.points[-1][0]}
    across = {round(s.points[0][1] / cell) for s in ways if s.points[0][1] == s.points[-1][1]}
    assert down == across == borders


def test_a_gate_is_no_skip() -> None:
    drawing = picture("efficientnet_b0", DEFAULT)
    inner = bounds_of(panels(drawing)[1].items)
    own = [s for s in drawing.items if within(bounds_of([s]), inner)]
    assert "×" in words(own)
    assert not [s for s in own if isinstance(s, Curve) and s.line == "amber"]
    outer = bounds_of(panels(drawing)[0].items)
    others = [s for s in drawing.items if isinstance(s, Curve) and within(bounds_of([s]), outer)]
    assert [s for s in others if s.line == "amber"]


def test_staircases_have_one_scale() -> None:
    drawing = picture("densenet121", DEFAULT)
    blocks = {dict(g.data)["path"]: g for g in groups(drawing.items, "unit")}
    heights: dict[int, float] = {}
    for number, channels in enumerate((256, 512, 1024, 1024), 1):
        group = blocks[f"features.denseblock{number}"]
        bars = [i for i in group.items if isinstance(i, Box) and i.width == pytest.approx(3.0)]
        high = max(b.y + b.height for b in bars) - min(b.y for b in bars)
        heights.setdefault(channels, high)
        assert high == pytest.approx(heights[channels], abs=0.1)
    assert heights[1024] == pytest.approx(2 * heights[512], rel=0.01)
    assert heights[512] == pytest.approx(2 * heights[256], rel=0.01)


# ---- heads, learned values, sizes ----


def test_heads_for_training_are_dashed_below_what_they_read() -> None:
    drawing = picture("googlenet", DEFAULT)
    boxes = {dict(g.data)["path"]: g for g in groups(drawing.items, "unit")}
    for head, source in (("aux1", "inception4a"), ("aux2", "inception4d")):
        frame = next(i for i in boxes[head].items if isinstance(i, Box))
        assert frame.dash == "dashed"
        low, high = bounds_of(boxes[head].items), bounds_of(boxes[source].items)
        assert low[1] > high[3]
        assert low[0] < (high[0] + high[2]) / 2 < low[2]
        assert any(text.startswith("in training") for text in words(boxes[head].items))


def test_blocks_are_drawn_at_a_size_that_is_told_unless_formulas_are_asked_for() -> None:
    graph = network("resnet18").graph
    sized = netdsl.load(example("resnet18"), sizes={"H": 224, "W": 224}).graph
    told = "Drawn at H = 224, W = 224; the network takes any H, any W."
    for options in (DEFAULT, ROWS):
        drawn = picture("resnet18", options)
        given = picture_of(sized, options)
        assert told in drawn.texts()[1].text + drawn.texts()[2].text + drawn.texts()[3].text
        assert set(words(drawn.items)) - set(words(given.items)) == {told}
    formulas = picture_of(graph, Options(formulas=True, expand=("none",)))
    assert "3×H×W" in words(formulas.items)
    assert told not in words(formulas.items)
    with pytest.raises(DrawError, match="--formulas"):
        check_options(Options(level="volumes", formulas=True))


def test_small_networks_need_no_panel() -> None:
    assert panels(picture("lenet", DEFAULT)) == []
    assert picture("lenet", DEFAULT).width / picture("lenet", DEFAULT).height < 2
