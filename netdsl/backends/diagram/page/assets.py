"""The parts of a page as they lie beside this file: its frame, its styles, its scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from netdsl.backends.diagram.theme import theme

STYLES = ("page.css", "drawing.css")
SCRIPTS = (
    "exact.js", "network.js", "layout.js", "rows.js", "trace.js", "search.js", "lesson.js",
    "drawing.js", "colours.js", "panel.js", "sizes.js", "lesson_view.js", "trace_view.js",
    "page.js",
)  # fmt: skip
"""In the order in which they are read; each uses only what stands before it."""


@cache
def asset(name: str) -> str:
    """The text of a file."""
    return (files("netdsl.backends.diagram") / "page" / name).read_text(encoding="utf-8")


def style() -> str:
    """The colours, and the style sheets."""
    return colours() + "".join(map(asset, STYLES))


@cache
def colours() -> str:
    """Those of the themes, by the names of their roles."""
    light, dark = (_colours(name) for name in ("light", "dark"))
    return (
        f":root{{color-scheme:light;{light}}}\n[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        "@media screen and (prefers-color-scheme:dark){"
        f"[data-theme=auto]{{color-scheme:dark;{dark}}}}}\n"
    )


def _colours(name: str) -> str:
    """As custom properties: `--conv-fill:#dbe9f7`."""
    colours = theme(name).colours
    named = {**{role.replace(".", "-"): colour for role, colour in colours.items()},
             "heat": colours["series1"]}  # fmt: skip
    return ";".join(f"--{role}:{colour}" for role, colour in named.items())


def script() -> str:
    """All scripts as one, which leaves no names in the page."""
    parts = "".join(map(asset, SCRIPTS))
    return f'"use strict";\n{{\n{parts}}}\n'


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A frame with texts in the place of `@name@`."""
    pieces = text.split("@")
    return "".join(parts[piece] if number % 2 else piece for number, piece in enumerate(pieces))
