"""The block view as a Mermaid flowchart, which README pages of code hosts show as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from json import dumps

from netdsl.backends.diagram.blocks.dot import RANKDIR
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.pens import PLAIN, pen_of
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.row_plan import times_name
from netdsl.backends.diagram.flaws import Flaws
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.theme import Theme, theme
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph, Value

MOST_LINKS, MOST_LETTERS = 500, 50_000
"""What Mermaid draws unless a page is set up for more."""
WIDEST = 12
"""Boxes side by side that can be read on a page of text."""
SHAPES = {
    "shrink": ("[\\", "/]"), "grow": ("[/", "\\]"), "circle": ("((", "))"), "pill": ("([", "])"),
    "end": ("([", "])"), "block": ("[[", "]]"), "sharp": ("[", "]"), "strip": ("[", "]"),
}  # fmt: skip
"""What stands around a label, by the form of its box; of all others round corners."""
_HARMLESS = re.compile(r"[A-Za-z0-9 ,/()=×·→–÷±_]|:(?= )|(?<=[A-Za-z0-9 ])[.+-](?=[A-Za-z0-9])")


def mermaid(graph: Graph, options: Options, flaws: Flaws | None = None) -> tuple[bytes, list[str]]:
    """A flowchart with a node a unit, a subgraph an open block; and remarks on it."""
    units = open_units(graph, options, flaws.firsts() if flaws else frozenset())
    sheet = BlockSheet(graph, units, options, flaws)
    colours = theme(options.theme)
    links = _Links(sheet, colours)
    direction = RANKDIR[options.direction]
    title = graph.name if options.title is None else options.title
    title = f"{title}: {flaws.verdict}" if flaws else title
    lines = [*_head(_one_line(title)), f"flowchart {direction}", *_units(sheet, sheet.units, 1)]
    lines += [_node(sheet, key, 1) for key in sheet.boxes if key not in sheet.wiring.leaves]
    lines += links.lines
    kinds = {box.kind for box in sheet.boxes.values()} | {"block"}
    for kind in sorted(kinds):
        look = f"fill:{colours[f'{kind}.fill']},stroke:{colours[f'{kind}.line']}"
        lines.append(f"  classDef {_class(kind)} {look},color:{colours['ink']}")
    text = "\n".join([*lines, ""])
    return text.encode("utf-8", "replace"), _remarks(sheet, text, options)


def _head(title: str) -> list[str]:
    """The title, which Mermaid would change if it had marks of HTML: then it is a comment."""
    if not title:
        return []
    if re.search("[<>&]", title):
        return [f"%% {title}"]
    return ["---", f"title: {dumps(title, ensure_ascii=False)}", "---"]


def _remarks(sheet: BlockSheet, text: str, options: Options) -> list[str]:
    """What a page may not show, or not so that it can be read."""
    remarks: list[str] = []
    if text.startswith("%%"):
        remarks.append("a title of Mermaid can't have `<`, `>` or `&`: it is a comment in the file")
    fewer = "draw fewer units (`--expand none`, `--level blocks`)"
    if len(sheet.wires) > MOST_LINKS:
        remarks.append(
            f"the flowchart has {len(sheet.wires):,} links; Mermaid draws {MOST_LINKS} unless its "
            f"page sets `maxEdges`: {fewer}"
        )
    if len(text) > MOST_LETTERS:
        remarks.append(
            f"the flowchart has {len(text):,} letters; Mermaid reads {MOST_LETTERS:,} unless its "
            f"page sets `maxTextSize`: {fewer}"
        )
    places: dict[str, int] = {}
    for wire in sheet.wiring.wires:
        places[wire.head] = max(places.get(wire.head, 1), places.get(wire.tail, 1) + 1)
    side_by_side = max(places.values(), default=1)
    if options.direction == "right" and side_by_side > WIDEST:
        remarks.append(
            f"{side_by_side} boxes stand side by side, as Mermaid has no rows: small on a page of "
            "text; `--direction down` has them below each other"
        )
    return remarks


def _units(sheet: BlockSheet, units: Sequence[Unit], level: int) -> Iterator[str]:
    pad = "  " * level
    for unit in units:
        if not unit.is_open:
            yield _node(sheet, sheet.keys[unit], level)
            continue
        definition = unit.scope.definition if unit.scope else ""
        once = ", shown once" if unit.count > 1 else ""
        label = _label([f"{times_name(unit.path, unit.count)}: {definition}{once}"])
        name = re.sub("[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", unit.path)
        yield f'{pad}subgraph block_{name}["{label}"]'
        yield from _units(sheet, unit.parts, level + 1)
        yield f"{pad}end"
        yield f"{pad}class block_{name} {_class('block')}"


def _node(sheet: BlockSheet, key: str, level: int) -> str:
    box = sheet.boxes[key]
    parts = ["+".join(map(str, box.parts))] if box.parts and box.form == "strip" else []
    before, after = SHAPES.get(box.form, ("(", ")"))
    label = _label([box.label.title, *box.label.lines, *parts])
    return f'{"  " * level}{key}{before}"{label}"{after}:::{_class(box.kind)}'


class _Links:
    """The lines of links, and of their looks where these say something."""

    def __init__(self, sheet: BlockSheet, colours: Theme) -> None:
        self.lines: list[str] = []
        looks: dict[str, list[int]] = {}
        labelled: set[Value] = set()
        for number, wire in enumerate(sheet.wires):
            shape = "" if wire.value in labelled else sheet.shown_shape(wire)
            labelled.add(wire.value)
            pen = pen_of(wire, sheet.boxes[wire.head], wire.head in sheet.training)
            label = f'|"{_label([shape])}"|' if shape else ""
            arrow = "-.->" if pen.dash else "-->"
            self.lines.append(f"  {wire.tail} {arrow}{label} {wire.head}")
            if pen.colour != PLAIN.colour:
                looks.setdefault(f"stroke:{colours[pen.colour]}", []).append(number)
        self.lines.append(f"  linkStyle default stroke:{colours[PLAIN.colour]}")
        for look, numbers in looks.items():
            self.lines.append(f"  linkStyle {','.join(map(str, numbers))} {look},stroke-width:2px")


def _class(kind: str) -> str:
    """The name of a colour role; no word of Mermaid's own."""
    return f"is_{kind}"


def _label(lines: Sequence[str]) -> str:
    """Lines that show as they are: whatever could be markup is written by its number."""
    return "<br/>".join(_escaped(_one_line(line)) for line in lines if line)


def _escaped(text: str) -> str:
    harmless = {match.start() for match in _HARMLESS.finditer(text)}
    return "".join(c if k in harmless else f"#{ord(c)};" for k, c in enumerate(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
