"""Attention: over all tokens, and within windows of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Dim, Size, ceil_div
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import at_least, changed, check_divides, need_float
from netdsl.ops.base import Op, Rules, Tensors
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


@dataclass(frozen=True)
class Attention(Op):
    """Multi-head self-attention between tokens (Vaswani et al. 2017).

    Weights are named as in `nn.MultiheadAttention`.

        attention(12): [197, 768] -> [197, 768]
    """

    name: ClassVar[str] = "attention"
    family: ClassVar[str] = "dense"

    heads: int = param(INT, "number of heads, which divide the features")
    dropout: float = param(FLOAT, "share of the attention dropped in training", 0.0)
    bias: bool = param(BOOL, "whether the projections add learned numbers", True)

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

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

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


@dataclass(frozen=True)
class WindowAttention(Op):
    """Self-attention within windows of a channels-last map, as in the Swin transformer.

    The map is padded to whole windows. `shift` moves the windows; along an axis that one window
    covers nothing is shifted (Liu et al. 2021; names as in torchvision).

        window_attention(3, 7): [56, 56, 96] -> [56, 56, 96]
        window_attention(3, 7, shift=3): [H, W, 96] -> [H, W, 96]
    """

    name: ClassVar[str] = "window_attention"
    family: ClassVar[str] = "dense"

    heads: int = param(INT, "number of heads, which divide the features")
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
            WeightSpec("relative_position_bias_table", table, "trunc_normal"),
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

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (
            From(inputs[0].shape[-1], "in.features"),
            From(self.heads, "heads"),
            From(self.window, "window"),
        )
        shift = changed(shift=(From(self.shift, "shift"), 0))
        return TorchModule("WindowAttention", args, shift, helper="windows")
