"""Maps above columns of neurons, one convolution in full, and pages: exact, and readable."""

from __future__ import annotations

import re
from itertools import pairwise
from math import ceil, dist, floor
from pathlib import Path
from typing import Any

import pytest
import torch

import netdsl
from netdsl.analyses.neurons import neuron_of
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.neurons.columns import study
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Group, Picture, flatten
from tests.backends.diagram.checks import along, overlapping
from tests.backends.diagram.test_neurons import graph_of

PAGE = 468.0
DILATED = """
net Dilated {
    input x: [2, 13, 11]
    output y = x -> a: conv(3, 3, padding=2, dilation=2) -> b: conv(2, 3x2, stride=2, padding=1, dilation=3x2)
}
"""
SEQUENCE = """
net Sequence {
    input x: [2, 30]
    output y = x -> a: conv(3, 3, padding=1, dilation=3) -> b: conv(4, 3, stride=2)
}
"""
VOLUME = """
net Volume {
    input x: [1, 6, 7, 8]
    output y = x -> a: conv(3, 3, padding=1) -> b: conv(2, 2, stride=2, dilation=2)
}
"""


def insets(picture: Picture) -> dict[str, Group]:
    return {
        dict(item.data)["layer"]: item
        for item in picture.items
        if isinstance(item, Group) and item.css == "inset"
    }


def shaded(inset: Group) -> set[tuple[int, int]]:
    """The cells that are shaded, by where the boxes lie."""
    rows, columns = map(int, dict(inset.data)["cells"].split("×"))
    shapes = list(flatten(inset.items))
    ground = shapes[0]
    assert isinstance(ground, Box)
    wide, high = ground.width / columns, ground.height / rows
    found: set[tuple[int, int]] = set()
    for box in shapes:
        if isinstance(box, Box) and box.opacity < 1:
            left, top = (box.x - ground.x) / wide, (box.y - ground.y) / high
            right, bottom = left + box.width / wide, top + box.height / high
            found |= {
                (i, j)
                for i in range(round(top), round(bottom))
                for j in range(round(left), round(right))
            }
    return found


def gradients(
    net: netdsl.Network, layers: list[str], end: str, index: tuple[int, ...]
) -> dict[str, Any]:
    """By layer, where a neuron has a gradient; a maximum has one winner at a time."""
    module = net.torch(seed=0).eval()
    torch.manual_seed(0)
    for weight in module.parameters():  # nothing is cut off by ReLU, any number may be a maximum
        weight.data.uniform_(0.1, 0.2)
        if weight.ndim == 1:
            weight.data.fill_(1e3)
    modules, kept = dict(module.named_modules()), {}
    for name in (n for n in {*layers, end} if n in modules):
        modules[name].register_forward_hook(
            lambda _m, _i, out, name=name: kept.__setitem__(name, out)
        )
    found: dict[str, Any] = {}
    for _ in range(60):
        (item,) = net.graph.inputs
        given = torch.randn(1, *item.shape, requires_grad=True)  # type: ignore[arg-type]
        module(given)
        kept[item.name] = given
        made = kept[end][(0, *index)]
        names = [n for n in layers if n in kept and n != end]
        for name, gradient in zip(
            names,
            torch.autograd.grad(made, [kept[n] for n in names], allow_unused=True),
            strict=True,
        ):
            own = torch.zeros_like(kept[name]) if gradient is None else gradient
            found[name] = found.get(name, 0) + own[0].abs()
    return found


@pytest.mark.parametrize(
    ("text", "neuron"),
    [
        ("lenet", "conv2[0,4,4]"), ("lenet", "conv1[3,0,27]"), ("lenet", "conv2[15,9,0]"),
        (DILATED, "b[1,0,0]"), (DILATED, "b[0,2,3]"), (SEQUENCE, "b[2,4]"), (SEQUENCE, "b[0,0]"),
        (VOLUME, "b[1,1,1,1]"), (VOLUME, "b[0,0,0,1]"),
    ],
)  # fmt: skip
def test_a_map_shades_what_has_a_gradient_in_pytorch(text: str, neuron: str) -> None:
    net = netdsl.loads(text) if "net " in text else netdsl.load(graph_path(text))
    drawn = insets(picture_of(net.graph, Options(level="neurons", neurons=(neuron,))))
    end, place = re.findall(r"(\w+)\[([\d,]+)\]", neuron)[0]
    index = tuple(map(int, place.split(",")))
    found = gradients(net, list(drawn), end, index)
    assert len(found) >= 1
    for name, gradient in found.items():
        lead = dict(drawn[name].data)["lead"]
        at = tuple(map(int, lead.split(","))) if lead else ()
        expected = {tuple(i) for i in gradient[at].nonzero().tolist()}
        assert shaded(drawn[name]) == expected, name
    own = index[-2:]
    assert shaded(drawn[end]) == {own}


def graph_path(name: str) -> Path:
    return Path(__file__).resolve().parents[3] / "examples" / f"{name}.net"


def test_a_map_has_a_dot_for_each_neuron_that_is_drawn() -> None:
    graph = graph_of("lenet").graph
    found = study(graph, [neuron_of(graph, "conv2[0,4,4]")])
    drawn = insets(picture_of(graph, Options(level="neurons", neurons=("conv2[0,4,4]",))))
    assert list(drawn) == ["image", "conv1", "maxpool1", "conv2", "maxpool2"]  # no vector
    for column in found.columns[:5]:
        inset = drawn[column.name]
        rows, columns = map(int, dict(inset.data)["cells"].split("×"))
        ground, lead = inset.items[0], int(dict(inset.data)["lead"])
        assert isinstance(ground, Box)
        dots = {
            (
                int((d.y - ground.y) / ground.height * rows),
                int((d.x - ground.x) / ground.width * columns),
                d.fill != "paper",
            )
            for d in inset.items
            if isinstance(d, Ellipse)
        }
        assert dots == {(i, j, channel == lead) for channel, i, j in column.drawn}


def test_every_layer_that_is_drawn_is_linked_to_the_one_before() -> None:
    """Also behind a concat, whose outer channels are of other branches, and behind tokens."""
    for name, neuron, sizes in (
        ("googlenet", "inception4b.branch1.conv[70,1,1]", {"H": 64, "W": 64}),
        ("vit_b_16", "conv_proj[0,7,7]", {}),
        ("unet", "head[0,9,9]", {"H": 32, "W": 32}),
    ):
        graph = graph_of(name, **sizes).graph
        found = study(graph, [neuron_of(graph, neuron)])
        links = [link for link in found.links() if link.end == link.start + 1]
        for start, _ in pairwise(range(len(found.columns))):
            assert any(link.start == start for link in links), (name, start)
        deepest = max(number for number, _ in found.chosen)
        for number, index in found.chosen:
            if number + 1 < len(found.columns):
                assert any((link.start, link.source) == (number, index) for link in links), name
        for number in range(deepest):
            column = found.columns[number]
            assert any(all(i in a for i, a in zip(d, p, strict=True)) for d in column.drawn for p in column.seen)  # fmt: skip


def test_no_pill_stands_for_a_single_neuron_and_all_to_all_is_counted() -> None:
    for name, sizes in (
        ("lenet", {}),
        ("audio_1d", {"L": 8000}),
        ("alexnet", {"H": 224, "W": 224}),
    ):
        texts = [t.text for t in picture_of(graph_of(name, **sizes).graph, Options(level="neurons")).texts()]  # fmt: skip
        assert "1 more" not in texts
    lenet = picture_of(graph_of("lenet").graph, Options(level="neurons"))
    texts = [t.text for t in lenet.texts()]
    assert texts.count("all to all:") == 3
    for made in ("400 × 120 =", "48,000 connections", "84 × 10 =", "840 connections"):
        assert made in texts


@pytest.mark.parametrize("name", ["conv27", "rgb6"])
@pytest.mark.parametrize("width", [None, PAGE])
def test_links_reach_their_neuron_between_the_others(name: str, width: float | None) -> None:
    chosen = [(), ("conv[0,0,3]", "conv[0,3,3]", "conv[0,2,0]")]
    for neurons in chosen:
        options = Options(level="neurons", neurons=neurons, width=width)
        picture = picture_of(graph_of(name).graph, options)
        groups = [g for g in picture.items if isinstance(g, Group)]
        dots = {
            dict(g.data)["neuron"]: next(s for s in g.items if isinstance(s, Ellipse))
            for g in groups
            if g.css == "neuron"
        }
        assert overlapping(picture) == []
        for group in groups:
            if group.css != "link":
                continue
            (curve,) = group.items
            assert isinstance(curve, Curve)
            for point in along(curve):
                for index, dot in dots.items():
                    if index != dict(group.data)["to"]:
                        assert dist(point, (dot.x, dot.y)) > dot.rx, (group.title, index)


@pytest.mark.parametrize(
    "setting",
    ["3", "3, padding=1", "4, stride=3", "3, stride=2, padding=2", "2, dilation=4", "3x2, stride=2x3, padding=1x0, dilation=2x1",
     "2, padding=same", "4x3, padding=same"],
)  # fmt: skip
def test_the_size_of_a_map_is_worked_out_as_pytorch_has_it(setting: str) -> None:
    net = netdsl.loads(f"net N {{ input x: [1, 12, 9] \n output y = x -> c: conv(1, {setting}) }}")
    made = net.torch()(torch.rand(1, 1, 12, 9)).shape[2:]
    said = picture_of(net.graph, Options(level="neurons")).description
    told = re.findall(r"places: (.*?) down, (.*?) across, (\d+) × (\d+) = (\d+) neurons", said)
    if not told:
        told = [(one, one, *rest) for one, *rest in
                re.findall(r"places: (.*?) along each side, (\d+) × (\d+) = (\d+) neurons", said)]  # fmt: skip
    (*formulas, rows, columns, neurons) = told[0]
    assert (int(rows), int(columns), int(neurons)) == (*made, made[0] * made[1])
    for size, text in zip(made, formulas, strict=True):
        formula, _, result = text.rpartition(" = ")
        assert eval(formula, {"floor": floor, "ceil": ceil}) == int(result) == size


@pytest.mark.parametrize("name", ["lenet", "conv27", "rgb6", "autoencoder"])
def test_neurons_are_laid_out_for_a_page(name: str) -> None:
    graph = graph_of(name).graph
    options = Options(level="neurons", width=PAGE)
    picture = picture_of(graph, options)
    assert picture.smallest_letter(PAGE) >= 6
    assert picture.height < 2 * picture.width
    assert overlapping(picture) == []
    assert draw(graph, "svg", options)[1] == []


def test_the_field_starts_from_the_input_that_it_sees_most_of() -> None:
    said = picture_of(graph_of("cgan_generator").graph, Options(level="field")).description
    assert "100 of the 100 values of noise" in said
    assert said.count("The next neuron sees the same.") == 1
    assert "1 of 1 values of label too" in said
    volume = graph_of("unet3d", D=16, H=16, W=32).graph
    said = picture_of(volume, Options(level="field", neurons=("down0.conv2[0,8,8,16]",)))
    assert "5 × 5 × 5 of 16 × 16 × 32 (slices 6 to 10, rows 6 to 10" in said.description


def test_a_map_with_more_holes_than_can_be_drawn_says_so() -> None:
    text = "net N {\n input x: [1, 100, 100]\n output y = x -> a: conv(1, 1, stride=2) -> b: conv(1, SIZE) }"
    for size, is_exact in ((38, True), (39, False)):  # 38 * 38 = 1,444 cells, each by itself
        graph = netdsl.loads(text.replace("SIZE", str(size))).graph
        picture = picture_of(graph, Options(level="neurons", neurons=("b[0,0,0]",)))
        cells = shaded(insets(picture)["x"])
        assert len(cells) == (size**2 if is_exact else (2 * size - 1) ** 2)
        assert ("holes shaded too" in [t.text for t in picture.texts()]) is not is_exact
