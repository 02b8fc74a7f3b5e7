"""Heads: what is said of each place of the maps, as boxes and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, prod

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.basic import Net, conv, depthwise, plain_conv


@dataclass(frozen=True, slots=True)
class Style:
    """What a head has from the whole file.

    `plain` heads have plain convolutions before the scores; `twofold` ones are there twice, and
    the second is the one that is used.
    """

    classes: int
    bins: int
    strides: tuple[int, ...]
    plain: bool
    twofold: bool


@dataclass(frozen=True, slots=True)
class Boxes:
    """What a head says before it is put together: an item for each map."""

    shares: list[Value]
    scores: list[Value]


def detect(d: Net, path: Path, maps: list[Value], style: Style, kind: str = "Detect") -> Value:
    """A column for each place: middle, width and height of a box, and a score for each class."""
    with d.within(path, kind, *maps, classes=style.classes):
        return d.result(_predictions(d, maps, style))


def segment(
    d: Net, path: Path, maps: list[Value], style: Style, masks: int, width: int
) -> tuple[Value, Value]:
    """The same with numbers that mix prototypes of masks, and these prototypes."""
    with d.within(path, "Segment", *maps, masks=masks, width=width):
        basis = prototypes(d, ("proto",), maps[0], width, masks)
        mixed = _extra(d, maps, max(d.channels(maps[0]) // 4, masks), masks)
        y = d.call("concat", _predictions(d, maps, style), d.call("concat", *mixed, axis=1))
        d.result(y, basis)
        return y, basis


def prototypes(d: Net, path: Path, x: Value, width: int, channels: int) -> Value:
    """Maps at twice the size that masks are mixed of."""
    with d.within(path, "Proto", x, width=width, channels=channels):
        y = conv(d, ("cv1",), x, width, 3)
        y = d.call("conv_transpose", y, path=("upsample",), channels=width, kernel=2, stride=2)
        return d.result(conv(d, ("cv3",), conv(d, ("cv2",), y, width, 3), channels))


def pose(d: Net, path: Path, maps: list[Value], style: Style, points: tuple[int, int]) -> Value:
    """The same with points: where each is, and with three numbers whether it is seen."""
    count = prod(points)
    with d.within(path, "Pose", *maps, points=points):
        width = max(d.channels(maps[0]) // 4, count)
        raw = _extra(d, maps, width, count)
        placed = [_points(d, *both, points) for both in zip(raw, maps, style.strides, strict=True)]
        y = _predictions(d, maps, style)
        return d.result(d.call("concat", y, d.call("concat", *placed, axis=1)))


def _points(d: Net, raw: Value, like: Value, stride: int, points: tuple[int, int]) -> Value:
    """Points in pixels: their numbers count from a place, in half cells."""
    number, parts = points
    one = d.call("reshape", raw, shape=[number, parts, -1])
    column, row = _columns_and_rows(d, like)
    pieces = d.calls("split", one, parts=[1] * parts, axis=1)
    for at, place in (0, column), (1, row):
        doubled = d.call("mul", pieces[at], number=2)
        pieces[at] = d.call("mul", d.call("add", doubled, place), number=stride)
    if parts == 3:
        pieces[2] = d.call("sigmoid", pieces[2])
    joined = d.call("concat", *pieces, axis=1)
    return d.call("reshape", joined, shape=[number * parts, -1])


def oriented(d: Net, path: Path, maps: list[Value], style: Style, angles: int) -> Value:
    """Boxes that are turned, with the angle as a last number."""
    with d.within(path, "OBB", *maps, angles=angles):
        if angles != 1:
            raise refused(f"a box has one angle, not {angles}", d.origin)
        raw = _extra(d, maps, max(d.channels(maps[0]) // 4, angles), angles)
        turns = [
            d.call("mul", d.call("sub", d.call("sigmoid", one), number=0.25), number=pi)
            for one in raw
        ]
        y = _predictions(d, maps, style, turns)
        return d.result(d.call("concat", y, d.call("concat", *turns, axis=1)))


def classify(d: Net, path: Path, x: Value, classes: int, kernel: int = 1, stride: int = 1) -> Value:
    """Probabilities of classes for the whole picture.

    The region has their number: it is the width of the last layer and of nothing else, unlike in
    other heads, whose inner widths follow from it.
    """
    with d.within(path, "Classify", x, classes=classes, kernel=kernel, stride=stride):
        y = d.call("global_avgpool", conv(d, ("conv",), x, 1280, kernel, stride))
        return d.result(d.call("softmax", d.call("linear", y, path=("linear",), features=classes)))


# --- parts ----------------------------------------------------------------------------------


def _predictions(
    d: Net, maps: list[Value], style: Style, turns: Sequence[Value] | None = None
) -> Value:
    """Boxes and scores of all maps."""
    raw = _branches(d, maps, style, "")
    if style.twofold:
        raw = _branches(d, maps, style, "one2one_")
    numbers = None
    if style.bins > 1:
        fill = [float(i) for i in range(style.bins)]
        numbers = d.table(("dfl", "conv", "weight"), (1, style.bins, 1, 1), fill, "frozen")
    boxes: list[Value] = []
    for level, (shares, like) in enumerate(zip(raw.shares, maps, strict=True)):
        turn = turns[level] if turns is not None else None
        boxes.append(_boxes(d, shares, like, numbers, turn, style, style.strides[level]))
    scores = [d.call("reshape", one, shape=[style.classes, -1]) for one in raw.scores]
    scored = d.call("sigmoid", d.call("concat", *scores, axis=1))
    return d.call("concat", d.call("concat", *boxes, axis=1), scored)


def _boxes(
    d: Net, shares: Value, like: Value, numbers: Value | None, turn: Value | None, style: Style,
    stride: int,
) -> Value:  # fmt: skip
    """The boxes of the places of a map, in pixels."""
    flows = {"shares": shares, "cells": like, "numbers": numbers, "turn": turn}
    present = {name: one for name, one in flows.items() if one is not None}
    with d.within((), "Boxes", *present.values(), stride=stride) as region:
        region.input_names = list(present)
        before, behind = _sides(d, shares, numbers, style.bins)
        before.name, behind.name = "before", "behind"
        box = _box(d, before, behind, like, turn)
        return d.result(d.call("mul", box, number=stride))


def _branches(d: Net, maps: list[Value], style: Style, prefix: str) -> Boxes:
    """For each map the numbers of boxes, and those of classes."""
    first = d.channels(maps[0])
    narrow, wide = max(16, first // 4, 4 * style.bins), max(first, min(style.classes, 100))
    shares = [
        _three(d, (f"{prefix}cv2", str(place)), x, narrow, 4 * style.bins)
        for place, x in enumerate(maps)
    ]
    scores = [
        _three(d, (f"{prefix}cv3", str(place)), x, wide, style.classes, apart=not style.plain)
        for place, x in enumerate(maps)
    ]
    return Boxes(shares, scores)


def _extra(d: Net, maps: list[Value], width: int, count: int) -> list[Value]:
    """More numbers for each place of each map."""
    rows: list[Value] = []
    for place, x in enumerate(maps):
        y = _three(d, ("cv4", str(place)), x, width, count)
        rows.append(d.call("reshape", y, shape=[count, -1]))
    return rows


def _three(
    d: Net, path: Path, x: Value, width: int, channels: int, *, apart: bool = False
) -> Value:
    """Two 3x3 convolutions, which may be depthwise with a pointwise one behind, and a plain one."""
    with d.in_row(path, x, kind="Branch"):
        y = x
        for place in "01":
            if apart:
                with d.in_row((place,), y):
                    y = depthwise(d, ("0",), y, d.channels(y), 3)
                    y = d.result(conv(d, ("1",), y, width))
            else:
                y = conv(d, (place,), y, width, 3)
        return d.result(plain_conv(d, ("2",), y, channels))


def _sides(d: Net, x: Value, numbers: Value | None, bins: int) -> list[Value]:
    """How far the sides are from each place: a mean of numbers, each with its share."""
    if numbers is None:
        return d.calls("split", d.call("reshape", x, shape=[4, -1]), parts=2)
    shares = d.call("softmax", d.call("reshape", x, shape=[4, bins, -1]), axis=1)
    weighted = d.call("mul", shares, d.call("reshape", numbers, shape=[bins, 1]))
    return d.calls("split", d.call("sum", weighted, axis=1), parts=2)


def _columns_and_rows(d: Net, like: Value) -> list[Value]:
    """The column and the row of each place."""
    row, column = d.calls("split", d.call("positions", like), parts=2)
    row.name, column.name = "row", "column"
    return [d.call("reshape", one, shape=[1, -1]) for one in (column, row)]


def _middles(d: Net, like: Value) -> Value:
    """The column and the row of the middle of each place."""
    places = d.call("concat", *_columns_and_rows(d, like))
    middles = d.call("add", places, number=0.5)
    middles.name = "place"
    return middles


def _box(d: Net, before: Value, behind: Value, like: Value, turn: Value | None) -> Value:
    """Middle, width and height of a box, which may be turned, in cells."""
    place = _middles(d, like)
    if turn is None:
        low, high = d.call("sub", place, before), d.call("add", place, behind)
        low.name, high.name = "low", "high"
        middle = d.call("div", d.call("add", low, high), number=2)
        return d.call("concat", middle, d.call("sub", high, low))
    half = d.call("div", d.call("sub", behind, before), number=2)
    x, y = d.calls("split", half, parts=2)
    cosine, sine = d.call("cos", turn), d.call("sin", turn)
    column = d.call("sub", d.call("mul", x, cosine), d.call("mul", y, sine))
    row = d.call("add", d.call("mul", x, sine), d.call("mul", y, cosine))
    middle = d.call("add", d.call("concat", column, row), place)
    return d.call("concat", middle, d.call("add", before, behind))
