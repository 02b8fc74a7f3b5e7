"""The sizes that a README lists as wrong are exactly those that the module refuses, in the whole box."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from netdsl.analyses.sizes import Sizes
from tests.backends.serving.kits import constants, kit, network
from tests.examples.test_every_size import Judge
from tests.sampling import FULL

pytest.importorskip("onnx")
pytest.importorskip("torch")


BOXES = {
    "fours": ({"H": 4, "W": 8}, {"H": 20, "W": 12}),
    "hourglass": ({"H": 63, "W": 63}, {"H": 130, "W": 64}),
    "joined": ({"H": 6, "W": 3, "P": 3}, {"H": 15, "W": 4, "P": 7}),
    "mtcnn_pnet": ({"H": 11, "W": 11}, {"H": 20, "W": 12}),
    "yolov8n": ({"H": 25, "W": 25}, {"H": 64, "W": 32}),
    "hrnet_w18": ({"H": 29, "W": 29}, {"H": 64, "W": 32}),
}
RUN = re.compile(r"(\d+)(?: to (\d+))?")


def listed(folder: Path) -> list[dict[str, set[int]]]:
    """The boxes of refused sizes that the README lists, a line each."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    lines = [line[4:] for line in text.splitlines() if line.startswith("  - ")]
    return [
        {
            name: numbers(runs)
            for name, runs in re.findall(r"(\w+) = ([\d ,to]+?)(?:, (?=\D)|$)", line)
        }
        for line in lines
    ]


def numbers(runs: str) -> set[int]:
    pairs = ((int(a), int(b or a)) for a, b in RUN.findall(runs))
    return {n for first, last in pairs for n in range(first, last + 1)}


def is_listed(boxes: list[dict[str, set[int]]], point: dict[str, int]) -> bool:
    return any(all(point[name] in sizes for name, sizes in box.items()) for box in boxes)


def small_kit(name: str) -> Path:
    least, most = BOXES[name]
    return kit(name, tuple(least.items()), tuple(most.items()))


def points(name: str, sizes: Sizes) -> list[dict[str, int]]:
    """Every point of the box where it is small; of a larger one, each side at a legal other."""
    box = {k: v for k, v in constants(small_kit(name))["BOX"].items() if k in sizes.symbols}
    ranges = [range(low, high + 1) for low, high in box.values()]
    if name in ("joined", "fours"):
        return [dict(zip(box, point, strict=True)) for point in product(*ranges)]
    legal = dict(zip(box, (low for low, _ in box.values()), strict=True))
    return [legal | {k: n} for k, some in zip(box, ranges, strict=True) for n in some]


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in ("fours", "joined") else pytest.mark.full) for n in BOXES],
)
def test_the_module_refuses_exactly_what_is_listed(name: str) -> None:
    folder = small_kit(name)
    boxes, judge = listed(folder), Judge(network(name))
    least, most = BOXES[name]
    box = constants(folder)["BOX"]
    assert {k: (least[k], most[k]) for k in least} == {k: box[k] for k in least}
    wrong = 0
    for number, point in enumerate(points(name, network(name).sizes)):
        if not FULL and number % 3:
            continue
        taken = judge.shapes(point, sure=False) is not None
        assert taken != is_listed(boxes, point), point
        wrong += not taken
    assert bool(wrong) == (name != "mtcnn_pnet")


def test_the_counts_are_those_of_the_lists() -> None:
    text = (small_kit("fours") / "README.md").read_text(encoding="utf-8")
    assert "- H: 12 of 17\n  - H = 5 to 7, 9 to 11, 13 to 15, 17 to 19\n" in text
    assert "- W: 3 of 5\n  - W = 9 to 11\n" in text
    text = (small_kit("joined") / "README.md").read_text(encoding="utf-8")
    assert "- H and P: 40 of 50\n  - H = 6 to 7, P = 4 to 7\n" in text
    assert "- W: none\n" in text
