"""Shared layers and blocks: each call is a thing of its own in every drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import netdsl
from netdsl.analyses.calls import as_written, call_paths
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.text_places import meet
from netdsl.backends.diagram.draw import picture_of
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Bounds, Group, bounds_of

SHARED = """
block Inner(c: int) { conv(c, 3, padding=1) -> relu -> conv(c, 1) }
block Outer(c: int) { inner: Inner(c) -> tanh -> conv(c, 3, padding=1) }
net N {
    input x: [3, 16, 16]
    layer s = Outer(3)
    layer fc = conv(3, 1)
    output y = x -> s -> maxpool(2) -> s -> fc -> relu -> fc
}
"""
UNDERLINES = """
block B(c: int) { conv(c, 3, padding=1) -> relu -> conv(c, 3, padding=1) }
block A(c: int) { b: B(c) -> tanh -> conv(c, 1) }
net N { input x: [3, 16, 16]
    output y = x -> a: A(4) -> tanh -> a_b: B(4) }
"""


def frames(text: str, **options: object) -> list[tuple[str, Bounds]]:
    picture = picture_of(netdsl.loads(text).graph, Options(**options))  # type: ignore[arg-type]
    opened = [i for i in picture.items if isinstance(i, Group) and i.css == "open"]
    return [(dict(g.data)["path"], bounds_of(g.items)) for g in opened]


def test_a_later_call_has_its_number_and_what_is_in_it_too() -> None:
    graph = netdsl.loads(SHARED).graph
    paths = call_paths(graph)
    named = [paths[node] for node in graph.nodes()]
    assert len(set(named)) == len(named)
    assert named[:2] == ["s.inner.conv1", "s.inner.relu1"]
    assert "s (call 2).inner.conv1" in named
    assert named[-1] == "fc (call 2)"
    assert [as_written(name) for name in named] == [node.path for node in graph.nodes()]


def test_a_merge_has_the_name_of_its_fork() -> None:
    text = "net N { input x: [3, 8, 8]\n output y = x -> s: add { a: relu ; identity } }"
    graph = netdsl.loads(text).graph
    paths = call_paths(graph)
    assert [paths[node] for node in graph.nodes()] == ["s.a", "s.identity1", "s"]


@pytest.mark.parametrize("text", [SHARED, UNDERLINES])
def test_frames_of_two_blocks_are_one_in_the_other_or_apart(text: str) -> None:
    """Graphviz took two frames of one name for one."""
    found = frames(text, level="layers")
    assert len({path for path, _ in found}) == len(found)
    for one, a in found:
        for other, b in found:
            is_in = one.startswith(other + ".") or other.startswith(one + ".")
            assert one == other or is_in == meet(a, b)


@pytest.mark.parametrize("level", ["blocks", "layers", "volumes", "neurons"])
def test_ids_are_unique(level: str) -> None:
    net = netdsl.loads(SHARED)
    root = ET.fromstring(net.drawing("svg", level=level)[0])
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert not any(" " in (name or "") for name in ids)


def test_a_pattern_is_for_all_calls_or_for_one() -> None:
    graph = netdsl.loads(SHARED).graph

    def opened(pattern: str) -> list[str]:
        return [u.path for u in open_units(graph, Options(expand=(pattern,))) if u.is_open]

    assert opened("s") == opened("Outer") == ["s", "s (call 2)"]
    assert opened("s (call 2)") == ["s (call 2)"]


def test_a_neuron_of_a_later_call_can_be_chosen() -> None:
    net = netdsl.loads(SHARED)
    field = Options(level="field", neurons=("s (call 2).inner.conv1[0,4,4]",))
    assert "(rows 4 to 13, columns 4 to 13)" in picture_of(net.graph, field).description
    picture = picture_of(net.graph, Options(level="neurons", neurons=("fc (call 2)[0,4,4]",)))
    links = [dict(g.data) for g in picture.items if isinstance(g, Group) and g.css == "link"]
    assert {"from": "fc[0,4,4]", "to": "fc (call 2)[0,4,4]"} in links


def test_the_page_tells_each_call_by_itself() -> None:
    data = netdsl.loads(SHARED).drawing("html")[0].decode()
    assert "<th scope=row>s</th><td>Outer</td><td>[3, 16, 16]</td>" in data
    assert "<th scope=row>s (call 2)</th><td>Outer</td><td>[3, 8, 8]</td>" in data
