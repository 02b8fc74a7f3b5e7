"""Pooling by windows that slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from netdsl.ir.dim import Size, ceil_div, maximum, minimum
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    changed,
    check_padding,
    is_fixed,
    links,
    need_float,
    padded_links,
    per_axis,
    sliding_windows,
    spatial_rank,
    total,
)
from netdsl.ops.base import Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Indices, Product, Reads, fixed, replaced, slid
from netdsl.ops.facts import Saved, SizeRule, Sliding
from netdsl.ops.lowering import Lowering, OnnxAttribute, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.padding import LOWER, OF_PADDING, PADDING, Cells
from netdsl.ops.params import BOOL, FLOAT, SIZE, Same, param, show
from netdsl.ops.pooled import pooled, pooled_formula, pooled_in_words, room
from netdsl.ops.recipe import From, In, Keywords, TorchCall, TorchModule, TorchRecipe, TorchValue
from netdsl.ops.spelling import written

Parts = tuple[int, ...]


class _Pool(Op):
    """What the sliding pools share."""

    family: ClassVar[str] = "pooling"
    border: ClassVar[str] = ""

    holds_window: ClassVar[bool] = False
    """Whether PyTorch wants the map of three axes to hold a window before it is padded."""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        sizes = self._sizes(inputs, rules)
        if self.holds_window and x.rank == 4 and not isinstance(self._windows().padding, str):
            _check_volume(x.spatial, self._parts(3, rules)["kernel"], rules)
        return (x.with_shape(x.channels, *sizes),)

    def _windows(self) -> Sliding:
        windows = self.sliding()
        assert windows is not None
        return windows

    def _parts(self, rank: int, rules: Rules) -> dict[str, Parts]:
        """What the windows are made of, an axis each; without padding in words."""
        windows = self._windows()
        padding = 0 if isinstance(windows.padding, str) else windows.padding
        own = windows.kernel, windows.stride, padding, windows.dilation
        named = zip(("kernel", "stride", "padding", "dilation"), own, strict=True)
        return {at: per_axis(value, rank, rules, at) for at, value in named}

    def _sizes(self, inputs: Tensors, rules: Rules) -> list[Size]:
        (x,) = inputs
        need_float(x, rules, self.name)
        rank, ceil = spatial_rank(x, rules, self.name), self._windows().ceil_mode
        parts = self._parts(rank, rules)
        for at, values in parts.items():
            at_least(values, 0 if at == "padding" else 1, rules, at)
        if isinstance(self._windows().padding, str):
            return self._sizes_of_words(x, rules)
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
                notes=(pooled_formula(size, k, s, p, d, ceil, result),),
                help="a smaller window, or a larger map: fewer steps with a stride before it",
            )
            sizes.append(result)
        return sizes

    def _sizes_of_words(self, x: Tensor, rules: Rules) -> list[Size]:
        """Those of `padding=same` and its kin, which any size fits."""
        windows = self._windows()
        if windows.ceil_mode:
            rules.refuse(
                "ceil_mode", "padding in words leaves no partial window", code="bad-argument"
            )
        check_padding(windows, x.rank - 1, rules)
        strides = (stride for _, stride, _ in windows.settings_along(x.rank - 1))
        return [ceil_div(size, stride) for size, stride in zip(x.spatial, strides, strict=True)]

    def _more_padding(self) -> str:
        """How more cells are put around the map than the pool itself can."""
        if not getattr(self, "count_include_pad", True):
            return ""
        more = show(self.padding) + self.border  # type: ignore[attr-defined]
        return f"to add more, write `pad({more}) -> {written(replace(self, padding=0))}`"

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        (x,) = inputs
        windows, rank, rules = self._windows(), x.rank - 1, list[SizeRule]()
        around = windows.around(x.spatial)
        for axis, (k, s, d) in enumerate(windows.settings_along(rank)):
            name, size, result = axis_name(rank, axis), x.spatial[axis], outputs[0].spatial[axis]
            before = around[axis][0]
            if isinstance(windows.padding, str) or not isinstance(before, int):
                rules.append(SizeRule(name, "ceil(in/stride)", f"ceil({size}/{s}) = {result}"))
                continue
            own = (k, s, before, d, windows.ceil_mode)
            numbers = pooled_formula(size, *own, result)
            rules.append(SizeRule(name, pooled_in_words(*own), numbers))
        return tuple(rules)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """The cells of each window that lie in the map; padding has no values."""
        (x,) = inputs
        windows = self._windows()
        settings = windows.settings_along(x.rank - 1)
        if max(kernel for kernel, _, _ in settings) > MAX_KERNEL:
            return None
        along: list[Size] = []
        around = windows.around(x.spatial)
        for n, (k, s, d), (p, q) in zip(x.spatial, settings, around, strict=True):
            if isinstance(p, int) and not isinstance(windows.padding, str):
                along.append(links(n, room(k, s, p, d, windows.ceil_mode), k, s, p, d))
            else:
                along.append(padded_links(n, (p, q), k, s, d))
        return total(along) * x.channels

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        (x,) = inputs
        settings = self._windows().settings_along(x.rank - 1)
        before = fixed([cells for cells, _ in self._windows().around(x.spatial)])
        axes = (
            slid(cells, size, k, s, p, d)
            for cells, size, (k, s, d), p in zip(
                wanted[1:], fixed(x.spatial), settings, before, strict=True
            )
        )
        return [(0, (wanted[0], *axes))]

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return tuple(sliding_windows(self._windows(), inputs[0].spatial))

    def _recipe(self, rank: int, module: str, call: str, settings: Keywords) -> TorchModule:
        args = (From(self._windows().kernel, "kernel"),)
        functional = TorchCall(f"F.{call}{rank}d", (In(0), *args), settings)
        return TorchModule(f"nn.{module}{rank}d", args, settings, call=functional)

    def _stride(self) -> Keywords:
        """PyTorch's default stride is the kernel as well."""
        windows = self._windows()
        return changed(stride=(From(windows.stride, "stride"), windows.kernel))

    def _torch_padding(self, rank: int) -> TorchValue:
        """What says the padding to PyTorch's own module; None where it can't pad so."""
        windows = self._windows()
        if not isinstance(windows.padding, str):
            return From(windows.padding, "padding")
        is_spread = any(dilation > 1 for _, _, dilation in windows.settings_along(rank))
        if is_spread or (self.holds_window and rank == 3):
            return None
        return windows.equal_cells(rank)

    def _helper(self, target: str, **settings: tuple[TorchValue, object]) -> TorchModule:
        """A module of ours, which pads as the word says."""
        windows = self._windows()
        args = (From(windows.kernel, "kernel"), From(windows.stride, "stride"))
        lower = changed(lower=(windows.padding == LOWER, False))
        return TorchModule(target, args, changed(**settings) + lower, helper="same")

    def _around(self, spatial: Shape) -> list[Cells]:
        """Cells before and after each axis; a partial window of ceil mode is padding at the end."""
        windows = self._windows()
        around = windows.around(spatial)
        if not windows.ceil_mode:
            return around
        axes = zip(windows.settings_along(len(spatial)), around, strict=True)
        return [(p, minimum(p + s - 1, d * (k - 1))) for (k, s, d), (p, _) in axes]

    def _slide(self, to: Lowering, op: str, x: OnnxValue, *, is_padded: bool = False) -> OnnxValue:
        """A sliding pool; `is_padded` where its padding is in `x` already."""
        x, how = self._set_up(to, x, is_padded=is_padded)
        return to.node(op, [x], (*x.shape[:2], *to.result()[2:]), None, **how)

    def _set_up(
        self, to: Lowering, x: OnnxValue, *, is_padded: bool = False
    ) -> tuple[OnnxValue, dict[str, OnnxAttribute]]:
        """The map as a pool of ONNX takes it, and the settings of the pool.

        Every runtime, and ONNX's own shape inference, reads explicit padding alike.
        """
        windows, spatial = self._windows(), to.tensors[0].spatial
        kernel, stride, dilation = zip(*windows.settings_along(len(spatial)), strict=True)
        around = self._around(spatial)
        if is_padded:
            inside = windows.around(spatial)
            around = [(0, q - p) for (_, q), (_, p) in zip(around, inside, strict=True)]
        how: dict[str, OnnxAttribute] = {
            "kernel_shape": list(kernel),
            "strides": list(stride),
        }
        if all(_is_within(pair, k) for pair, k in zip(around, kernel, strict=True)):
            how["pads"] = [*fixed([p for p, _ in around]), *fixed([q for _, q in around])]
        else:  # the runtimes want less padding than a window
            x = padded(to, x, around, value=float("-inf"))
        if any(d != 1 for d in dilation):
            how["dilations"] = list(dilation)
        return x, how


def _is_within(around: Cells, kernel: int) -> bool:
    """Whether less is added on either side than a window."""
    return all(isinstance(cells, int) and cells < kernel for cells in around)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest value of each window.

    With `indices=true` a second result tells where each lies: the number of its cell in the map,
    counted along the last axis first, as PyTorch's `return_indices` has it. `max_unpool` takes it.

        maxpool(2): [64, 28, 28] -> [64, 14, 14]
        maxpool(3, stride=2, ceil_mode=true): [64, 112, 112] -> [64, 56, 56]
        maxpool(3, stride=1, padding=1): [8, 9] -> [8, 9]
        maxpool(2, indices=true): [64, 28, 28] -> [64, 14, 14], int64 [64, 14, 14]
    """

    name: ClassVar[str] = "maxpool"
    title: ClassVar[str] = "max pool"
    gives: ClassVar[str] = "max"
    elsewhere: ClassVar[str] = "maxpool maxpooling"
    border: ClassVar[str] = ", value=-3.4e38"

    kernel: int | Parts = param(SIZE, "size of a window")
    stride: int | Parts = param(SIZE, "step from one window to the next", Same("kernel"))
    padding: int | Parts | str = param(PADDING, OF_PADDING, 0)
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)
    ceil_mode: bool = param(BOOL, "whether a last, partial window counts", False)

    indices: bool = param(BOOL, "whether the places of the maxima are a second result", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        results = super().infer(inputs, rules)
        if not self.indices:
            return results
        if isinstance(self.padding, str):
            rules.refuse(
                "indices",
                "places are counted in a map that is padded by numbers",
                code="bad-argument",
                help="pad by a number: `padding=1`",
            )
        for size, (_, s, p, d) in zip(
            inputs[0].spatial, self._steps(inputs[0].rank - 1), strict=True
        ):
            first = max(((i * s - p) % d for i in range(-(-p // s))), default=0)
            rules.require(
                size > first,
                "indices",
                f"a window that lies in the padding alone has no largest cell: an axis of {size} "
                f"has none of every {d}th cell from {first} on",
            )
        places = replace(results[0], dtype="int64", numbered=inputs[0].spatial)
        return (*results, places)

    def _steps(self, rank: int) -> list[tuple[int, int, int, int]]:
        """Kernel, stride, padding and dilation of each axis."""
        k, s, p, d = self._parts(rank, Rules()).values()
        return list(zip(k, s, p, d, strict=True))

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Also the place of each maximum, a number of eight bytes."""
        if isinstance(self.padding, str):
            return None
        return Saved((0,), more=8 * elements(outputs[:1]))

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """What a maximum reads, its place reads too, but where a window holds a single cell."""
        pairs = super().connections(inputs, outputs)
        if pairs is None or not self.indices:
            return pairs
        steps = self._steps(inputs[0].rank - 1)
        pieces = zip(inputs[0].spatial, steps, strict=True)
        return (
            pairs * 2 - total(self._single(size, own) for size, own in pieces) * inputs[0].channels
        )

    def _single(self, size: Size, steps: tuple[int, int, int, int]) -> Size:
        """How many windows along an axis hold one cell of the map.

        Of m cells in a row there are m - 1 pairs and m - 2 threes of neighbours, so that
        m - 2*(m - 1) + (m - 2) is 0, but 1 where m is 1, and 0 where there is none.
        """
        k, s, p, d = steps
        if d == 1 and k >= p + 2 and not self.ceil_mode:  # only where the map has a single one
            return max(0, (1 + 2 * p - k) // s + 1) * maximum(0, 2 - size)
        far = room(k, s, p, d, self.ceil_mode)
        ones, pairs, threes = (links(size, far, k, s, p, d, run) for run in (1, 2, 3))
        return ones - 2 * pairs + threes

    def _cells(self, place: int, inputs: Tensors, axis: int) -> Indices:
        """The cells of the map in one window, along an axis."""
        k, s, d = self._windows().settings_along(inputs[0].rank - 1)[axis]
        (before, size) = fixed((self._around(inputs[0].spatial)[axis][0], inputs[0].spatial[axis]))
        return slid(frozenset((place,)), size, k, s, before, d)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """Where the maximum of one cell lies depends on nothing."""
        if result == 0:
            return super().reads(inputs, outputs, wanted)
        pieces: Reads = []
        for axis in range(1, len(wanted)):
            several = frozenset(
                i for i in wanted[axis] if len(self._cells(i, inputs, axis - 1)) > 1
            )
            pieces += super().reads(inputs, outputs, replaced(wanted, axis, several))
            wanted = replaced(wanted, axis, wanted[axis] - several)
        return pieces

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        padding, dilation = self._torch_padding(rank), (From(self.dilation, "dilation"), 1)
        if padding is None:
            return self._helper("SameMaxPool", dilation=dilation)
        settings = self._stride() + changed(
            padding=(padding, 0),
            dilation=dilation,
            ceil_mode=(From(self.ceil_mode, "ceil_mode"), False),
            return_indices=(From(self.indices, "indices"), False),
        )
        return self._recipe(rank, "MaxPool", "max_pool", settings)

    def onnx(self, to: Lowering) -> OnnxValue | tuple[OnnxValue, ...]:
        """ONNX counts places through all samples and channels, and in what is padded apart."""
        if not self.indices:
            return self._slide(to, "MaxPool", to.inputs[0])
        x, how = self._set_up(to, to.inputs[0])
        shape = to.result()
        largest, places = to.split("MaxPool", [x], [shape] * 2, [x.dtype, "int64"], **how)
        places = to.node("Mod", [places, to.sizes([total(x.shape[2:])])])
        return largest, self._in_map(to, places, x.shape[2:])

    def _in_map(self, to: Lowering, places: OnnxValue, padded_sizes: Shape) -> OnnxValue:
        """Places in a map that was padded, as those in the map itself."""
        spatial = to.tensors[0].spatial
        if padded_sizes == spatial:
            return places
        total_places, scale = None, 1
        axes = zip(padded_sizes, spatial, self._around(spatial), strict=True)
        for wide, size, (before, _) in reversed(list(axes)):
            cell = to.node("Mod", [places, to.sizes([wide])])
            places = to.node("Div", [places, to.sizes([wide])])
            cell = to.node("Sub", [cell, to.sizes([before])])
            cell = to.node("Mul", [cell, to.sizes([scale])])
            total_places = cell if total_places is None else to.node("Add", [total_places, cell])
            scale = scale * size
        assert total_places is not None
        return total_places


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
    padding: int | Parts | str = param(PADDING, OF_PADDING, 0)
    ceil_mode: bool = param(BOOL, "whether a last, partial window counts", False)
    count_include_pad: bool = param(BOOL, "whether the padding counts in the mean", True, told=None)

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        return None if isinstance(self.padding, str) else Saved((0,))

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        counted = (From(self.count_include_pad, "count_include_pad"), True)
        padding = self._torch_padding(rank)
        if padding is None:
            return self._helper("SameAvgPool", count_include_pad=counted)
        settings = self._stride() + changed(
            padding=(padding, 0),
            ceil_mode=(From(self.ceil_mode, "ceil_mode"), False),
            count_include_pad=counted,
        )
        return self._recipe(rank, "AvgPool", "avg_pool", settings)

    def onnx(self, to: Lowering) -> OnnxValue:
        """What ceil mode adds beyond the padding never counts, so padding that counts is apart.

        Of padding that the size decides the same holds; the share of it that lies within the map
        is taken out of the means.
        """
        (x,) = to.inputs
        spatial = to.tensors[0].spatial
        around = self._windows().around(spatial)
        is_open = not is_fixed(n for pair in around for n in pair)
        if not self.count_include_pad and not is_open:
            return self._slide(to, "AveragePool", x)
        means = self._slide(to, "AveragePool", padded(to, x, around), is_padded=True)
        if self.count_include_pad:
            return means
        one = to.floats([1.0], (1,) * len(x.shape))
        inside = to.node("Expand", [one, to.sizes((1, 1, *spatial))], (1, 1, *spatial))
        shares = self._slide(to, "AveragePool", padded(to, inside, around), is_padded=True)
        return to.node("Div", [means, shares])


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
