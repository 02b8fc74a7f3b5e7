"""Random legal networks as pages: places, wires, sizes and traced cells hold for each."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.passes.copied import copied
from netdsl.passes.fix_sizes import fix_sizes
from tests.backends.diagram.page.script import data_of, needs_node, page_of
from tests.backends.diagram.page.test_layout import (
    check_labels,
    check_units,
    check_wires,
    scenes,
)
from tests.backends.diagram.page.test_trace import check
from tests.backends.diagram.test_random_networks import PARTS, networks


@needs_node
@pytest.mark.one_in(4)
@pytest.mark.parametrize("part", range(PARTS))
def test_places_and_traces_of_random_networks(part: int) -> None:
    for random, net in networks(part):
        data, drawn = scenes(net, random.random() < 0.5, 2)
        for opened, scene in drawn:
            check_units(data, opened, scene)
            check_wires(data, scene)
            check_labels(scene)
        sizes = net.sizes.small() if net.graph.symbols else {}
        if sizes is None or len(data["nodes"]) > 60:
            continue
        fixed = fix_sizes(copied(net.graph), sizes) if sizes else net.graph
        page = page_of(net)
        if any(len(shape) in (2, 3) for shape, *_ in data_of(page)["values"]):
            check(netdsl.Network(fixed, (), ()), page, sizes or None, None)
