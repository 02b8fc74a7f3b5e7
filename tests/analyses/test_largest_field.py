"""The largest field of all places, against PyTorch: at known sizes exact, at open ones never less."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.analyses.reach import Reach
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.analyses.sights import sights
from netdsl.lints import WARNINGS
from tests.analyses.field_networks import Irregular, built
from tests.sampling import some

torch = pytest.importorskip("torch")

LARGEST = 60
PYRAMID = """
net Fpn {
    input x: [3, H, W]
    c = x -> conv(8, 3, stride=2, padding=1)
    d = c -> conv(8, 3, stride=2, padding=1)
    output y = (c, d -> upsample(size=c)) -> add -> conv(4, 3, padding=1)
}
"""


def measured(network: netdsl.Network) -> tuple[int, int]:
    """The most cells from first to last that any place of the result depends on.

    PyTorch runs it on an image and on copies in which one row (or column) differs. Weights are
    positive, so that nothing cancels, and numbers small, so that no sigmoid is driven to its end.
    """
    (item,) = network.inputs
    module = network.torch(seed=0).double().eval()
    generator = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        drawn = torch.rand(weight.shape, generator=generator, dtype=torch.float64) + 0.5
        weight.data = drawn * len(drawn) / drawn.numel()
    image = torch.rand(item.shape, generator=generator, dtype=torch.float64) * 0.1 + 0.05
    largest = [0, 0]
    for axis in 0, 1:
        images = torch.stack([image, *(image,) * item.shape[1 + axis]])
        for row in range(item.shape[1 + axis]):
            other = images[1 + row].select(1 + axis, row)
            other += torch.rand(other.shape, generator=generator, dtype=torch.float64) * 0.1 + 0.05
        with torch.no_grad():
            results = module(images)
        seen = ((results[1:] - results[0]).abs() > 1e-12).any(1).flatten(1)
        first = seen.int().argmax(0)
        last = len(seen) - 1 - seen.flip(0).int().argmax(0)
        lengths = torch.where(seen.any(0), last - first + 1, 0)
        largest[axis] = int(lengths.max())
    return largest[0], largest[1]


def field(network: netdsl.Network) -> tuple[Reach | None, ...]:
    fields = ReceptiveFields(network.graph).of(network.outputs[0].value)
    return fields.get("x", ())


@pytest.mark.parametrize("batch", range(4))
def test_the_largest_field_of_random_networks(batch: int) -> None:
    tried = exact = 0
    seeds = some(range(100 * batch, 100 * batch + 100), 2)
    for seed in seeds:
        sizes = [(13, 10), (12, 17), (15, 15)][seed % 3]
        network = built(Irregular(seed), sizes, LARGEST)
        if network is None:
            continue
        wanted, found = measured(network), field(network)
        for axis, reach in enumerate(found):
            told = Irregular(seed).net(sizes)
            tried += 1
            if reach is None:
                assert wanted[axis] == sizes[axis], told
                exact += 1
                continue
            assert reach.size is not None
            exact += not reach.is_bound
            fits = wanted[axis] <= reach.size if reach.is_bound else wanted[axis] == reach.size
            assert fits, (axis, reach, wanted, told)
    assert tried > 0.8 * len(seeds)
    assert exact >= 0.95 * tried


@pytest.mark.parametrize("size", [64, 66, 70])
def test_a_pyramid_whose_steps_differ_by_rounding(size: int) -> None:
    """A sum of branches that move by 2 and by 68/33: each place sees 11 cells at most."""
    network = netdsl.loads(PYRAMID, sizes={"H": size, "W": size})
    assert [reach and (reach.size, reach.is_bound) for reach in field(network)] == [(11, False)] * 2
    assert [row for row in network.summary().cells() if row[0] == "conv3"][0][-1].startswith(
        "11x11"
    )


def test_open_sizes_of_the_pyramid() -> None:
    found = field(netdsl.loads(PYRAMID))
    assert [reach and (reach.size, reach.is_bound, reach.stride) for reach in found] == [
        (11, False, 2)
    ] * 2


def test_a_u_net_at_an_odd_size() -> None:
    """236 along the height of 500, found by gradients; the width of 375 alike."""
    from tests.examples import example

    network = netdsl.load(example("unet"), sizes={"H": 500, "W": 375})
    (found,) = network.receptive_fields.of(network.outputs[0].value).values()
    assert found[0] is not None
    assert (found[0].size, found[0].is_bound) == (236, False)


def test_open_sizes_are_never_less_than_a_known_size() -> None:
    """What is said of all sizes, beside the exact fields at many."""
    compared = told = 0
    seeds = some(range(1000, 1160), 4)
    for seed in seeds:
        network = built(Irregular(seed), ("H", "W"), LARGEST)
        if network is None or set(network.sizes.symbols) != {"H", "W"}:
            continue
        found = field(network)
        largest = [0, 0]
        for size in (61, 63, 64, 70):
            if not network.sizes.accepts(H=size, W=size):
                continue
            known = netdsl.loads(
                Irregular(seed).net(("H", "W")), sizes={"H": size, "W": size}, allow=WARNINGS
            )
            for axis, reach in enumerate(field(known)):
                here = size if reach is None else reach.size or 0
                largest[axis] = max(largest[axis], here)
                if found and found[axis] is None:
                    assert here >= size - 8, (size, Irregular(seed).net(("H", "W")))
        for reach, most in zip(found, largest, strict=False):
            if reach is None or reach.size is None or not most:
                continue
            compared += 1
            told += not reach.is_bound
            assert most <= reach.size, (reach, most, Irregular(seed).net(("H", "W")))
            if not reach.is_bound and reach.size < 50:
                assert most == reach.size, (reach, most, Irregular(seed).net(("H", "W")))
    assert compared > len(seeds) / 2
    assert told > 0.2 * compared


def test_a_known_axis_beside_an_open_one() -> None:
    """Of 8 rows no place sees 11; a map that is cut to 3 places may not have one that sees 9."""
    deep = " -> ".join(["conv(3, 3, padding=1)"] * 5)
    rows, columns = field(netdsl.loads(f"net A {{ input x: [3, 8, W] ; output y = x -> {deep} }}"))
    assert rows == Reach(8, rows and rows.rule, is_bound=True)
    assert columns == Reach(11, columns and columns.rule)
    text = f"net A {{ input x: [3, H, W] ; output y = x -> {deep} -> crop(3) }}"
    assert [reach and (reach.size, reach.is_bound) for reach in field(netdsl.loads(text))] == [
        (11, True)
    ] * 2


def test_fields_that_depend_on_the_sizes_are_not_called_all() -> None:
    network = netdsl.loads("net A { input x: [3, H, W] ; output y = x -> adaptive_avgpool(4) }")
    assert field(network) == (Reach(None, None),) * 2
    assert network.summary().cells()[-1][-1] == "?x?"
    whole = netdsl.loads("net A { input x: [3, H, W] ; output y = x -> global_avgpool }")
    assert field(whole) == (None, None)


def test_circular_padding_sees_both_ends() -> None:
    text = "net A {{ input x: [3, {0}, {0}] ; output y = x -> conv(3, 3, padding=1, padding_mode=circular) }}"
    assert [reach and reach.size for reach in field(netdsl.loads(text.format(9)))] == [9, 9]
    assert field(netdsl.loads(text.format("H"))) == (None, None)


def test_views_are_no_smaller_than_what_is_followed_back() -> None:
    """Channels that see alike, told apart: half of a concat sees what its branch sees."""
    network = netdsl.loads(
        "net A {\n    input x: [4, 20, 20]\n"
        "    (a, b) = x -> concat { conv(2, 1) ; conv(2, 5, padding=2) } -> split(2)\n"
        "    output p = a\n    output q = b\n}"
    )
    seen = sights(network.graph, network.graph.inputs[0])
    sizes = [[axis.largest for axis in seen[o.value].together[0]] for o in network.outputs]
    assert sizes == [[1, 1], [5, 5]]


def test_what_is_not_sure_is_called_a_bound() -> None:
    """Two of the channels that `pixel_unshuffle` makes see one row of two, and both columns."""
    network = netdsl.loads(
        "net A { input x: [2, 12, 12] ; output y = x -> conv(2, 3, padding=1)"
        " -> pixel_unshuffle(2) -> slice(0, 0, 2) }"
    )
    assert measured(network) == (3, 4)
    rows, columns = field(network)
    assert rows is not None
    assert columns is not None
    assert (rows.size, rows.is_bound) == (4, True)
    assert (columns.size, columns.is_bound) == (4, False)
