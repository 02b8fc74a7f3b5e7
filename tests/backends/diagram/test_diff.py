"""Two networks in one drawing: everything of both is in it once, and what differs is told."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.diagram.diff.compare import Comparison
from netdsl.backends.diagram.diff.picture import DiffSheet, diff_picture
from netdsl.backends.diagram.diff.places import Opening
from netdsl.backends.diagram.diff.words import change_of, counted
from netdsl.backends.diagram.draw import render
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Group
from netdsl.backends.diagram.units import units_of
from netdsl.cli import main
from netdsl.ir.graph import Graph, Node, Value
from tests.backends.diagram.checks import overlapping
from tests.examples import example, network
from tests.legal_networks import legal_network

PAIRS = (
    ("resnet50", "resnet152"), ("resnet18", "resnet50"), ("resnet50", "wide_resnet50_2"),
    ("alexnet", "alexnet_paper"), ("googlenet", "googlenet_paper"), ("unet", "unet_plus_plus"),
    ("lenet", "vgg16"), ("vit_b_16", "swin_t"), ("siamese", "cgan_generator"),
)  # fmt: skip
LEVELS = {
    "default": Options(),
    "closed": Options(expand=("none",)),
    "deep": Options(depth=9),
    "layers": Options(level="layers"),
}
LENET = example("lenet").read_text(encoding="utf-8")


def sheet_of(old: Graph, new: Graph, options: Options | None = None) -> DiffSheet:
    options = options or Options()
    compared, fold = Comparison(), options.level == "blocks"
    matches = compared.of(units_of(old, fold=fold), units_of(new, fold=fold))
    return DiffSheet(old, new, Opening(compared, options).of(matches), options)


def graphs(old: str, new: str) -> tuple[Graph, Graph]:
    return network(old).graph, network(new).graph


def lenet(*changes: tuple[str, str]) -> Graph:
    text = LENET
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return netdsl.loads(text, name="lenet.net").graph


def boxes(sheet: DiffSheet) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Title and lines of the boxes that differ, by path."""
    return {
        box.unit.path: (box.label.title, box.label.lines)
        for box in sheet.boxes.values()
        if box.unit is not None and box.kind != "same"
    }


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_layer_of_both_is_in_one_pair_and_one_box(pair: tuple[str, str]) -> None:
    old, new = graphs(*pair)
    for options in LEVELS.values():
        sheet = sheet_of(old, new, options)
        pairs = [p for place in sheet.places for p in place.match.pairs()]
        for side, graph in enumerate((old, new)):
            found = Counter(p[side] for p in pairs if p[side] is not None)
            assert found == Counter(graph.nodes())
        leaves = [leaf for place in sheet.places for leaf in place.leaves()]
        drawn = {leaf.match.unit for leaf in leaves}
        assert drawn == set(sheet.keys)
        assert len(leaves) == len(drawn)


def test_counts_add_up_and_turn_round() -> None:
    for pair in PAIRS:
        old, new = graphs(*pair)
        there, back = (
            counted(place.match for place in sheet_of(*sides).places)
            for sides in ((old, new), (new, old))
        )
        sizes = [sum(node.op.name != "identity" for node in g.nodes()) for g in (old, new)]
        assert there["same"] + there["changed"] + there["gone"] == sizes[0]
        assert there["same"] + there["changed"] + there["added"] == sizes[1]
        if pair[0] != "unet":  # of equally good ways to pair them up another may be taken
            assert (there["added"], there["gone"]) == (back["gone"], back["added"])


def partner_wires(sheet: DiffSheet) -> tuple[Counter[object], Counter[object]]:
    """Who feeds whom in both networks, layers of the old one by the names of their partners."""
    name = {
        old: (old if new is None else new)
        for place in sheet.places
        for old, new in place.match.pairs()
    }
    found: list[Counter[object]] = []
    for graph in (sheet.old, sheet.graph):
        maker: dict[Value, Node | int] = {
            value: node for node in graph.nodes() for value in node.outputs
        }
        maker.update({item.value: number for number, item in enumerate(graph.inputs)})
        ends = [(v, node) for node in graph.nodes() for v in node.inputs]
        ends += [(item.value, -1 - number) for number, item in enumerate(graph.outputs)]
        rename = name if graph is sheet.old else {}
        wires = [(maker[value], head) for value, head in ends]
        found.append(Counter((rename.get(a, a), rename.get(b, b)) for a, b in wires))
    return found[0], found[1]


def test_lines_that_are_new_or_gone_are_those_of_one_network_only() -> None:
    layers = Options(level="layers")
    texts = [legal_network(seed, symbolic=False) for seed in range(40)]
    random = [netdsl.loads(text).graph for text in texts]
    pairs = [graphs(*pair) for pair in (("lenet", "alexnet"), ("resnet18", "resnet50"))]
    pairs += list(pairwise(random))
    for old, new in pairs:
        sheet = sheet_of(old, new, layers)
        if len(old.inputs) != len(new.inputs) or len(old.outputs) != len(new.outputs):
            continue
        before, after = partner_wires(sheet)
        marks = Counter(wire.mark for wire in sheet.wires)
        assert marks["added"] == (after - before).total()
        assert marks["gone"] == (before - after).total()
        assert marks[""] + marks["skip"] + marks["size"] == (after & before).total()


@pytest.mark.parametrize("name", ["lenet", "googlenet", "resnet50", "swin_t", "siamese"])
def test_nothing_differs_from_itself(name: str) -> None:
    old, new = graphs(name, name)
    sheet = sheet_of(old, new)
    assert set(counted(place.match for place in sheet.places)) == {"same"}
    assert boxes(sheet) == {}
    assert {wire.mark for wire in sheet.wires} <= {"", "skip"}
    said = " ".join(sheet.lines())
    assert "as before" in said
    assert "+" not in said.replace(" + ", "")


def test_a_wider_layer_and_the_one_that_reads_it_have_changed() -> None:
    old, new = lenet(), lenet(("conv(6,", "conv(8,"))
    sheet = sheet_of(old, new)
    assert boxes(sheet) == {
        "conv1": ("~ conv 5×5", ("conv1", "channels 6 → 8", "+52 params · +39.2 k MACs")),
        "conv2": ("~ conv 5×5", ("conv2", "reads 6 → 8 channels", "+800 params · +80.0 k MACs")),
    }
    said = " ".join(sheet.lines())
    assert "2 layers changed, 10 the same" in said
    assert "(+852, +1.4 %)" in said
    shapes = [sheet.shown_shape(wire) for wire in sheet.wires]
    assert "6→8×28×28" in shapes
    assert "16×10×10" in shapes


def test_a_layer_more_and_a_layer_less() -> None:
    more = lenet(("-> fc2: linear(84)  -> relu", "-> fc2: linear(84)  -> relu -> dropout(0.5)"))
    sheet = sheet_of(lenet(), more)
    assert boxes(sheet)["fc2"][1][-1] == "dropout added"
    less = lenet(("-> fc2: linear(84)  -> relu\n", ""))
    sheet = sheet_of(lenet(), less)
    found = boxes(sheet)
    assert found["fc2"][0] == "\N{MINUS SIGN} linear"
    assert found["fc3"][1][-1] == "+360 params · +360 MACs"
    marks = Counter(wire.mark for wire in sheet.wires)
    assert (marks["gone"], marks["added"]) == (2, 1)


def test_another_kind_of_layer_and_another_name() -> None:
    other = lenet(("relu -> maxpool(2)\n        -> conv2", "relu -> avgpool(2)\n        -> second"))
    sheet = sheet_of(lenet(), other)
    ((title, lines),) = boxes(sheet).values()
    assert title == "~ avg pool 2×2 /2"
    assert lines == ("was max pool 2×2 /2",)
    (second,) = [b for b in sheet.boxes.values() if b.unit is not None and b.unit.path == "second"]
    assert second.kind == "same"
    assert "was conv2" in second.label.lines


def test_repeated_blocks_tell_how_often() -> None:
    sheet = sheet_of(*graphs("resnet50", "resnet152"))
    found = boxes(sheet)
    assert {lines[1] for _, lines in found.values()} == {"× 3 → × 7", "× 5 → × 35"}
    old, new = (netdsl.load(example(n)) for n in ("resnet50", "resnet152"))
    assert f"+{(new.parameters - old.parameters) / 1e6:.1f} M" in " ".join(sheet.lines())


def test_inputs_and_outputs_that_come_and_go() -> None:
    one = "net A { input x: [3, 8, 8]\n output y = x -> relu }"
    two = "net A { input x: [3, 8, 8]\n input z: [3, 8, 8]\n output w = (x, z) -> add\n output y = x -> relu }"
    for texts, mark in (((one, two), "added"), ((two, one), "gone")):
        sheet = sheet_of(netdsl.loads(texts[0]).graph, netdsl.loads(texts[1]).graph)
        ends = {
            b.label.title[2:] for b in sheet.boxes.values() if b.unit is None and b.kind == mark
        }
        assert ends == {"z", "w"}
        diff_picture(sheet.old, sheet.graph, Options())


@pytest.mark.parametrize("pair", PAIRS[1:6], ids="-".join)
def test_texts_do_not_meet_and_bytes_are_the_same(pair: tuple[str, str]) -> None:
    pictures = [diff_picture(*graphs(*pair), Options()) for _ in range(2)]
    assert overlapping(pictures[0]) == []
    assert len({render(picture, "svg", Options()) for picture in pictures}) == 1


def test_the_file_tells_each_change_to_programs() -> None:
    picture = diff_picture(lenet(), lenet(("conv(6,", "conv(8,")), Options())
    groups = [item for item in picture.items if isinstance(item, Group)]
    changes = {
        dict(g.data)["path"]: dict(g.data)["change"] for g in groups if "change" in dict(g.data)
    }
    assert changes == {"conv1": "changed", "conv2": "changed"}


def test_change_of_a_pair_is_what_makes_a_checkpoint_unfit() -> None:
    (old, new) = (netdsl.load(example(n)) for n in ("resnet50", "wide_resnet50_2"))
    pairs = [p for place in sheet_of(old.graph, new.graph).places for p in place.match.pairs()]
    for a, b in pairs:
        assert a is not None
        assert b is not None
        shapes = [[spec.shape for spec in node.layer.weights] for node in (a, b)]
        if shapes[0] != shapes[1]:
            assert change_of((a, b)) == "changed"


def test_long_networks_are_paired_up_whole() -> None:
    """They are paired up in stretches; every layer is still in one pair."""
    one, other = (
        netdsl.loads(
            "net A { input x: [3, 8, 8]\n output y = x"
            + "".join(f" -> conv({3 + (n * k) % 5}, 3, padding=1)" for n in range(700))
            + "}"
        ).graph
        for k in (1, 2)
    )
    sheet = sheet_of(one, other)
    pairs = [p for place in sheet.places for p in place.match.pairs()]
    assert sum(a is not None for a, _ in pairs) == sum(b is not None for _, b in pairs) == 700


def test_the_command(tmp_path: Path) -> None:
    old, new = example("googlenet"), example("googlenet_paper")
    for form in ("svg", "png", "html", "dot"):
        out = tmp_path / f"diff.{form}"
        arguments = ["draw", "--diff", str(old), str(new), "-o", str(out), "--size", "H=224,W=224"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert "note: 2 layers added, 58 taken away, 74 changed, 82 the same" in result.output
        assert out.stat().st_size > 10_000
    wrong = CliRunner().invoke(main, [*arguments, "--size", "X=3"])
    assert wrong.exit_code == 1
    assert "`X`" in wrong.output


def test_what_can_not_be_compared(tmp_path: Path) -> None:
    lenet_file, out = str(example("lenet")), str(tmp_path / "diff.svg")
    broken = tmp_path / "broken.net"
    broken.write_text("net A {", encoding="utf-8")
    calls = {
        ("--diff", lenet_file, "--level", "volumes"): (2, "leave out `--level volumes`"),
        ("--diff", str(tmp_path / "none.net")): (1, "none.net"),
        ("--diff", str(broken)): (1, "broken.net"),
        ("--diff", lenet_file, "--expand", "nowhere"): (2, "nowhere"),
    }
    for options, (code, said) in calls.items():
        result = CliRunner().invoke(main, ["draw", lenet_file, "-o", out, *options])
        assert (result.exit_code, said in result.output) == (code, True), result.output
        assert not Path(out).exists()
    same = CliRunner().invoke(main, ["draw", lenet_file, "--diff", "a.svg", "-o", "a.svg"])
    assert same.exit_code != 0
    stdin = CliRunner().invoke(main, ["draw", "-", "--diff", "-", "-o", out], input=LENET)
    assert stdin.exit_code == 2
    with pytest.raises(DrawError, match="compared in blocks or layers"):
        netdsl.load(lenet_file).drawing(old=netdsl.load(lenet_file), level="neurons")
