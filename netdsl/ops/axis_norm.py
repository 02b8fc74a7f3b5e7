"""Normalisations along an axis, or along the last axes together."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.sequences import is_tuple
from netdsl.ops.axes import AXES, axis_indices, changed, is_fixed, need_float, total
from netdsl.ops.base import POINTWISE, Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, whole
from netdsl.ops.facts import Saved
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import BOOL, FLOAT, optional, param
from netdsl.ops.recipe import (
    From,
    In,
    Keywords,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)

Axes = int | str | tuple[int, ...]
AXES_TRIED = ("channels", 0, 1, -1, -2, 3, (-1,), (1, 2), (-2, -1), (0, 1, 2), (2, 1), (0, 1))
RESOLUTION = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""By which the numbers after 1 differ: PyTorch's `eps` of a type."""


class _AxisNorm(Op):
    """What they share: they keep the shape; with several axes, these are the last ones."""

    family: ClassVar[str] = "norms"
    module: ClassVar[str] = ""
    """PyTorch's, behind `nn.`; the helper for another axis has `Axis` before it."""
    function: ClassVar[str] = ""
    axis: Axes
    affine: bool

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        if not x.rank:
            rules.refuse("in", f"`{self.name}` needs an axis, and {x} has none", code="wrong-rank")
        axes = axis_indices(self.axis, x.rank, rules)
        if is_tuple(self.axis) and axes != tuple(range(x.rank))[-len(axes) :]:
            rules.refuse(
                "axis",
                f"`{self.name}` takes one axis, or the last ones in order",
                code="bad-argument",
                help=f"`{self.name}(axis=[-2, -1])`; `permute` brings others to the end",
            )
        self._check_sizes(inputs, rules)
        return inputs

    def _check_sizes(self, inputs: Tensors, rules: Rules) -> None:
        """Weights have known sizes, and so has an axis that is brought to the end."""
        sizes = self._sizes(inputs)
        if is_fixed(sizes) or (not self.affine and self._is_last(inputs)):
            return
        rules.refuse(
            "axis",
            f"the weights of `{self.name}` need a known size, and that axis is {sizes[0]}"
            if self.affine
            else f"`{self.name}` needs a known size unless it goes along the last axis, "
            f"and axis {self._axes(inputs)[0]} is {sizes[0]}",
            code="needs-fixed-size",
            help=f"normalise the channels: `{self.name}(axis=channels)`",
        )

    def _axes(self, inputs: Tensors) -> tuple[int, ...]:
        return axis_indices(self.axis, inputs[0].rank, Rules())

    def _sizes(self, inputs: Tensors) -> tuple[Size, ...]:
        return tuple(inputs[0].shape[axis] for axis in self._axes(inputs))

    def _is_last(self, inputs: Tensors) -> bool:
        return self._axes(inputs)[-1] == inputs[0].rank - 1

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs) * total(self._sizes(inputs))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        axes = self._axes(inputs)
        return tuple(None if axis in axes else POINTWISE for axis in range(1, inputs[0].rank))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        axes, every = self._axes(inputs), whole(inputs[0].shape)
        return [(0, tuple(every[i] if i in axes else cells for i, cells in enumerate(wanted)))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        sizes, axes = self._sizes(inputs), self._axes(inputs)
        if not is_fixed(sizes):  # which have no weights
            return TorchCall(self.function, (In(0), sizes), self.eps_of_torch())
        field = "in.channels" if axes[0] == 0 else "in.features"
        first, *others = sizes
        size: TorchValue = sizes if others else From(first, field)
        if self._is_last(inputs):
            return TorchModule(f"nn.{self.module}", (size,), self.settings_of_torch())
        settings = (*keywords(axis=axes[0] + 1), *self.settings_of_torch())
        return TorchModule(f"Axis{self.module}", (size,), settings, helper="norms")

    def eps_of_torch(self) -> Keywords:
        """The keyword argument `eps` of PyTorch's function."""
        raise NotImplementedError

    def settings_of_torch(self) -> Keywords:
        """The keyword arguments of PyTorch's module."""
        affine = changed(elementwise_affine=(From(self.affine, "affine"), True))
        return (*self.eps_of_torch(), *affine)

    def along_last(self, to: Lowering, x: OnnxValue, count: int) -> OnnxValue:
        """The nodes for the last axes, so many."""
        raise NotImplementedError

    def onnx(self, to: Lowering) -> OnnxValue:
        """Another axis than the last goes there and back."""
        (x,), axes = to.inputs, self._axes(to.tensors)
        if self._is_last(to.tensors):
            return self.along_last(to, x, len(axes))
        axis = to.axis(axes[0])
        order = [i for i in range(len(x.shape)) if i != axis] + [axis]
        normed = self.along_last(to, to.transpose(x, *order), 1)
        return to.transpose(normed, *(order.index(i) for i in range(len(order))))


@dataclass(frozen=True)
class LayerNorm(_AxisNorm):
    """Normalises along one axis, the last by default, or along the last axes together.

    layernorm: [196, 768] -> [196, 768]
    layernorm(axis=channels): [96, 56, 56] -> [96, 56, 56]
    layernorm(axis=[-2, -1], bias=false): [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "layernorm"
    title: ClassVar[str] = "layer norm"
    elsewhere: ClassVar[str] = "layernormalization layernorm ln"
    module: ClassVar[str] = "LayerNorm"
    function: ClassVar[str] = "F.layer_norm"

    axis: Axes = param(AXES, "the axis that is normalised, or the last ones", -1, tries=AXES_TRIED)
    eps: float = param(FLOAT, "added to the variance", 1e-5)
    affine: bool = param(BOOL, "whether a factor and an offset are learned", True)
    bias: bool = param(BOOL, "whether there is an offset beside the factor", True, told="offset")

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Also the mean and the deviation of each row; along other axes the last come first."""
        if not self._is_last(inputs):
            return None
        rows = total(inputs[0].shape[: inputs[0].rank - len(self._axes(inputs))])
        return Saved((0,), more=2 * 4 * rows)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if not self.affine:
            return ()
        shape = fixed(self._sizes(inputs))
        weights = WeightSpec("weight", shape, "ones"), WeightSpec("bias", shape, "zeros")
        return weights if self.bias else weights[:1]

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """A single number less its mean is 0, whatever it is."""
        reads = super().reads(inputs, outputs, wanted, result)
        return reads if total(self._sizes(inputs)) != 1 else []

    def eps_of_torch(self) -> Keywords:
        return changed(eps=(From(self.eps, "eps"), 1e-5))

    def settings_of_torch(self) -> Keywords:
        return (*super().settings_of_torch(), *changed(bias=(From(self.bias, "bias"), True)))

    def along_last(self, to: Lowering, x: OnnxValue, count: int) -> OnnxValue:
        sizes = x.shape[-count:]
        if not is_fixed(sizes):
            return self._of_open_size(to, x, count)
        shape = fixed(sizes)
        ones = to.floats([1.0] * prod(shape), shape) if not self.affine else None
        weights = [ones or to.weight("weight")]
        weights += [to.weight("bias")] if self.affine and self.bias else []
        return to.node("LayerNormalization", [x, *weights], axis=-count, epsilon=self.eps)

    def _of_open_size(self, to: Lowering, x: OnnxValue, count: int) -> OnnxValue:
        apart = to.node("Sub", [x, last_mean(to, x, count)])
        squares = last_mean(to, to.node("Mul", [apart, apart]), count)
        spread = to.node("Sqrt", [to.node("Add", [squares, to.number(self.eps)])])
        return to.node("Div", [apart, spread])


@dataclass(frozen=True)
class RmsNorm(_AxisNorm):
    """Divides by the root of the mean of squares along an axis (Zhang and Sennrich 2019).

    rmsnorm: [196, 768] -> [196, 768]
    rmsnorm(axis=channels, eps=1e-6): [96, H, W] -> [96, H, W]
    """

    name: ClassVar[str] = "rmsnorm"
    title: ClassVar[str] = "RMS norm"
    elsewhere: ClassVar[str] = "rmsnorm rmsnormalization"
    module: ClassVar[str] = "RMSNorm"
    function: ClassVar[str] = "F.rms_norm"

    axis: Axes = param(AXES, "the axis that is normalised, or the last ones", -1, tries=AXES_TRIED)
    eps: float | None = param(
        optional(FLOAT), "added to the mean of squares; the resolution of the type if none", None
    )
    affine: bool = param(BOOL, "whether a factor is learned", True)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        shape = self._sizes(inputs)
        return (WeightSpec("weight", fixed(shape), "ones"),) if self.affine else ()

    def eps_of_torch(self) -> Keywords:
        return changed(eps=(From(self.eps, "eps"), None))

    def along_last(self, to: Lowering, x: OnnxValue, count: int) -> OnnxValue:
        eps = RESOLUTION[x.dtype] if self.eps is None else self.eps
        squares = last_mean(to, to.node("Mul", [x, x]), count)
        root = to.node("Sqrt", [to.node("Add", [squares, to.number(eps)])])
        normed = to.node("Div", [x, root])
        return to.node("Mul", [normed, to.weight("weight")]) if self.affine else normed


def last_mean(to: Lowering, x: OnnxValue, count: int) -> OnnxValue:
    """The mean along the last axes, which stay with size 1."""
    axes = to.ints(*range(-count, 0))
    shape = (*x.shape[:-count], *(1 for _ in range(count)))
    return to.node("ReduceMean", [x, axes], shape, keepdims=1)
