"""`netdsl draw`: draws what the command line asks for and writes it atomically."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from netdsl.backends.diagram.draw import FORMS
from netdsl.backends.diagram.engine import EngineError
from netdsl.backends.diagram.options import SHOWN, DrawError
from netdsl.diagnostics import DiagnosticError
from netdsl.files import writing_whole
from netdsl.network import Network
from netdsl.shell import WRONG_FILE, fail, reason, show

POINTS = {"in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1.0, "px": 0.75, "": 1.0}
WIDTH = re.compile(r"(\d{1,5}(?:\.\d{1,4})?)\s*(in|cm|mm|pt|px|)", re.ASCII)


def draw(network: Network, output: str, asked: Mapping[str, Any], old: Network | None) -> None:
    """Draw a network into a file, or what changes from `old` to it.

    `asked` are the options of the command line.
    """
    form = form_of(output)
    chosen = {
        "level": asked["level"],
        "expand": asked["expand"],
        "depth": asked["depth"],
        "neurons": asked["neurons"],
        "theme": asked["theme"],
        "title": asked["title"],
        "width": points(asked["width"]),
        "direction": asked["direction"],
        "show": shown(asked["show"]),
        "engine": asked["engine"],
    }
    try:
        data, notes = network.drawing(form, old=old, **chosen)
    except (DrawError, EngineError) as error:
        fail(str(error))
    except DiagnosticError as error:  # at the level of operators, a layer without a form in ONNX
        show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if output == "-":
        click.echo(data, nl=False)
        return
    try:
        with writing_whole(output) as file:
            file.write(data)
    except OSError as error:
        fail(f"can't write {output}: {reason(error)}")
    click.echo(f"{output}: {network.name}, {len(data):,} bytes", err=True)


def form_of(output: str) -> str:
    """The form that the name of a file asks for; `-` is SVG."""
    if output == "-":
        return "svg"
    form = Path(output).suffix.removeprefix(".").lower()
    if form not in FORMS:
        known = ", ".join(f".{name}" for name in FORMS)
        raise click.BadParameter(f"`{output}` should end in one of {known}", None, None, "--output")
    return form


def points(width: str | None) -> float | None:
    """`6.5in`, `16cm`, `468pt`."""
    if width is None:
        return None
    match = WIDTH.fullmatch(width.strip())
    if match is None or not 36 <= float(match[1]) * POINTS[match[2]] <= 7200:
        message = f"`{width}` is not a width from 0.5in to 100in, such as 6.5in or 16cm"
        raise click.BadParameter(message, None, None, "--width")
    return float(match[1]) * POINTS[match[2]]


def shown(text: str | None) -> frozenset[str]:
    """`params,names` as a set."""
    if text is None:
        return frozenset(SHOWN)
    names = [name.strip() for name in text.split(",") if name.strip() not in ("", "none")]
    for name in names:
        if name not in SHOWN:
            message = f"`{name}` can't be shown; there are {', '.join(SHOWN)}"
            raise click.BadParameter(message, None, None, "--show")
    return frozenset(names)
