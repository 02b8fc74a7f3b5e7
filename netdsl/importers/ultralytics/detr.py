"""The trunks of RT-DETR: HGNet, ResNet, and a transformer layer over the coarsest map."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.attention import as_map
from netdsl.importers.ultralytics.basic import RELU, Net, conv, depthwise

TEMPERATURE = 10_000.0


def hg_stem(d: Net, path: Path, x: Value, width: int, channels: int) -> Value:
    """Two ways from the picture to a quarter of its size."""
    with d.within(path, "HGStem", x, width=width, channels=channels):
        x = d.call("pad", conv(d, ("stem1",), x, width, 3, 2, act=RELU), right=1, bottom=1)
        y = conv(d, ("stem2a",), x, width // 2, 2, padding=0, act=RELU)
        y = d.call("pad", y, right=1, bottom=1)
        y = conv(d, ("stem2b",), y, width, 2, padding=0, act=RELU)
        pooled = d.call("maxpool", x, kernel=2, stride=1, ceil_mode=True)
        y = conv(d, ("stem3",), d.call("concat", pooled, y), width, 3, 2, act=RELU)
        return d.result(conv(d, ("stem4",), y, channels, act=RELU))


def hg_block(
    d: Net, path: Path, x: Value, width: int, channels: int, kernel: int = 3, depth: int = 6,
    light: bool = False, shortcut: bool = False,
) -> Value:  # fmt: skip
    """Convolutions in a row, all results joined and narrowed in two steps."""
    own = {"width": width, "channels": channels, "kernel": kernel, "depth": depth, "light": light}
    with d.within(path, "HGBlock", x, **own, shortcut=shortcut):
        parts = [x]
        for place in range(depth):
            unit = light_conv if light else hg_conv
            parts.append(unit(d, ("m", str(place)), parts[-1], width, kernel))
        y = conv(d, ("sc",), d.call("concat", *parts), channels // 2, act=RELU)
        y = conv(d, ("ec",), y, channels, act=RELU)
        added = shortcut and d.channels(x) == channels
        return d.result(d.call("add", y, x) if added else y)


def hg_conv(d: Net, path: Path, x: Value, channels: int, kernel: int) -> Value:
    return conv(d, path, x, channels, kernel, act=RELU)


def light_conv(d: Net, path: Path, x: Value, channels: int, kernel: int) -> Value:
    """Pointwise, then depthwise."""
    with d.within(path, "LightConv", x, channels=channels, kernel=kernel):
        y = conv(d, ("conv1",), x, channels, act=False)
        return d.result(depthwise(d, ("conv2",), y, channels, kernel, act=RELU))


def resnet_layer(
    d: Net, path: Path, x: Value, channels: int, width: int, stride: int = 1,
    is_first: bool = False, depth: int = 1, expansion: int = 4,
) -> Value:  # fmt: skip
    """A stage of a ResNet, or what comes before its stages; `channels` are those that come in."""
    if d.channels(x) != channels:
        message = f"{channels} channels are said to come in, and {d.channels(x)} do"
        raise refused(message, d.origin)
    own = {
        "width": width,
        "stride": stride,
        "is_first": is_first,
        "depth": depth,
        "expansion": expansion,
    }
    with d.within(path, "ResNetLayer", x, **own):
        with d.in_row(("layer",), x):
            if is_first:
                y = conv(d, ("0",), x, width, 7, 2, 3)
                y = d.result(d.call("maxpool", y, kernel=3, stride=2, padding=1))
            else:
                y = x
                for place in range(max(depth, 1)):
                    step = stride if place == 0 else 1
                    y = resnet_block(d, (str(place),), y, width, step, expansion)
                y = d.result(y)
        return d.result(y)


def resnet_block(d: Net, path: Path, x: Value, width: int, stride: int, expansion: int) -> Value:
    """Three convolutions, and the map itself beside them, brought to the same shape."""
    wide = expansion * width
    with d.within(path, "ResNetBlock", x, width=width, stride=stride, expansion=expansion):
        y = conv(d, ("cv1",), x, width)
        y = conv(d, ("cv2",), y, width, 3, stride, 1)
        y = conv(d, ("cv3",), y, wide, act=False)
        past = x
        if stride != 1 or d.channels(x) != wide:
            with d.in_row(("shortcut",), x):
                past = d.result(conv(d, ("0",), x, wide, stride=stride, act=False))
        return d.result(d.call("relu", d.call("add", y, past)))


def aifi(d: Net, path: Path, x: Value, hidden: int = 2048, heads: int = 8) -> Value:
    """A layer of a transformer over the places of a map, which knows them by waves."""
    width = d.channels(x)
    if width % 4:
        raise refused(f"places are told by waves in 4 equal parts, not {width} channels", d.origin)
    with d.within(path, "AIFI", x, hidden=hidden, heads=heads):
        tokens = d.call("permute", d.call("reshape", x, shape=[width, -1]), axes=[1, 0])
        placed = d.call("add", tokens, waves(d, x, width))
        own = {"heads": heads}
        looked = d.call("attention", placed, placed, tokens, path=("ma",), **own)
        tokens = d.call("layernorm", d.call("add", tokens, looked), path=("norm1",))
        y = d.call("gelu", d.call("linear", tokens, path=("fc1",), features=hidden))
        y = d.call("linear", y, path=("fc2",), features=width)
        tokens = d.call("layernorm", d.call("add", tokens, y), path=("norm2",))
        return d.result(as_map(d, d.call("permute", tokens, axes=[1, 0]), width, x))


def waves(d: Net, x: Value, width: int) -> Value:
    """A table with sines and cosines of the column and of the row of each place.

    Places are numbered column by column here, and the tokens they are added to row by row, as
    the original does it: the two agree where a map is square.
    """
    quarter = width // 4
    turned = d.call("permute", x, axes=[0, 2, 1])
    places = d.calls("split", d.call("positions", turned), parts=2)
    rates = [1.0 / TEMPERATURE ** (i / quarter) for i in range(quarter)]
    rate = d.table(("rates",), (1, quarter), rates, "constant")
    parts: list[Value] = []
    for one in places:
        flat = d.call("reshape", one, shape=[-1, 1])
        angle = d.call("mul", flat, rate)
        parts += [d.call("sin", angle), d.call("cos", angle)]
    return d.call("concat", *parts, axis=1)
