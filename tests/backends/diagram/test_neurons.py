"""The neuron view: every line is a connection, and every connection between drawn neurons a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import netdsl
from netdsl.analyses.links import shape_of
from netdsl.analyses.neurons import neuron_of
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.neurons.columns import Column, study
from netdsl.backends.diagram.neurons.layers import NeuronLayer, layers_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Curve, Group, Picture
from netdsl.ir.graph import Value
from netdsl.lints import WARNINGS
from netdsl.ops.base import Op
from tests.backends.diagram.checks import along, overlapping

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


RESIDUAL = """
net Residual {
    input x: [2, 6, 6]
    output y = x -> conv1: conv(3, 3, padding=1) -> relu
        -> sum: add { { conv2: conv(3, 3, padding=1) -> relu -> conv3: conv(3, 3, stride=1, padding=1) } ; identity }
        -> pool: maxpool(2) -> join: concat { mix: conv(2, 1) ; turn: avgpool(2, stride=1, padding=1) -> crop(3) } -> flatten -> fc: linear(4)
}
"""


def parts_of(layers: list[NeuronLayer], module: torch.nn.Module) -> dict[str, Any]:
    """What each layer computes from the values it reads, by PyTorch's modules."""
    modules = dict(module.named_modules())
    relu, flat = torch.relu, torch.flatten
    own = {
        "image": None, "x": None,
        "maxpool1": lambda x: torch.max_pool2d(x, 2), "maxpool2": lambda x: torch.max_pool2d(x, 2),
        "pool": lambda x: torch.max_pool2d(x, 2), "sum": torch.add,
        "join": lambda a, b: torch.cat([a, b], 1),
        "join.crop1": lambda x: x[:, :, :3, :3],
        "join.turn": lambda x: torch.nn.functional.avg_pool2d(x, 2, 1, 1),
        "fc1": lambda x: relu(modules["fc1"](flat(x, 1))), "fc": lambda x: modules["fc"](flat(x, 1)),
    }  # fmt: skip
    return {y.name: own.get(y.name, modules.get(y.name)) for y in layers}


def connections(
    column: Column, part: Any, target: tuple[int, ...]
) -> dict[Value, set[tuple[int, ...]]]:
    """The numbers of each value read that a neuron depends on: where it has a gradient."""
    values = column.layer.read()
    found: dict[Value, set[tuple[int, ...]]] = {value: set() for value in values}
    for _ in range(40):  # a maximum has one winner at a time
        given = [torch.rand(1, *shape_of(v), requires_grad=True) for v in values]
        made = part(*given)[(0, *target)]
        for value, gradient in zip(
            values, torch.autograd.grad(made, given, allow_unused=True), strict=True
        ):
            if gradient is not None:
                found[value] |= {tuple(i) for i in gradient[0].nonzero().tolist()}
    return found


def links_in(picture: Picture) -> set[tuple[str, str]]:
    """The ends of the lines that are drawn."""
    return {
        (dict(item.data)["from"], dict(item.data)["to"])
        for item in picture.items
        if isinstance(item, Group) and item.css == "link"
    }


@pytest.mark.parametrize(
    ("network", "neuron"),
    [("lenet", "conv2[0,4,4]"), ("lenet", "conv1[3,0,27]"), ("lenet", "fc2[7]"), (RESIDUAL, "sum[1,2,2]"),
     (RESIDUAL, "join[3,1,1]"), (RESIDUAL, "sum.conv2[0,0,5]")],
)  # fmt: skip
def test_a_line_is_drawn_if_and_only_if_pytorch_has_a_connection(network: str, neuron: str) -> None:
    net = graph_of("lenet") if network == "lenet" else netdsl.loads(network)
    module = net.torch(seed=0).eval()
    for weight in module.parameters():
        torch.nn.init.uniform_(weight.data, 0.1, 0.2)  # nothing is cut off by ReLU
    found = study(net.graph, [neuron_of(net.graph, neuron)])
    columns = {c.layer.value: c for c in found.columns}
    parts = parts_of(found.layers, module)
    expected: set[tuple[str, str]] = set()
    for column in found.columns:
        for target in column.drawn if not column.layer.is_input else []:
            for key, numbers in connections(column, parts[column.name], target).items():
                if key in columns:
                    drawn = numbers & set(columns[key].drawn)
                    expected |= {(_name(columns[key], i), _name(column, target)) for i in drawn}
    picture = picture_of(net.graph, Options(level="neurons", neurons=(neuron,)))
    assert links_in(picture) == expected
    assert len(expected) > 20


def _name(column: Column, index: tuple[int, ...]) -> str:
    return f"{column.name}[{','.join(map(str, index))}]"


def test_the_links_of_one_convolution_are_those_of_pytorch() -> None:
    net = graph_of("rgb6")
    weight = next(net.torch().parameters()).shape
    picture = picture_of(
        net.graph, Options(level="neurons", neurons=("conv[0,3,1]", "conv[0,0,0]"))
    )
    given = torch.rand(1, 3, 6, 6, requires_grad=True)
    made = torch.nn.functional.conv2d(given, torch.ones(weight))
    expected = {
        (f"pixel {','.join(map(str, place))}", ",".join(map(str, index)))
        for index in [(0, 3, 1), (0, 0, 0)]
        for place in torch.autograd.grad(made[(0, *index)], given, retain_graph=True)[0][0]
        .nonzero()
        .tolist()
    }
    assert links_in(picture) == expected
    assert len(expected) == 54


@pytest.mark.parametrize("word", ["same", "same_upper", "same_lower"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 1), (3, 1), (3, 2), (2, 3), (4, 2)])
def test_padding_in_words_of_one_convolution(kernel: int, stride: int, word: str) -> None:
    """The links that are drawn, and the weight that lies on each."""
    if word == "same" and stride > 1:
        pytest.skip("two rules")
    call = f"conv: conv(1, {kernel}, stride={stride}, padding={word}, bias=false)"
    net = netdsl.loads(f"net A {{ input x: [1, 5, 6]\n output y = x -> {call} }}")
    last = tuple(n - 1 for n in net.graph.outputs[0].value.type.shape)
    chosen = [(0, 0, 0), (0, last[1], last[2])]
    names = tuple(f"conv[{','.join(map(str, index))}]" for index in chosen)
    picture = picture_of(net.graph, Options(level="neurons", neurons=names))
    module = net.torch()
    weights = torch.arange(1.0, kernel**2 + 1).reshape(1, 1, kernel, kernel)
    module.load_state_dict({"conv.weight": weights})
    given = torch.rand(1, 1, 5, 6, requires_grad=True)
    assert weights_in(picture) == expected_weights(module(given), given, chosen)


def weights_in(picture: Picture) -> dict[tuple[str, str], int]:
    """The ends of the lines that are drawn through weights, each with the number of its weight."""
    links = [g for g in picture.items if isinstance(g, Group) and g.css == "link"]
    found = {
        (dict(g.data)["from"], dict(g.data)["to"]): int(
            re.findall(r"times \w(\d+) goes", g.title)[0]
        )
        for g in links
    }
    assert len(found) == len(links)
    return found


def expected_weights(
    made: torch.Tensor, given: torch.Tensor, chosen: list[tuple[int, ...]]
) -> dict[tuple[str, str], int]:
    """The same by gradients, where weight number n of each filter is n."""
    expected: dict[tuple[str, str], int] = {}
    for index in chosen:
        (gradient,) = torch.autograd.grad(made[(0, *index)], given, retain_graph=True)
        for place in gradient[0].nonzero().tolist():
            ends = f"pixel {','.join(map(str, place))}", ",".join(map(str, index))
            expected[ends] = round(float(gradient[(0, *place)]))
    return expected


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
        ("googlenet", Options(level="field", neurons=("inception3b.branch1.conv[0,3,3]",)), {"H": 96, "W": 64}),
        ("vit_b_16", Options(level="field", neurons=("encoder.layers.encoder_layer_0.mlp.0[3,7]",)), {}),
        ("siamese", Options(level="field"), {}),
        ("lenet", Options(level="field", neurons=("fc2[3]",)), {}),
        ("conv27", Options(level="neurons", neurons=("conv[2,8,8]", "conv[0,0,0]", "conv[1,0,0]")), {}),
        ("unet3d", Options(level="neurons"), {"D": 16, "H": 16, "W": 32}),
        ("resnet18", Options(level="neurons", neurons=("layer1.1.conv1[5,3,3]", "layer2.0.conv2[5,3,3]")), {"H": 64, "W": 64}),
    ],
)  # fmt: skip
def test_no_texts_overlap_and_the_bytes_stay_the_same(
    name: str, options: Options, sizes: dict[str, int]
) -> None:
    graph = graph_of(name, **sizes).graph
    assert overlapping(picture_of(graph, options)) == []
    assert draw(graph, "svg", options) == draw(graph, "svg", options)


@pytest.mark.parametrize(
    ("name", "level", "neuron", "sizes"),
    [
        ("lenet", "neurons", "conv2[0,4,4]", {}), ("lenet", "field", "fc2[3]", {}),
        ("resnet18", "neurons", "layer2.1.conv1[3,2,2]", {"H": 64, "W": 64}),
        ("vit_b_16", "neurons", "encoder.layers.encoder_layer_4.add1[130,369]", {}),
        ("googlenet", "field", "inception4b.branch1.conv[70,1,3]", {"H": 96, "W": 64}),
        ("googlenet", "neurons", "inception3b[300,1,3]", {"H": 96, "W": 64}),
        ("autoencoder", "field", "encoder.4[7]", {}), ("cgan_generator", "field", "image[0,23,0]", {}),
    ],
)  # fmt: skip
def test_no_line_passes_through_a_text(
    name: str, level: str, neuron: str, sizes: dict[str, int]
) -> None:
    picture = picture_of(graph_of(name, **sizes).graph, Options(level=level, neurons=(neuron,)))
    lines = [along(shape) for shape in picture.shapes() if isinstance(shape, Curve)]
    assert len(lines) >= 4
    for text in picture.texts():
        left, top, right, bottom = text.bounds()
        for points in lines:
            assert not any(
                left + 0.5 < x < right - 0.5 and top + 0.5 < y < bottom - 0.5 for x, y in points
            ), text


def test_one_convolution_tells_connections_and_distinct_weights() -> None:
    said = picture_of(graph_of("conv27").graph, Options(level="neurons")).description
    assert "connections: 243 × 9 = 2,187." in said
    assert "3 × 1 × 3 × 3 = 27, and 3 biases" in said
    assert "177,147" in said
    rgb = picture_of(graph_of("rgb6").graph, Options(level="neurons"))
    assert "connections: 16 × 27 = 432." in rgb.description
    assert (
        "3 × 3 × 3 = 27 products, added over all 3 channels + bias → one number" in rgb.description
    )
    assert "floor((6 + 2*0 - 3)/1) + 1 = 4 along each side, 4 × 4 = 16 neurons" in rgb.description
    assert "a filter spans them all and makes one map" in rgb.description
    assert "used by all 16 neurons of its map" in [t.text for t in rgb.texts()]
    assert len(links_in(rgb)) == 54
    labels = [g.title for g in rgb.items if isinstance(g, Group) and g.css == "weight"]
    assert sorted(labels) == sorted(f"weight w{n}" for n in range(1, 28))  # shared by both


def test_the_field_says_size_step_and_what_neighbours_share() -> None:
    said = picture_of(graph_of("lenet").graph, Options(level="field", neurons=("conv2[0,4,4]",)))
    assert "196 of the 784 values of image: 14 × 14 of 28 × 28 (rows 6 to 19" in said.description
    assert "next neuron in its row sees 2 columns further; both see 14 × 12" in said.description
    assert "next neuron in its column sees 2 rows further; both see 12 × 14" in said.description


@pytest.mark.parametrize(
    ("name", "neuron", "told"),
    [
        ("lenet", "conv9[0,0,0]", "there is no layer `conv9`; there are, for example: conv"),
        (
            "lenet",
            "conv2[0,10,4]",
            r"whose last neuron is conv2\[15,9,9\] \(channel, row, column\)",
        ),
        ("lenet", "fc1", "`fc1` is no neuron; write a layer and a place"),
        ("unet", "down1[0,0,0]", "sizes must be numbers: say `--size H=32,W=32`"),
    ],
)
def test_wrong_neurons_are_refused_with_what_there_is(name: str, neuron: str, told: str) -> None:
    for level in ("neurons", "field"):
        with pytest.raises(DrawError, match=told):
            picture_of(graph_of(name).graph, Options(level=level, neurons=(neuron,)))


def test_the_size_that_is_proposed_is_one_that_the_network_takes() -> None:
    text = "net N { input x: [3, H, W]\n output y = x -> concat { conv(8, 3) ; maxpool(2) } }"
    net = netdsl.loads(text)
    with pytest.raises(DrawError, match="say `--size") as told:
        picture_of(net.graph, Options(level="neurons"))
    found = re.findall(r"([HW])=(\d+)", str(told.value))
    assert [name for name, _ in found] == ["H", "W"]
    assert net.sizes.accepts(**{name: int(size) for name, size in found})


def test_layers_without_known_links_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a plug-in that does not tell them."""
    graph = graph_of("upsample_any", H=9, W=9).graph
    node = next(node for node in graph.nodes() if node.op.name == "upsample")
    monkeypatch.setattr(type(node.op), "reads", Op.reads)
    for level in ("neurons", "field"):
        with pytest.raises(DrawError, match=r"the links of `upsample` .*line"):
            picture_of(graph, Options(level=level, neurons=("half_more[0,1,1]",)))


@pytest.mark.parametrize(
    "name", ["lenet", "googlenet", "densenet121", "unet", "swin_t", "hrnet_w18"]
)
def test_every_layer_that_runs_stands_in_one_column_layer(name: str) -> None:
    sizes = {} if name in ("lenet", "swin_t") else {"H": 64, "W": 64}
    graph = graph_of(name, **sizes).graph
    running = graph.inference_nodes()
    expected = [n for n in graph.nodes() if n in running and any(v.type.batched for v in n.inputs)]
    drawn = {node for layer in layers_of(graph) for node in layer.nodes}
    assert drawn == set(expected)


def test_names_are_taken_as_they_are_written() -> None:
    graph = graph_of("unet", H=32, W=32).graph
    assert str(neuron_of(graph, "down[3][0,1,2]")) == "down3[0,1,2]"
    assert str(neuron_of(graph, " down3 [ 0, 1, 2 ]")) == "down3[0,1,2]"


def test_a_given_value_has_no_links() -> None:
    with pytest.raises(
        DrawError, match=r"image\[0,1,1\] is a value that is given.* choose a neuron of conv"
    ):
        picture_of(graph_of("conv27").graph, Options(level="neurons", neurons=("image[0,1,1]",)))


def test_neurons_on_different_branches_are_refused() -> None:
    graph = graph_of("googlenet", H=64, W=64).graph
    two = ("inception3a.branch1.conv[0,1,1]", "inception3a.branch2.0.conv[0,1,1]")
    with pytest.raises(DrawError, match="no way leads through all of the neurons"):
        picture_of(graph, Options(level="neurons", neurons=two))


def test_branches_that_see_different_parts_have_frames_of_their_own() -> None:
    graph = graph_of("googlenet", H=96, W=96).graph
    options = Options(level="field", neurons=("inception3b.branch1.conv[0,6,6]",))
    picture = picture_of(graph, options)
    assert "meet in inception3a.concat1" in picture.description
    texts = " ".join(text.text for text in picture.texts())
    assert "27 × 27 through inception3a.branch1.conv" in texts
    assert "43 × 43 through inception3a.branch2.1.conv, branch3.1.conv and branch4.1.conv" in texts


@pytest.mark.parametrize(
    "beside",
    ["", "; output aux = a -> tanh when training", "-> upsample(size=a)"],
    ids=["alone", "in training", "for its size"],
)
def test_an_activation_stands_apart_only_where_others_read_those_neurons(beside: str) -> None:
    text = f"net A {{ input x: [3, 8, 8] ; output y = x -> a: conv(4, 3) -> relu -> maxpool(2) {beside} }}"
    graph = netdsl.loads(text, allow=WARNINGS).graph
    drawn = [[node.op.name for node in layer.nodes] for layer in layers_of(graph)]
    assert drawn[:3] == [[], ["conv", "relu"], ["maxpool"]]
    read = netdsl.loads(text.replace("maxpool(2)", "maxpool(1) -> add { identity ; a }")).graph
    assert ["conv"] in [[node.op.name for node in layer.nodes] for layer in layers_of(read)]
