"""Pooling to a number of bins, and over the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import ClassVar

from netdsl.ir.dim import Size, ceil_div
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    is_fixed,
    need_float,
    per_axis,
    spatial_rank,
    total,
)
from netdsl.ops.base import BINS, Op, Rules, Tensors, Window, Windows, elements
from netdsl.ops.cells import Product, Reads, binned, fixed, whole
from netdsl.ops.facts import Bins, Edges, Saved, SizeRule, by, kernel_words
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import bands
from netdsl.ops.params import SIZE, param
from netdsl.ops.recipe import From, In, TorchCall, TorchModule, TorchRecipe, keywords

Parts = tuple[int, ...]


def bin_edges(size: int, bins: int) -> Edges:
    """PyTorch's adaptive bins: bin i covers `[i*size // bins, ceil((i + 1)*size / bins))`."""
    return tuple((i * size // bins, -(-(i + 1) * size // bins)) for i in range(bins))


def bin_links(size: Size, bins: Size) -> Size | None:
    """The cells in all of the adaptive bins of an axis; neighbours share one where they overlap."""
    assert isinstance(bins, int)
    if isinstance(size, int):
        return size + bins - gcd(size, bins)
    if bins > MAX_KERNEL:
        return None
    shared = (ceil_div(i * size, bins) - i * size // bins for i in range(1, bins))
    return sum(shared, size)


@dataclass(frozen=True)
class _Adaptive(Op):
    """What the adaptive pools share: bin i of n covers `[i*in // n, ceil((i + 1)*in / n))`."""

    family: ClassVar[str] = "pooling"
    kind: ClassVar[str] = ""

    size: int | Parts = param(SIZE, "size of the result", told=None)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        parts = per_axis(self.size, spatial_rank(x, rules, self.name), rules, "size")
        at_least(parts, 1, rules, "size")
        return (x.with_shape(x.channels, *parts),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        counts = [bin_links(size, bins) for size, bins in pairs]
        known = [count for count in counts if count is not None]
        return total(known) * inputs[0].channels if len(known) == len(counts) else None

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Regular only where the result's size divides the map's; one bin is all of an axis."""
        windows: list[Window | None] = []
        for size, bins in zip(inputs[0].spatial, outputs[0].spatial, strict=True):
            regular = isinstance(size, int) and isinstance(bins, int) and size % bins == 0
            window = Window(size // bins, Fraction(size // bins)) if regular else BINS  # type: ignore[operator,arg-type]
            windows.append(None if bins == 1 and size != 1 else window)
        return tuple(windows)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        sizes = zip(wanted[1:], fixed(inputs[0].spatial), fixed(outputs[0].spatial), strict=True)
        return [(0, (wanted[0], *(binned(*pair) for pair in sizes)))]

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        rank = inputs[0].rank - 1
        sizes = enumerate(outputs[0].spatial)
        return tuple(SizeRule(axis_name(rank, a), "size", f"{n} at every size") for a, n in sizes)

    def bins_of(self, inputs: Tensors, outputs: Tensors) -> Bins:
        sizes = zip(fixed(inputs[0].spatial), fixed(outputs[0].spatial), strict=True)
        return Bins((tuple(bin_edges(*pair) for pair in sizes),), self.gives)

    def headline(self, inputs: Tensors) -> str:
        return f"{self.title} {kernel_words(self.size, len(inputs[0].spatial))}"

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        return self.headline(inputs)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        if set(outputs[0].spatial) == {1}:
            return f"{self.gives} of each map"
        bins = f"{by(outputs[0].spatial)} bins"
        same = inputs[0].spatial == outputs[0].spatial
        return f"{bins} of one pixel" if same else f"{self.gives} of {bins}"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        args = (From(self.size, "size"),)
        kind = self.kind
        ones = all(n == 1 for n in outputs[0].spatial)
        if rank == 2 and not ones and not is_fixed(inputs[0].spatial):
            return TorchModule(f"Adaptive{kind}Pool", args, helper="adaptive")
        call = TorchCall(f"F.adaptive_{kind.lower()}_pool{rank}d", (In(0), *args))
        return TorchModule(f"nn.Adaptive{kind}Pool{rank}d", args, call=call)

    def onnx(self, to: Lowering) -> OnnxValue:
        """Windows of equal size where they divide the map, else bands, an axis after the other."""
        (x,) = to.inputs
        kind = self.kind.lower()
        spatial, bins = to.tensors[0].spatial, to.results[0].spatial
        if all(n == 1 for n in bins):
            axes = to.ints(*range(2, len(x.shape)))
            reduce = "ReduceMax" if kind == "max" else "ReduceMean"
            return to.node(reduce, [x, axes], to.result(), keepdims=1)
        pairs = zip(fixed(spatial), fixed(bins), strict=True) if is_fixed(spatial) else ()
        factors = [divmod(size, count) for size, count in pairs]
        if factors and not any(rest for _, rest in factors):
            kernel = [factor for factor, _ in factors]
            op = "MaxPool" if kind == "max" else "AveragePool"
            return to.node(op, [x], to.result(), kernel_shape=kernel, strides=kernel)
        for axis, count in enumerate(bins, 2):
            assert isinstance(count, int)
            x = bands(to, x, axis, count, kind)
        return x


class AdaptiveMaxPool(_Adaptive):
    """The largest value of each of `size` windows, which overlap where they must.

    adaptive_maxpool(6): [256, 13, 13] -> [256, 6, 6]
    adaptive_maxpool(2x3): [8, H, W] -> [8, 2, 3]
    """

    name: ClassVar[str] = "adaptive_maxpool"
    title: ClassVar[str] = "max pool to"
    gives: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "adaptivemaxpool adaptivemaxpooling"
    kind: ClassVar[str] = "Max"

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Also the place of each maximum, a number of eight bytes."""
        return Saved((0,), more=8 * elements(outputs))


class AdaptiveAvgPool(_Adaptive):
    """The mean of each of `size` windows, which overlap where they must.

    adaptive_avgpool(7x7): [512, H, W] -> [512, 7, 7]
    adaptive_avgpool(1): [8, 5] -> [8, 1]
    """

    name: ClassVar[str] = "adaptive_avgpool"
    title: ClassVar[str] = "avg pool to"
    gives: ClassVar[str] = "mean"
    elsewhere: ClassVar[str] = "adaptiveavgpool adaptiveaveragepooling"
    kind: ClassVar[str] = "Avg"

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Of one bin it is a mean, which needs nothing."""
        return Saved() if set(outputs[0].spatial) == {1} else Saved((0,))


class _Global(Op):
    """What the global pools share: one number a channel."""

    family: ClassVar[str] = "pooling"
    method: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        spatial_rank(x, rules, self.name)
        return (x.with_shape(x.channels),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, (wanted[0], *whole(inputs[0].spatial)))]

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"{self.gives} of each map"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        axes = tuple(range(-(inputs[0].rank - 1), 0))
        return TorchCall(self.method, (In(0),), keywords(dim=axes))

    def onnx(self, to: Lowering) -> OnnxValue:
        axes = to.ints(*range(2, len(to.inputs[0].shape)))
        return to.node(self.onnx_operator, [*to.inputs, axes], to.result(), keepdims=0)


class GlobalMaxPool(_Global):
    """The largest value of each channel.

    global_maxpool: [512, H, W] -> [512]
    """

    name: ClassVar[str] = "global_maxpool"
    title: ClassVar[str] = "global max pool"
    gives: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "globalmaxpooling gmp"
    method: ClassVar[str] = ".amax"
    onnx_operator: ClassVar[str] = "ReduceMax"

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        return Saved((0,), outputs=True)


class GlobalAvgPool(_Global):
    """The mean of each channel.

    global_avgpool: [1024, 7, 7] -> [1024]
    global_avgpool: [8, 4, 4, 4] -> [8]
    """

    name: ClassVar[str] = "global_avgpool"
    keeps: ClassVar[str] = "nothing"
    title: ClassVar[str] = "global avg pool"
    gives: ClassVar[str] = "mean"
    elsewhere: ClassVar[str] = "globalaveragepooling globalavgpool gap"
    method: ClassVar[str] = ".mean"
    onnx_operator: ClassVar[str] = "ReduceMean"
