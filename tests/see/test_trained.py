"""What is optimised on a trained network: classes that others see too, and what a layer still knows."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.see.inside import Inside
from netdsl.see.places import place
from tests.see.digits import NET, held_out, trained

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")
pytestmark = pytest.mark.xdist_group("see")


def inside(seed: int = 0) -> Inside:
    return Inside(netdsl.load(NET).graph, trained(seed))


def module(seed: int) -> torch.nn.Module:
    """The whole network as a module, which nothing looks into."""
    return netdsl.load(NET).torch(weights=trained(seed)).eval()


@pytest.mark.parametrize("number", range(10))
def test_an_image_for_a_class_beats_real_ones_and_another_network_agrees(number: int) -> None:
    from netdsl.see.aim import class_image
    from netdsl.see.classes import Classes

    images, _ = held_out()
    seen = class_image(inside(), (8, 8), Classes(10), number)
    picture = torch.from_numpy(seen.sheet.tiles[0].pixels.copy())[None, None, ..., 0] / 255
    first, second = module(0), module(1)
    with torch.no_grad():
        real = first(images)[:, number]
        own, other = first(picture)[0], second(picture)[0]
    assert own[number] > torch.quantile(real, 0.99)
    assert int(other.argmax()) == number
    assert seen.numbers["score"] == pytest.approx(float(own[number]), abs=0.3)


def test_what_a_layer_knows_gets_less_with_depth() -> None:
    from netdsl.see.invert import inverted

    images, _ = held_out()
    within = inside()
    whole = module(0)
    names = ["relu1", "relu3", "logits"]
    off: dict[str, list[float]] = {name: [] for name in names}
    for image in images[:3]:
        for name in names:
            found = inverted(within, image[None], place(within.graph, name))
            assert found.distance < 0.05, name
            off[name].append(found.pixels)
            moved = float((found.picture - image).square().mean().sqrt()) * 255
            assert found.pixels == pytest.approx(moved, abs=1e-3)
            with torch.no_grad():
                before, after = whole(image[None])[0], whole(found.picture)[0]
            assert found.is_same == bool(before.argmax() == after.argmax())
            if name == "logits":
                distance = float((after - before).norm() / before.norm())
                assert distance == pytest.approx(found.distance, abs=1e-3)
    means = [sum(off[name]) / 3 for name in names]
    assert means[0] < means[1] < means[2], means
    assert means[2] > 10 * means[0]


def test_an_image_for_a_map_excites_it_more_than_noise() -> None:
    from netdsl.see.aim import Aiming, place_image
    from netdsl.see.places import neuron

    within = inside()
    images, _ = held_out()
    seen = place_image(within, (8, 8), neuron(within.graph, "conv2[5]"), Aiming(steps=60, jitter=0))
    value = place(within.graph, "conv2").value
    real = within.values(images, {"x": value})["x"][:, 5].mean(dim=(1, 2))
    assert seen.numbers["after"] > float(real.max())
    assert seen.numbers["after"] > seen.numbers["before"]


@pytest.mark.full
def test_the_inverse_network_gives_back_the_class() -> None:
    """Trained by its script: of the images held out at least 95 % keep their class."""
    import sys
    import tempfile
    from pathlib import Path

    from netdsl.backends.weights.safetensors import write_tensors
    from tests.see.digits import script

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "digits.safetensors")
        write_tensors(path, {key: value.numpy() for key, value in trained(0).items()})
        _, inverse, forward = script("train_inverse_digits").train(path, 0, 40)
    images, _ = held_out()
    with torch.no_grad():
        points = forward(images)
        made = inverse(points)
        again = forward(made)
    assert (again.argmax(1) == points.argmax(1)).float().mean() >= 0.95
    assert made.shape == images.shape
    assert (made - images).abs().mean() > 0.02, "it can't know the pixels"
    assert sys.modules["train_inverse_digits"]
