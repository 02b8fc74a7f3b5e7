"""A picture as SVG: plain attributes, so that every reader draws it alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from xml.sax.saxutils import escape, quoteattr

from netdsl.backends.diagram.fonts import families, is_alike, is_serif
from netdsl.backends.diagram.formats.letters import Glyph, Setter, code_box
from netdsl.backends.diagram.formats.paths import DASHES, number, pieces
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Picture,
    Polygon,
    Shape,
    Text,
)
from netdsl.backends.diagram.theme import Theme, dark_rules

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(
    picture: Picture, theme: Theme, width: float | None = None, setter: Setter | None = None
) -> str:
    """The whole file; `width` in points scales it, the default is its own size.

    With a `setter` letters are outlines, below texts that are not seen but can be selected.
    """
    scale = 1.0 if width is None else width / picture.width
    links = "" if setter is None else ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg"{links} '
        f'width="{number(picture.width * scale)}pt" height="{number(picture.height * scale)}pt" '
        f'viewBox="0 0 {number(picture.width)} {number(picture.height)}" role="img" '
        f'aria-labelledby="title desc" font-family="{families(picture.font)}">'
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', head]
    lines.append(f'<title id="title">{_text(picture.title)}</title>')
    lines.append(f'<desc id="desc">{_text(picture.description)}</desc>')
    if theme.name == "auto":
        lines.append(f"<style>{dark_rules()}</style>")
    lines.append(f'<rect width="100%" height="100%" fill="{theme["paper"]}"/>')
    drawn = list(body(picture, theme, setter))
    if setter is not None:
        letters = (f'<path id="{_name(g)}" d="M0 0{_glyph(g)}"/>' for g in setter.glyphs())
        lines.append(f"<defs>{''.join(letters)}</defs>")
        setter.remark(picture)
    lines += drawn
    return "\n".join([*lines, "</svg>", ""])


def body(picture: Picture, theme: Theme, setter: Setter | None = None) -> Iterator[str]:
    """The elements alone, to be put in a file of another kind.

    Letters of a family whose widths are unknown are fitted to the places of the usual ones.
    """
    font = picture.font
    is_fitted = bool(font) and not (is_alike(font) or is_serif(font))
    for item in picture.items:
        yield from _item(item, theme, setter, is_fitted)


def _item(item: Item, theme: Theme, setter: Setter | None, is_fitted: bool) -> Iterator[str]:
    if not isinstance(item, Group):
        if setter is not None and isinstance(item, Text):
            yield from _outlined(item, theme, setter)
        else:
            yield _shape(item, theme, is_fitted)
        return
    marks = [("id", item.id), ("class", item.css), *((f"data-{k}", v) for k, v in item.data)]
    shown = "".join(f" {key}={_quoted(value)}" for key, value in marks if value)
    yield f"<g{shown}>"
    if item.title:
        yield f"<title>{_text(item.title)}</title>"
    for inner in item.items:
        yield from _item(inner, theme, setter, is_fitted)
    yield "</g>"


def _shape(shape: Shape, theme: Theme, is_fitted: bool) -> str:
    if isinstance(shape, Box):
        radius = f' rx="{number(shape.radius)}"' if shape.radius else ""
        place = f'x="{number(shape.x)}" y="{number(shape.y)}" width="{number(shape.width)}"'
        return f'<rect {place} height="{number(shape.height)}"{radius}{_paint(shape, theme)}/>'
    if isinstance(shape, Ellipse):
        place = f'cx="{number(shape.x)}" cy="{number(shape.y)}"'
        size = f'rx="{number(shape.rx)}" ry="{number(shape.ry)}"'
        return f"<ellipse {place} {size}{_paint(shape, theme)}/>"
    if isinstance(shape, Polygon):
        points = " ".join(f"{number(x)},{number(y)}" for x, y in shape.points)
        return f'<polygon points="{points}"{_paint(shape, theme)}/>'
    if isinstance(shape, Curve):
        return f'<path d="{_path(shape)}"{_paint(shape, theme)}/>'
    room = f' textLength="{number(shape.width)}" lengthAdjust="spacingAndGlyphs"'
    return _line(shape, theme[shape.colour], room * is_fitted)


def _line(text: Text, colour: str, hidden: str = "") -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    weight = ' font-weight="bold"' if text.bold else ""
    place = f'x="{number(text.x)}" y="{number(text.y)}" font-size="{number(text.size)}"'
    return f'<text {place}{anchor}{weight} fill="{colour}"{hidden}>{_text(text.text)}</text>'


def _outlined(text: Text, theme: Theme, setter: Setter) -> Iterator[str]:
    """The letters as outlines, and the text above them, as wide and not seen."""
    runs = setter.line(text)
    if not runs:
        return
    start, size, stretch = runs[0].x, text.size / 1000, runs[0].stretch
    matrix = f"{size * stretch:.5f} 0 0 {-size:.5f} {number(start)} {number(text.y)}"
    yield f'<g transform="matrix({matrix})" fill="{theme[text.colour]}" aria-hidden="true">'
    for run in runs:
        glyph = run.run.glyph
        if glyph is not None and glyph.contours:
            x = round((run.x - start) / size / stretch)
            yield f'<use xlink:href="#{_name(glyph)}" x="{x}"/>'
    yield "</g>"
    for run in runs:
        if run.run.glyph is None:
            for shape in code_box(run.run, run.x, text.y, run.stretch, text):
                yield from _item(shape, theme, setter, False)
    width = runs[-1].x + runs[-1].run.width * size * stretch - start
    room = f' textLength="{number(width)}" lengthAdjust="spacingAndGlyphs"' if width else ""
    yield _line(text, theme[text.colour], f'{room} opacity="0"')


@lru_cache(maxsize=1_000)
def _name(glyph: Glyph) -> str:
    """The id of a letter: of the same outline the same, wherever pictures stand together."""
    return f"g{sha256(repr(glyph.contours).encode()).hexdigest()[:10]}"


def _glyph(glyph: Glyph) -> str:
    """Its contours, each step from the end of the one before."""
    x = y = 0
    steps: list[str] = []
    for contour in glyph.contours:
        for index, piece in enumerate(contour):
            kind = "m" if index == 0 else "l" if len(piece) == 2 else "c"
            moved = " ".join(str(n - (y if k % 2 else x)) for k, n in enumerate(piece))
            steps.append(kind + moved.replace(" -", "-"))
            x, y = piece[-2:]
    return "".join(steps)


def _path(curve: Curve) -> str:
    """Pieces whose handles lie on their ends are straight lines."""
    x, y = curve.points[0]
    parts = [f"M{number(x)},{number(y)}"]
    for piece in pieces(curve.points):
        kind = "L" if len(piece) == 1 else "C"
        parts.append(kind + " ".join(f"{number(x)},{number(y)}" for x, y in piece))
    return "".join(parts)


def _paint(shape: Box | Ellipse | Polygon | Curve, theme: Theme) -> str:
    fill = "" if isinstance(shape, Curve) else shape.fill
    parts = [f' fill="{theme[fill] if fill else "none"}"']
    if shape.line:
        parts.append(f' stroke="{theme[shape.line]}"')
        if shape.stroke != 1:
            parts.append(f' stroke-width="{number(shape.stroke)}"')
        if shape.dash:
            parts.append(f' stroke-dasharray="{",".join(map(str, DASHES[shape.dash]))}"')
    if shape.opacity != 1:
        parts.append(f' opacity="{number(shape.opacity)}"')
    return "".join(parts)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("?", text))


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text))
