"""A picture as SVG: plain attributes, so that every reader draws it alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from netdsl.backends.diagram.fonts import families, is_alike, is_serif
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Group, Item, Picture, Polygon, Shape
from netdsl.backends.diagram.theme import Theme, dark_rules

_DASHES = {"dashed": "4,3", "dotted": "2,3"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(picture: Picture, theme: Theme, width: float | None = None) -> str:
    """The whole file; `width` in points scales it, the default is its own size."""
    scale = 1.0 if width is None else width / picture.width
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{_n(picture.width * scale)}pt" height="{_n(picture.height * scale)}pt" '
        f'viewBox="0 0 {_n(picture.width)} {_n(picture.height)}" role="img" '
        f'aria-labelledby="title desc" font-family="{families(picture.font)}">'
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', head]
    lines.append(f'<title id="title">{_text(picture.title)}</title>')
    lines.append(f'<desc id="desc">{_text(picture.description)}</desc>')
    if theme.name == "auto":
        lines.append(f"<style>{dark_rules()}</style>")
    lines.append(f'<rect width="100%" height="100%" fill="{theme["paper"]}"/>')
    lines += body(picture, theme)
    return "\n".join([*lines, "</svg>", ""])


def body(picture: Picture, theme: Theme) -> Iterator[str]:
    """The elements alone, to be put in a file of another kind.

    Letters of a family whose widths are unknown are fitted to the places of the usual ones.
    """
    font = picture.font
    is_fitted = bool(font) and not (is_alike(font) or is_serif(font))
    for item in picture.items:
        yield from _item(item, theme, is_fitted)


def _item(item: Item, theme: Theme, is_fitted: bool) -> Iterator[str]:
    if not isinstance(item, Group):
        yield _shape(item, theme, is_fitted)
        return
    marks = [("id", item.id), ("class", item.css), *((f"data-{k}", v) for k, v in item.data)]
    shown = "".join(f" {key}={_quoted(value)}" for key, value in marks if value)
    yield f"<g{shown}>"
    if item.title:
        yield f"<title>{_text(item.title)}</title>"
    for inner in item.items:
        yield from _item(inner, theme, is_fitted)
    yield "</g>"


def _shape(shape: Shape, theme: Theme, is_fitted: bool) -> str:
    if isinstance(shape, Box):
        radius = f' rx="{_n(shape.radius)}"' if shape.radius else ""
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}"'
        return f'<rect {place} height="{_n(shape.height)}"{radius}{_paint(shape, theme)}/>'
    if isinstance(shape, Ellipse):
        place = f'cx="{_n(shape.x)}" cy="{_n(shape.y)}"'
        size = f'rx="{_n(shape.rx)}" ry="{_n(shape.ry)}"'
        return f"<ellipse {place} {size}{_paint(shape, theme)}/>"
    if isinstance(shape, Polygon):
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
        return f'<polygon points="{points}"{_paint(shape, theme)}/>'
    if isinstance(shape, Curve):
        return f'<path d="{_path(shape)}"{_paint(shape, theme)}/>'
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    weight = ' font-weight="bold"' if shape.bold else ""
    place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}"'
    if is_fitted:
        place += f' textLength="{_n(shape.width)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text {place}{anchor}{weight} fill="{theme[shape.colour]}">{_text(shape.text)}</text>'


def _path(curve: Curve) -> str:
    """Pieces whose handles lie on their ends are straight lines."""
    first, *rest = curve.points
    parts = [f"M{_n(first[0])},{_n(first[1])}"]
    before = first
    for start, finish, end in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if start == before and finish == end:
            parts.append(f"L{_n(end[0])},{_n(end[1])}")
        else:
            parts.append("C" + " ".join(f"{_n(x)},{_n(y)}" for x, y in (start, finish, end)))
        before = end
    return "".join(parts)


def _paint(shape: Box | Ellipse | Polygon | Curve, theme: Theme) -> str:
    fill = "" if isinstance(shape, Curve) else shape.fill
    parts = [f' fill="{theme[fill] if fill else "none"}"']
    if shape.line:
        parts.append(f' stroke="{theme[shape.line]}"')
        if shape.stroke != 1:
            parts.append(f' stroke-width="{_n(shape.stroke)}"')
        if shape.dash:
            parts.append(f' stroke-dasharray="{_DASHES[shape.dash]}"')
    if shape.opacity != 1:
        parts.append(f' opacity="{_n(shape.opacity)}"')
    return "".join(parts)


def _n(number: float) -> str:
    """Hundredths of a point, without zeros at the end."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("?", text))


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text))
