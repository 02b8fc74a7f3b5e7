"""What the scales and colours of a picture of volumes mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.roles import OTHER, families_of
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Polygon, Text, line, moved
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.forms import Scale, Scales
from netdsl.backends.diagram.volumes.links import plus
from netdsl.backends.diagram.volumes.words import adds
from netdsl.ops.base import op_of

Tails = dict[str, tuple[str, ...]]
TEXT = 9.0
GAP = 20.0
_NAMES = {
    "io": "input", "conv": "convolution", "pool": "pooling",
    "up": "enlarged map", "dense": "dense layer", "merge": "merge", "move": "moved values",
    "norm": "normalisation", "act": "activation", "block": "block: its result",
}  # fmt: skip


_FAMILIES = {"conv": "convolution", "dense": "dense"}


def round_length(scale: Scale, most: float) -> int:
    """The largest of 1, 2, 5, 10, 20, ... units within `most` points, or 1 where that is longer."""
    units = most / scale.factor if not scale.root else (most / scale.factor) ** 2
    if units < 1:
        return 1
    base = 10 ** floor(log10(units))
    return int(base * next(n for n in (5, 2, 1) if n * base <= units))


def _bars(columns: Sequence[Column], scales: Scales) -> list[tuple[list[Item], float]]:
    bars: list[tuple[list[Item], float]] = []
    maps = [c for c in columns if c.form.axes.is_map]
    if maps:
        number = round_length(scales.pixels, 32)
        bars.append(_upright(scales.pixels, number, f"{number:,} {_pixel(maps, number)}"))
        number = round_length(scales.channels, 60)
        length = scales.channels.length(number)
        text = f"{number:,} channel{'s' * (number != 1)}" + _root(scales.channels)
        bar = [
            line([(0, 0), (length, 0)], "ink", 1.2),
            *(line([(a, -3), (a, 3)], "ink", 1.2) for a in (0, length)),
        ]
        bars.append(_with_text(bar, length, text))
    if len(maps) < len(columns):
        number = round_length(scales.values, 32)
        bars.append(
            _upright(scales.values, number, f"{number:,} values of a vector" + _root(scales.values))
        )
    return bars


def _pixel(maps: Sequence[Column], number: int) -> str:
    """What the cells of maps and of sheets are called."""
    end = "s" * (number != 1)
    deep = {c.form.is_deep for c in maps}
    names = [name for name, is_deep in (("pixel", True), ("position", False)) if is_deep in deep]
    return " or ".join(name + end for name in names)


def _root(scale: Scale) -> str:
    return " (drawn by square roots)" if scale.root else ""


def _upright(scale: Scale, number: int, text: str) -> tuple[list[Item], float]:
    half = scale.length(number) / 2
    bar: list[Item] = [line([(3, -half), (3, half)], "ink", 1.2)]
    bar += [line([(0, y), (6, y)], "ink", 1.2) for y in (-half, half)]
    return _with_text(bar, 6, text)


def _with_text(items: Sequence[Item], width: float, text: str) -> tuple[list[Item], float]:
    shown = [*items, Text(width + 6, 3, text, TEXT, "soft", False, "start")]
    return shown, width + 6 + text_width(text, TEXT)


def _marks(columns: Sequence[Column], windows: set[bool]) -> list[tuple[list[Item], float]]:
    marks: list[tuple[list[Item], float]] = []
    if True in windows:
        square = ((0, -4), (8, -4), (8, 4), (0, 4))
        items: list[Item] = [
            Polygon(square, "focus", "", 0, opacity=0.35), Polygon(square, "", "focus", 0.9),
            line([(8, -4), (20, 0)], "focus", 0.8), line([(8, 4), (20, 0)], "focus", 0.8),
            Ellipse(20, 0, 2, 2, "focus"),
        ]  # fmt: skip
        text = "window to scale, one neuron that sees it"
        text += "; smaller windows are left out" if False in windows else ""
        marks.append(_with_text(items, 22, text))
    elif windows:
        marks.append(_with_text([], -6, "windows of kernels are too small to be drawn to scale"))
    if any(c.step.node is None and adds(c.step) for c in columns):
        marks.append(_with_text(plus(5, 0), 10, "sum over a skip"))
    return marks


def _families(columns: Sequence[Column], tails: Tails) -> list[tuple[list[Item], float]]:
    roles = {c.role for c in columns} - {"io"}
    names = _NAMES | {OTHER: families_of(op_of(c.step.node) for c in columns if c.step.node)}
    return [
        _with_text(_chip(role), 14, ", ".join((name, *tails.get(_FAMILIES.get(role, ""), ()))))
        for role, name in names.items()
        if role in roles
    ]


def legend(
    columns: Sequence[Column], scales: Scales, tails: Tails, windows: set[bool], width: float,
    left_out: str = "",
) -> list[Item]:  # fmt: skip
    """The legend in lines of about this width: scale bars, the kernel's colour, the families.

    `windows` are what `windows_seen` finds, `left_out` is what is not drawn.
    """
    x, y, items = 0.0, 0.0, []
    parts = [*_bars(columns, scales), *_marks(columns, windows), *_families(columns, tails)]
    parts += [_with_text([], -6, left_out)] if left_out else []
    for number, (part, wide) in enumerate(parts):
        if number and x + wide > width:
            x, y = 0.0, y + (28 if y == 0 else 18)
        items += [moved(item, x, y) for item in part]
        x += wide + GAP
    return items


def _chip(role: str) -> list[Item]:
    items: list[Item] = [Box(0, -5, 14, 10, f"{role}.fill", f"{role}.line", 1)]
    if role == "block":
        items.append(Box(0, -5, 14, 10, "block.line", "", 0, opacity=0.12))
    return items
