"""The command line; each command is one call into the driver."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from netdsl import __version__
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.diagnostics.render import (
    render_github,
    render_json,
    render_sarif,
    render_text,
)
from netdsl.driver import MAX_NODES, check, load
from netdsl.files import write_whole
from netdsl.network import Network

WRONG_FILE, WRONG_CALL = 1, 2
FORMATS = {
    "json": render_json,
    "github": render_github,
    "sarif": lambda found: render_sarif(found, __version__),
}


class Group(click.Group):
    """Turns what can go wrong around a command into a message and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(WRONG_CALL)
        except OSError as error:
            click.echo(f"netdsl: {error.strerror or error}", err=True)
            sys.exit(WRONG_CALL)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="netdsl")
def main() -> None:
    """Compiler for neural-network architectures.

    \b
    Example:
      netdsl check examples/googlenet.net
    """


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose a network and set its parameters and sizes."""
    options = [
        click.option("--net", metavar="NAME", help="The net, where the file defines several."),
        click.option("--set", "params", metavar="NAME=VALUE", multiple=True,
                     help="A parameter of the net: --set classes=10. May be repeated."),
        click.option("--size", "sizes", metavar="H=224,W=224", multiple=True,
                     help="Numbers for size symbols."),
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     help="A further folder that `use` may read from."),
        click.option("--max-layers", metavar="N", type=click.IntRange(1), default=MAX_NODES,
                     show_default=True, help="Bound on the layers of a network."),
        click.option("--deny", type=click.Choice(["warnings"]), help="Take warnings for errors."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options as arguments of the driver."""
    return {
        "net": options["net"],
        "params": dict(_parameter(text) for text in options["params"]),
        "sizes": _sizes(options["sizes"]),
        "roots": options["roots"],
        "max_layers": options["max_layers"],
    }


def _parameter(text: str) -> tuple[str, object]:
    """`classes=10` as a name and a value: a number, true, false, a list, a size, or a string."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip().isidentifier():
        raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint="--set")
    return name.strip(), _value(value.strip())


def _value(text: str) -> object:
    parts = text.split("x")
    if len(parts) > 1 and all(p.isdigit() for p in parts):
        return tuple(int(p) for p in parts)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, int | float | bool | list) else text


def _sizes(texts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for pair in (pair for text in texts for pair in text.split(",")):
        name, _, number = pair.partition("=")
        if not name.strip().isidentifier() or not number.strip().isdecimal() or len(number) > 12:
            raise click.BadParameter(f"`{pair}` is not SYMBOL=NUMBER", param_hint="--size")
        found[name.strip()] = int(number)
    return found


def _show(diagnostics: Sequence[Diagnostic], form: str, *, err: bool = True) -> None:
    """Print diagnostics; text goes to standard error, the other forms to standard output."""
    if form != "text":
        click.echo(FORMATS[form](diagnostics))
        return
    stream = sys.stderr if err else sys.stdout
    forced = os.environ.get("FORCE_COLOR")
    colour = bool(forced or stream.isatty()) and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    text = render_text(diagnostics, colour=colour, width=width)
    if text:
        click.echo(text, err=err, color=colour or None)


def _is_denied(diagnostics: Sequence[Diagnostic], options: dict[str, Any]) -> bool:
    return any(d.is_error for d in diagnostics) or bool(options["deny"] and diagnostics)


def _load(file: str, options: dict[str, Any]) -> Network:
    """The network of a file, or an end with its errors."""
    try:
        network = load(file, **_chosen(options))
    except DiagnosticError as error:
        _show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    _show(network.warnings, "text")
    if _is_denied(network.warnings, options):
        sys.exit(WRONG_FILE)
    return network


@main.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@network_options
@click.option("--format", "form", type=click.Choice(["text", *FORMATS]), default="text")
def check_command(files: tuple[str, ...], form: str, **options: Any) -> None:
    """Check files: syntax, names, every shape, every size.

    \b
    Example:
      netdsl check examples/*.net
    """
    chosen = _chosen(options)
    found = [diagnostic for file in files for diagnostic in check(file, **chosen)]
    _show(found, form, err=False)
    if form == "text" and not found:
        click.echo(f"{len(files)} file{'s' * (len(files) > 1)} checked, nothing found")
    if _is_denied(found, options):
        sys.exit(WRONG_FILE)


@main.command("compile")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.py", help="Where to; standard output if left out.")
@network_options
def compile_command(file: str, output: str | None, **options: Any) -> None:
    """Write a network as PyTorch source.

    \b
    Example:
      netdsl compile examples/googlenet.net -o googlenet.py
    """
    network = _load(file, options)
    try:
        text = network.torch_source()
    except DiagnosticError as error:
        _show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        write_whole(output, text)
    except OSError as error:
        click.echo(
            f"netdsl: can't write {output}: {(error.strerror or str(error)).lower()}", err=True
        )
        sys.exit(WRONG_CALL)
    click.echo(f"{output}: {network.name}, {network.summary().parameters:,} parameters", err=True)


@main.command("summary")
@click.argument("file", metavar="FILE")
@network_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def summary_command(file: str, form: str, **options: Any) -> None:
    """Print layers with shapes, parameters and multiply-adds.

    \b
    Example:
      netdsl summary examples/googlenet.net --size H=224,W=224
    """
    from netdsl.report import summary_json, summary_table

    network = _load(file, options)
    if form == "json":
        click.echo(summary_json(network))
        return
    summary_table(network)


@main.command("sizes")
@click.argument("file", metavar="FILE")
@network_options
@click.option(
    "--accepts", metavar="H=65,W=64", help="Whether these sizes work; exit code 1 if not."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def sizes_command(file: str, accepts: str | None, form: str, **options: Any) -> None:
    """Say which input sizes a network takes, exactly.

    \b
    Example:
      netdsl sizes examples/unet16.net --accepts H=65,W=64
    """
    from netdsl.report import sizes_json

    network = _load(file, options)
    if accepts is None:
        click.echo(sizes_json(network) if form == "json" else str(network.sizes))
        return
    sizes = _sizes([accepts])
    try:
        refusals = network.sizes.explain(**sizes)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--accepts") from None
    if form == "json":
        click.echo(json.dumps({"accepts": not refusals, "refusals": refusals}, indent=2))
    else:
        click.echo("\n".join(refusals) or "yes")
    if refusals:
        sys.exit(WRONG_FILE)
