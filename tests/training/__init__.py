"""Networks, images and runs that the tests of training share."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest

import netdsl

pytest.importorskip("torch")
for _name in ("lightning", "torchvision", "PIL"):
    if not any((Path(p) / _name).is_dir() for p in sys.path):  # without importing it yet
        pytest.skip(f"needs {_name}", allow_module_level=True)

from tests.torchvision_models import torchvision_models  # noqa: E402

torchvision_models()

ROOT = Path(__file__).resolve().parents[2]
RESTLESS = """
net Restless(classes: int = 2) {
    input image: [3, H, W]
    output scores = image -> conv: conv(4, 3, stride=2, padding=1) -> bn: batchnorm -> relu -> dropout(0.3)
        -> global_avgpool -> fc: linear(classes)
}
"""
"""Its batch normalisation and its dropout make whatever is not repeated exactly show."""
QUIET = """
net Quiet(classes: int = 2) {
    input image: [3, H, W]
    a = image -> conv: conv(4, 3, stride=2, padding=1) -> relu
    output scores = a -> conv2: conv(6, 3, padding=1) -> relu -> global_avgpool -> fc: linear(classes)
    output aux = a -> global_avgpool -> aux: linear(classes) when training
}
"""
MAPS = """
net Maps(classes: int = 3) {
    input image: [3, H, W]
    output scores = image -> conv: conv(8, 3, padding=1) -> relu -> head: conv(classes, 1)
}
"""


def restless() -> netdsl.Network:
    return netdsl.loads(RESTLESS, name="restless.net")


def quiet() -> netdsl.Network:
    return netdsl.loads(QUIET, name="quiet.net")


def write_images(
    folder: Path, levels: dict[str, int], count: int, size: tuple[int, int] = (20, 24)
) -> None:
    """A folder for each class with PNG files of noise about a level."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(sum(levels.values()) + count)
    for name, level in levels.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = draw.integers(-30, 31, (*size, 3)) + level
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{number}.png"
            )


def rows(path: Path) -> list[dict[str, str]]:
    """A table of a run, without its times."""
    with open(path, encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def files_of(run: Path) -> dict[str, Any]:
    """All numbers of a run, to be compared with those of another."""
    import torch

    checkpoint = torch.load(run / "last.ckpt", weights_only=True)
    return {
        "best": (run / "best.safetensors").read_bytes(),
        "log": rows(run / "log.csv"),
        "accuracy": rows(run / "accuracy.csv"),
        "weights": {key: value.tolist() for key, value in checkpoint["state_dict"].items()},
        "optimizer": repr(checkpoint["optimizer_states"]),
        "step": checkpoint["global_step"],
    }
