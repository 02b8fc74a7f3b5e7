"""Generated modules go through `torch.export` and `torch.onnx.export`, sizes left open."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.examples import slim

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

FULL = bool(os.environ.get("NETDSL_FULL"))
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SAMPLED = ("sppnet", "unet16", "resnet18", "squeezenet1_1", "upsample_any", "googlenet")
SYMBOLIC = [p.stem for p in sorted(EXAMPLES.glob("*.net")) if netdsl.load(p).sizes.symbols]
NAMES = SYMBOLIC if FULL else SAMPLED
LARGE = (150, 201), (96, 128), (224, 160)
"""Sizes at which no map has a single cell: exporters take an axis of 1 for another case."""


def points(network: netdsl.Network) -> list[dict[str, int]]:
    symbols = network.sizes.symbols
    wanted = [{name: pair[i % 2] for i, name in enumerate(symbols)} for pair in LARGE]
    found = [network.sizes.nearest(**point).closest for point in wanted]
    return [point for point in found if point]


def image(network: netdsl.Network, sizes: dict[str, int], batch: int):
    return torch.randn(batch, *(evaluate(d, sizes) for d in network.inputs[0].shape))


def open_axes(network: netdsl.Network):
    from torch.export import Dim

    return (dict.fromkeys((0, *range(2, len(network.inputs[0].shape) + 1)), Dim.DYNAMIC),)


def first(found):
    return found if torch.is_tensor(found) else found[0]


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", NAMES)
def test_torch_export(name: str) -> None:
    network = slim(name)
    module = network.torch(seed=0).eval()
    start, *others = points(network)
    program = torch.export.export(
        module, (image(network, start, 2),), dynamic_shapes=open_axes(network)
    )
    exported = program.module()
    for sizes in others:
        x = image(network, sizes, 3)
        with torch.no_grad():
            torch.testing.assert_close(first(exported(x)), first(module(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_onnx_by_dynamo(name: str, tmp_path: Path) -> None:
    network = slim(name)
    module = network.torch(seed=0).eval()
    start, *others = points(network)
    path = tmp_path / "a.onnx"
    torch.onnx.export(
        module,
        (image(network, start, 2),),
        str(path),
        dynamo=True,
        dynamic_shapes=open_axes(network),
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    running = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (entry,) = running.get_inputs()
    for sizes in others:
        x = image(network, sizes, 3)
        (found, *_) = running.run(None, {entry.name: x.numpy()})
        with torch.no_grad():
            wanted = first(module(x))
        torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-3, atol=1e-4)
