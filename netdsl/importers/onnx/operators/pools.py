"""Pooling."""

from __future__ import annotations

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.pads import pad_in_front
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.operators.windows import Parts, map_of, pads_of, per_axis, size
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data
from netdsl.importers.program import Setting
from netdsl.ir.dim import Dim

LOWEST = -3.4028234663852886e38
"""Below every number that flows: what a maximum is padded with."""


@reads("MaxPool")
def maxpool(node: Node, to: Reader) -> None:
    """The largest number of each window."""
    x, rank = map_of(node, to)
    kernel, strides = _kernel(node, rank)
    dilations = per_axis(node, "dilations", rank)
    node.only("storage_order", 0)
    with_places = to.is_used(node, 1)
    settings: dict[str, Setting] = {"kernel": size(kernel), "stride": size(strides)}
    settings |= {"dilation": size(dilations), "ceil_mode": bool(node.int("ceil_mode", 0))}
    pads, value = pads_of(node, rank), x.value
    if isinstance(pads, str):
        settings["padding"] = "same" if set(strides) == {1} and pads == "same_upper" else pads
        settings["ceil_mode"] = False
    elif pads[0] == pads[1] and all(2 * p <= k for p, k in zip(pads[0], kernel, strict=True)):
        settings["padding"] = size(pads[0])
    else:
        if with_places:
            node.refuse("places of maxima are counted in the map without its padding")
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
        settings["ceil_mode"] = _ceils(node, x, spans, strides, pads)
        value = pad_in_front(node, to, value, *pads, fill=LOWEST)
    if with_places:
        node.refuse("places of maxima count through the whole batch in ONNX")
    to.give_result(node, to.call(node, "maxpool", [value], settings)[0])


def _kernel(node: Node, rank: int) -> tuple[Parts, Parts]:
    kernel = node.ints("kernel_shape")
    if len(kernel) != rank or min(kernel) < 1:
        node.refuse(f"`kernel_shape` is {list(kernel)[:8]}, and the map has {rank} axes")
    return kernel, per_axis(node, "strides", rank)


def _ceils(
    node: Node, x: Data, spans: list[int], strides: Parts, pads: tuple[Parts, Parts]
) -> bool:
    """Whether a pool that rounds up still does where its padding is a value's own cells."""
    if not node.int("ceil_mode", 0):
        return False
    for in_size, span, stride, p, q in zip(x.type.spatial, spans, strides, *pads, strict=True):
        if isinstance(in_size, Dim):
            node.refuse(
                "it rounds up, with padding that differs between the sides, at open sizes",
                code="needs-fixed-size",
            )
        wanted = windows_up(in_size, span, stride, p, q)
        padded = in_size + p + q
        own = _up(padded - span, stride) + 1
        own -= (own - 1) * stride >= padded
        if own != wanted:
            node.refuse("it rounds up, with padding that differs between the sides")
    return True


def _up(size: int, by: int) -> int:
    """A quotient, rounded up."""
    return -(-size // by)


def windows_up(in_size: int, span: int, stride: int, p: int, q: int) -> int:
    """How many windows there are where their number is rounded up."""
    count = (_up(in_size + p + q - span, stride)) + 1
    return count - ((count - 1) * stride >= in_size + p)


@reads("AveragePool")
def avgpool(node: Node, to: Reader) -> None:
    """The mean of each window."""
    x, rank = map_of(node, to)
    kernel, strides = _kernel(node, rank)
    if set(per_axis(node, "dilations", rank)) != {1}:
        node.refuse("the mean of windows with gaps has no word")
    with_padding, ceils = bool(node.int("count_include_pad", 0)), bool(node.int("ceil_mode", 0))
    settings: dict[str, Setting] = {"kernel": size(kernel), "stride": size(strides)}
    settings |= {"ceil_mode": ceils, "count_include_pad": with_padding}
    pads, value = pads_of(node, rank), x.value
    if not isinstance(pads, str) and not with_padding and _is_whole(x, kernel, strides, pads):
        to.give_result(node, to.one(node, "adaptive_avgpool", value, size=1))
        return
    if not isinstance(pads, str) and pads[0] != pads[1] and not with_padding:
        pads = _as_word(node, x, kernel, strides, pads)
    if isinstance(pads, str):
        settings["padding"] = "same" if set(strides) == {1} and pads == "same_upper" else pads
        settings["ceil_mode"] = False
    elif pads[0] == pads[1] and all(2 * p <= k for p, k in zip(pads[0], kernel, strict=True)):
        settings["padding"] = size(pads[0])
        settings["count_include_pad"] = with_padding or not (any(pads[0]) or ceils)
    elif with_padding and not ceils:
        settings["count_include_pad"] = True
        value = pad_in_front(node, to, value, *pads)
    else:
        node.refuse(f"the mean of windows with the padding {list(pads[0] + pads[1])} has no word")
    to.give_result(node, to.call(node, "avgpool", [value], settings)[0])


def _is_whole(x: Data, kernel: Parts, strides: Parts, pads: tuple[Parts, Parts]) -> bool:
    """Whether there is one window, which covers the whole map, and more."""
    for in_size, k, s, p, q in zip(x.type.spatial, kernel, strides, *pads, strict=True):
        if isinstance(in_size, Dim) or p + q == 0 or k < in_size + p or k > in_size + p + q:
            return False
        if in_size + p + q - k >= s:
            return False
    return True


def _as_word(
    node: Node, x: Data, kernel: Parts, strides: Parts, pads: tuple[Parts, Parts]
) -> str | tuple[Parts, Parts]:
    """`same_upper` or `same_lower` where these words stand for the padding at known sizes."""
    for word in ("same_upper", "same_lower"):
        rows: list[tuple[int, int]] = []
        for in_size, k, s in zip(x.type.spatial, kernel, strides, strict=True):
            if isinstance(in_size, Dim):
                return pads
            total = max(((_up(in_size, s)) - 1) * s + k - in_size, 0)
            half = total // 2
            rows.append((half, total - half) if word == "same_upper" else (total - half, half))
        if tuple(zip(*rows, strict=True)) == pads and not node.int("ceil_mode", 0):
            return word
    return pads


@reads("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: Node, to: Reader) -> None:
    """One number of each channel."""
    x, _ = map_of(node, to)
    layer = "adaptive_avgpool" if node.operator == "GlobalAveragePool" else "adaptive_maxpool"
    to.give_result(node, to.one(node, layer, x.value, size=1))


@reads("LpPool")
def lppool(node: Node, to: Reader) -> None:
    """The p-norm of each window; ONNX's takes numbers without their sign."""
    x, rank = map_of(node, to)
    kernel, strides = _kernel(node, rank)
    if set(per_axis(node, "dilations", rank)) != {1}:
        node.refuse("windows with gaps have no word here")
    p = node.int("p", 2)
    if p < 1:
        node.refuse(f"`p` is at least 1, not {p}")
    pads, value = pads_of(node, rank), x.value
    if isinstance(pads, str):
        node.refuse("padding by a word has no counterpart here")
    if any(pads[0]) or any(pads[1]):
        value = pad_in_front(node, to, value, *pads)
    if node.int("ceil_mode", 0):
        node.refuse("rounding up has no counterpart here")
    if p % 2:
        value = to.one(node, "abs", value)
    to.give_result(
        node, to.one(node, "lppool", value, p=float(p), kernel=size(kernel), stride=size(strides))
    )


@reads("GlobalLpPool")
def global_lppool(node: Node, to: Reader) -> None:
    """The p-norm of each channel."""
    x, rank = map_of(node, to)
    p = node.int("p", 2)
    axes: list[Setting] = list(range(1, rank + 1))
    to.give_result(node, to.one(node, "norm", x.value, axis=axes, keep=True, p=float(p)))
