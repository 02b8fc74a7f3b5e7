"""Random legal networks, drawn with random options: what holds for every picture holds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import netdsl
from netdsl.analyses.dims import Dims
from netdsl.analyses.links import shape_of
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.wiring import coverage
from netdsl.backends.diagram.draw import picture_of, render
from netdsl.backends.diagram.options import SHOWN, THEMES, DrawError, Options
from netdsl.backends.diagram.scene import Group
from netdsl.diagnostics import DiagnosticError
from netdsl.ir.graph import Graph
from netdsl.lints import WARNINGS
from tests.backends.diagram.checks import check_picture
from tests.backends.diagram.test_volumes import uncovered
from tests.generator import random_net
from tests.legal_networks import legal_network
from tests.sampling import FULL, some

COUNT = int(os.environ.get("NETDSL_RANDOM_NETWORKS", "120")) // 5
PARTS = 4
FIRST = 7_000
"""Seeds that no other test uses."""
REFUSED = ("runs in training only", "depends on no input", "is made of learned weights alone",
           "is a value that is given")  # fmt: skip


def networks(part: int) -> Iterator[tuple[Random, netdsl.Network]]:
    for seed in some(range(FIRST + part, FIRST + COUNT, PARTS), 3):
        random = Random(seed)
        write = random.choice([legal_network, legal_network, random_net])
        try:
            net = netdsl.loads(write(seed, symbolic=random.random() < 0.4), allow=WARNINGS)
        except DiagnosticError:
            continue  # the other generator's networks are legal most often, not always
        yield random, net


def options_of(random: Random, level: str) -> Options:
    """What a person may ask at a level."""
    shown = frozenset(name for name in SHOWN if random.random() < 0.6)
    return Options(
        level=level,
        expand=("none",) if random.random() < 0.2 else (),
        depth=random.randint(0, 3) if level == "blocks" and random.random() < 0.5 else None,
        theme=random.choice(THEMES),
        width=random.uniform(144, 1440) if random.random() < 0.4 else None,
        direction=random.choice(["right", "right", "down"]),
        show=shown if random.random() < 0.4 else frozenset(SHOWN),
    )


def neuron_in(graph: Graph, random: Random) -> str:
    """Any neuron of any value that has a name."""
    name, value = random.choice(list(Dims(graph).values_by_name().items()))
    return f"{name}[{','.join(str(random.randrange(n)) for n in shape_of(value))}]"


@pytest.mark.parametrize("part", range(PARTS))
def test_blocks_and_layers(part: int) -> None:
    for random, net in networks(part):
        for level in ("blocks", "layers"):
            options = options_of(random, level)
            picture = picture_of(net.graph, options)
            # where drawings run down, a title has lines on both sides, and not always room
            check_picture(picture, options, free_of_lines=options.direction == "right")
            drawn = coverage(open_units(net.graph, options))
            nodes = Counter(node for _, covered in drawn for node in covered)
            assert nodes == Counter(net.graph.nodes())


@pytest.mark.parametrize("part", range(PARTS))
def test_volumes(part: int) -> None:
    for random, net in networks(part):
        options = options_of(random, "volumes")
        picture = picture_of(net.graph, options)
        check_picture(picture, options, free_of_lines=True)
        assert not uncovered(net.graph, picture)


@pytest.mark.parametrize("part", range(PARTS))
def test_neurons_and_fields(part: int) -> None:
    for random, net in networks(part):
        if net.graph.symbols:
            continue
        for level in ("neurons", "field"):
            options = replace(options_of(random, level), neurons=(neuron_in(net.graph, random),))
            try:
                check_picture(picture_of(net.graph, options), options, free_of_lines=True)
            except DrawError as error:
                assert any(reason in str(error) for reason in REFUSED), error


@pytest.mark.parametrize("part", range(PARTS))
def test_differences(part: int) -> None:
    """A network and itself: nothing is marked; and two that have little to do with each other."""
    before: netdsl.Network | None = None
    for random, net in networks(part):
        options = options_of(random, random.choice(["blocks", "layers"]))
        same = picture_of(net.graph, options, net.graph)
        assert not any("change" in dict(i.data) for i in same.items if isinstance(i, Group))
        assert all(note.endswith("the same") for note in same.notes)
        if before is not None:
            picture = picture_of(net.graph, options, before.graph)
            check_picture(picture, options, free_of_lines=False)
        before = net


def digest() -> str:
    """Of pictures of some networks at every level."""
    found = hashlib.sha256()
    for random, net in list(networks(1))[: 4 if FULL else 2]:
        for level in ("blocks", "layers", "volumes"):
            options = options_of(random, level)
            found.update(render(picture_of(net.graph, options), "svg", options))
        if not net.graph.symbols:
            options = Options(level="neurons")
            found.update(render(picture_of(net.graph, options), "svg", options))
        found.update(net.drawing("html")[0])
    return found.hexdigest()


def test_every_process_draws_the_same() -> None:
    code = "from tests.backends.diagram.test_random_networks import digest\nprint(digest())"
    own = digest()
    for seed in some(("1", "2"), 2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            cwd=Path(__file__).resolve().parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert done.stdout.strip() == own
