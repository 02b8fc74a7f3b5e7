"""Convolutions and their settings."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.pads import pad_in_front
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known
from netdsl.importers.program import Setting, Value

Parts = tuple[int, ...]
AUTO = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def per_axis(node: Node, name: str, rank: int) -> Parts:
    """A list of one whole number for each axis of the map, 1 unless given."""
    parts = node.ints(name, (1,) * rank)
    if len(parts) != rank or min(parts, default=1) < 1:
        node.refuse(f"`{name}` is {list(parts)[:8]}, and the map has {rank} axes")
    return parts


def pads_of(node: Node, rank: int) -> tuple[Parts, Parts] | str:
    """Cells before and after each axis, or the word that says the same."""
    word = node.word("auto_pad", "NOTSET", AUTO)
    pads = node.ints("pads", (0,) * (2 * rank))
    if word.startswith("SAME"):
        return word.lower()
    if word == "VALID":
        return (0,) * rank, (0,) * rank
    if len(pads) != 2 * rank or min(pads, default=0) < 0:
        node.refuse(f"`pads` is {list(pads)[:8]}, and the map has {rank} axes")
    return pads[:rank], pads[rank:]


def size(parts: Parts) -> Setting:
    """A size as a setting: one number where all parts are equal."""
    return parts[0] if len(set(parts)) == 1 else parts


def map_of(node: Node, to: Reader) -> tuple[Data, int]:
    """What flows in, and the number of its spatial axes."""
    x = to.data(node)
    rank = x.type.rank - 1
    if not 1 <= rank <= 3:
        node.refuse(f"it works on 1 to 3 spatial axes, and {x.type} comes in", code="wrong-rank")
    return x, rank


@reads("Conv")
def conv(node: Node, to: Reader) -> None:
    """Convolution; padding that differs between the sides is a `pad` before it."""
    x, rank = map_of(node, to)
    weight, bias = filters(node, to, rank)
    kernel, groups = weight.shape[2:], node.int("group", 1)
    _check_kernel(node, kernel)
    strides, dilations = per_axis(node, "strides", rank), per_axis(node, "dilations", rank)
    if groups < 1 or weight.shape[1] * groups != x.type.shape[0]:
        node.refuse(
            f"the weight is {list(weight.shape)} in {groups} groups, and {x.type} comes in",
            code="shape-mismatch",
        )
    settings: dict[str, Setting] = {"channels": weight.shape[0], "kernel": size(kernel)}
    settings |= {"stride": size(strides), "dilation": size(dilations), "groups": groups}
    pads, value = pads_of(node, rank), x.value
    if isinstance(pads, str):
        settings["padding"] = "same" if set(strides) == {1} and pads == "same_upper" else pads
    else:
        settings["padding"], value = symmetric(node, to, value, pads, 0.0)
    settings["bias"] = bias is not None
    weights = {"weight": (weight, same)} | ({"bias": (bias, same)} if bias is not None else {})
    to.give_result(node, to.layer(node, "conv", [value], settings, weights)[0])


def same(array: np.ndarray) -> np.ndarray:
    """Numbers as they are."""
    return array


def filters(node: Node, to: Reader, rank: int) -> tuple[Known, Known | None]:
    """The weight and the bias."""
    weight = to.known(node, 1)
    bias = to.known(node, 2) if to.optional(node, 2) is not None else None
    if weight.rank != rank + 2 or 0 in weight.shape:
        node.refuse(
            f"the weight has the shape {list(weight.shape)}, and the map {rank} spatial axes",
            code="wrong-rank",
        )
    count = weight.shape[0]
    if node.operator == "ConvTranspose":
        count = weight.shape[1] * node.int("group", 1)
    if bias is not None and bias.shape != (count,):
        node.refuse(f"the bias has the shape {list(bias.shape)}", code="shape-mismatch")
    return weight, bias


def _check_kernel(node: Node, kernel: Parts) -> None:
    if node.ints("kernel_shape", kernel) != kernel:
        node.refuse(f"`kernel_shape` differs from that of the weight, {list(kernel)}")


def symmetric(
    node: Node, to: Reader, value: Value, pads: tuple[Parts, Parts], fill: float
) -> tuple[Setting, Value]:
    """Padding as a setting, and the value, padded before where the sides differ."""
    before, after = pads
    if before == after:
        return size(before), value
    return 0, pad_in_front(node, to, value, before, after, fill)


@reads("ConvTranspose")
def conv_transpose(node: Node, to: Reader) -> None:
    """Transposed convolution; cells that are cut off one side alone are a `slice` behind it."""
    x, rank = map_of(node, to)
    weight, bias = filters(node, to, rank)
    kernel, groups = weight.shape[2:], node.int("group", 1)
    _check_kernel(node, kernel)
    strides, dilations = per_axis(node, "strides", rank), per_axis(node, "dilations", rank)
    if groups < 1 or weight.shape[0] != x.type.shape[0] or weight.shape[0] % groups:
        node.refuse(
            f"the weight is {list(weight.shape)} in {groups} groups, and {x.type} comes in",
            code="shape-mismatch",
        )
    extra = node.ints("output_padding", (0,) * rank)
    if len(extra) != rank or min(extra) < 0:
        node.refuse(f"`output_padding` is {list(extra)[:8]}, and the map has {rank} axes")
    before, after = _cut(node, to, x, (kernel, strides, dilations, extra))
    padding, more, cut_before, cut_after = _as_ours(before, after, extra, strides, dilations)
    settings: dict[str, Setting] = {"channels": weight.shape[1] * groups, "kernel": size(kernel)}
    settings |= {"stride": size(strides), "padding": size(padding), "output_padding": size(more)}
    settings |= {"groups": groups, "bias": bias is not None, "dilation": size(dilations)}
    weights = {"weight": (weight, same)} | ({"bias": (bias, same)} if bias is not None else {})
    (value,) = to.layer(node, "conv_transpose", [x.value], settings, weights)
    for axis, (first, last) in enumerate(zip(cut_before, cut_after, strict=True), start=1):
        if first or last:
            stop: Setting = -last if last else "end"
            value = to.one(node, "slice", value, axis=axis, start=first, stop=stop)
    to.give_result(node, value)


def _cut(
    node: Node, to: Reader, x: Data, settings: tuple[Parts, Parts, Parts, Parts]
) -> tuple[Parts, Parts]:
    """Cells cut off before and after each axis, which may be given by the size of the result."""
    kernel, strides, dilations, extra = settings
    rank = len(kernel)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    wanted = node.ints("output_shape", ())
    pads = pads_of(node, rank)
    if not wanted and not isinstance(pads, str):
        return pads
    totals: list[int] = []
    if wanted:
        wanted = wanted[-rank:]
        if len(wanted) != rank or not all(isinstance(s, int) for s in x.type.spatial):
            node.refuse("`output_shape` needs known sizes", code="needs-fixed-size")
        for n, out in enumerate(wanted):
            whole = (cast(int, x.type.spatial[n]) - 1) * strides[n] + extra[n] + spans[n]
            totals.append(whole - out)
    else:
        totals = [e + span - s for e, span, s in zip(extra, spans, strides, strict=True)]
    if min(totals) < 0:
        node.refuse("the result would be larger than what the windows paint")
    halves = tuple(total // 2 for total in totals)
    others = tuple(t - h for t, h in zip(totals, halves, strict=True))
    upper = node.text("auto_pad", "NOTSET") == "SAME_UPPER"
    return (halves, others) if upper else (others, halves)


def _as_ours(
    before: Parts, after: Parts, extra: Parts, strides: Parts, dilations: Parts
) -> tuple[Parts, Parts, Parts, Parts]:
    """Padding, output padding, and what is still to be cut off before and after, by axis."""
    rows: list[tuple[int, int, int, int]] = []
    for p, q, e, s, d in zip(before, after, extra, strides, dilations, strict=True):
        if p >= q and e + p - q < max(s, d):
            rows.append((p, e + p - q, 0, 0))
        elif p <= q:
            rows.append((p, e, 0, q - p))
        else:
            rows.append((q, e, p - q, 0))
    padding, more, first, last = zip(*rows, strict=True)
    return padding, more, first, last
