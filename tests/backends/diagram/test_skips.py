"""What is a skip: against all ways through random networks, and on networks that people know."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import networkx as nx
import pytest

import netdsl
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.wiring import SKIP
from netdsl.backends.diagram.model.skips import (
    CONCAT,
    LEARNED,
    PLAIN,
    SUM,
    Skip,
    Step,
    skip_edges,
    skips,
)
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Box, Group, flatten
from netdsl.ir.graph import Node
from tests.examples import network
from tests.sampling import some


def random_steps(random: Random) -> list[Step]:
    """A small network: inputs, weights, and steps that take some of what stands before them."""
    steps = [Step(is_input=True) for _ in range(random.choice([1, 1, 2]))]
    for _ in range(random.randint(3, 9)):
        count = random.choice([0, 1, 1, 1, 1, 2, 2, 3])
        near = range(max(0, len(steps) - 4), len(steps))
        sources = tuple(random.choice(near) for _ in range(count))
        merge = random.choice([SUM, CONCAT, ""]) if len(sources) > 1 else ""
        work = 0 if merge else random.choice([0, PLAIN, LEARNED, LEARNED])
        steps.append(Step(sources, merge, work))
    return steps


def ways(steps: list[Step], start: int, end: int) -> list[tuple[tuple[int, ...], int]]:
    """All ways between two steps, each with the port it enters the last by."""
    if start == end:
        return [((start,), -1)]
    found: list[tuple[tuple[int, ...], int]] = []
    for port, source in enumerate(steps[end].sources):
        found += [((*way, end), port) for way, _ in ways(steps, start, source)]
    return found


def by_brute_force(steps: list[Step]) -> set[Skip]:
    """The definition, word by word, over all ways from each input to each merge."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(len(steps)))
    for number, step in enumerate(steps):
        graph.add_edges_from((source, number) for source in step.sources)
    inputs = [number for number, step in enumerate(steps) if step.is_input]
    found: set[Skip] = set()
    for start in inputs:
        doors = nx.immediate_dominators(graph, start)
        for number, step in enumerate(steps):
            entered = {port for _, port in ways(steps, start, number)}
            if not step.merge or len(entered) < 2:
                continue
            here = ways(steps, doors[number], number)
            done = {way: sum(steps[n].work for n in way[1:-1]) for way, _ in here}
            for port in entered:
                own = [way for way, by in here if by == port]
                inner = own[0][1:-1]
                fed = [
                    [s for s in steps[n].sources if any(nx.has_path(graph, i, s) for i in inputs)]
                    for n in inner
                ]
                alone = all(len(set(graph.successors(n))) == 1 for n in inner)
                if len(own) != 1 or any(len(sources) != 1 for sources in fed) or not alone:
                    continue
                most, mine = max(done.values()), done[own[0]]
                projects = LEARNED <= mine < 2 * LEARNED and most >= 2 * LEARNED
                passes = mine == 0 and most >= (LEARNED if step.merge == CONCAT else PLAIN)
                if passes or (projects and step.merge == SUM):
                    found.add(Skip(own[0], port))
    return found


def test_skips_are_those_of_the_definition() -> None:
    random, seen = Random(5), 0
    for _ in some(range(1200), 3):
        steps = random_steps(random)
        expected = by_brute_force(steps)
        assert set(skips(steps)) == expected, steps
        seen += len(expected)
    assert seen > 80


def merges(name: str) -> set[Node]:
    return set(skip_edges(network(name).graph).values())


@pytest.mark.parametrize(
    ("name", "number", "sort"),
    [("resnet18", 8, "add"), ("vit_b_16", 24, "add"), ("bert", 24, "add"), ("unet", 4, "concat"),
     ("densenet121", 58, "concat"), ("googlenet", 0, ""), ("inception_v3", 0, ""),
     ("squeezenet1_1", 0, ""), ("vae", 0, ""), ("siamese", 0, ""), ("sppnet", 0, "")],
)  # fmt: skip
def test_known_networks(name: str, number: int, sort: str) -> None:
    """A residual a block, a bridge a level of a U, an arc a dense layer; none in an inception."""
    found = merges(name)
    assert len(found) == number
    assert {node.op.name for node in found} == ({sort} if sort else set())


def test_a_gate_is_no_skip() -> None:
    """Squeeze and excitation multiplies by what it makes of the map: nothing goes around."""
    text = (
        "net A { input x: [8, 16, 16]\n"
        "output y = x -> mul { identity ; adaptive_avgpool(1) -> conv(2, 1) -> relu -> conv(8, 1) -> "
        "sigmoid } }"
    )
    assert not skip_edges(netdsl.loads(text).graph)


def sheet_of(net: netdsl.Network, options: Options = Options(depth=9)) -> BlockSheet:  # noqa: B008
    return BlockSheet(net.graph, open_units(net.graph, options), options)


def test_a_projection_is_coloured_whole() -> None:
    """From the fork through the convolution of the shortcut to the sum, and nothing beside it."""
    sheet = sheet_of(netdsl.load("examples/resnet18.net"), Options(expand=("layer2.0",)))
    names = {key: box.unit.path if box.unit else key for key, box in sheet.boxes.items()}
    inside = {
        (names[w.tail], names[w.head])
        for w in sheet.wires
        if w.mark == SKIP and names[w.head].startswith("layer2.0")
    }
    assert inside == {
        ("layer1.0", "layer2.0.downsample.0"),
        ("layer2.0.downsample.0", "layer2.0.add1"),
    }
    heads = [head for _, head in inside]
    others = [names[w.tail] for w in sheet.wires if names[w.head] == "layer2.0.conv1"]
    assert "layer2.0.conv1" not in heads
    assert others == ["layer1.0"]


def test_every_skip_that_is_drawn_leads_whole_from_its_fork_to_its_merge() -> None:
    """Of wires alone: each run of skip wires begins at a fork and ends at a merge."""
    for name in ("resnet50", "unet", "diffusion_unet", "fpn"):
        sheet = sheet_of(network(name))
        marked = [w for w in sheet.wires if w.mark == SKIP]
        heads = {w.head for w in marked}
        for wire in marked:
            out = [w for w in sheet.wires if w.value is wire.value]
            box = sheet.boxes[wire.head]
            ends = box.form in ("circle", "strip")
            assert ends or any(w.tail == wire.head for w in marked), wire
            assert wire.tail in heads or len(out) > 1, wire


def test_the_skip_of_a_concat_is_striped_in_its_bar() -> None:
    sheet = sheet_of(netdsl.load("examples/unet.net"))
    bars = {key: box for key, box in sheet.boxes.items() if box.form == "strip"}
    assert len(bars) == 4
    for key, box in bars.items():
        assert box.skips == {w.port for w in sheet.wires if w.head == key and w.mark == SKIP}
        assert len(box.skips) == 1
    drawn = [g for g in sheet.picture().items if isinstance(g, Group) and g.css == "unit"]
    for group in drawn:
        stripes = [i for i in flatten([group]) if isinstance(i, Box) and i.fill == "amber.fill"]
        whole = [i for i in flatten([group]) if isinstance(i, Box) and i.fill == "amber"]
        assert bool(stripes) == bool(whole) == (dict(group.data).get("ops") == "concat")
        assert all(s.x == w.x and w.y < s.y < w.y + w.height for s in stripes for w in whole)


def test_long_networks_take_no_time() -> None:
    """Ten thousand residual steps, and as many nested bridges."""
    chain = [Step(is_input=True)]
    for _ in range(10_000):
        fork = len(chain) - 1
        chain += [Step((fork,), "", LEARNED), Step((fork, fork + 1), SUM)]
    assert len(skips(chain)) == 10_000
    nested = [Step(is_input=True), *(Step((n,), "", LEARNED) for n in range(5_000))]
    for level in range(4_999, 0, -1):
        nested.append(Step((level, len(nested) - 1), CONCAT))
    found = skips(nested)
    assert len(found) == 4_998 or len(found) == 4_999
    assert all(a < b for skip in found for a, b in pairwise(skip.steps))
