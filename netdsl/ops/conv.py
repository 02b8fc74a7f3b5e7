"""Convolutions over 1, 2 or 3 spatial axes, and what they share with transposed ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product as combinations
from math import prod
from typing import ClassVar

from netdsl.ir.dim import Size, ceil_div, maximum
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    axis_name,
    changed,
    check_divides,
    check_padding,
    check_weight,
    is_fixed,
    known_channels,
    links,
    links_of_copies,
    need_float,
    padded_links,
    per_axis,
    sliding_windows,
    spatial_rank,
    total,
)
from netdsl.ops.base import UNKNOWN, Op, Rules, Tensors, Window, Windows
from netdsl.ops.cells import Product, Reads, fixed, grouped, slid, tapped
from netdsl.ops.facts import (
    SLID_SIZE,
    Doubt,
    Index,
    Products,
    Saved,
    SizeRule,
    Sliding,
    by,
    kernel_words,
    stride_words,
)
from netdsl.ops.initial import asked, check_init, init_param, std_param
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.padding import LOWER, OF_PADDING, PADDING, ROUNDED, SAME, Cells
from netdsl.ops.params import INT, SIZE, FromValue, choice, either, param
from netdsl.ops.recipe import From, In, TorchCall, TorchModule, TorchRecipe, TorchValue
from netdsl.ops.tied import bias_param, check_tables, own_or_tables, tables, weight_param

Parts = tuple[int, ...]
ROUNDED_SIZE = "ceil(in/stride)"
LARGE_KERNEL = 12
"""From here on a kernel may well be meant as a number of channels."""


def size_formula(size: Size, kernel: int, stride: int, padding: Size, dilation: int) -> str:
    """How the size of a result is worked out, with the numbers in it; `padding` is both sides'."""
    is_even = isinstance(padding, int) and padding % 2 == 0
    added = f"2*{padding // 2}" if is_even else str(padding)
    span = f"{kernel}" if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
    result = (size + padding - dilation * (kernel - 1) - 1) // stride + 1
    return f"floor(({size} + {added} - {span})/{stride}) + 1 = {result}"


class Filters(Op):
    """What convolutions share."""

    family: ClassVar[str] = "convolution"

    def reads_all_channels(self) -> bool:
        windows = self.sliding()
        return windows is not None and windows.groups == 1

    def bias_axis(self, rank: int) -> int | None:
        return 0 if self.bias else None  # type: ignore[attr-defined]

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Its input; what it pads first, or takes from a table, is another matter."""
        windows = self.sliding()
        assert windows is not None
        is_worded = isinstance(windows.padding, str) and windows.is_padded
        is_plain = windows.padding_mode == "zeros" and not is_worded
        return Saved((0,)) if is_plain and self.weight is None else None  # type: ignore[attr-defined]

    def headline(self, inputs: Tensors) -> str:
        windows = self.sliding()
        apart = windows is not None and windows.is_depthwise(inputs[0].channels)
        return "depthwise " * apart + super().headline(inputs)

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        """`3×3 64 /2`, `dw 5×5 32`, `up 2×2 64 /2`."""
        windows = self.sliding()
        assert windows is not None
        apart = windows.is_depthwise(inputs[0].channels)
        kind = "dw " if apart else "up " * (self.zoom > 0)
        kernel = kernel_words(windows.kernel, len(inputs[0].spatial))
        spread = f" dil {by(windows.dilation)}" if windows.dilation != 1 else ""
        return f"{kind}{kernel} {windows.channels}{stride_words(windows.stride)}{spread}"

    def doubt(self, inputs: Tensors) -> Doubt | None:
        """PyTorch's arguments: the input channels, the output channels, the kernel.

        These are a large kernel and a stride here. Large kernels that are meant are depthwise, cut
        the map into patches, or enlarge it.
        """
        windows = self.sliding()
        if windows is None or inputs[0].shape[:1] != (windows.channels,) or windows.groups != 1:
            return None
        kernel, stride, channels = windows.kernel, windows.stride, windows.channels
        if not isinstance(kernel, int) or not isinstance(stride, int) or kernel < LARGE_KERNEL:
            return None
        if kernel == stride or (self.zoom > 0 and kernel <= 2 * stride):
            return None
        order = f"the order is `{self.name}(channels, kernel, stride)`"
        return Doubt(
            f"this is a {kernel}x{kernel} kernel with stride {stride} that makes {channels} "
            f"channels of {channels}",
            f"the input channels are not written: {order}",
            f"the input channels are inferred, and {order}: did you mean "
            f"`{self.name}({kernel}, {stride})`?",
            by_place=True,
        )


@dataclass(frozen=True)
class Conv(Filters):
    """Convolution: slides `channels` filters over a map.

    A filter spans all input channels of its group. The size along an axis becomes
    `floor((in + 2*padding - dilation*(kernel - 1) - 1)/stride) + 1`.

        conv(64, 7, stride=2, padding=3): [3, 224, 224] -> [64, 112, 112]
        conv(1, 3x3): [3, 6, 6] -> [1, 4, 4]
        conv(8, 3, padding=same): [4, 9] -> [8, 9]
        conv(8, 3, stride=2, padding=same_upper): [4, 9, W] -> [8, 5, floor((W + 1)/2)]
        conv(6, 3, groups=3, dilation=2): [3, 9, 9, 9] -> [6, 5, 5, 5]
    """

    name: ClassVar[str] = "conv"
    drawn_as: ClassVar[str] = "conv"
    elsewhere: ClassVar[str] = "conv convolution convolutional"

    channels: int = param(INT, "number of filters, the channels of the result")
    kernel: int | Parts = param(SIZE, "size of a filter")
    stride: int | Parts = param(SIZE, "step from one window to the next", 1)
    padding: int | Parts | str = param(either(PADDING, "valid"), OF_PADDING, 0)
    dilation: int | Parts = param(SIZE, "distance between the cells of a window", 1)
    groups: int = param(INT, "groups of channels that are convolved apart", 1)
    bias: bool | FromValue = bias_param("whether each filter has a bias")
    padding_mode: str = param(
        choice("zeros", "reflect", "replicate", "circular"), "what the padding holds", "zeros"
    )
    init: str = init_param()
    std: float | None = std_param()
    weight: FromValue | None = weight_param()

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, "conv")
        rank = spatial_rank(x, rules, "conv")
        channels = known_channels(x, rules, "conv")
        at_least((self.channels,), 1, rules, "channels")
        check_init(self.init, self.std, rules)
        check_divides(self.groups, "groups", channels, "input channels", rules)
        check_divides(self.groups, "groups", self.channels, "filters", rules)
        kernel, stride, dilation = self._settings(rank, rules)
        check_padding(self._windows(), rank, rules)
        shape = (self.channels, channels // self.groups, *kernel)
        check_weight(shape, rules, "channels")
        check_tables(self, self.bias, inputs, shape, self.channels, rules)
        self._check_padding_of_table(rank, rules)
        sizes: list[Size] = []
        for axis, (size, (before, after)) in enumerate(
            zip(x.spatial, self._around(x), strict=True)
        ):
            name, step = axis_name(rank, axis), stride[axis]
            self._check_padding_mode(size, before, after, name, rules)
            if self.padding in ROUNDED:
                sizes.append(ceil_div(size, step))
                continue
            padded = size + before + after
            span = dilation[axis] * (kernel[axis] - 1) + 1
            formula = size_formula(size, kernel[axis], step, before + after, dilation[axis])
            rules.require(
                padded >= span,
                "kernel",
                f"the window spans {span} cells, and the padded {name} is {padded}",
                notes=(formula,),
                help=f"a smaller kernel, `padding={span // 2}`, or a larger map: fewer steps with "
                "a stride before it",
            )
            sizes.append((padded - span) // step + 1)
        return (x.with_shape(self.channels, *sizes),)

    def _check_padding_of_table(self, rank: int, rules: Rules) -> None:
        """With a table there is no module that pads: PyTorch's function adds equal zeros."""
        is_plain = self.padding_mode == "zeros" and self._torch_padding(rank) is not None
        if self.weight is not None and not is_plain:
            rules.refuse(
                "padding_mode" if self.padding_mode != "zeros" else "padding",
                "with `weight=` the padding is zeros, equally many on both sides",
                code="bad-argument",
                help="pad before it: `pad(1, mode=reflect) -> conv(..., weight=w)`",
            )

    def _settings(self, rank: int, rules: Rules) -> tuple[Parts, Parts, Parts]:
        settings: list[Parts] = []
        for at in "kernel", "stride", "dilation":
            parts = per_axis(getattr(self, at), rank, rules, at)
            at_least(parts, 1, rules, at)
            settings.append(parts)
        return settings[0], settings[1], settings[2]

    def _windows(self) -> Sliding:
        windows = self.sliding()
        assert windows is not None
        return windows

    def _around(self, x: Tensor) -> list[Cells]:
        """Cells added before and after, an axis each."""
        return self._windows().around(x.spatial)

    def _check_padding_mode(
        self, size: Size, before: Size, after: Size, name: str, rules: Rules
    ) -> None:
        most = maximum(before, after)
        if self.padding_mode == "reflect":
            rules.require(
                size > most, "padding", f"reflection by {most} needs a {name} above it, not {size}"
            )
        if self.padding_mode == "circular":
            rules.require(
                size >= most, "padding", f"wrapping by {most} needs a {name} of that, not {size}"
            )

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if self.weight is not None:
            return ()
        shape = self._shape(inputs[0])
        fan_in = prod(shape[1:])
        weight = WeightSpec("weight", shape, "uniform", fan_in=fan_in)
        bias = WeightSpec("bias", (self.channels,), "uniform", fan_in=fan_in)
        return asked((weight, bias) if self.bias else (weight,), self.init, self.std)

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        """The shape of the weight."""
        assert isinstance(x.channels, int)
        kernel = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * (x.rank - 1)
        return (self.channels, x.channels // self.groups, *kernel)

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        return total(outputs[0].shape) * prod(self._shape(inputs[0])[1:])

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """Padding of zeros links nothing; a cell that is read again in a copy counts once."""
        x = inputs[0]
        kernel, stride, dilation = self._settings(x.rank - 1, Rules())
        if max(kernel) > MAX_KERNEL:
            return None
        assert isinstance(x.channels, int)
        pairs: Size = self.channels * (x.channels // self.groups)
        settings = zip(x.spatial, kernel, stride, dilation, self._around(x), strict=True)
        for n, k, s, d, (p, q) in settings:
            along: Size | None = None
            if self.padding_mode == "zeros" and self.padding in ROUNDED:
                along = padded_links(n, (p, q), k, s, d)
            elif self.padding_mode == "zeros":
                along = links(n, p + q - d * (k - 1) - 1, k, s, p, d)
            elif isinstance(p, int) and isinstance(q, int):
                along = links_of_copies(n, k, s, p, q, d, self.padding_mode)
            if along is None:
                return None
            pairs = pairs * along
        return pairs

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        x = inputs[0]
        settings = zip(x.spatial, *self._settings(x.rank - 1, Rules()), strict=True)
        rules: list[SizeRule] = []
        for axis, (size, k, s, d) in enumerate(settings):
            name, result = axis_name(x.rank - 1, axis), outputs[0].spatial[axis]
            if self.padding in ROUNDED:
                rules.append(SizeRule(name, ROUNDED_SIZE, f"ceil({size}/{s}) = {result}"))
                continue
            before, after = self._around(x)[axis]
            rules.append(SizeRule(name, SLID_SIZE, size_formula(size, k, s, before + after, d)))
        return tuple(rules)

    def products(self, inputs: Tensors, outputs: Tensors, index: Index) -> Products:
        sizes = fixed(inputs[0].shape)
        before = fixed([cells for cells, _ in self._around(inputs[0])])
        settings = zip(index[1:], sizes[1:], *self._settings(len(sizes) - 1, Rules()), before,
                       strict=True)  # fmt: skip
        axes = [tapped(i, n, k, s, p, d, self.padding_mode) for i, n, k, s, d, p in settings]
        into = sizes[0] // self.groups
        first = index[0] // (self.channels // self.groups) * into
        return [
            ((first + plane, *(cell for _, cell in taps)), (index[0], plane, *(t for t, _ in taps)))
            for plane in range(into)
            for taps in combinations(*axes)
        ]

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        """Copied cells lie at the other border, or at the same one in another order."""
        x = inputs[0]
        wraps, mirrors = (self.padding_mode == mode for mode in ("circular", "reflect"))
        seen: list[Window] = []
        around = zip(self._around(x), sliding_windows(self._windows(), x.spatial), strict=True)
        for axis, ((before, after), window) in enumerate(around):
            is_padded = before != 0 or after != 0
            k, _, d = self._windows().settings_along(x.rank - 1)[axis]
            if is_padded and (
                (wraps and not (isinstance(before, int) and d == 1 and k > before > 0))
                or (mirrors and window.is_loose)
            ):
                seen.append(UNKNOWN)
                continue
            seen.append(replace(window, wraps=wraps and before != 0, mirrors=mirrors and is_padded))
        return tuple(seen)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        sizes = fixed(inputs[0].shape)
        before = fixed([cells for cells, _ in self._around(inputs[0])])
        settings = (*self._settings(len(sizes) - 1, Rules()), before)
        axes = (
            slid(cells, size, k, s, p, d, self.padding_mode)
            for cells, size, k, s, d, p in zip(wanted[1:], sizes[1:], *settings, strict=True)
        )
        return [(0, (grouped(wanted[0], self.channels, sizes[0], self.groups), *axes))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        x = inputs[0]
        own, padding = f"nn.Conv{x.rank - 1}d", self._torch_padding(x.rank - 1)
        is_own = padding is not None
        if self.weight is not None:
            return self._function(x.rank - 1, padding)
        word = {"padding": (padding, 0)} if is_own else {"lower": (self.padding == LOWER, False)}
        return TorchModule(
            own if is_own else own.replace("nn.", "Same"),
            (From(x.channels, "in.channels"), From(self.channels, "channels")),
            (
                ("kernel_size", From(self.kernel, "kernel")),
                *changed(
                    stride=(From(self.stride, "stride"), 1),
                    **word,
                    dilation=(From(self.dilation, "dilation"), 1),
                    groups=(From(self.groups, "groups"), 1),
                    bias=(From(self.bias, "bias"), True),
                    padding_mode=(From(self.padding_mode, "padding_mode"), "zeros"),
                ),
            ),
            helper="" if is_own else "same",
            extends="" if is_own else own,
        )

    def _function(self, rank: int, padding: TorchValue) -> TorchCall:
        """The same with weights that are tables."""
        settings = changed(
            stride=(From(self.stride, "stride"), 1),
            padding=(padding, 0),
            dilation=(From(self.dilation, "dilation"), 1),
            groups=(From(self.groups, "groups"), 1),
        )
        return TorchCall(f"F.conv{rank}d", (In(0), *tables(self, self.bias)), settings)

    def _torch_padding(self, rank: int) -> TorchValue:
        """What says the padding to PyTorch's own module; None where nothing does."""
        windows = self._windows()
        if self.padding not in ROUNDED:
            return From(self.padding, "padding")
        if self.padding != LOWER and self._settings(rank, Rules())[1] == (1,) * rank:
            return SAME
        return windows.equal_cells(rank)

    def onnx(self, to: Lowering) -> OnnxValue:
        x = to.inputs[0]
        kernel, stride, dilation = self._settings(to.tensors[0].rank - 1, Rules())
        around = self._around(to.tensors[0])
        if self.padding_mode != "zeros" or not is_fixed(n for pair in around for n in pair):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = padded(to, x, around, mode)
            around = [(0, 0)] * len(around)
        weights = own_or_tables(self, self.bias, to)
        return to.node(
            "Conv",
            [x, *weights],
            to.result(),
            kernel_shape=list(kernel),
            strides=list(stride),
            dilations=list(dilation),
            pads=[*fixed([before for before, _ in around]), *fixed([after for _, after in around])],
            group=self.groups,
        )
