"""A custom layer: stochastic pooling (Zeiler and Fergus 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

from netdsl.ops import (
    SIZE,
    From,
    Lowering,
    OnnxValue,
    Op,
    Product,
    Reads,
    Rules,
    Same,
    Size,
    Tensors,
    TorchModule,
    TorchRecipe,
    Window,
    Windows,
    at_least,
    axis_name,
    changed,
    fixed,
    links,
    need_float,
    param,
    per_axis,
    slid,
    total,
)

HELPER = Path(__file__).with_name("stochastic_pool_torch.py")
LEAST = 1e-7


@dataclass(frozen=True)
class StochasticPool(Op):
    """In training a cell of each window, drawn by its share of the sum; else their mean by share.

    Numbers below 0 count as 0: the layer stands behind a relu.

        stochastic_pool(2): [8, 6, 6] -> [8, 3, 3]
        stochastic_pool(3, stride=2): [64, 28, 28] -> [64, 13, 13]
        stochastic_pool(2x1): [8, H, W] -> [8, floor(H/2), W]
    """

    name: ClassVar[str] = "stochastic_pool"
    family: ClassVar[str] = "pooling"

    kernel: int | tuple[int, ...] = param(SIZE, "size of a window")
    stride: int | tuple[int, ...] = param(SIZE, "step from one window to the next", Same("kernel"))

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        if x.rank != 3:
            message = f"`{self.name}` works on maps [C, H, W], and {x} comes in"
            rules.refuse("in", message, code="wrong-rank")
        kernel, stride = self._parts(rules)
        sizes: list[Size] = []
        for axis, size in enumerate(x.spatial):
            rules.require(
                size >= kernel[axis],
                "kernel",
                f"the {axis_name(2, axis)} {size} is too small for a window of {kernel[axis]}",
            )
            sizes.append((size - kernel[axis]) // stride[axis] + 1)
        return (x.with_shape(x.channels, *sizes),)

    def _parts(self, rules: Rules) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Kernel and stride, an axis each."""
        kernel = per_axis(self.kernel, 2, rules, "kernel")
        stride = per_axis(self.stride, 2, rules, "stride")
        at_least(kernel, 1, rules, "kernel")
        at_least(stride, 1, rules, "stride")
        return kernel, stride

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        (x,) = inputs
        parts = zip(x.spatial, *self._parts(Rules()), strict=True)
        return total(links(size, -k, k, s, 0, 1) for size, k, s in parts) * x.channels

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return tuple(Window(k, Fraction(s)) for k, s in zip(*self._parts(Rules()), strict=True))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        parts = zip(wanted[1:], fixed(inputs[0].spatial), *self._parts(Rules()), strict=True)
        return [(0, (wanted[0], *(slid(cells, size, k, s, 0, 1) for cells, size, k, s in parts)))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.kernel, "kernel"),)
        stride = changed(stride=(From(self.stride, "stride"), self.kernel))
        return TorchModule("StochasticPool", args, stride, helper=str(HELPER))

    def onnx(self, to: Lowering) -> OnnxValue:
        """What inference computes: the mean of squares over the mean."""
        kernel, stride = self._parts(Rules())
        settings = {"kernel_shape": list(kernel), "strides": list(stride)}
        x = to.node("Relu", to.inputs)
        means = to.node("AveragePool", [x], to.result(), None, **settings)
        squares = to.node("AveragePool", [to.node("Mul", [x, x])], to.result(), None, **settings)
        return to.node("Div", [squares, to.node("Max", [means, to.number(LEAST)])])
