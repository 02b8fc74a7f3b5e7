"""Cross-stage-partial stages: part of the channels go through units, part past them."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.attention import area_block, psa_block
from netdsl.importers.ultralytics.basic import (
    Net,
    conv,
    depthwise,
    ghost,
    rep_conv,
    rep_depthwise,
)

Unit = Callable[[Path, Value], Value]
"""Puts a unit at a path behind a value."""


def bottleneck(
    d: Net,
    path: Path,
    x: Value,
    channels: int,
    shortcut: bool = True,
    groups: int = 1,
    kernels: tuple[int, int] = (3, 3),
    expansion: float = 0.5,
) -> Value:
    """Two convolutions, and the map itself beside them where channels allow."""
    hidden = int(channels * expansion)
    own = {"channels": channels, "shortcut": shortcut, "groups": groups, "expansion": expansion}
    with d.within(path, "Bottleneck", x, **own, first=kernels[0], second=kernels[1]):
        y = conv(d, ("cv1",), x, hidden, kernels[0])
        y = conv(d, ("cv2",), y, channels, kernels[1], groups=groups)
        return d.result(_beside(d, x, y, shortcut))


def _beside(d: Net, x: Value, y: Value, shortcut: bool) -> Value:
    """The sum of what comes in and what comes out, where that is asked for and possible."""
    return d.call("add", x, y) if shortcut and d.channels(x) == d.channels(y) else y


def row(d: Net, path: Path, x: Value, count: int, unit: Unit) -> Value:
    """Units one behind the other, numbered by their places."""
    with d.in_row(path, x):
        for place in range(count):
            x = unit((str(place),), x)
        return d.result(x)


# --- all channels through one convolution, then apart ---------------------------------------


def split_stage(
    d: Net, path: Path, x: Value, kind: str, channels: int, depth: int, hidden: int, unit: Unit,
    **settings: object,
) -> Value:  # fmt: skip
    """Half the channels through units in a row, each result kept."""
    with d.within(path, kind, x, channels=channels, depth=depth, **settings):
        parts = halves(d, conv(d, ("cv1",), x, 2 * hidden))
        for place in range(depth):
            parts.append(unit(("m", str(place)), parts[-1]))
        return d.result(conv(d, ("cv2",), d.call("concat", *parts), channels))


def halves(d: Net, x: Value) -> list[Value]:
    """Two parts of the channels."""
    return d.calls("split", x, parts=2)


def c2f(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = False,
    groups: int = 1, expansion: float = 0.5,
) -> Value:  # fmt: skip
    """Half the channels through bottlenecks in a row, each result kept; half past them."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return bottleneck(d, place, y, hidden, shortcut, groups, expansion=1.0)

    own = {"shortcut": shortcut, "groups": groups, "expansion": expansion}
    return split_stage(d, path, x, "C2f", channels, depth, hidden, unit, **own)


def c3k2(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, nested: bool = False,
    expansion: float = 0.5, attention: bool = False, groups: int = 1, shortcut: bool = True,
) -> Value:  # fmt: skip
    """`C2f` of bottlenecks, of stages, or of bottlenecks with attention behind them."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        if nested and not attention:
            return c3k(d, place, y, hidden, 2, shortcut, groups)
        if not attention:
            return bottleneck(d, place, y, hidden, shortcut, groups)
        with d.in_row(place, y):
            y = bottleneck(d, ("0",), y, hidden, shortcut, groups)
            return d.result(psa_block(d, ("1",), y, max(hidden // 64, 1)))

    own = {"nested": nested, "expansion": expansion, "attention": attention, "shortcut": shortcut}
    return split_stage(d, path, x, "C3k2", channels, depth, hidden, unit, **own)


def c2f_psa(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, expansion: float = 0.5
) -> Value:
    """`C2f` of attention blocks."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return psa_block(d, place, y, max(hidden // 64, 1))

    own = {"expansion": expansion}
    return split_stage(d, path, x, "C2fPSA", channels, depth, hidden, unit, **own)


def c2f_cib(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = False,
    large: bool = False, groups: int = 1, expansion: float = 0.5,
) -> Value:  # fmt: skip
    """`C2f` of compact inverted blocks (Wang et al. 2024)."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return compact_inverted(d, place, y, hidden, shortcut, large)

    own = {"shortcut": shortcut, "large": large, "expansion": expansion}
    return split_stage(d, path, x, "C2fCIB", channels, depth, hidden, unit, **own)


def compact_inverted(
    d: Net, path: Path, x: Value, channels: int, shortcut: bool, large: bool
) -> Value:
    """Depthwise and pointwise convolutions in turn."""
    width = d.channels(x)
    with d.within(path, "CIB", x, channels=channels, shortcut=shortcut, large=large):
        with d.in_row(("cv1",), x):
            y = conv(d, ("0",), x, width, 3, groups=width)
            y = conv(d, ("1",), y, 2 * channels)
            if large:
                y = rep_depthwise(d, ("2",), y)
            else:
                y = conv(d, ("2",), y, 2 * channels, 3, groups=2 * channels)
            y = conv(d, ("3",), y, channels)
            y = d.result(conv(d, ("4",), y, channels, 3, groups=channels))
        return d.result(_beside(d, x, y, shortcut))


def c2(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = True,
    groups: int = 1, expansion: float = 0.5,
) -> Value:  # fmt: skip
    """Half the channels through bottlenecks in a row, half past them."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return bottleneck(d, place, y, hidden, shortcut, groups, expansion=1.0)

    own = {"channels": channels, "depth": depth, "shortcut": shortcut, "expansion": expansion}
    with d.within(path, "C2", x, **own):
        through, past = halves(d, conv(d, ("cv1",), x, 2 * hidden))
        through = row(d, ("m",), through, depth, unit)
        return d.result(conv(d, ("cv2",), d.call("concat", through, past), channels))


# --- two convolutions beside each other -----------------------------------------------------


def two_ways(
    d: Net, path: Path, x: Value, kind: str, channels: int, depth: int, hidden: int, unit: Unit,
    **settings: object,
) -> Value:  # fmt: skip
    """Some channels through units in a row, as many past them."""
    with d.within(path, kind, x, channels=channels, depth=depth, **settings):
        through = row(d, ("m",), conv(d, ("cv1",), x, hidden), depth, unit)
        past = conv(d, ("cv2",), x, hidden)
        return d.result(conv(d, ("cv3",), d.call("concat", through, past), channels))


def c3(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = True,
    groups: int = 1, expansion: float = 0.5,
) -> Value:  # fmt: skip
    """Half the channels through bottlenecks in a row, half past them, each by a convolution."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return bottleneck(d, place, y, hidden, shortcut, groups, (1, 3), expansion=1.0)

    own = {"shortcut": shortcut, "groups": groups, "expansion": expansion}
    return two_ways(d, path, x, "C3", channels, depth, hidden, unit, **own)


def c3k(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = True,
    groups: int = 1, expansion: float = 0.5, kernel: int = 3,
) -> Value:  # fmt: skip
    """`C3` with larger kernels in the first convolutions of its bottlenecks."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return bottleneck(d, place, y, hidden, shortcut, groups, (kernel, kernel), expansion=1.0)

    own = {"shortcut": shortcut, "groups": groups, "kernel": kernel}
    return two_ways(d, path, x, "C3k", channels, depth, hidden, unit, **own)


def c3_ghost(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, shortcut: bool = True,
    groups: int = 1, expansion: float = 0.5,
) -> Value:  # fmt: skip
    """`C3` of ghost bottlenecks, which have a shortcut always."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return ghost_bottleneck(d, place, y, hidden)

    own = {"expansion": expansion}
    return two_ways(d, path, x, "C3Ghost", channels, depth, hidden, unit, **own)


def ghost_bottleneck(
    d: Net, path: Path, x: Value, channels: int, kernel: int = 3, stride: int = 1
) -> Value:
    """Two ghost convolutions; at stride 2 a depthwise one between them, and on the way past."""
    half = channels // 2
    with d.within(path, "GhostBottleneck", x, channels=channels, kernel=kernel, stride=stride):
        with d.in_row(("conv",), x):
            y = ghost(d, ("0",), x, half)
            if stride == 2:
                y = depthwise(d, ("1",), y, half, kernel, stride, act=False)
            y = d.result(ghost(d, ("2",), y, channels, act=False))
        past = x
        if stride == 2:
            with d.in_row(("shortcut",), x):
                past = depthwise(d, ("0",), x, d.channels(x), kernel, stride, act=False)
                past = d.result(conv(d, ("1",), past, channels, act=False))
        return d.result(d.call("add", y, past))


def rep_c3(
    d: Net, path: Path, x: Value, channels: int, depth: int = 3, expansion: float = 1.0
) -> Value:
    """Convolutions with a branch beside each, and another one past them all."""
    hidden = int(channels * expansion)

    def unit(place: Path, y: Value) -> Value:
        return rep_conv(d, place, y, hidden)

    with d.within(path, "RepC3", x, channels=channels, depth=depth, expansion=expansion):
        through = row(d, ("m",), conv(d, ("cv1",), x, hidden), depth, unit)
        y = d.call("add", through, conv(d, ("cv2",), x, hidden))
        return d.result(conv(d, ("cv3",), y, channels) if hidden != channels else y)


def a2c2f(
    d: Net, path: Path, x: Value, channels: int, depth: int = 1, areas: bool = True, area: int = 1,
    residual: bool = False, ratio: float = 2.0, expansion: float = 0.5, groups: int = 1,
    shortcut: bool = True,
) -> Value:  # fmt: skip
    """Attention within areas of the map, or stages without it, each result kept (Tian 2025)."""
    hidden = int(channels * expansion)
    own = {"channels": channels, "depth": depth, "areas": areas, "area": area, "residual": residual}
    with d.within(path, "A2C2f", x, **own, ratio=ratio, expansion=expansion):
        parts = [conv(d, ("cv1",), x, hidden)]
        for place in range(depth):
            at = ("m", str(place))
            if areas:
                parts.append(
                    row(d, at, parts[-1], 2, lambda p, y: area_block(d, p, y, ratio, area))
                )
            else:
                parts.append(c3k(d, at, parts[-1], hidden, 2, shortcut, groups))
        y = conv(d, ("cv2",), d.call("concat", *parts), channels)
        if not (areas and residual):
            return d.result(y)
        gamma = d.table(("gamma",), (channels,), 0.01)
        scaled = d.call("mul", d.call("reshape", gamma, shape=[channels, 1, 1]), y)
        return d.result(d.call("add", x, scaled))
