"""Published model files at all their scales, against the tables of ultralytics itself."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import pytest

import netdsl
from netdsl import DiagnosticError
from netdsl.diagnostics import Source
from netdsl.importers.ultralytics import network_of
from netdsl.importers.ultralytics.document import document
from netdsl.importers.ultralytics.network import UNSAID
from netdsl.importers.ultralytics.rows import model
from netdsl.ir.dim import substitute
from tests import corpus

TABLE = corpus.table("ultralytics", "reference")
VARIANTS = [(file, scale) for file, entry in TABLE.items() for scale in entry["variants"]]
COUNTED = {
    "aten.silu.default": "silu",
    "aten.native_batch_norm.default": "batchnorm",
    "aten.max_pool2d_with_indices.default": "maxpool",
    "aten.upsample_nearest2d.default": "upsample",
}
"""Operators that PyTorch counted in a run, and the layers that they are."""

pytestmark = corpus.NEEDED


def of(file: str, scale: str) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """A file, its settings, and what the table says of it."""
    entry = TABLE[file]["variants"][scale]
    settings = {"nc": str(entry["nc"])}
    if TABLE[file]["scales"]:
        settings["scale"] = scale
    return corpus.FOLDER / "ultralytics" / file, settings, entry


def is_read(entry: dict[str, Any]) -> bool:
    return entry["layers"][-1]["type"] not in UNSAID


@pytest.mark.one_in(8)
@pytest.mark.parametrize(("file", "scale"), VARIANTS)
def test_layers_give_the_shapes_of_the_table(file: str, scale: str) -> None:
    """All layers; behind a head that is not read there are none."""
    path, settings, entry = of(file, scale)
    if any(layer["type"] == "TorchVision" for layer in entry["layers"]):
        with pytest.raises(DiagnosticError, match="TorchVision is a model of another library"):
            netdsl.load(path, params=settings)
        return
    described = model(document(Source(str(path), path.read_text())), settings, path.stem)
    network = network_of(described, with_head=is_read(entry))
    layers = entry["layers"] if is_read(entry) else entry["layers"][:-1]
    for layer, results in zip(layers, network.results, strict=False):
        shapes = [
            [
                1,
                *(
                    substitute(size, {"H": 640, "W": 640, "T": 80})
                    for size in network.net.shape(one)
                ),
            ]
            for one in results
        ]
        assert all(shape in shapes_in(layer["out"]) for shape in shapes), layer


def shapes_in(value: Any) -> list[list[int]]:
    """The shapes in what a layer gave."""
    if isinstance(value, dict):
        return [shape for one in value.values() for shape in shapes_in(one)]
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return [value]
    return [shape for one in value or [] for shape in shapes_in(one)]


@pytest.mark.one_in(50)
@pytest.mark.parametrize(("file", "scale"), VARIANTS)
def test_layers_have_the_numbers_of_the_table(file: str, scale: str) -> None:
    """The numbers of each layer, and how often what cannot be seen in them was computed."""
    path, settings, entry = of(file, scale)
    if any(layer["type"] == "TorchVision" for layer in entry["layers"]):
        return
    settings["head"] = "true" if is_read(entry) else "false"
    network = netdsl.load(path, params=settings)
    numbers: Counter[int] = Counter()
    for node in {node.layer: node for node in network.graph.nodes()}.values():
        for weight in node.layer.weights:
            key = f"{node.path}.{weight.key}".strip(".")
            if not weight.key.startswith(("running_", "num_batches")):
                numbers[int(key.split(".")[1])] += prod(weight.shape)
    layers = entry["layers"] if is_read(entry) else entry["layers"][:-1]
    for layer in layers:
        assert numbers[layer["index"]] == layer["params"], layer
    if is_read(entry):
        assert sum(numbers.values()) == entry["params"]
        ours = Counter(node.op.name for node in network.graph.nodes())
        assert {name: ours[name] for name in COUNTED.values()} == {
            name: entry["aten"].get(operator, 0) for operator, name in COUNTED.items()
        }


@pytest.mark.full
@pytest.mark.parametrize("file", [file for file, scale in VARIANTS[::9] if scale])
def test_every_size_that_pytorch_takes(file: str) -> None:
    """Steps of 32 are what all these networks take."""
    path, settings, entry = of(file, next(iter(TABLE[file]["variants"])))
    if not is_read(entry) or "12" in file or entry["layers"][0]["type"] == "TorchVision":
        return
    network = netdsl.load(path, params=settings)
    assert network.sizes.accepts(H=640, W=640)
    assert network.sizes.accepts(H=320, W=448)
