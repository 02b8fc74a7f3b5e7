"""Colours, files and readers: points of docs/diagram-checklist.md that no view has for itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import pytest

import netdsl
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Polygon,
    Shape,
    Text,
    bounds_of,
)
from netdsl.backends.diagram.theme import SERIES, letters_on, theme
from tests.backends.diagram.pictures import picture

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
SVG = "{http://www.w3.org/2000/svg}"

Colour = tuple[float, float, float]

# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB
BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}  # fmt: skip


def linear(colour: str) -> Colour:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return r, g, b


def contrast(one: str, other: str) -> float:
    """That of the web's accessibility guidelines."""
    light = [sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)]  # fmt: skip
    return (max(light) + 0.05) / (min(light) + 0.05)


def lab(rgb: Colour) -> Colour:
    """CIE L*a*b* of linear RGB, D65."""
    rows = (0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)
    xyz = [sum(a * b for a, b in zip(row, rgb, strict=True)) for row in rows]
    scaled = [max(v, 0.0) / w for v, w in zip(xyz, (0.9505, 1.0, 1.089), strict=True)]
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in scaled)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eye: str) -> float:
    seen: list[Colour] = []
    for colour in (one, other):
        r, g, b = (
            sum(a * b for a, b in zip(row, linear(colour), strict=True)) for row in BLIND[eye]
        )
        seen.append(lab((r, g, b)))
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


# ---- 14: colour ----


@pytest.mark.parametrize("name", ["light", "dark", "print", "slides"])
def test_letters_stand_out_from_what_is_below_them(name: str) -> None:
    colours = theme(name)
    below = [role for role in colours.colours if role.endswith(".fill") or role == "paper"]
    for role in below:
        assert contrast(colours["ink"], colours[role]) >= 7, role
        assert contrast(colours["soft"], colours[role]) >= (7 if name == "slides" else 4.5), role
    for family in ("conv", "pool", "up", "dense", "merge", "act", "norm", "move", "other"):
        for role in ("paper", "panel.fill"):  # words of volumes have the colour of their family
            assert contrast(colours[f"{family}.line"], colours[role]) >= 4.5, family
    for role in [f"series{number}" for number in range(SERIES)] + ["focus", "gone.line"]:
        assert contrast(colours[letters_on(role)], colours[role]) >= 4.5, role


@pytest.mark.parametrize("name", ["light", "dark", "print", "slides"])
@pytest.mark.parametrize(
    ("network_name", "options"),
    [
        ("googlenet", Options(expand=("inception4b",))),
        ("unet", Options(level="volumes")),
        ("lenet", Options(level="neurons", neurons=("conv2[0,4,4]",))),
        ("conv27", Options(level="neurons")),
        ("lenet", Options(level="field", neurons=("conv2[0,4,4]",))),
    ],
)
def test_every_letter_of_a_picture_stands_out(
    name: str, network_name: str, options: Options
) -> None:
    colours, shown = theme(name), picture(network_name, options)
    painted: list[tuple[Shape, str]] = []
    for shape in shown.shapes():
        if not isinstance(shape, Text):
            if not isinstance(shape, Curve) and shape.fill and shape.opacity == 1:
                painted.append((shape, colours[shape.fill]))
            continue
        left, top, right, bottom = shape.bounds()
        middle = (left + right) / 2, (top + bottom) / 2
        below = [fill for other, fill in painted if _covers(other, middle)]
        fill = below[-1] if below else colours["paper"]
        assert contrast(colours[shape.colour], fill) >= 4.5, (shape.text, shape.colour, fill)


def _covers(shape: Shape, point: tuple[float, float]) -> bool:
    left, top, right, bottom = bounds_of([shape])
    return left <= point[0] <= right and top <= point[1] <= bottom


def lightness(colour: str) -> float:
    """CIE L* of a colour: what is left of it in grey, from 0 to 100."""
    light = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))
    return 116 * light ** (1 / 3) - 16 if light > 0.008856 else 903.3 * light


@pytest.mark.parametrize("name", ["light", "dark", "print", "slides"])
def test_branches_and_skips_stand_on_a_ladder_of_lightness(name: str) -> None:
    colours = theme(name)
    steps = [lightness(colours[f"series{n}"]) for n in range(SERIES)]
    for one, other in pairwise(sorted([*steps, lightness(colours["amber"])])):
        assert other - one >= 3.5
    for number in range(SERIES):  # the last and the first meet where there are more branches
        assert abs(steps[number] - steps[(number + 1) % SERIES]) >= 15, number
    for step in steps:  # a line of that colour is seen on the paper
        light = ((step + 16) / 116) ** 3
        paper = sum(
            w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(colours["paper"]), strict=True)
        )
        assert (max(light, paper) + 0.05) / (min(light, paper) + 0.05) >= 3


@pytest.mark.parametrize("name", ["light", "dark", "slides"])
def test_no_branch_looks_like_a_skip(name: str) -> None:
    colours = theme(name)
    for number in range(SERIES):
        assert distance(colours[f"series{number}"], colours["amber"], "none") > 30, number


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eye", BLIND)
def test_branches_of_a_concat_differ_to_every_eye(name: str, eye: str) -> None:
    colours = theme(name)
    branches = [colours[f"series{n}"] for n in range(4)]
    for one, other in combinations([*branches, colours["amber"]], 2):  # a skip is amber
        assert distance(one, other, eye) > 15


def test_families_have_forms_as_well_as_colours() -> None:
    text = """net N { input x: [4, 32, 32]
        output y = x -> conv(4, 3) -> maxpool(2) -> upsample(2) -> sigmoid -> layernorm -> dropout -> flatten -> linear(4) }"""
    picture = picture_of(netdsl.loads(text).graph, Options())
    forms: dict[str, tuple[object, ...]] = {}
    for group in picture.items:
        if isinstance(group, Group) and group.css == "unit":
            path = dict(group.data)["path"]
            forms[path] = _form(next(i for i in group.items if not isinstance(i, Group)))
    kinds = [forms[name] for name in ("conv1", "maxpool1", "upsample1", "sigmoid1", "linear1")]
    assert len(set(kinds)) == len(kinds), forms


def _form(shape: Shape) -> tuple[object, ...]:
    """Which way the sides lean, or how round the corners are."""
    if isinstance(shape, Box):
        return "box", shape.radius if shape.radius < 10 else "round"
    assert isinstance(shape, Polygon)
    return "slanted", shape.points[0][1] < shape.points[1][1]


# ---- 15: readers of SVG ----


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="no rsvg-convert on this system")
@pytest.mark.parametrize("name", ["light", "dark"])
def test_rsvg_paints_each_unit_in_its_colour(name: str, tmp_path: Path) -> None:
    from PIL import Image

    options = Options(theme=name)
    net = netdsl.load(EXAMPLES / "resnet18.net")
    picture = picture_of(net.graph, options)
    drawn, painted = tmp_path / "x.svg", tmp_path / "x.png"
    drawn.write_bytes(net.drawing("svg", theme=name)[0])
    command = ["rsvg-convert", "-w", str(round(picture.width * 2)), str(drawn), "-o", str(painted)]
    subprocess.run(command, check=True)
    image = Image.open(painted).convert("RGB")
    scale = image.width / picture.width
    seen: set[str] = set()
    for group in picture.items:
        if not isinstance(group, Group) or group.css != "unit":
            continue
        box = [i for i in group.items if isinstance(i, Box) and i.fill][-1:]
        for shape in box:  # near its left edge, where no letters are
            place = round((shape.x + 5) * scale), round((shape.y + shape.height / 2) * scale)
            wanted = theme(name)[shape.fill].lstrip("#")
            got = image.getpixel(place)
            assert isinstance(got, tuple)
            assert max(abs(a - int(wanted[i : i + 2], 16)) for a, i in zip(got, (0, 2, 4), strict=True)) <= 3  # fmt: skip
            seen.add(shape.fill)
    assert {"conv.fill", "dense.fill"} <= seen


def test_the_dot_file_says_how_often_an_open_block_stands() -> None:
    text = netdsl.load(EXAMPLES / "resnet18.net").drawing("dot")[0].decode()
    assert "layer1.0 × 2: BasicBlock, shown once" in text


# ---- 18, 19: neurons ----


def test_given_values_are_square_and_neurons_round() -> None:
    picture = picture_of(
        netdsl.load(EXAMPLES / "lenet.net").graph,
        Options(level="neurons", neurons=("conv2[0,4,4]",)),
    )
    forms: dict[str, set[bool]] = {}
    for group in picture.items:
        if isinstance(group, Group) and group.css == "neuron":
            shape, layer = group.items[0], dict(group.data)["neuron"].partition("[")[0]
            is_round = isinstance(shape, Ellipse) or (isinstance(shape, Box) and shape.radius > 10)
            forms.setdefault(layer, set()).add(is_round)
    assert forms.pop("image") == {False}
    assert len(forms) == 7
    assert all(found == {True} for found in forms.values())


@pytest.mark.parametrize("name", ["conv27", "rgb6"])
def test_a_link_has_the_colour_of_its_weight_and_a_weight_one_colour(name: str) -> None:
    graph = netdsl.load(EXAMPLES / f"{name}.net").graph
    picture = picture_of(graph, Options(level="neurons"))
    weights: dict[str, set[str]] = {}
    for group in picture.items:
        if isinstance(group, Group) and group.css == "link":
            label = re.search(r"times (\w+) goes", group.title)
            assert label is not None
            (curve,) = group.items
            assert isinstance(curve, Curve)
            weights.setdefault(label[1], set()).add(curve.line)
        if isinstance(group, Group) and group.css == "weight":
            dot = group.items[0]
            assert isinstance(dot, Ellipse)
            weights.setdefault(group.title.removeprefix("weight "), set()).add(dot.fill)
    assert len(weights) == {"conv27": 9, "rgb6": 27}[name]
    assert all(len(colours) == 1 for colours in weights.values())
    if name == "conv27":  # as many colours as weights; more than nine can't be told apart
        assert len(set.union(*weights.values())) == 9


# ---- 22, 23: the same everywhere, and nothing needed ----


def test_a_tooltip_has_the_comment_and_the_line_of_the_source() -> None:
    net = netdsl.load(EXAMPLES / "googlenet.net")
    root = ET.fromstring(net.drawing("svg")[0])
    (unit,) = [g for g in root.iter(f"{SVG}g") if g.get("data-path") == "inception4b"]
    said = unit.findtext(f"{SVG}title") or ""
    lines = (EXAMPLES / "googlenet.net").read_text(encoding="utf-8").splitlines()
    number, written = re.findall(r"^line (\d+): (.*)$", said, re.MULTILINE)[0]
    assert written in lines[int(number) - 1]
    assert written.startswith("inception4b: ")
    module = (ROOT / "netdsl" / "std" / "inception.net").read_text(encoding="utf-8")
    comment = re.search(r"# (.*)\nblock Inception\(", module)
    assert comment is not None
    assert comment[1] in said


def test_another_process_without_any_program_of_the_system_draws_the_same() -> None:
    forms = "svg", "pdf", "tikz", "mmd"
    code = f"import sys, netdsl\nnet = netdsl.load(sys.argv[1])\nfor form in {forms}: sys.stdout.buffer.write(net.drawing(form)[0])"
    path = EXAMPLES / "googlenet.net"
    own = b"".join(netdsl.load(path).drawing(form)[0] for form in forms)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, cwd=ROOT, check=True,
            env={"PATH": os.devnull, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert done.stdout == own
