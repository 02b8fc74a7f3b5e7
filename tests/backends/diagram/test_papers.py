"""Pictures for papers and slides: one block alone, a given form, what is shown and what is not."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.diagram.blocks.opening import drawn_units, open_units
from netdsl.backends.diagram.blocks.wiring import coverage
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.hiding import left_out
from netdsl.backends.diagram.naming import part_asked
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Group, Item, Picture, Text, bounds_of
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.cli import main
from netdsl.ir.graph import Graph, Kind, Scope
from tests.backends.diagram.checks import check_picture, overlapping
from tests.backends.diagram.pictures import picture
from tests.examples import network

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SVG = "{http://www.w3.org/2000/svg}"


def groups(items: list[Item] | tuple[Item, ...]) -> Iterator[Group]:
    for item in items:
        if isinstance(item, Group):
            yield item
            yield from groups(item.items)


def texts_of(drawn: Picture, css: str) -> dict[str, list[str]]:
    """The texts of each group by its id."""
    return {
        group.id: [text.text for text in group.items if isinstance(text, Text)]
        for group in groups(drawn.items)
        if group.css == css
    }


def scope_of(graph: Graph, path: str) -> Scope:
    return next(s for s in graph.root.scopes() if s.path == path and s.kind is Kind.BLOCK)


# ---- one block alone ----

BLOCKS = [
    ("googlenet", "inception4b"),
    ("resnet50", "layer2.0"),
    ("densenet121", "features.denseblock1"),
    ("vit_b_16", "encoder.layers.encoder_layer_3"),
    ("unet", "up2"),
]


@pytest.mark.parametrize(("name", "path"), BLOCKS)
@pytest.mark.parametrize("level", ["blocks", "layers", "volumes"])
def test_one_block_alone_is_its_layers_between_its_ends(name: str, path: str, level: str) -> None:
    graph = network(name).graph
    scope = scope_of(graph, path)
    own = list(scope.nodes())
    made = {value for node in own for value in node.outputs}
    read = {v for node in own for v in node.inputs if v not in made}
    options = Options(level=level, only=path)
    part, notes = part_asked(graph, path)
    assert notes == []
    assert {item.value for item in part.inputs} == read
    others = [node for node in graph.nodes() if node not in set(own)]
    taken = {v for node in others for v in node.inputs} | {o.value for o in graph.outputs}
    assert {output.value for output in part.outputs} == made & taken
    drawn = picture_of(graph, options)
    check_picture(drawn, options, free_of_lines=level != "volumes")
    if level == "volumes":
        shown = [g for g in groups(drawn.items) if g.css == "volume"]
        told = [p for g in shown for p in re.findall(r'"([^"]+)"', dict(g.data)["nodes"])]
        assert Counter(told) == Counter(node.path for node in own)
        assert len(shown) > 2
        return
    covered = [node for _, nodes in coverage(open_units(part, options)) for node in nodes]
    assert Counter(covered) == Counter(own)
    ends = texts_of(drawn, "end")
    assert len(ends) == len(read) + len(part.outputs)
    assert path in drawn.title
    assert network(name).name in drawn.title


def test_it_is_drawn_as_it_is_within_the_whole() -> None:
    whole = picture("googlenet", Options(expand=("inception4b",)))
    alone = picture("googlenet", Options(only="inception4b"))
    inside = {k: v for k, v in texts_of(whole, "unit").items() if k.startswith("unit-inception4b.")}
    assert len(inside) == 8
    assert texts_of(alone, "unit") == inside
    assert texts_of(alone, "open") == {"unit-inception4b": ["inception4b", "Inception"]}


def test_a_kind_is_its_first_block_and_a_copy_is_itself() -> None:
    graph = network("resnet50").graph
    part, notes = part_asked(graph, "Bottleneck")
    assert part.name == "layer1.0: Bottleneck of ResNet50"
    assert notes == ["`Bottleneck` names 16 parts; drawn is the first, layer1.0"]
    drawn = picture("resnet50", Options(only="layer1.2"))  # drawn as a card of layer1.1 elsewhere
    assert "unit-layer1.2.conv1" in texts_of(drawn, "unit")


def test_axes_are_those_of_the_whole_network() -> None:
    drawn = picture("vit_b_16", Options(only="encoder.layers.encoder_layer_3"))
    lines = [text.text for text in drawn.texts()]
    assert any("shapes are length × channels, batch left out" in line for line in lines)
    assert not any("permute" in line for line in lines)


def test_folded_layers_are_unfolded_where_they_are_all_there_is() -> None:
    drawn = picture("googlenet", Options(only="conv1"))
    titles = [texts[0] for texts in texts_of(drawn, "unit").values()]
    assert titles == ["conv 7×7 /2", "BN", "ReLU"]


# ---- what stands above ----


@pytest.mark.parametrize("level", ["blocks", "volumes", "neurons", "field"])
def test_header_title_and_legend_can_be_left_out(level: str) -> None:
    plain = Options(level=level, expand=("none",) if level == "blocks" else ())
    whole = picture("lenet", plain)
    every = [t.text for t in whole.texts()]
    title = every[0]
    assert title == whole.title
    untitled = picture("lenet", replace(plain, title=""))
    assert [t.text for t in untitled.texts()] == every[1:]
    assert untitled.title == title  # a reader who can't see it is told what it is
    bare = picture("lenet", replace(plain, header=False, legend=False))
    texts = [t.text for t in bare.texts()]
    assert title not in texts
    assert set(texts) <= set(every)
    assert len(texts) > 10
    assert bounds_of(bare.items)[0] == pytest.approx(6, abs=1)
    assert bounds_of(bare.items)[1] == pytest.approx(6, abs=1)
    assert bare.width * bare.height < whole.width * whole.height
    without_legend = picture("lenet", replace(plain, legend=False))
    assert not {"convolution", "pooling"} & {t.text for t in without_legend.texts()}


# ---- letters and form ----


def file_of(name: str, **options: object) -> tuple[ET.Element, float, float, float]:
    """The file, its width and height in points, and its smallest letters in points."""
    root = ET.fromstring(network(name).drawing("svg", **options)[0])  # type: ignore[arg-type]
    width, height = (
        float((root.get(side) or "").removesuffix("pt")) for side in ("width", "height")
    )
    scale = width / float((root.get("viewBox") or "").split()[2])
    sizes = [float(text.get("font-size") or 0) for text in root.iter(f"{SVG}text")]
    return root, width, height, min(sizes) * scale


@pytest.mark.parametrize("level", ["blocks", "volumes", "neurons"])
def test_the_smallest_letters_are_as_large_as_asked(level: str) -> None:
    assert file_of("lenet", level=level, font_size=8.0)[3] == pytest.approx(8, abs=0.02)
    assert file_of("lenet", level=level, font_size=20.0)[3] == pytest.approx(20, abs=0.05)


def test_a_width_and_a_size_of_letters_cut_the_rows() -> None:
    for size in (7.0, 9.0):
        _, width, _, letters = file_of("resnet50", width=468.0, font_size=size, depth=0)
        assert width == pytest.approx(468, abs=0.1)
        assert letters >= size - 0.05
    notes = network("resnet50").drawing("svg", width=468.0, font_size=14.0)[1]
    assert any("points high at this width, under 14" in note for note in notes)


@pytest.mark.parametrize("aspect", [16 / 9, 4 / 3, 0.7])
@pytest.mark.parametrize(
    ("name", "level"),
    [("googlenet", "blocks"), ("lenet", "blocks"), ("unet", "volumes"), ("googlenet", "volumes")],
)
def test_the_aspect_is_exact_and_letters_large(name: str, level: str, aspect: float) -> None:
    drawn = picture(name, Options(level=level, aspect=aspect))
    assert drawn.width / drawn.height == pytest.approx(aspect, abs=1e-6)
    assert overlapping(drawn) == []
    usual = picture(name, Options(level=level))  # what padding alone would give
    padded = max(usual.width, usual.height * aspect)
    assert drawn.least / drawn.width >= usual.least / padded * 0.97
    left, top, right, bottom = bounds_of(drawn.items)
    assert (left, top) >= (0, 0)
    assert (right, bottom) <= (drawn.width, drawn.height)


def test_another_sheet_has_other_rows() -> None:
    def rows(aspect: float) -> int:
        drawn = picture("googlenet", Options(aspect=aspect, expand=("none",)))
        return sum(isinstance(i, Box) and i.fill == "panel.fill" for i in drawn.items)

    assert rows(4.0) < rows(16 / 9) < rows(0.7)


def test_a_font_stands_first_and_unknown_widths_are_fitted() -> None:
    root, *_ = file_of("lenet", font="Fira Sans")
    assert (root.get("font-family") or "").split(",")[0] == "Fira Sans"
    known = {(t.x, t.y): t for t in picture("lenet", Options()).texts()}
    for text in root.iter(f"{SVG}text"):
        place = float(text.get("x") or 0), float(text.get("y") or 0)
        near = min(known, key=lambda at: abs(at[0] - place[0]) + abs(at[1] - place[1]))
        assert float(text.get("textLength") or 0) == pytest.approx(known[near].width, abs=0.01)
    for font in ("Times", "Arial"):
        root, *_ = file_of("lenet", font=font)
        assert not any(text.get("textLength") for text in root.iter(f"{SVG}text"))
        assert network("lenet").drawing("svg", font=font)[1] == []
    assert "viewers fit it" in network("lenet").drawing("svg", font="Fira Sans")[1][-1]
    assert "not in `Fira Sans`" in network("lenet").drawing("png", font="Fira Sans")[1][-1]


# ---- direction ----


def test_upwards_is_downwards_turned_over() -> None:
    def middles(direction: str) -> list[float]:
        drawn = picture("lenet", Options(direction=direction))
        boxes = [bounds_of([g]) for g in groups(drawn.items) if g.css in ("unit", "end")]
        return [(box[1] + box[3]) / 2 for box in boxes]

    down, up = middles("down"), middles("up")
    assert len(down) == len(up) == 10
    order = {n: k for k, n in enumerate(sorted(range(10), key=down.__getitem__))}
    turned = {n: k for k, n in enumerate(sorted(range(10), key=up.__getitem__, reverse=True))}
    assert order == turned


@pytest.mark.parametrize("name", ["googlenet", "unet"])
def test_upwards_texts_are_apart_and_bars_in_order(name: str) -> None:
    options = Options(direction="up", only={"googlenet": "Inception", "unet": "up2"}[name])
    drawn = picture(name, options)
    check_picture(drawn, options, free_of_lines=True)
    pools = [g for g in groups(drawn.items) if any("pool" in t for t in _texts(g))]
    for pool in pools:  # narrow where the map is small: above
        points = getattr(pool.items[0], "points", ())
        (top, bottom) = sorted({y for _, y in points})
        wide = {y: max(x for x, at in points if at == y) - min(x for x, at in points if at == y)
                for y in (top, bottom)}  # fmt: skip
        assert wide[top] < wide[bottom]


def _texts(group: Group) -> list[str]:
    return [text.text for text in group.items if isinstance(text, Text)]


# ---- what is seen first ----


def frames(drawn: Picture, colour: str) -> set[str]:
    """Ids of the groups with a thick line of that colour."""
    return {
        group.id
        for group in groups(drawn.items)
        if any(isinstance(i, Box) and i.line == colour and 2.5 <= i.stroke < 5 for i in group.items)
    }


@pytest.mark.parametrize("theme", ["light", "print"])
def test_a_highlight_frames_what_it_names_and_nothing_else(theme: str) -> None:
    def seen(*highlight: str, **options: object) -> Picture:
        opened = {"expand": ("inception3a",), **options}
        chosen = Options(theme=theme, highlight=highlight, **opened)  # type: ignore[arg-type]
        return picture_of(network("googlenet").graph, chosen)

    drawn = seen("inception3a.branch2=Tomato", "inception4?=#1F77b4", "InceptionAux=teal")
    branch = {"unit-inception3a.branch2.0", "unit-inception3a.branch2.1"}
    assert frames(drawn, "#ff6347") == branch
    assert frames(drawn, "#1f77b4") == {f"unit-inception4{letter}" for letter in "abcde"}
    assert frames(drawn, "#008080") == {"unit-aux1", "unit-aux2"}
    assert frames(seen("inception3a=red"), "#ff0000") == {"unit-inception3a"}  # the open frame
    assert frames(seen("conv2.bn=red"), "#ff0000") == {"unit-conv2"}  # folded into it
    assert overlapping(drawn) == []


def test_a_copy_that_is_a_card_is_framed_with_its_cards() -> None:
    drawn = picture("resnet50", Options(highlight=("layer2.2=red",), expand=("none",)))
    assert frames(drawn, "#ff0000") == {"unit-layer2.1"}


def test_a_volume_is_framed() -> None:
    drawn = picture("unet", Options(level="volumes", highlight=("down2=orange",)))
    nodes = {node.path for node in scope_of(network("unet").graph, "down2").nodes()}
    framed = frames(drawn, "#ffa500")
    shown = {
        g.id: set(re.findall(r'"([^"]+)"', dict(g.data)["nodes"]))
        for g in groups(drawn.items)
        if g.css == "volume"
    }
    assert framed
    assert set.union(*(shown[key] for key in framed)) == nodes


def test_names_of_colours_are_those_of_css() -> None:
    colours = pytest.importorskip("PIL.ImageColor").colormap
    from netdsl.backends.diagram.css_colours import NAMES

    assert {name: str(value).lower() for name, value in colours.items()} == NAMES


def test_a_dot_file_has_the_colour_too() -> None:
    source = network("lenet").drawing("dot", highlight=("conv1=red",))[0].decode()
    (line,) = [line for line in source.splitlines() if "penwidth" in line]
    assert "conv1" in line
    assert "#ff0000" in line


# ---- what is hidden ----


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "densenet121", "vit_b_16", "unet"])
@pytest.mark.parametrize("level", ["blocks", "layers"])
def test_hidden_layers_go_with_a_neighbour_and_every_operation_is_in_one_unit(
    name: str, level: str
) -> None:
    graph = network(name).graph
    hide = frozenset(["norm", "activation", "dropout", "moves"])
    options = Options(level=level, hide=hide, expand=("none",) if level == "blocks" else ())
    units = open_units(graph, options)
    covered = [node for _, nodes in coverage(units) for node in nodes]
    assert Counter(covered) == Counter(graph.nodes())
    families = {"norms", "activations", "regularising"}
    kept = [u.node for u, _ in coverage(units) if not u.is_block and u.node.op.family in families]
    # the last norm of the encoder stands between a block and what reads it outside
    assert [node.path for node in kept] == ["encoder.ln"] * (
        (name, level) == ("vit_b_16", "layers")
    )
    told = left_out(graph, options, frozenset(kept))
    assert ("(1 more drawn" in told) == bool(kept)
    assert told in [text.text for text in picture(name, options).texts()]
    counted = {
        word: sum(node.op.family == family for node in graph.nodes())
        for word, family in (("dropout", "regularising"), ("normalisation", "norms"), ("activation", "activations"))
    }  # fmt: skip
    for word, number in counted.items():
        found = re.search(rf"([\d,]+) {word}", told)
        own = word == "normalisation" and len(kept)
        assert (int(found[1].replace(",", "")) if found else 0) == number - own


def test_layers_counted_as_hidden_are_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    options = Options(hide=frozenset(["norm", "dropout"]))
    module = network("googlenet").torch(seed=0)
    norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules())
    drops = sum(isinstance(m, torch.nn.Dropout) for m in module.modules())
    said = left_out(network("googlenet").graph, options, frozenset())
    assert said == f"not drawn: {drops} dropouts, {norms} normalisations"


def test_volumes_leave_out_the_words_and_count_them() -> None:
    options = Options(level="volumes", hide=frozenset(["norm"]))
    drawn = picture("googlenet", options)
    graph = network("googlenet").graph
    norms = sum(node.op.family == "norms" for node in graph.inference_nodes())
    texts = [text.text for text in drawn.texts()]
    assert f"not drawn: {norms} normalisations" in texts
    assert "convolution, relu" in texts
    usual = picture("googlenet", Options(level="volumes"))
    assert texts_of(drawn, "volume").keys() == texts_of(usual, "volume").keys()
    assert not any("batchnorm" in text for text in texts)
    assert any("batchnorm" in text.text for text in usual.texts())


def test_what_runs_in_training_only_is_left_out_and_counted() -> None:
    graph = network("googlenet").graph
    drawn = picture("googlenet", Options(hide=frozenset(["training"])))
    assert not {"unit-aux1", "unit-aux2"} & texts_of(drawn, "unit").keys()
    assert len(texts_of(drawn, "end")) == 2
    both = [scope_of(graph, f"aux{n}") for n in (1, 2)]
    number = sum(1 for scope in both for _ in scope.nodes())
    texts = [text.text for text in drawn.texts()]
    assert f"not drawn: {number} operations and 2 outputs in training only" in texts
    assert "dashed: in training only" not in texts


def test_a_layer_that_several_read_stays_and_is_counted() -> None:
    text = """net N { input x: [4, 8, 8]
        y = x -> relu
        output z = y -> add { conv(4, 3, padding=1) ; conv(4, 1) } -> relu }"""
    graph = netdsl.loads(text).graph
    options = Options(hide=frozenset(["activation"]))
    drawn = picture_of(graph, options)
    assert any("1 activation (1 more drawn" in t.text for t in drawn.texts())
    assert ["ReLU"] in texts_of(drawn, "unit").values()


def test_what_is_written_can_be_hidden() -> None:
    drawn = picture("resnet18", Options(hide=frozenset(["shapes", "params", "macs"])))
    texts = [text.text for text in drawn.texts() if text.size == 9]
    assert texts
    assert not any(re.search(r"\d×\d+×\d| params| MACs", text) for text in texts)


# ---- slides ----


@pytest.mark.parametrize("name", ["lenet", "resnet50", "googlenet"])
def test_a_slide_has_its_form_and_tells_how_large_letters_are(name: str) -> None:
    data, notes = network(name).drawing("svg", theme="slides")
    root = ET.fromstring(data)
    assert float((root.get("width") or "").removesuffix("pt")) == pytest.approx(960)
    assert float((root.get("height") or "").removesuffix("pt")) == pytest.approx(540, abs=0.01)
    *_, letters = file_of(name, theme="slides")
    assert letters >= 5
    told = [note for note in notes if "points high at this width, under 14" in note]
    assert bool(told) == (letters < 13.99)
    if told:
        assert f"letters are {letters:.1f} points" in told[0]
    asked = file_of(name, theme="slides", width=468.0)
    assert asked[3] == pytest.approx(letters * 468 / 960, rel=0.02)


def test_one_block_has_larger_letters_on_a_slide_than_its_network() -> None:
    whole, block = (
        file_of("densenet121", theme="slides", only=only)[3] for only in (None, "DenseLayer")
    )
    assert block > max(11, 1.3 * whole)


# ---- what can't be ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "inceptoin4b"}, "no part is `inceptoin4b`; there are, for example: inception4"),
        ({"only": "fc"}, "`--only` draws a block, and `fc` is a layer"),
        ({"only": "fc", "level": "neurons"}, "`--only` is for `--level blocks`"),
        ({"highlight": ("inception4b",)}, "takes PATH=colour"),
        ({"highlight": ("inception4b=redd",)}, "`redd` is no colour; .* such as red"),
        ({"highlight": ("inceptoin4b=red",)}, "no part is `inceptoin4b`; .*inception4"),
        ({"highlight": ("inception4b.branch1=red",)}, "open it with `--expand inception4b`"),
        ({"highlight": ("fc=red",), "level": "field"}, "`--highlight` is for"),
        ({"hide": frozenset(["norms"])}, "`norms` can't be hidden; there are dropout"),
        ({"hide": frozenset(["moves"]), "level": "volumes"}, "at `--level volumes`; there are"),
        ({"hide": frozenset(["norm"]), "level": "neurons"}, "`--hide` is not for `--level neurons`"),
        ({"font": "x;y"}, "is not the name of a font"),
        ({"font_size": 900.0}, "from 4 to 72, and this is 900"),
        ({"aspect": 40.0}, "from 0.2 to 5, and this is 40"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(DrawError, match=message):
        network("googlenet").drawing("svg", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aspect", "16x9"], "--aspect: `16x9` is not width:height, such as 16:9"),
        (["--aspect", "100:1"], "from 1:5 to 5:1"),
        (["--hide", "norms"], "there are dropout, .*; did you mean `norm`?"),
        (["--font-size", "0"], "--font-size"),
        (["--only", "nothing"], "no part is `nothing`|the network has none"),
        (["--highlight", "conv1=blu"], "`blu` is no colour"),
    ],
)
def test_a_wrong_option_ends_with_2_and_leaves_no_file(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "x.svg"
    command = ["draw", str(EXAMPLES / "lenet.net"), "-o", str(out), *arguments]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2, result.output
    assert re.search(message, " ".join(result.output.split()))
    assert not out.exists()


def test_two_networks_are_compared_whole(tmp_path: Path) -> None:
    old, new = (network(name) for name in ("resnet18", "resnet50"))
    for options in ({"only": "layer1"}, {"highlight": ("conv1=red",)}, {"hide": {"norm"}}):
        with pytest.raises(DrawError, match="is for one network"):
            new.drawing("svg", old=old, **options)  # type: ignore[arg-type]


def test_the_units_that_are_drawn_are_the_usual_ones_where_nothing_is_hidden() -> None:
    graph = network("resnet18").graph

    def shape(units: tuple[Unit, ...]) -> list[object]:
        return [(u.path, u.count, shape(u.parts)) for u in units]

    assert shape(drawn_units(graph, Options())) == shape(units_of(graph))
