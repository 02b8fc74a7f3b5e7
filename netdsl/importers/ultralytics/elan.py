"""The stages of YOLOv9: layers that are aggregated, and a second trunk that feeds on the first."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.basic import Net, conv, rep_conv, window
from netdsl.importers.ultralytics.stages import two_ways


def elan(
    d: Net, path: Path, x: Value, channels: int, width: int, hidden: int, depth: int = 1
) -> Value:
    """Half the channels through two stages in a row, each result kept (Wang et al. 2024)."""
    own = {"channels": channels, "width": width, "hidden": hidden, "depth": depth}
    with d.within(path, "RepNCSPELAN4", x, **own):
        parts = _cut(d, conv(d, ("cv1",), x, width))
        for name in "cv2", "cv3":
            with d.in_row((name,), parts[-1]):
                y = rep_stage(d, ("0",), parts[-1], hidden, depth)
                parts.append(d.result(conv(d, ("1",), y, hidden, 3)))
        return d.result(conv(d, ("cv4",), d.call("concat", *parts), channels))


def elan1(d: Net, path: Path, x: Value, channels: int, width: int, hidden: int) -> Value:
    """The same with a convolution in the place of each stage."""
    with d.within(path, "ELAN1", x, channels=channels, width=width, hidden=hidden):
        parts = _cut(d, conv(d, ("cv1",), x, width))
        for name in "cv2", "cv3":
            parts.append(conv(d, (name,), parts[-1], hidden, 3))
        return d.result(conv(d, ("cv4",), d.call("concat", *parts), channels))


def _cut(d: Net, x: Value) -> list[Value]:
    """Two halves of the channels."""
    width = d.channels(x)
    if width % 2:
        raise refused(f"{width} channels have no halves", d.origin)
    return d.calls("split", x, parts=2)


def rep_stage(d: Net, path: Path, x: Value, channels: int, depth: int) -> Value:
    """`C3` of bottlenecks that begin with a convolution in two branches."""
    hidden = channels // 2

    def unit(place: Path, y: Value) -> Value:
        with d.within(place, "RepBottleneck", y, channels=hidden):
            inner = conv(d, ("cv2",), rep_conv(d, ("cv1",), y, hidden), hidden, 3)
            return d.result(d.call("add", y, inner))

    return two_ways(d, path, x, "RepCSP", channels, depth, hidden, unit)


def adown(d: Net, path: Path, x: Value, channels: int) -> Value:
    """A smaller map: half the channels by a convolution, half by maxima."""
    half = channels // 2
    with d.within(path, "ADown", x, channels=channels):
        one, other = _cut(d, averaged(d, x))
        one = conv(d, ("cv1",), one, half, 3, 2, 1)
        other = d.call("maxpool", other, kernel=3, stride=2, padding=1)
        return d.result(d.call("concat", one, conv(d, ("cv2",), other, half)))


def aconv(d: Net, path: Path, x: Value, channels: int) -> Value:
    """A smaller map: means of neighbours before a convolution."""
    with d.within(path, "AConv", x, channels=channels):
        return d.result(conv(d, ("cv1",), averaged(d, x), channels, 3, 2, 1))


def averaged(d: Net, x: Value) -> Value:
    """Means of each four cells."""
    return d.call("avgpool", x, kernel=2, stride=1)


def spp_elan(d: Net, path: Path, x: Value, channels: int, width: int, kernel: int = 5) -> Value:
    """One small window three times in a row, each result kept."""
    with d.within(path, "SPPELAN", x, channels=channels, width=width, kernel=kernel):
        parts = [conv(d, ("cv1",), x, width)]
        for _ in range(3):
            parts.append(window(d, parts[-1], kernel))
        return d.result(conv(d, ("cv5",), d.call("concat", *parts), channels))


def cb_linear(d: Net, path: Path, x: Value, parts: list[int], kernel: int = 1) -> list[Value]:
    """A convolution whose channels go to several places."""
    with d.within(path, "CBLinear", x, parts=parts, kernel=kernel) as region:
        own = {"channels": sum(parts), "kernel": kernel, "padding": kernel // 2}
        y = d.call("conv", x, path=("conv",), **own)
        region.outputs = d.calls("split", y, parts=list(parts)) if len(parts) > 1 else [y]
        return region.outputs


def cb_fuse(d: Net, path: Path, parts: list[Value], last: Value) -> Value:
    """The sum of maps, each brought to the size of the last."""
    with d.within(path, "CBFuse", *parts, last):
        like = [d.call("upsample", one, size=last) for one in parts]
        return d.result(d.call("add", *like, last))
