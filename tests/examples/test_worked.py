"""Numbers that papers, textbooks and other tools give for the examples."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.examples import NAMES, example
from tests.examples import network as example_network

torch = pytest.importorskip("torch")


def shapes(network: netdsl.Network) -> dict[str, str]:
    return {output.name: str(output.value.type) for output in network.outputs}


def run(network: netdsl.Network, *xs: Any) -> Any:
    with torch.no_grad():
        return network.torch(seed=0).eval()(*xs)


def test_textbook_convolution() -> None:
    """27x27, three 3x3 filters, stride 3: 81 neurons each; 27 shared weights, 30 with biases."""
    network = netdsl.load(example("conv27"))
    channels, height, width = network.outputs[0].shape
    assert (height, width, height * width, channels * height * width) == (9, 9, 81, 243)
    assert network.summary().parameters == 30
    model = network.torch()
    assert model.conv.weight.numel() == 27
    image = torch.zeros(1, 1, 27, 27, requires_grad=True)
    model(image)[0, 0, 4, 4].backward()
    assert int((image.grad != 0).sum()) == 9


def test_rgb_filter_spans_the_colours() -> None:
    network = netdsl.load(example("rgb6"))
    assert shapes(network) == {"map": "[1, 4, 4]"}
    assert tuple(network.torch().conv.weight.shape) == (1, 3, 3, 3)


def test_grey_filter() -> None:
    """5x5 grey, one 3x3 filter: 3x3."""
    text = "net Grey { input x: [1, 5, 5] ; output y = x -> conv(1, 3x3) }"
    assert shapes(netdsl.loads(text)) == {"y": "[1, 3, 3]"}


def test_upsampling_to_any_size() -> None:
    network = netdsl.load(example("upsample_any"))
    assert shapes(network) == {
        "tripled": "[3, 3*H, 2*W]",
        "fixed": "[3, 37, 53]",
        "half_more": "[3, H + floor(H/2), W + floor(W/2)]",
        "back": "[3, H, W]",
    }
    found = run(network, torch.randn(1, 3, 11, 7))
    sizes = [tuple(part.shape[-2:]) for part in found]
    assert sizes == [(33, 14), (37, 53), (16, 10), (11, 7)]


def test_lenet() -> None:
    summary = netdsl.load(example("lenet")).summary()
    assert (summary.parameters, summary.macs) == (61_706, 416_520)
    other = netdsl.load(example("lenet"), params={"classes": 26})
    assert shapes(other) == {"logits": "[26]"}


def test_googlenet_of_the_paper() -> None:
    """The counts of Caffe's bvlc_googlenet: deployed, and with both auxiliary heads."""
    summary = netdsl.load(example("googlenet_paper")).summary()
    assert summary.inference_parameters == 6_998_552
    assert summary.parameters == 13_378_280
    assert summary.macs == 1_582_671_872


@pytest.mark.parametrize("size", [(224, 224), (180, 180), (21, 333), (97, 64)])
def test_sppnet_takes_any_size(size: tuple[int, int]) -> None:
    """The pyramid has 50 bins of 256 channels; it equals four adaptive pools side by side."""
    network = netdsl.load(example("sppnet"))
    model = network.torch(seed=0).eval()
    seen: dict[str, Any] = {}
    model.head.spp1.register_forward_hook(lambda _, xs, y: seen.update(x=xs[0], y=y))
    with torch.no_grad():
        assert tuple(model(torch.randn(1, 3, *size)).shape) == (1, 1000)
    pools = [torch.nn.functional.adaptive_max_pool2d(seen["x"], n) for n in (6, 3, 2, 1)]
    assert torch.equal(seen["y"], torch.cat([pool.flatten(1) for pool in pools], 1))
    assert seen["y"].shape[1] == 12_800
    if size == (224, 224):
        assert tuple(seen["x"].shape[-2:]) == (13, 13)


CONTRACTS = {
    "sppnet": "any H >= 21, any W >= 21",
    "unet": "any H >= 16, any W >= 16",
    "unet16": "H and W multiples of 16",
    "hourglass": "H and W mod 64 in {63, 0, 1, 2}, at least 63",
    "yolov3_spp": "H and W mod 32 in {25, 26, 27, 28, 29, 30, 31, 0}, at least 25",
    "upsample_any": "any H, any W",
}
SLIM = {
    "unet": {"width": 2},
    "unet16": {"width": 2},
    "hourglass": {"channels": 4, "joints": 2},
    "sppnet": {"classes": 2},
    "yolov3_spp": {"classes": 1},
}
PROBED = {
    "unet": range(1, 40),
    "unet16": range(1, 66),
    "hourglass": [*range(60, 68), *range(125, 132), *range(1, 12)],
    "sppnet": range(1, 34),
    "yolov3_spp": [1, 8, 16, 24, 25, 28, 32, 33, 48, 56, 57, 64],
    "upsample_any": range(1, 20),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_size_contracts(name: str) -> None:
    """In the words expected, and equal to what PyTorch runs, with the shapes it gives."""
    network = netdsl.load(example(name), params=SLIM.get(name))
    assert str(network.sizes) == str(example_network(name).sizes) == CONTRACTS[name]
    model = network.torch(seed=0).eval()
    for size in PROBED[name]:
        at = {"H": size, "W": 64}
        x = torch.zeros(1, network.inputs[0].shape[0], size, 64)
        try:
            with torch.no_grad():
                found = model(x)
        except (RuntimeError, ValueError):
            found = None
        assert network.sizes.accepts(**at) == (found is not None), size
        if found is not None:
            parts = found if isinstance(found, tuple) else (found,)
            for part, output in zip(parts, network.outputs, strict=True):
                assert tuple(part.shape[1:]) == tuple(evaluate(d, at) for d in output.shape)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_module(name: str) -> None:
    with torch.device("meta"):
        module = example_network(name).torch()
    specs = {
        f"{a.path}.{w.key}".strip("."): w.shape
        for a in example_network(name).graph.layers()
        for w in a.weights
    }
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == specs
    assert sum(p.numel() for p in module.parameters()) == example_network(name).summary().parameters
