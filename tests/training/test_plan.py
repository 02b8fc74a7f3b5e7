"""Which samples come at which size: every one once, no size that the network refuses."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

import netdsl
from netdsl.training.contract import check_training, refusal, whole_batches
from netdsl.training.faults import TrainingError
from netdsl.training.image_input import image_input
from netdsl.training.pixels import distinct, pixels
from netdsl.training.plan import Batch, Plan, in_order
from tests.examples import network as example_network

SIZES = ((16, 16), (24, 24), (20, 32))
WHOLE = dict(zip(SIZES, (12, 5, 4), strict=True))


@pytest.mark.parametrize("schedule", ["epoch", "batch"])
@pytest.mark.parametrize("drops", [False, True])
def test_every_sample_comes_once_in_an_epoch(schedule: str, drops: bool) -> None:
    plan = Plan(WHOLE, schedule, 50, 3, drops)
    for epoch in range(6):
        batches = plan.batches(epoch)
        seen = [n for batch in batches for n in batch.samples]
        assert len(seen) == len(set(seen))
        assert set(seen) <= set(range(50))
        if not drops:
            assert len(seen) == 50
        assert [(b.size, len(b.samples)) for b in batches] == plan.lengths(epoch)
        assert all(len(b.samples) == WHOLE[b.size] for b in batches[: None if drops else -1])
        assert plan.batches(epoch) == batches
        assert [b.samples for b in batches] != [b.samples for b in plan.batches(epoch + len(SIZES))]
    assert plan.steps(7) == sum(len(plan.lengths(epoch)) for epoch in range(7))


def test_the_sizes_change_as_the_schedule_says() -> None:
    in_turn = Plan(WHOLE, "epoch", 60, 0)
    assert [{size for size, _ in in_turn.lengths(e)} for e in range(6)] == [{s} for s in SIZES * 2]
    drawn = Plan(WHOLE, "batch", 60, 0)
    for epoch in range(5):
        assert {size for size, _ in drawn.lengths(epoch)} == set(SIZES)
    assert drawn.lengths(0) != drawn.lengths(1)
    counts = dict.fromkeys(SIZES, 0)
    for size, _ in Plan(dict.fromkeys(SIZES, 1), "batch", 3000, 0).lengths(0):
        counts[size] += 1
    assert all(900 < count < 1100 for count in counts.values())


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_devices_share_a_batch(world: int) -> None:
    for count in range(1, 20):
        shares = [Batch((8, 8), list(range(count))).share(rank, world) for rank in range(world)]
        assert len({len(share) for share in shares}) == 1
        weighing = [sample for share in shares for sample, weight in share if weight]
        assert sorted(weighing) == list(range(count))
        assert {weight for share in shares for _, weight in share} <= {0.0, 1.0}


def test_an_evaluation_takes_all_in_order() -> None:
    batches = in_order(10, (9, 9), 4)
    assert [list(b.samples) for b in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_sizes_as_they_are_written() -> None:
    assert [pixels(n) for n in (224, "224", "180x240", (180, 240))] == [
        (224, 224), (224, 224), (180, 240), (180, 240),
    ]  # fmt: skip
    assert distinct([8, "8x8", (8, 9)]) == ((8, 8), (8, 9))
    for wrong in ("", "0", "-3", "3x", "08", "3x4x5", 0, True, None, 2.0, (1,), (0, 3), "9" * 30):
        with pytest.raises(ValueError, match="is no image size"):
            pixels(wrong)


def test_batches_as_large_as_memory_allows() -> None:
    graph = example_network("digits").graph
    images = image_input(graph)
    for batch in (1, 7, 64):
        by = {
            rule: whole_batches(graph, images, [(16, 16), (32, 32), (20, 40)], batch, rule)
            for rule in ("samples", "cells", "memory")
        }
        assert set(by["samples"].values()) == {batch}
        assert by["cells"] == {(16, 16): 4 * batch, (32, 32): batch, (20, 40): 1024 * batch // 800}
        assert by["memory"][32, 32] == batch
        peak = {
            size: netdsl.load("examples/digits.net", sizes={"H": size[0], "W": size[1]})
            .summary()
            .memory.peak
            for size in by["memory"]
        }
        for size, count in by["memory"].items():
            assert count * peak[size] <= batch * peak[32, 32] < (count + 1) * peak[size]


NARROW = """
net Narrow {
    input image: [1, H, W]
    output y = image -> conv(4, 3, stride=2) -> batchnorm -> relu -> conv(4, 3, stride=2) -> batchnorm
        -> global_avgpool -> linear(3)
}
"""
HALVES = """
net Halves {
    input image: [3, H, W]
    half = image -> conv(4, 3, stride=2, padding=1) -> batchnorm -> relu
    output y = add { half -> conv(3, 1) -> upsample(2) ; image } -> conv(2, 1)
}
"""
PYRAMID = """
net Pyramid {
    input image: [3, H, W]
    output y = image -> conv(4, 3, padding=1) -> maxpool(4) -> batchnorm -> spp([2, 1], bins=paper) -> linear(3)
}
"""
PLACES = {"narrow": NARROW, "digits": "", "halves": HALVES, "pyramid": PYRAMID}
CHOICES = {
    "narrow": range(5, 16),
    "digits": range(1, 5),
    "halves": range(1, 9),
    "pyramid": range(4, 24),
}


@pytest.mark.parametrize("name", PLACES)
def test_drawn_schedules_have_no_size_error(name: str) -> None:
    """2,500 batches each: what the check lets through runs, what it refuses does not.

    Each batch is run by PyTorch as it is drawn, on the meta device.
    """
    torch = pytest.importorskip("torch")
    net = netdsl.loads(PLACES[name]) if PLACES[name] else example_network(name)
    module = net.torch(seed=0).to("meta").train()
    images = image_input(net.graph)
    draw, run, refused = Random(name), 0, 0

    @cache
    def runs(size: tuple[int, int], count: int) -> bool:
        try:
            module(torch.empty(count, images.channels, *size, device="meta"))
        except (RuntimeError, ValueError):
            return False
        return True

    while run < 2500:
        choices = CHOICES[name]
        some = {(draw.choice(choices), draw.choice(choices)) for _ in range(3)}
        sizes = [s for s in sorted(some) if not refusal(net.sizes, images, s, "")]
        if not sizes:
            continue
        rule, schedule = draw.choice(["samples", "cells"]), draw.choice(["epoch", "batch"])
        whole = whole_batches(net.graph, images, sizes, draw.randint(1, 6), rule)
        plan = Plan(whole, schedule, draw.randint(1, 60), draw.randint(0, 9), draw.random() < 0.3)
        world = draw.choice([1, 1, 2])
        drawn = [batch for epoch in range(3) for batch in plan.lengths(epoch)]
        parts = {(size, -(-count // world)) for size, count in drawn}
        try:
            check_training(net.sizes, images, plan, 3, world)
        except TrainingError as error:
            assert "nearest that work" in str(error) or "last one may be left out" in str(error)
            assert not all(runs(*part) for part in parts), str(error)
            refused += 1
            continue
        for part in parts:
            assert runs(*part), part
        run += len(drawn)
    assert refused >= 3 or name == "pyramid", "no case is at the limit"


def test_the_size_error_says_where_and_what_works() -> None:
    net = netdsl.loads(NARROW, name="narrow.net")
    images = image_input(net.graph)
    text = refusal(net.sizes, images, (5, 40), "")
    assert text.splitlines()[0] == "images of 5x40 are refused"
    assert text.splitlines()[1].startswith("narrow.net:4:")
    assert text.splitlines()[-1] == "nearest that work: 7x40"
    plan = Plan({(7, 7): 4}, "epoch", 9, 0)
    with pytest.raises(TrainingError) as caught:
        check_training(net.sizes, images, plan, 1, 1)
    assert "where the smallest batch has 1 sample; the last one may be left out" in str(
        caught.value
    )
    check_training(net.sizes, images, Plan({(7, 7): 4}, "epoch", 9, 0, True), 1, 1)
    check_training(net.sizes, images, Plan({(7, 7): 4}, "epoch", 10, 0), 1, 1)
    with pytest.raises(TrainingError, match="1 sample on each of 2 devices"):
        check_training(net.sizes, images, Plan({(7, 7): 4}, "epoch", 10, 0), 1, 2)
