"""Convolutions over one, two and three axes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from netdsl.importers.keras.layers.activations import behind
from netdsl.importers.keras.net import Held, KerasNet, Reader, Use
from netdsl.importers.keras.settings import Settings
from netdsl.importers.program import Path, Setting, Value

if TYPE_CHECKING:
    import numpy


def filters_first(kernel: numpy.ndarray) -> numpy.ndarray:
    """A kernel with its filters, then its channels in front."""
    rank = kernel.ndim - 2
    return kernel.transpose(rank + 1, rank, *range(rank))


def apart(kernel: numpy.ndarray) -> numpy.ndarray:
    """A depthwise kernel: the filters of each channel one behind the other."""
    rank = kernel.ndim - 2
    turned = kernel.transpose(rank, rank + 1, *range(rank))
    return turned.reshape(-1, 1, *turned.shape[2:])


def around(
    settings: Settings, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Setting:
    """The padding in cells where `same` is the same on both sides at every size, else in words."""
    word = settings.word("padding", "valid", "valid", "same")
    if word == "valid":
        return 0
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if set(stride) == {1} and not any(span % 2 for span in spans):
        return tuple(span // 2 for span in spans)
    return "same_upper"


def data_format(use: Use) -> None:
    """Refuses a layer that has its channels elsewhere than the others."""
    expected = "channels_first" if use.net.is_first else "channels_last"
    if use.settings.get("data_format", expected) != expected:
        use.settings.fail("the channels lie at another axis than those of other layers")


def map_of(use: Use, rank: int) -> Value:
    """What flows in with its channels in front; `rank` are the axes behind these."""
    data_format(use)
    if use.net.spatial(use.x) != rank:
        have = len(use.x.order) - 1
        use.settings.fail(f"it takes {rank} axes and channels, and {have} come in")
    return use.net.as_map(use.x)


def convolved(
    use: Use, value: Value, path: Path, settings: dict[str, Any], *, bias: bool, first: int = 0,
    is_apart: bool = False,
) -> Value:  # fmt: skip
    """A convolution; its variables begin with number `first`."""
    net: KerasNet = use.net
    turn = apart if is_apart else filters_first
    net.keep((*path, "weight"), lambda parts: turn(parts[first]))
    if bias:
        net.keep((*path, "bias"), lambda parts: parts[-1])
    return net.call("conv", value, path=path, bias=bias, **settings)


def conv(use: Use, rank: int) -> Held:
    settings, x = use.settings, map_of(use, rank)
    kernel, stride = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation = settings.sizes("dilation_rate", rank, 1)
    padding: Setting
    if settings.get("padding") == "causal" and rank == 1:
        padding, before = 0, dilation[0] * (kernel[0] - 1)
        x = use.net.call("pad", x, left=before) if before else x
    else:
        padding = around(settings, kernel, stride, dilation)
    own: dict[str, Any] = {
        "channels": settings.whole("filters"),
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": settings.whole("groups", 1),
    }
    y = convolved(use, x, use.path, own, bias=settings.flag("use_bias", True))
    return behind(use, use.net.a_map(y))


def depthwise(use: Use, rank: int) -> Held:
    x = map_of(use, rank)
    own = _depthwise(use, x, rank)
    bias = use.settings.flag("use_bias", True)
    y = convolved(use, x, use.path, own, bias=bias, is_apart=True)
    return behind(use, use.net.a_map(y))


def _depthwise(use: Use, x: Value, rank: int) -> dict[str, Any]:
    """The settings of filters for each channel apart."""
    settings, channels = use.settings, use.net.channels(x)
    kernel, stride = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation = settings.sizes("dilation_rate", rank, 1)
    return {
        "channels": channels * settings.whole("depth_multiplier", 1),
        "kernel": kernel,
        "stride": stride,
        "padding": around(settings, kernel, stride, dilation),
        "dilation": dilation,
        "groups": channels,
    }


def separable(use: Use, rank: int) -> Held:
    settings, x = use.settings, map_of(use, rank)
    with use.net.within(use.path, use.layer.kind, x):
        own = _depthwise(use, x, rank)
        y = convolved(use, x, ("depthwise",), own, bias=False, is_apart=True)
        point: dict[str, Any] = {"channels": settings.whole("filters"), "kernel": 1}
        bias = settings.flag("use_bias", True)
        y = use.net.result(convolved(use, y, ("pointwise",), point, bias=bias, first=1))
    return behind(use, use.net.a_map(y))


def transposed(use: Use, rank: int) -> Held:
    """As many cells are cut as Keras does: where their number is odd, one more at the far side."""
    settings, x = use.settings, map_of(use, rank)
    kernel, stride = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    settings.only(output_padding=None, dilation_rate=[1] * rank)
    is_same = settings.word("padding", "valid", "valid", "same") == "same"
    cut = [max(k - s, 0) if is_same else 0 for k, s in zip(kernel, stride, strict=True)]
    more = [max(s - k, 0) for k, s in zip(kernel, stride, strict=True)]
    own: dict[str, Any] = {
        "channels": settings.whole("filters"),
        "kernel": kernel,
        "stride": stride,
        "padding": tuple(one // 2 for one in cut),
        "output_padding": tuple(more),
        "bias": settings.flag("use_bias", True),
    }
    use.net.keep((*use.path, "weight"), lambda parts: filters_first(parts[0]))
    if own["bias"]:
        use.net.keep((*use.path, "bias"), lambda parts: parts[1])
    y = use.net.call("conv_transpose", x, path=use.path, **own)
    for axis, one in enumerate(cut, 1):
        if one % 2:
            y = use.net.call("slice", y, axis=axis, stop=-1)
    return behind(use, use.net.a_map(y))


LAYERS: dict[str, Reader] = {}
for _rank in (1, 2, 3):
    LAYERS[f"Conv{_rank}D"] = partial(conv, rank=_rank)
    LAYERS[f"Conv{_rank}DTranspose"] = partial(transposed, rank=_rank)
    if _rank < 3:
        LAYERS[f"DepthwiseConv{_rank}D"] = partial(depthwise, rank=_rank)
        LAYERS[f"SeparableConv{_rank}D"] = partial(separable, rank=_rank)
