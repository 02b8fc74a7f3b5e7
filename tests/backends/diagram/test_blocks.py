"""The block view: everything is drawn once, nothing overlaps, the same bytes each time."""

from __future__ import annotations

from collections import Counter

import pytest

import netdsl
from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import block_lines
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.wiring import SKIP, Wiring, coverage
from netdsl.backends.diagram.draw import draw, picture_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.units import Unit, leaves, units_of
from netdsl.ir.graph import Graph
from tests.backends.diagram.checks import overlapping
from tests.backends.diagram.pictures import DEFAULT, EVERYTHING
from tests.backends.diagram.pictures import picture as drawn
from tests.examples import NAMES, example, network

LEVELS = {
    "default": DEFAULT,
    "closed": Options(expand=("none",)),
    "deep": EVERYTHING,
    "layers": Options(level="layers"),
}
WIDE_OR_TALL = {"conv27", "rgb6", "lenet", "diffusion_unet"}
"""Networks of so few units that one row of them is the clearest picture; and a wide U."""


def graph_of(name: str) -> Graph:
    return network(name).graph


@pytest.mark.parametrize("name", NAMES)
def test_every_op_is_in_exactly_one_unit_at_every_level(name: str) -> None:
    graph = graph_of(name)
    everything = Counter(graph.nodes())
    for options in LEVELS.values():
        drawn = coverage(open_units(graph, options))
        assert Counter(node for _, nodes in drawn for node in nodes) == everything


@pytest.mark.parametrize("name", NAMES)
def test_every_wire_carries_what_its_ends_give_and_take(name: str) -> None:
    graph = graph_of(name)
    wiring = Wiring.of(graph, open_units(graph, Options(depth=9)))
    taken = {(w.head, w.value) for w in wiring.wires}
    given = {(w.tail, w.value) for w in wiring.wires}
    for key, unit in wiring.leaves.items():
        for node in unit.nodes:
            for value in node.inputs:
                inside = any(value in other.outputs for other in unit.nodes)
                assert inside or unit.count > 1 or (key, value) in taken or _passed(unit, value)
        assert any((key, value) in given for value in unit.outputs) or not unit.outputs


def _passed(unit: Unit, value: object) -> bool:
    """Whether a value of a repeated block is drawn by that of its first copy."""
    return any(v.type == value.type for v in unit.inputs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_no_texts_overlap_and_the_form_fits_a_page(name: str) -> None:
    picture = drawn(name, DEFAULT)
    assert overlapping(picture) == []
    assert all(t.bounds()[0] >= 0 and t.bounds()[2] <= picture.width for t in picture.texts())
    if name not in WIDE_OR_TALL:
        assert 0.5 <= picture.width / picture.height <= 2, picture.width / picture.height


def test_opened_blocks_and_fixed_sizes_do_not_overlap_either() -> None:
    for name in ("googlenet", "resnet18", "unet", "densenet121"):
        graph = netdsl.load(example(name), sizes={"H": 224, "W": 224}).graph
        for options in LEVELS.values():
            assert overlapping(picture_of(graph, options)) == []


@pytest.mark.parametrize("name", ["googlenet", "resnet50", "unet", "lenet"])
def test_the_bytes_are_the_same_each_time(name: str) -> None:
    for form in ("svg", "dot"):
        first, _ = draw(graph_of(name), form, Options())
        assert draw(netdsl.load(example(name)).graph, form, Options())[0] == first


def test_equal_blocks_in_a_row_are_one_and_others_are_not() -> None:
    text = """
    block Twice(c: int) { conv(c, 3, padding=1) -> relu -> conv(c, 3, padding=1) -> relu }
    net N {
        input x: [8, H, W]
        output y = x -> a: Twice(8) -> b: Twice(8) -> c: Twice(8) -> d: Twice(16) -> e: Twice(16)
    }
    """
    units = units_of(netdsl.loads(text).graph)
    assert [(unit.path, unit.count) for unit in units] == [("a", 3), ("d", 1), ("e", 1)]


PAIRS = """
block Both(swap: bool = false) (a, b) {{ a2 = a -> conv(8, 1) ; b2 = b -> conv(8, 3, padding=1)
    if swap {{ (b2, a2) }} else {{ (a2, b2) }} }}
net N {{
    input x: [8, H, W]
    input z: [8, H, W]
    {body}
}}
"""


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("output y = (x, z) -> repeat 4 { Both } -> add", [4, 1]),
        ("output y = (x, z) -> repeat 4 { Both(swap=true) } -> add", [4, 1]),
        ("(p, q) = (x, z) -> Both -> Both\n (r, s) = (q, p) -> Both\n output y = (r, s) -> add", [2, 1, 1]),
        ("(p, q) = (x, z) -> Both -> Both\n output y = (p, q) -> Both -> add\n output w = p -> relu", [2, 1, 1, 1]),
        ("(p, q) = (x, z) -> Both\n output w = q\n output y = (p, q) -> Both -> add", [1, 1, 1]),
        ("(p, q) = (x, z) -> Both\n output y = (p, z) -> Both -> add\n output w = q -> relu", [1, 1, 1, 1]),
    ],
)  # fmt: skip
def test_blocks_of_several_maps_repeat_where_all_flow_on_alike(
    body: str, counts: list[int]
) -> None:
    graph = netdsl.loads(PAIRS.format(body=body)).graph
    units = units_of(graph)
    assert sorted(unit.count for unit in units) == sorted(counts)
    nodes = Counter(node for _, covered in coverage(units) for node in covered)
    assert nodes == Counter(graph.nodes())
    assert picture_of(graph, Options(depth=9)).items


MASKED = """
block Layer (x, m) {{ add {{ x ; (x, x, x) -> attend(2, mask=m) -> linear(8) }} }}
block Sum (x, m) {{ add {{ x ; m }} }}
net N {{
    input x: [T, 8]
    input m: [T, T]
    input k: [T, T]
    input z: [T, 8]
    {body}
}}
"""


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("output y = x -> repeat 4 { Layer { in ; m } }", [4]),
        ("output y = x -> Layer { in ; m } -> Layer { in ; m } -> Layer { in ; k }", [2, 1]),
        ("output y = x -> Layer { in ; m } -> Layer { in ; k } -> Layer { in ; m }", [1, 1, 1]),
        ("a = (x, m) -> Layer\n output y = (a, m) -> Layer\n output w = (a, k) -> Layer", [1, 1, 1]),
        ("a = (x, m) -> Layer\n output w = a\n output y = (a, m) -> Layer", [1, 1]),
        ("output y = x -> repeat 3 { Sum { in ; z } }", [1, 1, 1]),  # a sign has no place for x3
    ],
)  # fmt: skip
def test_blocks_that_take_the_same_besides_are_one(body: str, counts: list[int]) -> None:
    graph = netdsl.loads(MASKED.format(body=body)).graph
    units = units_of(graph)
    assert [unit.count for unit in units] == counts
    nodes = Counter(node for _, covered in coverage(units) for node in covered)
    assert nodes == Counter(graph.nodes())
    for depth in (0, 9):
        wires = BlockSheet(graph, open_units(graph, Options(depth=depth)), Options()).wires
        assert sum(wire.tail == "in1" for wire in wires) == len(
            [unit for unit in units if graph.inputs[1].value in unit.inputs]
        )


@pytest.mark.parametrize(
    ("name", "count"), [("bert", 12), ("llama", 5), ("vit_small_patch16_dinov3", 12)]
)
def test_the_layers_of_a_transformer_are_one(name: str, count: int) -> None:
    assert [unit.count for unit in units_of(graph_of(name)) if unit.count > 1] == [count]


def test_blocks_that_drop_more_and_more_are_one_and_say_so() -> None:
    text = """
    block Unit(drop: float, act: layer = relu) { add { conv(8, 3, padding=1) -> act -> drop_path(drop) ; identity } }
    net N {
        input x: [8, H, W]
        output y = x -> for d in [0.1, 0.2, 0.3] { Unit(d) } -> Unit(0.3, act=gelu)
    }
    """
    graph = netdsl.loads(text).graph
    assert [unit.count for unit in units_of(graph)] == [3, 1]
    closed = [t.text for t in picture_of(graph, Options(expand=("none",))).texts()]
    assert "drop path 0.1 to 0.3" in closed
    opened = [t.text for t in picture_of(graph, Options(expand=("unit1",))).texts()]
    assert "Unit, shown once, drop path 0.1 to 0.3" in opened


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_that_are_not_one_look_different(name: str) -> None:
    """Or a wire shows it: the second also takes what the first one takes, as PNASNet's cells do."""
    closed = Options(expand=("none",))
    graph = graph_of(name)
    sheet = BlockSheet(graph, open_units(graph, closed), closed)
    tails = {box: {w.tail for w in sheet.wires if w.head == box} for box in sheet.boxes}
    for wire in sheet.wires:
        if tails[wire.head] & tails[wire.tail]:
            continue
        one, other = sheet.boxes[wire.tail], sheet.boxes[wire.head]
        if one.form == other.form == "block":
            assert one.label.lines != other.label.lines, wire


def test_a_value_that_is_read_elsewhere_keeps_copies_apart() -> None:
    text = """
    net N {
        input x: [8, H, W]
        a = x -> conv(8, 3, padding=1) -> relu
        b = a -> conv(8, 3, padding=1) -> relu
        output y = (a, b) -> add
    }
    """
    assert [unit.count for unit in units_of(netdsl.loads(text).graph)] == [1, 1, 1]


def test_a_concat_is_cut_in_proportion() -> None:
    picture = drawn("googlenet", Options(expand=("inception3a",)))
    colours = {f"series{n}" for n in range(4)}
    strips = [
        s for s in picture.shapes() if isinstance(s, Box) and s.fill in colours and s.width == 22
    ]
    heights = [s.height for s in strips]
    assert [h / sum(heights) * 256 for h in heights] == pytest.approx([64, 128, 32, 32])


def test_a_table_has_its_share_of_a_concat_by_the_axis_that_is_joined() -> None:
    """Its first axis, if there is one more, is the batch; an open part leaves no shares to draw."""
    text = """
    net N {
        input x: [SIZE, 6]
        weight front: [1, 4, 6]
        weight last: [1, 6]
        output y = (front, x, last) -> concat(axis=0) -> relu
    }
    """
    for size, shares in (("20", [4, 20, 1]), ("T", [])):
        picture = picture_of(netdsl.loads(text.replace("SIZE", size)).graph, Options(formulas=True))
        colours = {f"series{n}" for n in range(3)}
        strips = [s.height for s in picture.shapes() if isinstance(s, Box) and s.fill in colours]
        assert [h / sum(strips) * 25 for h in strips] == pytest.approx(shares)


def test_what_can_be_opened_and_what_not() -> None:
    graph = graph_of("googlenet")
    opened = open_units(graph, Options(expand=("inception4*",)))
    assert [u.path for u in opened if u.is_open] == [f"inception4{c}" for c in "abcde"]
    by_kind = open_units(graph, Options(expand=("InceptionAux",)))
    assert [u.path for u in by_kind if u.is_open] == ["aux2", "aux1"] or len(
        [u for u in by_kind if u.is_open]
    ) == 2
    assert not any(u.is_open for u in open_units(graph, Options(expand=("none",))))
    with pytest.raises(DrawError, match=r"no block is `inception9a`; there are.*inception"):
        open_units(graph, Options(expand=("inception9a",)))


def test_folding_keeps_to_what_feeds_nobody_else() -> None:
    text = """
    net N {
        input x: [3, H, W]
        a = x -> conv(8, 3) -> batchnorm -> relu -> conv(8, 3) -> batchnorm
        output y = a -> relu
        output z = a
    }
    """
    folded = [[n.op.name for n in u.nodes] for u in leaves(units_of(netdsl.loads(text).graph))]
    assert folded == [["conv", "batchnorm", "relu"], ["conv", "batchnorm"], ["relu"]]


def test_long_formulas_get_names_and_a_legend() -> None:
    graph = graph_of("resnet18")
    names = ShapeNames(graph.symbols)
    shapes = [names.shape(n.output.type.shape) for n in graph.nodes() if len(n.outputs) == 1]
    assert shapes[0] == "64×H1×W1"
    assert names.legend()[0] == "H1 = floor((H + 1)/2), W1 likewise"


def test_a_formula_in_the_legend_holds_the_names_of_others() -> None:
    rows = "reshape([5, H * W]) -> permute([1, 0])"
    graph = netdsl.loads(
        f"""
        block Rows : [C, H, W] -> [H * W, C] {{ {rows} }}
        net A {{
            input x: [5, H, W]
            half = x -> maxpool(2, ceil_mode=true)
            output y = (x -> Rows, half -> Rows) -> concat(axis=0)
        }}
        """
    ).graph
    names = ShapeNames(graph.symbols)
    for node in graph.nodes():
        names.shape(node.output.type.shape)
    assert names.legend() == [
        "H1 = floor((H + 1)/2), W1 likewise",
        "n2 = H1*W1",
        "n3 = H*W + H1*W1",
    ]


def test_light_colours_differ_so_that_dark_ones_can_take_their_places() -> None:
    light, dark = theme("light").colours, theme("dark").colours
    assert len(set(light.values())) == len(light)
    assert light.keys() == dark.keys()
    assert len({colour.lower() for colour in theme("print").colours.values()}) > 30


def test_a_network_of_4_000_layers_is_drawn() -> None:
    body = " -> ".join(f"conv({8 + i % 3}, 3, padding=1) -> relu" for i in range(2000))
    graph = netdsl.loads(f"net N {{ input x: [8, 64, 64]\n output y = x -> {body} }}").graph
    picture = picture_of(graph, Options())
    assert 0.5 <= picture.width / picture.height <= 2


def skips(name: str, **options: object) -> set[tuple[str, str]]:
    """Paths of the two ends of each way that is drawn as a skip."""
    graph = graph_of(name)
    chosen = Options(**options)  # type: ignore[arg-type]
    sheet = BlockSheet(graph, open_units(graph, chosen), chosen)
    path = {key: box.unit.path if box.unit else key for key, box in sheet.boxes.items()}
    return {(path[w.tail], path[w.head]) for w in sheet.wires if w.mark == SKIP}


def test_what_passes_by_layers_is_a_skip_also_into_a_closed_block() -> None:
    closed = skips("unet", expand=("none",))
    assert closed == {("down3", "up1"), ("down2", "up2"), ("down1", "up3"), ("down0", "up4")}
    assert skips("resnet18", expand=("layer1.0",)) == {("maxpool1", "layer1.0.add1")}
    assert skips("resnet18", expand=("none",)) == set()
    assert skips("googlenet") == set()
    assert skips("upsample_any") == set()
    assert skips("vit_b_16", expand=("encoder",)) == set()


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("resnet50", "layer1.0", "+ 1×1 projection skip"),
        ("resnet50", "layer1.1", "+ identity skip"),
        ("mobilenet_v2", "features.2", ""),
        ("mobilenet_v2", "features.3", "+ identity skip"),
        ("vit_b_16", "encoder", ""),
        ("vit_b_16", "encoder.layers.encoder_layer_0", "+ identity skip"),
        ("fcn_resnet50", "backbone.layer3", ""),
        ("hrnet_w18", "stage3.0", ""),
        ("hrnet_w18", "stage3.0.branches.0.0", "+ identity skip"),
        ("fpn", "fpn", ""),
        ("yolov3_spp", "darkresidual1", "+ identity skip"),
    ],
)
def test_a_closed_block_tells_its_own_skip_and_not_that_of_blocks_in_it(
    name: str, path: str, told: str
) -> None:
    graph = graph_of(name)
    stack, axes = list(units_of(graph)), ChannelAxes(graph)
    found = {}
    while stack:
        unit = stack.pop()
        found[unit.path] = unit
        stack += unit.parts
    lines = block_lines(found[path], axes)
    assert [line for line in lines if "skip" in line] == [told] * bool(told)
