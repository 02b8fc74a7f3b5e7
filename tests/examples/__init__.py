"""The networks in examples/, each compared with what others say of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import netdsl
from netdsl.ir.dim import evaluate

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.net"))
FIXED = {
    "alexnet_paper", "autoencoder", "cgan_generator", "conv27", "googlenet_paper", "inverse_digits", "lenet",
    "maxvit_t", "mtcnn_onet", "mtcnn_rnet", "rgb6", "siamese", "vit_b_16",
}  # fmt: skip
OPEN = [name for name in NAMES if name not in FIXED]
"""Those whose sizes are given, and those with size symbols."""
SLIM = {
    "hrnet_w18": {"width": 4, "depth": 1},
    "bert": {"words": 30, "width": 24, "depth": 2},
    "crnn": {"hidden": 16},
    "diffusion_unet": {"widths": [16, 16, 32, 32], "heads": 4, "features": 24, "groups": 8},
    "detr": {"width": 32, "depth": 2, "blocks": [1, 1, 1, 1]},
    "maxvit_t": {"width": 32, "blocks": [1, 1, 1, 1]},
    "pnasnet": {"width": 16},
    "segnet": {"width": 8},
    "swin_t": {"width": 24},
    "swin_v2_t": {"width": 24},
    "unet3d": {"width": 4},
    "vit_small_patch16_dinov3": {"features": 48, "heads": 3, "depth": 2},
    "vit_b_16": {"depth": 2, "features": 48},
}
"""Arguments that make a network run in no time where one run of the whole takes seconds."""
LARGEST_RUN = 4e9
MOST_PARAMETERS = 500_000_000
LARGEST_SIZE = 200
RANDOM_PAIRS = 500


def example(name: str) -> Path:
    """The file of an example."""
    return FOLDER / f"{name}.net"


@cache
def network(name: str) -> netdsl.Network:
    """An example as it is in its file; made once, for all tests that only read it."""
    return netdsl.load(example(name))


@cache
def slim(name: str) -> netdsl.Network:
    """The same, with fewer channels where it is a large one."""
    return netdsl.load(example(name), params=SLIM[name]) if name in SLIM else network(name)


def held(name: str, sizes: dict[str, int] | None = None) -> netdsl.Network:
    """As it is in its file, at some size; with fewer channels if all its weights would take too long."""
    params = SLIM[name] if network(name).parameters > MOST_PARAMETERS else {}
    if sizes is None:
        return slim(name) if params else network(name)
    return netdsl.load(example(name), params=params, sizes=sizes)


def affordable(network: netdsl.Network, most: int) -> int:
    """The largest size up to `most` at which one run is at most `LARGEST_RUN` multiply-adds."""
    macs = network.summary().macs
    while evaluate(macs, dict.fromkeys(network.sizes.symbols, most)) > LARGEST_RUN:
        most = most * 3 // 4
    return most


def random_inputs(network: netdsl.Network, sizes: dict[str, int], batch: int) -> list[Any]:
    """Random inputs of these sizes: all levels of images, other whole numbers are 0 or 1."""
    import torch

    found = []
    for item in network.inputs:
        shape = (batch, *(evaluate(d, sizes) for d in item.shape))
        most = 256 if item.dtype == "uint8" else 2
        numbers = (
            torch.randn(shape) if item.dtype.startswith("float") else torch.randint(0, most, shape)
        )
        found.append(numbers.to(getattr(torch, item.dtype)))
    return found


def restless(module: Any) -> Any:
    """In evaluation mode, with numbers in place of the zeros and ones that it begins with."""
    import torch

    with torch.no_grad():
        for key, value in module.state_dict().items():
            if "running_var" in key:
                value.uniform_(0.5, 1.5)
            elif value.is_floating_point() and (value.ndim == 1 or not value.any()):
                value.normal_(0.2, 0.3)
    return module.eval()


def norm_constants(module: Any) -> dict[str, tuple[float, float | None]]:
    """The eps and the momentum of each normalisation, by its path."""
    found = {}
    for path, part in module.named_modules():
        if hasattr(part, "eps"):
            momentum = getattr(part, "momentum", None)
            found[path] = part.eps, momentum and round(momentum, 12)
    return found


def sizes_to_try(network: netdsl.Network) -> list[tuple[int, int]]:
    """Each axis of a picture at every size while the other stays at a legal one, and random pairs."""
    legal = network.sizes.nearest(H=96, W=96).closest
    assert legal is not None
    every, draw = range(1, LARGEST_SIZE + 1), Random(network.graph.name)
    return [
        *((size, legal["W"]) for size in every),
        *((legal["H"], size) for size in every),
        *((draw.choice(every), draw.choice(every)) for _ in range(RANDOM_PAIRS)),
    ]


def runs(model: Any, height: int, width: int) -> bool:
    """Whether a model on the meta device takes a picture of this size."""
    import torch

    try:
        with torch.no_grad():
            model(torch.empty(1, 3, height, width, device="meta"))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True
