"""The volume view: names, letters on a page, panels under the lens."""

from __future__ import annotations

from collections import Counter

import pytest

from netdsl import loads
from netdsl.backends.diagram.example_size import numbers_for
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Polygon
from netdsl.backends.diagram.volumes.names import names_of
from netdsl.backends.diagram.volumes.picture import volumes_picture
from netdsl.backends.diagram.volumes.steps import steps_of
from tests.backends.diagram.checks import overlapping
from tests.backends.diagram.test_volumes import (
    NAMES,
    OPTIONS,
    crossed,
    drawn,
    network,
    uncovered,
    volumes,
)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_volumes_have_one_name(name: str) -> None:
    graph = network(name)
    steps = steps_of(graph, numbers_for(graph))
    for width in (92.0, 64.0, 40.0):
        names = ["".join(lines) for lines in names_of(steps, 10, width).values()]
        assert len(set(names)) == len(steps)


def test_a_long_path_leaves_out_its_middle_and_says_so() -> None:
    picture = drawn("unet")
    texts = [text.text for text in picture.texts()]
    assert {f"{way}{n}..conv{m}" for way in ("down", "up") for n in "1234" for m in "12"} < set(
        texts
    )
    assert "down1..conv1 is down1.conv.conv1" in picture.description


PAGE = Options(level="volumes", width=468.0)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_under_6_points_on_a_page(name: str) -> None:
    graph, picture = network(name), drawn(name, PAGE)
    assert picture.smallest_letter(468) >= 6
    assert overlapping(picture, beside=0) == []
    assert crossed(picture) == []
    assert uncovered(graph, picture) == Counter()


def test_a_u_on_a_page_is_still_a_u() -> None:
    picture = drawn("unet", PAGE)
    lines = [i for i in picture.items if isinstance(i, Curve) and i.line == "amber"]
    assert len(lines) == 4
    assert all(line.points[0][1] == line.points[-1][1] for line in lines)


def test_channels_that_stand_last_are_marked() -> None:
    texts = [text.text for text in drawn("swin_t").texts()]
    assert "56 × 56 × 96 ch" in texts
    assert "96 × 56 × 56" in texts
    assert not any(text.text.endswith(" ch") for text in drawn("vgg16").texts())


# ---- panels ----

PANELS = """net N { input x: [3, 64, 64]
    m = x -> c: conv(16, 3, stride=2)
    d = m -> side: conv(8, 1) -> maxpool(2)
    p = m -> adaptive_avgpool(6) -> flatten
    q = d -> spp
    output y = (p, q) -> concat -> linear(5) }"""


@pytest.mark.parametrize(
    ("name", "map_of", "options"),
    [
        ("sppnet", "conv5", OPTIONS),
        ("sppnet", "conv5", PAGE),
        ("bins", "x", OPTIONS),
        ("panels", "c", OPTIONS),
        ("panels", "c", PAGE),
    ],
)
def test_lens_lines_lead_from_the_corners_of_the_map_to_those_of_its_panel(
    name: str, map_of: str, options: Options
) -> None:
    graph = loads(PANELS).graph if name == "panels" else network(name)
    picture = volumes_picture(graph, options)
    panel = next(i for i in picture.items if isinstance(i, Box) and i.fill == "panel.fill")
    group = next(g for g in volumes(picture) if g.id in (f"v-{map_of}", f"in-{map_of}"))
    front = next(i for i in group.items if isinstance(i, Box) and i.line)
    side = next(i.points for i in group.items if isinstance(i, Polygon))
    lenses = [i for i in picture.items if isinstance(i, Curve) and (i.line, i.dash) == LENS]
    left, right = [(lens.points[0], lens.points[-1]) for lens in lenses]
    assert left[0] == pytest.approx((front.x, front.y + front.height))
    assert right[0] == pytest.approx(side[2])
    assert left[1] == pytest.approx((panel.x, panel.y))
    assert right[1] == pytest.approx((panel.x + panel.width, panel.y))
    assert overlapping(picture, beside=0) == []
    assert crossed(picture) == []


LENS = ("wire", "dashed")
