"""Receptive fields against PyTorch: which cells a result depends on, found by running it."""

from __future__ import annotations

from fractions import Fraction

import pytest

import netdsl
from netdsl.analyses.patches import patches
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.lints import WARNINGS
from netdsl.ops.cells import whole
from tests.analyses.field_networks import Moving, Smooth, built
from tests.examples import example
from tests.sampling import some

torch = pytest.importorskip("torch")

KINDS = Moving, Smooth
LARGEST = 150
MARGIN = 30
"""Cells to the border from which on a place is taken to be far from it."""


def by_poison(network: netdsl.Network, axis: int) -> list[tuple[int, int] | None]:
    """What each place of the result's middle depends on: a row of NaN is found again there."""
    (item,) = network.inputs
    rows = item.shape[1 + axis]
    images = torch.ones(rows, *item.shape)
    for row in range(rows):
        images[row].select(1 + axis, row).fill_(float("nan"))
    with torch.no_grad():
        found = network.torch(seed=0).eval()(images).isnan()
    return hulls(found.any(1).select(2 - axis, found.shape[3 - axis] // 2))


def by_gradient(network: netdsl.Network, axis: int) -> list[tuple[int, int] | None]:
    """The same by gradients, with weights of one."""
    (item,) = network.inputs
    module = network.torch(seed=0).double().eval()
    for weight in module.parameters():
        torch.nn.init.ones_(weight)
    image = torch.ones(1, *item.shape, dtype=torch.float64, requires_grad=True)
    result = module(image)
    seen = []
    for position in range(result.shape[2 + axis]):
        row = result.select(2 + axis, position)
        row = row.select(2, row.shape[2] // 2).sum()
        (gradient,) = torch.autograd.grad(row, image, retain_graph=True)
        seen.append(gradient[0].abs().sum(0).sum(1 - axis) > 1e-12)
    return hulls(torch.stack(seen, dim=1))


def hulls(seen) -> list[tuple[int, int] | None]:
    """First and last input row (axis 0) that each output row (axis 1) depends on."""
    rows = [column.nonzero().flatten().tolist() for column in seen.T]
    return [(row[0], row[-1]) if row else None for row in rows]


def said(network: netdsl.Network, axis: int) -> list[tuple[int, int] | None]:
    (output,) = network.outputs
    sight = patches(network.graph, network.inputs[0])[output.value]
    every, found = whole(output.shape), []
    for position in range(output.shape[1 + axis]):
        place = [every[0], *(frozenset((size // 2,)) for size in output.shape[1:])]
        place[1 + axis] = frozenset((position,))
        patch = sight.of(tuple(place))
        found.append(patch[1 + axis] if patch else None)
    return found


@pytest.mark.parametrize("smooth", [False, True], ids=["poison", "gradient"])
def test_every_place_of_random_networks(smooth: bool) -> None:
    tried = 0
    seeds = some(range(70), 3)
    for seed in seeds:
        network = built(KINDS[smooth](seed), (23, 18), LARGEST)
        if network is None:
            continue
        tried += 1
        for axis in 0, 1:
            measured = by_gradient(network, axis) if smooth else by_poison(network, axis)
            assert said(network, axis) == measured, (
                seed,
                axis,
                KINDS[smooth](seed).net((23, 18)),
            )
    assert tried > len(seeds) / 3


def test_fields_are_what_places_far_from_the_border_see() -> None:
    compared = 0
    seeds = some(range(90), 5)
    for seed in seeds:
        kind = KINDS[seed % 2]
        network = built(kind(seed), (301, 290), LARGEST)
        network = network or built(kind(seed), (131, 120), LARGEST)
        if network is None:
            continue
        (output,) = network.outputs
        (field,) = ReceptiveFields(network.graph).of(output.value).values()
        for axis, entry in enumerate(field):
            if entry is None or entry.rule is None:
                continue
            rows = network.inputs[0].shape[1 + axis]
            for position, seen in enumerate(said(network, axis)):
                whole = entry.rule.at(position)
                if seen is None:
                    continue
                assert whole is not None
                assert whole[0] <= seen[0]
                assert seen[1] <= whole[1]
                if seen[0] > MARGIN and seen[1] < rows - MARGIN:
                    assert whole == seen
                    compared += 1
    assert compared > 6 * len(seeds)


def field_of(text: str) -> tuple:
    network = netdsl.loads(text, allow=WARNINGS)
    (field,) = ReceptiveFields(network.graph).of(network.outputs[0].value).values()
    return tuple((a.size, a.stride, a.start) if a else None for a in field)


@pytest.mark.parametrize(
    ("chain", "axes"),
    [
        ("conv(8, 3)", [(3, 1, 0), (3, 1, 0)]),
        ("conv(8, 7, stride=2, padding=3) -> maxpool(3, stride=2, padding=1)", [(11, 4, -5)] * 2),
        ("conv(8, 3x1) -> conv(8, 1x5, stride=2)", [(3, 2, 0), (5, 2, 0)]),
        ("conv(8, 3, dilation=4)", [(9, 1, 0)] * 2),
        ("upsample(2)", [(1, Fraction(1, 2), 0)] * 2),
        ("conv(8, 2, stride=2) -> upsample(2) -> conv(8, 3, padding=1)", [(4, 1, -2)] * 2),
        ("global_avgpool", [None, None]),
        ("flatten", [None, None]),
        ("adaptive_avgpool(4)", [(16, 16, 0)] * 2),
        ("softmax(axis=-1)", [(1, 1, 0), None]),
        ("groupnorm(1)", [None, None]),
        ("concat(axis=1) { identity ; identity }", [(1, None, None), (1, 1, 0)]),
        ("split(2, axis=2) -> add", [(1, 1, 0), (33, None, None)]),
        ("mul { identity ; adaptive_avgpool(1) -> conv(3, 1) }", [None, None]),
        ("conv(4, 3) -> mean(axis=0, keep=true)", [(3, 1, 0)] * 2),
        ("conv(4, 3) -> max(axis=1, keep=true)", [None, (3, 1, 0)]),
        ("mean(axis=[1, 2])", [None, None]),
        ("add { identity ; mean(axis=-1, keep=true) }", [(1, 1, 0), None]),
    ],
)
def test_by_hand(chain: str, axes: list) -> None:
    assert field_of(f"net A {{ input x: [3, 64, 64] ; output y = x -> {chain} }}") == tuple(axes)


def test_an_axis_that_goes_leaves_the_others_elsewhere() -> None:
    """The rows of [C, H, W] are an axis of [C, H] too, of which no rule of maps tells."""
    for chain, alls in (
        ("mean(axis=2)", [False, True]),
        ("max(axis=0)", [False, False]),
        ("sum(axis=[1, 2])", [True, True]),
        ("conv(4, 3) -> mean(axis=1) -> conv(2, 3)", [True, False]),
    ):
        network = netdsl.loads(f"net A {{ input x: [3, H, W] ; output y = x -> {chain} }}")
        (field,) = ReceptiveFields(network.graph).of(network.outputs[0].value).values()
        assert [entry is None for entry in field] == alls
        assert all(entry is None or entry.size is None for entry in field)


def chain_field(*layers: tuple[int, int]) -> int:
    """1 + the sum of (kernel - 1) * jump over (kernel, stride) pairs in a row."""
    size = jump = 1
    for kernel, stride in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


def test_numbers_of_the_literature() -> None:
    """212 for VGG-16, 195 for AlexNet (Araujo, Norris, Sim 2019); ResNets along their longest way."""
    stem = (7, 2), (3, 2)
    basic = [(3, 1)] * 4 + ([(3, 2)] + [(3, 1)] * 3) * 3
    wide = [(3, 1)] * 3 + [p for n in (4, 6, 3) for p in [(3, 2)] + [(3, 1)] * (n - 1)]
    expected = {
        "vgg16": (212, 32),
        "alexnet": (195, 32),
        "resnet18": (chain_field(*stem, *basic), 32),
        "resnet50": (chain_field(*stem, *wide), 32),
    }
    for name, (size, stride) in expected.items():
        network = netdsl.load(example(name))
        fields = ReceptiveFields(network.graph)
        last = [v for node in network.graph.nodes() for v in node.outputs
                if all(axis and axis.size for axis in fields.of(v)[network.inputs[0].name])
                and v.type.rank == 3][-1]  # fmt: skip
        axis = fields.of(last)[network.inputs[0].name][0]
        assert axis is not None
        assert (axis.size, axis.stride) == (size, stride)


def test_symbolic_sizes_have_the_same_fields() -> None:
    assert field_of("net A { input x: [3, H, W] ; output y = x -> conv(8, 5) -> maxpool(2) }") == (
        (6, 2, 0),
        (6, 2, 0),
    )


def test_a_value_that_gives_its_size_alone_is_not_seen() -> None:
    network = netdsl.loads(
        "net A { input x: [3, 8, 8]\n input z: [1, 16, 16]\n output y = x -> upsample(size=z) }"
    )
    fields = ReceptiveFields(network.graph).of(network.outputs[0].value)
    assert set(fields) == {"x"}
    x, z = network.inputs
    assert network.outputs[0].value in patches(network.graph, x)
    assert network.outputs[0].value not in patches(network.graph, z)


# --- behind `each` -------------------------------------------------------------------------

BODIES = {
    "conv(4, 3, padding=1) -> avgpool(2) -> conv(4, 3)": ("all", 8, 8),
    "conv(6, 3) -> conv(6, 3, groups=6) -> sigmoid": ("all", 5, 5),
    "conv(2, 1) -> global_avgpool": ("all", "all", "all"),
    "avgpool(3, stride=1) -> conv(4, (1, 5), stride=2)": ("?", 3, 7),
    "tanh -> conv(3, 3, groups=3)": ("?", 3, 3),
    "softmax(axis=-1)": ("?", 1, "all"),
}
"""What a place sees along the axes of an item, of which the first are its channels."""


@pytest.mark.parametrize("body", BODIES)
def test_items_of_each_at_open_sizes(body: str) -> None:
    """By gradients at two sizes; a `?` claims nothing."""
    network = netdsl.loads(f"net A {{ input x: [T, 3, H, W] ; output y = x -> each {{ {body} }} }}")
    (output,) = network.outputs
    reaches = ReceptiveFields(network.graph)["x"][output.value]
    told = tuple("all" if r is None else r.size or "?" for r in reaches)
    assert told == BODIES[body]
    module = network.torch(seed=0).double().eval()
    for height, width in (13, 14), (16, 15):
        x = torch.rand(1, 2, 3, height, width, dtype=torch.float64, requires_grad=True)
        cells = module(x)[0].sum(0).flatten()
        widest = torch.zeros(3, dtype=torch.int64)
        for cell in cells:
            (slope,) = torch.autograd.grad(cell, x, retain_graph=True)
            seen = slope[0].abs().sum(0).nonzero()
            widest = widest.maximum(seen.amax(0) - seen.amin(0) + 1)
        for most, reach, size in zip(widest.tolist(), told, (3, height, width), strict=True):
            assert reach == "?" or most == (size if reach == "all" else reach), (body, widest)


def test_an_item_of_an_item_sees_itself_alone() -> None:
    """An axis of items is no channel: what is read whole is read of one item."""
    text = "net A { input x: [S, T, 5, F] ; output y = x -> each { each { softmax(axis=-1) } } }"
    fields = ReceptiveFields(netdsl.loads(text).graph)["x"]
    inner = [field for value, field in fields.items() if len(value.type.items) == 2]
    assert inner
    assert all(field[0] is not None and field[0].size == 1 for field in inner)
