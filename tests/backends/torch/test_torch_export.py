"""Generated modules go through `torch.export` and `torch.onnx.export`, sizes left open."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.examples import OPEN, random_inputs, slim

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

LARGE = (150, 201), (96, 128), (224, 160)
"""Sizes at which no map has a single cell: exporters take an axis of 1 for another case."""
PAIRS = {
    "diffusion_unet": ((30, 41), (25, 36), (52, 18)),
    "hourglass": ((128, 192), (192, 256), (256, 128)),
    "inception_v3": ((250, 301), (196, 228), (324, 260)),
    "swin_t": ((150, 190), (128, 160), (178, 180)),
    "unet3d": ((52, 76), (60, 68), (44, 92)),
    "vae": ((150, 201), (99, 130), (220, 165)),
}
"""Where PyTorch's guards split the sizes into more cases (an axis of 1, a shift where a map has
more than one window, equal counts of cells): sizes of one case. It refuses the others. And where
all cells look at each other, which takes long."""
FIVE_AXES = {"llama"}
"""Attention with groups of heads: PyTorch's exporter to ONNX takes queries of four axes alone."""
STEP = {"hourglass": 64}
"""Where PyTorch has to be told that sizes are multiples."""


def points(name: str, network: netdsl.Network) -> list[dict[str, int]]:
    symbols = network.sizes.symbols
    pairs = PAIRS.get(name, LARGE)
    wanted = [{symbol: pair[i % 2] for i, symbol in enumerate(symbols)} for pair in pairs]
    found = [network.sizes.nearest(**point).closest for point in wanted]
    return [point for point in found if point]


def open_axes(name: str, network: netdsl.Network) -> tuple[dict[int, Any], ...]:
    """Of each input the batch, and what its sizes leave open."""
    from torch.export import Dim

    def size_of(axis: int) -> Any:
        return STEP[name] * Dim(f"n{axis}", min=1, max=64) if name in STEP else Dim.DYNAMIC

    return tuple(
        {
            0: Dim.DYNAMIC,
            **{n: size_of(n) for n, d in enumerate(x.shape, 1) if not isinstance(d, int)},
        }
        for x in network.inputs
    )


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
    given = tuple(random_inputs(network, start, 2))
    program = torch.export.export(module, given, dynamic_shapes=open_axes(name, network))
    exported = program.module()
    for sizes in others:
        xs = random_inputs(network, sizes, 3)
        with torch.no_grad():
            found, wanted = first(exported(*xs)), first(module(*xs))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", all_but("squeezenet1_1", "upsample_any"))
def test_onnx_by_dynamo(name: str, tmp_path: Path) -> None:
    if name in FIVE_AXES:
        pytest.skip("PyTorch's exporter refuses it")
    network = slim(name)
    module = network.torch(seed=0).eval()
    start, *others = points(name, network)
    path = tmp_path / "a.onnx"
    torch.onnx.export(
        module,
        tuple(random_inputs(network, start, 2)),
        str(path),
        dynamo=True,
        dynamic_shapes=open_axes(name, network),
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    running = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    entries = [entry.name for entry in running.get_inputs()]
    for sizes in others:
        xs = random_inputs(network, sizes, 3)
        given = {entry: x.numpy() for entry, x in zip(entries, xs, strict=True)}
        (found, *_) = running.run(None, given)
        with torch.no_grad():
            wanted = first(module(*xs))
        torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-3, atol=1e-4)
