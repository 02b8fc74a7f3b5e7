"""The volume view: true to scale, complete, readable, the same in every run."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from functools import cache
from itertools import pairwise
from math import ceil

import pytest
import torch
import torch.nn.functional as F

from netdsl import load, loads
from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram import example_size as sizes
from netdsl.backends.diagram.example_size import numbers_for
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Curve, Group, Picture, Polygon
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.volumes.columns import Study
from netdsl.backends.diagram.volumes.forms import ALONG, UP
from netdsl.backends.diagram.volumes.links import VISIBLE, window_of
from netdsl.backends.diagram.volumes.picture import volumes_picture
from netdsl.backends.diagram.volumes.steps import Step, steps_of
from netdsl.backends.diagram.volumes.u import Shape, u_shape
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import Tensor
from netdsl.ops.adaptive_pool import AdaptiveMaxPool
from netdsl.ops.pyramid import Spp
from tests import examples
from tests.backends.diagram.checks import cuts, overlapping
from tests.legal_networks import legal_network
from tests.sampling import some

OPTIONS = Options(level="volumes")
OTHERS = {
    "sound": "net N { input x: [1, 4000] ; output y = x -> conv(16, 9, stride=4) -> relu -> maxpool(4) -> global_avgpool -> linear(5) }",
    "film": "net N { input x: [3, 8, 32, 32] ; output y = x -> conv(16, 3, padding=1) -> relu -> maxpool(2) -> conv(32, 3) -> flatten -> linear(5) }",
    "tokens": "net N { input x: [16, 48] ; output y = x -> repeat 3 { add { identity ; { layernorm -> attention(4) } } } -> linear(96) -> gelu -> linear(48) }",
    "vectors": "net N { input x: [784] ; output y = x -> linear(300) -> relu -> linear(10) -> softmax }",
    "parts": "net N { input x: [6, 20, 20] ; (a, b) = x -> split([2, 4]) ; output y = (a -> conv(3, 3, padding=1), b) -> concat -> channel_shuffle(7) }",
    "bins": "net N { input x: [8, 20, 13] ; output y = x -> adaptive_avgpool(5x4) -> flatten -> linear(3) }",
    "u": """net U { input x: [1, 188, 188]
        a = x -> down0: Two(8)
        b = a -> maxpool(2) -> down1: Two(16)
        c = b -> maxpool(2) -> down2: Two(32)
        d = (c, b) -> up1: Up(16)
        output y = (d, a) -> up0: Up(8) }
        block Two(n: int) { conv(n, 3) -> relu -> conv(n, 3) -> relu }
        block Up(n: int) (x, skip) {
            big = x -> up: conv_transpose(n, 2, stride=2)
            (skip -> center_crop(big), big) -> concat -> conv: Two(n) }""",
    "grows": "net N { input x: [100, 1, 1] ; output y = x -> conv_transpose(64, 4) -> relu -> conv_transpose(3, 4, stride=2, padding=1) }",
}  # fmt: skip


def lines(text: str) -> str:
    """A network written in one line, `;` between its statements."""
    return text.replace(" ; ", "\n")


@cache
def network(name: str) -> Graph:
    """A network of one axis or more, made once for all tests that only read it."""
    return read_anew(name) if name in OTHERS else examples.network(name).graph


def read_anew(name: str) -> Graph:
    return (loads(lines(OTHERS[name])) if name in OTHERS else load(examples.example(name))).graph


NAMES = [*examples.NAMES, *OTHERS]


@cache
def drawn(name: str, options: Options = OPTIONS) -> Picture:
    return volumes_picture(network(name), options)


def volumes(picture: Picture) -> list[Group]:
    return [item for item in picture.items if isinstance(item, Group) and item.css == "volume"]


def uncovered(graph: Graph, picture: Picture) -> Counter[str]:
    """Paths of the nodes that run, each counted once, less those of the drawing."""
    running = graph.inference_nodes()
    wanted = Counter(node.path for node in graph.nodes() if node in running)
    drawn = Counter(p for group in volumes(picture) for p in json.loads(dict(group.data)["nodes"]))
    found = Counter(wanted)
    found.subtract(drawn)
    return Counter({path: n for path, n in found.items() if n})


@pytest.mark.parametrize("name", NAMES)
def test_texts_keep_apart_and_stay_on_the_sheet(name: str) -> None:
    picture = drawn(name)
    assert overlapping(picture, beside=0) == []
    for text in picture.texts():
        left, top, right, bottom = text.bounds()
        assert left >= 0
        assert top >= 0
        assert right <= picture.width
        assert bottom <= picture.height


def crossed(picture: Picture) -> list[str]:
    """Texts that a line between volumes runs through."""
    sides = [
        (a, b)
        for item in picture.items
        if isinstance(item, Curve)
        for a, b in pairwise([item.points[0], *item.points[3::3]])
    ]
    texts = [(text.text, text.bounds()) for text in picture.texts()]
    return [text for text, box in texts if any(cuts(a, b, box) for a, b in sides)]


@pytest.mark.parametrize("name", NAMES)
def test_no_line_runs_through_a_text(name: str) -> None:
    assert crossed(drawn(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_in_one_volume(name: str) -> None:
    graph, picture = network(name), drawn(name)
    assert uncovered(graph, picture) == Counter()


CHANNELS_LAST = ("tokens", "swin_t", "swin_v2_t", "mtcnn_rnet", "mtcnn_onet")
"""Examples of which a map has its channels behind."""


@pytest.mark.parametrize("name", NAMES)
def test_forms_are_as_large_as_their_scale_says(name: str) -> None:
    for group in volumes(drawn(name)):
        data = dict(group.data)
        shape = [int(n) for n in data["shape"].split(",") if n]
        if len(shape) != 3 or name in CHANNELS_LAST:
            continue
        channels, height, width = shape
        pixel, channel = float(data["points-per-pixel"]), float(data["points-per-channel"])
        sides = [
            (bottom - top, right - left, top - up)
            for item in group.items
            if isinstance(item, Polygon) and len(item.points) == 4
            for (left, top), (right, up), _, (_, bottom) in [item.points]
        ]
        said = (height * pixel, width * pixel * ALONG, width * pixel * UP)
        assert any(side == pytest.approx(said, rel=1e-3, abs=1e-3) for side in sides)
        fronts = [item for item in group.items if isinstance(item, Box) and item.line]
        if fronts:
            assert fronts[0].width == pytest.approx(channels * channel, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_one_scale_for_all_or_a_stated_factor(name: str) -> None:
    picture = drawn(name)
    pixels = {dict(group.data)["points-per-pixel"] for group in volumes(picture)}
    least = min(map(float, pixels))
    factors = sorted(round(float(p) / least, 2) for p in pixels)
    marks = {text.text for text in picture.texts() if text.text.startswith("pixels × ")}
    assert factors[0] == 1
    assert marks == {f"pixels × {factor:.0f}" for factor in factors[1:]}
    assert all(factor in (2, 4, 8, 16) for factor in factors[1:])


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_the_same_in_every_run_and_its_ids_are_unique(name: str) -> None:
    first = svg(drawn(name), theme("light"))
    assert first == svg(volumes_picture(read_anew(name), OPTIONS), theme("light"))
    root = ElementTree.fromstring(first.encode())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_of_the_sheet(name: str) -> None:
    picture = drawn(name)
    assert 0.5 <= picture.width / picture.height <= 2.1


def test_random_networks_are_drawn_whole() -> None:
    for seed in some(range(40), 2):
        graph = loads(legal_network(seed)).graph
        picture = volumes_picture(graph, OPTIONS)
        assert overlapping(picture, beside=0) == [], seed
        assert crossed(picture) == [], seed
        assert uncovered(graph, picture) == Counter(), seed


# ---- pyramids ----


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 12, 13, 31])
def test_adaptive_bins_are_those_of_pytorch(size: int, count: int) -> None:
    positions = torch.arange(float(size))[None]
    last = F.adaptive_max_pool1d(positions, count)[0]
    first = -F.adaptive_max_pool1d(-positions, count)[0]
    expected = tuple((int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    given, made = Tensor((1, size), "float32"), Tensor((1, count), "float32")
    assert AdaptiveMaxPool(count).bins_of((given,), (made,)).levels == ((expected,),)


@pytest.mark.parametrize(("size", "count"), [(13, 4), (13, 3), (13, 2), (13, 1), (10, 4), (12, 6)])
def test_bins_of_the_paper_are_a_sliding_pool(size: int, count: int) -> None:
    positions = torch.arange(float(size))[None]
    wide, step = ceil(size / count), size // count
    last = F.max_pool1d(positions, wide, step)[0]
    expected = tuple((int(b) + 1 - wide, int(b) + 1) for b in last)
    given = Tensor((1, size, size), "float32")
    (level,) = Spp((count,), bins="paper").bins_of((given,), ()).levels
    assert level == (expected[:count],) * 2


def test_a_pyramid_shows_each_bin_and_the_vector_in_proportion() -> None:
    picture = drawn("sppnet")
    bins = Counter(s.fill for s in picture.shapes() if isinstance(s, Box) and s.opacity == 0.2)
    assert bins == {"series0": 36, "series1": 9, "series2": 4, "series3": 1}
    parts = [s for s in picture.shapes() if isinstance(s, Box) and s.opacity == 0.45]
    assert [part.fill for part in parts] == ["series0", "series1", "series2", "series3"]
    heights = [part.height / parts[-1].height for part in parts]
    assert heights == pytest.approx([36, 9, 4, 1])
    texts = [text.text for text in picture.texts()]
    assert "window 7, stride 6" in texts
    assert "36 × 256 = 9,216 values" in texts
    assert any("13 is not a multiple of 2 or 3 or 6" in text for text in texts)


def test_bins_of_an_adaptive_pool_that_is_not_square() -> None:
    texts = [text.text for text in drawn("bins").texts()]
    assert "rows: window 4, stride 4" in texts
    assert "columns: window 4, stride 3" in texts
    assert any("13 is not a multiple of 4: there windows overlap" in text for text in texts)


# ---- windows ----


@pytest.mark.parametrize("name", ["unet", "sppnet", "lenet", "vgg16"])
def test_a_window_is_drawn_where_it_is_seen_and_the_legend_says_so(name: str) -> None:
    picture = drawn(name)
    windows = [i for i in picture.items if isinstance(i, Polygon) and i.line and i.stroke == 0.9]
    windows = [i for i in windows if i.points[0][0] == i.points[3][0]][1:]  # without the legend's
    texts = " ".join(text.text for text in picture.texts())
    assert all(i.points[3][1] - i.points[0][1] >= VISIBLE for i in windows)
    said = {
        "unet": "windows of kernels are too small to be drawn to scale",
        "lenet": "one neuron that sees it",
        "sppnet": "one neuron that sees it",
    }.get(name, "smaller windows are left out")
    assert said in texts
    assert bool(windows) == (name != "unet")


LAYERS = [
    "conv(2, 7, stride=2, padding=1)", "conv(2, 3, padding=2, dilation=2)", "conv(2, 5x1)",
    "maxpool(3, stride=2, padding=1)", "avgpool(2)", "conv(2, 3x5, stride=2x3, padding=1x0)",
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_windows_are_what_reaches_a_neuron_in_pytorch(layer: str) -> None:
    net = loads(lines(f"net N {{ input x: [1, 21, 17] ; output y = x -> {layer} }}"))
    numbers = numbers_for(net.graph)
    step = steps_of(net.graph, numbers)[-1]
    found = window_of(step, numbers)
    assert found is not None
    (top, bottom), (left, right), (row, column) = found
    x = torch.arange(21.0 * 17).reshape(1, 1, 21, 17).requires_grad_()
    seen = torch.zeros(21, 17, dtype=torch.bool)
    for offset in (x, x.detach().flip(2, 3).requires_grad_(), torch.rand_like(x).requires_grad_()):
        net.torch(0)(offset)[0, 0, int(row), int(column)].backward()
        assert offset.grad is not None
        seen |= offset.grad[0, 0] != 0
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    if layer.startswith("max"):  # one pixel of the window has the gradient
        assert top <= rows.min()
        assert rows.max() < bottom
        assert left <= columns.min()
        assert columns.max() < right
    else:
        assert (rows.min(), rows.max() + 1) == (top, bottom)
        assert (columns.min(), columns.max() + 1) == (left, right)


# ---- networks that go down and up ----


def shape_of(name: str) -> tuple[list[Step], Shape | None]:
    graph = network(name)
    numbers = numbers_for(graph)
    steps = steps_of(graph, numbers)
    return steps, u_shape(Study(steps, numbers, ChannelAxes(graph)))


@pytest.mark.parametrize(
    ("name", "skips"),
    [
        ("unet", ["down3.conv.conv2", "down2.conv.conv2", "down1.conv.conv2", "down0.conv2"]),
        ("unet16", ["down3.conv.conv2", "down2.conv.conv2", "down1.conv.conv2", "down0.conv2"]),
        (
            "hourglass",
            ["hourglass.low2.low2.low1", "hourglass.low2.low1", "hourglass.low1", "res3"],
        ),
    ],
)
def test_skips_of_a_u(name: str, skips: list[str]) -> None:
    _, shape = shape_of(name)
    assert shape is not None
    assert [skip.start.name for skip in shape.skips] == skips


@pytest.mark.parametrize("name", ["googlenet", "yolov3_spp", "resnet50", "vgg16", "upsample_any"])
def test_what_is_no_u(name: str) -> None:
    assert shape_of(name)[1] is None


def test_a_concat_of_a_u_is_drawn_in_proportion() -> None:
    group = next(g for g in volumes(drawn("unet")) if g.id == "v-up1.concat1")
    boxes = {i.fill: i.width for i in group.items if isinstance(i, Box) and not i.line}
    assert boxes["up.fill"] / boxes["conv.fill"] == pytest.approx(1024 / 512)
    assert dict(group.data)["shape"] == "1536,28,28"


def test_a_skip_ends_at_its_part_of_the_concat() -> None:
    picture = drawn("unet")
    heads = [i.points[0] for i in picture.items if isinstance(i, Polygon) and i.fill == "amber"]
    joins = [group for group in volumes(picture) if "concat" in group.id]
    assert len(joins) == len(heads) == 4
    for group in joins:
        part = next(i for i in group.items if isinstance(i, Box) and i.fill == "conv.fill")
        assert any(
            x == pytest.approx(part.x - 1) and part.y < y < part.y + part.height for x, y in heads
        )


# ---- what is folded ----


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lenet", ["image", "conv1", "maxpool1", "conv2", "maxpool2", "flatten1", "fc1", "fc2", "fc3"]),
        (
            "resnet50",
            ["image", "conv1", "maxpool1", "layer1.0", "layer1.1 × 2", "layer2.0", "layer2.1 × 3",
             "layer3.0", "layer3.1 × 5", "layer4.0", "layer4.1 × 2", "global_avgpool1", "fc"],
        ),
        ("conv27", ["image", "conv"]),
        (
            "bert",
            ["ids", "mask", "parts", "add1", "dropout1", "encoder.layer.0.output.LayerNorm × 12",
             "slice2", "flatten1", "pooler.dense"],
        ),
        (
            "vit_small_patch16_dinov3",
            ["image", "patch_embed.proj", "reshape1", "permute1", "concat1", "blocks.0.add2 × 12", "norm",
             "slice1", "flatten1", "slice2", "permute2", "reshape2"],
        ),
    ],
)  # fmt: skip
def test_steps(name: str, expected: list[str]) -> None:
    steps, _ = shape_of(name)
    assert [s.name + (f" × {s.count}" if s.count > 1 else "") for s in steps] == expected


def test_blocks_that_take_another_mask_stay_apart() -> None:
    text = """block Layer (x, m) { add { x ; (x, x, x) -> attend(2, mask=m) -> linear(8) } }
        net N { input x: [6, 8]; input m: [6, 6]; input k: [6, 6]
        output y = x -> Layer { in ; m } -> Layer { in ; m } -> Layer { in ; k } -> Layer { in ; m } }"""
    graph = loads(text).graph
    picture = volumes_picture(graph, OPTIONS)
    assert uncovered(graph, picture) == Counter()
    steps = steps_of(graph, numbers_for(graph))
    assert [step.count for step in steps if not step.is_input] == [2, 1, 1]


def test_a_block_with_more_axes_than_a_volume_has_is_closed() -> None:
    text = """block Windows : [C, H, W] -> [C, H, W] { reshape([C, H / 2, 2, W / 2, 2])
        -> permute([1, 3, 2, 4, 0]) -> linear(C) -> permute([4, 0, 2, 1, 3]) -> reshape([C, H, W]) }
        net N { input x: [8, 6, 6]; output y = x -> conv(8, 1) -> Windows -> conv(8, 1) }"""
    graph = loads(text).graph
    picture = volumes_picture(graph, OPTIONS)
    assert uncovered(graph, picture) == Counter()
    assert [g.id for g in volumes(picture)] == ["in-x", "v-conv1", "v-windows1", "v-conv2"]
    assert "1 dense" in [t.text for t in picture.texts()]  # what moves values is not counted
    with pytest.raises(DrawError, match="has 5 axes"):
        volumes_picture(graph, Options(level="volumes", expand=("Windows",)))


def test_an_opened_block_shows_its_branches() -> None:
    graph = network("googlenet")
    closed = volumes_picture(graph, OPTIONS)
    opened = volumes_picture(graph, Options(level="volumes", expand=("inception3a",)))
    assert uncovered(graph, opened) == Counter()
    assert overlapping(opened, beside=0) == []
    extra = {g.id for g in volumes(opened)} - {g.id for g in volumes(closed)}
    assert "v-inception3a.concat1" in extra
    assert len(extra) == 8


def test_a_block_that_goes_down_and_up_is_closed_where_the_network_is_no_u() -> None:
    text = """net N { input x: [3, 64, 64]
        output y = x -> conv(8, 3, padding=1) -> repeat 2 { Bowl } -> global_avgpool -> linear(4) }
        block Bowl { add { identity ; { maxpool(2) -> conv(8, 3, padding=1) -> upsample(2) } } }"""
    graph = loads(lines(text)).graph
    picture = volumes_picture(graph, OPTIONS)
    assert uncovered(graph, picture) == Counter()
    assert [g.id for g in volumes(picture)] == [
        "in-x", "v-conv1", "v-bowl1", "v-global_avgpool1", "v-linear1"
    ]  # fmt: skip
    opened = volumes_picture(graph, Options(level="volumes", expand=("bowl1",)))
    assert "v-bowl1.add1" in [g.id for g in volumes(opened)]


# ---- sizes ----


def test_an_open_size_is_stated_with_what_the_network_takes() -> None:
    assert (
        "Drawn at H = 224, W = 224; the network takes any H >= 15" in drawn("googlenet").description
    )
    assert "Drawn at H = 256, W = 256" in drawn("hourglass").description
    assert "Drawn at" not in drawn("lenet").description


def test_the_graph_is_left_as_it_was() -> None:
    graph = network("googlenet")
    before = [str(node.output.type) for node in graph.nodes()]
    volumes_picture(graph, OPTIONS)
    assert [str(node.output.type) for node in graph.nodes()] == before
    assert graph.symbols == ("H", "W")


def test_given_sizes_are_drawn() -> None:
    picture = volumes_picture(
        load(examples.example("vgg16"), sizes={"H": 448, "W": 320}).graph, OPTIONS
    )
    texts = [text.text for text in picture.texts()]
    assert "3 × 448 × 320" in texts
    assert any("The 14 × 10 map of features.30" in text for text in texts)


def test_no_example_size_is_an_error_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "_nearest", lambda sizes, wanted: None)
    with pytest.raises(DrawError, match=r"--size H=\.\.\. W=\.\.\."):
        volumes_picture(network("hourglass"), OPTIONS)


def test_too_many_volumes_are_refused_with_the_way_out() -> None:
    chain = " -> ".join(f"conv({n}, 1)" for n in range(1, 200))
    graph = loads(lines(f"net N {{ input x: [3, 8, 8] ; output y = x -> {chain} }}")).graph
    with pytest.raises(DrawError, match="--level blocks"):
        volumes_picture(graph, OPTIONS)


def test_five_axes_are_refused_with_the_way_out() -> None:
    graph = loads(lines("net N { input x: [2, 3, 4, 4, 4] ; output y = x -> relu }")).graph
    with pytest.raises(DrawError, match=r"5 axes.*--level blocks"):
        volumes_picture(graph, OPTIONS)


def test_thin_scales_are_drawn_by_square_roots_and_say_so() -> None:
    graph = loads(
        lines("net N { input x: [200000] ; output y = x -> linear(100) -> linear(2) }")
    ).graph
    texts = [text.text for text in volumes_picture(graph, OPTIONS).texts()]
    assert any("drawn by square roots" in text for text in texts)


def test_a_tiny_map_has_a_lens_with_its_factor() -> None:
    texts = [text.text for text in drawn("hourglass").texts()]
    assert sum(text.startswith("× ") for text in texts) == 1
