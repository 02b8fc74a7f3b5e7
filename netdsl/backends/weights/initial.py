"""Draws the weights of a network from the distributions that PyTorch's modules use."""

from __future__ import annotations

import zlib
from math import prod
from typing import TYPE_CHECKING, Any

from netdsl.ir.graph import WeightSpec
from netdsl.ops.initial import deviation

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CUT = 2.0


def drawn(spec: WeightSpec, seed: int) -> Array:
    """Numbers as PyTorch's modules draw them; each key has its own stream, so order is free."""
    import numpy as np

    shape = spec.shape
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(spec.key.encode())]))
    match spec.init:
        case "zeros" | "ones":
            return np.full(shape, 0 if spec.init == "zeros" else 1, spec.dtype)
        case "constant":
            return np.full(shape, spec.fill, spec.dtype)
        case "numbers":
            return np.array(spec.numbers, spec.dtype).reshape(shape)
        case "relative_position":
            return _relative_position(round(prod(shape) ** 0.25))
        case "relative_coords":
            return _relative_coords((shape[1] + 1) // 2)
        case "trunc_normal":
            return _cut_normal(random, shape, spec.std)
        case "uniform":
            bound = spec.fan_in**-0.5 if spec.fan_in else 0.0
        case word if "uniform" in word:
            bound = 3**0.5 * deviation(spec)
        case _:
            return random.standard_normal(shape, np.float32) * np.float32(deviation(spec))
    return (random.random(shape, np.float32) * 2 - 1) * np.float32(bound)


def _cut_normal(random: np.random.Generator, shape: tuple[int, ...], std: float) -> Array:
    """A normal distribution between -2 and 2, as `torch.nn.init.trunc_normal_` cuts it."""
    import numpy as np

    if std > 1:  # few numbers would be kept: draw evenly, and keep what the density keeps
        sample = random.uniform(-CUT, CUT, shape)
        out = random.random(shape) > np.exp(-((sample / std) ** 2) / 2)
        while count := int(out.sum()):
            tried = random.uniform(-CUT, CUT, count)
            keep = random.random(count) <= np.exp(-((tried / std) ** 2) / 2)
            places = np.flatnonzero(out)[keep]
            sample.flat[places], out.flat[places] = tried[keep], False
        return sample.astype(np.float32)
    sample = random.standard_normal(shape, np.float32) * np.float32(std)
    while (out := np.abs(sample) > CUT).any():
        sample[out] = random.standard_normal(int(out.sum()), np.float32) * np.float32(std)
    return sample


def _relative_position(window: int) -> Array:
    """Which row of the table of biases each pair of cells of a window has."""
    import numpy as np

    at = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij")).reshape(2, -1)
    apart = at[:, :, None] - at[:, None, :] + window - 1
    return (apart[0] * (2 * window - 1) + apart[1]).reshape(-1)


def _relative_coords(window: int) -> Array:
    """Rows and columns apart, on a logarithmic scale: 1 is a whole window."""
    import numpy as np

    steps = np.arange(1 - window, window, dtype=np.float32) / np.float32(window - 1) * np.float32(8)
    steps = np.sign(steps) * np.log2(np.abs(steps) + np.float32(1)) / np.float32(3)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), -1)[None]
