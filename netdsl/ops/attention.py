"""Attention: over all tokens, and within windows of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Dim, Size, ceil_div
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import at_least, changed, check_divides, need_float
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Indices, Product, Reads, whole
from netdsl.ops.dense import matmul
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded, part, rolled
from netdsl.ops.params import BOOL, FLOAT, INT, param
from netdsl.ops.recipe import From, In, TorchModule, TorchRecipe, keywords


def check_heads(x: Tensor, rank: int, heads: int, what: str, rules: Rules) -> int:
    """The features on the last axis, which the heads divide."""
    need_float(x, rules, what)
    form = "[T, F]" if rank == 2 else "[H, W, F]"
    if x.rank != rank or isinstance(x.shape[-1], Dim):
        rules.refuse("in", f"`{what}` works on {form}, and {x} comes in", code="wrong-rank")
    features = x.shape[-1]
    assert isinstance(features, int)
    check_divides(heads, "heads", features, "features", rules)
    return features


def attend(
    to: Lowering, qkv: OnnxValue, heads: int, bias: OnnxValue | None, shape: Shape
) -> OnnxValue:
    """softmax(q k / sqrt(d) + bias) v for each head, from [N, T, 3 * F] to `shape`, [N, T, F]."""
    count, tokens, features = shape
    assert isinstance(features, int)
    inside = features // heads
    apart = to.node(
        "Reshape", [qkv, to.ints(0, 0, 3, heads, inside)], (count, tokens, 3, heads, inside)
    )
    turned = to.transpose(apart, 2, 0, 3, 1, 4)
    one = (1, count, heads, tokens, inside)
    parts = to.split("Split", [turned, to.ints(1, 1, 1)], [one] * 3, axis=0)
    q, k, v = (to.node("Squeeze", [part, to.ints(0)], one[1:]) for part in parts)
    q = to.node("Mul", [q, to.number(inside**-0.5)])
    square = (count, heads, tokens, tokens)
    scores = to.node("MatMul", [q, to.transpose(k, 0, 1, 3, 2)], square)
    if bias is not None:
        scores = to.node("Add", [scores, bias])
    shares = to.node("Softmax", [scores], axis=-1)
    mixed = to.transpose(to.node("MatMul", [shares, v], one[1:]), 0, 2, 1, 3)
    return to.node("Reshape", [mixed, to.ints(0, 0, features)], shape)


class _Attending(Op):
    """What attention over tokens and within windows share."""

    family: ClassVar[str] = "dense"
    channels_at: ClassVar[int | None] = -1
    holds: ClassVar[tuple[str, ...]] = ("nn.Linear",)
    one_value: ClassVar[str] = (
        "the tokens of one value look at each other; there is no layer yet in which they look at "
        "those of another value"
    )


@dataclass(frozen=True)
class Attention(_Attending):
    """Multi-head self-attention between tokens (Vaswani et al. 2017).

    Weights are named as in `nn.MultiheadAttention`.

        attention(12): [197, 768] -> [197, 768]
    """

    name: ClassVar[str] = "attention"
    elsewhere: ClassVar[str] = "multiheadattention mha"

    heads: int = param(INT, "number of heads, which divide the features", told="{} heads")
    dropout: float = param(FLOAT, "share of the attention dropped in training", 0.0)
    bias: bool = param(BOOL, "whether the projections have biases", True)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        check_heads(inputs[0], 2, self.heads, "attention", rules)
        if not 0 <= self.dropout <= 1:
            rules.refuse("dropout", "a share lies between 0 and 1", code="bad-argument")
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        size = inputs[0].shape[-1]
        assert isinstance(size, int)
        matrix = WeightSpec("in_proj_weight", (3 * size, size), "xavier_uniform")
        out = WeightSpec("out_proj.weight", (size, size), "uniform", fan_in=size)
        if not self.bias:
            return matrix, out
        return (
            matrix,
            WeightSpec("in_proj_bias", (3 * size,), "zeros"),
            out,
            WeightSpec("out_proj.bias", (size,), "zeros"),
        )

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        tokens, size = inputs[0].shape
        return tokens * size * size * 4 + tokens * tokens * size * 2

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """Each value of a result depends on all tokens."""
        return elements(inputs) * elements(inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, whole(inputs[0].shape))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            dropout=(From(self.dropout, "dropout"), 0.0), bias=(From(self.bias, "bias"), True)
        )
        return TorchModule(
            "nn.MultiheadAttention",
            (From(inputs[0].shape[-1], "in.features"), From(self.heads, "heads")),
            (*settings, *keywords(batch_first=True)),
            inputs=(In(0), In(0), In(0)),
            input_kwargs=keywords(need_weights=False),
            item=0,
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        batch, tokens, features = x.shape
        biases = [
            to.weight(f"{key}bias") if self.bias else None for key in ("in_proj_", "out_proj.")
        ]
        qkv = matmul(to, x, to.weight("in_proj_weight"), biases[0])
        mixed = attend(to, qkv, self.heads, None, (batch, tokens, features))
        return matmul(to, mixed, to.weight("out_proj.weight"), biases[1])


@dataclass(frozen=True)
class WindowAttention(_Attending):
    """Self-attention within windows of a channels-last map, as in the Swin transformer.

    The map is padded to whole windows. `shift` moves the windows; along an axis that one window
    covers nothing is shifted (Liu et al. 2021; names as in torchvision).

        window_attention(3, 7): [56, 56, 96] -> [56, 56, 96]
        window_attention(3, 7, shift=3): [H, W, 96] -> [H, W, 96]
    """

    name: ClassVar[str] = "window_attention"

    heads: int = param(INT, "number of heads, which divide the features", told="{} heads")
    window: int = param(INT, "cells of a window along each axis")
    shift: int = param(INT, "cells by which the windows are moved", 0)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        check_heads(inputs[0], 3, self.heads, "window_attention", rules)
        at_least((self.window,), 1, rules, "window")
        if not 0 <= self.shift < self.window:
            rules.refuse(
                "shift",
                f"the shift lies between 0 and the window, {self.window}, not at {self.shift}",
                code="bad-argument",
            )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        size = inputs[0].shape[-1]
        assert isinstance(size, int)
        table = ((2 * self.window - 1) ** 2, self.heads)
        return (
            WeightSpec("relative_position_bias_table", table, "trunc_normal", std=0.02),
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

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        height, width, size = inputs[0].shape
        assert isinstance(size, int)
        w = self.window
        cells = ceil_div(height, w) * w * (ceil_div(width, w) * w)
        return cells * (4 * size * size + 2 * w * w * size)

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
        return TorchModule("WindowAttention", args, shift, helper="windows")

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
        qkv = matmul(
            to, self._tiles(to, x, tall, wide), to.weight("qkv.weight"), to.weight("qkv.bias")
        )
        shape = (batch * tall * wide, w * w, features)
        if shifts:
            mask = self._mask(to, rows, columns, shifts)
            bias = self._masked(to, bias, mask, batch, tall * wide)
        mixed = attend(to, qkv, self.heads, bias, shape)
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

    def _position_bias(self, to: Lowering) -> OnnxValue:
        """[1, heads, cells, cells] from the table of relative positions."""
        cells = self.window**2
        index = to.weight("relative_position_index")
        bias = to.node(
            "Gather",
            [to.weight("relative_position_bias_table"), index],
            (cells * cells, self.heads),
            axis=0,
        )
        bias = to.transpose(to.reshape(bias, (cells, cells, self.heads)), 2, 0, 1)
        return to.node("Unsqueeze", [bias, to.ints(0)], (1, *bias.shape))

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
        end = to.node("Squeeze", [to.size_of(size), to.ints(0)], ())
        at = to.node("Range", [to.number(0, "int64"), end, to.number(1, "int64")], (size,), "int64")
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
