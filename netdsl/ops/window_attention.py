"""Attention within windows of a map, shifted or not, by products or by cosines."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

from netdsl.ir.dim import Dim, Size, ceil_div
from netdsl.ir.graph import WeightSpec
from netdsl.ops.attend import heads_apart, mean_of, scores_of, turned
from netdsl.ops.axes import at_least, changed, check_divides, need_float
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows
from netdsl.ops.cells import Indices, Product, Reads, whole
from netdsl.ops.dense import matmul
from netdsl.ops.facts import Tiling
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted, padded, part, rolled
from netdsl.ops.params import BOOL, INT, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe

HIDDEN = 512
"""Features between the two layers that make the bias of relative positions from their places."""
LARGEST_SCALE = 100.0
GREATEST_BIAS = 16.0


@dataclass(frozen=True)
class WindowAttention(Op):
    """Self-attention within windows of a channels-last map, as in the Swin transformer.

    The map is padded to whole windows. `shift` moves the windows; along an axis that one window
    covers nothing is shifted (Liu et al. 2021; names as in torchvision). `cosine` is that of Swin
    v2, which compares by cosines (Liu et al. 2022).

        window_attention(3, 7): [56, 56, 96] -> [56, 56, 96]
        window_attention(3, 7, shift=3): [H, W, 96] -> [H, W, 96]
        window_attention(3, 8, shift=4, cosine=true): [64, 64, 96] -> [64, 64, 96]
    """

    name: ClassVar[str] = "window_attention"
    family: ClassVar[str] = "dense"
    channels_at: ClassVar[int | None] = -1
    holds: ClassVar[tuple[str, ...]] = ("nn.Linear",)

    heads: int = param(INT, "number of heads, which divide the features", told="{} heads")
    window: int = param(INT, "cells of a window along each axis")
    shift: int = param(INT, "cells by which the windows are moved", 0)
    cosine: bool = param(BOOL, "whether cosines take the place of products, as in Swin v2", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, "window_attention")
        if x.rank != 3 or isinstance(x.shape[-1], Dim):
            rules.refuse(
                "in",
                f"`window_attention` works on [H, W, F], and {x} comes in",
                code="wrong-rank",
            )
        check_divides(self.heads, "heads", x.shape[-1], "features", rules)
        at_least((self.window,), 2 if self.cosine else 1, rules, "window")
        if not 0 <= self.shift < self.window:
            rules.refuse(
                "shift",
                f"the shift lies between 0 and the window, {self.window}, not at {self.shift}",
                code="bad-argument",
            )
        return inputs

    def tiling(self, inputs: Tensors, outputs: Tensors) -> Tiling | None:
        sides = inputs[0].shape[:2]
        down, right = (
            0 if isinstance(size, int) and size <= self.window else self.shift for size in sides
        )
        return Tiling(self.window, (down, right))

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        size = inputs[0].shape[-1]
        assert isinstance(size, int)
        return (
            *(self._cosine_weights() if self.cosine else self._bias_table()),
            WeightSpec(
                "relative_position_index",
                (self.window**4,),
                "relative_position",
                trained=False,
                dtype="int64",
            ),
            WeightSpec("qkv.weight", (3 * size, size), "uniform", fan_in=size),
            WeightSpec("qkv.bias", (3 * size,), "uniform", fan_in=size),
            WeightSpec("proj.weight", (size, size), "uniform", fan_in=size),
            WeightSpec("proj.bias", (size,), "uniform", fan_in=size),
        )

    def _bias_table(self) -> tuple[WeightSpec, ...]:
        """A learned bias for each relative position and head."""
        shape = ((2 * self.window - 1) ** 2, self.heads)
        return (WeightSpec("relative_position_bias_table", shape, "trunc_normal", std=0.02),)

    def _cosine_weights(self) -> tuple[WeightSpec, ...]:
        """A factor for each head, and the two layers that make the bias from relative places."""
        places = 2 * self.window - 1
        table = (1, places, places, 2)
        return (
            WeightSpec("logit_scale", (self.heads, 1, 1), "constant", fill=log(10)),
            WeightSpec("relative_coords_table", table, "relative_coords", trained=False),
            WeightSpec("cpb_mlp.0.weight", (HIDDEN, 2), "uniform", fan_in=2),
            WeightSpec("cpb_mlp.0.bias", (HIDDEN,), "uniform", fan_in=2),
            WeightSpec("cpb_mlp.2.weight", (self.heads, HIDDEN), "uniform", fan_in=HIDDEN),
        )

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        height, width, size = inputs[0].shape
        assert isinstance(size, int)
        w = self.window
        cells = ceil_div(height, w) * w * (ceil_div(width, w) * w)
        bias = (2 * w - 1) ** 2 * HIDDEN * (2 + self.heads) if self.cosine else 0
        return cells * (4 * size * size + 2 * w * w * size) + bias

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """Each value depends on the cells of its window that there are and that meet it."""
        height, width, size = inputs[0].shape
        if self.shift and not (isinstance(height, int) and isinstance(width, int)):
            return None
        return self._meeting(height) * self._meeting(width) * (size * size)

    def _meeting(self, size: Size) -> Size:
        """How many pairs of cells share a window along an axis."""
        shifted = isinstance(size, int) and size > self.window
        first = self.shift if shifted else 0
        whole, rest = (size - first) // self.window, (size - first) % self.window
        return whole * self.window**2 + rest * rest + first * first

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return UNKNOWN, UNKNOWN

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """The cells of the same window that no shift brought there from afar."""
        height, width, features = whole(inputs[0].shape)
        return [(0, (self._near(wanted[0], height), self._near(wanted[1], width), features))]

    def _near(self, wanted: Indices, cells: Indices) -> Indices:
        window, size = self.window, -(-len(cells) // self.window) * self.window
        shift = self.shift if size > window else 0

        def place(cell: int) -> tuple[int, bool]:
            """The window along the axis, and whether the cell was rolled to its end."""
            rolled = (cell - shift) % size
            return rolled // window, rolled >= size - shift

        places = {place(cell) for cell in wanted}
        return frozenset(cell for cell in cells if place(cell) in places)

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        return f"shifted {self.title}" if self.shift else self.title

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (
            From(inputs[0].shape[-1], "in.features"),
            From(self.heads, "heads"),
            From(self.window, "window"),
        )
        shift = changed(shift=(From(self.shift, "shift"), 0))
        kind = "CosineWindowAttention" if self.cosine else "WindowAttention"
        return TorchModule(kind, args, shift, helper="windows")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        batch, height, width, features = x.shape
        w = self.window
        rows, columns = (ceil_div(n, w) * w for n in (height, width))
        x = padded(to, x, [(0, rows - height), (0, columns - width), (0, 0)])
        shifts = [self._shift(to, n) for n in (rows, columns)] if self.shift else []
        for axis, shift in enumerate(shifts, 1):
            x = rolled(to, x, axis, shift)
        tall, wide = rows // w, columns // w
        bias = self._position_bias(to)
        tiles = self._tiles(to, x, tall, wide)
        q, k, v = (heads_apart(to, one, self.heads) for one in self._projected(to, tiles))
        if shifts:
            mask = self._mask(to, rows, columns, shifts)
            bias = self._masked(to, bias, mask, batch, tall * wide)
        scores = to.node("Add", [self._scores(to, q, k), bias])
        mixed = mean_of(to, to.node("Softmax", [scores], axis=-1), v, tiles.shape)
        mixed = matmul(to, mixed, to.weight("proj.weight"), to.weight("proj.bias"))
        whole = (batch, tall, wide, w, w, features)
        mixed = to.node("Reshape", [mixed, to.sizes((-1, tall, wide, w, w, features))], whole)
        mixed = to.transpose(mixed, 0, 1, 3, 2, 4, 5)
        full = (batch, rows, columns, features)
        x = to.node("Reshape", [mixed, to.sizes((-1, rows, columns, features))], full)
        for axis, (size, shift) in enumerate(zip((rows, columns), shifts, strict=False), 1):
            back = to.node("Sub", [to.size_of(size), shift])
            x = rolled(to, x, axis, back)
        for axis, (size, length) in enumerate(((rows, height), (columns, width)), 1):
            x = x if size == length else part(to, x, axis, 0, length)
        return x

    def _shift(self, to: Lowering, size: Size) -> OnnxValue:
        """The shift along an axis: none where one window covers it."""
        if isinstance(size, int):
            return to.ints(0 if size <= self.window else self.shift)
        larger = to.node("Greater", [to.size_of(size), to.ints(self.window)], dtype="bool")
        return to.node("Where", [larger, to.ints(self.shift), to.ints(0)], dtype="int64")

    def _tiles(self, to: Lowering, x: OnnxValue, tall: Size, wide: Size) -> OnnxValue:
        """[N, H, W, C] to [N * windows, window * window, C]."""
        w, (batch, features) = self.window, (x.shape[0], x.shape[3])
        parted = (batch, tall, w, wide, w, features)
        x = to.node("Reshape", [x, to.sizes((-1, *parted[1:]))], parted)
        x = to.transpose(x, 0, 1, 3, 2, 4, 5)
        shape = (batch * tall * wide, w * w, features)
        return to.node("Reshape", [x, to.sizes((-1, *shape[1:]))], shape)

    def _projected(self, to: Lowering, tiles: OnnxValue) -> tuple[OnnxValue, ...]:
        """Queries, keys and values; with cosines keys have no bias."""
        size = tiles.shape[-1]
        assert isinstance(size, int)
        sizes = to.ints(size, size, size)
        weight, bias = to.weight("qkv.weight"), to.weight("qkv.bias")
        qkv = matmul(to, tiles, weight, None if self.cosine else bias)
        q, k, v = to.split("Split", [qkv, sizes], [tiles.shape] * 3, axis=-1)
        if self.cosine:
            biases = to.split("Split", [bias, sizes], [(size,)] * 3, axis=0)
            q, v = to.node("Add", [q, biases[0]]), to.node("Add", [v, biases[2]])
        return q, k, v

    def _scores(self, to: Lowering, q: OnnxValue, k: OnnxValue) -> OnnxValue:
        if not self.cosine:
            size = q.shape[-1]
            assert isinstance(size, int)
            return scores_of(to, q, k, size**-0.5)
        q, k = self._unit(to, q), self._unit(to, k)
        cosines = to.node("MatMul", [q, turned(to, k)], (*q.shape[:-1], q.shape[-2]))
        scale = to.node("Min", [to.weight("logit_scale"), to.number(log(LARGEST_SCALE))])
        return to.node("Mul", [cosines, to.node("Exp", [scale])])

    def _unit(self, to: Lowering, x: OnnxValue) -> OnnxValue:
        """Vectors of length 1; shorter ones than 1e-12 are divided by that, and zeros stay.

        Half precision, which has no 1e-12, divides zeros by 1.
        """
        length = to.node("ReduceL2", [x, to.ints(-1)], (*x.shape[:-1], 1), keepdims=1)
        least = to.node("Mul", [to.number(1e-6), to.number(1e-6)])
        length = to.node("Max", [length, least])
        is_zero = to.node("Equal", [length, to.number(0.0)], dtype="bool")
        length = to.node("Where", [is_zero, to.number(1.0), length], dtype=x.dtype)
        return to.node("Div", [x, length])

    def _position_bias(self, to: Lowering) -> OnnxValue:
        """[1, heads, cells, cells] from the table of relative positions."""
        cells = self.window**2
        index = to.weight("relative_position_index")
        table = self._table(to) if self.cosine else to.weight("relative_position_bias_table")
        bias = to.node("Gather", [table, index], (cells * cells, self.heads), axis=0)
        bias = to.transpose(to.reshape(bias, (cells, cells, self.heads)), 2, 0, 1)
        bias = to.node("Unsqueeze", [bias, to.ints(0)], (1, *bias.shape))
        if not self.cosine:
            return bias
        return to.node("Mul", [to.node("Sigmoid", [bias]), to.number(GREATEST_BIAS)])

    def _table(self, to: Lowering) -> OnnxValue:
        """The bias of each relative position, from its place on a logarithmic scale."""
        places = to.weight("relative_coords_table")
        hidden = matmul(to, places, to.weight("cpb_mlp.0.weight"), to.weight("cpb_mlp.0.bias"))
        table = matmul(to, to.node("Relu", [hidden]), to.weight("cpb_mlp.2.weight"), None)
        return to.reshape(table, ((2 * self.window - 1) ** 2, self.heads))

    def _mask(self, to: Lowering, rows: Size, columns: Size, shifts: list[OnnxValue]) -> OnnxValue:
        """[windows, cells, cells]: minus 100 between cells that the shift brought together."""
        labels = [
            self._labels(to, size, shift)
            for size, shift in zip((rows, columns), shifts, strict=True)
        ]
        down = to.node("Mul", [labels[0], to.ints(3)])
        down = to.node("Unsqueeze", [down, to.ints(1)], (rows, 1))
        region = to.node("Add", [down, labels[1]], (rows, columns))
        w = self.window
        region = to.node(
            "Reshape", [region, to.sizes((1, rows, columns, 1))], (1, rows, columns, 1)
        )
        tiles = self._tiles(to, region, rows // w, columns // w)
        count, cells, _ = tiles.shape
        across = to.transpose(tiles, 0, 2, 1)
        same = to.node("Equal", [tiles, across], (count, cells, cells), "bool")
        return to.node("Where", [same, to.number(0.0), to.number(-100.0)], dtype="float32")

    def _labels(self, to: Lowering, size: Size, shift: OnnxValue) -> OnnxValue:
        """0 for the cells before the last window, 1 in it, 2 for those that were rolled around."""
        at = counted(to, size)
        edges = [to.size_of(size - self.window), to.node("Sub", [to.size_of(size), shift])]
        beyond = [to.node("GreaterOrEqual", [at, edge], dtype="bool") for edge in edges]
        first, second = (to.node("Cast", [b], dtype="int64", to="int64") for b in beyond)
        return to.node("Add", [first, second])

    def _masked(
        self, to: Lowering, bias: OnnxValue, mask: OnnxValue, batch: Size, count: Size
    ) -> OnnxValue:
        """The mask of each window, for every sample and head, with the bias added."""
        cells = self.window**2
        masked = to.node("Unsqueeze", [mask, to.ints(1)], (count, 1, cells, cells))
        summed = to.node("Add", [masked, bias], (count, self.heads, cells, cells))
        copies = to.sizes((batch, 1, 1, 1))
        return to.node("Tile", [summed, copies], (batch * count, self.heads, cells, cells))
