"""Generated modules go through `torch.export` and `torch.onnx.export`, sizes left open."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from tests.examples import OPEN, slim

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

LARGE = (150, 201), (96, 128), (224, 160)
"""Sizes at which no map has a single cell: exporters take an axis of 1 for another case."""
PAIRS = {
    "hourglass": ((128, 192), (192, 256), (256, 128)),
    "inception_v3": ((250, 301), (196, 228), (324, 260)),
    "swin_t": ((150, 190), (128, 160), (178, 180)),
    "unet3d": ((52, 76), (60, 68), (44, 92)),
}
"""Where PyTorch's guards split the sizes into more cases (an axis of 1, a shift where a map has
more than one window, equal counts of cells): sizes of one case. It refuses the others."""
STEP = {"hourglass": 64}
"""Where PyTorch has to be told that sizes are multiples."""


def points(name: str, network: netdsl.Network) -> list[dict[str, int]]:
    symbols = network.sizes.symbols
    pairs = PAIRS.get(name, LARGE)
    wanted = [{symbol: pair[i % 2] for i, symbol in enumerate(symbols)} for pair in pairs]
    found = [network.sizes.nearest(**point).closest for point in wanted]
    return [point for point in found if point]


def image(network: netdsl.Network, sizes: dict[str, int], batch: int):
    return torch.randn(batch, *(evaluate(d, sizes) for d in network.inputs[0].shape))


def open_axes(name: str, network: netdsl.Network):
    from torch.export import Dim

    axes = range(2, len(network.inputs[0].shape) + 1)
    if name in STEP:
        return ({0: Dim.DYNAMIC, **{n: STEP[name] * Dim(f"n{n}", min=1, max=64) for n in axes}},)
    return (dict.fromkeys((0, *axes), Dim.DYNAMIC),)


def first(found):
    return found if torch.is_tensor(found) else found[0]


def all_but(*short: str) -> list[Any]:
    """Examples with open sizes, of which these few are in the short run."""
    return [pytest.param(n, marks=[] if n in short else pytest.mark.full) for n in OPEN]


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", all_but("sppnet", "unet16"))
def test_torch_export(name: str) -> None:
    network = slim(name)
    module = network.torch(seed=0).eval()
    start, *others = points(name, network)
    program = torch.export.export(
        module, (image(network, start, 2),), dynamic_shapes=open_axes(name, network)
    )
    exported = program.module()
    for sizes in others:
        x = image(network, sizes, 3)
        with torch.no_grad():
            torch.testing.assert_close(first(exported(x)), first(module(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", all_but("squeezenet1_1", "upsample_any"))
def test_onnx_by_dynamo(name: str, tmp_path: Path) -> None:
    network = slim(name)
    module = network.torch(seed=0).eval()
    start, *others = points(name, network)
    path = tmp_path / "a.onnx"
    torch.onnx.export(
        module,
        (image(network, start, 2),),
        str(path),
        dynamo=True,
        dynamic_shapes=open_axes(name, network),
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
