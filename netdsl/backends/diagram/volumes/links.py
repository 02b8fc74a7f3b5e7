"""Lines between volumes: kernel windows, growth, flattening, arrows."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.backends.diagram.example_size import Numbers
from netdsl.backends.diagram.scene import (
    Curve,
    Ellipse,
    Item,
    Point,
    Polygon,
    arrow_head,
    line,
    rounded,
)
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.forms import Form
from netdsl.backends.diagram.volumes.steps import Step
from netdsl.backends.diagram.volumes.words import adds
from netdsl.ops.base import op_of

SUM, BOW = 4.5, 15.0
"""Radius of a sum, height of the bow that leads into it."""
VISIBLE = 2.0
"""Points; a window less high than that is not drawn."""

Window = tuple[tuple[int, int], tuple[int, int], Point]
"""Rows and columns of the pixels one neuron sees, and the neuron's own row and column."""


def window_of(step: Step, numbers: Numbers) -> Window | None:
    """What the neuron in the middle of a map sees of the map before; None if it sees all."""
    node = step.node
    if node is None or step.family not in ("convolution", "pooling") or step.join is not None:
        return None
    op = op_of(node)
    inputs, outputs = numbers.tensors(node)
    windows = op.windows(inputs, outputs)
    before, after = numbers.shape(node.inputs[0])[1:], numbers.shape(node.outputs[0])[1:]
    if windows is None or op.zoom > 0 or len(before) != len(after) or not after:
        return None
    spans: list[tuple[int, int, int]] = []
    for window, size, new_size in zip(windows[-2:], before[-2:], after[-2:], strict=True):
        place = new_size // 2
        if window is None:
            return None
        start = int(window.start + place * window.stride)
        spans.append((max(start, 0), min(start + int(window.size), size), place))
    if len(spans) == 1:
        spans.append((0, 0, 0))
    (r0, r1, row), (c0, c1, column) = spans
    deep = len(after) > 1
    return (r0, r1), (c0, c1), (row + 0.5, column + 0.5 if deep else 0.0)


def link(source: Column, target: Column, numbers: Numbers) -> list[Item]:
    """What joins a volume with the one on its right."""
    window = window_of(target.step, numbers) if source.form.axes.is_map else None
    if window is not None and target.form.axes.is_map and is_seen(source.form, window):
        return _kernel(source.form, target.form, window, target.role)
    first = target.step.node
    maps = source.form.axes.is_map and target.form.axes.is_map
    grows = first is not None and op_of(first).zoom > 0
    if grows and maps and source.step is target.step.sources[0]:
        return growth(source.form, target.form)
    if source.form.axes.is_map and not target.form.axes.is_map:
        return _flattened(source.form, target)
    items = arrow(_out(source.form), _into(target.form))
    if target.step.node is None and adds(target.step):
        items += _plus(_out(source.form), _into(target.form))
    return items


def is_seen(form: Form, window: Window) -> bool:
    """Whether a window is large enough on a map to be drawn."""
    (top, bottom), _, _ = window
    return form.scales.pixels.length(bottom - top) >= VISIBLE


def windows_seen(columns: Sequence[Column], numbers: Numbers) -> set[bool]:
    """Of the windows over maps, whether there are some to be drawn, and some too small for it."""
    forms = {column.step: column.form for column in columns}
    seen: set[bool] = set()
    for column in columns:
        window = window_of(column.step, numbers)
        source = forms.get(column.step.sources[0]) if column.step.sources else None
        if window is not None and source is not None and source.axes.is_map:
            seen.add(is_seen(source, window))
    return seen


def _out(form: Form) -> Point:
    """Where an arrow starts: the right edge at the middle of the height."""
    x, y = form.right
    return (x, y) if form.is_deep else (form.x + form.front, y)


def _into(form: Form) -> Point:
    """Where an arrow ends: the left edge of what is seen at the middle of the height."""
    x = form.x
    if form.is_deep and form.y < form.top:
        x += form.depth[0] * (form.top - form.y) / (form.depth[1] or 1)
    return x - 1.0, form.y


def arrow(start: Point, end: Point, colour: str = "wire", stroke: float = 1.1) -> list[Item]:
    return [line([start, (end[0] - 3, end[1])], colour, stroke), arrow_head(end, start, colour, 6)]


def _plus(start: Point, end: Point) -> list[Item]:
    """The input goes round the block and is added to what it computes."""
    left = start[0] + 1
    x, y = end[0] - 9, end[1]
    over = y - BOW
    bow = Curve(
        (
            (left, y),
            (left, over),
            (left, over),
            ((left + x) / 2, over),
            (x, over),
            (x, over),
            (x, y - SUM),
        ),
        "amber",
        1.1,
    )
    return [bow, *plus(x, y)]


def plus(x: float, y: float) -> list[Item]:
    """A sum."""
    strokes = [(x - 2.5, y), (x + 2.5, y)], [(x, y - 2.5), (x, y + 2.5)]
    sign = [line(points, "amber", 1.1) for points in strokes]
    return [Ellipse(x, y, SUM, SUM, "paper", "amber", 1.1), *sign]


def _kernel(source: Form, target: Form, window: Window, role: str) -> list[Item]:
    """The window to scale, on the right face, and lines to the neuron that sees it."""
    (r0, r1), (c0, c1), (row, column) = window
    colour = "focus" if role == "conv" else f"{role}.line"
    corners = tuple(source.on_face(r, c) for r, c in ((r0, c0), (r0, c1), (r1, c1), (r1, c0)))
    neuron = target.on_face(row, column, right=False)
    far = corners[1], corners[2]
    items: list[Item] = [
        Polygon(corners, colour, "", 0, opacity=0.35),
        Polygon(corners, "", colour, 0.9),
        *(line([corner, neuron], colour, 0.8) for corner in far),
        Ellipse(*neuron, 2.0, 2.0, colour),
    ]
    return items


def growth(source: Form, target: Form) -> list[Item]:
    """Dashed rays from the small map's face to the large one's."""
    rows, columns = _face(source)
    tall, _ = _face(target)
    starts = source.on_face(0, columns), source.on_face(rows, columns)
    ends = target.on_face(0, 0, right=False), target.on_face(tall, 0, right=False)
    return _rays(starts, ends, "up")


def _rays(starts: tuple[Point, Point], ends: tuple[Point, Point], role: str) -> list[Item]:
    (a, b), (c, d) = starts, ends
    return [
        Polygon((a, c, d, b), f"{role}.fill", "", 0, opacity=0.5),
        line([a, c], f"{role}.line", 0.9, "dashed"),
        line([b, d], f"{role}.line", 0.9, "dashed"),
    ]


def _face(form: Form) -> tuple[int, int]:
    sizes = form.axes.spatial
    return (sizes[-2], sizes[-1]) if form.is_deep else (sizes[-1], 0)


def _flattened(source: Form, target: Column) -> list[Item]:
    """From the whole face to the whole bar."""
    rows, columns = _face(source)
    form = target.form
    ends = (form.x, form.top), (form.x, form.bottom)
    starts = source.on_face(0, columns), source.on_face(rows, columns)
    return _rays(starts, ends, target.role)


def routed(points: Sequence[Point], colour: str = "wire", stroke: float = 1.1) -> list[Item]:
    """A route with right angles, ending in an arrow."""
    *_, behind, tip = points
    near = (tip[0] - (3 if tip[0] > behind[0] else 0), tip[1])
    if tip[0] == behind[0]:
        near = (tip[0], tip[1] - (3 if tip[1] > behind[1] else -3))
    return [rounded([*points[:-1], near], colour, stroke, 6), arrow_head(tip, behind, colour, 6)]


def entry(form: Form) -> Point:
    """Where a route from the left arrives."""
    return _into(form)


def leaving(form: Form) -> Point:
    """Where a route to the right starts."""
    return _out(form)
