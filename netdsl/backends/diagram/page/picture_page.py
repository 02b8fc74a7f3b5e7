"""A page with one picture: a neuron that is pointed at is left alone with its links."""

from __future__ import annotations

import re
from html import escape

from netdsl.backends.diagram.page.assets import asset, colours
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import Theme


def picture_page(picture: Picture, theme: Theme) -> str:
    """One file that needs no network: the picture, and what happens when it is pointed at."""
    drawn = re.sub(r"^<\?xml[^>]*>\s*", "", svg(picture, theme))
    title = escape(picture.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="{theme.name}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n"
        f"<style>{colours()}{asset('picture.css')}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n{drawn}</main>\n"
        f"<script>{asset('picture.js')}</script>\n</body>\n</html>\n"
    )
