"""What was imported, run beside its source: the numbers that come out of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdsl.analyses.cost import multiply_adds
from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx.trials import points
from netdsl.backends.onnx.verify import random_input
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    Array = np.ndarray[Any, Any]

Runs = Callable[[Sequence["Array"]], Sequence["Array"]]
"""What a source computes of arrays with a batch axis, one for each input."""
TOLERANCE = 1e-5
MOST_WORK = 2 * 10**10
SAMPLES = 2
FIXED = 3
"""How often a network of one size is run."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run of both: the sizes, and the greatest difference.

    The difference is of the source's greatest number; `why` says what is wrong where there is none.
    """

    sizes: Mapping[str, int]
    difference: float
    why: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.why and self.difference <= TOLERANCE

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {size}" for name, size in self.sizes.items()) or "the one size"
        return f"{at}: {self.why or f'{self.difference:.1e}'}"


def comparisons(graph: Graph, module: nn.Module, runs: Runs) -> Iterator[Comparison]:
    """Run a graph's module, in evaluation mode, beside its source, at sizes of its contract.

    Where no size is open, three random inputs are run.
    """
    import torch

    random, macs = torch.Generator().manual_seed(0), multiply_adds(graph)
    places = points(sizes_of(graph), lambda point: evaluate(macs, point) * SAMPLES <= MOST_WORK)
    for sizes in places if graph.symbols else [{}] * FIXED:
        inputs = [random_input(item, sizes, SAMPLES, random) for item in graph.inputs]
        with torch.no_grad():
            ours = module(*inputs)
        ours = [ours] if torch.is_tensor(ours) else [one for one in ours if one is not None]
        theirs = list(runs([one.numpy() for one in inputs]))
        yield _compared(sizes, [one.numpy() for one in ours], theirs)


def _compared(sizes: Mapping[str, int], ours: list[Array], theirs: list[Array]) -> Comparison:
    import numpy as np

    shapes = [[list(one.shape) for one in several] for several in (ours, theirs)]
    if shapes[0] != shapes[1]:
        return Comparison(sizes, 0.0, f"shapes {shapes[0]}, and {shapes[1]} of the source")
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        if same.all():
            continue
        if (
            not np.isfinite(np.where(same, 0, a)).all()
            or not np.isfinite(np.where(same, 0, b)).all()
        ):
            return Comparison(sizes, 0.0, "one gives a number where the other gives none")
        greatest = float(np.abs(np.where(np.isfinite(b), b, 0)).max()) or 1.0
        gap = np.abs(np.where(same, 0, a).astype(np.float64) - np.where(same, 0, b))
        worst = max(worst, float(gap.max()) / greatest)
    return Comparison(sizes, worst)
