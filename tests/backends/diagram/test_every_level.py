"""Every example at the levels whose layout is Graphviz's: what the default picture holds to."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.backends.diagram.blocks.text_places import freed
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Bounds, Box, Curve, Group, Text, line
from netdsl.backends.diagram.shape_names import factor
from tests.backends.diagram.checks import check_picture, struck
from tests.backends.diagram.pictures import EVERYTHING, picture
from tests.examples import NAMES, network

ASKED = {
    "all open": EVERYTHING,
    "layers": Options(level="layers"),
    "down": Options(direction="down"),
}
STRUCK = {("diffusion_unet", "down")}
"""Pictures in which a text has a line through it, since there is no free place near."""


@pytest.mark.in_turn("asked")
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", NAMES)
def test_texts_are_apart_and_free_of_lines(name: str, asked: str) -> None:
    options = ASKED[asked]
    drawing = picture(name, options)
    check_picture(drawing, options, free_of_lines=False)
    assert bool(struck(drawing)) == ((name, asked) in STRUCK), struck(drawing)


# ---- texts that step aside ----


def test_a_shape_steps_aside_from_a_line() -> None:
    way, other = line([(0, 50), (200, 50)], "wire"), line([(0, 44), (200, 44)], "wire")
    near, text = Text(100, 47, "64×56×56", 9, "soft"), Text(100, 61, "64×56×56", 9, "soft")
    free = freed([way, text])
    assert free == [way, text]  # what is free stays where it is
    *_, moved = freed([other, way, near])
    assert isinstance(moved, Text)
    _, top, _, bottom = moved.bounds()
    assert bottom < 44 or top > 50


def frame(title: str, box: Bounds) -> Group:
    left, top, right, bottom = box
    mark = Box(left + 8, top + 8, 6, 6)
    name = Text(left + 18, top + 15, title, 11, "ink", True, "start")
    kind = Text(left + 24 + name.width, top + 15, "Block", 9, "soft", False, "start")
    own = Box(left, top, right - left, bottom - top, "block.fill", "block.line")
    return Group((own, mark, name, kind), css="open")


def test_a_title_steps_aside_or_stands_in_two_lines() -> None:
    wide = frame("layer1", (0, 0, 300, 200))
    down = line([(40, -20), (40, 100)], "wire")
    placed, _ = freed([wide, down])
    assert isinstance(placed, Group)
    assert min(i.bounds()[0] for i in placed.items if isinstance(i, Text)) > 40
    narrow = frame("layer1", (0, 0, 100, 40))
    ways = [line([(x, -20), (x, 60)], "wire") for x in (60, 70, 80, 90)]
    name, kind = (i for i in freed([narrow, *ways])[0].items if isinstance(i, Text))  # type: ignore[union-attr]
    assert (kind.x, kind.y) == (name.x, name.y + 11)


# ---- drawings that run down ----


def test_a_bar_lies_flat_under_its_branches_in_their_order() -> None:
    graph = network("googlenet").graph
    drawing = picture_of(graph, Options(direction="down", expand=("inception3a",)))
    bar = next(i for i in drawing.items if isinstance(i, Group) and i.items[0] == _word(i))
    parts = [i for i in bar.items if isinstance(i, Box)]
    widths = [p.width for p in parts]
    assert [w / sum(widths) * 256 for w in widths] == pytest.approx([64, 128, 32, 32])
    assert len({p.y for p in parts}) == 1
    ways = [c for c in drawing.items if isinstance(c, Curve) and c.line.startswith("series")]
    ends = {c.line: (c.points[0][0], c.points[-1]) for c in ways}
    assert [ends[f"series{n}"][1][0] for n in range(4)] == pytest.approx(
        [p.x + p.width / 2 for p in parts], abs=1
    )
    starts = [ends[f"series{n}"][0] for n in range(4)]
    assert starts == sorted(starts)


def _word(group: Group) -> Text | None:
    first = group.items[0]
    return first if isinstance(first, Text) and first.text == "concat" else None


def test_pooling_narrows_downwards() -> None:
    drawing = picture("lenet", ASKED["down"])
    pool = next(i for i in drawing.items if isinstance(i, Group) and i.id == "unit-maxpool1")
    (left, top), (right, also_top), (low_right, bottom), (low_left, _) = pool.items[0].points  # type: ignore[union-attr]
    assert top == also_top < bottom
    assert left < low_left < low_right < right


def test_a_size_that_is_a_sum_stands_in_parentheses() -> None:
    assert factor("H - 1") == "(H - 1)"
    assert factor("floor((H + 1)/2)") == "floor((H + 1)/2)"
    assert factor("floor((H + 1)/2) + 1") == "(floor((H + 1)/2) + 1)"
    net = netdsl.loads("net N { input x: [3, H, W]\n output y = x -> conv(4, 2) }")
    shown = [text.text for text in picture_of(net.graph, Options(formulas=True)).texts()]
    assert "4×(H - 1)×(W - 1)" in shown
