"""Draws the weights of a network from the distributions that PyTorch's modules use."""

from __future__ import annotations

import zlib
from math import prod
from typing import TYPE_CHECKING, Any

from netdsl.ir.graph import WeightSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


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
        case "normal":
            return random.standard_normal(shape, np.float32)
        case "trunc_normal":
            return np.clip(0.02 * random.standard_normal(shape, np.float32), -2, 2)
        case "relative_position":
            return _relative_position(round(prod(shape) ** 0.25))
        case "xavier_uniform":
            bound = (6 / (shape[0] + shape[1])) ** 0.5
        case _:
            bound = spec.fan_in**-0.5 if spec.fan_in else 0.0
    return (random.random(shape, np.float32) * 2 - 1) * np.float32(bound)


def _relative_position(window: int) -> Array:
    """Which row of the table of biases each pair of cells of a window has."""
    import numpy as np

    at = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij")).reshape(2, -1)
    apart = at[:, :, None] - at[:, None, :] + window - 1
    return (apart[0] * (2 * window - 1) + apart[1]).reshape(-1)
