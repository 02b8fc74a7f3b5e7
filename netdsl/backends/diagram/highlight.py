"""What a person wants to be seen first: frames in their own colours around parts of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netdsl.analyses.calls import call_paths
from netdsl.backends.diagram.css_colours import colour_of
from netdsl.backends.diagram.naming import nothing_named, parts_named
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Polygon, bounds_of
from netdsl.ir.graph import Child, Graph, Node

STROKE, HALO = 3.0, 9.0
"""Thick, so that it is seen in print without colour too."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn under an id: the nodes of each of its equal copies.

    A block that is closed or a frame that is open `is_block`.
    """

    id: str
    copies: tuple[tuple[Node, ...], ...]
    is_block: bool
    is_open: bool = False


def highlighted(
    items: Sequence[Item], graph: Graph, options: Options, drawn: Iterable[Drawn]
) -> list[Item]:
    """The items, with a frame around each that was asked for. Raises `DrawError`."""
    colours = colours_asked(graph, options, drawn)
    return [_framed(item, colours) for item in items]


def colours_asked(graph: Graph, options: Options, drawn: Iterable[Drawn]) -> dict[str, str]:
    """By id the colours of what is to be seen first. Raises `DrawError`."""
    colours: dict[str, str] = {}
    if not options.highlight:
        return colours
    every = list(drawn)
    for text in options.highlight:
        pattern, equals, colour = text.rpartition("=")
        if not equals or not pattern.strip():
            raise DrawError(f"`--highlight` takes PATH=colour, such as conv1=tomato, not `{text}`")
        found = _found(graph, pattern.strip(), every)
        colours |= dict.fromkeys(found, colour_of(colour))
    return colours


def _found(graph: Graph, pattern: str, drawn: Sequence[Drawn]) -> list[str]:
    """Ids of what shows the parts that a pattern names."""
    parts = parts_named(graph, pattern)
    if not parts:
        names = dict.fromkeys(path for path in call_paths(graph.within or graph).values() if path)
        kinds = dict.fromkeys(s.definition for s in graph.root.scopes() if s.definition)
        raise DrawError(nothing_named(pattern, "part", list(names), kinds))
    by_node: dict[Node, list[Drawn]] = {}
    for one in drawn:
        for node in (node for copy in one.copies for node in copy):
            by_node.setdefault(node, []).append(one)
    found = dict.fromkeys(one.id for part in parts for one in _showing(part, by_node))
    if not found:
        (node, *_) = _nodes(parts[0])
        closed = [one.id.partition("-")[2] for one in by_node.get(node, []) if not one.is_open]
        raise DrawError(
            f"`{pattern}` is inside of the closed block `{closed[0]}`; open it with "
            f"`--expand {closed[0]}`"
            if closed
            else f"`{pattern}` is not in this drawing"
        )
    return list(found)


def _showing(part: Child, by_node: Mapping[Node, Sequence[Drawn]]) -> list[Drawn]:
    """What shows a part: itself alone, or the box that it is folded into, or all that is in it."""
    nodes = set(_nodes(part))
    near = list({one.id: one for node in nodes for one in by_node.get(node, [])}.values())
    same = [one for one in near if any(nodes == set(copy) for copy in one.copies)]
    if same:
        return same[:1]
    inside = [one for one in near if all(nodes.issuperset(copy) for copy in one.copies)]
    outer = [one for one in near if not one.is_block and nodes.issubset(_all(one))]
    return outer or [one for one in inside if not one.is_open]


def _all(one: Drawn) -> set[Node]:
    return {node for copy in one.copies for node in copy}


def _nodes(part: Child) -> Sequence[Node]:
    return [part] if isinstance(part, Node) else list(part.nodes())


def _framed(item: Item, colours: Mapping[str, str]) -> Item:
    """A group that was asked for, with a halo behind it and a line around it."""
    if not isinstance(item, Group):
        return item
    whole = item.id.partition("-part-")[0] if item.css == "open" else item.id
    if whole not in colours:  # a block that goes on in the next row has a frame in each
        return item
    colour = colours[whole]
    shapes = [i for i in item.items if isinstance(i, Box | Polygon | Ellipse)]
    is_open = item.css == "open"
    left, top, right, bottom = bounds_of(shapes[:1] if is_open else shapes)
    box = left - 2, top - 2, right - left + 4, bottom - top + 4
    halo = Box(*box, "", colour, HALO, 8, opacity=0.28)
    line = Box(*box, "", colour, STROKE, 8)
    first, *rest = item.items
    items = (halo, first, line, *rest) if is_open else (halo, *item.items, line)
    return Group(items, item.id, item.title, item.css, item.data)
