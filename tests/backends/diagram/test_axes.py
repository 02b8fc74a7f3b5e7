"""Which axis holds the channels, and what enlarges maps, in every picture by the facts of layers."""

from __future__ import annotations

import re

import pytest

import netdsl
from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.example_size import numbers_for
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.volumes.columns import Study, role_of
from netdsl.backends.diagram.volumes.steps import steps_of
from netdsl.ir.graph import Graph
from netdsl.lints import WARNINGS
from tests.examples import example


def graph_of(body: str) -> Graph:
    return netdsl.loads(f"net A {{ {body} }}", allow=WARNINGS).graph


def study_of(graph: Graph) -> Study:
    numbers = numbers_for(graph)
    return Study(steps_of(graph, numbers), numbers, ChannelAxes(graph))


def texts(graph: Graph, level: str = "blocks") -> list[str]:
    drawn = svg(picture_of(graph, Options(level=level)), theme("light"), None)
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawn)


@pytest.mark.parametrize(
    ("pool", "spatial"),
    [
        ("adaptive_maxpool(4)", (4, 4)),
        ("adaptive_avgpool(4)", (4, 4)),
        ("lppool(2, 2)", (6, 8)),
        ("maxpool(2)", (6, 8)),
        ("pixel_unshuffle(2) -> conv(3, 1)", (6, 8)),
        ("batchnorm", (12, 16)),
        ("upsample(2)", (24, 32)),
    ],
)
def test_a_map_layer_has_its_channels_first_also_behind_a_linear(
    pool: str, spatial: tuple[int, ...]
) -> None:
    """A `linear` on a map has its channels last; what works on maps takes axis 0 for them again."""
    study = study_of(graph_of(f"input x: [3, 12, 10] ; output y = x -> linear(16) -> {pool}"))
    linear, last = study.axes(study.steps[1]), study.axes(study.steps[-1])
    assert (linear.channels, linear.spatial) in {(16, (3, 12)), (3, (12, 16))}
    assert (last.channels, last.spatial) == (3, spatial)


def test_a_pyramid_behind_a_linear_is_a_vector() -> None:
    study = study_of(graph_of("input x: [3, 12, 10] ; output y = x -> linear(16) -> spp([1, 2])"))
    assert study.axes(study.steps[-1]).length == 3 * (1 + 4)
    assert [study.axes(s).channels for s in study.steps[:2]] == [3, 16]


def test_a_class_token_hides_no_channels() -> None:
    graph = netdsl.load(example("vit_b_16")).graph
    axes = ChannelAxes(graph)
    tokens = [n.output for n in graph.nodes() if n.output.type.shape == (197, 768)]
    assert len(tokens) > 100
    assert {(axes.of(value), axes.spatial(value)) for value in tokens} == {(1, (197,))}
    found = texts(graph)
    assert {"224 × 224 → 197 tokens", "197 tokens"} <= set(found)
    assert not any("768" in text and "× 768" in text for text in found)


def test_an_input_that_is_turned_before_it_is_read() -> None:
    """A convolution over the 7 places of 12 features, which stand last in the input."""
    graph = graph_of("input x: [7, 12] ; output y = x -> permute([1, 0]) -> conv(3, 3)")
    axes = ChannelAxes(graph)
    assert [axes.of(v) for v in (graph.inputs[0].value, graph.outputs[0].value)] == [1, 0]
    assert "shapes are length × channels" in " ".join(texts(graph))


def test_a_reshape_takes_along_what_it_leaves_whole() -> None:
    graph = graph_of(
        "input x: [8, 6, 4] ; output y = x -> conv(8, 1) -> reshape([8, 24]) -> permute([1, 0]) "
        "-> reshape([6, 4, 8]) -> layernorm"
    )
    axes = ChannelAxes(graph)
    values = [node.output for node in graph.nodes()]
    assert [axes.of(value) for value in values] == [0, 0, 1, 2, 2]
    assert [axes.spatial(value) for value in values] == [(6, 4), (24,), (24,), (6, 4), (6, 4)]
    assert axes.origin(values[1], 1) is None  # rows and columns in one


@pytest.mark.parametrize("up", ["conv_transpose(8, 2, 2)", "conv(32, 1) -> pixel_shuffle(2)"])
def test_what_enlarges_a_map_grows_whatever_layer_it_is(up: str) -> None:
    graph = graph_of(
        "input x: [3, 16, 16] ; a = x -> conv(8, 3, padding=1) -> relu "
        f"; b = a -> maxpool(2) -> conv(16, 3, padding=1) -> relu -> {up} ; output y = (a, b) -> concat"
    )
    study = study_of(graph)
    assert study.steps[-1].join is not None  # drawn as one with the merge
    assert role_of(study.steps[-1]) == "up"
    assert "enlarged map" in texts(graph, "volumes")


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        ("identity", "value"), ("dropout", "value"), ("pad(1)", "value"), ("crop(6)", "value"),
        ("center_crop(6)", "value"), ("pixel_shuffle(2)", "value"),
        ("pixel_unshuffle(2)", "value"), ("slice(0, 0, 2)", "value"), ("maxpool(2)", "neuron"),
        ("normalize([0.5], [0.5])", "neuron"), ("relu", "neuron"),
    ],
)  # fmt: skip
def test_what_only_moves_numbers_has_no_neurons(layer: str, what: str) -> None:
    channels = 1 if layer.startswith("normalize") else 4
    graph = graph_of(f"input x: [{channels}, 8, 8] ; output y = x -> {layer}")
    counts = [t for t in texts(graph, "volumes") if re.fullmatch(r"[\d,]+ (value|neuron)s", t)]
    assert counts[-1].endswith(f"{what}s")
    legend = "moves values only" in texts(graph, "blocks")
    assert legend == (what == "value" and layer not in ("pixel_shuffle(2)", "dropout"))
