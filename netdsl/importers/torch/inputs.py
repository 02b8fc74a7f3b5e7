"""What a module takes: the shapes that are asked for, and the sizes it is tried at."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from netdsl.importers.frontend import Shape

SPATIAL = {1: ("T",), 2: ("H", "W"), 3: ("D", "H", "W")}
ODD = ((321, 355), (384, 363))
EVEN = ((256, 320), (384, 256))
SINGLE = (224, 32, 28, 256, 64, 299, 384, 128, 240, 192, 227, 512, 448, 96, 48, 16)
MOST = 40
"""Trials of shapes before the user is asked."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An input: its shape without the batch, a name where a size is open."""

    name: str
    shape: Shape
    dtype: str = "float32"

    def example(self, sizes: Mapping[str, int], batch: int) -> torch.Tensor:
        """A tensor without numbers."""
        shape = [size if isinstance(size, int) else sizes[size] for size in self.shape]
        return torch.empty(batch, *shape, dtype=getattr(torch, self.dtype), device="meta")


@dataclass(frozen=True, slots=True)
class Trial:
    """Sizes to trace a module at, each a number for each open size."""

    inputs: tuple[Taken, ...]
    sizes: tuple[Mapping[str, int], ...]

    @property
    def is_open(self) -> bool:
        return len(self.sizes) > 1


def parameter_names(module: nn.Module) -> list[str]:
    """The parameters of `forward` that take a value by place."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return ["x"]
    return [one.name for one in parameters if one.kind in kinds]


def trials(module: nn.Module, asked: Sequence[Taken]) -> Iterator[Trial]:
    """The shapes and sizes that a module is tried at, the most open first."""
    if asked:
        yield from _families(module, tuple(asked))
        return
    for one in dict.fromkeys(_guessed(module)):
        yield from _families(module, (one,))


def taken(module: nn.Module, shapes: Mapping[str, Shape], dtypes: Mapping[str, str]) -> list[Taken]:
    """The inputs that are asked for; `""` is the first parameter of `forward`."""
    first = next(iter(parameter_names(module)), "x")
    return [
        Taken(name or first, tuple(shape), dtypes.get(name, "float32"))
        for name, shape in shapes.items()
    ]


def _guessed(module: nn.Module) -> Iterator[Taken]:
    """Shapes that the first layer with weights takes."""
    names = parameter_names(module)
    name = names[0] if names else "x"
    size = own_size(module)
    if size is not None and len(size) - 1 in SPATIAL:
        yield Taken(name, (size[0], *SPATIAL[len(size) - 1]))
    for one in module.modules():
        if isinstance(one, nn.modules.conv._ConvNd):
            rank = len(one.kernel_size)
            yield Taken(name, (one.in_channels, *SPATIAL[rank]))
        elif isinstance(one, nn.Linear):
            yield Taken(name, (one.in_features,))
            yield Taken(name, ("T", one.in_features))
        elif isinstance(one, nn.Embedding):
            yield Taken(name, ("T",), "int64")
        elif isinstance(one, nn.RNNBase):
            yield Taken(name, ("T", one.input_size))
        else:
            continue
        return
    yield Taken(name, (3, "H", "W"))


def _families(module: nn.Module, inputs: tuple[Taken, ...]) -> Iterator[Trial]:
    symbols = list(
        dict.fromkeys(size for one in inputs for size in one.shape if isinstance(size, str))
    )
    if not symbols:
        yield Trial(inputs, ({},))
        return
    if symbols == ["T"]:
        runs = tuple({"T": size} for size in (48, 53, 37))
        yield Trial(inputs, runs)
        yield Trial(inputs, tuple({"T": size} for size in (320, 384, 256)))
    elif len(symbols) == 3:
        for family in (
            ((32, 40, 48), (33, 41, 51), (37, 48, 43)),
            ((32, 64, 96), (64, 96, 128), (96, 64, 64)),
        ):
            yield Trial(inputs, tuple(_sized(symbols, one) for one in family))
    else:
        natural = natural_size(module, symbols)
        for family in (ODD, EVEN):
            sizes = [_sized(symbols, one) for one in family]
            yield Trial(inputs, (natural, *sizes))
            yield Trial(inputs, ({one: size - 32 for one, size in sizes[0].items()}, *sizes))
    for size in SINGLE:
        yield Trial(inputs, (dict.fromkeys(symbols, size),))


def _sized(symbols: Sequence[str], numbers: Sequence[int]) -> dict[str, int]:
    cycle = [numbers[at % len(numbers)] + 8 * (at // len(numbers)) for at in range(len(symbols))]
    return dict(zip(symbols, cycle, strict=True))


def own_size(module: nn.Module) -> Sequence[int] | None:
    """The shape of a picture that a module says it is made for."""
    config: Any = getattr(module, "default_cfg", None) or getattr(module, "pretrained_cfg", None)
    size = config.get("input_size") if isinstance(config, Mapping) else None
    is_shape = isinstance(size, Sequence) and all(isinstance(one, int) for one in size)
    return size if is_shape else None


def natural_size(module: nn.Module, symbols: Sequence[str]) -> Mapping[str, int]:
    """The size that a module says it is made for."""
    size = own_size(module)
    if size is None or len(size) - 1 != len(symbols):
        return dict.fromkeys(symbols, SINGLE[0])
    return dict(zip(symbols, size[1:], strict=True))


def at_natural_size(module: nn.Module, trial: Trial) -> Trial:
    """A trial at the one size that a module says it is made for."""
    return Trial(trial.inputs, (natural_size(module, list(trial.sizes[0])),))
