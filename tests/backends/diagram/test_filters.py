"""One layer by itself: any convolution with its links, an enlarged map cell by cell; and codes."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations, pairwise, product
from math import dist, prod

import pytest
import torch

import netdsl
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.model.code import code_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Group, Picture, Text
from netdsl.ir.graph import Graph, Value
from netdsl.lints import WARNINGS
from tests.backends.diagram.checks import along, check_picture
from tests.backends.diagram.test_neurons import expected_weights, graph_of, weights_in
from tests.examples import network

PAGE = 468.0
LEVEL = Options(level="neurons", width=PAGE)
CONVOLUTIONS = {
    "stride 1": ("1, 27, 27", "conv(3, 3)"),
    "28": ("1, 28, 28", "conv(6, 5, padding=2)"),
    "large": ("3, 224, 224", "conv(64, 7, stride=2, padding=3)"),
    "few": ("3, 6, 6", "conv(1, 3)"),
    "many channels": ("7, 20, 18", "conv(5, 3x5, padding=1x2)"),
    "holes": ("2, 13, 11", "conv(4, 3, padding=2, dilation=2, stride=2x1)"),
    "groups": ("4, 12, 12", "conv(6, 3, padding=1, groups=2)"),
    "wraps": ("1, 12, 20", "conv(2, 3, padding=1, padding_mode=circular)"),
    "sequence": ("2, 40", "conv(3, 3, padding=1, dilation=3)"),
    "sound": ("1, 3000", "conv(8, 80, stride=4, padding=38, bias=false)"),
    "one row": ("1, 1, 40", "conv(2, 1x3)"),
    "smaller than its kernel": ("1, 2, 2", "conv(1, 3, padding=1)"),
}


@cache
def convolution(name: str) -> netdsl.Network:
    shape, call = CONVOLUTIONS[name]
    text = f"net A {{ input x: [{shape}]\n output y = x -> conv: {call} }}"
    return netdsl.loads(text, allow=WARNINGS)


@cache
def drawn(name: str) -> Picture:
    return picture_of(convolution(name).graph, LEVEL)


def groups(picture: Picture, css: str) -> list[Group]:
    return [item for item in picture.items if isinstance(item, Group) and item.css == css]


def neurons(picture: Picture) -> dict[str, Ellipse]:
    """By index the circle on top."""
    found: dict[str, Ellipse] = {}
    for group in groups(picture, "neuron"):
        (circle,) = (shape for shape in group.items if isinstance(shape, Ellipse))
        found[dict(group.data)["neuron"]] = circle
    return found


def numbered(net: netdsl.Network) -> torch.nn.Module:
    """The module with weights 1, 2, ... in each filter, and no bias."""
    module = net.torch().double()
    for weight in module.parameters():
        count = weight[0].numel()
        numbers = torch.arange(1.0, count + 1).reshape(weight[0].shape) if weight.ndim > 1 else 0.0
        weight.data[:] = numbers
    return module


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_links_of_a_convolution_are_those_of_pytorch_with_their_weights(name: str) -> None:
    net, picture = convolution(name), drawn(name)
    links = weights_in(picture)
    chosen = sorted({tuple(map(int, end.split(","))) for _, end in links})
    assert 1 <= len(chosen) <= 2
    given = torch.rand(1, *net.graph.inputs[0].shape, requires_grad=True, dtype=torch.double)  # type: ignore[arg-type]
    expected = expected_weights(numbered(net)(given), given, chosen)
    (weight, *_) = net.torch().parameters()
    if weight[0].numel() <= 27 and weight.shape[1] <= 3:
        assert links == expected
    assert links.items() <= expected.items()
    # of many weights the same ones are drawn for both neurons
    by_neuron = [{n for (_, end), n in links.items() if end == goal} for _, goal in links]
    assert name == "smaller than its kernel" or all(own == by_neuron[0] for own in by_neuron)
    pins = {int(group.title.removeprefix("weight w")) for group in groups(picture, "weight")}
    assert pins == set(links.values())
    if len(chosen) == 2:  # full lines lead to one, broken ones to the other
        dashes = {(dict(g.data)["to"], c.dash) for g in groups(picture, "link") for c in g.items if isinstance(c, Curve)}  # fmt: skip
        assert sorted(dash for _, dash in dashes) == ["", "dashed"]


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_what_is_drawn_and_what_is_not_are_all(name: str) -> None:
    net, picture = convolution(name), drawn(name)
    told = re.findall(r"not drawn: ([\d,]+) of ([\d,]+) neurons, ([\d,]+) of ([\d,]+) connections", picture.description)  # fmt: skip
    hidden, every, unlinked, connected = (int(n.replace(",", "")) for n in told[0])
    module = net.torch().double()
    for weight in module.parameters():
        weight.data[:] = float(weight.ndim > 1)
    shape = net.graph.inputs[0].shape
    counted = module(torch.ones(1, *shape, dtype=torch.double))  # type: ignore[arg-type]
    assert every == counted.numel()
    assert hidden + len(neurons(picture)) == every
    links = {(dict(g.data)["from"], dict(g.data)["to"]) for g in groups(picture, "link")}
    assert unlinked + len(links) == connected
    if name != "smaller than its kernel":  # a value counts once, however often it is read
        assert connected == counted.sum()
    assert f"= {prod(shape):,} values, the input neurons of many drawings" in picture.description  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_drawn_neurons_stand_in_every_kth_row_and_touch_no_rim(name: str) -> None:
    net, picture = convolution(name), drawn(name)
    circles = neurons(picture)
    rows = sorted({int(index.split(",")[1]) for index in circles})
    steps = {b - a for a, b in pairwise(rows)}
    assert len(steps) <= 1
    many = net.graph.outputs[0].value.type.shape[1]
    assert isinstance(many, int)
    assert (len(rows) == many) == (many <= 16)
    backs = [
        b for b in picture.items if isinstance(b, Box) and b.fill == "panel.fill" and not b.radius
    ]
    for index, circle in circles.items():
        around = [
            b for b in backs if b.x < circle.x < b.x + b.width and b.y < circle.y < b.y + b.height
        ]
        assert len(around) == 1, index
        (box,) = around
        least = min(circle.x - box.x, box.x + box.width - circle.x, circle.y - box.y,
                    box.y + box.height - circle.y)  # fmt: skip
        assert least > circle.rx + 1, index
    for one, other in zip(list(circles.values()), list(circles.values())[1:], strict=False):
        assert dist((one.x, one.y), (other.x, other.y)) > one.rx + other.rx


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_readable(name: str) -> None:
    picture = drawn(name)
    check_picture(picture, LEVEL, free_of_lines=True)
    assert picture.smallest_letter(PAGE) >= 6
    assert 0.5 <= picture.width / picture.height <= 2
    circles = neurons(picture)
    texts = [item for item in picture.items if isinstance(item, Text)]
    for group in groups(picture, "link"):
        (curve,) = group.items
        assert isinstance(curve, Curve)
        for x, y in along(curve):
            for index, dot in circles.items():
                assert index == dict(group.data)["to"] or dist((x, y), (dot.x, dot.y)) > dot.rx
            for text in texts:
                left, top, right, bottom = text.bounds()
                assert not (left + 1 < x < right - 1 and top + 1 < y < bottom - 1), text.text


def test_a_student_finds_the_answers_in_the_picture() -> None:
    said = drawn("stride 1").description
    assert "The 3 are filters, not input neurons: x has one channel" in said
    assert "input layer: 1 × 27 × 27 = 729 values" in said
    assert "floor((27 + 2*0 - 3)/1) + 1 = 25 along each side, 25 × 25 = 625 neurons" in said
    assert "not drawn: 1,767 of 1,875 neurons, 16,857 of 16,875 connections." in said
    assert "shares 6 of its 9 values" in said
    assert "floor((224 + 2*3 - 7)/2) + 1 = 112 along each side" in drawn("large").description


@pytest.mark.parametrize(
    ("name", "layer", "sizes"),
    [
        ("lenet", "conv1", {}),
        ("lenet", "conv2", {}),
        ("alexnet", "features.0", {"H": 224, "W": 224}),
        ("googlenet", "conv1", {"H": 224, "W": 224}),
    ],
)
def test_a_convolution_stands_below_its_network(
    name: str, layer: str, sizes: dict[str, int]
) -> None:
    graph = graph_of(name, **sizes).graph
    picture = picture_of(graph, Options(level="neurons", neurons=(layer,)))
    check_picture(picture, LEVEL, free_of_lines=True)
    boxes = groups(picture, "rest")
    assert len(boxes) >= 4
    marked = [g for g in boxes if any(isinstance(i, Box) and i.line == "focus" for i in g.items)]
    assert len(marked) == 1
    assert len(groups(picture, "link")) == 54 or layer == "conv1"


@pytest.mark.parametrize("width", [None, PAGE])
def test_any_neurons_of_a_thinned_map_can_be_chosen(width: float | None) -> None:
    chosen = ("conv[0,3,3]", "conv[0,3,4]", "conv[0,0,24]", "conv[2,10,9]")
    graph = convolution("stride 1").graph
    picture = picture_of(graph, Options(level="neurons", neurons=chosen, width=width))
    check_picture(picture, LEVEL, free_of_lines=True)
    circles = neurons(picture)
    assert {place.removeprefix("conv[").removesuffix("]") for place in chosen} <= set(circles)
    for (a, one), (b, other) in combinations(circles.items(), 2):
        assert dist((one.x, one.y), (other.x, other.y)) > one.rx + other.rx, (a, b)
    for group in groups(picture, "link"):
        (curve,) = group.items
        assert isinstance(curve, Curve)
        for point in along(curve):
            for index, dot in circles.items():
                if index != dict(group.data)["to"]:
                    assert dist(point, (dot.x, dot.y)) > dot.rx, (group.title, index)
    assert "full lines lead to A and D, broken to B and C;" in picture.description
    hidden = re.findall(r"not drawn: ([\d,]+) of 1,875 neurons", picture.description)[0]
    assert int(hidden.replace(",", "")) + len(circles) == 1875


def test_boxes_of_the_network_are_joined_where_one_reads_the_other() -> None:
    text = """net A { input x: [1, 9, 9]
        output a = x -> first: conv(2, 3)
        output b = x -> second: conv(2, 3) -> maxpool(2) }"""
    graph = netdsl.loads(text, allow=WARNINGS).graph
    picture = picture_of(graph, Options(level="neurons", neurons=("second",)))
    boxes = [next(i for i in g.items if isinstance(i, Box)) for g in groups(picture, "rest")]
    assert len(boxes) == 4
    wires = [c for c in picture.items if isinstance(c, Curve) and c.line == "wire"]
    ends = {(round(c.points[0][0]), round(c.points[-1][0])) for c in wires}
    sides = [(round(b.x), round(b.x + b.width)) for b in boxes]
    joined = [(a[1], b[0]) in ends for a, b in pairwise(sides)]
    assert joined == [True, False, True]


@pytest.mark.parametrize(
    ("shape", "call", "neuron"),
    [
        ("1, 5, 5", "conv(2, 1, padding=1)", "up[1,0,0]"),
        ("1, 9, 9", "upsample(40)", "up"),
        ("16, 4, 4", "pixel_shuffle(4)", "up[0,1,1]"),
        ("4, 7, 7", "conv_transpose(4, 3, stride=2, groups=2)", "up"),
        ("1, 9, 9", "upsample(scale=0.5)", "up"),
        ("1, 300, 300", "upsample(size=31x29, mode=bilinear)", "up[0,0,0]"),
        ("3, 14, 14", "conv_transpose(2, 1, stride=2)", "up"),
        ("40, 14, 14", "conv(80, 3, padding=1)", "up[79,13,0]"),
    ],
)
def test_odd_layers_are_drawn_too(shape: str, call: str, neuron: str) -> None:
    net = netdsl.loads(
        f"net A {{ input x: [{shape}]\n output y = x -> up: {call} }}", allow=WARNINGS
    )
    picture = picture_of(net.graph, Options(level="neurons", neurons=(neuron,)))
    check_picture(picture, LEVEL, free_of_lines=True)


def test_what_reads_too_many_cells_has_columns() -> None:
    text = "net A { input x: [1, 14, 14]\n output y = x -> up: conv_transpose(1, 16, padding=7) }"
    graph = netdsl.loads(text).graph
    assert groups(picture_of(graph, Options(level="neurons")), "made") == []
    with pytest.raises(DrawError, match="`up` is no neuron; write a layer and a place"):
        picture_of(graph, Options(level="neurons", neurons=("up",)))


def test_a_layer_that_is_no_convolution_takes_a_place() -> None:
    with pytest.raises(DrawError, match="`maxpool1` is no neuron; write a layer and a place"):
        picture_of(network("lenet").graph, Options(level="neurons", neurons=("maxpool1",)))


# ---- enlarged maps ----

ENLARGED = {
    "copies": ("1, 3, 3", "upsample(3)"),
    "two factors": ("2, 3, 3", "upsample(scale=2x3)"),
    "uneven copies": ("1, 3, 3", "upsample(scale=1.5)"),
    "of many": ("8, 14, 14", "upsample(2)"),
    "linear": ("1, 3, 3", "upsample(size=7x5, mode=bilinear)"),
    "corners": ("1, 3, 4", "upsample(size=9x9, mode=bilinear, align_corners=true)"),
    "cubic": ("1, 5, 4", "upsample(scale=2, mode=bicubic)"),
    "sequence": ("2, 4", "upsample(scale=2.5, mode=linear)"),
    "shuffle": ("8, 7, 7", "pixel_shuffle(2)"),
    "shuffle by 3": ("9, 4, 4", "pixel_shuffle(3)"),
    "painted": ("8, 7, 7", "conv_transpose(4, 3, stride=2)"),
    "painted apart": ("1, 4, 4", "conv_transpose(2, 2, stride=2)"),
    "painted sequence": ("1, 4", "conv_transpose(2, 4, stride=2, padding=1)"),
}


@pytest.mark.parametrize("name", ENLARGED)
def test_a_cell_comes_from_where_pytorch_has_a_gradient(name: str) -> None:
    shape, call = ENLARGED[name]
    net = netdsl.loads(
        f"net A {{ input x: [{shape}]\n output y = x -> up: {call} }}", allow=WARNINGS
    )
    picture = picture_of(net.graph, LEVEL)
    check_picture(picture, LEVEL, free_of_lines=True)
    given = torch.rand(1, *net.graph.inputs[0].shape, requires_grad=True)  # type: ignore[arg-type]
    made, cells = net.torch(seed=0)(given), groups(picture, "made")
    sources = {dict(g.data)["cell"] for g in groups(picture, "source")}
    planes = {cell.split(",")[0] for cell in sources}
    for group in cells:
        told = dict(group.data)
        index = tuple(map(int, told["cell"].split(",")))
        (gradient,) = torch.autograd.grad(made[(0, *index)], given, retain_graph=True)
        read = {",".join(map(str, place)) for place in gradient[0].nonzero().tolist()}
        expected = {place for place in read if place.split(",")[0] in planes}
        assert set(told["from"].split()) == expected <= sources
        is_round = all(isinstance(i, Ellipse) for i in group.items if not isinstance(i, Text))
        assert is_round == name.startswith("painted")  # nothing is learned where squares stand
    left, every, rest, results = (int(n.replace(",", "")) for n in re.findall(
        r"not drawn: ([\d,]+) of ([\d,]+) values, ([\d,]+) of ([\d,]+) ", picture.description)[0])  # fmt: skip
    assert (left + len(sources), every) == (given.numel(), given.numel())
    assert (rest + len(cells), results) == (made.numel(), made.numel())


@pytest.mark.parametrize("name", ["linear", "corners", "cubic", "sequence"])
def test_the_shares_of_the_marked_cell_are_those_of_pytorch(name: str) -> None:
    shape, call = ENLARGED[name]
    net = netdsl.loads(f"net A {{ input x: [{shape}]\n output y = x -> up: {call} }}")
    picture = picture_of(net.graph, LEVEL)
    assert name != "sequence" or "each side" not in picture.description  # it has none
    place = re.findall(r"(?:row (\d+), column|place) (\d+): \S+·", picture.description)[0]
    index = (0, *(int(n) for n in place if n))
    given = torch.rand(1, *net.graph.inputs[0].shape, requires_grad=True)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(net.torch()(given)[(0, *index)], given)
    shown: dict[tuple[int, ...], float] = {}
    for group in groups(picture, "source"):
        texts = [item.text for item in group.items if isinstance(item, Text)]
        if len(texts) == 2:
            cell = tuple(map(int, dict(group.data)["cell"].split(",")))
            shown[cell] = float(texts[1].replace("\N{MINUS SIGN}", "-"))
    assert set(shown) == {tuple(i) for i in gradient[0].nonzero().tolist()}
    for cell, share in shown.items():
        assert share == pytest.approx(float(gradient[(0, *cell)]), rel=0.01)


# ---- codes ----

CODES = {
    "dense": "x -> flatten -> linear(40) -> relu -> a: linear(5) -> relu -> linear(40) -> relu -> linear(64) -> reshape([1, 8, 8])",
    "maps": "x -> conv(8, 3, stride=2, padding=1) -> relu -> a: conv(2, 3, stride=2, padding=1) -> upsample(4) -> conv(1, 3, padding=1)",
    "skip around": "x -> add { identity ; flatten -> linear(5) -> linear(64) -> reshape([1, 8, 8]) }",
    "two ways": "x -> flatten -> linear(30) -> a: concat { linear(3) ; linear(4) } -> linear(64) -> reshape([1, 8, 8])",
    "not narrower": "x -> conv(4, 3, padding=1) -> relu -> conv(1, 3, padding=1)",
    "nothing learned": "x -> avgpool(2) -> upsample(2)",
    "other size": "x -> flatten -> linear(5) -> linear(10)",
    "skip inside": "x -> flatten -> linear(50) -> add { identity ; linear(4) -> linear(50) } -> linear(64) -> reshape([1, 8, 8])",
}  # fmt: skip


def narrowest(graph: Graph) -> list[Value]:
    """The smallest values without which the output can't be reached from the input, by trying."""
    (item,), (output,) = graph.inputs, graph.outputs
    nodes = list(graph.nodes())

    def is_reached(without: Value) -> bool:
        seen, stack = {without}, [item.value]
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            stack += [v for node in nodes if value in node.inputs for v in node.outputs]
        return output.value in seen

    values = [v for node in nodes for v in node.outputs if v is not output.value]
    cut = [v for v in values if not is_reached(v)]
    sizes = {v: prod(v.type.shape) for v in cut}  # type: ignore[arg-type]
    least = min(sizes.values(), default=0)
    return [v for v in cut if sizes[v] == least < 64 == prod(output.shape)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CODES)
def test_the_code_is_the_narrowest_value_on_every_way(name: str) -> None:
    net = netdsl.loads(f"net A {{ input x: [1, 8, 8]\n output y = {CODES[name]} }}", allow=WARNINGS)
    code = code_of(net.graph)
    expected = [] if name == "nothing learned" else narrowest(net.graph)
    assert bool(expected) == (name in ("dense", "maps", "two ways", "skip inside"))
    assert (code is None) == (not expected)
    picture = picture_of(net.graph, Options(level="neurons"))
    texts = [text.text for text in picture.texts()]
    heads = [t for t in texts if re.match("code|encoder|decoder", t)]
    if code is None:
        assert heads == []
        return
    assert code.value in expected
    many = code.numbers
    assert many == prod(code.value.type.shape)  # type: ignore[arg-type]
    assert f"code: {many} numbers" in heads
    assert f"for 64, {64 / many:.1f} times fewer" in texts
    assert {f"encoder: 64 to {many}", f"decoder: {many} to 64"} <= set(heads)
    check_picture(picture, Options(level="neurons"), free_of_lines=True)


def test_what_is_no_decoder_is_not_called_one() -> None:
    text = """net A { input x: [1, 8, 8] ; input noise: [5]
        code = x -> flatten -> linear(40) -> relu -> a: linear(5) -> b: add { identity ; noise -> c: linear(5) }
        output kind = code -> d: linear(3)
        output y = code -> e: linear(40) -> relu -> linear(64) -> reshape([1, 8, 8]) }"""
    graph = netdsl.loads(text, allow=WARNINGS).graph
    code = code_of(graph)
    assert code is not None
    made = {value.producer.path for value in code.encoder if value.producer is not None}
    assert "c" not in made
    assert "d" not in {v.producer.path for v in code.decoder if v.producer is not None}
    picture = picture_of(graph, Options(level="neurons", neurons=("d[0]",)))
    heads = {t.text.partition(":")[0]: t.x for t in picture.texts() if t.bold}
    assert heads["decoder"] == heads["b"] < heads["d"]
    picture = picture_of(graph, Options(level="neurons", neurons=("e[0]",)))
    heads = {t.text: t.x for t in picture.texts() if t.bold}
    assert heads["b"] < heads[f"decoder: {code.numbers} to 64"] < heads["reshape1"]


def test_an_autoencoder_is_drawn_whole_around_its_code() -> None:
    picture = picture_of(network("autoencoder").graph, Options(level="neurons"))
    names = {dict(g.data)["neuron"].partition("[")[0] for g in groups(picture, "neuron")}
    assert {"image", "encoder.6", "reshape1"} <= names
    assert len(names) == 10
    assert (
        "The code: 30 numbers for 784, 26.1 times fewer, given by encoder.6." in picture.description
    )
    assert picture.width <= 2.2 * picture.height


def test_products_of_indices_are_drawn_once() -> None:
    """No neuron stands on the sheet twice but those that are marked."""
    picture = drawn("stride 1")
    plain = [
        dict(g.data)["neuron"] for g in groups(picture, "neuron") if g.title.startswith("neuron")
    ]
    assert len(plain) == len(set(plain)) == 108
    rows = range(2, 25, 4)
    assert set(plain) == {f"{c},{i},{j}" for c, i, j in product(range(3), rows, rows)}
