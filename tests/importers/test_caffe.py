"""Layers of Caffe: shapes, keys and numbers of each, against Caffe's own formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import netdsl
from tests.importers.caffe_small import (
    Array,
    close,
    layer,
    numbers,
    one,
    read_text,
    run,
    tensors,
    text,
)

# --- pools and normalisation ---------------------------------------------------------------


def pooled(x: Array, kernel: int, stride: int, pad: int, *, mean: bool, up: bool = True) -> Array:
    """Caffe's pool: sizes round up, the last window begins within map and near padding."""

    def count(size: int) -> int:
        exact = (size + 2 * pad - kernel) / stride
        windows = (math.ceil(exact) if up else math.floor(exact)) + 1
        if pad and (windows - 1) * stride >= size + pad:
            windows -= 1
        return windows

    channels, height, width = x.shape
    out = np.zeros((channels, count(height), count(width)), np.float32)
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            top, left = i * stride - pad, j * stride - pad
            bottom, right = min(top + kernel, height + pad), min(left + kernel, width + pad)
            area = (bottom - top) * (right - left)
            cells = x[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            out[:, i, j] = cells.sum((1, 2)) / area if mean else cells.max((1, 2))
    return out


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 1), (5, 3, 2), (2, 1, 1), (3, 3, 0),
     (2, 2, 1), (4, 3, 1), (1, 1, 0)],
)  # fmt: skip
def test_pools_round_up(tmp_path: Path, method: str, kernel: int, stride: int, pad: int) -> None:
    param = f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} }}"
    ours = read_text(tmp_path, text(layer("Pooling", "p", "data", more=param)), opens=True)
    for height, width in (9, 8), (10, 11), (12, 13):
        x = numbers(4, height, width)
        close(one(ours, x), pooled(x, kernel, stride, pad, mean=method == "AVE"))


def test_pools_round_down_when_told(tmp_path: Path) -> None:
    param = "pooling_param { kernel_h: 3 kernel_w: 3 stride: 2 pad: 1 round_mode: FLOOR }"
    ours = read_text(tmp_path, text(layer("Pooling", "p", "data", more=param)))
    x = numbers(4, 9, 8)
    close(one(ours, x), pooled(x, 3, 2, 1, mean=False, up=False))
    assert one(ours, x).shape != pooled(x, 3, 2, 1, mean=False).shape


def test_steps_wider_than_windows_keep_the_size(tmp_path: Path) -> None:
    param = "pooling_param { kernel_size: 1 stride: 3 }"
    ours = read_text(tmp_path, text(layer("Pooling", "p", "data", more=param), shape=(4, 7, 7)))
    x = numbers(4, 7, 7)
    close(one(ours, x), x[:, ::3, ::3])


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_global_pools(tmp_path: Path, method: str) -> None:
    param = f"pooling_param {{ pool: {method} global_pooling: true }}"
    ours = read_text(tmp_path, text(layer("Pooling", "p", "data", more=param)), opens=True)
    x = numbers(4, 5, 11)
    reduce = np.max if method == "MAX" else np.mean
    close(one(ours, x), reduce(x, axis=(1, 2), keepdims=True))


def test_response_normalisation_across_channels(tmp_path: Path) -> None:
    param = "lrn_param { local_size: 3 alpha: 0.6 beta: 0.75 k: 2 }"
    ours = read_text(tmp_path, text(layer("LRN", "n", "data", more=param)))
    x = numbers(4, 9, 8)
    squares = np.pad(x**2, ((1, 1), (0, 0), (0, 0)))
    sums = squares[:-2] + squares[1:-1] + squares[2:]
    close(one(ours, x), x * (2 + 0.6 / 3 * sums) ** -0.75)


def test_response_normalisation_within_a_channel(tmp_path: Path) -> None:
    param = "lrn_param { local_size: 3 alpha: 0.6 beta: 0.75 norm_region: WITHIN_CHANNEL }"
    ours = read_text(tmp_path, text(layer("LRN", "n", "data", more=param)))
    x = numbers(4, 9, 8)
    means = pooled(x**2, 3, 1, 1, mean=True)
    close(one(ours, x), x * (1 + 0.6 * means) ** -0.75)


@pytest.mark.parametrize("is_merged", [False, True])
def test_stored_statistics_are_divided_by_their_factor(tmp_path: Path, is_merged: bool) -> None:
    norm = layer("BatchNorm", "bn", "data", more="batch_norm_param { eps: 0.01 }")
    scale = layer("Scale", "sc", "bn", "bn", "scale_param { bias_term: true }") * is_merged
    mean, variance, factor = numbers(4), np.abs(numbers(4, seed=1)) + 1, np.array([2.0])
    gamma, beta = numbers(4, seed=2), numbers(4, seed=3)
    blobs = {"bn": [mean, variance, factor]} | ({"sc": [gamma, beta]} if is_merged else {})
    ours = read_text(tmp_path, text(norm, scale), blobs)
    wide = (slice(None), None, None)
    x = numbers(4, 9, 8)
    y = (x - mean[wide] / 2) / np.sqrt(variance[wide] / 2 + 0.01)
    close(one(ours, x), y * gamma[wide] + beta[wide] if is_merged else y)
    keys = ["bn.running_mean", "bn.running_var"] + ["bn.weight", "bn.bias"] * is_merged
    assert list(ours.answer.numbers or ()) == keys


def test_a_factor_of_zero_gives_zeros(tmp_path: Path) -> None:
    ours = read_text(
        tmp_path,
        text(layer("BatchNorm", "bn", "data")),
        {"bn": [numbers(4), numbers(4), np.zeros(1)]},
    )
    x = numbers(4, 9, 8)
    close(one(ours, x), x / np.sqrt(np.float32(1e-5)))


# --- layers with weights -------------------------------------------------------------------


def test_convolutions(tmp_path: Path) -> None:
    param = """convolution_param { num_output: 6 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1
        pad_h: 1 pad_w: 0 group: 2 dilation: 2 weight_filler { type: "xavier" } engine: CUDNN }"""
    weight, bias = numbers(6, 2, 3, 2), numbers(6)
    ours = read_text(
        tmp_path, text(layer("Convolution", "c", "data", more=param)), {"c": [weight, bias]}
    )
    x = numbers(4, 9, 8)
    image, filters, offsets = tensors(x[None], weight, bias)
    expected = functional.conv2d(image, filters, offsets, (2, 1), (1, 0), 2, 2)
    close(one(ours, x), expected.numpy()[0])


def test_transposed_convolutions(tmp_path: Path) -> None:
    param = "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2 "
    param += "bias_term: false }"
    weight = numbers(4, 3, 4, 4)
    ours = read_text(
        tmp_path, text(layer("Deconvolution", "d", "data", more=param)), {"d": [weight]}, opens=True
    )
    x = numbers(4, 5, 6)
    image, filters = tensors(x[None], weight)
    expected = functional.conv_transpose2d(image, filters, None, 2, 1, 0, 2)
    close(one(ours, x), expected.numpy()[0])


def test_a_convolution_of_several_blobs_has_one_set_of_weights(tmp_path: Path) -> None:
    param = "convolution_param { num_output: 2 kernel_size: 1 bias_term: false }"
    relu = layer("ReLU", "r", "data")
    conv = layer("Convolution", "c", "data r", "a b", param)
    weight = numbers(2, 4, 1, 1)
    ours = read_text(tmp_path, text(relu, conv), {"c": [weight]})
    x = numbers(4, 9, 8)
    a, b = run(ours, x)
    close(a, np.einsum("fc,chw->fhw", weight[:, :, 0, 0], x))
    close(b, np.einsum("fc,chw->fhw", weight[:, :, 0, 0], np.maximum(x, 0)))
    assert netdsl.loads(ours.text).parameters == 8


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
@pytest.mark.parametrize("transpose", ["false", "true"])
def test_inner_products_join_axes(tmp_path: Path, axis: int, transpose: str) -> None:
    param = f"inner_product_param {{ num_output: 5 axis: {axis} transpose: {transpose} }}"
    first = axis - 1 if axis > 0 else 2
    x = numbers(3, 2, 4)
    flat = x.reshape((*x.shape[:first], -1))
    weight, bias = numbers(5, flat.shape[-1], seed=1), numbers(5, seed=2)
    stored = np.ascontiguousarray(weight.T) if transpose == "true" else weight
    ours = read_text(
        tmp_path,
        text(layer("InnerProduct", "f", "data", more=param), shape=x.shape),
        {"f": [stored, bias]},
    )
    close(one(ours, x), flat @ weight.T + bias)
    assert list(ours.answer.numbers or ()) == ["f.weight", "f.bias"]


def test_factors_and_offsets_of_channels(tmp_path: Path) -> None:
    scale = layer("Scale", "s/1", "data", "s", "scale_param { bias_term: true }")
    bias = layer("Bias", "b", "s", more="bias_param { axis: -1 }")
    gamma, beta, offset = numbers(4), numbers(4, seed=1), numbers(8, seed=2)
    ours = read_text(tmp_path, text(scale, bias), {"s/1": [gamma, beta], "b": [offset]})
    x = numbers(4, 9, 8)
    wide = (slice(None), None, None)
    close(one(ours, x), x * gamma[wide] + beta[wide] + offset)
    assert list(ours.answer.numbers or ()) == ["s.1.weight", "s.1.bias", "b.bias"]


def test_a_blob_scales_another(tmp_path: Path) -> None:
    pool = layer("Pooling", "p", "data", more="pooling_param { pool: AVE global_pooling: true }")
    flat = layer("Flatten", "f", "p")
    scale = layer("Scale", "s", "data f", more="scale_param { axis: 0 }")
    ours = read_text(tmp_path, text(pool, flat, scale))
    x = numbers(4, 9, 8)
    close(one(ours, x), x * x.mean((1, 2), keepdims=True))


@pytest.mark.parametrize("shared", [False, True])
def test_learned_slopes(tmp_path: Path, shared: bool) -> None:
    param = f"prelu_param {{ channel_shared: {'true' if shared else 'false'} }}"
    slope = numbers(1 if shared else 4)
    ours = read_text(tmp_path, text(layer("PReLU", "p", "data", more=param)), {"p": [slope]})
    x = numbers(4, 9, 8)
    close(one(ours, x), np.where(x > 0, x, x * slope[:, None, None]))


# --- numbers one by one --------------------------------------------------------------------

FORMULAS: list[tuple[str, str, Callable[[Array], Array]]] = [
    ("ReLU", "", lambda x: np.maximum(x, 0)),
    ("ReLU", "relu_param { negative_slope: 0.2 }", lambda x: np.where(x > 0, x, 0.2 * x)),
    ("ELU", "elu_param { alpha: 0.5 }", lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    ("Sigmoid", "", lambda x: 1 / (1 + np.exp(-x))),
    ("TanH", "", np.tanh),
    ("AbsVal", "", np.abs),
    ("BNLL", "", lambda x: np.log1p(np.exp(x))),
    ("Power", "power_param { power: 3 scale: 0.5 shift: -1 }", lambda x: (0.5 * x - 1) ** 3),
    ("Power", "power_param { scale: -1 shift: 2 }", lambda x: 2 - x),
    ("Power", "", lambda x: x),
    ("Exp", "exp_param { scale: 0.5 shift: 1 }", lambda x: np.exp(1 + 0.5 * x)),
    ("Exp", "exp_param { base: 2 scale: -1 }", lambda x: 2.0**-x),
    ("Log", "log_param { base: 10 scale: 0.1 shift: 9 }", lambda x: np.log10(9 + 0.1 * x)),
    ("Threshold", "threshold_param { threshold: 0.3 }", lambda x: (x > 0.3) * 1.0),
    ("Clip", "clip_param { min: -1 max: 0.5 }", lambda x: np.clip(x, -1, 0.5)),
    ("Swish", "", lambda x: x / (1 + np.exp(-x))),
    ("Swish", "swish_param { beta: 2 }", lambda x: x / (1 + np.exp(-2 * x))),
    ("Dropout", "dropout_param { dropout_ratio: 0.4 }", lambda x: x),
    ("Split", "", lambda x: x),
    ("Softmax", "softmax_param { axis: -1 }",
     lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    ("Softmax", "", lambda x: np.exp(x) / np.exp(x).sum(0, keepdims=True)),
    ("Tile", "tile_param { axis: 2 tiles: 3 }", lambda x: np.tile(x, (1, 3, 1))),
    ("ArgMax", "argmax_param { axis: 1 }", lambda x: x.argmax(0, keepdims=True)),
    ("Flatten", "", lambda x: x.reshape(-1)),
    ("Flatten", "flatten_param { axis: 2 }", lambda x: x.reshape(4, 72)),
    ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", lambda x: x.reshape(36, 8)),
    ("Flatten", "flatten_param { axis: -1 }", lambda x: x),
    ("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } }", lambda x: x.reshape(2, 144)),
    ("Reshape", "reshape_param { shape { dim: -1 dim: 0 dim: 72 } }", lambda x: x.reshape(4, 72)),
    ("Reshape", "reshape_param { shape { dim: 3 dim: 3 } axis: 2 num_axes: 1 }",
     lambda x: x.reshape(4, 3, 3, 8)),
    ("Reshape", "reshape_param { shape { dim: 1 } axis: 1 num_axes: 0 }", lambda x: x[None]),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", lambda x: x.reshape(-1)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "param", "formula"), FORMULAS)
def test_layers_without_weights(
    tmp_path: Path, kind: str, param: str, formula: Callable[[Array], Array]
) -> None:
    relu = layer("Power", "first", "data", more="power_param { shift: 0.25 }")
    ours = read_text(tmp_path, text(relu, layer(kind, "y", "first", more=param)))
    x = numbers(4, 9, 8)
    close(one(ours, x), np.asarray(formula(x + np.float32(0.25))))


def test_sums_products_and_largest(tmp_path: Path) -> None:
    relu = layer("ReLU", "r", "data")
    x = numbers(4, 9, 8)
    y = np.maximum(x, 0)
    for param, expected in [
        ("", x + y),
        ("eltwise_param { operation: SUM coeff: 2 coeff: -0.5 }", 2 * x - 0.5 * y),
        ("eltwise_param { operation: PROD }", x * y),
        ("eltwise_param { operation: 2 }", np.maximum(x, y)),
    ]:
        both = layer("Eltwise", "e", "data r", more=param)
        close(one(read_text(tmp_path, text(relu, both)), x), expected)


def test_blobs_are_joined_and_cut(tmp_path: Path) -> None:
    cut = layer("Slice", "s", "data", "a b", "slice_param { slice_point: 1 }")
    joined = layer("Concat", "j", "b a")
    x = numbers(4, 9, 8)
    close(one(read_text(tmp_path, text(cut, joined)), x), np.concatenate([x[1:], x[:1]]))
    thirds = layer("Slice", "s", "data", "a b c", "slice_param { axis: 2 }")
    last = layer("Concat", "j", "c a b", more="concat_param { axis: -2 }")
    expected = np.concatenate([x[:, 6:], x[:, :6]], 1)
    close(one(read_text(tmp_path, text(thirds, last)), x), expected)


def test_maps_are_cut_to_the_size_of_another(tmp_path: Path) -> None:
    pool = layer("Pooling", "p", "data", more="pooling_param { kernel_size: 3 stride: 2 }")
    crop = layer("Crop", "c", "data p", more="crop_param { offset: 2 offset: 1 }")
    ours = read_text(tmp_path, text(pool, crop), opens=True)
    for size in (9, 8), (11, 13):
        x = numbers(4, *size)
        small = pooled(x, 3, 2, 0, mean=False).shape
        close(one(ours, x), x[:, 2 : 2 + small[1], 1 : 1 + small[2]])


@pytest.mark.parametrize(
    ("param", "size"),
    [
        ("height: 17 width: 5", (17, 5)),
        ("zoom_factor: 3", (25, 22)),
        ("shrink_factor: 2", (5, 4)),
        ("shrink_factor: 2 zoom_factor: 4", (17, 13)),
    ],
)
def test_bilinear_maps_keep_their_corners(
    tmp_path: Path, param: str, size: tuple[int, int]
) -> None:
    interp = layer("Interp", "i", "data", more=f"interp_param {{ {param} }}")
    ours = read_text(tmp_path, text(interp))
    x = numbers(4, 9, 8)
    expected = functional.interpolate(
        torch.from_numpy(x)[None], size, mode="bilinear", align_corners=True
    )
    close(one(ours, x), expected.numpy()[0])
    assert "H" in str(netdsl.loads(read_text(tmp_path, text(interp), opens=True).text).inputs[0])
