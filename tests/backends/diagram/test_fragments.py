"""Open blocks that are longer than a row of the page go on in the next."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.wiring import coverage
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import SMALLEST_PRINT, Options
from netdsl.backends.diagram.scene import Group, Picture, Text
from tests.backends.diagram.checks import check_picture

PAGE = 6.5 * 72


@pytest.fixture(scope="module")
def layers() -> Picture:
    graph = netdsl.load("examples/densenet121.net", sizes={"H": 224, "W": 224}).graph
    return picture_of(graph, Options(level="layers"))


def test_all_layers_of_a_densenet_have_the_form_of_a_page(layers: Picture) -> None:
    assert 0.5 <= layers.width / layers.height <= 2
    check_picture(layers, Options(level="layers"), free_of_lines=False)


def test_each_layer_is_drawn_once_and_each_frame_says_that_it_goes_on(layers: Picture) -> None:
    graph = netdsl.load("examples/densenet121.net", sizes={"H": 224, "W": 224}).graph
    options = Options(level="layers")
    nodes = [n for _, found in coverage(open_units(graph, options)) for n in found]
    boxes = [i for i in layers.items if isinstance(i, Group) and i.css == "unit"]
    assert len(boxes) == len(nodes) == len(set(nodes))
    frames = [i for i in layers.items if isinstance(i, Group) and i.css == "open"]
    by_path: dict[str, list[str]] = {}
    for frame in frames:
        words = " ".join(text.text for text in frame.items if isinstance(text, Text))
        by_path.setdefault(dict(frame.data)["path"], []).append(words)
    blocks = by_path["features.denseblock3"]
    assert len(blocks) > 3
    assert ["continued" in words for words in blocks] == [False] + [True] * (len(blocks) - 1)
    assert all(len(found) == 1 for path, found in by_path.items() if "denselayer" in path)


@pytest.mark.parametrize("name", ["densenet121", "vit_b_16"])
def test_letters_can_be_read_at_a_page(name: str) -> None:
    graph = netdsl.load(f"examples/{name}.net").graph
    sizes = dict.fromkeys(map(str, graph.symbols), 224)
    graph = netdsl.load(f"examples/{name}.net", sizes=sizes).graph
    drawing = picture_of(graph, Options(level="layers", width=PAGE))
    assert drawing.smallest_letter(PAGE) >= SMALLEST_PRINT
