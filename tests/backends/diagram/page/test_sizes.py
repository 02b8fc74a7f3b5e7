"""Sizes by slider: what JavaScript works out is what the network itself says, number by number."""

from __future__ import annotations

import random
from typing import Any

import pytest

import netdsl
from netdsl.analyses.cost import multiply_adds
from netdsl.ir.dim import evaluate
from tests import examples
from tests.backends.diagram.page.script import data_of, needs_node, page_of, run
from tests.examples import example

NETWORKS = ["resnet18", "unet", "sppnet", "segnet", "fpn", "googlenet", "upsample_any", "hourglass", "shufflenet_v2_x1_0", "deeplabv3_resnet50"]  # fmt: skip
POINTS = 200

CODE = """
const network = new Network(data);
return points.map(sizes => {
  network.setSizes(sizes);
  return {
    refusals: network.refusals(),
    shapes: data.values.map((_, value) => network.shape(value).map(String)),
    costs: data.units.map(unit => ["params", "macs", "bytes"].map(what => String(network.cost(unit, what)))),
    total: [String(network.exact.value(data.total.params)), String(network.exact.value(data.total.macs))],
  };
});
"""


def points_for(net: netdsl.Network) -> list[dict[str, int]]:
    """Sizes below, at and above what is taken; some far up."""
    rng = random.Random(7)
    most = (3, 20, 70, 300, 5_000)
    points = [
        {name: rng.randint(1, rng.choice(most)) for name in net.graph.symbols}
        for _ in range(POINTS)
    ]
    for point in points[::4]:  # some networks take multiples alone
        point.update({name: (size // 64 + 1) * 64 for name, size in point.items()})
    return points


@needs_node
@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_costs_and_the_contract_follow_their_formulas(name: str) -> None:
    net = examples.network(name)
    assert net.graph.symbols
    points = points_for(net)
    data = data_of(page_of(net))
    told = run(CODE, {"data": data, "points": points})
    accepted = 0
    for sizes, answer in zip(points, told, strict=True):
        accepts = net.sizes.accepts(**sizes)
        accepted += accepts
        assert (answer["refusals"] == []) == accepts, (sizes, answer["refusals"])
    assert accepted > 10
    assert accepted < POINTS or net.sizes.condition is True
    macs = multiply_adds(net.graph)
    assert [answer["total"][1] for answer in told] == [str(evaluate(macs, p)) for p in points]
    shapes = {
        tuple(value.type.shape)
        for node in net.graph.nodes()
        for value in node.outputs
        if not value.type.items
    }
    for sizes, answer in list(zip(points, told, strict=True))[::10]:
        there = {tuple(map(int, shape)) for shape in answer["shapes"]}
        assert {tuple(evaluate(n, sizes) for n in shape) for shape in shapes} <= there


@needs_node
@pytest.mark.parametrize("name", ["resnet18", "sppnet"])
def test_at_chosen_sizes_the_page_says_what_the_fixed_network_says(name: str) -> None:
    sizes = {"H": 97, "W": 131}
    data = data_of(page_of(examples.network(name)))
    fixed = netdsl.load(example(name), sizes=sizes)
    (answer,) = run(CODE, {"data": data, "points": [sizes]})
    summary = fixed.summary()
    assert answer["total"] == [str(summary.inference_parameters), str(summary.macs)]
    there = data_of(page_of(fixed))
    assert [unit["path"] for unit in there["units"]] == [unit["path"] for unit in data["units"]]
    for unit, other, costs in zip(data["units"], there["units"], answer["costs"], strict=True):
        assert costs == [str(other.get(what, 0)) for what in ("params", "macs", "bytes")]
        for value, twin in zip(unit.get("gives", []), other.get("gives", []), strict=True):
            assert answer["shapes"][value] == [str(n) for n in there["values"][twin][0]]


@needs_node
def test_floors_maxima_and_quotients_are_whole_numbers_below_zero_and_beyond_doubles() -> None:
    formulas: list[Any] = [
        ["symbol", "H"],
        ["sum", "", -7, [1, 0]],
        ["floor", "#1", 3],
        ["max", "#1", 2],
        ["quotient", "#1", -5],
        ["sum", "", "9007199254740993", ["9007199254740993", 0, 0]],
    ]
    code = "return [1, 6, 12].map(H => new Exact(formulas, {H}).numbers.map(String));"
    told = run(code, {"formulas": formulas})
    for h, numbers in zip((1, 6, 12), told, strict=True):
        n, big = h - 7, 9007199254740993
        assert numbers == [*map(str, (h, n, n // 3, max(n, 2), n, big + big * h * h))]


@needs_node
def test_what_the_contract_refuses_is_told_with_its_condition() -> None:
    head = "net N { input x: [3, H, W]%s\n output y = x -> conv(4, 7) -> maxpool(4) }"
    code = "const n = new Network(data); return [[16, 9], [15, 16], [16, 16]].map(([H, W]) => { n.setSizes({H, W}); return n.refusals(); });"
    window, none, _ = run(code, {"data": data_of(page_of(netdsl.loads(head % "")))})
    assert [reason.partition(" the ")[2] for reason in window] == [
        "width W - 6 is too small for a window of 4"
    ]
    assert none == []
    wanted = " where H % 8 == 0, H >= 16, W >= 10"
    data = data_of(page_of(netdsl.loads(head % wanted)))
    _, odd, none = run(code, {"data": data})
    assert odd == [f"the file restricts sizes to {data['contract']['where'][1]}"]
    assert "H" in odd[0]
    assert none == []
