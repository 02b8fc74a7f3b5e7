"""How a network takes any size: to which sizes inputs are brought, and what is kept of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.fixed import shapes
from netdsl.analyses.following import Followed, followed, moved_axes
from netdsl.analyses.sizes import sizes_of
from netdsl.ir.condition import Truth, all_of, equal, positive, substitute_in
from netdsl.ir.dim import Dim, Size, floor_div, maximum, minimum, substitute, symbol
from netdsl.ir.fitting import (
    ALIGNMENTS,
    CENTER,
    CORNER,
    CROP,
    FILLS,
    PAD,
    RESIZE,
    WAYS,
    Cut,
    FitError,
    Fitting,
)
from netdsl.ir.graph import Graph, Output
from netdsl.ir.periodic import TooLong, members
from netdsl.ir.solver import Domain, Group, Verdict, groups
from netdsl.ir.steps import greatest_below, least_above, runs_of

BY_HAND = (
    "bring the images to one size, which `netdsl sizes FILE --accepts H=65,W=64` helps to find"
)


@dataclass(frozen=True, slots=True)
class _Axis:
    """One symbol: the size it is given, for which of its sizes, and what the network takes of it.

    `contract` is a condition on the symbol alone.
    """

    name: str
    size: Size
    where: Truth
    contract: Truth


def fitting(graph: Graph, way: str = PAD, fill: str = "zeros", align: str = CORNER) -> Fitting:
    """How inputs of any size are brought to sizes that a network takes.

    `way` is `pad` (to the nearest size above), `crop` (to the nearest below) or `resize` (to the
    nearest above). Raises `FitError` where that is no formula of the sizes.
    """
    for word, known in (way, WAYS), (fill, FILLS), (align, ALIGNMENTS):
        if word not in known:
            raise FitError(f"{word!r} is none of {', '.join(known)}")
    if not graph.symbols:
        raise FitError(
            f"the sizes of this network are fixed: {shapes(graph)}; to take others, write its "
            "input with open sizes: `[3, H, W]`"
        )
    condition = sizes_of(graph).condition
    if condition is False:
        raise FitError("no size satisfies what this network needs")
    axes = [axis for group in groups(graph.symbols, condition) for axis in _axes(group, way)]
    by_name = {axis.name: axis for axis in axes}
    sizes = {name: by_name[name].size for name in graph.symbols}
    judge = _Judge(graph, by_name, sizes, way, align)
    results = [judge.judged(output) for output in graph.outputs]
    present = (positive(size) for item in graph.inputs for size in item.shape)
    where = all_of(*(axis.where for axis in axes), *present)
    cuts, remarks = (tuple(part) for part in zip(*results, strict=True))
    return Fitting(way, fill, align, sizes, where, cuts, remarks)


def _axes(group: Group, way: str) -> list[_Axis]:
    """The symbols of a group that conditions join: one, or several that are equal."""
    first, *others = group.symbols
    one = symbol(first)
    alone = substitute_in(group.condition, dict.fromkeys(others, one))
    if others and not _are_equal(group):
        raise FitError(
            f"{', '.join(others)} and {first} are bound to each other, by more than being equal: "
            f"{group.condition}; what is nearest is no formula of each: {BY_HAND}"
        )
    try:
        runs = runs_of(members(first, alone))
    except TooLong:
        raise FitError(
            f"which {first} work can't be counted: {group.condition}; {BY_HAND}"
        ) from None
    if runs is None:
        raise FitError(
            f"the sizes {first} that work are too many kinds for a formula: {group.condition}; "
            f"{BY_HAND}"
        )
    symbols = [symbol(name) for name in group.symbols]
    own = reduce(minimum if way == CROP else maximum, symbols)
    if way == CROP:
        size = greatest_below(runs, own)
        where = all_of(*(n >= runs.smallest for n in symbols))
    else:
        size = least_above(runs, own)
        most = runs.greatest
        where = True if most is None else all_of(*(n <= most for n in symbols))
    if size is None:
        raise FitError(
            f"the greatest {first} below a size that works is no formula: {group.condition}; pad, "
            "or resize"
        )
    renamed = {name: substitute_in(alone, {first: symbol(name)}) for name in group.symbols}
    return [_Axis(name, size, where, renamed[name]) for name in group.symbols]


def _are_equal(group: Group) -> bool:
    """Whether the network takes these symbols where they are equal only."""
    first, *others = map(symbol, group.symbols)
    domain = Domain(group.symbols, group.condition)
    return all(domain.decide(equal(first, other)) is Verdict.PROVED for other in others)


def _is_map(output: Output) -> bool:
    """Whether interpolation works on it: the channels first, then axes of space."""
    tensor = output.value.type
    return 2 <= tensor.rank <= 4 and tensor.is_float and isinstance(tensor.channels, int)


class _Judge:
    """What is kept of each output."""

    def __init__(
        self,
        graph: Graph,
        axes: Mapping[str, _Axis],
        sizes: Mapping[str, Size],
        way: str,
        align: str,
    ) -> None:
        self.graph, self.axes, self.sizes, self.way, self.align = graph, axes, sizes, way, align
        self.origins = ChannelAxes(graph)
        self.moved = moved_axes(graph)

    def judged(self, output: Output) -> tuple[tuple[Cut | None, ...], str]:
        """What is kept along each axis, and why an output that grows is not brought back."""
        shape = output.value.type.shape
        nothing = (None,) * len(shape)
        moved = [substitute(size, self.sizes) for size in shape]
        if all(new == old for new, old in zip(moved, shape, strict=True)):
            return nothing, ""
        if self.way == CROP:
            return nothing, "its size is that of the cropped input"
        if self.way == RESIZE and not _is_map(output):
            return nothing, "only maps of floats [C, H, W] are resized"
        why = "along one axis its cells are not those of the image, from the first one on"
        cuts: list[Cut | None] = []
        for axis, size in enumerate(shape):
            if not isinstance(size, Dim):
                cuts.append(None)
                continue
            name = self._origin(output, axis)
            follows = None if name is None else followed(size, name, self.axes[name].contract)
            if name is None or follows is None:
                return nothing, why
            cuts.append(self._cut(name, follows, moved[axis]))
        return tuple(cuts), ""

    def _origin(self, output: Output, axis: int) -> str | None:
        """The symbol of the input's axis that an axis of an output was, if its size is of it."""
        value = output.value
        size = value.type.shape[axis]
        names = size.symbols if isinstance(size, Dim) else frozenset[str]()
        if len(names) != 1 or value.type.rank < 2 or (value, axis) in self.moved:
            return None
        (name,) = names
        place = self.origins.origin(value, axis)
        inputs = (item.value for item in self.graph.inputs)
        own = {
            origin
            for x in inputs
            for at, part in enumerate(x.type.shape)
            if (origin := self.origins.origin(x, at)) is not None and part == symbol(name)
        }
        return name if place in own else None

    def _cut(self, name: str, follows: Followed, whole: Size) -> Cut | None:
        """What of the cells lies over the image: all of them are taken where that is no fewer."""
        ratio, own = follows.ratio, symbol(name)
        length = maximum(follows.at(own), 1)
        if not follows.is_exact:
            length = minimum(length, whole)
        domain = Domain(tuple(self.axes), all_of(*(a.where for a in self.axes.values())))
        if domain.decide(equal(length, whole)) is Verdict.PROVED:
            return None
        if self.align != CENTER or self.way != PAD:
            return Cut(length)
        before = floor_div(self.sizes[name] - own, 2)
        start = floor_div(before * ratio.numerator, ratio.denominator)
        if domain.decide(start + length <= whole) is not Verdict.PROVED:
            start = minimum(start, whole - length)
        return Cut(length, start)
