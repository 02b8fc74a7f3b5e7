"""Values put back to the places that max pooling took them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from netdsl.ir.condition import all_of, equal, positive
from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import (
    at_least,
    axis_name,
    changed,
    need_float,
    per_axis,
    spatial_rank,
    total,
)
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, whole
from netdsl.ops.facts import Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import SIZE, SIZE_OR_VALUE, VALUE, FromValue, Same, optional, param
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Keywords,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)
from netdsl.ops.sides import target_size

Parts = tuple[int, ...]


@dataclass(frozen=True)
class MaxUnpool(Op):
    """Puts each value at its place in a larger map, and zeros elsewhere.

    `places` are those of `maxpool(..., indices=true)`. The size along an axis becomes
    `(in - 1)*stride - 2*padding + kernel`, or the one that is given: that of the map that was
    pooled.

        max_unpool(2, places=x1): [64, 14, 14], int64 [64, 14, 14] -> [64, 28, 28]
    """

    name: ClassVar[str] = "max_unpool"
    family: ClassVar[str] = "resampling"
    work: ClassVar[Work] = Work.SELECTS
    title: ClassVar[str] = "max unpool"
    elsewhere: ClassVar[str] = "maxunpool"

    kernel: int | Parts = param(SIZE, "size of a window of the pool")
    places: FromValue = param(VALUE, "the value with the places", named=True, told=None)
    stride: int | Parts = param(SIZE, "step from one window to the next", Same("kernel"))
    padding: int | Parts = param(SIZE, "cells that the pool added on each side", 0)
    size: object = param(
        optional(SIZE_OR_VALUE), "size of the map, or a value whose size it is", None, told="to {}"
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x, places = inputs[0], inputs[self.places.index]
        need_float(x, rules, self.name)
        rank = spatial_rank(x, rules, self.name)
        self._check_places(x, places, rules)
        own = self._usual(x.spatial, rules)
        spatial = own if self.size is None else target_size(self.size, inputs, rank, rules)
        steps = per_axis(self.stride, rank, rules, "stride")
        for axis, (size, usual, step) in enumerate(zip(spatial, own, steps, strict=True)):
            name = axis_name(rank, axis)
            rules.require(positive(size), "size", f"the {name} of the map would be {size}")
            rules.require(
                all_of(size > usual - step, size < usual + step),
                "size",
                f"windows that lie {step} apart make a {name} of {usual} or nearly so, not {size}",
            )
            if places.numbered:
                rules.require(
                    equal(size, places.numbered[axis]),
                    "places",
                    f"the places number a map with a {name} of {places.numbered[axis]}, and this "
                    f"one has {size}",
                    help="`size=` takes the map that was pooled: `max_unpool(2, places=p, size=x)`",
                )
        return (x.with_shape(x.channels, *spatial),)

    def _check_places(self, x: Tensor, places: Tensor, rules: Rules) -> None:
        """Refuses what is no place for each value."""
        if places.dtype != "int64":
            rules.refuse(
                "places",
                f"places are int64, and {places} comes in",
                code="wrong-dtype",
                help="`(p, places) = x -> maxpool(2, indices=true)` gives them",
            )
        if places.rank != x.rank:
            rules.refuse("places", f"the places are {places}, and the values {x}")
        for axis, (here, there) in enumerate(zip(x.shape, places.shape, strict=True)):
            rules.require(
                equal(here, there),
                "places",
                f"a place for each value: axis {axis} is {here} here and {there} there",
            )

    def _usual(self, spatial: Shape, rules: Rules) -> tuple[Size, ...]:
        """The size of the map where none is given."""
        settings: list[Parts] = []
        for at in "kernel", "stride", "padding":
            parts = per_axis(getattr(self, at), len(spatial), rules, at)
            at_least(parts, 0 if at == "padding" else 1, rules, at)
            settings.append(parts)
        axes = zip(spatial, *settings, strict=True)
        return tuple((n - 1) * s - 2 * p + k for n, k, s, p in axes)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """Each value goes to one cell, which its place says."""
        return elements(tuple(inputs[n] for n in (0, self.places.index) if inputs[n].batched))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Any place may be that of a cell."""
        return (UNKNOWN,) * len(inputs[0].spatial)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        cells = (wanted[0], *whole(inputs[0].spatial))
        return [(0, cells), (self.places.index, cells)]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        rank = inputs[0].rank - 1
        values, args = (In(0), In(self.places.index)), (From(self.kernel, "kernel"),)
        settings = changed(
            stride=(From(self.stride, "stride"), self.kernel),
            padding=(From(self.padding, "padding"), 0),
        )
        size = self._size(rank)
        call = TorchCall(f"F.max_unpool{rank}d", (*values, *args), (*settings, *size))
        return TorchModule(
            f"nn.MaxUnpool{rank}d", args, settings, call=call, inputs=values, input_kwargs=size
        )

    def _size(self, rank: int) -> Keywords:
        """How PyTorch is given the size of the map."""
        if self.size is None:
            return ()
        if isinstance(self.size, FromValue):
            size: TorchValue = Code(f"{{{self.size.index}}}.shape[-{rank}:]")
        else:
            size = list(cast("tuple[Size, ...]", per_axis(self.size, rank, Rules(), "size")))
        return keywords(output_size=size)

    def onnx(self, to: Lowering) -> OnnxValue:
        """ONNX's MaxUnpool counts places through all samples; a scatter has them by channel."""
        x, places = to.inputs[0], to.inputs[self.places.index]
        few, many = ((*x.shape[:2], total(shape[2:])) for shape in (x.shape, to.result()))
        zeros = to.node("Expand", [to.number(0.0), to.sizes(many)], many)
        flat = [to.reshape(value, few) for value in (places, x)]
        spread = to.node("ScatterElements", [zeros, *flat], many, axis=2)
        return to.reshape(spread, to.result())
