"""A row of numbers that is added to the result of a matrix is its bias."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.rows import taken_into
from netdsl.importers.onnx.values import Data, Known
from netdsl.importers.program import Call


def taken_as_bias(node: Node, to: Reader) -> bool:
    """Make what a node adds the bias of the layer before it, if it can be; whether it was."""

    def take(call: Call, x: Data, row: Known) -> bool:
        if call.settings.get("bias") is not False or not _fits(call, x, row):
            return False
        if not call.path or to.times_called(call.path) != 1:
            return False
        call.settings["bias"] = True
        to.numbers[".".join((*call.path, "bias"))] = lambda: np.ascontiguousarray(
            row.array.reshape(-1).astype(np.float32)
        )
        return True

    return taken_into(node, to, "linear", "conv", take=take)


def _fits(call: Call, x: Data, row: Known) -> bool:
    """Whether numbers are one for each feature of a matrix, or each channel of a convolution."""
    axis = len(x.groups) - 1 if call.layer == "linear" else 1
    at = axis - (x.rank - row.rank)
    own = x.groups[axis]
    if at < 0 or len(own) != 1 or row.rank > x.rank:
        return False
    count = cast(int, call.settings["features" if call.layer == "linear" else "channels"])
    if row.shape[at] != count or row.count != count:
        return False
    place = x.type.rank - 1 if call.layer == "linear" else 0
    return own[0] == place and x.type.shape[place] == count


def taken_into_norm(node: Node, to: Reader) -> bool:
    """Let a factor or offset for each channel be that of the norm before it; whether it could be.

    Caffe has norms without any, and a layer behind them that scales.
    """

    def take(call: Call, x: Data, row: Known) -> bool:
        wanted = (x.type.shape[0], *(1,) * (x.type.rank - 1))
        at = x.rank - row.rank
        if row.shape != ((1, *wanted)[at:] if at >= 0 else ()) or row.count != wanted[0]:
            return False
        if not x.is_plain or to.times_called(call.path) != 1:
            return False
        _scale(to, call, row, is_factor=node.operator == "Mul")
        return True

    return taken_into(node, to, "batchnorm", take=take)


def _scale(to: Reader, call: Call, row: Known, *, is_factor: bool) -> None:
    """Multiply a norm by a row of numbers, or add it."""

    def numbers(key: str, *, adds: bool) -> None:
        key = ".".join((*call.path, key))
        before = to.numbers[key]

        def after() -> np.ndarray:
            own = row.array.reshape(-1).astype(np.float32)
            return before() + own if adds else before() * own

        to.numbers[key] = after

    if is_factor:
        numbers("weight", adds=False)
        numbers("bias", adds=False)
    else:
        numbers("bias", adds=True)
