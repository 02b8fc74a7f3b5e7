"""A module run with numbers, to compare with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import torch

from netdsl.importers.torch.made import Made


def runs_of(made: Made, names: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What gives the outputs of a module at inference, for arrays by these names of parameters."""

    def run(arrays: Sequence[Any]) -> Sequence[Any]:
        module = copy.deepcopy(made.numbered).eval()
        inputs = {n: torch.from_numpy(one) for n, one in zip(names, arrays, strict=True)}
        with torch.no_grad():
            results = module(**inputs)
        return [one.numpy() for one in dict.fromkeys(tensors(results))]

    return run


def tensors(results: object) -> Iterator[torch.Tensor]:
    """The tensors of a result, in order."""
    if isinstance(results, torch.Tensor):
        yield results
    elif isinstance(results, Mapping):
        for one in cast("Mapping[Any, object]", results).values():
            yield from tensors(one)
    elif isinstance(results, tuple | list):
        for one in cast("Sequence[object]", results):
            yield from tensors(one)
