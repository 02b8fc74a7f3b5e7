"""Convolutions with their norms, and what is made of a few of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import Any

from netdsl.importers.draft import Draft
from netdsl.importers.program import Path, Value

Act = tuple[str, dict[str, Any]]
"""An activation: a layer and its settings."""
SILU: Act = ("silu", {})
RELU: Act = ("relu", {})
Size = int | tuple[int, int]
EPS, MOMENTUM = 1e-3, 0.03
"""Those of every batch normalisation, but in classifiers: these have PyTorch's."""


@dataclass(eq=False, slots=True)
class Net(Draft):
    """A network in the making, with the activation that stands where none is said."""

    act: Act = SILU
    is_classifier: bool = False
    is_fixed: bool = False
    """Whether the size of the picture is known."""
    remarks: dict[str, None] = field(default_factory=dict[str, None])

    def remark(self, text: str) -> None:
        """Something that a reader of the result should know, told once."""
        self.remarks[text] = None

    def activated(self, x: Value, act: bool | Act | None) -> Value:
        """After an activation: the usual one for True, none for False."""
        if act is True:
            act = self.act
        return self.call(act[0], x, **act[1]) if act else x

    def norm(self, x: Value, *path: str) -> Value:
        """After batch normalisation."""
        own = {} if self.is_classifier else {"eps": EPS, "momentum": MOMENTUM}
        return self.call("batchnorm", x, path=path, **own)


def halved(kernel: Size) -> Size:
    """The padding that keeps a map's size at stride 1 with an odd kernel."""
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


def widened(kernel: Size, dilation: int) -> Size:
    """How far a dilated kernel reaches."""
    if isinstance(kernel, int):
        return dilation * (kernel - 1) + 1
    return (dilation * (kernel[0] - 1) + 1, dilation * (kernel[1] - 1) + 1)


def conv(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: Size = 1,
    stride: Size = 1,
    padding: Size | None = None,
    groups: int = 1,
    dilation: int = 1,
    act: bool | Act | None = True,
) -> Value:
    """Convolution, batch normalisation, activation."""
    own = {
        "channels": channels,
        "kernel": kernel,
        "stride": stride,
        "groups": groups,
        "dilation": dilation,
    }
    with d.within(path, "Conv", x, **own, padding=padding, act=named(act)):
        around = halved(widened(kernel, dilation)) if padding is None else padding
        y = d.call("conv", x, path=("conv",), **own, padding=around, bias=False)
        return d.result(d.activated(d.norm(y, "bn"), act))


def named(act: bool | Act | None) -> object:
    """An activation as a setting that tells it apart."""
    return act[0] if isinstance(act, tuple) else bool(act)


def depthwise(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: Size = 1,
    stride: Size = 1,
    dilation: int = 1,
    act: bool | Act | None = True,
) -> Value:
    """`Conv` in as many groups as divide both its numbers of channels."""
    groups = gcd(d.channels(x), channels) or 1
    return conv(d, path, x, channels, kernel, stride, None, groups, dilation, act)


def plain_conv(d: Net, path: Path, x: Value, channels: int, kernel: Size = 1) -> Value:
    """A convolution with a bias and nothing behind it."""
    return d.call("conv", x, path=path, channels=channels, kernel=kernel)


def conv_transpose(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: Size = 2,
    stride: Size = 2,
    padding: Size = 0,
    norm: bool = True,
    act: bool = True,
) -> Value:
    """Transposed convolution, batch normalisation, activation."""
    own = {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding}
    with d.within(path, "ConvTranspose", x, **own, norm=norm, act=act):
        y = d.call("conv_transpose", x, path=("conv_transpose",), **own, bias=not norm)
        y = d.norm(y, "bn") if norm else y
        return d.result(d.activated(y, act))


def nn_conv_transpose(
    d: Net, path: Path, x: Value, channels: int, kernel: Size, stride: Size = 1, padding: Size = 0
) -> Value:
    """PyTorch's own layer."""
    own = {"channels": channels, "kernel": kernel, "stride": stride, "padding": padding}
    return d.call("conv_transpose", x, path=path, **own)


def focus(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: Size = 1,
    stride: Size = 1,
    padding: Size | None = None,
    groups: int = 1,
    act: bool = True,
) -> Value:
    """Every second row and column apart, as channels, before a convolution."""
    with d.within(path, "Focus", x, channels=channels, kernel=kernel, stride=stride):
        parts: list[Value] = []
        for column in 0, 1:
            for row in 0, 1:
                rows = d.call("slice", x, axis=1, start=row, step=2)
                parts.append(d.call("slice", rows, axis=2, start=column, step=2))
        y = d.call("concat", *parts)
        return d.result(conv(d, ("conv",), y, channels, kernel, stride, padding, groups, act=act))


def ghost(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: Size = 1,
    stride: Size = 1,
    groups: int = 1,
    act: bool = True,
) -> Value:
    """Half the channels by a convolution, the others by a cheap one on these (Han et al. 2020)."""
    half = channels // 2
    own = {"channels": channels, "kernel": kernel, "stride": stride, "groups": groups, "act": act}
    with d.within(path, "GhostConv", x, **own):
        y = conv(d, ("cv1",), x, half, kernel, stride, groups=groups, act=act)
        cheap = conv(d, ("cv2",), y, half, 5, groups=half, act=act)
        return d.result(d.call("concat", y, cheap))


def scdown(d: Net, path: Path, x: Value, channels: int, kernel: Size, stride: Size) -> Value:
    """Channels first, then a smaller map, channel by channel (Wang et al. 2024)."""
    with d.within(path, "SCDown", x, channels=channels, kernel=kernel, stride=stride):
        y = conv(d, ("cv1",), x, channels)
        y = conv(d, ("cv2",), y, channels, kernel, stride, groups=channels, act=False)
        return d.result(y)


def rep_conv(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 1,
    groups: int = 1,
) -> Value:
    """A 3x3 and a 1x1 convolution beside each other, as in training (Ding et al. 2021)."""
    own = {
        "channels": channels,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "groups": groups,
    }
    with d.within(path, "RepConv", x, **own):
        wide = conv(d, ("conv1",), x, channels, kernel, stride, padding, groups, act=False)
        narrow = padding - kernel // 2
        point = conv(d, ("conv2",), x, channels, 1, stride, narrow, groups, act=False)
        return d.result(d.activated(d.call("add", wide, point), SILU))


def rep_depthwise(d: Net, path: Path, x: Value) -> Value:
    """A 7x7 and a 3x3 depthwise convolution beside each other."""
    width = d.channels(x)
    with d.within(path, "RepVGGDW", x, channels=width):
        wide = conv(d, ("conv",), x, width, 7, 1, 3, width, act=False)
        narrow = conv(d, ("conv1",), x, width, 3, 1, 1, width, act=False)
        return d.result(d.activated(d.call("add", wide, narrow), SILU))


def spp(d: Net, path: Path, x: Value, channels: int, kernels: list[int] | None = None) -> Value:
    """Maxima over windows of several sizes beside the map (He et al. 2014)."""
    kernels = [5, 9, 13] if kernels is None else kernels
    with d.within(path, "SPP", x, channels=channels, kernels=kernels):
        y = conv(d, ("cv1",), x, d.channels(x) // 2)
        pooled = [window(d, y, kernel) for kernel in kernels]
        return d.result(conv(d, ("cv2",), d.call("concat", y, *pooled), channels))


def sppf(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    kernel: int = 5,
    count: int | None = None,
    shortcut: bool = False,
) -> Value:
    """One small window several times in a row.

    Where the number of times is said, which began with YOLO26, nothing follows the first
    convolution.
    """
    own = {"channels": channels, "kernel": kernel, "count": count, "shortcut": shortcut}
    with d.within(path, "SPPF", x, **own):
        parts = [conv(d, ("cv1",), x, d.channels(x) // 2, act=count is None)]
        for _ in range(3 if count is None else count):
            parts.append(window(d, parts[-1], kernel))
        y = conv(d, ("cv2",), d.call("concat", *parts), channels)
        added = shortcut and d.channels(x) == channels
        return d.result(d.call("add", x, y) if added else y)


def window(d: Net, x: Value, kernel: int) -> Value:
    """The maxima of windows around each place."""
    return d.call("maxpool", x, kernel=kernel, stride=1, padding=kernel // 2)
