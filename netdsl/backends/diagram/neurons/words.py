"""The words of the neuron view: what stands above and below columns, and below the title."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from netdsl.analyses.links import Product, count, hull, shape_of, size_of
from netdsl.backends.diagram.counts import parameters_of
from netdsl.backends.diagram.fonts import shorten, text_width, wrapped
from netdsl.backends.diagram.frame import LINE_SIZE
from netdsl.backends.diagram.neurons.columns import (
    Column,
    Study,
    inputs_of,
    name_of,
    not_drawn,
)
from netdsl.backends.diagram.neurons.layers import kind_of
from netdsl.backends.diagram.neurons.names import last_parts
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Text, moved
from netdsl.backends.diagram.shape_names import TIMES, plural, times
from netdsl.ir.graph import Graph, Value
from netdsl.ops.base import op_of
from netdsl.ops.cells import one
from netdsl.ops.tables import types_of

HEAD, SMALL = 12.0, 9.5


@dataclass(frozen=True, slots=True)
class Room:
    """How wide the texts of a column and the sentences below the title may be.

    `text` and `space` lie between the texts and between the forms of two columns.
    """

    column: float = 200.0
    line: float = 860.0
    text: float = 20.0
    space: float = 66.0


PAGE = Room(96, 600, 8, 24)
"""For a picture whose width is given."""


def head_of(column: Column, room: Room) -> list[str]:
    """Its name, what it is, what is folded into it, how many neurons it has."""
    name = last_parts(column.name, HEAD, min(140, room.column))
    layer = column.layer
    counted = plural(column.total, "neuron" if layer.computes else "value")
    counts = [counted]
    if len(column.shape) > 1:
        counts = [f"{times(column.shape)} = {counted}"]
        if text_width(counts[0], SMALL) > room.column:
            counts = [f"{times(column.shape)} =", counted]
    first = "input"
    if not layer.is_input:
        told = op_of(layer.body).told(*types_of(layer.body), str)
        words = [word for word in told if "filter" not in word and "→" not in word]
        first = shorten(" ".join([kind_of(layer.body), *words]), SMALL, 170)
        first = shorten(f"{first}{layer.behind}", SMALL, 200)
    return [name, *wrapped(first, SMALL, room.column), *counts]


def foot_of(study: Study, number: int, room: Room) -> list[str]:
    """How many neurons are drawn, what each reads, how many parameters."""
    column = study.columns[number]
    first = f"{len(column.drawn):,} of {column.total:,} drawn"
    lines = list(_facts(study, number))
    return [first, *(part for text in lines for part in wrapped(text, SMALL, room.column))]


def _facts(study: Study, number: int) -> Iterator[str]:
    column = study.columns[number]
    if column.layer.is_input:
        yield "given, not computed"
        return
    low, high = inputs_of(column)
    many = f"{high:,}" if low == high else f"{low:,} to {high:,}"
    yield f"{many} input{'s' * (high != 1)} a {'neuron' if column.layer.computes else 'value'}"
    hidden = not_drawn(study, number)
    if hidden:
        names = [name_of(study, value) for value in hidden]
        told = last_parts(names[0], SMALL, 100) if len(names) == 1 else f"{len(names)} layers"
        yield f"not drawn: {told}"
    learned = parameters_of(column.layer.nodes)
    shared = "shared " * (learned > 0 and column.layer.body.op.family == "convolution")
    yield plural(learned, f"{shared}parameter")


def all_to_all(study: Study, number: int) -> list[str]:
    """What to say between a column and the one before, where each neuron reads all of that."""
    if not number:
        return []
    before, column = study.columns[number - 1], study.columns[number]
    if column.layer.is_input or not op_of(column.layer.body).matrix or len(column.shape) != 1:
        return []
    value = before.layer.value
    if any(_read(column, index, value) != before.total for index in column.drawn):
        return []
    return [
        "all to all:",
        f"{before.total:,} {TIMES} {column.total:,} =",
        f"{before.total * column.total:,} connections",
    ]


def _read(column: Column, index: tuple[int, ...], value: Value) -> int:
    return sum(map(size_of, column.layer.reads([one(index)]).get(value, [])))


def sentences(graph: Graph, study: Study, room: Room) -> list[str]:
    """What each chosen neuron reads, the rule of lines, what is left out."""
    told = [*_told(graph, study), _left_out(study)]
    return [line for text in told for line in wrapped(text, LINE_SIZE, room.line)]


def _told(graph: Graph, study: Study) -> Iterator[str]:
    """What each chosen neuron reads, and its field in the layers before it and the inputs."""
    for neuron, (at, index), seen in zip(study.neurons, study.chosen, study.fields, strict=True):
        direct = sum(map(count, study.columns[at].layer.reads([one(index)]).values()))
        parts = [
            f"{count(seen[c.layer.value]):,} of {c.total:,} neurons of "
            + last_parts(c.name, LINE_SIZE, 150)
            for c in reversed(study.columns[:at])
            if not c.layer.is_input and seen.get(c.layer.value)
        ]
        whole = [
            f"{count(pieces):,} of {prod(shape_of(item.value)):,} values of {item.name}"
            + _patch(pieces)
            for item in graph.inputs
            if (pieces := seen.get(item.value))
        ]
        shown = [*parts[:3], *(["..."] if len(parts) > 3 else []), *whole]
        reads = f"{neuron} reads {plural(direct, 'value')}"
        yield f"{reads}. Its whole field: {', '.join(shown)}." if shown else f"{reads}."


def _left_out(study: Study) -> str:
    drawn, every = len(study.columns), len(study.layers)
    rule = (
        "A line joins two drawn neurons if and only if one reads the other; pills count the "
        "neurons not drawn."
    )
    if drawn == every:
        return rule
    return f"{rule} {drawn} of {every} layers are drawn, those on a way through the neuron."


def _patch(pieces: list[Product]) -> str:
    """`, 14 × 14`: the map's part that is seen."""
    spatial = hull(pieces)[1:]
    size = times(last - first + 1 for first, last in spatial)
    return f" ({size})" if len(spatial) > 1 else ""


# --- the legend -------------------------------------------------------------------------


def legend(room: Room, has_maps: bool) -> list[Item]:
    """What the signs mean, in as many rows as they need."""
    signs: list[tuple[Item, str]] = [
        (Ellipse(5, 0, 5, 5, "focus", "focus"), "the chosen neuron; its links are thick"),
        (Ellipse(5, 0, 5, 5, "amber.fill", "amber", 1.2), "in its field: it depends on them"),
        (Box(0, -4, 10, 8, "paper", "wire", 1, 2), "a value that is given or moved"),
        (Ellipse(5, 0, 5, 5, "conv.fill", "conv.line", 1), "a neuron that computes"),
    ]
    if has_maps:
        part = Box(2, -3, 7, 6, "amber", "amber", 0.9, opacity=0.3)
        sign = Group((Box(0, -5, 11, 10, "panel.fill", "wire", 0.8), part))
        signs.append((sign, "one channel of the map; the part it depends on"))
        dots = Group((Ellipse(2, 0, 2, 2, "ink", "ink"), Ellipse(9, 0, 2, 2, "paper", "ink", 0.8)))
        signs.append((dots, "neurons that are drawn: of that channel, of others"))
    items: list[Item] = []
    x = y = 0.0
    for sign, text in signs:
        wide = 15 + text_width(text, SMALL) + 22
        if x and x + wide - 22 > room.line:
            x, y = 0.0, y + 15
        items.append(moved(sign, x, y))
        items.append(Text(x + 15, y + 3.2, text, SMALL, "soft", False, "start"))
        x += wide
    return items
