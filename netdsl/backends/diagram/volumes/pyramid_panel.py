"""The bins of a pooling pyramid on its map, magnified, and the vector they are joined to."""

from __future__ import annotations

from netdsl.backends.diagram.fonts import text_width, wrapped
from netdsl.backends.diagram.scene import Box, Item, Text, line
from netdsl.backends.diagram.theme import series
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.links import arrow
from netdsl.backends.diagram.volumes.looks import Looks
from netdsl.backends.diagram.volumes.pyramid_bins import Level, Pyramid, window_words
from netdsl.backends.diagram.volumes.rows import Lead

INSET = 16.0
LEAP = 48.0
TEXT, TITLE, LINE = 8.0, 12.0, 9.5
LINE_STEP = 13.0
BESIDE = 110.0
"""What a panel leaves of the width: for scales and routes, and for its insets."""
CAPTION_STEP = 11.5
MOST_LINES = 66


def panel_lead(pyramid: Pyramid, channels: int, bar: float, looks: Looks) -> Lead:
    """The grids, to stand before the vector; `bar` is the vector's length in points."""
    cell = looks.grid / max(pyramid.sizes)
    widths = [_width(level, pyramid, channels, looks) for level in pyramid.levels]
    gaps = looks.grid_gap * (len(widths) - 1)
    width = INSET + sum(widths) + gaps + (looks.joining if pyramid.is_joined else LEAP)
    height = max(pyramid.sizes[0] * cell, bar)

    def draw(x: float, middle: float, captions: float) -> list[Item]:
        items: list[Item] = []
        left = x + INSET
        top = middle - pyramid.sizes[0] * cell / 2
        for number, (level, wide) in enumerate(zip(pyramid.levels, widths, strict=True)):
            role = series(number)
            items += _grid(level, pyramid, left, top, cell, role)
            items += _captions(level, pyramid, channels, left, captions, role)
            left += wide + looks.grid_gap
        start = x + width - LEAP + 8
        if not pyramid.is_joined:
            items += arrow((start, middle), (x + width - 4, middle))
        return items

    head = 27.0 + LINE_STEP * len(_explained(pyramid, channels, looks))
    lines = max(len(_lines(level, pyramid, channels)) for level in pyramid.levels)
    return Lead(width, height, head, 0.0, 10 + CAPTION_STEP * (lines - 1), draw)


def panel_head(
    pyramid: Pyramid, name: str, channels: int, factor: float, x: float, y: float, looks: Looks
) -> list[Item]:
    """The panel's title and what explains it."""
    what = "spatial pyramid pooling" if pyramid.is_joined else "adaptive pooling"
    size = " × ".join(map(str, pyramid.sizes))
    drawn = "magnified" if factor >= 1 else "reduced"
    title = f"The {size} map of {name}, {drawn} × {factor:.1f}: {what}"
    items: list[Item] = [Text(x + INSET, y + 18, title, TITLE, "ink", True, "start")]
    for number, text in enumerate(_explained(pyramid, channels, looks)):
        height = y + 33 + LINE_STEP * number
        items.append(Text(x + INSET, height, text, LINE, "soft", False, "start"))
    return items


def _explained(pyramid: Pyramid, channels: int, looks: Looks) -> list[str]:
    text = (
        f"Each bin takes the {pyramid.mode} over its window, in each of the {channels:,} channels."
    )
    if any(level.is_overlapping for level in pyramid.levels):
        text += f" {_uneven(pyramid)}: there windows overlap (stronger colour)."
    return wrapped(text, LINE, looks.inside - BESIDE)


def _uneven(pyramid: Pyramid) -> str:
    """`13 is not a multiple of 2 or 4`."""
    counts_by_size: dict[int, list[int]] = {}
    for level in pyramid.levels:
        for size, edges in zip(pyramid.sizes, level.axes, strict=True):
            if size % len(edges):
                counts_by_size.setdefault(size, []).append(len(edges))
    return ", ".join(
        f"{size} is not a multiple of {' or '.join(map(str, sorted(set(counts))))}"
        for size, counts in counts_by_size.items()
    )


def _width(level: Level, pyramid: Pyramid, channels: int, looks: Looks) -> float:
    cell = looks.grid / max(pyramid.sizes)
    texts = _lines(level, pyramid, channels)
    written = max(text_width(t, 10.5 if i == 0 else TEXT, i == 0) for i, t in enumerate(texts))
    return max(pyramid.sizes[1] * cell, written)


def _lines(level: Level, pyramid: Pyramid, channels: int) -> list[str]:
    shown = " × ".join(map(str, level.counts))
    bins = f"{shown} = {level.bins} bin{'s' * (level.bins != 1)}"
    rows, columns = level.axes
    if rows == columns:
        words = [window_words(rows)]
    else:
        words = [f"rows: {window_words(rows)}", f"columns: {window_words(columns)}"]
    if level.bins == 1:
        words = [f"window {' × '.join(map(str, pyramid.sizes))}, all of it"]
    return [bins, *words, f"{level.bins} × {channels:,} = {level.bins * channels:,} values"]


def _captions(
    level: Level, pyramid: Pyramid, channels: int, x: float, y: float, role: str
) -> list[Item]:
    first, *rest = _lines(level, pyramid, channels)
    items: list[Item] = [Text(x, y + 10, first, 10.5, role, True, "start")]
    for number, text in enumerate(rest):
        items.append(
            Text(x, y + 10 + CAPTION_STEP * (number + 1), text, TEXT, "soft", False, "start")
        )
    return items


def _grid(level: Level, pyramid: Pyramid, x: float, y: float, cell: float, role: str) -> list[Item]:
    """The map's pixels, and on them each bin: where bins overlap the colour is stronger."""
    tall, wide = (size * cell for size in pyramid.sizes)
    items: list[Item] = [Box(x, y, wide, tall, "paper", "faint", 0.6)]
    if max(pyramid.sizes) <= MOST_LINES:
        for row in range(1, pyramid.sizes[0]):
            items.append(line([(x, y + row * cell), (x + wide, y + row * cell)], "faint", 0.3))
        for column in range(1, pyramid.sizes[1]):
            items.append(
                line([(x + column * cell, y), (x + column * cell, y + tall)], "faint", 0.3)
            )
    boxes = [
        (x + left * cell, y + top * cell, (right - left) * cell, (bottom - top) * cell)
        for top, bottom in level.axes[0]
        for left, right in level.axes[1]
    ]
    items += [Box(*box, role, "", 0, opacity=0.2) for box in boxes]
    items += [Box(*box, "", role, 0.8) for box in boxes]
    return items


def joined_bar(column: Column, pyramid: Pyramid, channels: int) -> list[Item]:
    """The vector cut into its levels and bins, in proportion, each level named on the left."""
    form = column.form
    total = sum(level.bins for level in pyramid.levels)
    items: list[Item] = []
    y = form.top
    labels: list[tuple[float, str, str]] = []
    for number, level in enumerate(pyramid.levels):
        role, height = series(number), form.tall * level.bins / total
        items.append(Box(form.x, y, form.front, height, role, "", 0, opacity=0.45))
        step = height / level.bins
        if step >= 1.2:
            for index in range(1, level.bins):
                at = y + index * step
                items.append(line([(form.x, at), (form.x + form.front, at)], role, 0.3))
        items.append(Box(form.x, y, form.front, height, "", role, 0.9))
        labels.append((y + height / 2, f"{level.bins} × {channels:,}", role))
        y += height
    return items + _spread(labels, form.x)


def _spread(labels: list[tuple[float, str, str]], x: float) -> list[Item]:
    """Names of the levels, kept apart, with a line to their part of the bar."""
    places: list[float] = []
    for middle, _, _ in reversed(labels):
        places.insert(0, min(middle, places[0] - 10.5) if places else middle)
    items: list[Item] = []
    for place, (middle, text, role) in zip(places, labels, strict=True):
        items.append(line([(x - 12, place), (x - 3, middle)], role, 0.6))
        items.append(Text(x - 14, place + 3, text, TEXT, role, False, "end"))
    return items
