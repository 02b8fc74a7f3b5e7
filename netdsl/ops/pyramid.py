"""Spatial pyramid pooling (He, Zhang, Ren, Sun 2014): a vector of fixed length from any map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import all_of
from netdsl.ir.dim import Size, ceil_div
from netdsl.ops.adaptive_pool import bin_edges, bin_links
from netdsl.ops.axes import at_least, axis_name, known_channels, need_float, total
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Indices, Product, Reads, binned, fixed, reshaped, slid
from netdsl.ops.facts import Bins, Edges
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import bands
from netdsl.ops.params import INTS, choice, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe


def _paper_edges(size: int, bins: int) -> Edges:
    """The windows of the paper: `ceil(size/bins)` wide and `size // bins` apart."""
    step, wide = size // bins, -(-size // bins)
    return tuple((i * step, i * step + wide) for i in range(bins))


@dataclass(frozen=True)
class Spp(Op):
    """Pools a map into n x n bins for each level n; the results, flattened, are joined.

    `bins=adaptive` uses PyTorch's adaptive windows, at every size. `bins=paper` uses the windows
    of the paper, ceil(a/n) wide and floor(a/n) apart, which give n bins only where `a >= n` and
    `a % n <= a // n`; other sizes are outside the contract.

        spp([1, 2, 4]): [256, H, W] -> [5376]
        spp([3, 2, 1], mode=avg): [8, 13, 10] -> [112]
        spp([1, 2], bins=paper): [4, 7, 9] -> [20]
    """

    name: ClassVar[str] = "spp"
    family: ClassVar[str] = "pyramid"
    title: ClassVar[str] = "spatial pyramid pool"
    joins_axes: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "spatialpyramidpooling"

    levels: tuple[int, ...] = param(INTS, "bins along each axis, a level each", [1, 2, 4])
    mode: str = param(choice("max", "avg"), "what a bin gives", "max", told="{}")
    bins: str = param(
        choice("adaptive", "paper"), "how the windows lie", "adaptive", told="{}'s windows"
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, "spp")
        if x.rank != 3:
            rules.refuse(
                "in", f"`spp` works on maps [C, H, W], and {x} comes in", code="wrong-rank"
            )
        if not self.levels:
            rules.refuse("levels", "a pyramid has at least one level", code="bad-argument")
        at_least(self.levels, 1, rules, "levels")
        if max(self.levels) > 1024:
            rules.refuse("levels", "a level has at most 1024 bins an axis", code="bad-argument")
        if self.bins == "paper":
            self._check_paper(inputs, rules)
        return (x.with_shape(known_channels(x, rules, "spp") * sum(n * n for n in self.levels)),)

    def _check_paper(self, inputs: Tensors, rules: Rules) -> None:
        for n in self.levels:
            for axis, size in enumerate(inputs[0].spatial):
                rules.require(
                    all_of(size >= n, size % n <= size // n),
                    "levels",
                    f"the paper's windows give {n} bins only where {n} <= a and "
                    f"a % {n} <= a // {n}, and the {axis_name(2, axis)} is {size}",
                    help="bins=adaptive works at every size",
                )

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        x, cells = inputs[0], 0
        for n in self.levels:
            along = [self._links(size, n) for size in x.spatial]
            cells = cells + total(along)
        return cells * x.channels

    def _links(self, size: Size, bins: int) -> Size:
        """The cells in all bins of an axis."""
        cells = bin_links(size, bins) if self.bins == "adaptive" else bins * ceil_div(size, bins)
        assert cells is not None  # a level has at most 1024 bins
        return cells

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        channels, *space = fixed(inputs[0].shape)
        pieces: Reads = []
        start = 0
        for n in self.levels:
            end = start + channels * n * n
            own = frozenset(i - start for i in wanted[0] if start <= i < end)
            bins = reshaped((own,), (channels * n * n,), (channels, n, n)) if own else []
            for here, *places in bins:
                axes = (self._bins(at, size, n) for at, size in zip(places, space, strict=True))
                pieces.append((0, (here, *axes)))
            start = end
        return pieces

    def _bins(self, wanted: Indices, size: int, n: int) -> Indices:
        if self.bins == "adaptive":
            return binned(wanted, size, n)
        return slid(wanted, size, -(-size // n), size // n, 0, 1)

    def bins_of(self, inputs: Tensors, outputs: Tensors) -> Bins:
        edges = bin_edges if self.bins == "adaptive" else _paper_edges
        sizes = fixed(inputs[0].spatial)
        levels = tuple(tuple(edges(size, n) for size in sizes) for n in self.levels)
        return Bins(levels, self.mode, is_joined=True)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"{self.mode}, levels {', '.join(map(str, self.levels))}"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        target = "SpatialPyramidPool" if self.bins == "adaptive" else "PaperPyramidPool"
        args = (From(self.levels, "levels"),)
        kind = (("kind", From(self.mode, "mode")),) if self.mode != "max" else ()
        return TorchModule(target, args, kind, helper="pyramid")

    def onnx(self, to: Lowering) -> OnnxValue:
        """Levels that divide a larger one are pooled from it, which is exact for the maximum."""
        (x,) = to.inputs
        pooled: dict[int, OnnxValue] = {}
        for level in sorted(set(self.levels), reverse=True):
            pooled[level] = self._level(to, x, level, pooled)
        flat = [
            to.node("Flatten", [pooled[n]], (x.shape[0], x.shape[1] * n * n), axis=1)
            for n in self.levels
        ]
        return to.node("Concat", flat, to.result(), axis=1) if len(flat) > 1 else flat[0]

    def _level(
        self, to: Lowering, x: OnnxValue, level: int, pooled: dict[int, OnnxValue]
    ) -> OnnxValue:
        if self.bins == "paper":
            for axis in (2, 3):
                a = x.shape[axis]
                starts = [i * (a // level) for i in range(level)]
                edges = [(start, start + ceil_div(a, level)) for start in starts]
                x = bands(to, x, axis, level, self.mode, edges)
            return x
        finer = [n for n in pooled if n % level == 0 and self.mode == "max"]
        if finer:
            step = finer[0] // level
            shape = (*x.shape[:2], level, level)
            kernel = [step, step]
            return to.node(
                "MaxPool", [pooled[finer[0]]], shape, kernel_shape=kernel, strides=kernel
            )
        return bands(to, bands(to, x, 2, level, self.mode), 3, level, self.mode)
