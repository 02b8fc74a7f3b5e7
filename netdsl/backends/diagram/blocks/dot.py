"""DOT text of rows of units, and the places that Graphviz finds for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from graphviz import Digraph
from graphviz.quoting import escape

from netdsl.backends.diagram.engine import failed, run
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.options import INCH
from netdsl.backends.diagram.scene import Point

TITLE = 11.0
FONT = "Helvetica"
RANKDIR = {"right": "LR", "down": "TB", "up": "BT"}
SIDES = {"right": "we", "down": "ns", "up": "sn"}
"""Where edges come in and go out, by the direction in which they lead."""


@dataclass(frozen=True, slots=True)
class DotNode:
    """A box of a fixed size, in points; `parts` are how long its ports are, in order."""

    key: str
    width: float
    height: float
    parts: tuple[float, ...] = ()
    rank: str = ""
    is_slanted: bool = False


@dataclass(frozen=True, slots=True)
class DotEdge:
    """An edge; `port` is the part of the head that it enters, -1 for the whole."""

    tail: str
    head: str
    label: str = ""
    weight: int = 1
    port: int = -1


@dataclass(slots=True)
class DotCluster:
    """A frame around nodes and other frames, in the order they are drawn; `label` is its title.

    `path` is that of the block, `name` is what it is called in the file, `columns` are nodes that
    stand below each other, in this order.
    """

    key: str
    label: str
    path: str = ""
    name: str = ""
    children: list[DotNode | DotCluster] = field(default_factory=list)
    columns: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(slots=True)
class DotGraph:
    """What is laid out as one."""

    children: list[DotNode | DotCluster] = field(default_factory=list)
    edges: list[DotEdge] = field(default_factory=list)
    step: float = 0.36
    """Inches between one box and the next."""


@dataclass(frozen=True, slots=True)
class Route:
    """A spline and where its label stands (its middle)."""

    points: tuple[Point, ...]
    label: Point | None


@dataclass(slots=True)
class Layout:
    """Places in points, y downwards: middles of nodes, frames as left, top, right, bottom."""

    width: float
    height: float
    nodes: dict[str, Point]
    clusters: dict[str, tuple[float, float, float, float]]
    routes: list[Route]


def lay_out(
    graphs: Sequence[DotGraph], engine: str, *, direction: str = "right", limit_s: float = 20.0
) -> list[Layout]:
    """The places of everything in each graph; all of them in one run of Graphviz.

    Raises `EngineError`.
    """
    text = "\n".join(dot_text(graph, direction) for graph in graphs)
    answer = run(text, "json0", engine, limit_s=limit_s).decode()
    decoder = json.JSONDecoder()
    layouts: list[Layout] = []
    position = 0
    try:
        for graph in graphs:
            placed, position = decoder.raw_decode(answer, answer.index("{", position))
            layouts.append(_layout(graph, placed))
    except (ValueError, KeyError):
        raise failed("its answer is not the layout that was asked for", engine) from None
    return layouts


def dot_text(graph: DotGraph, direction: str = "right") -> str:
    """The graph in the DOT language."""
    dot = Digraph("row")
    dot.attr(
        "graph",
        rankdir=RANKDIR[direction],
        nodesep="0.22",
        ranksep=f"{graph.step:g}",
        fontname=FONT,
        fontsize=f"{TITLE:g}",
    )
    dot.attr("node", shape="box", label="", fixedsize="true", fontname=FONT)
    dot.attr("edge", fontname=FONT, fontsize="9", arrowhead="none")
    _children(dot, graph.children, direction)
    sides = SIDES[direction]
    slanted = _slanted(graph.children)
    for number, edge in enumerate(graph.edges):
        head = f"{edge.head}:p{edge.port}:{sides[0]}" if edge.port >= 0 else edge.head
        head += f":{sides[0]}" if edge.head in slanted else ""
        tail = edge.tail + (f":{sides[1]}" if edge.tail in slanted else "")
        label = {"label": escape(f" {edge.label} ")} if edge.label else {}
        dot.edge(tail, head, id=str(number), weight=str(edge.weight), **label)
    return dot.source


def _slanted(children: Sequence[DotNode | DotCluster]) -> set[str]:
    """Keys of the nodes whose upper and lower sides no edge may end on."""
    keys: set[str] = set()
    for child in children:
        if isinstance(child, DotCluster):
            keys |= _slanted(child.children)
        elif child.is_slanted:
            keys.add(child.key)
    return keys


def _column(dot: Digraph, keys: Sequence[str], direction: str) -> None:
    """Nodes beside each other in the order that their bar has."""
    # from left to right Graphviz counts a rank upwards
    order = keys[::-1] if direction == "right" else keys
    with dot.subgraph() as rank:  # type: ignore[union-attr]
        assert rank is not None
        rank.attr(rank="same")
        for one, other in pairwise(order):
            rank.edge(one, other, style="invis", id="-1")


def _children(dot: Digraph, children: Sequence[DotNode | DotCluster], direction: str) -> None:
    for child in children:
        if isinstance(child, DotCluster):
            with dot.subgraph(name=f"cluster_{child.key}") as inner:  # type: ignore[union-attr]
                assert inner is not None
                inner.attr(label=_room_for(child.label, direction), labeljust="l", margin="10")
                _children(inner, child.children, direction)
                for column in child.columns:
                    _column(inner, column, direction)
            continue
        size = {"width": f"{child.width / INCH:.4f}", "height": f"{child.height / INCH:.4f}"}
        if child.rank:
            with dot.subgraph() as rank:  # type: ignore[union-attr]
                assert rank is not None
                rank.attr(rank=child.rank)
                rank.node(child.key, **size)
        elif child.parts:
            dot.node(child.key, _ports(child, direction), **size, shape="plain", fixedsize="false")
        else:
            dot.node(child.key, **size)


def _room_for(title: str, direction: str) -> str:
    """The title as a label; twice as wide and high where edges pass beside it."""
    if direction == "right":
        return escape(title)
    spaces = text_width(title, TITLE) / text_width(" ", TITLE)
    return escape(title) + " " * round(spaces) + r"\n\n"


def _ports(node: DotNode, direction: str) -> str:
    """The parts of a bar: below each other, or side by side where edges lead down or up."""
    across = direction != "right"
    cells = [
        f'<TD PORT="p{index}" FIXEDSIZE="TRUE" WIDTH="{length if across else node.width:.0f}" '
        f'HEIGHT="{node.height if across else length:.0f}"></TD>'
        for index, length in enumerate(node.parts)
    ]
    rows = f"<TR>{''.join(cells)}</TR>" if across else "".join(f"<TR>{c}</TR>" for c in cells)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'


def _layout(graph: DotGraph, placed: dict[str, Any]) -> Layout:
    _, _, width, height = map(float, placed["bb"].split(","))
    nodes: dict[str, Point] = {}
    clusters: dict[str, tuple[float, float, float, float]] = {}
    for item in placed.get("objects", []):
        if item["name"].startswith("cluster_") and "bb" in item:
            left, low, right, high = map(float, item["bb"].split(","))
            clusters[item["name"][8:]] = (left, height - high, right, height - low)
        elif "pos" in item:
            x, y = map(float, item["pos"].split(","))
            nodes[item["name"]] = (x, height - y)
    routes = {int(edge["id"]): _route(edge, height) for edge in placed.get("edges", [])}
    in_order = [routes[number] for number in range(len(graph.edges))]
    return Layout(width, height, nodes, clusters, in_order)


def _route(edge: dict[str, Any], height: float) -> Route:
    points: list[Point] = []
    for pair in edge["pos"].split():
        if pair[0] in "se":
            continue
        x, y = map(float, pair.split(","))
        points.append((x, height - y))
    label = None
    if "lp" in edge:
        x, y = map(float, edge["lp"].split(","))
        label = (x, height - y)
    return Route(tuple(points), label)
