"""Where things stand in the page, with any blocks open: judged on the places that node works out."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import netdsl
from netdsl.backends.diagram.units import units_of
from tests import examples
from tests.backends.diagram.page.script import data_of, needs_node, page_of, run

CODE = """
const network = new Network(data);
const width = text => 6.4 * text.length;
const labelOf = value => width(network.shapeText(value));
const sizeOf = (number, inner) => {
  const unit = network.units[number];
  if (inner) return {width: width(unit.title) + 60, height: 24};
  if (unit.form === "circle") return {width: 28, height: 28};
  if (unit.form === "strip") return isDown ? {width: 150, height: 26} : {width: 34, height: 150};
  const lines = network.lines(unit);
  return {width: Math.max(46, ...[unit.title, ...lines].map(width)) + 24, height: 18 + 15 * (lines.length + 1)};
};
return asked.map(open => {
  const scene = new Arrangement(network, new Set(open), {sizeOf, labelOf, room: 1000, isDown}).scene();
  return {...scene, labels: scene.labels.map(label => ({...label, width: labelOf(label.value)}))};
});
"""
NETWORKS = ["googlenet", "unet", "resnet18", "fpn", "siamese", "hrnet_w18", "densenet121", "vit_b_16", "yolov8n", "crnn"]  # fmt: skip
STEPS = 25
"""Points of each piece of a wire that are looked at."""
NEAR = 0.6
"""What lies less far inside a box only touches it."""


def points_on(path: str) -> list[tuple[float, float]]:
    """Points along a path of lines and curves."""
    tokens = path.replace(",", " ")
    for letter in "MLCQ":
        tokens = tokens.replace(letter, f" {letter} ")
    words, at, here = tokens.split(), 0, (0.0, 0.0)
    found: list[tuple[float, float]] = []
    while at < len(words):
        letter = words[at]
        count = {"M": 1, "L": 1, "Q": 2, "C": 3}[letter]
        numbers = list(map(float, words[at + 1 : at + 1 + 2 * count]))
        at += 1 + 2 * count
        ends = [here, *zip(numbers[::2], numbers[1::2], strict=True)]
        if letter == "M":
            here = ends[-1]
            continue
        for step in range(STEPS):
            t, line = step / (STEPS - 1), ends
            while len(line) > 1:  # de Casteljau
                line = [
                    (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(line)
                ]
            found.append(line[0])
        here = ends[-1]
    return found


def hits(points: list[tuple[float, float]], boxes: np.ndarray) -> np.ndarray:
    """Which boxes some of the points lie in."""
    x, y = np.array(points).T[:, :, None]
    left, top, right, bottom = boxes.T
    inside = (left + NEAR < x) & (x < right - NEAR) & (top + NEAR < y) & (y < bottom - NEAR)
    return inside.any(axis=0)


def is_inside(point: tuple[float, float], box: dict[str, Any]) -> bool:
    return (
        box["x"] + NEAR < point[0] < box["x"] + box["width"] - NEAR
        and box["y"] + NEAR < point[1] < box["y"] + box["height"] - NEAR
    )


def scenes(net: netdsl.Network, is_down: bool, sets: int) -> tuple[Any, list[tuple[set[int], Any]]]:
    """The page's data; and drawings with different blocks open: none, all, and some."""
    data = data_of(page_of(net))
    blocks = [n for n, unit in enumerate(data["units"]) if "parts" in unit]
    rng = random.Random(5)
    asked = [[], blocks, *(rng.sample(blocks, rng.randint(0, len(blocks))) for _ in range(sets))]
    told = run(CODE, {"data": data, "asked": asked, "isDown": is_down})
    return data, [(set(open_), scene) for open_, scene in zip(asked, told, strict=True)]


@needs_node
@pytest.mark.one_in(8)
@pytest.mark.parametrize("is_down", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_blocks_open_each_unit_once_no_overlap_no_wire_through_a_box(
    name: str, is_down: bool
) -> None:
    data, drawn = scenes(examples.network(name), is_down, 6)
    for opened, scene in drawn:
        check_units(data, opened, scene)
        check_wires(data, scene)
        check_labels(scene)


def check_units(data: dict[str, Any], opened: set[int], scene: dict[str, Any]) -> None:
    """What stands in the drawing is what is open; boxes lie apart, in their frames."""

    def expected(numbers: list[int]) -> list[int]:
        return [
            n for number in numbers
            for n in [number, *(expected(data["units"][number]["parts"]) if number in opened else [])]
        ]  # fmt: skip

    units = {unit["id"]: unit for unit in scene["units"]}
    assert sorted(units) == sorted(expected(data["root"]))
    assert len(units) == len(scene["units"])
    rows = sorted(units.values(), key=lambda unit: unit["x"])
    for at, one in enumerate(rows):
        assert one["x"] >= -NEAR
        assert one["y"] >= -NEAR
        assert one["x"] + one["width"] <= scene["width"] + NEAR
        assert one["y"] + one["height"] <= scene["height"] + NEAR
        for other in rows[at + 1 :]:
            if other["x"] > one["x"] + one["width"]:
                break
            if _holds(data, one["id"], other["id"]) or _holds(data, other["id"], one["id"]):
                continue
            apart = one["y"] + one["height"] <= other["y"] + NEAR or other["y"] + other["height"] <= one["y"] + NEAR  # fmt: skip
            assert apart, (one, other)
    for unit in units.values():
        if unit["parent"] >= 0:
            frame = units[unit["parent"]]
            assert is_inside((unit["x"], unit["y"] - 20), frame)
            assert is_inside((unit["x"] + unit["width"], unit["y"] + unit["height"]), frame)


def _holds(data: dict[str, Any], outer: int, inner: int) -> bool:
    while inner >= 0:
        inner = data["units"][inner].get("parent", -1)
        if inner == outer:
            return True
    return False


def check_wires(data: dict[str, Any], scene: dict[str, Any]) -> None:
    """Wires run around closed boxes, and end at those that they lead to."""
    closed = [unit for unit in scene["units"] if not unit["isOpen"]]
    boxes = np.array([[u["x"], u["y"], u["x"] + u["width"], u["y"] + u["height"]] for u in closed])
    by_id = {unit["id"]: unit for unit in scene["units"]}
    arrows = 0
    for wire in scene["wires"]:
        points = points_on(wire["path"])
        assert not hits(points, boxes).any(), wire
        if wire["isArrow"]:
            arrows += 1
            end, box = points[-1], by_id[wire["to"]]
            assert abs(end[0] - box["x"]) < 1 or abs(end[1] - box["y"]) < 1
    readers = [unit for unit in closed if data["units"][unit["id"]].get("takes")]
    assert arrows >= len(readers)


def check_labels(scene: dict[str, Any]) -> None:
    """Shapes stand beside boxes and beside each other."""
    places = [
        (one["x"], one["y"] - 9, one["x"] + one["width"], one["y"] + 1) for one in scene["labels"]
    ]
    closed = [
        (u["x"], u["y"], u["x"] + u["width"], u["y"] + u["height"])
        for u in scene["units"] if not u["isOpen"]
    ]  # fmt: skip
    for at, (left, top, right, bottom) in enumerate(places):
        for a, b, c, d in closed + places[:at]:
            assert right <= a + 1 or c <= left + 1 or bottom <= b + 1 or d <= top + 1, scene[
                "labels"
            ][at]


@needs_node
def test_units_and_wires_are_those_of_the_graph() -> None:
    """Every reading of a value by a layer is a wire that leads to it from what makes the value."""
    for name in ("googlenet", "unet", "siamese"):
        net = examples.network(name)
        data = data_of(page_of(net))
        paths = {unit["path"] for unit in data["units"]}
        stack, count = list(units_of(net.graph)), 0
        while stack:
            unit = stack.pop()
            stack += unit.parts
            assert unit.path in paths
            count += 1
        assert count + len(net.inputs) + len(net.outputs) == len(data["units"])
        makers = {
            v: n
            for n, u in enumerate(data["units"])
            for v in u.get("gives", [])
            if "parts" not in u
        }
        for number, unit in enumerate(data["units"]):
            if "parts" in unit or not unit.get("takes"):
                continue
            parent = unit["parent"]
            wires = data["units"][parent]["wires"] if parent >= 0 else data["wires"]
            read = {wire[2] for wire in wires if wire[1] == number}
            assert read == set(unit["takes"])
            for wire in wires:
                if wire[1] == number and wire[0] >= 0:
                    made = makers[wire[2]]
                    assert wire[0] == made or _holds(data, wire[0], made)


@needs_node
def test_rows_fit_the_room() -> None:
    """But for rows of one block, which may be wider than the page."""
    _, ((_, closed), (_, opened)) = scenes(examples.network("googlenet"), False, 0)
    assert closed["width"] <= 1000
    frames = [unit["width"] for unit in opened["units"] if unit["isOpen"] and unit["parent"] < 0]
    assert opened["width"] <= max(1000, max(frames) + 60)


@needs_node
@pytest.mark.full
def test_ten_thousand_layers_are_laid_out() -> None:
    chain = " -> ".join(f"conv({8 + n % 7}, 3, padding=1)" for n in range(10_000))
    net = netdsl.loads(f"net N {{ input x: [3, 64, 64]\n output y = x -> {chain} }}")
    _, ((_, scene), _) = scenes(net, False, 0)
    assert len(scene["units"]) == 10_002
    assert scene["width"] <= 1000
