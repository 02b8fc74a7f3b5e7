"""A live PyTorch function from an op's recipe, without the printer in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Ins,
    Setting,
    SizeOf,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchWeight,
)

FOLDS = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "**": torch.pow,
    ">": torch.gt,
    "<": torch.lt,
    "==": torch.eq,
    "torch.maximum": torch.maximum,
    "torch.minimum": torch.minimum,
}


def realise(recipe: TorchRecipe, made: nn.Module | None = None) -> Callable[..., Any]:
    """What the recipe says, as a function of tensors; makes its module if none is given."""
    if isinstance(recipe, TorchModule):
        module = made or make_module(recipe)
        return lambda *xs: _pick(_invoke(module, recipe, xs), recipe.item)
    assert isinstance(recipe, TorchCall)
    return lambda *xs: _pick(_call(recipe, xs), recipe.item)


def make_module(recipe: TorchModule | TorchWeight) -> nn.Module:
    """The module of a recipe, in evaluation mode."""
    assert isinstance(recipe, TorchModule)
    if recipe.helper:
        home: Any = import_module(f"netdsl.backends.torch.helpers.{recipe.helper}")
        target = getattr(home, recipe.target)
    else:
        target = getattr(nn, recipe.target.removeprefix("nn."))
    args = [_value(a, ()) for a in recipe.args]
    return target(*args, **{k: _value(v, ()) for k, v in recipe.kwargs}).eval()


def _invoke(module: nn.Module, recipe: TorchModule, xs: tuple[Any, ...]) -> Any:
    args = xs if recipe.inputs is None else [_value(a, xs) for a in recipe.inputs]
    return module(*args, **{k: _value(v, xs) for k, v in recipe.input_kwargs})


def _call(recipe: TorchCall, xs: tuple[Any, ...]) -> Any:
    args = [_value(a, xs) for a in recipe.args]
    if recipe.target in FOLDS:
        return reduce(FOLDS[recipe.target], args)
    if recipe.target == "mean":
        return reduce(torch.add, args) / len(args)
    if recipe.target == "":
        return args[0]
    if recipe.target == "[]":
        cuts = [slice(None) if c is None else slice(*c) for c in args[1:]]
        return args[0][tuple(cuts)]
    kwargs = {k: _value(v, xs) for k, v in recipe.kwargs}
    if recipe.target.startswith("."):
        return getattr(args[0], recipe.target[1:])(*args[1:], **kwargs)
    home, *names = recipe.target.split(".")
    return reduce(getattr, names, {"F": F, "torch": torch}[home])(*args, **kwargs)


def _pick(result: Any, item: int | None) -> Any:
    return result if item is None else result[item]


def _value(value: Any, xs: tuple[Any, ...]) -> Any:
    match value:
        case In(index):
            return xs[index]
        case Ins():
            return list(xs)
        case From(inner, _) | Setting(inner, _):
            return _value(inner, xs)
        case SizeOf(index, axis, times, over, plus):
            return xs[index].shape[axis] * times // over + plus
        case Code(text):
            named = {f"x{i}": x for i, x in enumerate(xs)}
            return eval(text.format(*named), {"torch": torch}, named)
        case tuple():
            return tuple(_value(v, xs) for v in value)
        case list():
            return [_value(v, xs) for v in value]
        case _:
            return value
