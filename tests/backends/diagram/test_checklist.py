"""Points of docs/diagram-checklist.md that hold for a block view as a whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

import netdsl
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
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
    Shape,
    Text,
    bounds_of,
)
from netdsl.backends.diagram.units import leaves, units_of
from netdsl.ir.graph import Graph, Value
from tests.backends.diagram.checks import along, cuts, overlapping
from tests.backends.diagram.pictures import DEFAULT, EVERYTHING, PAGE, PRINTED, ROWS, picture
from tests.examples import NAMES, example, network
from tests.torchvision_models import torchvision_models

SVG = "{http://www.w3.org/2000/svg}"
SHAPE = re.compile(r"\d+(×\d+)+")


def drawn(name: str) -> tuple[Graph, Picture]:
    """A default picture and its graph."""
    return network(name).graph, picture(name, DEFAULT)


def words(picture: Picture) -> list[str]:
    return [text.text for text in picture.texts()]


def groups(items: Iterable[Item], css: str) -> list[Group]:
    return [item for item in items if isinstance(item, Group) and item.css == css]


# ---- 1: every number is the network's ----


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "vgg16"])
def test_shapes_and_totals_are_those_of_torchvision(name: str) -> None:
    models = torchvision_models()
    model = models.get_model(
        name, weights=None, **({"init_weights": False} if name != "resnet18" else {})
    )
    seen: set[tuple[int, ...]] = {(1, 3, 224, 224)}

    def note(module: Any, given: Any, made: Any) -> None:
        seen.update(tuple(t.shape) for t in (*given, made) if isinstance(t, torch.Tensor))

    for module in model.modules():
        module.register_forward_hook(note)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 224, 224))
    real = {"×".join(map(str, shape[1:])) for shape in seen}
    sized = netdsl.load(example(name), sizes={"H": 224, "W": 224})
    figure, drawing = picture_of(sized.graph, Options()), picture_of(sized.graph, ROWS)
    shown = {text for text in words(drawing) if SHAPE.fullmatch(text)}
    on_wires = [item.text for item in figure.items if isinstance(item, Text)]
    in_figure = {text for text in on_wires if SHAPE.fullmatch(text)}
    assert len(shown) > 5
    assert shown | in_figure <= real
    facts = models.get_model_weights(name).DEFAULT.meta
    said = re.findall(r"([\d.]+) ([MG]) (parameters|multiply-adds)", drawing.description)
    totals = {word: float(amount) * {"M": 1e6, "G": 1e9}[letter] for amount, letter, word in said}
    assert totals["parameters"] == pytest.approx(facts["num_params"], rel=0.005)
    assert totals["multiply-adds"] == pytest.approx(facts["_ops"] * 1e9, rel=0.005)


# ---- 3: shapes ----


@pytest.mark.parametrize("name", NAMES)
def test_each_tensors_shape_stands_once_unless_a_bar_counts_it(name: str) -> None:
    graph = drawn(name)[0]
    sheet = BlockSheet(graph, open_units(graph, Options()), Options())
    picture = sheet.picture()
    wires: dict[Value, list[Any]] = {}
    for wire in sheet.wires:
        wires.setdefault(wire.value, []).append(wire)
    needed: Counter[str] = Counter()
    counted_by_bars: Counter[str] = Counter()
    for found in wires.values():
        in_bars = all(sheet.boxes[wire.head].form == "strip" for wire in found)
        (counted_by_bars if in_bars else needed)[sheet.shown_shape(found[0])] += 1
    beside = Counter(
        item.text for item in picture.items if isinstance(item, Text) and item.size == 9
    )
    for shape in needed | counted_by_bars:
        assert needed[shape] <= beside[shape] <= needed[shape] + counted_by_bars[shape]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet18", "shapes are channels × height × width, batch left out"),
        ("unet3d", "shapes are channels × depth × height × width, batch left out"),
        ("audio_1d", "shapes are channels × length, batch left out"),
        ("swin_t", "batch left out, in another order behind permute and reshape"),
    ],
)
def test_the_order_of_the_axes_is_stated(name: str, told: str) -> None:
    assert told in drawn(name)[1].description


def test_rows_tell_the_size_of_maps_also_where_the_channels_come_last() -> None:
    as_formulas = replace(ROWS, formulas=True)
    shown = words(picture("swin_t", as_formulas))
    assert "→ H1 × W1" in shown
    assert "H4 × W4" in shown
    assert not any(" × 96" in text or " × 768" in text for text in shown)
    tokens = words(picture("vit_b_16", as_formulas))
    assert {"→ 196 tokens", "197 tokens"} <= set(tokens)
    assert not any("× 768" in text for text in tokens)


# ---- 4: labels ----

LAYERS = {
    "conv(16, 3x5, stride=2x1, padding=1x2, dilation=1x3)": ["conv 3×5 /2×1", "16 filters · pad 1×2 · dilation 1×3"],
    "conv(16, 3, groups=4)": ["conv 3×3", "16 filters · 4 groups"],
    "conv(8, 3, groups=8)": ["depthwise conv 3×3", "8 filters · 8 groups"],
    "conv(1, 1, padding=1, padding_mode=reflect)": ["conv 1×1", "1 filter · pad 1 · reflect"],
    "conv_transpose(4, 2, stride=2)": ["transposed conv 2×2 /2", "4 filters"],
    "maxpool(3, stride=2, padding=1, ceil_mode=true)": ["max pool 3×3 /2", "pad 1 · ceil"],
    "adaptive_avgpool(6x4)": ["avg pool to 6×4"],
    "permute([-1, 0, 1])": ["permute", "axes -1, 0, 1"],
    "dropout(0.3)": ["dropout", "0.3 dropped"],
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_a_label_tells_all_settings_that_are_not_the_usual(layer: str) -> None:
    net = netdsl.loads(f"net N {{ input x: [8, 40, 40]\n output y = x -> {layer} }}")
    (unit,) = groups(picture_of(net.graph, Options()).items, "unit")
    shown = [item.text for item in unit.items if isinstance(item, Text)]
    assert [text for text in shown if not re.fullmatch(r"[a-z_]+1", text)] == LAYERS[layer]


# ---- 5 to 8: blocks ----


@pytest.mark.parametrize("name", NAMES)
def test_a_block_carries_its_name_and_its_class(name: str) -> None:
    rows = picture(name, ROWS)
    units = open_units(network(name).graph, ROWS)
    frames = {g.id: g for g in (*groups(rows.items, "unit"), *groups(rows.items, "open"))}
    blocks = [u for u in (*units, *leaves(units)) if u.is_block]
    for unit in blocks:
        frame = frames[f"unit-{unit.path}".replace(" ", "-")]
        shown = " ".join(item.text for item in frame.items if isinstance(item, Text))
        assert unit.scope is not None
        assert unit.scope.definition in shown
        assert unit.path.rpartition(".")[2] in shown or unit.scope.definition in unit.path


@pytest.mark.parametrize("name", NAMES)
def test_at_most_two_blocks_are_open_each_on_a_panel(name: str) -> None:
    _, picture = drawn(name)
    opened = groups(picture.items, "open")
    tops = [g for g in opened if not any(g is not o and inside(g, o) for o in opened)]
    assert len(tops) <= 2
    bottom = max((bounds_of(g.items)[3] for g in tops), default=0.0)
    for frame in tops:  # below each other, below the overview
        others = [g for g in tops if g is not frame]
        assert all(not meets(frame, other) for other in others)
        assert bounds_of(frame.items)[3] <= bottom
    for box in groups(picture.items, "unit"):
        is_closed = any(isinstance(i, Polygon) and i.fill == "block.line" for i in box.items)
        borders = [i for i in box.items if isinstance(i, Box) and i.line == "block.line"]
        assert not is_closed or len(borders) > 1


def meets(one: Group, other: Group) -> bool:
    a, b = bounds_of(one.items), bounds_of(other.items)
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(item: Group, other: Group) -> bool:
    a, b = bounds_of(item.items), bounds_of(other.items)
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "shufflenet_v2_x1_0", "vgg16"])
def test_copies_that_stand_as_n_times_have_equal_weights_in_torchvision(name: str) -> None:
    extra = {"init_weights": False} if name == "vgg16" else {}
    numbers = torchvision_models().get_model(name, weights=None, **extra).state_dict()
    repeated = [u for u in units_of(network(name).graph) if u.count > 1]
    assert repeated
    for unit in repeated:
        shapes = [
            [
                tuple(value.shape)
                for node in copy
                for key, value in numbers.items()
                if key.rpartition(".")[0] == node.path
            ]
            for copy in unit.copies
        ]
        assert shapes[0]
        assert all(other == shapes[0] for other in shapes)


def test_the_legend_says_what_is_folded() -> None:
    for name, told in (
        ("googlenet", "conv = convolution + BN + ReLU"),
        ("vgg16", "conv = convolution + ReLU"),
    ):
        assert told in words(picture(name, DEFAULT))


# ---- 11 to 13: lines ----


def test_a_sum_is_a_circle_with_a_plus() -> None:
    sums = [
        g
        for g in groups(picture("resnet18", DEFAULT).items, "unit")
        if any(isinstance(i, Ellipse) for i in g.items)
    ]
    assert sums
    assert all([i.text for i in g.items if isinstance(i, Text)] == ["+"] for g in sums)


def frame_of(group: Group) -> Bounds:
    """What lines may touch: the box itself, without the cards behind it."""
    own = [i for i in group.items if isinstance(i, Box | Polygon | Ellipse) and i.stroke == 1.3]
    return bounds_of(own or [i for i in group.items if not isinstance(i, Text)])


def holds(box: Bounds, point: Point, margin: float) -> bool:
    left, top, right, bottom = box
    x, y = point
    return left - margin < x < right + margin and top - margin < y < bottom + margin


def lines_of(picture: Picture) -> list[Curve]:
    """Wires; a lens, whose lines end at the edge of a panel, is checked with the figures."""
    curves = (item for item in picture.items if isinstance(item, Curve))
    return [curve for curve in curves if curve.line != "block.line"]


@pytest.mark.parametrize("name", NAMES)
def test_no_line_runs_through_a_text_or_a_box(name: str) -> None:
    check_lines(drawn(name)[1])


def check_lines(picture: Picture) -> None:
    boxes = [frame_of(g) for css in ("unit", "end") for g in groups(picture.items, css)]
    texts = [text.bounds() for text in picture.texts()]
    for curve in lines_of(picture):
        for point in along(curve):
            assert not any(holds(box, point, -3) for box in boxes)
            assert not any(holds(box, point, -0.5) for box in texts)


@pytest.mark.in_turn("asked")
@pytest.mark.parametrize("asked", ["default", "all open"])
@pytest.mark.parametrize("name", NAMES)
def test_no_line_ends_in_the_empty(name: str, asked: str) -> None:
    check_ends(picture(name, DEFAULT if asked == "default" else EVERYTHING))


def check_ends(picture: Picture) -> None:
    """Every line starts and ends at a box, a fork, or where another line goes on: at no frame.

    What comes into the block on a panel begins at its left edge, and leaves at the right one.
    """
    edges = [bounds_of(g.items) for g in groups(picture.items, "open")]
    places: list[Shape] = [item for item in picture.items if isinstance(item, Ellipse)]
    cards = [g for css in ("unit", "end") for g in groups(picture.items, css)]
    boxes = [box for g in cards for box in (frame_of(g), bounds_of(g.items))]
    boxes += [bounds_of([place]) for place in places]
    ends = Counter(
        (round(x / 8), round(y / 8))
        for curve in lines_of(picture)
        for x, y in (curve.points[0], curve.points[-1])
    )
    for curve in lines_of(picture):
        for x, y in (curve.points[0], curve.points[-1]):
            i, j = round(x / 8), round(y / 8)
            near = sum(ends[i + a, j + b] for a in (-1, 0, 1) for b in (-1, 0, 1))
            at_edge = any(
                t < y < b and (0 < x - left < 14 or 0 < right - x < 14)
                for left, t, right, b in edges
            )
            is_met = near > 1 or at_edge or any(holds(box, (x, y), 4) for box in boxes)
            assert is_met or on_another(curve, (x, y), picture), (x, y)


def on_another(curve: Curve, point: Point, picture: Picture) -> bool:
    """Whether a point lies on the way of another line, which a skip leaves where it is its own."""
    x, y = point
    box = x - 1.5, y - 1.5, x + 1.5, y + 1.5
    others = (along(other) for other in lines_of(picture) if other is not curve)
    return any(cuts(a, b, box) for points in others for a, b in pairwise(points))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "densenet121"])
def test_a_skip_stays_inside_its_block(name: str) -> None:
    picture = drawn(name)[1]
    frames = [bounds_of(g.items) for g in groups(picture.items, "open")]
    skips = [curve for curve in lines_of(picture) if curve.line == "amber"]
    assert skips or name == "densenet121"
    for curve in skips:
        assert any(all(holds(frame, p, 0) for p in along(curve)) for frame in frames)


# ---- 9, 10: a page in print ----

LONG = {"diffusion_unet", "retinanet_resnet50_fpn"}
"""Networks of so many units that letters of 6 points make them more than twice as high as wide."""


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_no_letter_of_a_default_picture_is_under_6_points_on_a_page(name: str) -> None:
    page = picture(name, PRINTED)
    sizes = [text.size * PAGE / page.width for text in page.texts()]
    assert min(sizes) >= 6
    assert (page.height > 2 * page.width) == (name in LONG)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrapped_for_a_page_stays_readable(name: str) -> None:
    page = picture(name, PRINTED)
    assert overlapping(page) == []
    check_ends(page)
    check_lines(page)
    for text in page.texts():
        left, top, right, bottom = text.bounds()
        assert left >= 0
        assert top >= 0
        assert right <= page.width
        assert bottom <= page.height


def test_what_was_asked_to_be_open_is_open_on_a_page_too() -> None:
    graph = network("resnet50").graph
    asked = picture_of(graph, Options(width=PAGE, expand=("layer3.1",)))
    assert {dict(g.data)["path"] for g in groups(asked.items, "open")} == {"layer3.1"}
