"""Stages that compare places with the features of texts (Cheng et al. 2024)."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.attention import as_map
from netdsl.importers.ultralytics.basic import Net, conv, plain_conv
from netdsl.importers.ultralytics.stages import bottleneck, halves

TEXT = 512
"""Features of a text."""


def c2f_attn(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, embedding: int = 128,
    heads: int = 1, features: int = TEXT, shortcut: bool = False, groups: int = 1,
    expansion: float = 0.5, *, text: Value,
) -> Value:  # fmt: skip
    """`C2f` with one part more: the last, weighted by the text that each place is most like."""
    hidden = int(channels * expansion)
    own = {"channels": channels, "depth": depth, "embedding": embedding, "heads": heads}
    if features != TEXT:
        raise refused(f"a text has {TEXT} features, not {features}", d.origin)
    with d.within(path, "C2fAttn", x, text, **own, shortcut=shortcut):
        parts = halves(d, conv(d, ("cv1",), x, 2 * hidden))
        for place in range(depth):
            at = ("m", str(place))
            parts.append(bottleneck(d, at, parts[-1], hidden, shortcut, groups, expansion=1.0))
        parts.append(weighted(d, ("attn",), parts[-1], text, embedding, heads))
        return d.result(conv(d, ("cv2",), d.call("concat", *parts), channels))


def weighted(d: Net, path: Path, x: Value, text: Value, embedding: int, heads: int) -> Value:
    """A map whose places count as much as they are like one of the texts."""
    width = d.channels(x)
    if heads < 1 or embedding % heads or width % heads:
        message = f"{embedding} and {width} channels do not come in {heads} heads of equal size"
        raise refused(message, d.origin)
    head = embedding // heads
    with d.within(path, "MaxSigmoidAttnBlock", x, text, embedding=embedding, heads=heads):
        guide = d.call("linear", text, path=("gl",), features=embedding)
        guide = d.call("reshape", guide, shape=[-1, heads, head])
        y = conv(d, ("ec",), x, embedding, act=False) if width != embedding else x
        y = d.call("permute", d.call("reshape", y, shape=[heads, head, -1]), axes=[0, 2, 1])
        alike = d.call("matmul", y, d.call("permute", guide, axes=[1, 2, 0]))
        best = d.call("div", d.call("max", alike, axis=2), number=head**0.5)
        bias = d.call("reshape", d.table(("bias",), (heads,)), shape=[heads, 1])
        share = d.call("sigmoid", d.call("add", best, bias))
        share = d.call("reshape", share, shape=[heads, 1, -1])
        y = conv(d, ("proj_conv",), x, width, 3, act=False)
        y = d.call("mul", d.call("reshape", y, shape=[heads, width // heads, -1]), share)
        return d.result(as_map(d, y, width, x))


def pooling_attention(
    d: Net, path: Path, maps: list[Value], text: Value, width: int = 256
) -> Value:
    """The features of texts, which look at what is strongest in each of 3x3 parts of the maps."""
    with d.within(path, "ImagePoolingAttn", *maps, text, width=width):
        pooled: list[Value] = []
        for place, x in enumerate(maps):
            y = plain_conv(d, ("projections", str(place)), x, width)
            y = d.call("adaptive_maxpool", y, size=3)
            pooled.append(d.call("reshape", y, shape=[width, 9]))
        seen = d.call("permute", d.call("concat", *pooled, axis=1), axes=[1, 0])
        parts = [
            d.call(
                "linear",
                d.call("layernorm", of, path=(name, "0")),
                path=(name, "1"),
                features=width,
            )
            for name, of in (("query", text), ("key", seen), ("value", seen))
        ]
        looked = d.call("attend", *parts, heads=8)
        y = d.call("linear", looked, path=("proj",), features=TEXT)
        return d.result(d.call("add", y, text))
