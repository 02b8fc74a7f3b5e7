"""Links against PyTorch: a number that is changed to NaN is felt where, and only where, it is read."""

from __future__ import annotations

import random

import pytest
import torch

import netdsl
from netdsl.analyses.links import UnknownLinks, count, field, is_in, reads, shape_of

LAYERS = [
    "conv(4, 3)", "conv(6, (3, 2), stride=2, padding=1)", "conv(4, 3, dilation=2, padding=1)",
    "conv(8, 3, groups=2)", "conv(4, 3, groups=4, padding=2)", "conv_transpose(4, 3, stride=2)",
    "conv_transpose(4, 4, stride=3, padding=1, output_padding=1)", "conv_transpose(2, 2, groups=2)",
    "maxpool(3, stride=2, padding=1)", "maxpool(2, ceil_mode=true)", "maxpool(2, dilation=2, stride=1)",
    "avgpool(3, stride=2, padding=1)", "avgpool(2, ceil_mode=true)", "adaptive_avgpool(3)",
    "adaptive_maxpool((2, 5))", "global_avgpool", "global_maxpool", "flatten", "linear(5)",
    "reshape([2, 14, 9])", "relu", "sigmoid", "batchnorm", "dropout(0.5)", "upsample(2)",
    "upsample(size=(11, 20), mode=nearest)", "spp([3, 2, 1])", "lrn(3)", "identity",
    "add { identity ; conv(4, 3, padding=1) }", "mul { identity ; global_avgpool -> reshape([4, 1, 1]) }",
    "concat { conv(3, 3, padding=1) ; identity }", "concat(axis=1) { identity ; maxpool(3, stride=1, padding=1) }",
]  # fmt: skip


def felt(
    module: torch.nn.Module, shape: tuple[int, ...], places: list[tuple[int, ...]]
) -> set[tuple[int, int]]:
    """Pairs (input place, output place) where a NaN put into the one reaches the other."""
    batch = torch.rand(len(places), *shape) + 0.1
    for row, place in enumerate(places):
        batch[(row, *place)] = float("nan")
    with torch.no_grad():
        found = module(batch).isnan().flatten(1)
    return {(row, column) for row, column in found.nonzero().tolist()}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_reads_exactly_what_reaches_its_result(layer: str) -> None:
    net = netdsl.loads(f"net N {{ input x: [4, 7, 9]\n output y = x -> {layer} }}")
    module = net.torch(seed=0).eval()
    random.seed(3)
    graph, made = net.graph, net.outputs[0].value
    every = [(c, i, j) for c in range(4) for i in range(7) for j in range(9)]
    places = random.sample(every, 60)
    reached = felt(module, (4, 7, 9), places)
    shape = shape_of(made)
    indices = [
        tuple(map(int, i))
        for i in torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape))
    ]
    for column in random.sample(range(len(indices)), min(len(indices), 40)):
        pieces = field(graph, made, indices[column]).get(id(graph.inputs[0].value), [])
        for row, place in enumerate(places):
            assert is_in(pieces, place) == ((row, column) in reached), (
                layer,
                indices[column],
                place,
            )


def test_the_field_of_a_neuron_in_lenet_is_what_the_textbook_counts() -> None:
    graph = netdsl.load("examples/lenet.net").graph
    nodes = {node.path: node for node in graph.nodes()}
    found = field(graph, nodes["conv2"].output, (0, 4, 4))
    pool, conv, image = nodes["maxpool1"].output, nodes["conv1"].output, graph.inputs[0].value
    assert count(found[id(pool)], shape_of(pool)) == 150
    assert count(found[id(conv)], shape_of(conv)) == 600
    assert count(found[id(image)], shape_of(image)) == 14 * 14


def test_whole_networks_with_branches_and_sums() -> None:
    text = """
    net N {
        input x: [2, 12, 12]
        a = x -> conv(4, 3, padding=1) -> relu
        b = (a, a -> conv(4, 3, stride=1, padding=2, dilation=2)) -> add -> maxpool(2)
        output y = (b -> conv(2, 1), b -> conv(3, 3, padding=1)) -> concat -> conv(3, 2)
    }
    """
    net = netdsl.loads(text)
    module = net.torch(seed=0).eval()
    places = [(c, i, j) for c in range(2) for i in range(12) for j in range(12)]
    reached = felt(module, (2, 12, 12), places)
    made = net.outputs[0].value
    shape = shape_of(made)
    for column, index in enumerate(torch.cartesian_prod(*map(torch.arange, shape)).tolist()):
        pieces = field(net.graph, made, tuple(index))[id(net.inputs[0].value)]
        assert {r for r, place in enumerate(places) if is_in(pieces, place)} == {
            r for r, c in reached if c == column
        }


def test_a_layer_without_a_rule_says_so() -> None:
    graph = netdsl.loads(
        "net N { input x: [4, 6, 6]\n output y = x -> upsample(2, mode=bicubic) }"
    ).graph
    (node,) = graph.nodes()
    with pytest.raises(UnknownLinks):
        reads(node, tuple(frozenset((0,)) for _ in range(3)))
