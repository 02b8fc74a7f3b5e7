"""The neuron view: every line is a connection, and every connection between drawn neurons a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import netdsl
from netdsl.backends.diagram.columns import study
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.neuron_names import neuron_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Curve
from netdsl.ops.base import Op
from tests.backends.diagram.test_blocks import overlapping

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LENET = Options(level="neurons", neurons=("conv2[0,4,4]",))


def graph_of(name: str, **sizes: int) -> netdsl.Network:
    return netdsl.load(EXAMPLES / f"{name}.net", sizes=sizes)


def test_drawn_and_left_out_are_all_neurons_and_the_field_is_counted() -> None:
    graph = graph_of("lenet").graph
    found = study(graph, [neuron_of(graph, "conv2[0,4,4]")])
    named = {column.name: column for column in found.columns}
    assert [named[n].total for n in ("image", "conv1", "maxpool1", "conv2")] == [
        784,
        4704,
        1176,
        1600,
    ]
    for column in found.columns:
        assert len(column.drawn) + sum(hidden for hidden, _ in column.gaps) == column.total
    pool = named["maxpool1"]
    seen = sum(inside for _, inside in pool.gaps) + sum(
        any(all(i in axis for i, axis in zip(index, piece, strict=True)) for piece in pool.seen)
        for index in pool.drawn
    )
    assert seen == 150


def test_a_line_is_drawn_if_and_only_if_pytorch_feels_the_connection() -> None:
    """Lines into `conv2` and `maxpool1`, against NaNs put into one input at a time."""
    net = graph_of("lenet")
    found = study(net.graph, [neuron_of(net.graph, "conv2[0,4,4]")])
    columns = {c.name: c for c in found.columns}
    module = net.torch(seed=0).eval()
    parts = {"conv2": (module.conv2, "maxpool1"), "maxpool1": (torch.nn.MaxPool2d(2), "conv1")}
    lines = 0
    for name, (layer, source) in parts.items():
        for index in columns[source].drawn:
            given = torch.rand(1, *columns[source].shape)
            given[(0, *index)] = float("nan")
            with torch.no_grad():
                felt = layer(given)[0].isnan()
            lines += sum(bool(felt[target]) for target in columns[name].drawn)
    picture = picture_of(net.graph, LENET)
    between = _lines_between(picture, found, ("maxpool1", "conv2")) + _lines_between(
        picture, found, ("conv1", "maxpool1")
    )
    assert between == lines > 5


def _lines_between(picture: object, found: object, pair: tuple[str, str]) -> int:
    """Lines whose ends stand at the sides of two columns."""
    heads = {t.text: t.x for t in picture.texts() if t.bold and t.size == 12}  # type: ignore[attr-defined]
    left, right = (heads[name] for name in pair)
    curves = [s for s in picture.shapes() if isinstance(s, Curve)]  # type: ignore[attr-defined]
    return sum(left < c.points[0][0] < right and left < c.points[-1][0] < right for c in curves)


@pytest.mark.parametrize(
    ("name", "options", "sizes"),
    [
        ("lenet", LENET, {}),
        ("lenet", Options(level="neurons"), {}),
        ("lenet", Options(level="neurons", neurons=("conv2[0,4,4]", "conv2[3,9,0]")), {}),
        ("conv27", Options(level="neurons"), {}),
        ("rgb6", Options(level="neurons"), {}),
        ("resnet18", Options(level="neurons"), {"H": 64, "W": 64}),
        ("googlenet", Options(level="neurons", neurons=("inception3a[70,3,3]",)), {"H": 64, "W": 64}),
        ("lenet", Options(level="field", neurons=("conv2[0,4,4]",)), {}),
        ("googlenet", Options(level="field", neurons=("inception4a[0,1,1]",)), {"H": 64, "W": 64}),
    ],
)  # fmt: skip
def test_no_texts_overlap_and_the_bytes_stay_the_same(
    name: str, options: Options, sizes: dict[str, int]
) -> None:
    graph = graph_of(name, **sizes).graph
    assert overlapping(picture_of(graph, options)) == []
    assert draw(graph, "svg", options) == draw(graph, "svg", options)


def test_one_convolution_tells_connections_and_distinct_weights() -> None:
    said = picture_of(graph_of("conv27").graph, Options(level="neurons")).description
    assert "2,187 connections" in said
    assert "= 27 distinct weights (+ 3 biases)" in said
    assert "177,147" in said
    rgb = picture_of(graph_of("rgb6").graph, Options(level="neurons"))
    assert "27 links each: 432 connections" in rgb.description
    assert sum(isinstance(s, Curve) for s in rgb.shapes()) == 2 * 27


def test_the_field_says_size_step_and_what_neighbours_share() -> None:
    said = picture_of(graph_of("lenet").graph, Options(level="field", neurons=("conv2[0,4,4]",)))
    assert "196 of the 784 values of image: 14 × 14 of 28 × 28 (rows 6 to 19" in said.description
    assert "moved by 2, 12 columns shared" in said.description


@pytest.mark.parametrize(
    ("name", "neuron", "told"),
    [
        ("lenet", "conv9[0,0,0]", "there is no layer `conv9`; there are, for example: conv"),
        (
            "lenet",
            "conv2[0,10,4]",
            r"whose last neuron is conv2\[15,9,9\] \(channel, row, column\)",
        ),
        ("lenet", "conv2", "`conv2` is no neuron; write a layer and a place"),
        ("unet", "down1[0,0,0]", "sizes must be numbers: say `--size H=32,W=32`"),
    ],
)
def test_wrong_neurons_are_refused_with_what_there_is(name: str, neuron: str, told: str) -> None:
    for level in ("neurons", "field"):
        with pytest.raises(DrawError, match=told):
            picture_of(graph_of(name).graph, Options(level=level, neurons=(neuron,)))


def test_layers_without_known_links_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a plug-in that does not tell them."""
    graph = graph_of("upsample_any", H=9, W=9).graph
    node = next(node for node in graph.nodes() if node.op.name == "upsample")
    monkeypatch.setattr(type(node.op), "reads", Op.reads)
    for level in ("neurons", "field"):
        with pytest.raises(DrawError, match=r"the links of `upsample` .*line"):
            picture_of(graph, Options(level=level, neurons=("half_more[0,1,1]",)))
