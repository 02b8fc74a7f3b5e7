"""`netdsl explain`: a code, a term, a layer; or a network, a block, a layer or a neuron of one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from netdsl.analyses.explain.document import Document
from netdsl.analyses.explain.terms import Term, glossary, terms
from netdsl.cli.arrays import arrays_of
from netdsl.cli.numerals import Whole
from netdsl.cli.open_sizes import loaded_open
from netdsl.cli.options import (
    Chosen,
    network_options_at_two_sizes,
    rename_option,
    with_options,
)
from netdsl.cli.shell import check_output, fail, width, write
from netdsl.diagnostics.pages import codes, manual, markdown, page, related
from netdsl.diagnostics.pages import listing as listing_of_codes
from netdsl.elaborate.suggest import asked, near
from netdsl.explaining import Report, as_json, page_of
from netdsl.files import check_not_read
from netdsl.importers.frontend import is_foreign
from netdsl.network import Network
from netdsl.ops.plugins import plugged
from netdsl.reference import Page, layer_page
from netdsl.reference import listing as listing_of_layers

WIDEST = 100
"""Letters of a line of prose."""
FORMS = ("text", "json", "markdown")
OPTIONS = [
    click.option("--all", "everything", is_flag=True,
                 help="All pages of codes, as Markdown; with `terms` those of terms."),
    click.option("--format", "form", type=click.Choice(FORMS), default="text"),
    click.option("--batch", metavar="N", type=Whole(1), default=1, show_default=True,
                 help="Samples of a batch, for memory."),
    click.option("--gbs", metavar="GB/S", type=float, help="What a machine moves a second."),
    click.option("--tflops", metavar="TFLOP/S", type=float,
                 help="What it computes a second: with --gbs, how fast it could be."),
    click.option("--weights", metavar="CKPT", help="For the products of a neuron."),
    rename_option,
    click.option("--image", "images", metavar="FILE", multiple=True,
                 help="With --weights, what comes in: .npy, .npz or an image of the very size. "
                      "Once for each input."),
    click.option("--plot", metavar="OUT.svg",
                 help="Draw the cost by layer and the growth of the field."),
    click.option("--html", metavar="OUT.html",
                 help="Write a page to explore: sizes by slider, what a cell sees, a convolution "
                      "to try."),
]  # fmt: skip


@click.command("explain")
@click.argument("subject", metavar="[X]", required=False)
@click.argument("place", metavar="[PLACE]", required=False, default="")
@network_options_at_two_sizes
@with_options(OPTIONS)
def command(
    subject: str | None, place: str, chosen: Chosen, form: str, everything: bool, **how: Any
) -> None:
    """Explain X: a code of an error or warning, a term, a layer; or a network file, and in it a
    block, a layer, a neuron. Without X, list codes, terms and layers.

    \b
    Examples:
      netdsl explain shape-mismatch
      netdsl explain stride
      netdsl explain examples/googlenet.net
      netdsl explain examples/googlenet.net inception3a
      netdsl explain examples/conv27.net 'conv[0,2,4]'
    """
    if everything:
        click.echo(glossary() if subject == "terms" else manual(), nl=False)
    elif subject is None:
        click.echo(_listing())
    elif is_file(subject):
        _explain_file(subject, place, chosen, form, **how)
    elif place:
        message = f"`{place}` is a place in a file, and `{subject}` is none"
        raise click.BadParameter(message, param_hint="PLACE")
    else:
        _no_file_options(subject)
        with plugged(chosen.how.get("plugins", ())):
            click.echo(_page(subject, form), nl=False)


FILE_OPTIONS = {
    "batch": "--batch", "gbs": "--gbs", "tflops": "--tflops", "weights": "--weights",
    "images": "--image", "plot": "--plot", "html": "--html", "sizes": "--size",
    "net": "--net", "params": "--set",
}  # fmt: skip
"""What is said of a network, by the name of its parameter."""


def _no_file_options(subject: str) -> None:
    """Refuses what only a network has. Raises `UsageError`."""
    context = click.get_current_context()
    for parameter, option in FILE_OPTIONS.items():
        source = context.get_parameter_source(parameter)
        if source is not None and source is not ParameterSource.DEFAULT:
            message = f"{option} is for a network, and `{subject}` is no file"
            raise click.UsageError(message)


def is_file(subject: str) -> bool:
    """Whether it ends like a file of the language, or a source of another format."""
    return subject == "-" or subject.endswith(".net") or is_foreign(subject)


def _listing() -> str:
    """All codes, terms and layers, a line each."""
    wide = max(map(len, terms()))
    lines = [f"  {name:<{wide}}  {term.summary}"[: width()] for name, term in terms().items()]
    return "\n\n".join(
        [listing_of_codes(width()), "\n".join(["terms", *lines]), listing_of_layers(width())]
    )


# --- codes, terms, layers ----------------------------------------------------------------


def _page(name: str, form: str) -> str:
    """The page of a code, else of a term, else of a layer; of both, if they share a name."""
    if name in codes():
        return {"text": lambda: page(name).text(min(width(), WIDEST)) + "\n",
                "markdown": lambda: markdown(name),
                "json": lambda: _json(page(name))}[form]()  # fmt: skip
    term, layer = terms().get(name), layer_page(name)
    if term is None and layer is None:
        raise click.BadParameter(f"no code, term or layer is `{name}`; {_guess(name)}",
                                 param_hint="X")  # fmt: skip
    if form == "json":
        return _json(*(part for part in (term, layer) if part is not None))
    parts = [_term_text(term, form)] if term is not None else []
    parts += [_layer_text(layer, form)] if layer is not None else []
    return "\n".join(parts)


def _term_text(term: Term, form: str) -> str:
    return term.page().text(min(width(), WIDEST)) if form == "text" else term.page().markdown()


def _layer_text(layer: Page, form: str) -> str:
    return f"{layer.text(min(width(), WIDEST))}\n" if form == "text" else layer.markdown()


def _json(*pages: Any) -> str:
    kinds = [type(one).__name__.lower() for one in pages]
    data = {kind: asdict(one) for kind, one in zip(kinds, pages, strict=True)}
    return json.dumps(data, indent=2) + "\n"


def _guess(name: str) -> str:
    from netdsl.elaborate.unknown import guess_layer
    from netdsl.reference import pages

    known = {*codes(), *terms(), *pages()}
    lowered = name.lower().replace("_", "-").replace(" ", "-")
    if lowered in known:
        return asked([lowered])
    guesses = near(lowered, known) or related(name)[:4] or _with_word(lowered, known)
    hints = guess_layer(name, (), pages()).help()
    return asked(guesses) or "; ".join(hints) or "`netdsl explain` lists all"


def _with_word(name: str, known: set[str]) -> list[str]:
    """Names that hold this one, or a part of it: `field` is in `receptive-field`."""
    words = {word for word in name.split("-") if len(word) > 2}
    return sorted(other for other in known if words & set(other.split("-")))[:4]


# --- files -------------------------------------------------------------------------------


def _explain_file(file: str, place: str, chosen: Chosen, form: str, **how: Any) -> None:
    network, sizes = loaded_open(file, chosen, how["to"] is not None)
    if how["html"] is not None:
        _page_to_explore(network, place, sizes, file, how)
        return
    report = _report(network, place, sizes, how)
    if how["plot"] is not None:
        _plot(report, file, how["plot"])
        return
    if form == "json":
        click.echo(as_json(report), nl=False)
    else:
        click.echo(_text(page_of(report), form), nl=False)


def _text(document: Document, form: str) -> str:
    return document.text(width()) if form == "text" else document.markdown()


def _report(
    network: Network, place: str, sizes: dict[str, int] | None, how: dict[str, Any]
) -> Report:
    machine = None
    if (how["gbs"] is None) != (how["tflops"] is None):
        raise click.UsageError("--gbs and --tflops go together")
    if how["gbs"] is not None:
        if min(how["gbs"], how["tflops"]) <= 0:
            raise click.UsageError("--gbs and --tflops are above 0")
        machine = how["gbs"], how["tflops"]
    try:
        inputs = _inputs(network, sizes, how)
        return network.explain(
            place, sizes=sizes, to=how["to"], batch=how["batch"], machine=machine,
            weights=how["weights"], rename=how["rename"], inputs=inputs,
        )  # fmt: skip
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="PLACE" if place else "--size") from None
    except ModuleNotFoundError as error:
        fail(f"{error}; the numbers of a sum are computed by PyTorch")


def _inputs(network: Network, sizes: dict[str, int] | None, how: dict[str, Any]) -> Any:
    if not how["images"] and how["weights"] is None:
        return None
    if not how["images"] or how["weights"] is None:
        raise click.UsageError("--weights and --image go together: they give the products of a sum")
    if network.graph.symbols and sizes is None:
        example = ",".join(f"{symbol}=32" for symbol in network.graph.symbols)
        raise ValueError(f"an image has a size: say `--size {example}`")
    return arrays_of(how["images"], network.inputs, sizes or {})


def _page_to_explore(
    network: Network, place: str, sizes: dict[str, int] | None, file: str, how: dict[str, Any]
) -> None:
    """The page of `netdsl draw`, with the place chosen."""
    from netdsl.backends.diagram.options import DrawError

    output = how["html"]
    check_output(output, file, "be explained", "--html")
    check_not_read([output], [file, *network.sources])
    if place:
        _report(network, place, sizes, how)  # which says what is wrong with the place
    try:
        data, _ = network.drawing("html", theme="auto", sizes=sizes, place=place)
    except DrawError as error:
        fail(str(error))
    write(output, data, f"{network.name}, {len(data):,} bytes")


def _plot(report: Report, file: str, output: str) -> None:
    from netdsl.backends.diagram.draw import render
    from netdsl.backends.diagram.options import FORMS, DrawError, Options
    from netdsl.backends.diagram.plot import plot

    check_output(output, file, "be explained", "--plot")
    ending = Path(output).suffix.removeprefix(".").lower()
    if ending not in FORMS:
        endings = ", ".join(f".{name}" for name in FORMS)
        message = f"`{output}` should end in one of {endings}"
        raise click.BadParameter(message, param_hint="--plot")
    try:
        data = render(plot(report), ending, Options())
    except DrawError as error:
        fail(str(error))
    write(output, data, f"{report.network}, {len(data):,} bytes")
