"""Networks that are no examples: branches with heads for training, gates, three equal lanes."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

import netdsl
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Curve, Group, Picture
from tests.backends.diagram.checks import cuts
from tests.backends.diagram.pictures import DEFAULT, ROWS, picture

HEADS = """
net Heads {
    input photo: [3, 64, 64]
    input depth: [1, 64, 64]
    rgb = photo -> conv(16, 3, padding=1) -> relu -> maxpool(2)
    dep = depth -> conv(8, 3, padding=1) -> relu -> maxpool(2)
    map = (rgb, dep) -> concat -> conv(32, 3, padding=1) -> relu -> conv(32, 3) -> relu
    output y = map -> global_avgpool -> linear(7)
    output mask = map -> conv(1, 1) -> sigmoid
    output aux = rgb -> conv(8, 3) -> relu -> global_avgpool -> linear(7) when training
    output other = dep -> conv(8, 5) -> relu -> global_avgpool -> linear(5) when training
}"""
LANES = """
net Lanes {
    input left: [3, 64, 64]
    input mid: [3, 64, 64]
    input right: [3, 64, 64]
    layer c1 = conv(16, 3, stride=2, padding=1)
    layer fc = linear(10)
    a = left -> c1 -> relu -> global_avgpool -> fc
    b = mid -> c1 -> relu -> global_avgpool -> fc
    c = right -> c1 -> relu -> global_avgpool -> fc
    output y = (a, b, c) -> concat -> linear(2)
}"""
GATED = """
block Double(c: int) { conv(c, 3, padding=1) -> relu -> conv(c, 3, padding=1) -> relu }
block Gate(mid: int) (g, x) {
    a = add { g -> conv(mid, 1) ; x -> conv(mid, 1) } -> relu -> conv(1, 1) -> sigmoid
    (x, a) -> mul
}
block Up(c: int) (x, skip) {
    g = x -> upsample(2) -> conv(c, 3, padding=1)
    s = (g, skip) -> Gate(c // 2)
    (s, g) -> concat -> Double(c)
}
net Gated {
    input image: [1, 64, 64]
    e1 = image -> Double(8)
    e2 = e1 -> maxpool(2) -> Double(16)
    e3 = e2 -> maxpool(2) -> Double(32)
    e4 = e3 -> maxpool(2) -> Double(64)
    d3 = (e4, e3) -> Up(32)
    d2 = (d3, e2) -> Up(16)
    d1 = (d2, e1) -> Up(8)
    output mask = d1 -> conv(2, 1)
}"""
RESIDUAL = """
net Residual {
    input x: [8, 32, 32]
    a = x -> conv(8, 3, padding=1)
    output y = add { a ; a -> maxpool(2) -> conv(8, 3, padding=1) -> relu -> upsample(2) }
}"""
SHARED_WAY = """
block Two(c: int) { conv(c, 3, padding=1) -> relu -> conv(c, 3, padding=1) -> relu -> maxpool(2) }
net SharedWay {
    input image: [3, 224, 224]
    p3 = image -> pad(100) -> inline Two(64) -> inline Two(128) -> inline Two(256)
    p4 = p3 -> inline Two(512)
    s = p4 -> inline Two(512) -> conv(4096, 7) -> relu -> conv(4096, 1) -> relu -> conv(21, 1)
    u2 = s -> conv_transpose(21, 4, stride=2, bias=false)
    f4 = (u2, p4 -> mul(0.01) -> conv(21, 1) -> crop(u2, offset=5)) -> add
    u4 = f4 -> conv_transpose(21, 4, stride=2, bias=false)
    f3 = (u4, p3 -> mul(0.0001) -> conv(21, 1) -> crop(u4, offset=9)) -> add
    output score = f3 -> conv_transpose(21, 16, stride=8, bias=false) -> crop(image, offset=31)
}"""
SOUND = "net Sound {\n input x: [2, 256]\n output y = x -> conv(4, 3) -> repeat 6 { conv(4, 3, padding=1) -> add { identity ; conv(4, 3, padding=1) -> relu } }\n}"


def drawn(source: str, options: Options = DEFAULT) -> Picture:
    return picture_of(netdsl.loads(source).graph, options)


def texts(drawing: Picture) -> list[str]:
    return [text.text for text in drawing.texts()]


def test_heads_of_a_network_with_branches_are_drawn() -> None:
    drawing = drawn(HEADS)
    assert {"aux", "other", "y", "mask"} <= set(texts(drawing))
    said = next(text for text in texts(drawing) if "operations in" in text)
    units = [g for g in drawing.items if isinstance(g, Group) and g.css == "unit"]
    told = re.search(r"(\d+) operations in (\d+) drawn units", said)
    assert told is not None
    assert len(units) == int(told[2])
    operations = sum(len(dict(unit.data)["ops"].split("; ")) for unit in units)
    assert operations == int(told[1])


def test_weights_are_joined_to_every_lane() -> None:
    drawing = drawn(LANES)
    threads = [i for i in drawing.items if isinstance(i, Curve) and i.dash == "dotted"]
    ends = [thread.points[-1] for thread in threads]
    boxes = [
        next(i for i in group.items if isinstance(i, Box))
        for group in drawing.items
        if isinstance(group, Group) and dict(group.data).get("path", "").startswith(("c1", "fc"))
    ]
    assert len(boxes) == 6
    for box in boxes:
        edges = box.y, box.y + box.height
        assert any(
            box.x <= x <= box.x + box.width and min(abs(y - edge) for edge in edges) < 8
            for x, y in ends
        )


def test_closed_blocks_of_a_u_of_volumes_are_reached_around_the_texts() -> None:
    drawing = drawn(GATED, Options(level="volumes"))
    assert sum(text == "joined by concat" for text in texts(drawing)) == 3
    sides = [
        (a, b)
        for item in drawing.items
        if isinstance(item, Curve)
        for a, b in pairwise([item.points[0], *item.points[3::3]])
    ]
    words = [(text.text, text.bounds()) for text in drawing.texts()]
    assert [word for word, box in words if any(cuts(a, b, box) for a, b in sides)] == []


def test_amber_between_volumes_is_a_skip() -> None:
    def ambers(source: str) -> int:
        items = drawn(source, Options(level="volumes")).items
        return sum(isinstance(item, Curve) and item.line == "amber" for item in items)

    assert ambers(LANES) == 0
    assert ambers(RESIDUAL) > 0


def test_a_stem_in_several_lines_states_the_sizes_of_each() -> None:
    drawing = picture("googlenet", Options(width=216.0))
    bold = [text for text in drawing.texts() if text.bold and "→" in text.text]
    told = [text.text for text in sorted(bold, key=lambda text: text.y)]
    assert told[0].startswith("224 × 224 → ")
    assert told[-1].endswith(" → 28 × 28")
    assert len(told) > 1
    for upper, lower in pairwise(told):
        assert upper.split(" → ")[1] == lower.split(" → ")[0]


def test_a_skip_is_amber_from_where_its_way_is_its_own() -> None:
    drawing = drawn(SHARED_WAY, ROWS)
    ways = [i for i in drawing.items if isinstance(i, Curve) and len(i.points) > 4]
    own = [w for w in ways if w.line == "amber" and abs(w.points[-1][1] - w.points[0][1]) > 100]
    assert len(own) == 2, "a way for each of the two skips"
    plain = [w for w in ways if w.line != "amber"]
    for way in own:
        x = way.points[0][0]
        assert not any(
            abs(p[0] - x) < 0.1 and abs(q[0] - x) < 0.1 and q[1] - p[1] > 100
            for other in plain
            for p, q in pairwise([other.points[0], *other.points[3::3]])
        )


def test_no_box_stands_on_the_border_of_its_band() -> None:
    drawing = drawn(HEADS)
    bands = [i for i in drawing.items if isinstance(i, Box) and i.fill == "panel.fill"]
    for group in drawing.items:
        if isinstance(group, Group) and group.css in ("unit", "end"):
            for box in (i for i in group.items if isinstance(i, Box)):
                around = [b for b in bands if b.y < box.y and box.y + box.height < b.y + b.height]
                assert all(b.x + 4 < box.x for b in around)
                assert all(box.x + box.width + 4 < b.x + b.width for b in around)


def test_a_length_is_told_as_one() -> None:
    assert "length 256" in " ".join(texts(drawn(SOUND)))


@pytest.mark.parametrize(
    ("form", "options", "remark"),
    [
        ("mmd", {"width": 216.0}, "`--width` changes nothing in .mmd"),
        ("dot", {"aspect": 1.5}, "`--aspect` changes nothing in .dot"),
        ("pdf", {"font": "Comic"}, "PDF is written in Helvetica, not in `Comic`"),
        ("tex", {"font": "Comic"}, "TikZ takes the font of the document"),
        ("png", {"title": "日 é"}, "`日` may be empty boxes"),
    ],
)
def test_what_a_format_leaves_out_is_told(
    form: str, options: dict[str, object], remark: str
) -> None:
    network = netdsl.loads(SOUND)
    assert any(remark in note for note in network.drawing(form, **options)[1])  # type: ignore[arg-type]
    assert not any(remark in note for note in network.drawing(form)[1])
