"""The block view as DOT text that says the structure, for Graphviz and its many readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphviz import Digraph
from graphviz.quoting import escape

from netdsl.backends.diagram.blocks.dot import FONT, RANKDIR
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.pens import PLAIN, pen_of
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.row_plan import times_name
from netdsl.backends.diagram.example_size import at_example_size
from netdsl.backends.diagram.flaws import Flaws
from netdsl.backends.diagram.highlight import colours_asked
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.theme import Theme
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph, Value

SHAPES = {"shrink": "trapezium", "grow": "invtrapezium", "circle": "circle", "strip": "box3d"}


def dot_file(graph: Graph, options: Options, theme: Theme, flaws: Flaws | None = None) -> str:
    """A digraph with a node a unit, a cluster an open block, the shapes on the edges."""
    if flaws is None:
        graph, _ = at_example_size(graph, options)
    units = open_units(graph, options, flaws.firsts() if flaws else frozenset())
    sheet = BlockSheet(graph, units, options, flaws)
    dot = Digraph(graph.name)
    if flaws is not None:
        dot.attr(label=_text(flaws.verdict), labelloc="t", fontcolor=theme["wrong.line"])
    dot.attr("graph", rankdir=RANKDIR[options.direction], bgcolor=theme["paper"], fontname=FONT)
    dot.attr("node", shape="box", style="filled,rounded", fontname=FONT, fontsize="11")
    dot.attr("edge", fontname=FONT, fontsize="9", color=theme["wire"])
    asked = colours_asked(graph, options, sheet.drawn())
    _units(dot, sheet, sheet.units, theme, asked)
    for key in sheet.boxes:
        if key not in sheet.wiring.leaves:
            _node(dot, sheet, key, theme, "")
    labelled: set[Value] = set()
    for wire in sheet.wires:
        label = "" if wire.value in labelled else sheet.shown_shape(wire)
        labelled.add(wire.value)
        pen = pen_of(wire, sheet.boxes[wire.head], wire.head in sheet.training)
        style = {"style": pen.dash} if pen.dash else {}
        colour = {"color": theme[pen.colour]} if pen.colour != PLAIN.colour else {}
        dot.edge(wire.tail, wire.head, _text(label), **style, **colour)
    return dot.source


def _units(
    dot: Digraph, sheet: BlockSheet, units: Sequence[Unit], theme: Theme, asked: Mapping[str, str]
) -> None:
    """Nodes and clusters; `asked` are the colours of what is highlighted."""
    for unit in units:
        colour = asked.get(f"unit-{unit.path}".replace(" ", "-"), "")
        if not unit.is_open:
            _node(dot, sheet, sheet.keys[unit], theme, colour)
            continue
        with dot.subgraph(name=f"cluster_{unit.path}") as inner:  # type: ignore[union-attr]
            assert inner is not None
            definition = unit.scope.definition if unit.scope else ""
            label = f"{times_name(unit.path, unit.count)}: {definition}"
            label += ", shown once" if unit.count > 1 else ""
            inner.attr(label=_text(label), color=colour or theme["block.line"])
            if colour:
                inner.attr(penwidth="3")
            _units(inner, sheet, unit.parts, theme, asked)


def _node(dot: Digraph, sheet: BlockSheet, key: str, theme: Theme, colour: str) -> None:
    box = sheet.boxes[key]
    parts = ["+".join(map(str, box.parts))] if box.parts and box.form == "strip" else []
    label = "\n".join((box.label.title, *box.label.lines, *parts))
    extra = {"shape": SHAPES[box.form]} if box.form in SHAPES else {}
    if box.form == "block":
        extra["peripheries"] = "2"
    extra |= {"penwidth": "3"} if colour else {}
    dot.node(
        key, _text(label).replace("\n", "\\n"), fillcolor=theme[f"{box.kind}.fill"],
        color=colour or theme[f"{box.kind}.line"], fontcolor=theme["ink"], **extra,
    )  # fmt: skip


def _text(text: str) -> str:
    """A label that shows as it is: Graphviz reads `&amp;` and backslashes."""
    return escape(text.replace("&", "&amp;"))
