"""A plot of a report: the cost of each layer as bars, and how the receptive field grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdsl.analyses.explain.block import BlockReport
from netdsl.analyses.explain.network import NetworkReport, Part, Seen
from netdsl.backends.diagram.fonts import shorten
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.options import DrawError
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Picture, Text, bounds_of, line, moved

ROW, BAR_HEIGHT = 15.0, 10.0
NAMES, BARS = 230.0, 330.0
"""Widths of the column of names and of the longest bar."""
SIZE = 9.5
MOST_ROWS = 120
PLOT_WIDTH, PLOT_HEIGHT = 560.0, 220.0
GAP = 34.0


def plot(report: object) -> Picture:
    """The picture of a network's or a block's report. Raises `DrawError` for another one."""
    if isinstance(report, NetworkReport):
        below = _field(report.fields)
    elif isinstance(report, BlockReport):
        below = []
    else:
        raise DrawError("a plot shows a network or a block; name one of these")
    parts = [part for part in report.layers if part.macs or part.parameters]
    if not parts:
        raise DrawError(f"{report.network} has no layer with weights or multiply-adds to plot")
    bars = list(_bars(parts))
    if below:
        bottom = bounds_of(bars)[3]
        bars += [moved(item, 0, bottom + GAP) for item in below]
    name = report.network if isinstance(report, NetworkReport) else report.path
    lines = [f"{sum(p.macs for p in parts):,} multiply-adds in {len(parts)} layers, of one sample"]
    if report.sizes:
        lines.append(", ".join(f"{symbol} = {size}" for symbol, size in report.sizes.items()))
    if len(parts) > MOST_ROWS:
        lines.append(f"the {MOST_ROWS} layers that cost most, in the order they run")
    return framed(f"{name}: cost by layer", lines, bars)


def _bars(parts: Sequence[Part]) -> Iterator[Item]:
    """Multiply-adds and parameters of each layer, by the most of each."""
    costly = sorted(parts, key=lambda part: part.macs, reverse=True)[:MOST_ROWS]
    shown = [part for part in parts if part in costly]
    macs = max(part.macs for part in shown) or 1
    parameters = max(part.parameters for part in shown) or 1
    yield Text(NAMES, 0, "multiply-adds", SIZE, "series0", True, "start")
    yield Text(NAMES + 90, 0, "parameters", SIZE, "series1", True, "start")
    for number, part in enumerate(shown):
        y = 10 + number * ROW
        name = shorten(part.path, SIZE, NAMES - 10)
        yield Text(NAMES - 6, y + BAR_HEIGHT - 1.5, name, SIZE, "ink", False, "end")
        long = BARS * part.macs / macs
        yield Box(NAMES, y, long, BAR_HEIGHT * 0.6, "series0")
        yield Box(NAMES, y + BAR_HEIGHT * 0.6, BARS * part.parameters / parameters,
                  BAR_HEIGHT * 0.4, "series1")  # fmt: skip
        yield Text(NAMES + long + 5, y + BAR_HEIGHT - 1.5, f"{part.macs:,}", 8.0, "soft", False,
                   "start")  # fmt: skip


def _field(growth: Sequence[Seen]) -> list[Item]:
    """The field along the first axis, from layer to layer, beside the size of the image."""
    seen = [one for one in growth if one.axes]
    if len(seen) < 2:
        return []
    image = seen[0].axes[0].image
    most = max(image, *(one.axes[0].unclipped for one in seen))
    step = PLOT_WIDTH / (len(seen) - 1)

    def y_of(size: int) -> float:
        return PLOT_HEIGHT * (1 - size / most)

    axis = seen[0].axes[0].axis
    title = f"receptive field along the {axis} of {seen[0].input}, far from its borders"
    items: list[Item] = [Text(0, -14, title, SIZE, "ink", True, "start")]
    items.append(line([(0, PLOT_HEIGHT), (PLOT_WIDTH, PLOT_HEIGHT)], "wire"))
    items.append(line([(0, y_of(image)), (PLOT_WIDTH, y_of(image))], "faint", dash="dashed"))
    items.append(
        Text(PLOT_WIDTH + 6, y_of(image) + 3, f"image {image}", 8.0, "soft", False, "start")
    )
    points = [(i * step, y_of(one.axes[0].unclipped)) for i, one in enumerate(seen)]
    items.append(line(points, "series2", 1.6))
    for (x, y), one in zip(points, seen, strict=True):
        items.append(Ellipse(x, y, 2.4, 2.4, "series2"))
        items.append(Text(x, y - 6, str(one.axes[0].unclipped), 8.0, "ink", False, "middle"))
    items += _names(seen, step)
    return items


def _names(seen: Sequence[Seen], step: float) -> Iterator[Item]:
    """The layers below the axis, one below the other in turn so that they do not meet."""
    rows = max(1, round(90 / step))
    for number, one in enumerate(seen):
        y = PLOT_HEIGHT + 12 + number % rows * 10
        yield Text(number * step, y, shorten(one.path, 7.5, 92), 7.5, "soft", False, "middle")
