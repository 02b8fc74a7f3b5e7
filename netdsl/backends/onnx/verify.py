"""Runs an exported file in ONNX Runtime beside the PyTorch module, at several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.torch.load import torch_module
from netdsl.backends.weights.numbers import Weights
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph, Input

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE, HALF_TOLERANCE = 1e-4, 3e-2
LEAST_HALF = -65504
BATCHES = (1, 3)
WANTED = ((96, 64), (127, 101), (224, 224))
"""Sizes that are asked for, symbol by symbol in turn; the nearest that work are taken."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: the sizes, the number of samples, and the greatest difference found.

    The difference is relative to the greatest finite number of the output; infinite where a
    runtime refuses, another shape comes out, or one gives a number and the other none: `why` tells.
    `finite` is whether any finite number was there to compare.
    """

    sizes: Mapping[str, int]
    batch: int
    difference: float
    why: str = ""
    finite: bool = True

    def __str__(self) -> str:
        sizes = "".join(f"{name} = {number}, " for name, number in self.sizes.items())
        said = self.why or ("" if self.finite else "no finite number comes out")
        return f"{sizes}batch {self.batch}: {said or f'{self.difference:.1e}'}"


def verify(
    graph: Graph, path: Path, weights: Weights, names: Mapping[str, str], batch: int | None
) -> Iterator[Trial]:
    """Run the file and the module at sizes of the contract, fixed seeds.

    Raises `ModuleNotFoundError` where torch or onnxruntime is not installed.
    """
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    module = torch_module(graph, weights=weights).eval()
    random = torch.Generator().manual_seed(0)
    for sizes in points(sizes_of(graph)):
        for samples in (batch,) if batch else BATCHES:
            inputs = [random_input(item, sizes, samples, random) for item in graph.inputs]
            feeds = {
                names.get(item.name, item.name): value.numpy()
                for item, value in zip(graph.inputs, inputs, strict=True)
            }
            results = [output for output in graph.outputs if not output.when_training]
            shapes = [(samples, *(evaluate(n, sizes) for n in r.shape)) for r in results]
            yield _trial(Trial(sizes, samples, 0.0), session, module, feeds, inputs, shapes)


def points(sizes: Sizes) -> list[dict[str, int]]:
    """The smallest sizes, odd ones, sizes that are not square; each once."""
    if not sizes.symbols:
        return [{}]
    found = [sizes.small() or {}]
    for pair in WANTED:
        wanted = {name: pair[i % 2] for i, name in enumerate(sizes.symbols)}
        found.append(sizes.nearest(**wanted).closest or {})
    unique = {tuple(point.items()): point for point in found if point}
    return list(unique.values())


def random_input(item: Input, sizes: dict[str, int], batch: int, random: Any) -> Tensor:
    """Normal floats; zeros and ones for whole numbers."""
    import torch

    shape = (batch, *(evaluate(size, sizes) for size in item.shape))
    dtype = getattr(torch, item.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=random).to(dtype)
    return torch.randint(0, 2, shape, generator=random).to(dtype)


def _trial(
    start: Trial,
    session: Any,
    module: nn.Module,
    feeds: dict[str, Any],
    inputs: list[Tensor],
    shapes: list[tuple[int, ...]],
) -> Trial:
    """What a run of both gives; `shapes` are those that the network promises."""
    import torch

    try:
        ours = session.run(None, feeds)
    except Exception as error:  # the runtime has exceptions of its own, without a common kind
        return replace(start, difference=inf, why=f"ONNX Runtime refuses: {error!s:.300}")
    with torch.no_grad():
        theirs = module(*inputs)
    outputs = [theirs] if torch.is_tensor(theirs) else [part for part in theirs if part is not None]
    worst, finite = 0.0, False
    for shape, wanted, array in zip(shapes, outputs, ours, strict=True):
        found = torch.from_numpy(array)
        for name, given in ("PyTorch", wanted), ("ONNX Runtime", found):
            if given.shape != shape:
                why = f"{name} gives the shape {list(given.shape)}, not {list(shape)}"
                return replace(start, difference=inf, why=why)
        worst = max(worst, difference(wanted, found))
        finite = finite or bool(wanted.isfinite().any()) or not wanted.numel()
    return replace(start, difference=worst, finite=finite)


def difference(wanted: Tensor, found: Tensor) -> float:
    """The greatest, of the greatest finite number; infinite where one has a number, one none."""
    import torch

    if not wanted.numel():
        return 0.0
    known = wanted[wanted.isfinite()]
    scale = float(known.abs().max()) if known.numel() else 1.0
    same = (wanted == found) | (wanted.isnan() & found.isnan())
    # a window that holds padding alone: PyTorch says -inf, ONNX Runtime the least number
    same = same | (wanted.isneginf() & (found <= LEAST_HALF))
    apart = torch.where(same, 0.0, (wanted - found).abs().double())
    return float(apart.nan_to_num(inf, inf).max()) / (scale or 1.0)
