"""The command line; each command is one call into the driver."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from netdsl import __version__
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.driver import check, load
from netdsl.elaborate import Written
from netdsl.files import OverwriteError, check_not_read, write_whole
from netdsl.network import Network
from netdsl.numerals import Whole, batches_given, once, range_given, sizes_given
from netdsl.options import (
    check_rename,
    draw_options,
    init_option,
    network_options,
    rename_option,
)
from netdsl.shell import WRONG_CALL, WRONG_FILE, Group, fail, reason, show

FORMATS = ("json", "github", "sarif")
MOST_SAMPLES = 2**31 - 1


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="netdsl")
def main() -> None:
    """Compiler for neural-network architectures.

    \b
    Example:
      netdsl check examples/googlenet.net
    """


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options as arguments of the driver."""
    return {
        "net": options["net"],
        "params": once((_parameter(text) for text in options["params"]), "--set"),
        "sizes": sizes_given(options["sizes"], "--size"),
        "roots": options["roots"],
        "max_layers": options["max_layers"],
        "allow": _warnings(options["allow"]),
        "plugins": options["plugins"],
    }


def _warnings(codes: Sequence[str]) -> Sequence[str]:
    """Codes of warnings; a wrong one would silence nothing, and not say so."""
    from netdsl.lints import WARNINGS

    for code in codes:
        if code not in WARNINGS:
            known = ", ".join(sorted(WARNINGS))
            raise click.BadParameter(
                f"no warning is `{code}`; there are: {known}", None, None, "--allow"
            )
    return codes


def _parameter(text: str) -> tuple[str, Written]:
    """`classes=10` as a name and a value, which is written as in the language."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip().isidentifier():
        raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint="--set")
    return name.strip(), Written(value.strip())


def _is_denied(diagnostics: Sequence[Diagnostic], options: dict[str, Any]) -> bool:
    return any(d.is_error for d in diagnostics) or bool(options["deny"] and diagnostics)


def _load(file: str, options: dict[str, Any]) -> Network:
    """The network of a file, or an end with its errors."""
    try:
        network = load(file, **_chosen(options))
    except DiagnosticError as error:
        show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    show(network.warnings, "text")
    if _is_denied(network.warnings, options):
        sys.exit(WRONG_FILE)
    return network


def _with_known_sizes(file: str, other: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options for one of two files: without sizes that are only for the other."""
    chosen = _chosen(options)
    if not chosen["sizes"] or "-" in (file, other):
        return options
    try:
        here, there = (load(f, **{**chosen, "sizes": {}}).graph.symbols for f in (file, other))
    except DiagnosticError:
        return options
    only_there = set(there).difference(here)
    left = [f"{name}={size}" for name, size in chosen["sizes"].items() if name not in only_there]
    return {**options, "sizes": left}


@main.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@network_options
@click.option("--format", "form", type=click.Choice(["text", *FORMATS]), default="text")
@click.option("--fix", is_flag=True, help="Apply the fixes that are safe, in place.")
@click.option("--weights", metavar="FILE", help="Whether this checkpoint loads by name.")
@rename_option
def check_command(files: tuple[str, ...], form: str, fix: bool, **options: Any) -> None:
    """Check files: syntax, names, every shape, every size.

    \b
    Examples:
      netdsl check examples/*.net
      netdsl check examples/resnet50.net --weights resnet50.safetensors
    """
    chosen = _chosen(options)
    check_rename(options)
    if fix and options["weights"]:
        raise click.UsageError("--fix and --weights: one at a time")
    if fix and "-" in files:
        raise click.BadParameter("standard input can't be changed", param_hint="--fix")
    one = _fixed if fix else partial(check, weights=options["weights"], rename=options["rename"])
    found = [diagnostic for file in files for diagnostic in one(file, **chosen)]
    show(found, form, err=False)
    if form == "text" and not found:
        click.echo(f"{len(files)} file{'s' * (len(files) > 1)} checked, nothing found")
    if _is_denied(found, options):
        sys.exit(WRONG_FILE)


def _fixed(file: str, **chosen: Any) -> Sequence[Diagnostic]:
    """What is left to say of a file after its safe fixes."""
    from netdsl.mend import mend_file

    try:
        made = mend_file(file, **chosen)
    except DiagnosticError as error:
        return error.diagnostics
    except OSError as error:
        fail(f"can't write {file}: {reason(error)}")
    if made.fixes:
        click.echo(f"{file}: {made.fixes} fix{'es' * (made.fixes > 1)} applied", err=True)
    return made.diagnostics


@main.command("compile")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.py", help="Where to; standard output if left out.")
@network_options
@init_option
def compile_command(file: str, output: str | None, **options: Any) -> None:
    """Write a network as PyTorch source.

    \b
    Example:
      netdsl compile examples/googlenet.net -o googlenet.py
    """
    if output is not None and _is_same_file(file, output):
        raise click.BadParameter("this is the file to be compiled", param_hint="--output")
    network = _load(file, options)
    if output not in (None, "-"):
        check_not_read([output], [file, *network.sources])
    try:
        text = network.torch_source(init=options["init"])
    except DiagnosticError as error:
        show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    if output is None or output == "-":
        click.echo(text.encode(), nl=False)  # Python reads it as UTF-8, whatever the terminal does
        return
    try:
        write_whole(output, text)
    except OSError as error:
        fail(f"can't write {output}: {reason(error)}")
    click.echo(f"{output}: {network.name}, {network.parameters:,} parameters", err=True)


@main.command("export")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.onnx", required=True, help="Where to.")
@network_options
@click.option("--weights", metavar="FILE", help="A checkpoint: .safetensors, .pt, .pth, ...")
@rename_option
@init_option
@click.option(
    "--seed",
    type=Whole(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Draws the weights where no file is given.",
)
@click.option(
    "--batch", metavar="N", type=Whole(1, MOST_SAMPLES), help="A fixed number of samples."
)
@click.option(
    "--opset",
    metavar="N",
    type=Whole(1),
    default=18,
    show_default=True,
    help="Version of ONNX's operators.",
)
@click.option("--fp16", is_flag=True, help="Weights and arithmetic in half precision.")
@click.option("--guard", is_flag=True, help="Runs at sizes outside of the contract fail.")
@click.option(
    "--external/--inline",
    default=None,
    help="Weights in a file beside it; by default only beyond 2 GiB.",
)
@click.option(
    "--names",
    metavar="image=input",
    multiple=True,
    help="Another name for an input or output. May be repeated.",
)
@click.option("--verify", is_flag=True, help="Run it in ONNX Runtime beside PyTorch.")
@click.option(
    "--at",
    metavar="H=224,W=224",
    multiple=True,
    help="Sizes at which to verify, in place of those that are chosen. May be repeated.",
)
@click.option(
    "--batch-sizes", metavar="1,3", help="Numbers of samples with which to verify; 1,3 by default."
)
@click.option("--profiles", is_flag=True, help="Print the trtexec command with its shapes.")
def export_command(file: str, output: str, **options: Any) -> None:
    """Write a network as ONNX that runs at every size of its contract.

    \b
    Examples:
      netdsl export examples/googlenet.net -o googlenet.onnx --verify
      netdsl export examples/unet.net -o unet.onnx --size H=512,W=512 --batch 1 --fp16
    """
    from netdsl.exporting import export

    if _is_same_file(file, output):
        raise click.BadParameter("this is the file to be exported", param_hint="--output")
    names = once((_rename(pair) for pair in options["names"]), "--names")
    check_rename(options)
    if output == "-" and options["profiles"]:
        raise click.UsageError("--profiles prints where `-o -` writes: name a file")
    at = [sizes_given([text], "--at") for text in options["at"]]
    batches = batches_given(options["batch_sizes"], "--batch-sizes")
    network = _load(file, options)
    target = Path("/dev/stdout" if output == "-" else output)
    try:
        export(network, target, names, {**options, "at": at, "batch_sizes": batches})
    except DiagnosticError as error:
        show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)


def _rename(pair: str) -> tuple[str, str]:
    old, mark, new = (part.strip() for part in pair.partition("="))
    if not mark or not old or not new:
        raise click.BadParameter(f"`{pair}` is not OLD=NEW", param_hint="--names")
    return old, new


@main.command("summary")
@click.argument("file", metavar="FILE")
@network_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv", "markdown"]), default="text"
)
@click.option("--depth", metavar="N", type=Whole(1), help="Fold blocks from there on.")
def summary_command(file: str, form: str, depth: int | None, **options: Any) -> None:
    """Print layers with shapes, neurons, connections, parameters, costs, receptive fields.

    \b
    Examples:
      netdsl summary examples/googlenet.net --size H=224,W=224
      netdsl summary examples/googlenet.net --size H=224,W=224 --depth 1
    """
    from netdsl.report import print_summary

    print_summary(_load(file, options), form, depth)


@main.command("draw")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.svg", required=True, help="svg, png, pdf, dot, html.")
@network_options
@draw_options
def draw_command(file: str, output: str, **options: Any) -> None:
    """Draw a network: blocks, layers, volumes, neurons.

    \b
    Examples:
      netdsl draw examples/googlenet.net -o googlenet.svg --size H=224,W=224
      netdsl draw examples/lenet.net -o lenet.png --level neurons --neuron 'conv2[0,4,4]'
      netdsl draw --diff examples/resnet50.net examples/resnet152.net -o deeper.svg
    """
    from netdsl.drawing import draw

    if _is_same_file(file, output):
        raise click.BadParameter("this is the file to be drawn", param_hint="--output")
    if options["old"] is not None and _is_same_file(options["old"], output):
        raise click.BadParameter("this is the file to compare with", param_hint="--output")
    if options["old"] == file == "-":
        raise click.BadParameter("only one of the two files can be `-`", param_hint="--diff")
    old = None
    if options["old"] is not None:
        old = _load(options["old"], _with_known_sizes(options["old"], file, options))
        options = _with_known_sizes(file, options["old"], options)
    network = _load(file, options)
    also = [] if old is None else [options["old"], *old.sources]
    check_not_read([output], [file, *network.sources, *also])
    draw(network, output, options, old)


@main.command("sizes")
@click.argument("file", metavar="FILE")
@network_options
@click.option(
    "--accepts", metavar="H=65,W=64", help="Whether these sizes work; exit code 1 if not."
)
@click.option(
    "--table", metavar="H=64..129:16", help="The shape of every named value, over a range of sizes."
)
@click.option(
    "--training", metavar="BATCH", type=Whole(1), help="For training with this batch size."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def sizes_command(
    file: str,
    accepts: str | None,
    table: str | None,
    training: int | None,
    form: str,
    **options: Any,
) -> None:
    """Say which input sizes a network takes, exactly.

    \b
    Examples:
      netdsl sizes examples/unet16.net --accepts H=65,W=64
      netdsl sizes examples/googlenet.net --table H=15..240:32
    """
    from netdsl.analyses.fixed import shapes
    from netdsl.report import UNSETTLED, acceptance, sizes_json, sizes_table, sizes_text

    if accepts is not None and table is not None:
        raise click.UsageError("--accepts and --table are two questions: ask one at a time")
    network = _load(file, options)
    sizes = network.sizes if training is None else network.sizes.training(training)
    if table is not None:
        if not sizes.symbols:
            message = f"the sizes of this network are fixed: {shapes(network.graph)}"
            raise click.BadParameter(message, param_hint="--table")
        points = range_given(table, sizes.symbols, "--table")
        click.echo(sizes_table(network.sizes.dims, sizes, points, form))
        return
    if accepts is None:
        click.echo(sizes_json(sizes) if form == "json" else sizes_text(network, sizes))
        if not sizes.is_settled:
            click.echo(UNSETTLED, err=True)
            sys.exit(WRONG_CALL)
        return
    wanted = sizes_given([accepts], "--accepts")
    try:
        ok, text = acceptance(network, sizes, wanted, form)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--accepts") from None
    click.echo(text)
    if not ok:
        sys.exit(WRONG_FILE)


@main.command("explain")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="All pages, as Markdown.")
def explain_command(code: str | None, everything: bool) -> None:
    """Tell what an error or warning means, with an example and its mended form; without CODE, list
    them.

    \b
    Example:
      netdsl explain shape-mismatch
    """
    from netdsl.diagnostics.pages import codes, listing, page
    from netdsl.report import all_pages, no_code

    width = shutil.get_terminal_size((100, 24)).columns
    if everything:
        click.echo(all_pages(), nl=False)
    elif code is None:
        click.echo(listing(width))
    elif code in codes():
        click.echo(page(code).text(min(width, 100)))
    else:
        raise click.BadParameter(no_code(code), param_hint="CODE")


@main.command("fmt")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit code 1 if a file would change."
)
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print what would change.")
def fmt_command(files: tuple[str, ...], only_check: bool, as_diff: bool) -> None:
    """Rewrite files in the canonical layout; comments stay, and so does what they say.

    `-` formats standard input to standard output. If one file is broken, none is changed.

    \b
    Examples:
      netdsl fmt examples/*.net
      netdsl fmt --check --diff examples/*.net
    """
    from netdsl.formatting import format_file

    try:
        formatted = [format_file(file) for file in files]
    except DiagnosticError as error:
        show(error.diagnostics, "text")
        sys.exit(WRONG_FILE)
    changed = [one for one in formatted if one.is_changed]
    for one in changed if as_diff else ():
        click.echo(one.diff(), nl=False)
    if only_check and not as_diff:
        click.echo("".join(f"{one.source.name} would change\n" for one in changed), nl=False)
    if only_check or as_diff:
        sys.exit(WRONG_FILE if changed and only_check else 0)
    for one in formatted:
        if one.source.name == "<stdin>":
            click.echo(one.text, nl=False)
        elif one.is_changed:
            one.write()
    if "-" not in files:
        same = len(formatted) - len(changed)
        click.echo(f"{len(changed)} formatted, {same} left as they were", err=True)


@main.command("layers")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All pages, as Markdown.")
@click.option(
    "--plugin", "plugins", metavar="MODULE|FILE.py", multiple=True, help="With its layers."
)
def layers_command(name: str | None, everything: bool, plugins: tuple[str, ...]) -> None:
    """Look up a layer or a block of the library; without NAME, list them.

    \b
    Example:
      netdsl layers conv
    """
    from netdsl.reference import looked_up

    try:
        width = shutil.get_terminal_size((100, 24)).columns
        click.echo(looked_up(name, width, plugins, everything=everything), nl=False)
    except KeyError as error:
        raise click.BadParameter(str(error.args[0]), param_hint="NAME") from None


def _is_same_file(file: str, output: str) -> bool:
    try:
        check_not_read([output], [file])
    except OverwriteError:
        return True
    return False
