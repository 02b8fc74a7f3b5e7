"""Parts of the picture of one convolution: its numbers, the planes of pixels, filters, maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

from netdsl.analyses.links import shape_of
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Text, line
from netdsl.backends.diagram.shape_names import TIMES
from netdsl.backends.diagram.theme import letters_on, series
from netdsl.ir.graph import Node
from netdsl.ops.base import op_of

Pixel = tuple[int, ...]
PLANES = ("red", "green", "blue")
PLANE_COLOURS = ("gone.line", "added.line", "series0")
LETTERS = "wuvz"
MAPS = ("conv", "merge", "dense", "up")
"""Families whose colours the maps have."""
WEIGHT_SIDE = 21.0
LETTER = 8.5
"""Of labels of weights, and of the smallest words."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The numbers of a convolution: shapes of the input and of the result, and its windows.

    `padding` are the cells added before, `around` those on both sides.
    """

    input: tuple[int, ...]
    output: tuple[int, ...]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    around: tuple[int, int]

    @property
    def planes(self) -> int:
        return self.input[0]

    @property
    def weights(self) -> int:
        """Weights of a filter."""
        return self.planes * prod(self.kernel)

    def weight_between(self, index: Sequence[int], pixel: Pixel) -> int:
        """The number of the weight on the link from a pixel to a neuron."""
        rows, columns = (
            (pixel[axis + 1] - index[axis + 1] * self.stride[axis] + self.padding[axis])
            // self.dilation[axis]
            for axis in (0, 1)
        )
        return (pixel[0] * self.kernel[0] + rows) * self.kernel[1] + columns

    def colour(self, weight: int) -> str:
        """One colour a weight; of several planes, one a plane."""
        if self.planes == 1:
            return series(weight)
        return PLANE_COLOURS[weight // prod(self.kernel)]

    def label(self, channel: int, weight: int) -> str:
        """`w1`, `w2`, ...; other filters have other letters."""
        return f"{LETTERS[channel]}{weight + 1}"


def setting_of(node: Node) -> Setting:
    """The numbers of a convolution over a map of two axes."""
    inputs, outputs = shape_of(node.inputs[0]), shape_of(node.output)
    windows = op_of(node).sliding()
    assert windows is not None
    stride, dilation, kernel = map(_pair, (windows.stride, windows.dilation, windows.kernel))
    around = windows.around(inputs[1:])
    before = tuple(first for first, _ in around)
    around = tuple(first + last for first, last in around)
    return Setting(inputs, outputs, kernel, stride, _pair(before), dilation, _pair(around))


def _pair(value: object) -> tuple[int, int]:
    return cast("tuple[int, int]", value if isinstance(value, tuple) else (value, value))


def field_words(setting: Setting) -> list[str]:
    """How the windows of neighbours lie."""
    step, span = setting.stride[1], setting.dilation[1] * (setting.kernel[1] - 1) + 1
    moved = f"the next neuron's window lies {step} pixel{'s' * (step != 1)} on"
    if is_tiled(setting):
        touch = "they touch and never overlap" if span == step else "they lie apart"
        count = f" {TIMES} ".join(map(str, setting.output[1:]))
        return [
            f"shaded in turn: the windows of the {count} neurons of a map;",
            f"{moved}: {touch}",
        ]
    if max(setting.dilation) > 1:
        apart = TIMES.join(map(str, dict.fromkeys(setting.dilation)))
        return [f"{moved};", f"the cells of a window lie {apart} apart"]
    shared = f"{setting.kernel[0]} {TIMES} {span - step} pixels"
    return [f"{moved}:", f"the two share {shared}" if span > step else "they share nothing"]


def is_tiled(setting: Setting) -> bool:
    """Whether windows never overlap, so that they can be shaded in turn."""
    return all(
        k <= s and p == 0 and d == 1
        for k, s, p, d in zip(
            setting.kernel, setting.stride, setting.padding, setting.dilation, strict=True
        )
    )


def planes(
    setting: Setting, corners: Sequence[tuple[float, float]], pixel: float
) -> Iterator[Item]:
    """Every pixel of every plane; windows that do not overlap are shaded in turn."""
    rows, columns = setting.input[1:]
    for plane, (x, y) in enumerate(corners):
        colour = "faint" if setting.planes == 1 else PLANE_COLOURS[plane]
        right, bottom = x + columns * pixel, y + rows * pixel
        shapes: list[Item] = [
            Box(x + j * pixel, y + i * pixel, wide * pixel, high * pixel, "panel.line", "", 0)
            for i, j, high, wide in _shaded(setting)
        ]
        for i in range(1, rows):
            shapes.append(line([(x, y + i * pixel), (right, y + i * pixel)], colour, 0.5))
        for j in range(1, columns):
            shapes.append(line([(x + j * pixel, y), (x + j * pixel, bottom)], colour, 0.5))
        yield Group(tuple(shapes), css="plane")
        yield Box(x, y, columns * pixel, rows * pixel, "", colour, 0.9)
        if setting.planes > 1:
            name = PLANES[plane] if setting.planes == 3 else f"channel {plane}"
            yield Text(x, y - 6, name, 10, colour, True, "start")


def _shaded(setting: Setting) -> list[tuple[int, int, int, int]]:
    """Row, column, height and width of every other window, if none overlap."""
    if not is_tiled(setting):
        return []
    return [
        (i * setting.stride[0], j * setting.stride[1], *setting.kernel)
        for i in range(setting.output[1])
        for j in range(setting.output[2])
        if (i + j) % 2 == 0
    ]


def filter_panel(
    setting: Setting, channel: int, corner: tuple[float, float], wide: float, is_lit: bool
) -> Iterator[Item]:
    """The weights of a filter, a plane for each input channel; `is_lit` where links show them.

    The words stand beside one plane, below several.
    """
    x, y = corner
    each = prod(setting.kernel)
    family = MAPS[channel]
    for number in range(setting.weights):
        plane, place = divmod(number, each)
        i, j = divmod(place, setting.kernel[1])
        left, top = x + plane * wide + j * WEIGHT_SIDE, y + i * WEIGHT_SIDE
        fill, edge, ink = f"{family}.fill", f"{family}.line", "ink"
        if is_lit:
            fill, edge = setting.colour(number), "paper"
            ink = letters_on(fill)
        yield Box(left, top, WEIGHT_SIDE, WEIGHT_SIDE, fill, edge, 0.8)
        text = setting.label(channel, number)
        yield Text(left + WEIGHT_SIDE / 2, top + WEIGHT_SIDE / 2 + 3, text, LETTER, ink, is_lit)
    side = x + wide
    if setting.planes > 1:
        side, y = x, y + setting.kernel[0] * WEIGHT_SIDE + 6
    size = f" {TIMES} ".join(map(str, (setting.planes, *setting.kernel)))
    neurons = prod(setting.output[1:])
    yield Text(side, y + 10, f"filter {channel}", 10, "ink", True, "start")
    told = (f"{size} = {setting.weights} weights", f"used by all {neurons}", "neurons of its map")
    for row, text in enumerate(told):
        yield Text(side, y + 23 + 11.5 * row, text, LETTER, "soft", False, "start")


def map_back(setting: Setting, corner: tuple[float, float], cell: float) -> Box:
    """What the neurons of a map stand on, below the links."""
    (x, y), (rows, columns) = corner, setting.output[1:]
    return Box(x - 4, y - 4, columns * cell + 8, rows * cell + 8, "panel.fill", "panel.line")


def map_panel(
    setting: Setting, channel: int, corner: tuple[float, float], cell: float
) -> Iterator[Item]:
    """The neurons of a map."""
    x, y = corner
    rows, columns = setting.output[1:]
    family = MAPS[channel]
    for i in range(rows):
        for j in range(columns):
            dot = Ellipse(
                x + (j + 0.5) * cell, y + (i + 0.5) * cell, cell * 0.3, cell * 0.3,
                f"{family}.fill", f"{family}.line",
            )  # fmt: skip
            place = f"{channel},{i},{j}"
            yield Group((dot,), title=f"neuron [{place}]", css="neuron", data=(("neuron", place),))
