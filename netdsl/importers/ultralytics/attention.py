"""Attention over the places of a map, and the blocks around it."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.program import Axis, Computed, Path, Setting, Value
from netdsl.importers.ultralytics.basic import Net, conv

HEAD = 32
"""Channels of a head of attention within areas."""


def psa(d: Net, path: Path, x: Value, channels: int, expansion: float = 0.5) -> Value:
    """Half the channels through attention and a feed-forward part (Wang et al. 2024)."""
    width = _same_channels(d, x, channels, "PSA")
    hidden = int(width * expansion)
    with d.within(path, "PSA", x, channels=channels, expansion=expansion):
        past, y = d.calls("split", conv(d, ("cv1",), x, 2 * hidden), parts=2)
        y = _attended(d, y, max(hidden // 64, 1), "attn", "ffn", 2 * hidden)
        return d.result(conv(d, ("cv2",), d.call("concat", past, y), width))


def c2psa(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, expansion: float = 0.5
) -> Value:
    """Half the channels through blocks of attention, half past them."""
    width = _same_channels(d, x, channels, "C2PSA")
    hidden = int(width * expansion)
    with d.within(path, "C2PSA", x, channels=channels, depth=depth, expansion=expansion):
        past, y = d.calls("split", conv(d, ("cv1",), x, 2 * hidden), parts=2)
        with d.in_row(("m",), y):
            for place in range(depth):
                y = psa_block(d, (str(place),), y, max(hidden // 64, 1))
            y = d.result(y)
        return d.result(conv(d, ("cv2",), d.call("concat", past, y), width))


def _same_channels(d: Net, x: Value, channels: int, kind: str) -> int:
    width = d.channels(x)
    if width != channels:
        message = f"{kind} gives as many channels as come in, {width}, and is asked for {channels}"
        raise refused(message, d.origin, help=f"ask for {width}, or put a Conv before it")
    return width


def psa_block(d: Net, path: Path, x: Value, heads: int) -> Value:
    """Attention and a feed-forward part, the map itself beside each."""
    with d.within(path, "PSABlock", x, heads=heads):
        return d.result(_attended(d, x, heads, "attn", "ffn", 2 * d.channels(x)))


def _attended(d: Net, x: Value, heads: int, attn: str, ffn: str, hidden: int) -> Value:
    width = d.channels(x)
    x = d.call("add", x, attention(d, (attn,), x, heads))
    return d.call("add", x, feed_forward(d, ffn, x, hidden, width))


def feed_forward(d: Net, name: str, x: Value, hidden: int, channels: int) -> Value:
    """Two pointwise convolutions, the second without an activation."""
    with d.in_row((name,), x):
        y = conv(d, ("0",), x, hidden)
        return d.result(conv(d, ("1",), y, channels, act=False))


def _heads(d: Net, width: int, heads: int) -> int:
    """The channels of a head."""
    if heads < 1 or width % heads:
        message = f"{width} channels do not come in {heads} heads of equal size"
        raise refused(message, d.origin)
    return width // heads


def attention(d: Net, path: Path, x: Value, heads: int, ratio: float = 0.5) -> Value:
    """Each place looks at all places; a depthwise convolution says where it is."""
    width = d.channels(x)
    head = _heads(d, width, heads)
    key = int(head * ratio)
    with d.within(path, "Attention", x, heads=heads, ratio=ratio):
        y = conv(d, ("qkv",), x, width + 2 * key * heads, act=False)
        flat = d.call("reshape", y, shape=[heads, 2 * key + head, -1])
        queries, keys, values = d.calls("split", flat, parts=[key, key, head], axis=1)
        tokens = [d.call("permute", one, axes=[0, 2, 1]) for one in (queries, keys, values)]
        looked = d.call("permute", d.call("attend", *tokens, heads=1), axes=[0, 2, 1])
        maps = [as_map(d, one, width, x) for one in (looked, values)]
        place = conv(d, ("pe",), maps[1], width, 3, groups=width, act=False)
        return d.result(conv(d, ("proj",), d.call("add", maps[0], place), width, act=False))


def as_map(d: Net, x: Value, channels: int, like: Value) -> Value:
    """What lies in a row of places as a map of the size of another."""
    return d.call("reshape", x, shape=[channels, Axis(like, 1), Axis(like, 2)])


def area_block(d: Net, path: Path, x: Value, ratio: float, area: int) -> Value:
    """Attention within areas and a feed-forward part, the map itself beside each."""
    width = d.channels(x)
    with d.within(path, "ABlock", x, ratio=ratio, area=area):
        x = d.call("add", x, area_attention(d, ("attn",), x, area))
        y = feed_forward(d, "mlp", x, int(width * ratio), width)
        return d.result(d.call("add", x, y))


def area_attention(d: Net, path: Path, x: Value, area: int) -> Value:
    """Each place looks at those of its area: the places in rows, cut into equal parts."""
    width = d.channels(x)
    if width % HEAD:
        raise refused(f"attention within areas has heads of {HEAD} channels, of {width}", d.origin)
    heads = width // HEAD
    with d.within(path, "AAttn", x, area=area):
        y = conv(d, ("qkv",), x, 3 * width, act=False)
        count = area if area > 1 else 1
        places: Setting = -1
        if count > 1 and not d.is_fixed:
            places = Computed("*", (Computed("/", (Axis(y, 1), count)), Axis(y, 2)))
            d.remark(f"maps have rows in {count} equal parts, as areas are whole rows")
        cut = d.call("reshape", y, shape=[heads, 3 * HEAD, count, places])
        parts = d.calls("split", d.call("permute", cut, axes=[0, 2, 3, 1]), parts=3, axis=-1)
        looked = d.call("attend", *parts, heads=1)
        maps = [
            as_map(d, d.call("permute", one, axes=[0, 3, 1, 2]), width, x)
            for one in (looked, parts[2])
        ]
        place = conv(d, ("pe",), maps[1], width, 7, padding=3, groups=width, act=False)
        return d.result(conv(d, ("proj",), d.call("add", maps[0], place), width, act=False))
