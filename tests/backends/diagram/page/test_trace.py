"""A cell traced back in the page: the very cells that the links of the network say."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import netdsl
from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.links import field, shape_of, union
from netdsl.ir.graph import Value
from tests import examples
from tests.backends.diagram.page.script import data_of, needs_node, page_of, run
from tests.examples import example

CODE = """
const network = new Network(data);
if (sizes) network.setSizes(sizes);
return asked.map(([value, index]) => {
  const {fields, isExact} = traceBack(network, value, cellBox(network, value, index));
  const seen = data.inputs.map(number => fields.get(network.units[number].gives[0]) || []);
  return {seen, isExact, count: seen.map(boxes => countCells(boxes.map(box => box.slice(1))))};
});
"""
MADE = {
    "holes": "conv(4, 3, padding=4, dilation=4) -> conv(4, 3, padding=1)",
    "strides": "conv(4, 2, stride=3) -> maxpool(3, stride=2)",
    "same": "conv(4, 4, stride=2, padding=same_upper) -> conv(4, 3, padding=same)",
    "grown": "conv(4, 3, stride=2, padding=1) -> conv_transpose(4, 4, stride=2, padding=1) -> upsample(2)",
    "bins": "conv(4, 3) -> adaptive_avgpool(5x3)",
    "all": "conv(4, 3) -> global_avgpool -> linear(5)",
    "branches": "concat { conv(4, 1)\n conv(4, 3, padding=3, dilation=3)\n avgpool(3, stride=1, padding=1) }",
    "padded behind": "pad(right=2, bottom=1) -> conv(4, 2)",
    "gate": "conv(4, 3, padding=1, groups=4) -> conv(4, 1)",
    "mirrored": "conv(4, 3, padding=1, padding_mode=reflect) -> conv(4, 3)",
}


def _values(net: netdsl.Network, data: dict[str, Any]) -> list[tuple[int, Value]]:
    """Numbers in the page, and the values they are: in the order of the data's nodes."""
    pairs: list[tuple[int, Value]] = []
    for (outputs, _), node in zip(data["nodes"], net.graph.nodes(), strict=True):
        pairs += zip(outputs, node.outputs, strict=True)
    return pairs


def _cells(boxes: list[list[list[list[int]]]]) -> set[tuple[int, ...]]:
    """All places without the channels."""
    places: set[tuple[int, ...]] = set()
    for box in boxes:
        axes = [[i for first, last in runs for i in range(first, last + 1)] for runs in box[1:]]
        places |= set(product(*axes))
    return places


def check(net: netdsl.Network, page: str, sizes: dict[str, int] | None, exact: bool | None) -> int:
    """Compares cells of all maps; the number of those that were traced exactly."""
    data = data_of(page)
    axes = ChannelAxes(net.graph)
    maps = [
        (number, value) for number, value in _values(net, data)
        if value.type.rank in (2, 3) and axes.of(value) == 0 and min(shape_of(value)) > 0
    ]  # fmt: skip
    asked: list[tuple[int, list[int]]] = []
    for number, value in maps[:: max(1, len(maps) // 14)]:
        shape = shape_of(value)[1:]
        for index in ([0] * len(shape), [n - 1 for n in shape], [n // 2 for n in shape]):
            asked.append((number, index))
    values = dict(maps)
    told = run(CODE, {"data": data, "asked": asked, "sizes": sizes})
    sure = 0
    for (number, index), answer in zip(asked, told, strict=True):
        value = values[number]
        start = (frozenset(range(shape_of(value)[0])), *(frozenset((i,)) for i in index))
        seen = field(net.graph, value, start)
        for item, boxes, count in zip(
            net.graph.inputs, answer["seen"], answer["count"], strict=True
        ):
            true = {
                place for piece in union(seen.get(item.value, [])) for place in product(*piece[1:])
            }
            found = _cells(boxes)
            assert count == len(found)
            assert found == true if answer["isExact"] else found >= true, (value.producer, index)
            sure += answer["isExact"]
        if exact is not None:
            assert answer["isExact"] == exact
    assert told
    return sure


@needs_node
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", MADE)
def test_every_kind_of_window_is_followed_exactly(name: str) -> None:
    """At sizes that the page was not made for: the rules are formulas, not tables."""
    text = f"net N {{ input x: [4, H, W]\n output y = x -> {MADE[name]} }}"
    page = page_of(netdsl.loads(text))
    for h, w in ((23, 31), (40, 18)):
        net = netdsl.loads(text, sizes={"H": h, "W": w})
        loose = name in ("same", "mirrored")  # at open sizes known to a cell or so
        check(net, page, {"H": h, "W": w}, None if loose else name not in ("mirrored", "same"))


@needs_node
@pytest.mark.one_in(3)
@pytest.mark.parametrize(("name", "sizes"), [
    ("resnet18", {"H": 64, "W": 40}), ("googlenet", {"H": 64, "W": 48}),
    ("unet", {"H": 48, "W": 32}), ("lenet", {}),
    ("shufflenet_v2_x1_0", {"H": 64, "W": 40}), ("segnet", {"H": 64, "W": 32}),
])  # fmt: skip
def test_cells_of_whole_networks(name: str, sizes: dict[str, int]) -> None:
    opened = examples.network(name)
    net = netdsl.load(example(name), sizes=sizes) if sizes else opened
    sure = check(net, page_of(opened), sizes or None, None)
    assert sure or name in ("unet", "shufflenet_v2_x1_0")
