"""Runs an exported file in ONNX Runtime beside the PyTorch module, at several sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from netdsl.backends.onnx.export import Draft
from netdsl.backends.onnx.run import session
from netdsl.backends.torch.load import torch_module
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Input

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST_HALF = -65504
LEVELS = {"uint8": 256}
"""How many whole numbers of a type are drawn, from 0 on; 2 of others."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: the sizes, the number of samples, and the greatest difference found.

    The difference is relative to the greatest finite number of the output; infinite where a
    runtime refuses, another shape comes out, or one gives a number and the other none: `why` tells.
    `blank` are the outputs without a finite number to compare; `all_nan` is whether every number
    of every output is nan.
    """

    sizes: Mapping[str, int]
    batch: int
    difference: float
    why: str = ""
    blank: tuple[str, ...] = ()
    all_nan: bool = False

    @property
    def at(self) -> str:
        sizes = "".join(f"{name} = {number}, " for name, number in self.sizes.items())
        return f"{sizes}batch {self.batch}"

    def __str__(self) -> str:
        outcome = self.why or f"{self.difference:.1e}"
        if self.blank and not self.why:
            outcome += f", no finite number comes out of {', '.join(self.blank)}"
        return f"{self.at}: {outcome}"


def verify(draft: Draft, runs: Iterable[tuple[Mapping[str, int], int]]) -> Iterator[Trial]:
    """Run a file and the module at sizes and numbers of samples, fixed seeds.

    Raises `ModuleNotFoundError` where torch or onnxruntime is not installed.
    """
    import torch

    running = session(draft.path)
    module = torch_module(draft.graph, weights=draft.weights).eval()
    random = torch.Generator().manual_seed(0)
    results = draft.graph.inference_outputs
    for sizes, samples in runs:
        inputs = [random_input(item, sizes, samples, random) for item in draft.graph.inputs]
        feeds = {
            draft.options.name_of(item.name): value.numpy()
            for item, value in zip(draft.graph.inputs, inputs, strict=True)
        }
        shapes = {r.name: (samples, *(evaluate(n, sizes) for n in r.shape)) for r in results}
        yield _trial(Trial(sizes, samples, 0.0), running, module, feeds, inputs, shapes)


def random_input(item: Input, sizes: Mapping[str, int], batch: int, random: Any) -> Tensor:
    """Normal floats, all levels of an image, zeros and ones for other whole numbers."""
    import torch

    shape = (batch, *(evaluate(size, sizes) for size in item.shape))
    dtype = getattr(torch, item.dtype)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=random).to(dtype)
    return torch.randint(0, LEVELS.get(item.dtype, 2), shape, generator=random).to(dtype)


def _trial(
    start: Trial,
    running: Any,
    module: nn.Module,
    feeds: dict[str, Any],
    inputs: list[Tensor],
    shapes: Mapping[str, tuple[int, ...]],
) -> Trial:
    """What a run of both gives; `shapes` are those that the network promises."""
    import torch

    try:
        ours = running.run(None, feeds)
    except Exception as error:  # the runtime has exceptions of its own, without a common kind
        return replace(start, difference=inf, why=f"ONNX Runtime refuses: {error!s:.300}")
    with torch.no_grad():
        theirs = module(*inputs)
    outputs = [theirs] if torch.is_tensor(theirs) else [part for part in theirs if part is not None]
    worst = 0.0
    for shape, wanted, array in zip(shapes.values(), outputs, ours, strict=True):
        result = torch.from_numpy(array)
        for name, tensor in ("PyTorch", wanted), ("ONNX Runtime", result):
            if tensor.shape != shape:
                why = f"{name} gives the shape {list(tensor.shape)}, not {list(shape)}"
                return replace(start, difference=inf, why=why)
        worst = max(worst, difference(wanted, result))
    blank = [name for name, x in zip(shapes, outputs, strict=True) if _is_blank(x)]
    all_nan = all(bool(x.isnan().all()) for x in outputs)
    return replace(start, difference=worst, blank=tuple(blank), all_nan=all_nan)


def _is_blank(output: Tensor) -> bool:
    return bool(output.numel()) and not bool(output.isfinite().any())


def difference(wanted: Tensor, result: Tensor) -> float:
    """The greatest, of the greatest finite number; infinite where one has a number, one none."""
    import torch

    if not wanted.numel():
        return 0.0
    finite = wanted[wanted.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 1.0
    same = (wanted == result) | (wanted.isnan() & result.isnan())
    # a window that holds padding alone: PyTorch says -inf, ONNX Runtime the least number
    same = same | (wanted.isneginf() & (result <= LEAST_HALF))
    apart = torch.where(same, 0.0, (wanted.double() - result.double()).abs())
    return float(apart.nan_to_num(inf, inf).max()) / (scale or 1.0)
