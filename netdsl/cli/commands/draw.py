"""`netdsl draw`: a network, or what changes from one to another, as a picture."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, Unpack

import click
from click.core import ParameterSource

from netdsl.backends.diagram.engine import EngineError
from netdsl.backends.diagram.options import (
    DIRECTIONS,
    ENGINES,
    FONT_SIZES,
    FORMS,
    HIDDEN,
    INCH,
    LAYOUTS,
    LEVELS,
    SHOWN,
    THEMES,
    Choices,
    DrawError,
)
from netdsl.cli.numerals import Whole
from netdsl.cli.open_sizes import loaded_open
from netdsl.cli.options import Chosen, by, network_options, with_options
from netdsl.cli.shell import WRONG_FILE, check_output, fail, show, write
from netdsl.diagnostics import DiagnosticError
from netdsl.drafting import Draft
from netdsl.driver import draft_of, load
from netdsl.files import check_not_read
from netdsl.importers.frontend import is_foreign

POINTS = {"in": INCH, "cm": INCH / 2.54, "mm": INCH / 25.4, "pt": 1.0, "px": 0.75, "": 1.0}
ASPECT = re.compile(r"(\d{1,4}(?:\.\d{1,4})?):(\d{1,4}(?:\.\d{1,4})?)", re.ASCII)
WIDTH = re.compile(r"(\d{1,5}(?:\.\d{1,4})?)\s*(in|cm|mm|pt|px|)", re.ASCII)


def _points(width: str | None) -> float | None:
    """`6.5in`, `16cm`, `468pt`."""
    if width is None:
        return None
    match = WIDTH.fullmatch(width.strip())
    if match is None or not 36 <= float(match[1]) * POINTS[match[2]] <= 7200:
        message = f"`{width}` is not a width from 0.5in to 100in, such as 6.5in or 16cm"
        raise click.BadParameter(message, param_hint="--width")
    return float(match[1]) * POINTS[match[2]]


def _shown(text: str | None) -> frozenset[str]:
    """`params,names` as a set."""
    if text is None:
        return frozenset(SHOWN)
    names = [name.strip() for name in text.split(",") if name.strip() not in ("", "none")]
    for name in names:
        if name not in SHOWN:
            message = f"`{name}` can't be shown; there are {', '.join(SHOWN)}"
            raise click.BadParameter(message, param_hint="--show")
    return frozenset(names)


def _hidden(texts: tuple[str, ...]) -> frozenset[str]:
    """`dropout,norm`, given once or often, as a set."""
    names = [name.strip() for text in texts for name in text.split(",")]
    for name in names:
        if name not in HIDDEN:
            near = get_close_matches(name, HIDDEN, 1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            message = f"`{name}` can't be hidden; there are {', '.join(HIDDEN)}{meant}"
            raise click.BadParameter(message, param_hint="--hide")
    return frozenset(names)


def _aspect(text: str | None) -> float | None:
    """`16:9` as width by height."""
    if text is None:
        return None
    match = ASPECT.fullmatch(text.strip())
    if match is None or not 0 < float(match[2]) <= 5 * float(match[1]) <= 25 * float(match[2]):
        message = f"`{text}` is not width:height, such as 16:9 or 4:3, from 1:5 to 5:1"
        raise click.BadParameter(message, param_hint="--aspect")
    return float(match[1]) / float(match[2])


def _form(output: str) -> str:
    """The form that the name of a file asks for; `-` is SVG."""
    if output == "-":
        return "svg"
    form = Path(output).suffix.removeprefix(".").lower()
    if form not in FORMS:
        endings = ", ".join(f".{name}" for name in FORMS)
        message = f"`{output}` should end in one of {endings}"
        raise click.BadParameter(message, param_hint="--output")
    return form


OPTIONS = [
    click.option("--level", type=click.Choice(LEVELS), default="blocks", show_default=True),
    click.option("--only", metavar="PATH",
                 help="Draw one block alone, open: path, pattern or kind."),
    click.option("--expand", metavar="PATH", multiple=True,
                 help="A block to open: path, pattern or kind; `none` opens none. "
                      "May be repeated."),
    click.option("--depth", metavar="N", type=Whole(0), help="Open blocks to this depth."),
    click.option("--diff", "other", metavar="OLD.net",
                 help="Draw what changes from that file to FILE."),
    click.option("--neuron", "neurons", metavar="conv2[0,4,4]", multiple=True,
                 help="A neuron to follow, may be repeated; or a convolution or an upsampling "
                      "to draw by itself."),
    click.option("--theme", type=click.Choice(THEMES), default="light", show_default=True,
                 help="Of a page `auto`, which follows the system."),
    click.option("--title", metavar="TEXT",
                 help="In place of the network's name; '' for none."),
    click.option("--no-header", "header", is_flag=True, flag_value=False, default=True,
                 help="Without the title and the lines below it."),
    click.option("--no-legend", "legend", is_flag=True, flag_value=False, default=True,
                 help="Without the legend."),
    click.option("--hide", metavar="LIST", multiple=True, callback=by(_hidden),
                 help=f"Leave out {', '.join(HIDDEN)}. The legend counts what is left out."),
    click.option("--highlight", metavar="PATH=COLOUR", multiple=True,
                 help="Frame a part in a colour: tomato, '#d62728'. May be repeated."),
    click.option("--width", metavar="6.5in", callback=by(_points),
                 help="Width of the picture: in, cm, mm, pt."),
    click.option("--aspect", metavar="16:9", callback=by(_aspect),
                 help="Width to height: rows are cut for it, and the rest is padded."),
    click.option("--font", metavar="NAME", default="", help="Family of the letters."),
    click.option("--font-size", metavar="POINTS", type=click.FloatRange(*FONT_SIZES),
                 help="Size of the smallest letters; all else scales with them."),
    click.option("--direction", type=click.Choice(DIRECTIONS), default="right", show_default=True),
    click.option("--show", metavar="LIST", callback=by(_shown),
                 help="Of params,macs,names,shapes; all by default."),
    click.option("--layout", type=click.Choice(LAYOUTS),
                 help="How the whole network stands; without it, its shape decides."),
    click.option("--formulas", is_flag=True,
                 help="Open sizes as formulas, not at an example size."),
    click.option("--engine", type=click.Choice(ENGINES), default="pure", show_default=True,
                 help="Graphviz as a package, or the `dot` of the system."),
    click.option("--outlines", is_flag=True,
                 help="Letters as outlines, in svg and pdf: no font is needed to read the file."),
    click.option("--font-file", metavar="FONT.ttf", multiple=True,
                 help="The font of outlines, and of letters that pdf lacks. May be repeated."),
    click.option("--author", metavar="NAME", default="", help="In the properties of a pdf."),
]  # fmt: skip


@click.command("draw")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.svg", required=True, help=f"{', '.join(FORMS)}.")
@network_options
@with_options(OPTIONS)
def command(
    file: str, output: str, other: str | None, chosen: Chosen, **options: Unpack[Choices]
) -> None:
    """Draw a network: blocks, layers, volumes, neurons.

    \b
    Examples:
      netdsl draw examples/googlenet.net -o googlenet.svg --size H=224,W=224
      netdsl draw examples/lenet.net -o lenet.png --level neurons --neuron 'conv2[0,4,4]'
      netdsl draw --diff examples/resnet50.net examples/resnet152.net -o deeper.svg
    """
    form = _form(output)
    check_output(output, file, "be drawn")
    old = None
    if other is not None:
        check_output(output, other, "compare with")
        if other == file == "-":
            raise click.BadParameter("only one of the two files can be `-`", param_hint="--diff")
        old = _without_sizes_of(file, other, chosen).load(other)
        chosen = _without_sizes_of(other, file, chosen)
    if form == "html" and _is_default("theme"):
        options["theme"] = "auto"
    try:
        if form == "html" and other is None and options.get("level") == "blocks":
            network, options["sizes"] = loaded_open(file, chosen)
        else:
            network = chosen.load(file)
    except DiagnosticError as error:
        if other is None and not is_foreign(file):
            _draw_wrong(file, output, error, chosen, options)
        raise
    also = [] if other is None or old is None else [other, *old.sources]
    check_not_read([output], [file, *network.sources, *also])
    try:
        data, notes = network.drawing(form, old=old, **options)
    except (DrawError, EngineError) as error:
        fail(str(error))
    for note in notes:
        click.echo(f"note: {note}", err=True)
    write(output, data, f"{network.name}, {len(data):,} bytes")


def _is_default(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is None or source is ParameterSource.DEFAULT


def _draw_wrong(
    file: str, output: str, error: DiagnosticError, chosen: Chosen, options: Choices
) -> NoReturn:
    """Print what is wrong with a file, and draw what could be built of it."""
    show(error.diagnostics, "text")
    name = "<stdin>" if file == "-" else file
    read = (d.span.source for d in error.diagnostics if d.span is not None)
    source = next((source for source in read if source.name == name), None)
    how = {key: given for key, given in chosen.how.items() if key not in ("inputs", "opens")}
    where = None if file == "-" else Path(file)
    made = Draft(error.diagnostics)
    if source is not None:
        made = draft_of(source, where, error.diagnostics, **how)  # type: ignore[arg-type]
    if made.is_empty:
        click.echo(f"{output}: not drawn: nothing could be built", err=True)
        sys.exit(WRONG_FILE)
    check_not_read([output], [file, *made.sources])
    try:
        data, notes = made.drawing(_form(output), **options)
    except (DrawError, EngineError) as refused:
        fail(str(refused))
    for note in notes:
        click.echo(f"note: {note}", err=True)
    errors = sum(d.is_error for d in error.diagnostics)
    told = f"what could be built, not checked: {errors} error{'s' * (errors != 1)}"
    write(output, data, f"{told}, {len(data):,} bytes")
    sys.exit(WRONG_FILE)


def _without_sizes_of(other: str, file: str, chosen: Chosen) -> Chosen:
    """The choice for one of two files: without sizes that only the other has."""
    sizes = chosen.how.get("sizes")
    if not sizes or "-" in (file, other):
        return chosen
    try:
        here, there = (load(f, **{**chosen.how, "sizes": {}}).graph.symbols for f in (file, other))
    except DiagnosticError:
        return chosen
    only_there = set(there).difference(here)
    left = {name: size for name, size in sizes.items() if name not in only_there}
    return replace(chosen, how={**chosen.how, "sizes": left})
