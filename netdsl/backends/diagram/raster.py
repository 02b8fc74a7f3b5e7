"""A picture as PNG or as DOT text, painted by Graphviz, which brings its own fonts.

Shapes go to the background drawing (xdot), texts are nodes at fixed places.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphviz import Digraph
from graphviz.quoting import escape

from netdsl.backends.diagram.engine import run
from netdsl.backends.diagram.fonts import is_serif, own_width
from netdsl.backends.diagram.formats.paths import rounded_box
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Picture, Point, Polygon, Shape, Text
from netdsl.backends.diagram.theme import Theme

LONGEST_STRING = 12_000  # a quoted string over 16,384 characters fails in the lexer of dot
FONTS = "Helvetica", "Helvetica-Bold"
SERIF_FONTS = "Times-Roman", "Times-Bold"
"""Regular and bold, as Graphviz knows them."""


def png(picture: Picture, theme: Theme, width: float | None, dpi: float = 144) -> bytes:
    """The picture in pixels; at `width` points it is `width / 72 * dpi` wide."""
    scale = 1.0 if width is None else width / picture.width
    return run(painted(picture, theme, dpi * scale), "png", placed=True)


def painted(picture: Picture, theme: Theme, dpi: float) -> str:
    """DOT text in which everything has its place."""
    height = picture.height
    graph = Digraph("picture")
    graph.attr("graph", bgcolor=theme["paper"], pad="0", margin="0", dpi=f"{dpi:g}")
    graph.attr(
        "node",
        shape="plaintext",
        fixedsize="true",
        width="0.01",
        height="0.01",
        margin="0",
        label="",
    )
    graph.node("corner0", pos="0,0")
    graph.node("corner1", pos=f"{picture.width:.2f},{height:.2f}")
    paint = [part for shape in picture.shapes() for part in _paint(shape, theme, height)]
    for number, text in enumerate(picture.texts()):
        graph.node(f"t{number}", **_text_node(text, theme, height, picture.font))
    lines = graph.source.splitlines()
    lines.insert(1, f"\tgraph [_background={_quoted(' '.join(paint))}]")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    parts = [text[i : i + LONGEST_STRING] for i in range(0, len(text), LONGEST_STRING)]
    return " + ".join(f'"{part}"' for part in parts or [""])


def _text_node(text: Text, theme: Theme, height: float, family: str) -> dict[str, str]:
    aside = own_width(text.text, text.size, text.bold, family) / 2
    x = text.x + {"start": aside, "middle": 0.0, "end": -aside}[text.anchor]
    # Graphviz centres the line's box on the node; its baseline is 0.3 of the size lower
    middle = height - text.y + 0.3 * text.size
    place = {"pos": f"{x:.2f},{middle:.2f}", "fontsize": f"{text.size:g}"}
    return place | {
        "label": escape(text.text.replace("&", "&amp;")),
        "fontname": (SERIF_FONTS if is_serif(family) else FONTS)[text.bold],
        "fontcolor": theme[text.colour],
    }


def _paint(shape: Shape, theme: Theme, height: float) -> Iterator[str]:
    if isinstance(shape, Text):
        return
    fill = "" if isinstance(shape, Curve) else shape.fill
    alpha = "" if shape.opacity == 1 else f"{round(shape.opacity * 255):02x}"
    line = theme[shape.line] + alpha if shape.line else "#00000000"
    yield f"{_string('c', line)} {_string('S', f'setlinewidth({shape.stroke:g})')}"
    yield _string("S", shape.dash or "solid")
    if fill:
        yield _string("C", theme[fill] + alpha)
    if isinstance(shape, Ellipse):
        kind = "E" if fill else "e"
        yield f"{kind} {shape.x:.2f} {height - shape.y:.2f} {shape.rx:.2f} {shape.ry:.2f}"
    elif isinstance(shape, Polygon):
        yield _points("P" if fill else "p", shape.points, height)
    elif isinstance(shape, Curve):
        yield _points("B", shape.points, height)  # xdot: `B` is the path that is not filled
    else:
        yield from _box(shape, bool(fill), height)


def _box(box: Box, filled: bool, height: float) -> Iterator[str]:
    if not box.radius:
        x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
        corners = ((x, y), (right, y), (right, bottom), (x, bottom))
        yield _points("P" if filled else "p", corners, height)
    else:
        yield _points("b" if filled else "B", rounded_box(box), height)


def _points(kind: str, points: tuple[Point, ...], height: float) -> str:
    shown = " ".join(f"{x:.2f} {height - y:.2f}" for x, y in points)
    return f"{kind} {len(points)} {shown}"


def _string(kind: str, text: str) -> str:
    return f"{kind} {len(text)} -{text}"
