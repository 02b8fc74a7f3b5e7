"""One page without any network: pictures made in advance, opened and searched in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

from netdsl.analyses.cost import layer_text
from netdsl.analyses.receptive_field import seen_from
from netdsl.backends.diagram.blocks import BlockSheet
from netdsl.backends.diagram.labels import macs_of, parameters_of
from netdsl.backends.diagram.opening import open_units
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.tips import source_line, tip
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph
from netdsl.ops.base import Op

MOST_PICTURES = 80
MOST_UNITS_OPEN = 400
MOST_POSITIONS = 700
"""Bounds on what is made in advance: pictures, units shown at once, neurons of all units."""


def html(graph: Graph, options: Options) -> bytes:
    """The page of the block view. Raises `DrawError`, `EngineError`."""
    units = units_of(graph)
    blocks = list(_blocks(units, ""))[:MOST_PICTURES]
    pictures = {"": _picture(graph, replace(options, expand=("none",), depth=None))}
    for unit, _ in blocks:
        pictures[unit.path] = _picture(graph, replace(options, expand=(unit.path,), depth=None))
    if sum(1 for _ in _layers(units)) <= MOST_UNITS_OPEN and blocks:
        pictures["*"] = _picture(graph, replace(options, expand=("*",), depth=None))
    pictures["default"] = _picture(graph, options)
    return page(graph, options, units, pictures)


def page(
    graph: Graph, options: Options, units: Sequence[Unit], pictures: dict[str, Picture]
) -> bytes:
    """The parts put together; the first picture stands in the page for readers without scripts."""
    colours = theme(options.theme)
    drawn = {name: _inline(svg(picture, colours)) for name, picture in pictures.items()}
    is_open = any(not isinstance(n, int) for item in graph.inputs for n in item.shape)
    data: dict[str, Any] = {
        "start": "default",
        "pictures": drawn,
        "units": dict(_told(graph, units, pictures, not is_open)),
        "open": "Give numbers (--size H=224,W=224) to see what a neuron sees." if is_open else "",
    }
    parts = {
        "title": escape(options.title or graph.name),
        "theme": options.theme if options.theme in ("dark", "auto") else "light",
        "css": _asset("page.css"),
        "rows": "\n".join(_rows(units)),
        "plain": "",
        "js": _asset("page.js"),
        "data": json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/"),
    }
    text = _asset("page.html")
    head, *pieces = text.split("@")
    filled = [head]
    for index, piece in enumerate(pieces):
        filled.append(parts[piece] if index % 2 == 0 else piece)
    return "".join(filled).encode()


def _picture(graph: Graph, options: Options) -> Picture:
    return BlockSheet(graph, open_units(graph, options), options).picture()


def _inline(text: str) -> str:
    return text.partition("?>\n")[2]


def _asset(name: str) -> str:
    return (files("netdsl.backends.diagram") / "page" / name).read_text(encoding="utf-8")


def _blocks(units: Sequence[Unit], outer: str) -> Iterator[tuple[Unit, str]]:
    """All blocks with the path of the block around each."""
    for unit in units:
        if unit.is_block:
            yield unit, outer
            yield from _blocks(unit.parts, unit.path)


def _layers(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        yield from _layers(unit.parts) if unit.is_block else [unit]


def _all(units: Sequence[Unit], outer: str) -> Iterator[tuple[Unit, str]]:
    for unit in units:
        yield unit, outer
        yield from _all(unit.parts, unit.path)


def _told(
    graph: Graph, units: Sequence[Unit], pictures: dict[str, Picture], has_numbers: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page knows of each unit."""
    room = MOST_POSITIONS
    outer_first = sorted(_all(units, ""), key=lambda pair: bool(pair[1]))
    for unit, outer in outer_first:
        macs = macs_of(unit.nodes)
        line, source = source_line(unit)
        told: dict[str, Any] = {
            "tip": tip(unit),
            "what": _what(unit),
            "takes": ", ".join(str(value.type) for value in unit.inputs),
            "gives": ", ".join(str(value.type) for value in unit.outputs),
            "parameters": f"{parameters_of(unit.nodes):,}",
            "macs": _number(macs),
            "line": line,
            "source": source,
            "doc": unit.scope.doc if unit.scope is not None else "",
            "count": unit.count,
            "block": unit.is_block and unit.path in pictures,
            "outer": outer,
            "state": outer if outer in pictures else "*",
        }
        field = _field(graph, unit, room) if has_numbers else None
        if field is not None:
            room -= max(len(axis) for axis in field["axes"])
            told["field"] = field
        yield unit.path, told


def _field(graph: Graph, unit: Unit, room: int) -> dict[str, Any] | None:
    """For each position along each axis of a map, the cells of the input that it sees."""
    value = unit.outputs[0]
    sizes = [int(str(n)) for n in value.type.spatial]
    (item, *others) = graph.inputs
    if not sizes or others or max(sizes) > room or len(item.value.type.spatial) != len(sizes):
        return None
    axes: list[list[tuple[int, int] | None]] = [[] for _ in sizes]
    for position in range(max(sizes)):
        seen = seen_from(graph, value, tuple(min(position, size - 1) for size in sizes))[item.name]
        if seen is None:
            return None
        for axis, ends, size in zip(axes, seen, sizes, strict=True):
            if position < size:
                axis.append(ends)
    given = [int(str(n)) for n in item.value.type.spatial]
    return {"axes": axes, "sizes": given, "input": item.name}


def _what(unit: Unit) -> str:
    if unit.is_block and unit.scope is not None:
        return unit.scope.definition
    return ", ".join(layer_text(node.op) for node in unit.nodes if isinstance(node.op, Op))


def _number(number: Size) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)


def _rows(units: Sequence[Unit]) -> Iterator[str]:
    """The table for readers who can't see the drawing."""
    for unit, _ in _all(units, ""):
        line, _ = source_line(unit)
        cells = (
            unit.path,
            _what(unit) + (f", {unit.count} times" if unit.count > 1 else ""),
            ", ".join(str(value.type) for value in unit.outputs),
            f"{parameters_of(unit.nodes):,}",
            _number(macs_of(unit.nodes)),
            str(line),
        )
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
