"""From a network to a drawing in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.backends.diagram import raster
from netdsl.backends.diagram.blocks import blocks_picture
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.ir.graph import Graph

_VIEWS: dict[str, Callable[[Graph, Options], Picture]] = {
    "blocks": blocks_picture,
    "layers": blocks_picture,
}


def picture_of(graph: Graph, options: Options) -> Picture:
    """The drawing, wherever it is to go. Raises `DrawError`, `EngineError`."""
    return _VIEWS[options.level](graph, options)


def render(picture: Picture, form: str, options: Options) -> bytes:
    """The drawing as a file: `svg`, `png`, `pdf`. Raises `EngineError`."""
    colours = theme(options.theme)
    if form == "svg":
        return svg(picture, colours, options.width).encode()
    if form == "png":
        return raster.png(picture, colours, options.width)
    if form == "pdf":
        return raster.pdf(picture, colours, options.width)
    raise DrawError(f"no drawing has the form `{form}`")
