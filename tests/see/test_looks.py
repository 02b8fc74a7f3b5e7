"""What is shown of a trained network is what PyTorch says of it."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.lints import WARNINGS
from netdsl.see.errors import SeeError
from netdsl.see.inside import RANGES, Inside
from netdsl.see.places import neuron, place
from tests.examples import example
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")


def resnet() -> tuple[Any, Inside]:
    """torchvision's own module, and the network with its weights."""
    torch.manual_seed(0)
    source = torchvision_models().resnet18(weights=None).eval()
    graph = netdsl.load(example("resnet18")).graph
    return source, Inside(graph, source.state_dict(), range=RANGES["imagenet"])


def normalised(pixels: Any) -> Any:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pixels - mean[:, None, None]) / std[:, None, None]


def photograph(height: int = 64, width: int = 48) -> Any:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def at(module: Any, path: str, x: Any) -> Any:
    """What a module inside of a module gives."""
    kept: list[Any] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        kept.append(output.clone())

    hook = module.get_submodule(path).register_forward_hook(keep)
    module(x)
    hook.remove()
    return kept[0]


def test_filters_are_the_weights_in_colour() -> None:
    from netdsl.see.filters import filters

    source, inside = resnet()
    seen = filters(inside)
    weight = source.conv1.weight.detach()
    assert len(seen.sheet.tiles) == 64
    for tile, kernel in zip(seen.sheet.tiles, weight, strict=True):
        wanted = (kernel / (2 * kernel.abs().max()) + 0.5) * 255
        shown = torch.from_numpy(tile.pixels).permute(2, 0, 1).float()
        assert (shown - wanted).abs().max() <= 0.5001
    assert seen.numbers["shape"] == [64, 3, 7, 7]


def test_deeper_filters_are_shown_plane_by_plane() -> None:
    from netdsl.see.filters import filters

    source, inside = resnet()
    seen = filters(inside, "layer1.0.conv1", 16)
    weight = source.layer1[0].conv1.weight.detach()
    assert [tile.caption for tile in seen.sheet.tiles[:9]] == [
        *(f"filter 0, map {m}" for m in range(8)),
        "filter 1, map 0",
    ]
    plane = torch.from_numpy(seen.sheet.tiles[9].pixels[..., 0].copy()).float()
    wanted = (weight[1, 1] / (2 * weight[1].abs().max()) + 0.5) * 255
    assert (plane - wanted).abs().max() <= 0.5001
    assert "no colours" in seen.sheet.notes[0]


def test_maps_are_the_strongest_and_in_grey() -> None:
    from netdsl.see.maps import maps

    source, inside = resnet()
    pixels = photograph()
    seen = maps(inside, pixels, place(inside.graph, "layer2"), 5)
    value = at(source, "layer2", normalised(pixels))[0].detach()
    order = value.mean(dim=(1, 2)).argsort(descending=True)[:5].tolist()
    assert seen.numbers["maps"] == order
    first = value[order[0]]
    wanted = (first - first.min()) / (first.max() - first.min()) * 255
    shown = torch.from_numpy(seen.sheet.tiles[1].pixels.copy()).float()
    assert (shown[..., 0] - wanted).abs().max() <= 0.51
    assert (shown[..., 0] == shown[..., 2]).all()
    assert seen.numbers["zeros"] == pytest.approx(float((value == 0).float().mean()), abs=1e-4)


def test_saliency_is_the_gradient_of_the_class() -> None:
    from netdsl.see.classes import Classes
    from netdsl.see.saliency import saliency_of_class

    source, inside = resnet()
    pixels = photograph()
    seen = saliency_of_class(inside, pixels, Classes(1000), 7)
    x = pixels.clone().requires_grad_()
    score = source(normalised(x))[0, 7]
    score.backward()
    assert seen.numbers["value"] == pytest.approx(float(score.detach()), abs=1e-4)
    strength = x.grad[0].abs().amax(dim=0).sqrt()
    shown = torch.from_numpy(seen.sheet.tiles[1].pixels[..., 0].copy()).float()
    assert (shown - strength / strength.max() * 255).abs().max() <= 1.5


@pytest.mark.parametrize("at_", ["layer1[3,2,2]", "conv1[0,0,0]", "layer2.0.conv1[5,1,3]"])
def test_the_frame_is_what_gradients_reach_with_positive_weights(at_: str) -> None:
    from netdsl.see.saliency import saliency_of

    torch.manual_seed(0)
    source = torchvision_models().resnet18(weights=None).eval()
    for parameter in source.parameters():
        parameter.data = parameter.data.abs() + 1e-3
    graph = netdsl.load(example("resnet18"), sizes={"H": 64, "W": 48}).graph
    inside = Inside(graph, source.state_dict())
    seen = saliency_of(inside, photograph(), neuron(graph, at_))
    path, _, index = at_.rstrip("]").partition("[")
    x = photograph().requires_grad_()
    at(source, path, x)[0][tuple(map(int, index.split(",")))].backward()
    touched = (x.grad[0].abs().amax(dim=0) > 0).nonzero()
    rows, columns = touched[:, 0], touched[:, 1]
    wanted = (int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max()))
    assert seen.numbers["field"] == wanted
    assert {tile.box for tile in seen.sheet.tiles} == {wanted}


def test_a_dream_raises_the_norm() -> None:
    from netdsl.see.dream import Dreaming, dream

    source, inside = resnet()
    pixels = photograph()
    how = Dreaming(octaves=2, steps=3, jitter=4)
    seen = dream(inside, pixels, place(inside.graph, "layer1"), how)
    shown = torch.from_numpy(seen.sheet.tiles[1].pixels.copy()).permute(2, 0, 1)[None] / 255
    before, after = (
        float(at(source, "layer1", normalised(x)).detach().norm()) for x in (pixels, shown)
    )
    assert seen.numbers["before"] == pytest.approx(before, rel=1e-3)
    assert seen.numbers["after"] == pytest.approx(after, rel=0.02)  # the sheet has bytes
    assert after > 1.03 * before
    assert seen.numbers["steps"] == 6
    again = dream(inside, pixels, place(inside.graph, "layer1"), how)
    assert again.sheet.drawn("png") == seen.sheet.drawn("png")


def test_a_dream_works_only_at_sizes_that_the_network_takes() -> None:
    from netdsl.see.dream import Dreaming, dream

    inside = Inside(netdsl.load(example("unet16"), params={}).graph)
    pixels = torch.rand(1, inside.channels, 64, 32, generator=torch.Generator().manual_seed(0))
    seen = dream(inside, pixels, place(inside.graph, inside.graph.outputs[0].name),
                 Dreaming(octaves=3, scale=2, steps=1, jitter=0))  # fmt: skip
    assert seen.lines[1].endswith(" at 32x16, 64x32"), "16x8 is none that it takes"


def test_bytes_are_entered_behind_their_conversion() -> None:
    """A network of channels-last bytes has the pixels that one of floats has."""
    text = """net A {{
        input image: {kind}
        x = image{steps}
        output y = x -> conv1: conv(4, 3) -> global_avgpool
    }}"""
    floats = netdsl.loads(text.format(kind="[3, H, W]", steps="")).graph
    try:
        graph = netdsl.loads(
            text.format(kind="uint8 [H, W, 3]", steps=" -> permute([2, 0, 1]) -> to_float")
        ).graph
    except netdsl.DiagnosticError:
        pytest.skip("the language has no bytes yet")
    state = netdsl.loads(text.format(kind="[3, H, W]", steps="")).torch(seed=0).state_dict()
    image = torch.randint(0, 256, (3, 9, 7), dtype=torch.uint8)
    one, other = Inside(floats, state), Inside(graph, state)
    assert torch.equal(one.entered(image), other.entered(image))
    x, y = (
        inside.values(inside.entered(image), {"y": inside.graph.outputs[0].value})["y"]
        for inside in (one, other)
    )
    torch.testing.assert_close(x, y)


@pytest.mark.parametrize(
    ("last", "share"),
    [
        ("identity", lambda y: y.softmax(0)),
        ("softmax", lambda y: y.softmax(0)),
        ("log_softmax", lambda y: y.softmax(0)),
        ("sigmoid", lambda y: y.sigmoid()),
    ],
)
def test_a_probability_is_what_the_last_layer_makes_of_it(last: str, share: Any) -> None:
    from netdsl.see.aim import Aiming, class_image
    from netdsl.see.classes import Classes

    text = (
        "net A {{ input x: [3, 8, 8]; output y = x -> conv: conv(4, 3) -> global_avgpool -> {} }}"
    )
    logits = netdsl.loads(text.format("identity")).torch(seed=0).eval()
    inside = Inside(netdsl.loads(text.format(last)).graph, logits.state_dict())
    seen = class_image(inside, (8, 8), Classes(4), 2, Aiming(steps=3, starts=1))
    picture = torch.from_numpy(seen.sheet.tiles[0].pixels.copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        assert seen.numbers["share"] == pytest.approx(float(share(logits(picture)[0])[2]), abs=2e-3)


def test_floats_with_the_colours_last_are_from_0_to_1() -> None:
    text = "net A {{ input x: {}; output y = x{} -> conv: conv(4, 3) -> global_avgpool }}"
    first = netdsl.loads(text.format("[3, H, W]", ""), allow=WARNINGS)
    last = netdsl.loads(text.format("[H, W, 3]", " -> permute([2, 0, 1])"), allow=WARNINGS)
    image = torch.randint(0, 256, (3, 9, 7), dtype=torch.uint8)
    assert torch.equal(Inside(last.graph).entered(image), Inside(first.graph).entered(image))


@pytest.mark.parametrize("flow", ["conv(3, 1)", "relu -> permute([2, 0, 1])"])
def test_a_map_that_only_looks_like_an_image_is_refused(flow: str) -> None:
    """[8, 9, 3] are eight channels here: no layer with weights makes the image of it."""
    network = netdsl.loads(
        f"net A {{ input x: [8, 9, 3]; output y = x -> {flow} }}", allow=WARNINGS
    )
    with pytest.raises(SeeError, match="makes no image of it"):
        Inside(network.graph)
