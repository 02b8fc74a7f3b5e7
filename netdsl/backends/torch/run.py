"""Arrays through the PyTorch module of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netdsl.backends.torch.load import torch_module
from netdsl.backends.weights.narrow import warn
from netdsl.backends.weights.numbers import weights_of
from netdsl.backends.weights.renaming import Rename
from netdsl.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np

    Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def torch_run(graph: Graph, weights: object, rename: Rename | None = None) -> Run:
    """A function of the inputs that gives the outputs at inference, each with a batch axis.

    Raises `DiagnosticError` for weights that are not the network's.
    """
    import torch

    loaded = weights_of(graph, weights, rename=rename)
    module = torch_module(graph, weights=loaded).eval()
    warn(loaded.remarks())

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            found = module(*(torch.from_numpy(array) for array in arrays))
        parts = [found] if torch.is_tensor(found) else [part for part in found if part is not None]
        return [part.numpy() for part in parts]

    return run
