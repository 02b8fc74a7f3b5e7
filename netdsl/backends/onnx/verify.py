"""Runs an exported file in ONNX Runtime beside the PyTorch module, at several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
BATCHES = (1, 3)
WANTED = ((96, 64), (127, 101), (224, 224))
"""Sizes that are asked for, symbol by symbol in turn; the nearest that work are taken."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: the sizes, the number of samples, and the greatest difference found.

    The difference is relative to the greatest number of the output; infinite where a runtime
    refuses or another shape comes out.
    """

    sizes: Mapping[str, int]
    batch: int
    difference: float

    def __str__(self) -> str:
        sizes = "".join(f"{name} = {number}, " for name, number in self.sizes.items())
        return f"{sizes}batch {self.batch}: {self.difference:.1e}"


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
            yield Trial(sizes, samples, _difference(session, module, feeds, inputs))


def points(sizes: Sizes) -> list[dict[str, int]]:
    """The smallest sizes, odd ones, sizes that are not square; each once."""
    if not sizes.symbols:
        return [{}]
    found = [sizes.smallest() or {}]
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


def _difference(
    session: Any, module: nn.Module, feeds: dict[str, Any], inputs: list[Tensor]
) -> float:
    import torch

    try:
        ours = session.run(None, feeds)
    except Exception:  # the runtime has exceptions of its own, without a common kind
        return float("inf")
    with torch.no_grad():
        theirs = module(*inputs)
    outputs = [theirs] if torch.is_tensor(theirs) else [part for part in theirs if part is not None]
    worst = 0.0
    for wanted, array in zip(outputs, ours, strict=True):
        found = torch.from_numpy(array)
        if found.shape != wanted.shape:
            return float("inf")
        scale = float(wanted.abs().max()) or 1.0
        # a window that holds padding alone: PyTorch says -inf, ONNX Runtime the least number
        if wanted.is_floating_point():
            wanted = wanted.clamp(min=torch.finfo(wanted.dtype).min)
        same = (wanted == found) | (wanted.isnan() & found.isnan())
        apart = torch.where(same, 0.0, (wanted - found).abs().double())
        worst = max(worst, float(apart.max()) / scale if apart.numel() else 0.0)
    return worst if worst == worst else float("inf")
