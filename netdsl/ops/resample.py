"""Interpolation to any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product as combinations
from math import floor, lcm, prod
from typing import ClassVar, TypeAlias

from netdsl.ir.dim import Size
from netdsl.ir.drift import SAME, Drift, drift, one_cell
from netdsl.ops.axes import (
    MOST_COUNTED,
    axis_name,
    by_examples,
    changed,
    need_float,
    per_axis,
    spatial_rank,
)
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Window, Windows
from netdsl.ops.cells import Indices, Product, Reads, bordered, fixed, nearest, one
from netdsl.ops.factor import SMALL_MAP, copied, is_as_torch, size_by, torch_size
from netdsl.ops.facts import TIMES, Index, Shares, SizeRule, SizeText, by
from netdsl.ops.interpolation import (
    CUBIC,
    cells_to_spare,
    interpolated,
    is_small,
    resize,
    resize_spared,
    takes_scales,
)
from netdsl.ops.interpolation import nearest as nearest_nodes
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import (
    BOOL,
    SCALE,
    SIZE_OR_VALUE,
    FromValue,
    choice,
    optional,
    param,
)
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Keywords,
    SizeOf,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)

RANK_OF_MODE = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
MAX_WHOLE = 16
EXAMPLES = 12
"""Maps that are counted: the places of one more cell read as those of the one in the middle."""
MODE_OF_RANK = {1: "linear", 2: "bilinear", 3: "trilinear"}
Axes: TypeAlias = "list[tuple[Size, Size, Fraction | None]]"
"""Of each spatial axis its size, that of the result, and the factor that says where outputs lie."""


@dataclass(frozen=True)
class Upsample(Op):
    """Resamples a map by a factor, to a size, or to the size of another value.

    A factor is the exact decimal written, and the result is `floor(in * scale)` in whole
    numbers: 1.1 times 10 is 11, at every size. The values are those of
    `nn.Upsample(scale_factor=...)`: the factor, and not the two sizes, says where an output lies
    in the map, except with `align_corners`.

        upsample(2): [64, 14, 14] -> [64, 28, 28]
        upsample(scale=3x2): [3, 4, 5] -> [3, 12, 10]
        upsample(scale=1.5, mode=bilinear): [3, 5, 7] -> [3, 7, 10]
        upsample(size=37x53): [3, H, W] -> [3, 37, 53]
    """

    name: ClassVar[str] = "upsample"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "resampling"
    elsewhere: ClassVar[str] = "interpolate upsample upsampling upsamplingnearest upsamplenearest"

    scale: Fraction | tuple[Fraction, ...] | None = param(
        optional(SCALE), "factor, one for all axes or one each", None
    )
    size: object = param(
        optional(SIZE_OR_VALUE), "size of the result, or a value whose size it takes", None
    )
    mode: str = param(
        choice("nearest", "linear", "bilinear", "bicubic", "trilinear"),
        "how values between the cells are found",
        "nearest",
    )
    align_corners: bool = param(BOOL, "whether the corner cells keep their place", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, "upsample")
        rank = spatial_rank(x, rules, "upsample")
        self._check_mode(rank, rules)
        if (self.scale is None) == (self.size is None):
            rules.refuse(
                "size",
                "`upsample` takes a scale or a size, one of them",
                code="bad-argument",
                help="`upsample(2)`, `upsample(scale=1.5)`, `upsample(size=37x53)`, "
                "`upsample(size=skip)`",
            )
        sizes = (
            self._sized(inputs, rules)
            if self.scale is None
            else self._scaled(x.spatial, rank, rules)
        )
        for axis, result in enumerate(sizes):
            at = "scale" if self.scale is not None else "size"
            rules.require(
                result >= 1,
                at,
                f"the {axis_name(rank, axis)} of the result would be {result}, not 1 or more",
            )
        return (x.with_shape(x.channels, *sizes),)

    def _check_mode(self, rank: int, rules: Rules) -> None:
        wanted = RANK_OF_MODE.get(self.mode, rank)
        if wanted != rank:
            rules.refuse(
                "mode",
                f"mode {self.mode} works on {wanted} spatial axes, and the map has {rank}",
                code="wrong-rank",
                help=f"write `mode={MODE_OF_RANK[rank]}`",
            )
        if self.align_corners and self.mode == "nearest":
            rules.refuse(
                "align_corners", "align_corners does not go with mode nearest", code="bad-argument"
            )

    def factors(self, rank: int) -> tuple[Fraction, ...]:
        """The factor of each axis; none where a size is given."""
        return () if self.scale is None else self._factors(rank, Rules())

    def _factors(self, rank: int, rules: Rules) -> tuple[Fraction, ...]:
        assert self.scale is not None
        return per_axis(self.scale, rank, rules, "scale")

    def _scaled(self, spatial: tuple[Size, ...], rank: int, rules: Rules) -> list[Size]:
        factors = self._factors(rank, rules)
        if any(f <= 0 for f in factors):
            rules.refuse("scale", "a scale is above 0", code="bad-argument")
        return [n * f.numerator // f.denominator for n, f in zip(spatial, factors, strict=True)]

    def _sized(self, inputs: Tensors, rules: Rules) -> list[Size]:
        rank = inputs[0].rank - 1
        if isinstance(self.size, FromValue):
            other = inputs[self.size.index]
            if other.rank != inputs[0].rank:
                rules.refuse(
                    "size",
                    f"the size is that of {other}, which has {max(other.rank - 1, 0)} "
                    f"spatial axes, and the map has {rank}",
                    code="wrong-rank",
                )
            return list(other.spatial)
        return list(per_axis(self.size, rank, rules, "size"))  # type: ignore[arg-type]

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        rank = inputs[0].rank - 1
        factors = self.factors(rank) or (None,) * rank
        sizes = zip(inputs[0].spatial, outputs[0].spatial, factors, strict=True)
        return tuple(
            SizeRule(axis_name(rank, axis), "size", f"{result} as `size` says")
            if factor is None
            else SizeRule(
                axis_name(rank, axis), "floor(in*scale)", f"floor({size}*{factor}) = {result}"
            )
            for axis, (size, result, factor) in enumerate(sizes)
        )

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """The cells that have a weight; at open sizes known where the factor is whole."""
        count: Size = inputs[0].channels
        sizes, results = inputs[0].spatial, outputs[0].spatial
        for axis in zip(sizes, results, self._steps(len(results)), strict=True):
            along = self._pairs(*axis)
            if along is None:
                return None
            count = count * along
        return count

    def _pairs(self, size: Size, result: Size, factor: Fraction | None) -> Size | None:
        """How many cells the places of an axis read in all."""
        if self.mode == "nearest" or self._step(size, result, factor, False) == SAME:
            return result
        if isinstance(size, int) and isinstance(result, int):
            return self._counted(size, result, factor) if result <= MOST_COUNTED else None
        if self.align_corners:
            return None
        for n in range(2, MAX_WHOLE + 1):
            if size * n == result:
                return by_examples(
                    size, [self._counted(m, m * n, factor) for m in range(1, EXAMPLES)]
                )
            if result * n == size:
                return by_examples(
                    result, [self._counted(m * n, m, factor) for m in range(1, EXAMPLES)]
                )
        return None

    def _counted(self, size: int, result: int, factor: Fraction | None) -> int:
        return sum(len(self._taps(frozenset((i,)), size, result, factor)) for i in range(result))

    def _steps(self, rank: int) -> tuple[Fraction | None, ...]:
        """The factor that says where outputs lie, an axis each; None where the sizes say it."""
        if self.scale is None or self.align_corners:
            return (None,) * rank
        return self.factors(rank)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        sizes, results = inputs[0].spatial, outputs[0].spatial
        small = _is_small(results)
        axes = zip(sizes, results, self._steps(len(results)), strict=True)
        return tuple(self._window(*axis, small) for axis in axes)

    def _window(self, size: Size, result: Size, factor: Fraction | None, small: bool) -> Window:
        """The cells around the place of an output: `i*step` for nearest, else of its centre.

        Where the ratio of open sizes strays, places lie between `strays` and that of the step.
        """
        slope = self._step(size, result, factor, small)
        if slope is None:
            return UNKNOWN
        if slope == SAME:
            return POINTWISE
        step, none = slope.ratio, Fraction(0)
        below, above = min(slope.least, none), max(slope.most, none)
        shift = Fraction(0) if self.align_corners or self.mode == "nearest" else (step - 1) / 2
        grain = Fraction(1, lcm(step.denominator, shift.denominator, above.denominator))
        is_reached = self.align_corners or not above  # else only a size's last place comes near
        start, end = shift + below, shift + above - (0 if is_reached else grain)
        rest = 1 - Fraction(1, lcm(step.denominator, start.denominator))
        reach = {"nearest": 1, "bicubic": 4}.get(self.mode, 2)
        size_ = reach + rest + end - start
        is_loose = bool(below or above) and (reach > 1 or not one_cell(step, start, end))
        if self.mode == "bicubic":  # a place on a cell reads that cell alone, not four
            places = (step * i + shift for i in range(step.denominator))
            is_loose = is_loose or any(place.denominator == 1 for place in places)
        return Window(size_, step, start - (reach - 1) // 2 - rest, is_loose=is_loose)

    def _step(self, size: Size, result: Size, factor: Fraction | None, small: bool) -> Drift | None:
        """How many cells of a map come on one of the result, and how that strays."""
        copies = small if self.mode == "nearest" else self.mode != "bicubic" and size == result
        if factor is not None and not (copies and result == copied(factor) * size):
            return Drift(Fraction(1) / factor, Fraction(0), Fraction(0))
        if size == result:
            return SAME
        if isinstance(size, int) and isinstance(result, int):
            n, m = (size - 1, max(result - 1, 1)) if self.align_corners else (size, result)
            return Drift(Fraction(n, m), Fraction(0), Fraction(0))
        return drift(size - 1, result - 1) if self.align_corners else drift(size, result)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        sizes, results = fixed(inputs[0].spatial), fixed(outputs[0].spatial)
        small, wide = _is_small(results), inputs[0].dtype == "float64"
        places: list[Indices] = []
        axes = zip(wanted[1:], sizes, results, self._steps(len(results)), strict=True)
        for cells, size, after, factor in axes:
            if self.mode == "nearest":
                step = size / after if factor is None else 1 / float(factor)
                places.append(nearest(cells, size, after, step, small=small, wide=wide))
            else:
                places.append(self._taps(cells, size, after, factor))
        return [(0, (wanted[0], *places))]

    def _taps(self, wanted: Indices, size: int, result: int, factor: Fraction | None) -> Indices:
        """The cells whose weight is not zero, by exact places; beyond a border it counts again."""
        places = self._places(wanted, size, result, factor)
        return bordered({cell for _, near in places for cell in near}, size, "replicate")

    def _places(
        self, wanted: Indices, size: int, result: int, factor: Fraction | None
    ) -> Iterator[tuple[Fraction, Sequence[int]]]:
        """Where places of the result lie on the map, and the cells that each reads there."""
        slope = self._step(size, result, factor, False)
        assert slope is not None
        step, cubic = slope.ratio, self.mode == "bicubic"
        shift = Fraction(0) if self.align_corners else (step - 1) / 2
        for place in (i * step + shift for i in wanted):
            place = place if cubic else max(place, Fraction(0))
            cell = floor(place)
            yield place, (cell,) if cell == place else range(cell - cubic, cell + 2 + cubic)

    def shares(self, inputs: Tensors, outputs: Tensors, index: Index) -> Shares:
        sizes, results = fixed(inputs[0].spatial), fixed(outputs[0].spatial)
        if self.mode == "nearest":
            ((_, cells),) = self.reads(inputs, outputs, one(index))
            return [(tuple(min(axis) for axis in cells), Fraction(1))]
        axes: list[dict[int, Fraction]] = []
        settings = zip(index[1:], sizes, results, self._steps(len(results)), strict=True)
        for i, size, after, factor in settings:
            ((place, near),) = self._places(frozenset((i,)), size, after, factor)
            along: dict[int, Fraction] = {}
            for cell in near:  # beyond a border its last cell counts again
                inside = min(max(cell, 0), size - 1)
                along[inside] = along.get(inside, Fraction(0)) + self._share(place - cell)
            axes.append({cell: share for cell, share in along.items() if share})
        return [
            (
                (index[0], *cells),
                prod((a[c] for a, c in zip(axes, cells, strict=True)), start=Fraction(1)),
            )
            for cells in combinations(*axes)
        ]

    def _share(self, away: Fraction) -> Fraction:
        """Of a cell that lies so far from a place: along a line, or a cubic (Keys 1981)."""
        x, a = abs(away), Fraction(CUBIC)
        if self.mode != "bicubic":
            return max(1 - x, Fraction(0))
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * (x**3 - 5 * x**2 + 8 * x - 4)

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        return (f"{self.mode}, to {f' {TIMES} '.join(map(size, outputs[0].spatial))}",)

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"{self.mode} to {by(outputs[0].spatial)}"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        mode = changed(mode=(From(self.mode, "mode"), "nearest"))
        if any(f is not None and f.denominator > 1 for f in self._steps(rank)):
            return self._by_factor(inputs[0].spatial, mode)
        if self.mode != "nearest":  # PyTorch refuses the word beside nearest, even as False
            mode += changed(align_corners=(From(self.align_corners, "align_corners"), False))
        size: TorchValue
        if isinstance(self.size, FromValue):
            size = Code(f"{{{self.size.index}}}.shape[-{rank}:]")
        elif self.size is not None:
            size = From(self.size, "size")
        else:
            size = tuple(
                SizeOf(0, axis - rank, f.numerator, f.denominator)
                for axis, f in enumerate(self.factors(rank))
            )
        return TorchCall("F.interpolate", (In(0),), (*keywords(size=size), *mode))

    def _by_factor(self, spatial: tuple[Size, ...], mode: Keywords) -> TorchRecipe:
        """PyTorch is handed the factor; with the size where it would make another one of it."""
        factors = self.factors(len(spatial))
        if all(map(_is_size_of_torch, spatial, factors)):
            scales = tuple(map(float, factors))
            scale = scales[0] if len(set(scales)) == 1 else scales
            return TorchCall("F.interpolate", (In(0),), (*keywords(scale_factor=scale), *mode))
        parts = tuple((f.numerator, f.denominator) for f in factors)
        return TorchModule("ExactUpsample", (From(parts, "factors"),), mode, helper="resample")

    def onnx(self, to: Lowering) -> OnnxValue:
        x, shape = to.inputs[0], to.result()
        factors = self._steps(len(shape) - 2)
        axes = list(zip(x.shape[2:], shape[2:], factors, strict=True))
        precise = x.dtype == "float64"
        if any(f is not None and (f.denominator > 1 or precise) for f in factors):
            return self._onnx_by_factor(to, axes)
        if self.mode != "nearest":
            return resize(to, x, self._kind(), shape, to.sizes(shape))
        whole = [_whole_factor(size, result) for size, result, _ in axes]
        if all(whole) and not precise:
            return resize(to, x, self._kind(), shape, scales=[n or 1 for n in whole])
        return self._nearest(to, axes)

    def _onnx_by_factor(self, to: Lowering, axes: Axes) -> OnnxValue:
        if self.mode == "nearest":
            return self._nearest(to, axes)
        x, shape = to.inputs[0], to.result()
        scaled = [(size, result, f) for size, result, f in axes if f is not None]
        scales = [f for *_, f in scaled]
        spare = [0 if takes_scales(*axis) else cells_to_spare(axis[2]) for axis in scaled]
        exact = x.dtype != "float64"
        if exact and not any(n is None or n for n in spare):
            return resize(to, x, self._kind(), shape, scales=scales)
        if exact and None not in spare and self.mode != "bicubic":
            return resize_spared(to, x, self._kind(), shape, scales, [n or 0 for n in spare])
        for axis, (_, result, factor) in enumerate(scaled, 2):
            if factor != 1:
                x = interpolated(to, x, axis, result, factor, self.mode == "bicubic")
        return x

    def _kind(self) -> str:
        """How a Resize computes what this does."""
        if self.mode == "nearest":
            return "nearest"
        mode = "cubic" if self.mode == "bicubic" else "linear"
        return f"{mode}, corners aligned" if self.align_corners else mode

    def _nearest(self, to: Lowering, axes: Axes) -> OnnxValue:
        x, spatial = to.inputs[0], to.result()[2:]
        special = x.dtype == "float64" or any(copied(f) for *_, f in axes)
        small = special and is_small(to, spatial)
        for axis, (_, result, factor) in enumerate(axes, 2):
            x = nearest_nodes(to, x, axis, result, factor, small)
        return x


def _is_small(sizes: tuple[Size, ...]) -> bool:
    """Whether this is known to be a map of two axes in which PyTorch may copy cells."""
    known = [n for n in sizes if isinstance(n, int)]
    return len(known) == len(sizes) == 2 and sum(known) <= SMALL_MAP


def _is_size_of_torch(size: Size, factor: Fraction) -> bool:
    """Whether PyTorch's product gives the size, at every size if that is open."""
    if isinstance(size, int):
        return torch_size(factor, size) == size_by(factor, size)
    return is_as_torch(factor)


def _whole_factor(size: Size, result: Size) -> int | None:
    """By which whole number an axis grows, where the runtimes' nearest cell is PyTorch's."""
    return next((n for n in range(1, MAX_WHOLE + 1) if size * n == result), None)
