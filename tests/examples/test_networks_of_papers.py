"""Networks that no package has as their papers do, against plain PyTorch written from the papers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl
from tests import examples
from tests.examples import example, random_inputs, restless
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class State:
    """The weights of a module by path, applied as plain functions."""

    def __init__(self, module: Any) -> None:
        self.of = module.state_dict()
        self.used: set[str] = set()

    def get(self, key: str) -> Any:
        if key in self.of:
            self.used.add(key)
        return self.of.get(key)

    def conv(self, path: str, x: Any, **settings: Any) -> Any:
        function = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
        return function(x, self.get(f"{path}.weight"), self.get(f"{path}.bias"), **settings)

    def up(self, path: str, x: Any, **settings: Any) -> Any:
        function = (F.conv_transpose2d, F.conv_transpose3d)[x.ndim - 4]
        return function(x, self.get(f"{path}.weight"), self.get(f"{path}.bias"), **settings)

    def linear(self, path: str, x: Any) -> Any:
        return F.linear(x, self.get(f"{path}.weight"), self.get(f"{path}.bias"))

    def norm(self, path: str, x: Any) -> Any:
        parts = (f"{path}.{key}" for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *map(self.get, parts))

    def all_used(self) -> bool:
        return self.used == {key for key in self.of if "num_batches" not in key}


def alexnet(s: State, x: Any) -> Any:
    """Sections 3.3 to 3.5: a sum over 5 channels, each of two columns sees half of the maps."""

    def respond(x: Any) -> Any:
        square = F.pad(x * x, (0, 0, 0, 0, 2, 2))
        near = sum(square[:, i : i + x.shape[1]] for i in range(5))
        return F.max_pool2d(x / (2 + 1e-4 * near) ** 0.75, 3, 2)

    def columns(path: str, x: Any, padding: int) -> Any:
        kernel, bias = s.get(f"{path}.weight"), s.get(f"{path}.bias")
        halves = zip(x.chunk(2, 1), kernel.chunk(2), bias.chunk(2), strict=True)
        return F.relu(torch.cat([F.conv2d(*half, padding=padding) for half in halves], 1))

    x = respond(F.relu(s.conv("conv1", x, stride=4)))
    x = respond(columns("conv2", x, 2))
    x = F.relu(s.conv("conv3", x, padding=1))
    x = columns("conv5", columns("conv4", x, 1), 1)
    x = F.max_pool2d(x, 3, 2).flatten(1)
    return s.linear("fc8", F.relu(s.linear("fc7", F.relu(s.linear("fc6", x)))))


def generator(s: State, noise: Any, label: Any) -> Any:
    x = torch.cat([noise, s.get("embed.weight")[label]], 1)
    x = s.linear("project", x).view(len(x), -1, 7, 7)
    x = s.up("up1", F.relu(s.norm("bn1", x)), stride=2, padding=1)
    return torch.tanh(s.up("up2", F.relu(s.norm("bn2", x)), stride=2, padding=1))


def vae(s: State, image: Any, noise: Any) -> tuple[Any, ...]:
    """Appendix C.2 and equation 10: the code is the mean and, by its deviation, noise."""
    x = image
    for i in range(3):
        x = s.conv(f"encoder.{i}.conv", x, stride=2, padding=1)
        x = F.relu(s.norm(f"encoder.{i}.bn", x))
    mean, log_variance = s.conv("encoder.3", x).tensor_split(2, 1)
    x = mean + torch.sqrt(torch.exp(log_variance)) * noise
    for i in range(3):
        x = s.up(f"decoder.{i}.conv", x, stride=2, padding=1)
        x = F.relu(s.norm(f"decoder.{i}.bn", x))
    x = torch.sigmoid(s.conv("decoder.3", x, padding=1))
    return x[:, :, : image.shape[2], : image.shape[3]], mean, log_variance


def siamese(s: State, *pair: Any) -> Any:
    def twin(x: Any) -> Any:
        for i in range(1, 5):
            x = F.relu(s.conv(f"twin.conv{i}", x))
            x = F.max_pool2d(x, 2) if i < 4 else x
        return torch.sigmoid(s.linear("twin.fc", x.flatten(1)))

    return torch.sigmoid(s.linear("out", torch.abs(twin(pair[0]) - twin(pair[1]))))


def sound(s: State, x: Any) -> Any:
    for i in range(1, 5):
        x = s.conv(f"conv{i}", x, **({"stride": 4, "padding": 38} if i == 1 else {"padding": 1}))
        x = F.max_pool1d(F.relu(s.norm(f"bn{i}", x)), 4)
    return s.linear("fc", x.mean(-1))


def autoencoder(s: State, x: Any) -> tuple[Any, Any]:
    def layers(name: str, x: Any) -> Any:
        for i in range(0, 8, 2):
            x = s.linear(f"{name}.{i}", x if i == 0 else torch.sigmoid(x))
        return x

    code = layers("encoder", x.flatten(1))
    return code, torch.sigmoid(layers("decoder", code)).view(x.shape)


def twice(s: State, path: str, x: Any) -> Any:
    for i in "12":
        x = F.relu(s.norm(f"{path}.norm{i}", s.conv(f"{path}.conv{i}", x, padding=1)))
    return x


def unet3d(s: State, x: Any) -> Any:
    skips = []
    for i in range(4):
        x = twice(s, f"down{i}", F.max_pool3d(x, 2) if i else x)
        skips.append(x)
    for i in range(1, 4):
        skip = skips[3 - i]
        x = s.up(f"up{i}.up", x, stride=2)
        skip = skip[:, :, : x.shape[2], : x.shape[3], : x.shape[4]]
        x = twice(s, f"up{i}.conv", torch.cat([skip, x], 1))
    return s.conv("head", x)


def unet_plus_plus(s: State, x: Any) -> Any:
    """x[i][j] takes x[i][0], ..., x[i][j - 1] and x[i + 1][j - 1] enlarged."""
    nodes: dict[tuple[int, int], Any] = {}
    number = 0
    for i in range(5):
        path = "x00" if i == 0 else f"x{i}0.conv"
        nodes[i, 0] = twice(s, path, F.max_pool2d(nodes[i - 1, 0], 2) if i else x)
    for j in range(1, 5):
        for i in range(5 - j):
            number += 1
            size = nodes[i, 0].shape[2:]
            below = F.interpolate(nodes[i + 1, j - 1], size=size, mode="bilinear")
            row = [nodes[i, k] for k in range(j)]
            nodes[i, j] = twice(s, f"node{number}.conv", torch.cat([*row, below], 1))
    masks = [torch.sigmoid(s.conv(f"head{j}", nodes[0, j])) for j in range(1, 5)]
    return sum(masks) / 4


def segnet(s: State, x: Any) -> Any:
    """Figure 2 of the paper: each place of a maximum takes the value that comes back, all else 0."""
    pooled = []
    number = 0
    for depth in (2, 2, 3, 3, 3):
        for _ in range(depth):
            x = s.conv(f"features.{number}", x, padding=1)
            x = F.relu(s.norm(f"features.{number + 1}", x))
            number += 3
        shape = x.shape
        x, places = F.max_pool2d(x, 2, return_indices=True)
        pooled.append((shape, places))
        number += 1
    for level in range(5, 0, -1):
        (*_, height, width), places = pooled[level - 1]
        spread = x.new_zeros(*x.shape[:2], height * width)
        x = spread.scatter(2, places.flatten(2), x.flatten(2)).unflatten(2, (height, width))
        for i in range(1, 2 if level == 1 else 3 if level == 2 else 4):
            path = f"decoder{level}"
            x = F.relu(s.norm(f"{path}.batchnorm{i}", s.conv(f"{path}.conv{i}", x, padding=1)))
    return s.conv("classifier", x, padding=1)


def test_the_encoder_of_segnet_is_that_of_torchvision() -> None:
    ours = netdsl.load(example("segnet")).torch().state_dict()
    theirs = torchvision_models().vgg16_bn(weights=None).features.state_dict()
    assert {f"features.{k}": v.shape for k, v in theirs.items()} == {
        k: v.shape for k, v in ours.items() if k.startswith("features.")
    }


CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], list[dict[str, int]]]] = {
    "alexnet_paper": (alexnet, {"classes": 4}, [{}]),
    "cgan_generator": (generator, {}, [{}]),
    "vae": (vae, {"width": 4}, [{"H": 8, "W": 17}, {"H": 41, "W": 2}]),
    "siamese": (siamese, {}, [{}]),
    "audio_1d": (sound, {}, [{"L": 1024}, {"L": 4111}]),
    "autoencoder": (autoencoder, {}, [{}]),
    "segnet": (segnet, {"width": 4}, [{"H": 32, "W": 64}, {"H": 53, "W": 47}]),
    "unet3d": (unet3d, {"width": 4}, [{"D": 8, "H": 8, "W": 8}, {"D": 17, "H": 10, "W": 24}]),
    "unet_plus_plus": (unet_plus_plus, {"width": 4}, [{"H": 16, "W": 16}, {"H": 35, "W": 50}]),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_equal(name: str) -> None:
    function, params, sizes = CASES[name]
    network = netdsl.load(example(name), params=params)
    torch.manual_seed(0)
    module = restless(network.torch(seed=0))
    state = State(module)
    for at in sizes:
        inputs = random_inputs(network, at, 2)
        with torch.no_grad():
            found, expected = module(*inputs), function(state, *inputs)
        pairs = (
            zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
        )
        for mine, other in pairs:
            scale = float(other.abs().max())
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-5 * scale)
    assert state.all_used()


BLOCKS = """
use std.fpn (PAN)

net Blocks {
    input a: [4, H, W]
    input b: [4, P, Q]
    input c: [4, R, S]
    (fine, middle, coarse) = (a, b, c) -> pan: PAN(4)
    output n2 = fine
    output n3 = middle
    output n4 = coarse
}
"""


def paths(s: State, *maps: Any) -> list[Any]:
    """Liu et al. 2018, section 3.1: N2 is P2; each next N from the one before and P."""
    found = [maps[0]]
    for i, lateral in enumerate(maps[1:], 1):
        down = F.relu(s.conv(f"pan.down{i}", found[-1], stride=2, padding=1))
        found.append(F.relu(s.conv(f"pan.fuse{i}", down + lateral, padding=1)))
    return found


def test_path_aggregation() -> None:
    """Each map must be half of the one before, rounded up."""
    network = netdsl.loads(BLOCKS)
    module = restless(network.torch(seed=0))
    state = State(module)
    for sizes in ((8, 12, 4, 6, 2, 3), (9, 5, 5, 3, 3, 2), (1, 1, 1, 1, 1, 1)):
        at = dict(zip("HWPQRS", sizes, strict=True))
        assert network.sizes.accepts(**at)
        maps = random_inputs(network, at, 2)
        with torch.no_grad():
            for mine, other in zip(module(*maps), paths(state, *maps), strict=True):
                torch.testing.assert_close(mine, other)
    assert state.all_used()
    assert not network.sizes.accepts(H=9, W=5, P=4, Q=3, R=2, S=2)


NUMBERS = {
    "alexnet_paper": (60_965_224, 724_406_816),  # Caffe's bvlc_alexnet
    "hrnet_w18": (21_299_004, 4_283_537_072),  # timm
    "siamese": (38_951_745, None),
    "autoencoder": (2_837_314, 2_833_000),
    "unet3d": (19_069_955, None),  # section 2.1 of the paper
    "unet_plus_plus": (9_159_780, None),  # the paper's 9.04 M are those of its learned enlargement
}


@pytest.mark.parametrize("name", NUMBERS)
def test_parameters_and_multiply_adds(name: str) -> None:
    parameters, macs = NUMBERS[name]
    network = examples.network(name)
    assert network.summary().parameters == parameters
    if macs is not None:
        sizes = dict.fromkeys(network.sizes.symbols, 224)
        assert netdsl.load(example(name), sizes=sizes).summary().macs == macs


CONTRACTS = {
    "vae": "any H, any W",
    "audio_1d": "any L >= 1024",
    "unet_plus_plus": "any H >= 16, any W >= 16",
    "unet3d": "any D >= 8, any H >= 8, any W >= 8",
    "hrnet_w18": "H and W mod 32 in {29, 30, 31, 0}, at least 29",
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_size_contracts(name: str) -> None:
    assert str(examples.network(name).sizes) == CONTRACTS[name]
