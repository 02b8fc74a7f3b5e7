"""Shuffles between channels and space."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from netdsl.ir.condition import divides
from netdsl.ir.dim import Size
from netdsl.ops.axes import (
    at_least,
    axis_name,
    known_channels,
)
from netdsl.ops.base import Op, Rules, Tensors, Window, Windows, elements
from netdsl.ops.cells import Indices, Product, Reads
from netdsl.ops.facts import Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import (
    INT,
    param,
)
from netdsl.ops.recipe import (
    From,
    In,
    TorchCall,
    TorchModule,
    TorchRecipe,
)


@dataclass(frozen=True)
class PixelShuffle(Op):
    """Moves channels into space: [C*r*r, H, W] to [C, H*r, W*r] (Shi et al. 2016).

    pixel_shuffle(2): [16, 8, 8] -> [4, 16, 16]
    """

    name: ClassVar[str] = "pixel_shuffle"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "resampling"
    work: ClassVar[Work] = Work.MOVES
    elsewhere: ClassVar[str] = "pixelshuffle subpixel"

    factor: int = param(INT, "the r of the formula")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        _check_map(x.rank, str(x), rules, self.name)
        at_least((self.factor,), 1, rules, "factor")
        channels, r = known_channels(x, rules, self.name), self.factor
        if channels % (r * r):
            rules.refuse(
                "factor", f"{r} * {r} does not divide the {channels} channels", code="bad-argument"
            )
        return (x.with_shape(channels // (r * r), x.shape[1] * r, x.shape[2] * r),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        rest = Fraction(self.factor - 1, self.factor)
        return (Window(1 + rest, Fraction(1, self.factor), -rest),) * 2

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        r = self.factor
        rows, columns = (residues(cells, r) for cells in wanted[1:])
        return [
            (0, (frozenset(c * r * r + i * r + j for c in wanted[0]), rows[i], columns[j]))
            for i in rows
            for j in columns
        ]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.factor, "factor"),)
        return TorchModule(
            "nn.PixelShuffle", args, call=TorchCall("F.pixel_shuffle", (In(0), *args))
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("DepthToSpace", to.inputs, to.result(), blocksize=self.factor, mode="CRD")


@dataclass(frozen=True)
class PixelUnshuffle(Op):
    """Moves space into channels: [C, H*r, W*r] to [C*r*r, H, W].

    pixel_unshuffle(2): [4, 16, 16] -> [16, 8, 8]
    """

    name: ClassVar[str] = "pixel_unshuffle"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "resampling"
    work: ClassVar[Work] = Work.MOVES
    zoom: ClassVar[int] = -1
    elsewhere: ClassVar[str] = "pixelunshuffle"

    factor: int = param(INT, "the r of the formula")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        _check_map(x.rank, str(x), rules, self.name)
        at_least((self.factor,), 1, rules, "factor")
        channels, r = known_channels(x, rules, self.name), self.factor
        for axis, size in enumerate(x.spatial):
            rules.require(
                divides(r, size),
                "factor",
                f"{r} has to divide the {axis_name(2, axis)}, which is {size}",
            )
        return (x.with_shape(channels * r * r, x.shape[1] // r, x.shape[2] // r),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return (Window(self.factor, Fraction(self.factor)),) * 2

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        r = self.factor
        return [
            (
                0,
                (
                    channels,
                    frozenset(h * r + place // r for h in wanted[1]),
                    frozenset(w * r + place % r for w in wanted[2]),
                ),
            )
            for place, channels in residues(wanted[0], r * r).items()
        ]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.factor, "factor"),)
        call = TorchCall("F.pixel_unshuffle", (In(0), *args))
        return TorchModule("nn.PixelUnshuffle", args, call=call)

    def onnx(self, to: Lowering) -> OnnxValue:
        """ONNX's SpaceToDepth orders the channels otherwise."""
        (x,) = to.inputs
        batch, channels, height, width = x.shape
        r = self.factor
        apart = to.node(
            "Reshape",
            [x, to.sizes((0, channels, height // r, r, width // r, r))],
            (batch, channels, height // r, r, width // r, r),
        )
        mixed = to.transpose(apart, 0, 1, 3, 5, 2, 4)
        return to.reshape(mixed, to.result())


def residues(wanted: Indices, by: int) -> dict[int, Indices]:
    """The quotients of the indices, by their remainder."""
    remainders = sorted({i % by for i in wanted})
    return {r: frozenset(i // by for i in wanted if i % by == r) for r in remainders}


def _check_map(rank: int, shown: str, rules: Rules, what: str) -> None:
    if rank != 3:
        rules.refuse(
            "in", f"`{what}` works on maps [C, H, W], and {shown} comes in", code="wrong-rank"
        )
