"""Transposed convolutions over 1, 2 or 3 spatial axes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product as combinations
from math import prod
from typing import Any, ClassVar, cast

from netdsl.ir.condition import all_of, positive
from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    changed,
    check_divides,
    check_weight,
    known_channels,
    links,
    need_float,
    per_axis,
    spatial_rank,
    total,
)
from netdsl.ops.base import Rules, Tensors, Window, Windows
from netdsl.ops.cells import Product, Reads, fixed, grouped, painted, painting
from netdsl.ops.conv import Filters
from netdsl.ops.facts import Index, Products, SizeRule
from netdsl.ops.initial import asked, check_init, init_param, std_param
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import INT, SIZE, SIZE_OR_VALUE, FromValue, optional, param
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    TorchCall,
    TorchModule,
    TorchRecipe,
    TorchValue,
    keywords,
)
from netdsl.ops.sides import target_size
from netdsl.ops.tied import bias_param, check_tables, own_or_tables, tables, weight_param

Parts = tuple[int, ...]
PAINTED_SIZE = "(in - 1)*stride - 2*padding + dilation*(kernel - 1) + output_padding + 1"


def _least(size: Size, at: dict[str, int]) -> Size:
    """The size of a result to which nothing is added."""
    span = at["dilation"] * (at["kernel"] - 1) + 1
    return (size - 1) * at["stride"] - 2 * at["padding"] + span


def _from_to(least: Size, stride: int) -> str:
    return f"{least}" if stride == 1 else f"{least} to {least + (stride - 1)}"


@dataclass(frozen=True)
class ConvTranspose(Filters):
    """Transposed convolution: each input cell paints a window of the result.

    The size along an axis becomes
    `(in - 1)*stride - 2*padding + dilation*(kernel - 1) + output_padding + 1`.

        conv_transpose(64, 2, stride=2): [128, 14, 14] -> [64, 28, 28]
        conv_transpose(3, 4, stride=2, padding=1): [8, 16] -> [3, 32]
        conv_transpose(4, 3, stride=2, padding=1, output_padding=1): [6, 5, 5, 5] -> [4, 10, 10, 10]
        conv_transpose(4, 3, stride=2, padding=1, size=(9, 10)): [6, 5, 5] -> [4, 9, 10]
    """

    name: ClassVar[str] = "conv_transpose"
    drawn_as: ClassVar[str] = "conv_transpose"
    zoom: ClassVar[int] = 1
    title: ClassVar[str] = "transposed conv"
    elsewhere: ClassVar[str] = (
        "convtranspose conv1dtranspose conv2dtranspose conv3dtranspose deconv deconvolution "
        "deconvolutional transposedconv upconv"
    )

    channels: int = param(INT, "number of filters, the channels of the result")
    kernel: int | Parts = param(SIZE, "size of a filter")
    stride: int | Parts = param(SIZE, "step from one painted window to the next", 1)
    padding: int | Parts = param(SIZE, "cells taken off on each side", 0)
    output_padding: int | Parts = param(SIZE, "cells added on the far side of the result", 0)
    groups: int = param(INT, "groups of channels that are convolved apart", 1)
    bias: bool | FromValue = bias_param("whether each filter has a bias")
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)
    size: object = param(
        optional(SIZE_OR_VALUE),
        "size of the result, in place of `output_padding`, or a value whose size it is",
        None,
        told="to {}",
    )
    init: str = init_param()
    std: float | None = std_param()
    weight: FromValue | None = weight_param()

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, "conv_transpose")
        rank = spatial_rank(x, rules, "conv_transpose")
        channels = known_channels(x, rules, "conv_transpose")
        at_least((self.channels,), 1, rules, "channels")
        check_init(self.init, self.std, rules)
        check_divides(self.groups, "groups", channels, "input channels", rules)
        check_divides(self.groups, "groups", self.channels, "filters", rules)
        along = self._along(rank, rules)
        check_weight(self._shape(x), rules, "channels")
        check_tables(self, self.bias, inputs, self._shape(x), self.channels, rules)
        names = [axis_name(rank, axis) for axis in range(rank)]
        if self.size is None:
            least = map(self._axis, x.spatial, names, along, (rules,) * rank)
            return (x.with_shape(self.channels, *least),)
        if self.weight is not None:
            rules.refuse(
                "size",
                "with `weight=` the size of the result follows from the settings",
                code="bad-argument",
                help="`output_padding` adds cells, `crop` and `center_crop` take some off",
            )
        if any(own["output_padding"] for own in along):
            rules.refuse(
                "output_padding",
                "the size of the result says what `output_padding` would",
                code="bad-argument",
                help="leave one of both out",
            )
        wanted = target_size(self.size, inputs, rank, rules)
        for size, target, name, at in zip(x.spatial, wanted, names, along, strict=True):
            self._check_target(size, target, name, at, rules)
        return (x.with_shape(self.channels, *wanted),)

    def _along(self, rank: int, rules: Rules | None = None) -> list[dict[str, int]]:
        """The settings of each axis, by name."""
        settings: dict[str, Parts] = {}
        for at in "kernel", "stride", "padding", "output_padding", "dilation":
            parts = per_axis(getattr(self, at), rank, rules or Rules(), at)
            at_least(parts, 0 if "padding" in at else 1, rules or Rules(), at)
            settings[at] = parts
        return [{at: parts[axis] for at, parts in settings.items()} for axis in range(rank)]

    def _check_target(
        self, size: Size, target: Size, name: str, at: dict[str, int], rules: Rules
    ) -> None:
        """The sizes that the stride makes one of: those that convolve back to the map's."""
        least = _least(size, at)
        rules.require(positive(target), "size", f"a {name} of {target} can't be")
        rules.require(
            all_of(target >= least, target <= least + (at["stride"] - 1)),
            "size",
            f"a {name} of {size} becomes {_from_to(least, at['stride'])}, not {target}",
            help="a convolution with the same kernel, stride and padding makes it of the target",
        )

    def _axis(self, size: Size, name: str, at: dict[str, int], rules: Rules) -> Size:
        stride, dilation, added = at["stride"], at["dilation"], at["output_padding"]
        if added >= max(stride, dilation):
            rules.refuse(
                "output_padding",
                f"output_padding {added} must be below the stride or the dilation, "
                f"{max(stride, dilation)}",
                code="bad-argument",
            )
        result = _least(size, at) + added
        rules.require(
            result >= 1,
            "padding",
            f"the {name} of the result would be {result}, and must be at least 1",
        )
        return result

    def larger_by(self, cells: int) -> str:
        fits = self.size is None and isinstance(self.stride, int) and 0 < cells < self.stride
        return f"output_padding={cells}" if fits else ""

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if self.weight is not None:
            return ()
        shape = self._shape(inputs[0])
        fan_in = prod(shape[1:])
        weight = WeightSpec("weight", shape, "uniform", fan_in=fan_in)
        bias = WeightSpec("bias", (self.channels,), "uniform", fan_in=fan_in)
        return asked((weight, bias) if self.bias else (weight,), self.init, self.std)

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        return total(inputs[0].shape) * prod(self._shape(inputs[0])[1:])

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the weight."""
        assert isinstance(x.channels, int)
        kernel = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * (x.rank - 1)
        return (x.channels, self.channels // self.groups, *kernel)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """What is painted outside of the result links nothing."""
        x = inputs[0]
        kernel, stride, padding, dilation = (
            per_axis(getattr(self, at), x.rank - 1, Rules(), at)
            for at in ("kernel", "stride", "padding", "dilation")
        )
        if max(kernel) > MAX_KERNEL:
            return None
        along: list[Size] = []
        for n, result, k, s, p, d in zip(
            x.spatial, outputs[0].spatial, kernel, stride, padding, dilation, strict=True
        ):
            # seen from the result: input j paints the cells j*s - p + t*d of it
            along.append(links(result, (n - 1) * s - result, k, s, p, d))
        return total(along) * (x.channels * (self.channels // self.groups))

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        rank = inputs[0].rank - 1
        rules: list[SizeRule] = []
        for axis, at in enumerate(self._along(rank)):
            size, result = inputs[0].spatial[axis], outputs[0].spatial[axis]
            extra = result - _least(size, at)
            numbers = (
                f"({size} - 1)*{at['stride']} - 2*{at['padding']} + {at['dilation']}*"
                f"({at['kernel']} - 1) + {extra} + 1 = {result}"
            )
            rules.append(SizeRule(axis_name(rank, axis), PAINTED_SIZE, numbers))
        return tuple(rules)

    def products(self, inputs: Tensors, outputs: Tensors, index: Index) -> Products:
        sizes = fixed(inputs[0].shape)
        axes = [
            painting(i, n, at["kernel"], at["stride"], at["padding"], at["dilation"])
            for i, n, at in zip(index[1:], sizes[1:], self._along(len(sizes) - 1), strict=True)
        ]
        into, out = sizes[0] // self.groups, self.channels // self.groups
        group, own = divmod(index[0], out)
        return [
            ((plane, *(cell for _, cell in taps)), (plane, own, *(tap for tap, _ in taps)))
            for plane in range(group * into, (group + 1) * into)
            for taps in combinations(*axes)
        ]

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        rules, rank = Rules(), inputs[0].rank - 1
        kernel, stride, padding, dilation = (
            per_axis(getattr(self, at), rank, rules, at)
            for at in ("kernel", "stride", "padding", "dilation")
        )
        # output i is painted by inputs j with 0 <= i + p - j*s <= d*(k - 1)
        return tuple(
            Window(Fraction(d * (k - 1), s) + 1, Fraction(1, s), Fraction(p - d * (k - 1), s))
            for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True)
        )

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        sizes = fixed(inputs[0].shape)
        settings = (
            per_axis(getattr(self, at), len(sizes) - 1, Rules(), at)
            for at in ("kernel", "stride", "padding", "dilation")
        )
        axes = (
            painted(cells, size, k, s, p, d)
            for cells, size, k, s, p, d in zip(wanted[1:], sizes[1:], *settings, strict=True)
        )
        return [(0, (grouped(wanted[0], self.channels, sizes[0], self.groups), *axes))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        x = inputs[0]
        if self.weight is not None:
            return self._function(x.rank - 1)
        sized = {} if self.size is None else self._sized(x.rank - 1)
        return TorchModule(
            f"nn.ConvTranspose{x.rank - 1}d",
            (From(x.channels, "in.channels"), From(self.channels, "channels")),
            (
                ("kernel_size", From(self.kernel, "kernel")),
                *changed(
                    stride=(From(self.stride, "stride"), 1),
                    padding=(From(self.padding, "padding"), 0),
                    output_padding=(From(self.output_padding, "output_padding"), 0),
                    groups=(From(self.groups, "groups"), 1),
                    bias=(From(self.bias, "bias"), True),
                    dilation=(From(self.dilation, "dilation"), 1),
                ),
            ),
            **sized,
        )

    def _function(self, rank: int) -> TorchCall:
        """The same with weights that are tables."""
        settings = changed(
            stride=(From(self.stride, "stride"), 1),
            padding=(From(self.padding, "padding"), 0),
            output_padding=(From(self.output_padding, "output_padding"), 0),
            groups=(From(self.groups, "groups"), 1),
            dilation=(From(self.dilation, "dilation"), 1),
        )
        return TorchCall(f"F.conv_transpose{rank}d", (In(0), *tables(self, self.bias)), settings)

    def _sized(self, rank: int) -> dict[str, Any]:
        """How the module is called with the size of its result."""
        if isinstance(self.size, FromValue):
            size: TorchValue = Code(f"{{{self.size.index}}}.shape[-{rank}:]")
        else:
            size = list(cast("tuple[Size, ...]", per_axis(self.size, rank, Rules(), "size")))
        return {"inputs": (In(0),), "input_kwargs": keywords(output_size=size)}

    def onnx(self, to: Lowering) -> OnnxValue:
        rank = to.tensors[0].rank - 1
        kernel, stride, padding, added, dilation = (
            list(per_axis(getattr(self, at), rank, Rules(), at))
            for at in ("kernel", "stride", "padding", "output_padding", "dilation")
        )
        if self.size is not None:
            return self._onnx_sized(to)
        x = to.inputs[0]
        weight, *bias = own_or_tables(self, self.bias, to)
        settings = {"kernel_shape": kernel, "strides": stride, "dilations": dilation}
        if all(n < s for n, s in zip(added, stride, strict=True)):
            return to.node(
                "ConvTranspose",
                [x, weight, *bias],
                to.result(),
                None,
                **settings,
                pads=padding + padding,
                output_padding=added,
                group=self.groups,
            )
        # runtimes refuse more added cells than a stride: take less off, and append what is left
        after = [max(p - n, 0) for p, n in zip(padding, added, strict=True)]
        rest = [max(n - p, 0) for p, n in zip(padding, added, strict=True)]
        sizes = [size - n for size, n in zip(to.result()[2:], rest, strict=True)]
        painted = to.node(
            "ConvTranspose",
            [x, weight],
            (*to.result()[:2], *sizes),
            None,
            **settings,
            pads=padding + after,
            group=self.groups,
        )
        whole = padded(to, painted, [(0, n) for n in rest])
        if not bias:
            return whole
        shape = (self.channels, *(1 for _ in rest))
        return to.node("Add", [whole, to.reshape(bias[0], shape)])

    def _onnx_sized(self, to: Lowering) -> OnnxValue:
        """The largest result that the stride makes, then cut; where its size is known, that one."""
        spatial, wanted = to.tensors[0].spatial, to.result()[2:]
        along = self._along(len(spatial))
        added: list[int] = []
        for size, target, at in zip(spatial, wanted, along, strict=True):
            apart = target - _least(size, at)
            added.append(apart if isinstance(apart, int) else at["stride"] - 1)
        sizes = [_least(size, at) + n for size, at, n in zip(spatial, along, added, strict=True)]
        weights = [to.weight("weight"), *([to.weight("bias")] if self.bias else [])]
        settings = {f"{at}s": [own[at] for own in along] for at in ("stride", "dilation")}
        padding = [own["padding"] for own in along]
        # cells that are added are less taken off, as far as something is
        whole = to.node(
            "ConvTranspose",
            [to.inputs[0], *weights],
            (*to.result()[:2], *sizes),
            None,
            **settings,
            kernel_shape=[own["kernel"] for own in along],
            pads=[*padding, *(max(p - n, 0) for p, n in zip(padding, added, strict=True))],
            output_padding=[max(n - p, 0) for p, n in zip(padding, added, strict=True)],
            group=self.groups,
        )
        if whole.shape == to.result():
            return whole
        axes = range(2, len(whole.shape))
        return to.cut(whole, axes, to.ints(*(0 for _ in axes)), to.sizes(wanted), to.result())
