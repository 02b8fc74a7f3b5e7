"""What Darknet's layers compute, cell by cell, as its C sources say it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray


def pool(x: Array, size: int, steps: tuple[int, int], padding: int, *, mean: bool) -> Array:
    """`[maxpool]` and `[local_avgpool]`: the padding is that of both sides together."""
    channels, height, width = x.shape
    rows = (height + padding - size) // steps[0] + 1
    columns = (width + padding - size) // steps[1] + 1
    out = np.zeros((channels, rows, columns), np.float32)
    for c in range(channels):
        for i in range(rows):
            for j in range(columns):
                cells = [
                    x[c, y, z]
                    for n in range(size)
                    for m in range(size)
                    if 0 <= (y := i * steps[0] + n - padding // 2) < height
                    and 0 <= (z := j * steps[1] + m - padding // 2) < width
                ]
                out[c, i, j] = sum(cells) / len(cells) if mean else max(cells)
    return out


def reorg(x: Array, stride: int, *, is_3d: bool, is_reverse: bool) -> Array:
    """`[reorg]` and `[reorg3d]` by the indices of flat memory."""
    channels, height, width = x.shape
    area = stride * stride
    result = (
        (channels // area, height * stride, width * stride)
        if is_reverse
        else (channels * area, height // stride, width // stride)
    )
    c, h, w = result if is_3d else x.shape
    flat, out = x.reshape(-1), np.zeros(x.size, np.float32)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                near = i + w * (j + h * k)
                k2, part = k % (c // area), k // (c // area)
                w2, h2 = i * stride + part % stride, j * stride + part // stride
                far = w2 + w * stride * (h2 + h * stride * k2)
                if is_reverse:
                    out[far] = flat[near]
                else:
                    out[near] = flat[far]
    return out.reshape(result)


def local(x: Array, weight: Array, bias: Array, size: int, stride: int, pad: int) -> Array:
    """`[local]`: weights by place, then filter, then channel and cell."""
    channels, height, width = x.shape
    if pad:
        rows, columns = (height - 1) // stride + 1, (width - 1) // stride + 1
    else:
        rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    filters = weight.size // (rows * columns * channels * size * size)
    weight = weight.reshape(rows, columns, filters, channels, size, size)
    out = bias.reshape(filters, rows, columns).copy()
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    for i in range(rows):
        for j in range(columns):
            window = wide[:, i * stride : i * stride + size, j * stride : j * stride + size]
            for f in range(filters):
                out[f, i, j] += float((weight[i, j, f] * window).sum())
    return out


def conv(x: Array, weight: Array, stride: tuple[int, int], pad: int, dilation: int = 1) -> Array:
    """`[convolutional]` without bias and groups."""
    size = weight.shape[-1]
    rows = (x.shape[1] + 2 * pad - size) // stride[0] + 1
    columns = (x.shape[2] + 2 * pad - size) // stride[1] + 1
    border = pad * dilation
    wide = np.pad(x, ((0, 0), (border, border), (border, border)))
    out = np.zeros((weight.shape[0], rows, columns), np.float64)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride[0], j * stride[1]
            reach = dilation * (size - 1) + 1
            window = wide[:, top : top + reach : dilation, left : left + reach : dilation]
            out[:, i, j] = (weight * window).sum((1, 2, 3))
    return out.astype(np.float32)


def normalised(x: Array, scale: Array, offset: Array, mean: Array, variance: Array) -> Array:
    """Batch normalisation by stored statistics."""
    wide = (slice(None), *(None,) * (x.ndim - 1))
    return (x - mean[wide]) / np.sqrt(variance[wide] + 1e-5) * scale[wide] + offset[wide]


def each(formula: Callable[[float], float]) -> Callable[[Array], Array]:
    return lambda x: np.vectorize(formula, otypes=[np.float32])(x)


def over_channels(formula: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: np.apply_along_axis(formula, 0, x.astype(np.float64)).astype(np.float32)


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def gelu(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(0.797885 * x + 0.035677 * x**3))


def shares(x: Array) -> Array:
    return np.where(x > 0, x, 0) / (0.0001 + x[x > 0].sum())


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": each(lambda x: x),
    "logistic": each(logistic),
    "loggy": each(lambda x: 2 / (1 + math.exp(-x)) - 1),
    "relu": each(lambda x: max(x, 0)),
    "relu6": each(lambda x: min(max(x, 0), 6)),
    "elu": each(lambda x: x if x >= 0 else math.exp(x) - 1),
    "selu": each(lambda x: 1.0507 * x if x >= 0 else 1.0507 * 1.6732 * (math.exp(x) - 1)),
    "gelu": each(gelu),
    "relie": each(lambda x: x if x > 0 else 0.01 * x),
    "ramp": each(lambda x: x * (x > 0) + 0.1 * x),
    "leaky": each(lambda x: x if x > 0 else 0.1 * x),
    "revleaky": each(lambda x: x if x > 0 else 0.1 * x),
    "tanh": each(math.tanh),
    "hardtan": each(lambda x: min(max(x, -1), 1)),
    "swish": each(lambda x: x * logistic(x)),
    "mish": each(lambda x: x * math.tanh(math.log1p(math.exp(x)))),
    "hard_mish": each(lambda x: x if x > 0 else x * x / 2 + x if x > -2 else 0),
    "normalize_channels": over_channels(shares),
    "normalize_channels_softmax": over_channels(lambda x: np.exp(x) / (np.exp(x).sum() + 0.0001)),
    "normalize_channels_softmax_maxval": over_channels(
        lambda x: np.exp(x - x.max()) / (np.exp(x - x.max()).sum() + 0.0001)
    ),
}
