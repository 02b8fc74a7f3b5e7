"""A chain of concats written out: every layer, what it reads of those before, and how much."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import LINE, draw_leaf
from netdsl.backends.diagram.layout.line_sheet import small
from netdsl.backends.diagram.scene import Box, Curve, Group, Item, Text, arrow_head, line
from netdsl.backends.diagram.theme import series

MOST = 8
"""Layers whose arcs can be followed."""
BAR, HIGH = 20.0, 96.0
"""Width of a bar; height of the highest."""
RISE = 15.0
"""How much higher an arc is for each layer that it passes."""
BESIDE = 34.0
NODE = 34.0


def arcs(sizes: Sequence[int], width: float) -> list[Item]:
    """The layers in a line with an arc for every pair, and below each the bar of what it reads."""
    added = [sizes[0], *(b - a for a, b in itertools.pairwise(sizes))]
    count = len(added)
    step = (width - 2 * BESIDE) / count
    middles = [BESIDE + step * n for n in range(count + 1)]
    top = RISE * count * 0.75
    y = top + NODE / 2
    items: list[Item] = []
    for start in range(count):
        for end in range(start + 1, count + 1):
            items += _link(start, end, middles, top, y, count)
    labels = [Label("in", (str(added[0]),))]
    labels += [Label(str(n), (f"+ {size}",)) for n, size in enumerate(added[1:], 1)]
    labels.append(Label("out", (str(sizes[-1]),)))
    for number, (label, x) in enumerate(zip(labels, middles, strict=True)):
        form = "end" if number in (0, count) else "block"
        box = small(None, "io" if form == "end" else "block", label, (), form)
        items.append(Group(tuple(draw_leaf(box, x, y)), css="end", title=label.title))
    for number, x in enumerate(middles[1:], 1):
        items += _bar(added[:number], x, y + NODE, HIGH / sizes[-1])
    told = "what each reads, by origin: the height is channels"
    items.append(Text(middles[0] - 20, y + NODE + HIGH + 14, told, LINE, "soft", False, "start"))
    return items


def _pen(start: int) -> str:
    return "wire" if not start else series(start - 1)


def _link(
    start: int, end: int, middles: Sequence[float], top: float, y: float, count: int
) -> Iterator[Item]:
    """A straight wire to the next layer, an arc to all others."""
    colour = _pen(start)
    half = 20.0
    if end == start + 1:
        a, b = (middles[start] + half, y), (middles[end] - half, y)
        yield line([a, b], colour, 1.4)
        yield arrow_head(b, a, colour)
        return
    shift = 22.0 / count
    a = middles[start] + (end - start - 2) * shift / 2 - 3, top
    b = middles[end] + (start - end / 2) * shift, top
    rise = RISE * (end - start)
    handle = (b[0] - a[0]) * 0.22
    yield Curve((a, (a[0] + handle, top - rise), (b[0] - handle, top - rise), b), colour, 1.3)
    yield arrow_head(b, (b[0] - handle, top - rise), colour)


def _bar(parts: Sequence[int], x: float, top: float, scale: float) -> Iterator[Item]:
    """What a layer reads, one part for each that gave it, and their sum below."""
    y = top
    for number, part in enumerate(parts):
        height = part * scale
        fill = "wire" if not number else series(number - 1)
        yield Box(x - BAR / 2, y, BAR, max(height - 0.8, 0.5), fill)
        y += height
    yield Text(x, y + LINE, str(sum(parts)), LINE, "ink", True)
