"""What a neuron sees: its patch of the input, its neighbours' patches, and how the patch grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netdsl.analyses.links import Product, UnknownLinks, count, field, shape_of
from netdsl.analyses.receptive_field import Field, ReceptiveFields
from netdsl.backends.diagram.columns import chain_of
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.labels import layer_label
from netdsl.backends.diagram.neuron_names import Neuron, check_sizes, neuron_of, told
from netdsl.backends.diagram.neurons import default_neuron
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Item, Picture, Text, line
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.theme import series
from netdsl.ir.graph import Graph, Input

SIDE = 380.0
CELLS_DRAWN = 64
"""Pixels along a side up to which each is drawn."""
ROW = 16.0
MOST_ROWS = 26


def field_picture(graph: Graph, options: Options) -> Picture:
    """The patch of the input that a neuron sees, to scale. Raises `DrawError`."""
    check_sizes(graph)
    texts = options.neurons
    neuron = neuron_of(graph, texts[0]) if texts else default_neuron(graph)
    if len(texts) > 1:
        raise DrawError("the field of one neuron is drawn at a time; give one `--neuron`")
    maps = [item for item in graph.inputs if len(item.shape) in (2, 3)]
    try:
        seen = field(graph, neuron.value, neuron.index)
    except UnknownLinks as error:
        raise told(error) from None
    read = [item for item in maps if seen.get(id(item.value))]
    if not read:
        raise DrawError(f"{neuron} reads no map [C, H, W] or [C, L] that could be drawn")
    return _picture(graph, neuron, read[0], seen, options)


def _picture(
    graph: Graph, neuron: Neuron, item: Input, seen: dict[int, list[Product]], options: Options
) -> Picture:
    shape = shape_of(item.value)
    pieces = seen[id(item.value)]
    rows, columns = (1, shape[1]) if len(shape) == 2 else shape[1:]
    pixel = SIDE / max(rows, columns)
    items: list[Item] = [*_map(rows, columns, pixel), *_others(graph, neuron, item, pixel)]
    items += _patches(pieces, pixel)
    items += _caption(item, rows, pixel)
    items += _table(graph, neuron, item, columns * pixel + 44)
    title = options.title or f"What {neuron} of {graph.name} sees"
    return framed(title, _lines(graph, neuron, item, pieces, shape), items)


def _map(rows: int, columns: int, pixel: float) -> Iterator[Item]:
    yield Box(0, 0, columns * pixel, rows * pixel, "panel.fill", "wire", 1)
    if max(rows, columns) <= CELLS_DRAWN:
        for i in range(1, rows):
            yield line([(0, i * pixel), (columns * pixel, i * pixel)], "faint", 0.5)
        for j in range(1, columns):
            yield line([(j * pixel, 0), (j * pixel, rows * pixel)], "faint", 0.5)


def _hull(piece: Product) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column."""
    *upper, last = piece[1:]
    height = (min(upper[0]), max(upper[0])) if upper else (0, 0)
    return height, (min(last), max(last))


def _box(piece: Product, pixel: float) -> tuple[float, float, float, float]:
    (top, bottom), (left, right) = _hull(piece)
    return left * pixel, top * pixel, (right - left + 1) * pixel, (bottom - top + 1) * pixel


def _patches(pieces: Sequence[Product], pixel: float) -> Iterator[Item]:
    """Every set of pixels that one of the ways reads; holes of dilated windows stay open."""
    for number, piece in enumerate(pieces):
        colour = "focus" if len(pieces) == 1 else series(number)
        (top, bottom), (left, right) = _hull(piece)
        full = len(piece[-1]) == right - left + 1 and (
            len(piece) == 2 or len(piece[1]) == bottom - top + 1
        )
        if full:
            yield Box(*_box(piece, pixel), colour, "", 0, opacity=0.28)
        else:
            for i in sorted(piece[1]) if len(piece) == 3 else [0]:
                for j in sorted(piece[-1]):
                    place = j * pixel, i * pixel
                    yield Box(*place, pixel, pixel, colour, "", 0, opacity=0.45)
        yield Box(*_box(piece, pixel), "", colour, 1.8)


def _neighbour(neuron: Neuron, step: int) -> tuple[int, ...] | None:
    shape = shape_of(neuron.value)
    if len(shape) == 1:
        return None
    last = neuron.index[-1] + step
    return (*neuron.index[:-1], last) if 0 <= last < shape[-1] else None


def _others(graph: Graph, neuron: Neuron, item: Input, pixel: float) -> Iterator[Item]:
    """The patch of the next neuron in the row, dashed."""
    beside = _neighbour(neuron, 1) or _neighbour(neuron, -1)
    if beside is None:
        return
    for piece in field(graph, neuron.value, beside).get(id(item.value), []):
        yield Box(*_box(piece, pixel), "", "amber", 1.4, dashed=True)


def _caption(item: Input, rows: int, pixel: float) -> Iterator[Item]:
    y = rows * pixel + 18
    shape = f" {TIMES} ".join(map(str, item.shape))
    yield Text(0, y, f"{item.name} {shape}, to scale", 10, "ink", True, "start")
    yield Text(
        0, y + 14, "filled: what it sees · dashed: the next neuron's", 9, "soft", False, "start"
    )


def _lines(
    graph: Graph, neuron: Neuron, item: Input, pieces: Sequence[Product], shape: tuple[int, ...]
) -> list[str]:
    (top, bottom), (left, right) = _outer(pieces)
    size = f"{bottom - top + 1} {TIMES} {right - left + 1}"
    where = f"rows {top} to {bottom}, columns {left} to {right}"
    if len(shape) == 2:
        size, where = str(right - left + 1), f"places {left} to {right}"
    total = count(pieces, shape)
    lines = [f"It depends on {total:,} of the {_numbers(shape):,} values of {item.name}: {size} of "
             f"{f' {TIMES} '.join(map(str, shape[1:]))} ({where})."]  # fmt: skip
    beside = _neighbour(neuron, 1) or _neighbour(neuron, -1)
    if beside is not None:
        other = field(graph, neuron.value, beside).get(id(item.value), [])
        if other:
            first, last = _outer(other)[1]
            shared = max(0, min(right, last) - max(left, first) + 1)
            lines.append(
                f"The next neuron sees columns {first} to {last}: moved by {abs(first - left)}, "
                f"{shared} column{'s' * (shared != 1)} shared."
            )
    lines.append(
        "The table tells the most that any channel of a layer sees, away from the borders."
    )
    if len(pieces) > 1:
        lines.append(f"{len(pieces)} ways lead there; each has its colour.")
    return lines


def _outer(pieces: Sequence[Product]) -> tuple[tuple[int, int], tuple[int, int]]:
    hulls = [_hull(piece) for piece in pieces]
    rows, columns = [h[0] for h in hulls], [h[1] for h in hulls]
    return (
        (min(a for a, _ in rows), max(b for _, b in rows)),
        (min(a for a, _ in columns), max(b for _, b in columns)),
    )


def _numbers(shape: Sequence[int]) -> int:
    number = 1
    for size in shape:
        number *= size
    return number


def _table(graph: Graph, neuron: Neuron, item: Input, x: float) -> Iterator[Item]:
    """The field and the step of each layer on the way, away from the borders."""
    fields = ReceptiveFields(graph)
    columns = chain_of(graph, neuron)
    left_out = max(0, len(columns) - MOST_ROWS)
    heads = (
        ("layer", 0.0),
        ("what", 150.0),
        ("sees", 285.0),
        ("moves by", 345.0),
        ("neurons", 420.0),
    )
    for text, dx in heads:
        yield Text(x + dx, 10, text, 9.5, "soft", True, "start")
    y = 10.0
    if left_out:
        y += ROW
        yield Text(x, y, f"{left_out} layers before these", 9, "soft", False, "start")
    for column in columns[left_out:]:
        y += ROW
        bold = column is columns[-1]
        seen = fields.of(column.value).get(item.name)
        size, stride = _told(seen) if not column.is_input else ("1", "1")
        what = "" if column.is_input else layer_label(column.unit, (), ShapeNames(())).title
        cells = (column.name, what, size, stride, f"{_numbers(column.shape):,}")
        for (_, dx), cell in zip(heads, cells, strict=True):
            yield Text(x + dx, y, cell, 9.5, "focus" if bold else "ink", bold and dx == 0, "start")


def _told(seen: Field | None) -> tuple[str, str]:
    """`14×14` and `2`, or `all`."""
    if seen is None or any(axis is None for axis in seen):
        return "all", ""
    sizes = [axis.size for axis in seen if axis is not None]
    strides = dict.fromkeys(str(axis.stride) for axis in seen if axis is not None)
    return TIMES.join(map(str, sizes)), TIMES.join(strides)
