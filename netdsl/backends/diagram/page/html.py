"""One page without any network: a drawing that a browser lays out, and what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.diagram.blocks.opening import chosen_open
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.backends.diagram.engine import EngineError
from netdsl.backends.diagram.options import SHOWN, DrawError, Options
from netdsl.backends.diagram.page.assets import asset, filled, script, style
from netdsl.backends.diagram.page.model import PageModel, Told
from netdsl.backends.diagram.page.ways import Ways
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.units import Unit, leaves, units_of
from netdsl.ir.condition import Truth
from netdsl.ir.graph import Graph

MOST_UNITS_DRAWN = 400
"""Boxes of the picture for readers without scripts; with more they have the table alone."""
ASSUMED = 224
"""The size of an axis that nobody chose, or the nearest that the network takes."""


def html(graph: Graph, options: Options) -> bytes:
    """The page of the block view. Raises `DrawError`."""
    if options.hide.difference(SHOWN) or options.highlight:
        raise DrawError(
            "a page shows all layers alike: leave out `--hide` and `--highlight`, or write .svg"
        )
    units = units_of(graph)
    contract = sizes_of(graph)
    start = _start(contract, options.sizes)
    is_taken = not contract.symbols or contract.accepts(**start)
    model = PageModel(graph, units, options, Ways(graph, start if is_taken else {}))
    shown = chosen_open(units, options)
    place = _place(model, options.place)
    data = {
        "name": graph.name if options.title is None else options.title,
        "direction": "down" if options.runs_down else "right",
        "show": sorted(options.written),
        "sizes": start,
        "contract": _contract(model, contract),
        "total": _total(model),
        "units": model.units,
        "root": model.root,
        "wires": model.wires,
        "open": [model.numbers[path] for path in _open(shown)],
        "usual": {
            word: model.usual_tails[family]
            for word, family in (("conv", "convolution"), ("linear", "dense"))
            if family in model.usual_tails
        },
        "formulas": model.formulas.entries,
        "values": model.values,
        "nodes": model.nodes,
        "ways": model.ways,
        "legend": model.names.legend(),
        "inputs": model.inputs,
        **({"place": place} if place else {}),
    }
    page = filled(asset("page.html"), {
        "title": escape(options.title or graph.name),
        "theme": options.theme if options.theme in ("dark", "auto") else "light",
        "css": style(),
        "picture": _picture(graph, shown, options),
        "rows": "\n".join(_rows(model)),
        "data": in_script(data),
        "js": script(),
    })  # fmt: skip
    return page.encode()


def in_script(data: object) -> str:
    """JSON that ends no script and no line of one, whatever its texts are."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    for letter in "<\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _picture(graph: Graph, units: Sequence[Unit], options: Options) -> str:
    """The drawing for readers without scripts, where it is not too much to make beside the page."""
    if sum(1 for _ in leaves(units)) > MOST_UNITS_DRAWN:
        return ""
    try:
        picture = BlockSheet(graph, tuple(units), options).picture()
    except EngineError:  # the table has it all
        return ""
    return svg(picture, theme(options.theme)).partition("?>\n")[2]


def _start(contract: Sizes, wanted: Mapping[str, int] | None) -> dict[str, int]:
    """The sizes that the page starts with: those wanted, or the nearest to a usual one."""
    usual = dict.fromkeys(contract.symbols, ASSUMED)
    if wanted is not None:
        return {**usual, **{name: n for name, n in wanted.items() if name in usual}}
    return (contract.nearest(**usual).closest if usual else None) or usual


def _contract(model: PageModel, contract: Sizes) -> dict[str, Any]:
    """What is asked of the sizes: the condition of the file, and those of its stages."""
    formulas = model.formulas
    return {
        "symbols": list(contract.symbols),
        "words": str(contract),
        "where": [formulas.condition(contract.where), _words(contract.where)],
        "needs": [
            [formulas.condition(need.condition), need.message, need.span.line]
            for need in contract.constraints
        ],
    }


def _total(model: PageModel) -> Told:
    """Of what runs at inference."""
    nodes = list(model.graph.inference_nodes())
    told = {"params": parameters_of(nodes), "macs": macs_of(nodes)}
    return {what: model.formulas.size(size) for what, size in told.items()}


def _words(where: Truth) -> str:
    return "" if isinstance(where, bool) else str(where)


def _place(model: PageModel, place: str) -> list[Any] | None:
    """The unit that is chosen first, and the index of a neuron in it. Raises `DrawError`."""
    if not place:
        return None
    path, bracket, index = place.partition("[")
    number = model.numbers.get(place, model.numbers.get(path) if bracket else None)
    if number is None:  # a body with a label is no unit: its first part stands for it
        inside = (n for known, n in model.numbers.items() if known.startswith(f"{place}."))
        number = next(inside, None)
    if number is None:
        raise DrawError(f"there is no layer or block `{place}` in the drawing")
    if place in model.numbers or not bracket:
        return [number]
    return [number, [int(n) for n in index.removesuffix("]").split(",")]]


def _open(units: Sequence[Unit]) -> Iterator[str]:
    for unit in units:
        if unit.is_open:
            yield unit.path
            yield from _open(unit.parts)


def _rows(model: PageModel) -> Iterator[str]:
    """The table for readers who can't see the drawing; sizes are filled in by the page."""
    for number, unit in enumerate(model.units):
        yield f'<tr data-unit="{number}">{_cells(unit, model.results[number])}</tr>'


def _cells(unit: Told, result: str) -> str:
    times = f", {unit['count']} times" if unit.get("count", 1) > 1 else ""
    texts = (unit["path"], unit["what"] + times, result, str(unit.get("line", "")))
    path, what, result, line = map(escape, texts)
    cells = f"<td>{what}</td><td>{result}</td><td></td><td></td><td>{line}</td>"
    return f"<th scope=row>{path}</th>{cells}"
