"""Levels against the sizes of the maps themselves, worked out at a large size."""

from __future__ import annotations

from math import log2, prod

import pytest

import netdsl
from netdsl.backends.diagram.model.levels import Levels
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph, Value
from tests.backends.diagram.model import WRITTEN, graph_of
from tests.examples import NAMES

LARGE = 4001
NO_ORACLE = {"crnn", "upsample_any", "style_gan", "cgan_generator", "inverse_digits"}
"""Maps shrunk along one axis alone, brought to fixed sizes, or grown from a vector or one cell."""
LEAST_MAP = 8
"""Cells along a side, below which a ratio of sizes says nothing."""
PYRAMID = """
net Pyramid {
    input image: [3, H, W]
    output half = image -> conv(4, 3, stride=2) -> maxpool(3)
    output pooled = image -> adaptive_avgpool(7) -> conv(4, 1)
    output gate = image -> global_avgpool
    output tokens = image -> conv(4, 4, stride=4) -> reshape([4, -1]) -> permute([1, 0]) -> linear(8)
    output finer = image -> conv(16, 3, padding=1) -> pixel_shuffle(2)
    output back = image -> conv(4, 4, stride=4) -> upsample(size=image)
    output turned = image -> conv(4, 2, stride=2) -> permute([1, 2, 0]) -> linear(8)
}
"""


def cells(graph: Graph, value: Value) -> list[list[int]]:
    """The axes of a map at a large size: channels first, or last."""
    sizes = dict.fromkeys(graph.symbols, LARGE)
    shape = [evaluate(size, sizes) for size in value.type.shape]
    return [shape[1:], shape[:-1]] if len(shape) > 2 else [shape[1:]]


@pytest.mark.parametrize("name", sorted({*WRITTEN, *NAMES} - NO_ORACLE))
@pytest.mark.one_in(2)
def test_a_level_is_what_the_sizes_say(name: str) -> None:
    graph = graph_of(name)
    if not graph.symbols:
        return  # a small map may lose more cells at its borders than a stride takes
    levels = Levels(graph)
    inputs = [item.value for item in graph.inputs if item.value.type.rank > 1]
    largest = max((prod(cells(graph, value)[0]) for value in inputs), default=1)
    for node in graph.nodes():
        level = levels.of(node.outputs[0])
        if level is None:
            continue
        sides = [c for c in cells(graph, node.outputs[0]) if min(c) >= LEAST_MAP]
        said = [log2(largest / prod(side)) / len(side) for side in sides]
        assert not said or any(abs(one - level) < 0.51 for one in said), (node.path, level, said)


def test_levels_of_all_kinds() -> None:
    graph = netdsl.loads(PYRAMID).graph
    levels = Levels(graph)
    found = {output.name: levels.of(output.value) for output in graph.outputs}
    assert found == {
        "half": 3,  # 2 * 3 is nearest to 8
        "pooled": None,
        "gate": None,
        "tokens": None,
        "finer": -1,
        "back": 0,
        "turned": 1,
    }


@pytest.mark.parametrize(("name", "deepest"), [("unet", 4), ("resnet50", 5), ("fpn", 6)])
def test_the_deepest_level(name: str, deepest: int) -> None:
    graph = graph_of(name)
    levels = Levels(graph)
    found = {levels.of(value) for node in graph.nodes() for value in node.outputs}
    assert max(level for level in found if level is not None) == deepest


@pytest.mark.parametrize("name", ["cgan_generator", "style_gan"])
def test_without_a_map_as_input_the_finest_is_level_0(name: str) -> None:
    graph = graph_of(name)
    levels = Levels(graph)
    assert levels.of(graph.outputs[0].value) == 0
    assert (
        min(level for node in graph.nodes() if (level := levels.of(node.output)) is not None) == 0
    )
