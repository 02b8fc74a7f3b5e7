"""The field of one neuron through whole networks, against PyTorch: inputs in it matter, others not."""

from __future__ import annotations

from itertools import product
from math import prod
from random import Random

import pytest

import netdsl
from netdsl.analyses.dims import Dims
from netdsl.analyses.links import UnknownLinks, count, field, hull, is_in, reads, shape_of
from netdsl.lints import WARNINGS
from netdsl.ops.base import Op
from netdsl.ops.cells import one, reshaped, union, whole
from tests.legal_networks import legal_network

torch = pytest.importorskip("torch")

NETS = {
    "lenet": {},
    "conv27": {},
    "rgb6": {},
    "googlenet": {"H": 75, "W": 64},
    "resnet18": {"H": 64, "W": 40},
    "unet": {"H": 35, "W": 50},
    "sppnet": {"H": 61, "W": 70},
    "squeezenet1_1": {"H": 63, "W": 70},
    "upsample_any": {"H": 13, "W": 9},
}
SMALLER = {"unet": {"width": 4}, "sppnet": {"classes": 10}}
MOST = 30
"""Cells that are tried beside random ones."""


def live(net):
    """The network in double precision; with weights above 0 and no mean taken off, more in is more out."""
    module = net.torch().double().eval()
    for weight in module.parameters():
        size = max(weight[0].numel() if weight.dim() > 1 else 1, 1)
        torch.nn.init.uniform_(weight.data, 0.5 / size, 1.5 / size)
    return module


def near(pieces, shape, random):
    """Cells at the corners of a field, beside them, and anywhere."""
    found = {tuple(random.randrange(n) for n in shape) for _ in range(10)}
    edges = hull(pieces) if pieces else [(0, 0)] * len(shape)
    sides = [(low - 1, low, high, high + 1) for low, high in edges]
    every = [c for c in product(*sides) if all(0 <= i < n for i, n in zip(c, shape, strict=True))]
    return sorted(found | set(random.sample(every, min(len(every), MOST))))


@pytest.mark.parametrize("name", sorted(NETS))
def test_the_field_of_an_output_is_what_changes_it(name):
    net = netdsl.load(f"examples/{name}.net", params=SMALLER.get(name), sizes=NETS[name])
    graph, random = net.graph, Random(name)
    module = live(net)
    outputs = [o for o in graph.outputs if not o.when_training]
    checked = {True: 0, False: 0}
    for number, output in enumerate(outputs):
        shape = shape_of(output.value)
        for index in [tuple(0 for _ in shape), tuple(random.randrange(n) for n in shape)]:
            found = field(graph, output.value, index)
            for place, item in enumerate(graph.inputs):
                pieces = found.get(item.value, [])
                cells = near(pieces, item.shape, random)
                given = [
                    torch.rand((1, *i.shape), dtype=torch.float64)
                    .expand(len(cells) + 1, *i.shape)
                    .clone()
                    for i in graph.inputs
                ]
                for row, cell in enumerate(cells):
                    given[place][(row, *cell)] += 1e6
                with torch.no_grad():
                    made = module(*given)
                made = made[number] if isinstance(made, tuple) else made
                made = made[(slice(None), *index)]
                for row, cell in enumerate(cells):
                    felt = not torch.isclose(made[row], made[-1], rtol=1e-12, atol=0)
                    assert is_in(pieces, cell) == felt, (index, cell)
                    checked[felt] += 1
    print(name, checked)
    assert checked[True] >= 8


LAYERS = {
    "lenet": ["conv1", "pool1", "conv2"],
    "googlenet": ["inception3a", "inception4c", "inception3b.branch2.1.conv"],
    "resnet18": ["layer1.1", "layer2.0", "layer3.0.conv2"],
    "unet": ["down3", "down4", "up1.conv", "up3.conv"],
}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_the_field_of_a_neuron_inside_is_what_changes_it(name):
    """The values inside are seen by hooks on the modules that make them."""
    net = netdsl.load(f"examples/{name}.net", params=SMALLER.get(name), sizes=NETS[name])
    graph, random, module = net.graph, Random(name), live(net)
    known = Dims(graph).values_by_name()
    modules = dict(module.named_modules())
    tried = 0
    for layer in LAYERS[name]:
        if layer not in known or layer not in modules:
            continue
        seen = []
        handle = modules[layer].register_forward_hook(lambda m, i, o, seen=seen: seen.append(o))
        value = known[layer]
        shape = shape_of(value)
        index = tuple(random.randrange(n) for n in shape)
        (item,) = graph.inputs
        pieces = field(graph, value, index)[item.value]
        cells = near(pieces, item.shape, random)
        batch = (
            torch.rand((1, *item.shape), dtype=torch.float64)
            .expand(len(cells) + 1, *item.shape)
            .clone()
        )
        for row, cell in enumerate(cells):
            batch[(row, *cell)] += 1e6
        with torch.no_grad():
            module(batch)
        handle.remove()
        made = seen[0][(slice(None), *index)]
        felt = [not torch.isclose(n, made[-1], rtol=1e-12, atol=0) for n in made[:-1]]
        assert felt == [is_in(pieces, cell) for cell in cells], layer
        assert any(felt)
        tried += 1
    assert tried >= 2


def test_counts_and_hulls():
    """A neuron of LeNet's second convolution, counted by hand."""
    graph = netdsl.load("examples/lenet.net").graph
    known = Dims(graph).values_by_name()
    found = field(graph, known["conv2"], (0, 4, 4))
    (item,) = graph.inputs
    assert count(found[item.value]) == 14 * 14
    assert hull(found[item.value]) == ((0, 0), (6, 19), (6, 19))
    pooled = known["conv2"].producer.inputs[0]
    assert count(found[pooled]) == 6 * 5 * 5


def test_fields_stop_where_they_are_told():
    graph = netdsl.load("examples/lenet.net").graph
    known = Dims(graph).values_by_name()
    stop = known["conv2"].producer.inputs[0]
    found = field(graph, known["conv2"], (0, 4, 4), {stop})
    assert graph.inputs[0].value not in found
    assert count(found[stop]) == 150


def random_pieces(random, shape, most):
    return [
        tuple(frozenset(random.sample(range(n), random.randint(1, n))) for n in shape)
        for _ in range(random.randint(0, most))
    ]


def members(pieces):
    return {index for piece in pieces for index in product(*piece)}


def test_unions_hold_the_same_numbers_once_and_are_canonical():
    random = Random(5)
    for _ in range(300):
        shape = tuple(random.randint(1, 4) for _ in range(random.randint(0, 3)))
        pieces = random_pieces(random, shape, 5)
        made = union(pieces)
        assert members(made) == members(pieces)
        assert sum(len(members([p])) for p in made) == len(members(pieces)) == count(pieces)
        shuffled = [
            one(index) for index in random.sample(sorted(members(pieces)), len(members(pieces)))
        ]
        assert union(shuffled) == made


def test_reshapes_hold_the_same_places():
    random = Random(6)
    shapes = [(12,), (3, 4), (2, 6), (2, 2, 3), (1, 12, 1), (4, 3), (3, 2, 2)]
    for _ in range(300):
        made, given = random.choice(shapes), random.choice(shapes)
        (wanted,) = random_pieces(random, made, 1) or [whole(made)]
        places = {
            sum(i * prod(made[a + 1 :]) for a, i in enumerate(index)) for index in product(*wanted)
        }
        found = reshaped(wanted, made, given)
        back = {
            sum(i * prod(given[a + 1 :]) for a, i in enumerate(index)) for index in members(found)
        }
        assert back == places
        assert sum(len(members([p])) for p in found) == len(places)


def test_a_layer_that_does_not_tell_its_links_is_refused(monkeypatch):
    graph = netdsl.load("examples/lenet.net").graph
    node = next(n for n in graph.nodes() if n.op.name == "maxpool")
    monkeypatch.setattr(type(node.op), "reads", Op.reads)
    with pytest.raises(UnknownLinks) as caught:
        reads(node, whole(shape_of(node.output)))
    assert caught.value.node is node


@pytest.mark.parametrize("part", range(4))
def test_nothing_outside_of_a_field_is_felt_in_random_networks(part):
    """And nearly all inside is; gates and norms may hide the rest behind what they saturate."""
    said = hidden = outside = 0
    for seed in range(part, 24, 4):
        net = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        graph, random, module = net.graph, Random(seed), live(net)
        (item,) = graph.inputs
        outputs = [o for o in graph.outputs if not o.when_training]
        wanted = {}
        for number, output in enumerate(outputs):
            index = tuple(random.randrange(n) for n in shape_of(output.value))
            wanted[number, index] = field(graph, output.value, index).get(item.value, [])
        cells = sorted({c for pieces in wanted.values() for c in near(pieces, item.shape, random)})
        cells = random.sample(cells, min(len(cells), MOST))
        batch = (
            torch.rand((1, *item.shape), dtype=torch.float64)
            .expand(len(cells) + 1, *item.shape)
            .clone()
        )
        for row, cell in enumerate(cells):
            batch[(row, *cell)] += 10
        with torch.no_grad():
            results = module(batch)
        results = [
            r for r in (results if isinstance(results, tuple) else [results]) if r is not None
        ]
        for (number, index), pieces in wanted.items():
            made = results[number][(slice(None), *index)]
            for row, cell in enumerate(cells):
                felt = not torch.isclose(made[row], made[-1], rtol=1e-13, atol=0)
                if is_in(pieces, cell):
                    said, hidden = said + 1, hidden + (not felt)
                else:
                    assert not felt, (seed, number, index, cell)
                    outside += 1
    print(f"{said} cells in fields, {hidden} of them not felt; {outside} outside")
    assert said > 100
    assert outside > 20
    assert hidden < said * 0.2
