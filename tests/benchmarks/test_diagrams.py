"""The comparison of diagrams: what it measures, that it runs without other tools, and its page."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import diagrams
from netdsl.backends.diagram.draw import picture_of, render
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Group, Picture

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "results" / "diagrams.json"


def kept() -> dict[str, Any]:
    return json.loads(KEPT.read_text(encoding="utf-8"))


def without(picture: Picture, path: str) -> Picture:
    """A fake that leaves out a unit."""
    items = [i for i in picture.items if not (isinstance(i, Group) and ("path", path) in i.data)]
    return replace(picture, items=items)


@pytest.mark.parametrize(("name", "path"), [("googlenet", "inception4a"), ("siamese", "out")])
def test_operations_are_those_of_the_graph_and_a_unit_that_is_missing_is_missed(
    name: str, path: str
) -> None:
    graph = diagrams.loaded(name).graph
    drawing = picture_of(graph, Options())
    everything = Counter(graph.nodes()).total()
    assert diagrams.told(drawing) == everything
    assert diagrams.told(without(drawing, path)) < everything


def test_letters_are_those_of_the_file() -> None:
    """By the width, the height and the font sizes that stand in the SVG file."""
    drawing = picture_of(diagrams.loaded("googlenet").graph, Options())
    svg = render(drawing, "svg", Options()).decode()
    match = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert match
    width, height = map(float, match.groups())
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    by_hand = min(sizes) * min(13 * 72 / 2 / width, 9 * 72 / height)
    assert diagrams.letters(drawing, "page", drawing.least) == pytest.approx(by_hand, rel=0.01)
    tall = replace(drawing, height=10 * drawing.width)
    assert diagrams.letters(tall, "page", 10) == pytest.approx(10 * 648 / tall.height)


def test_without_the_other_tools_it_says_which_are_absent_and_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lacking = {name: replace(tool, modules=("not_here",)) for name, tool in diagrams.TOOLS.items()}
    monkeypatch.setattr(diagrams, "TOOLS", lacking)
    monkeypatch.setattr(diagrams, "RESULTS", tmp_path)
    monkeypatch.setattr(diagrams, "NETWORKS", ("rgb6",))
    diagrams.main([])
    said = capsys.readouterr().out
    assert all(f"{name} is left out: no not_here" in said for name in lacking)
    assert re.search(r"^rgb6 +netdsl .* 1 of 1 operations", said, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_what_another_tool_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(network: object) -> Any:
        raise RuntimeError("no picture\nof this")

    tool = replace(diagrams.TOOLS["torchview"], draw=fails)
    monkeypatch.setitem(diagrams.TOOLS, "torchview", tool)
    found = diagrams.all_drawn(["torchview"], "rgb6")
    assert found["torchview"] == {"failed": "RuntimeError: no picture"}


def test_sums_are_of_the_networks_that_both_draw() -> None:
    race = {
        "a": {"netdsl": 1.0, "torchview": 2.0},
        "b": {"failed": "x"},
        "c": {"netdsl": 0.5, "torchview": 0.25},
    }
    assert diagrams.sums(race) == {"networks": 2, "netdsl": 1.5, "torchview": 2.25}


def test_what_is_kept_is_of_all_networks_and_nothing_is_left_out() -> None:
    found = kept()["networks"]
    assert tuple(found) == diagrams.NETWORKS
    assert all(set(known) == {"netdsl", *diagrams.TOOLS} for known in found.values())
    assert set(kept()["race"]) <= set(diagrams.EXAMPLES)
    for name, known in found.items():
        ours = known["netdsl"]
        assert (
            ours["operations"] == ours["of"] == Counter(diagrams.loaded(name).graph.nodes()).total()
        )


def test_the_page_says_what_was_measured(request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / "diagrams-compared.md"
    text = path.read_text(encoding="utf-8")
    pattern = r"(?<=<!-- measured -->\n).*?(?=\n<!-- end of measured -->)"
    (said,) = re.findall(pattern, text, re.DOTALL)
    if request.config.getoption("--bless"):
        path.write_text(text.replace(said, diagrams.summary(kept()), 1), encoding="utf-8")
        return
    assert said == diagrams.summary(kept())
