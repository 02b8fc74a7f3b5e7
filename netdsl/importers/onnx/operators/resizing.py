"""Maps at other sizes."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import dim_of, spelled
from netdsl.importers.onnx.load import decimal
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.quantity import Plain, Quantity, quotient
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data
from netdsl.importers.program import Axis, Setting, Value

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
PLACES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


@reads("Upsample")
def upsample(node: Node, to: Reader) -> None:
    """By factors: an attribute in opset 7 and 8, an input in 9."""
    x = to.data(node)
    mode = node.word("mode", "nearest", ("nearest", "linear"))
    if node.opset < 9:
        scales = list(cast("tuple[float, ...]", node.attributes.get("scales", ())))
        node.asked.add("scales")
    else:
        scales = [float(cast(float, one)) for one in to.numbers_of(node, 1)]
    if mode == "linear":
        node.refuse("linear interpolation of this operator takes cells from other places than any "
                    "mode of the language")  # fmt: skip
    _by_scales(node, to, x, _checked(node, x, scales), {"mode": "nearest"}, "asymmetric")


@reads("Resize")
def resize(node: Node, to: Reader) -> None:
    """By factors or to sizes."""
    x = to.data(node)
    settings, places = _mode(node, x.type.rank - 1)
    for name, default in (("antialias", 0), ("exclude_outside", 0)):
        node.only(name, default)
    node.only("keep_aspect_ratio_policy", "stretch")
    node.has("extrapolation_value")  # it is for crops alone
    first = 2 if node.opset >= 11 else 1
    sizes = None
    if node.opset >= 11 and to.optional(node, 3) is not None:
        sizes = to.numbers_of(node, 3)
    scales = None
    if to.optional(node, first) is not None and to.known(node, first).count:
        scales = to.numbers_of(node, first)
    if (sizes is None) == (scales is None):
        node.refuse("it takes either factors or sizes")
    axes = node.ints("axes") if node.has("axes") else None
    if sizes is not None:
        whole = _all_axes(node, sizes, axes, to.sizes(x), x)
        _to_sizes(node, to, x, whole, settings, places)
        return
    ones: list[Plain] = [1.0] * x.rank
    whole = _all_axes(node, cast("list[Plain]", scales), axes, ones, x)
    if any(isinstance(one, Quantity) for one in whole):
        _by_open_scales(node, to, x, whole, settings, places)
        return
    numbers = _checked(node, x, [float(cast(float, one)) for one in whole])
    _by_scales(node, to, x, numbers, settings, places)


def _all_axes(
    node: Node, given: list[Plain], axes: tuple[int, ...] | None, others: list[Plain], x: Data
) -> list[Plain]:
    """A number for each axis, where some are given for some axes only."""
    if axes is None:
        if len(given) != x.rank:
            node.refuse(f"{len(given)} numbers for {x.rank} axes")
        return given
    if len(axes) != len(given) or any(not -x.rank <= a < x.rank for a in axes):
        node.refuse(f"{len(given)} numbers for the axes {list(axes)[:8]}")
    whole = list(others)
    for axis, number in zip(axes, given, strict=True):
        whole[axis] = number
    return whole


def _mode(node: Node, rank: int) -> tuple[dict[str, Setting], str]:
    """The mode as settings, and where the cells of the result lie."""
    if not 1 <= rank <= 3:
        node.refuse("it takes maps", code="wrong-rank")
    mode = node.word("mode", "nearest", ("nearest", "linear", "cubic"))
    if node.opset < 11:
        if mode == "linear":
            node.refuse("linear interpolation of this operator takes cells from other places than "
                        "any mode of the language")  # fmt: skip
        return {"mode": "nearest"}, "asymmetric"
    places = node.word("coordinate_transformation_mode", "half_pixel", PLACES)
    rounding = node.text("nearest_mode", "round_prefer_floor")
    coefficient = node.float("cubic_coeff_a", -0.75)
    if mode == "nearest":
        if (places, rounding) != ("asymmetric", "floor"):
            places = f"{places} {rounding}"
        return {"mode": "nearest"}, places
    if places == "asymmetric":
        node.refuse("`asymmetric` interpolation has no word, `half_pixel` and `align_corners` have")
    settings: dict[str, Setting] = {"align_corners": places == "align_corners"}
    if mode == "cubic":
        if coefficient != -0.75 or rank != 2:
            node.refuse("cubic interpolation is of maps [C, H, W], with the coefficient -0.75")
        return {"mode": "bicubic", **settings}, places
    return {"mode": LINEAR[rank], **settings}, places


def _checked(node: Node, x: Data, scales: list[float]) -> list[float]:
    """The factors of the spatial axes."""
    if len(scales) != x.rank or any(not 0 < s < 1e6 for s in scales):
        node.refuse(f"{scales[:8]} are no factors for {x.rank} axes")
    if scales[0] != 1 or scales[1] != 1:
        node.refuse("it resizes the batch or the channels, which has no word")
    return [decimal(scale) for scale in scales[2:]]


def _check_nearest(node: Node, scales: list[float] | None, places: str) -> None:
    """Refuse the nearest cell by other rules than PyTorch's, where these give other cells."""
    if places == "asymmetric" or " " not in places:
        return
    where, rounding = places.split(" ")
    is_half = where in ("half_pixel", "pytorch_half_pixel")
    is_round = rounding in ("round_prefer_floor", "round_prefer_ceil")
    whole = scales is not None and all(s == int(s) and s >= 1 for s in scales)
    if whole and is_half and is_round:
        return
    doubles = whole and scales is not None and all(s <= 2 for s in scales)
    if doubles and where == "asymmetric" and rounding == "round_prefer_floor":
        return
    node.refuse(
        f"the nearest cell by `{where}` and `{rounding}` is another one than the language's, "
        "which is that of `asymmetric` and `floor`"
    )


def _by_scales(
    node: Node, to: Reader, x: Data, scales: list[float], settings: dict[str, Setting], places: str
) -> None:
    _check_nearest(node, scales, places)
    for size, scale in zip(x.type.spatial, scales, strict=True):
        _check_size(node, size, scale)
    if all(scale == 1 for scale in scales):
        to.give(node, x)
        return
    if settings.get("align_corners") is True:
        _check_corners(node, x, scales)
    if any(s < 1 for s in scales):
        _check_one(node, x, scales, places)
    plain = [int(scale) if scale == int(scale) else scale for scale in scales]
    scale: Setting = plain[0] if len(set(plain)) == 1 else cast(Setting, tuple(plain))
    to.give_result(node, to.call(node, "upsample", [x.value], {"scale": scale, **settings})[0])


def _check_corners(node: Node, x: Data, scales: list[float]) -> None:
    """Corners lie at the end of a size that is whole; of another one readers of ONNX differ."""
    for size, scale in zip(x.type.spatial, scales, strict=True):
        is_whole = scale == int(scale) or (isinstance(size, int) and (size * scale) % 1 == 0)
        if not is_whole:
            node.refuse(f"`align_corners` with {size} times {scale}, which may be no whole number")


def _check_one(node: Node, x: Data, scales: list[float], places: str) -> None:
    """A result of one cell is another one for `pytorch_half_pixel` than for PyTorch itself."""
    if places != "pytorch_half_pixel":
        return
    for size, scale in zip(x.type.spatial, scales, strict=True):
        if not isinstance(size, int) or int(size * scale) <= 1 < size:
            node.refuse(
                "an axis may shrink to one cell, which `pytorch_half_pixel` finds elsewhere"
            )


def _check_size(node: Node, size: object, scale: float) -> None:
    """The size of a result, which ONNX computes in 32 bits, must be the exact one."""
    if scale * 1024 == int(scale * 1024):
        return
    exact = math.floor(size * _fraction(scale)) if isinstance(size, int) else None
    rounded = (
        math.floor(np.float32(cast(int, size)) * np.float32(scale)) if exact is not None else None
    )
    if (
        exact is None
        or exact != rounded
        or exact != math.floor(float(np.float32(scale)) * cast(int, size))
    ):
        node.refuse(
            f"{size} times {scale} is another whole number exactly than in 32 bits"
            if exact is not None
            else f"an open size times {scale} may be another whole number exactly than in 32 bits",
            code="size-unlike-pytorch",
        )


def _fraction(scale: float):
    from fractions import Fraction

    return Fraction(repr(scale))


def _by_open_scales(
    node: Node, to: Reader, x: Data, scales: list[Plain], settings: dict[str, Setting], places: str
) -> None:
    """Factors that are one size over another: the result has that size."""
    sizes: list[Plain] = []
    for scale, size in zip(scales, to.sizes(x), strict=True):
        if not isinstance(scale, Quantity) and scale == 1:
            sizes.append(size)
            continue
        node.refuse(f"it resizes by {scale}, which depends on the sizes", code="needs-fixed-size")
    _to_sizes(node, to, x, sizes, settings, places)


def _to_sizes(
    node: Node, to: Reader, x: Data, sizes: list[Plain], settings: dict[str, Setting], places: str
) -> None:
    before = to.sizes(x)
    for axis in (0, 1):
        if dim_of(sizes[axis]) != dim_of(before[axis]):
            node.refuse("it resizes the batch or the channels, which has no word")
    scales = [
        quotient(dim_of(new), dim_of(old)) for new, old in zip(sizes[2:], before[2:], strict=True)
    ]
    if all(isinstance(scale, int) and scale >= 1 for scale in scales):
        _by_scales(node, to, x, [float(cast(int, s)) for s in scales], settings, places)
        return
    _check_nearest(node, None, places)
    if places == "pytorch_half_pixel":
        for size, own in zip(sizes[2:], before[2:], strict=True):
            if isinstance(size, Quantity) or (size == 1 and own != 1):
                places = _one_cell(node, size)
    size = value_of_size(to, x.type.rank, sizes[2:])
    if size is None:
        parts = tuple(spelled(node, one) for one in sizes[2:])
        size = cast(
            Setting, parts[0] if len(set(map(repr, parts))) == 1 and len(parts) == 1 else parts
        )
    to.give_result(node, to.call(node, "upsample", [x.value], {"size": size, **settings})[0])


def _one_cell(node: Node, size: Plain) -> str:
    """An open size may be one cell, for which PyTorch's own rule is ONNX's `half_pixel`."""
    if not isinstance(size, Quantity):
        node.refuse("an axis shrinks to one cell, which `pytorch_half_pixel` finds elsewhere")
    return "pytorch_half_pixel"


def value_of_size(to: Reader, rank: int, sizes: list[Plain]) -> Value | None:
    """The value whose spatial axes these sizes are."""
    numbers = [size.number if isinstance(size, Quantity) else None for size in sizes]
    first = numbers[0]
    if not isinstance(first, Axis) or to.types[first.value].rank != rank:
        return None
    wanted = [Axis(first.value, n) for n in range(1, rank)]
    return first.value if numbers == wanted and to.types[first.value].batched else None
