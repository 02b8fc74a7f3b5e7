"""Runs modules that are layers of one's own with numbers, where the rest has none."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import nn

from netdsl.importers.torch.events import leaves, mapped
from netdsl.importers.torch.made import Made

DRAWS = ("normal", "zeros", "uniform")
"""Numbers that a module is run on: with all of them it must give the same shapes."""


class Unsteady(Exception):
    """A module does what no layer may do."""


def measured(module: nn.Module, made: Made) -> nn.Module:
    """A module whose parts that are layers of one's own give the shapes that numbers have there."""
    for path, one in module.named_modules():
        if type(one) in made.plugged:
            one.forward = _measured(one, made, path)
    return module


def _measured(one: nn.Module, made: Made, path: str) -> Callable[..., Any]:
    forward = one.forward

    @wraps(forward)
    def run(*arguments: Any, **keywords: Any) -> Any:
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            results = [
                _result(made.numbered.get_submodule(path), one.training, draw, arguments, keywords)
                for draw in DRAWS
            ]
        first, *others = (mapped(result, _type) for result in results)
        if any(other != first for other in others):
            raise Unsteady(f"`{path}` gives other shapes where other numbers come in")
        return mapped(results[0], _empty)

    return run


def _result(real: nn.Module, training: bool, draw: str, arguments: Any, keywords: Any) -> Any:
    module = copy.deepcopy(real).train(training)
    arguments, keywords = mapped((arguments, keywords), lambda one: _drawn(one, draw))
    tensors = [one for one in leaves((arguments, keywords)) if isinstance(one, torch.Tensor)]
    versions = [one._version for one in tensors]
    result = module(*arguments, **keywords)
    if [one._version for one in tensors] != versions:
        raise Unsteady("it changes in place what it takes: let it work on a copy")
    return result


def _drawn(one: Any, draw: str) -> Any:
    """An argument with numbers."""
    if not isinstance(one, torch.Tensor):
        return one
    if draw == "zeros":
        return torch.zeros(one.shape, dtype=one.dtype)
    if not one.is_floating_point():
        return torch.ones(one.shape, dtype=one.dtype)
    numbers = torch.randn(one.shape) if draw == "normal" else torch.rand(one.shape)
    return numbers.to(one.dtype)


def _type(one: Any) -> object:
    return (one.shape, one.dtype) if isinstance(one, torch.Tensor) else one


def _empty(one: Any) -> Any:
    if not isinstance(one, torch.Tensor):
        return one
    return torch.empty(one.shape, dtype=one.dtype, device="meta")
