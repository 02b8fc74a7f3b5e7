"""Pooling by windows that slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import ClassVar, cast

from netdsl.ir.dim import Size
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    changed,
    links,
    need_float,
    per_axis,
    spatial_rank,
    total,
)
from netdsl.ops.base import Op, Rules, Tensors, Window, Windows
from netdsl.ops.cells import Product, Reads, fixed, slid
from netdsl.ops.facts import Sliding
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import BOOL, FLOAT, SIZE, Same, param, show
from netdsl.ops.recipe import From, In, Keywords, TorchCall, TorchModule, TorchRecipe
from netdsl.ops.spelling import written

Parts = tuple[int, ...]


def pooled(size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> Size:
    """Size of a pooled axis (PyTorch's `pooling_output_shape`), ceil mode as one floor.

    A last window that would begin in the far padding is left out in ceil mode, which is the
    smaller of the two bounds.
    """
    return (size + _room(kernel, stride, padding, dilation, ceil)) // stride + 1


def _room(kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """By how much a map is longer than what the last window begins at or before."""
    room = 2 * padding - dilation * (kernel - 1) - 1
    return min(room + stride - 1, padding - 1) if ceil else room


def _formula(
    size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil: bool, result: Size
) -> str:
    """How the size is worked out, with the numbers in it."""
    span = f"{kernel}" if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
    way = "ceil" if ceil else "floor"
    return f"{way}(({size} + 2*{padding} - {span})/{stride}) + 1 = {result}"


class _Pool(Op):
    """What the sliding pools share."""

    family: ClassVar[str] = "pooling"
    border: ClassVar[str] = ""

    holds_window: ClassVar[bool] = False
    """Whether PyTorch wants the map of three axes to hold a window before it is padded."""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        sizes = self._sizes(inputs, rules)
        if self.holds_window and x.rank == 4:
            _check_volume(x.spatial, self._parts(3, rules)["kernel"], rules)
        return (x.with_shape(x.channels, *sizes),)

    def _windows(self) -> Sliding:
        windows = self.sliding()
        assert windows is not None
        return windows

    def _parts(self, rank: int, rules: Rules) -> dict[str, Parts]:
        """What the windows are made of, an axis each."""
        windows = self._windows()
        own = windows.kernel, windows.stride, windows.padding, windows.dilation
        named = zip(("kernel", "stride", "padding", "dilation"), own, strict=True)
        return {at: cast(Parts, per_axis(value, rank, rules, at)) for at, value in named}

    def _sizes(self, inputs: Tensors, rules: Rules) -> list[Size]:
        (x,) = inputs
        need_float(x, rules, self.name)
        rank, ceil = spatial_rank(x, rules, self.name), self._windows().ceil_mode
        parts = self._parts(rank, rules)
        for at, values in parts.items():
            at_least(values, 0 if at == "padding" else 1, rules, at)
        sizes: list[Size] = []
        for axis, size in enumerate(x.spatial):
            k, s, p, d = (values[axis] for values in parts.values())
            if p > k // 2:
                rules.refuse(
                    "padding",
                    f"padding {p} is more than half of the kernel {k}",
                    code="bad-argument",
                    help=self._more_padding(),
                )
            result = pooled(size, k, s, p, d, ceil)
            rules.require(
                result >= 1,
                "kernel",
                f"the {axis_name(rank, axis)} {size} is too small for a window of {k}",
                notes=(_formula(size, k, s, p, d, ceil, result),),
                help="a smaller window, or a larger map: fewer steps with a stride before it",
            )
            sizes.append(result)
        return sizes

    def _more_padding(self) -> str:
        """How more cells are put around the map than the pool itself can."""
        if not getattr(self, "count_include_pad", True):
            return ""
        more = show(self.padding) + self.border  # type: ignore[attr-defined]
        return f"to add more, write `pad({more}) -> {written(replace(self, padding=0))}`"

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """The cells of each window that lie in the map; padding has no values."""
        (x,) = inputs
        parts = self._parts(x.rank - 1, Rules()).values()
        ceil = self._windows().ceil_mode
        if max(next(iter(parts))) > MAX_KERNEL:
            return None
        along: list[Size] = []
        for n, k, s, p, d in zip(x.spatial, *parts, strict=True):
            along.append(links(n, _room(k, s, p, d, ceil), k, s, p, d))
        return total(along) * x.channels

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        (x,) = inputs
        parts = self._parts(x.rank - 1, Rules()).values()
        axes = (
            slid(cells, size, k, s, p, d)
            for cells, size, k, s, p, d in zip(wanted[1:], fixed(x.spatial), *parts, strict=True)
        )
        return [(0, (wanted[0], *axes))]

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        parts = self._parts(inputs[0].rank - 1, Rules()).values()
        return tuple(
            Window(d * (k - 1) + 1, Fraction(s), Fraction(-p), d)
            for k, s, p, d in zip(*parts, strict=True)
        )

    def _recipe(self, rank: int, module: str, call: str, settings: Keywords) -> TorchModule:
        args = (From(self._windows().kernel, "kernel"),)
        functional = TorchCall(f"F.{call}{rank}d", (In(0), *args), settings)
        return TorchModule(f"nn.{module}{rank}d", args, settings, call=functional)

    def _stride(self) -> Keywords:
        """PyTorch's default stride is the kernel as well."""
        windows = self._windows()
        return changed(stride=(From(windows.stride, "stride"), windows.kernel))

    def _slide(self, to: Lowering, op: str, x: OnnxValue, *, is_padded: bool = False) -> OnnxValue:
        """A sliding pool; `is_padded` where its padding is in `x` already.

        The last, partial window of ceil mode is padding at the end, which every runtime and
        ONNX's own shape inference read alike.
        """
        rank = len(x.shape) - 2
        kernel, stride, before, dilation = self._parts(rank, Rules()).values()
        after = before
        if self._windows().ceil_mode:
            pairs = zip(kernel, stride, before, dilation, strict=True)
            after = tuple(min(p + s - 1, d * (k - 1)) for k, s, p, d in pairs)
        if is_padded:
            after = tuple(a - b for a, b in zip(after, before, strict=True))
            before = (0,) * rank
        if not all(n < k for n, k in zip(after, kernel, strict=True)):  # the runtimes want that
            x = padded(to, x, list(zip(before, after, strict=True)), value=float("-inf"))
            before = after = (0,) * rank
        attributes: dict[str, list[int]] = {
            "kernel_shape": list(kernel),
            "strides": list(stride),
            "pads": [*before, *after],
        }
        if any(d != 1 for d in dilation):
            attributes["dilations"] = list(dilation)
        return to.node(op, [x], to.result(), None, **attributes)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest value of each window.

    maxpool(2): [64, 28, 28] -> [64, 14, 14]
    maxpool(3, stride=2, ceil_mode=true): [64, 112, 112] -> [64, 56, 56]
    maxpool(3, stride=1, padding=1): [8, 9] -> [8, 9]
    """

    name: ClassVar[str] = "maxpool"
    title: ClassVar[str] = "max pool"
    gives: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "maxpool maxpooling"
    border: ClassVar[str] = ", value=-3.4e38"

    kernel: int | Parts = param(SIZE, "size of a window")
    stride: int | Parts = param(SIZE, "step from one window to the next", Same("kernel"))
    padding: int | Parts = param(SIZE, "cells of minus infinity on each side", 0)
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)
    ceil_mode: bool = param(BOOL, "whether a last, partial window counts", False)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = self._stride() + changed(
            padding=(From(self.padding, "padding"), 0),
            dilation=(From(self.dilation, "dilation"), 1),
            ceil_mode=(From(self.ceil_mode, "ceil_mode"), False),
        )
        return self._recipe(inputs[0].rank - 1, "MaxPool", "max_pool", settings)

    def onnx(self, to: Lowering) -> OnnxValue:
        return self._slide(to, "MaxPool", to.inputs[0])


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean of each window.

    avgpool(2): [64, 28, 28] -> [64, 14, 14]
    avgpool(3, stride=1, padding=1): [8, 9, 9] -> [8, 9, 9]
    """

    name: ClassVar[str] = "avgpool"
    holds_window: ClassVar[bool] = True
    title: ClassVar[str] = "avg pool"
    gives: ClassVar[str] = "mean"
    elsewhere: ClassVar[str] = "avgpool averagepool averagepooling"

    kernel: int | Parts = param(SIZE, "size of a window")
    stride: int | Parts = param(SIZE, "step from one window to the next", Same("kernel"))
    padding: int | Parts = param(SIZE, "cells of zero on each side", 0)
    ceil_mode: bool = param(BOOL, "whether a last, partial window counts", False)
    count_include_pad: bool = param(BOOL, "whether the padding counts in the mean", True, told=None)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = self._stride() + changed(
            padding=(From(self.padding, "padding"), 0),
            ceil_mode=(From(self.ceil_mode, "ceil_mode"), False),
            count_include_pad=(From(self.count_include_pad, "count_include_pad"), True),
        )
        return self._recipe(inputs[0].rank - 1, "AvgPool", "avg_pool", settings)

    def onnx(self, to: Lowering) -> OnnxValue:
        """What ceil mode adds beyond the padding never counts, so padding that counts is apart."""
        (x,) = to.inputs
        if self.count_include_pad:
            padding = per_axis(self.padding, to.tensors[0].rank - 1, Rules(), "padding")
            x = padded(to, x, [(n, n) for n in padding])
        return self._slide(to, "AveragePool", x, is_padded=self.count_include_pad)


def _check_volume(spatial: tuple[Size, ...], kernel: Parts, rules: Rules) -> None:
    """PyTorch's avg_pool3d wants the unpadded map to hold a whole window."""
    for axis, (size, k) in enumerate(zip(spatial, kernel, strict=True)):
        rules.require(
            size >= k,
            "kernel",
            f"PyTorch's 3-D average pool wants a {axis_name(3, axis)} of at least its window, {k}, "
            f"before padding, and it is {size}",
        )


@dataclass(frozen=True)
class LpPool(_Pool):
    """The p-norm of each window: `(sum of x**p) ** (1/p)`.

    lppool(2, 3, stride=2): [8, 9, 9] -> [8, 4, 4]
    """

    name: ClassVar[str] = "lppool"
    holds_window: ClassVar[bool] = True
    title: ClassVar[str] = "Lp pool"
    gives: ClassVar[str] = "p-norm"
    elsewhere: ClassVar[str] = "lppool"

    p: float = param(
        FLOAT,
        "the power; 1 gives the sum of each window",
        told="p = {}",
        tries=(1.0, 2.0, 3.0, 0.0),
    )
    kernel: int | Parts = param(SIZE, "size of a window")
    stride: int | Parts = param(SIZE, "step from one window to the next", Same("kernel"))
    ceil_mode: bool = param(BOOL, "whether a last, partial window counts", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if self.p == 0:
            rules.refuse("p", "the power can't be 0", code="bad-argument")
        return super().infer(inputs, rules)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        args = (From(self.p, "p"), From(self.kernel, "kernel"))
        settings = self._stride() + changed(ceil_mode=(From(self.ceil_mode, "ceil_mode"), False))
        call = TorchCall(f"F.lp_pool{rank}d", (In(0), *args), settings)
        return TorchModule(f"nn.LPPool{rank}d", args, settings, call=call)

    def onnx(self, to: Lowering) -> OnnxValue:
        """As PyTorch computes it: a mean of powers, times the cells of a window, its root."""
        (x,) = to.inputs
        rank = to.tensors[0].rank - 1
        kernel = per_axis(self.kernel, rank, Rules(), "kernel")
        powers = to.node("Pow", [x, to.number(self.p)])
        mean = self._slide(to, "AveragePool", powers)
        summed = to.node("Mul", [mean, to.number(float(prod(kernel)))])
        return to.node("Pow", [summed, to.number(1.0 / self.p)])
