"""One page without any network: pictures made in advance, opened and searched in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from netdsl.analyses.cost import layer_text
from netdsl.backends.diagram.blocks.opening import chosen_open, drawn_units
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.page.fields import page_fields, page_inputs
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.tips import source_line, tip
from netdsl.backends.diagram.units import Unit, opened
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph
from netdsl.ops.base import op_of

START = "default"
"""The picture that is shown first."""
MOST_PICTURES = 80
MOST_UNITS_OPEN = 400
MOST_UNITS_DRAWN = 8_000
"""Bounds on what is made in advance: pictures, units shown at once, units of all pictures."""


def html(graph: Graph, options: Options) -> bytes:
    """The page of the block view. Raises `DrawError`, `EngineError`."""
    units = drawn_units(graph, options)
    most = min(MOST_PICTURES, MOST_UNITS_DRAWN // max(len(units), 1))
    blocks = list(_blocks(units, ""))[:most]
    pictures = {"": BlockSheet(graph, units, options).picture()}
    for unit, _ in blocks:
        sheet = BlockSheet(graph, opened(units, _is_called(unit.path)), options)
        sheet.few_ways = True
        pictures[unit.path] = sheet.picture()
    if sum(1 for _ in _layers(units)) <= MOST_UNITS_OPEN and blocks:
        pictures["*"] = BlockSheet(graph, opened(units, lambda *_: True), options).picture()
    pictures[START] = BlockSheet(graph, chosen_open(units, options), options).picture()
    return page(graph, options, units, pictures)


def page(
    graph: Graph, options: Options, units: Sequence[Unit], pictures: dict[str, Picture]
) -> bytes:
    """The parts put together; one picture stands in the page, for readers without scripts."""
    colours = theme(options.theme)
    drawn = {name: _inline(svg(picture, colours)) for name, picture in pictures.items()}
    is_open = any(not isinstance(n, int) for item in graph.inputs for n in item.shape)
    data: dict[str, Any] = {
        "start": START,
        "pictures": {name: text for name, text in drawn.items() if name != START},
        "units": dict(_told(graph, units, pictures, not is_open)),
        "inputs": page_inputs(graph),
        "open": "Give numbers (--size H=224,W=224) to see what a neuron sees." if is_open else "",
    }
    parts = {
        "title": escape(options.title or graph.name),
        "theme": options.theme if options.theme in ("dark", "auto") else "light",
        "css": _asset("page.css"),
        "rows": "\n".join(_rows(units)),
        "drawing": drawn[START],
        "js": _asset("page.js"),
        "data": json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        .replace("</", "<\\/")
        .replace("<!", "<\\u0021"),
    }
    text = _asset("page.html")
    head, *pieces = text.split("@")
    filled = [head]
    for index, piece in enumerate(pieces):
        filled.append(parts[piece] if index % 2 == 0 else piece)
    return "".join(filled).encode()


def _is_called(path: str) -> Callable[[Unit, int], bool]:
    return lambda unit, _: unit.path == path


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
    outer_first = sorted(_all(units, ""), key=lambda pair: bool(pair[1]))
    fields = page_fields(graph, [unit for unit, _ in outer_first]) if has_numbers else {}
    for unit, outer in outer_first:
        line, source = source_line(unit)
        told: dict[str, Any] = {
            "tip": tip(unit),
            "what": _what(unit),
            "takes": ", ".join(str(value.type) for value in unit.inputs),
            "gives": ", ".join(str(value.type) for value in unit.outputs),
            "parameters": f"{unit.parameters:,}",
            "macs": _number(unit.macs),
            "line": line,
            "source": source,
            "doc": unit.scope.doc if unit.scope is not None else "",
            "count": unit.count,
            "block": unit.is_block and unit.path in pictures,
            "outer": outer,
            "state": outer if outer in pictures else "*",
        }
        if unit.path in fields:
            told["field"] = fields[unit.path]
        yield unit.path, told


def _what(unit: Unit) -> str:
    if unit.is_block and unit.scope is not None:
        return unit.scope.definition
    return ", ".join(layer_text(op_of(node)) for node in unit.nodes)


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
            f"{unit.parameters:,}",
            _number(unit.macs),
            str(line),
        )
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
