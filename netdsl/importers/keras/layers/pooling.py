"""Pooling, and what changes the size of maps."""

from __future__ import annotations

from functools import partial
from typing import Any

from netdsl.importers.keras.layers.convolution import map_of
from netdsl.importers.keras.net import Held, Reader, Use
from netdsl.importers.program import Setting


def pooled(use: Use, rank: int, layer: str) -> Held:
    """`same` lets no cell beyond the map count, in means either."""
    settings, x = use.settings, map_of(use, rank)
    kernel = settings.sizes("pool_size", rank, 2)
    stride = settings.sizes("strides", rank) if settings.get("strides") is not None else kernel
    is_same = settings.word("padding", "valid", "valid", "same") == "same"
    own: dict[str, Any] = {"kernel": kernel, "stride": stride}
    if is_same and any(k > 1 or s > 1 for k, s in zip(kernel, stride, strict=True)):
        own["padding"] = "same_upper"
        if layer == "avgpool":
            own["count_include_pad"] = False
    return use.net.a_map(use.net.call(layer, x, **own))


def over_all(use: Use, rank: int, layer: str, reduction: str) -> Held:
    x = map_of(use, rank)
    if use.settings.flag("keepdims"):
        axes: list[Setting] = list(range(1, rank + 1))
        return use.net.a_map(use.net.call(reduction, x, axis=axes, keep=True))
    return use.net.plain(use.net.call(layer, x))


def padded(use: Use, rank: int) -> Held:
    x = map_of(use, rank)
    sides = {2: ("top", "bottom", "left", "right"), 1: ("left", "right")}
    names = sides.get(rank, ("front", "back", *sides[2]))
    cells = [one for pair in use.settings.sides("padding", rank) for one in pair]
    own: dict[str, Any] = {n: c for n, c in zip(names, cells, strict=True) if c}
    return use.net.a_map(use.net.call("pad", x, **own) if own else x)


def cropped(use: Use, rank: int) -> Held:
    x = map_of(use, rank)
    for axis, (before, behind) in enumerate(use.settings.sides("cropping", rank), 1):
        own: dict[str, Any] = {"start": before} if before else {}
        if behind:
            own["stop"] = -behind
        x = use.net.call("slice", x, axis=axis, **own) if own else x
    return use.net.a_map(x)


def enlarged(use: Use, rank: int) -> Held:
    settings, x = use.settings, map_of(use, rank)
    scale = settings.sizes("size", rank, 2)
    mode = settings.word("interpolation", "nearest", "nearest", "bilinear")
    return use.net.a_map(use.net.call("upsample", x, scale=scale, mode=mode))


LAYERS: dict[str, Reader] = {}
for _rank in (1, 2, 3):
    for _word, _layer, _over, _reduction in (
        ("Max", "maxpool", "global_maxpool", "max"),
        ("Average", "avgpool", "global_avgpool", "mean"),
    ):
        LAYERS[f"{_word}Pooling{_rank}D"] = partial(pooled, rank=_rank, layer=_layer)
        LAYERS[f"Global{_word}Pooling{_rank}D"] = partial(
            over_all, rank=_rank, layer=_over, reduction=_reduction
        )
    LAYERS[f"ZeroPadding{_rank}D"] = partial(padded, rank=_rank)
    LAYERS[f"Cropping{_rank}D"] = partial(cropped, rank=_rank)
    LAYERS[f"UpSampling{_rank}D"] = partial(enlarged, rank=_rank)
