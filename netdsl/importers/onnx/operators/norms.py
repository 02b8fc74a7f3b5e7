"""Normalisation."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.load import decimal
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.operators.windows import same
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known
from netdsl.importers.program import Setting


def row(node: Node, to: Reader, index: int, count: object) -> Known:
    """An input of one number for each channel."""
    one = to.known(node, index)
    if one.shape != (count,):
        node.refuse(
            f"input {index} has the shape {list(one.shape)}, not [{count}]", code="shape-mismatch"
        )
    return one


@reads("BatchNormalization")
def batchnorm(node: Node, to: Reader) -> None:
    """With running statistics."""
    x = to.data(node)
    node.only("training_mode", 0, "it takes its statistics over the batch, as in training")
    node.only("spatial", 1, "statistics for each place of the map (`spatial=0`) have no word")
    if any(to.is_used(node, n) for n in range(1, len(node.outputs))):
        node.refuse("its statistics are used, which is a matter of training")
    momentum = decimal(1 - node.float("momentum", 0.9))
    eps, count = node.float("epsilon", 1e-5), x.type.shape[0] if x.type.rank else None
    keys = ("weight", "bias", "running_mean", "running_var")
    weights = {key: (row(node, to, n, count), same) for n, key in enumerate(keys, start=1)}
    settings: dict[str, Setting] = {"eps": eps, "momentum": round(momentum, 6)}
    if not 0 <= momentum <= 1:
        settings.pop("momentum")
    to.give_result(node, to.layer(node, "batchnorm", [x.value], settings, weights)[0])


@reads("InstanceNormalization")
def instancenorm(node: Node, to: Reader) -> None:
    """Each channel of each sample."""
    x = to.data(node)
    count = x.type.shape[0] if x.type.rank else None
    weights = {key: (row(node, to, n, count), same) for n, key in ((1, "weight"), (2, "bias"))}
    settings: dict[str, Setting] = {"eps": node.float("epsilon", 1e-5), "affine": True}
    to.give_result(node, to.layer(node, "instancenorm", [x.value], settings, weights)[0])


@reads("GroupNormalization")
def groupnorm(node: Node, to: Reader) -> None:
    """Groups of channels; one factor a group up to opset 20, one a channel from 21 on."""
    x, groups = to.data(node), node.int("num_groups")
    node.only("stash_type", 1)
    channels = x.type.shape[0] if x.type.rank else None
    if not isinstance(channels, int) or groups < 1 or channels % groups:
        node.refuse(f"{groups} groups of {x.type}", code="shape-mismatch")
    count = groups if node.opset < 21 else channels
    times = channels // count

    def turn(array: np.ndarray) -> np.ndarray:
        return np.repeat(array, times)

    weights = {key: (row(node, to, n, count), turn) for n, key in ((1, "weight"), (2, "bias"))}
    settings: dict[str, Setting] = {"groups": groups, "eps": node.float("epsilon", 1e-5)}
    to.give_result(node, to.layer(node, "groupnorm", [x.value], settings, weights)[0])


def last_axes(node: Node, to: Reader, x: Data) -> tuple[list[int], tuple[int, ...]]:
    """The axes from `axis` on as ours, and their sizes."""
    axis = node.int("axis", -1)
    if not -x.rank <= axis < x.rank:
        node.refuse(f"there is no axis {axis}")
    axes = [to.axis(node, x, n) for n in range(axis % x.rank, x.rank)]
    sizes = tuple(x.type.shape[a] for a in axes)
    if not all(isinstance(size, int) for size in sizes):
        node.refuse("it normalises along axes of open sizes", code="needs-fixed-size")
    return axes, cast("tuple[int, ...]", sizes)


def flowing(node: Node, to: Reader) -> Data:
    """What flows in, the batch in any axis."""
    x = to.thing(node, 0)
    if not isinstance(x, Data):
        node.refuse("a table is normalised, which has no use here")
    return x


@reads("LayerNormalization")
def layernorm(node: Node, to: Reader) -> None:
    """Along the last axes together."""
    x = flowing(node, to)
    node.only("stash_type", 1)
    if any(to.is_used(node, n) for n in range(1, len(node.outputs))):
        node.refuse("its statistics are used, which is a matter of training")
    axes, sizes = last_axes(node, to, x)
    weights = {"weight": (_broad(node, to, 1, sizes), _turn(sizes))}
    if to.optional(node, 2) is not None:
        weights["bias"] = (_broad(node, to, 2, sizes), _turn(sizes))
    settings: dict[str, Setting] = {"axis": _axis(axes), "eps": node.float("epsilon", 1e-5)}
    settings["bias"] = "bias" in weights
    (value,) = to.layer(node, "layernorm", [x.value], settings, weights)
    to.give_result(node, value, x.groups)


def _axis(axes: list[int]) -> Setting:
    """The last axis as -1, the last ones as a list."""
    return -1 if len(axes) == 1 else [n - len(axes) for n in range(len(axes))]


def _broad(node: Node, to: Reader, index: int, sizes: tuple[int, ...]) -> Known:
    one = to.known(node, index)
    try:
        fits = np.broadcast_shapes(one.shape, sizes) == sizes
    except ValueError:
        fits = False
    if not fits:
        node.refuse(
            f"input {index} has the shape {list(one.shape)}, not {list(sizes)}",
            code="shape-mismatch",
        )
    return one


def _turn(sizes: tuple[int, ...]):
    return lambda array: np.broadcast_to(array, sizes)


@reads("RMSNormalization")
def rmsnorm(node: Node, to: Reader) -> None:
    """By the root of the mean of squares."""
    x = flowing(node, to)
    node.only("stash_type", 1)
    axes, sizes = last_axes(node, to, x)
    settings: dict[str, Setting] = {"axis": _axis(axes), "eps": node.float("epsilon", 1e-5)}
    weights = {"weight": (_broad(node, to, 1, sizes), _turn(sizes))}
    (value,) = to.layer(node, "rmsnorm", [x.value], settings, weights)
    to.give_result(node, value, x.groups)


@reads("LRN")
def lrn(node: Node, to: Reader) -> None:
    """Across channels."""
    x, size = to.data(node), node.int("size")
    settings: dict[str, Setting] = {"size": size, "alpha": node.float("alpha", 1e-4)}
    settings |= {"beta": node.float("beta", 0.75), "k": node.float("bias", 1.0)}
    if size % 2 == 0:
        node.refuse("an even `size` reaches further up in ONNX than in PyTorch")
    to.give_result(node, to.call(node, "lrn", [x.value], settings)[0])


@reads("LpNormalization")
def lp_normalization(node: Node, to: Reader) -> None:
    """Over the p-norm along an axis."""
    x, p = flowing(node, to), node.int("p", 2)
    if p not in (1, 2):
        node.refuse(f"`p` is 1 or 2, not {p}")
    axis = to.axis(node, x, node.int("axis", -1))
    length = to.one(node, "norm", x.value, axis=axis, keep=True, p=float(p))
    to.give_result(node, to.one(node, "div", [x.value, length]), x.groups)
