"""`netdsl sizes`: the size contract, whether it takes some sizes, and the shapes at many."""

from __future__ import annotations

import sys

import click

from netdsl.analyses.fixed import shapes
from netdsl.cli.contracts import acceptance, sizes_json, sizes_table, sizes_text
from netdsl.cli.numerals import Whole, range_given, sizes_given
from netdsl.cli.options import Chosen, network_options
from netdsl.cli.shell import WRONG_CALL, WRONG_FILE

UNSETTLED = (
    "netdsl: these conditions are exact, but could not be worked out further within the bounds of "
    "the solver; --accepts H=65,W=64 answers for single sizes"
)


@click.command("sizes")
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
def command(
    file: str,
    accepts: str | None,
    table: str | None,
    training: int | None,
    form: str,
    chosen: Chosen,
) -> None:
    """Say which input sizes a network takes, exactly.

    \b
    Examples:
      netdsl sizes examples/unet16.net --accepts H=65,W=64
      netdsl sizes examples/googlenet.net --table H=15..240:32
    """
    if accepts is not None and table is not None:
        raise click.UsageError("--accepts and --table are two questions: ask one at a time")
    network = chosen.load(file)
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
        is_taken, text = acceptance(network, sizes, wanted, form)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--accepts") from None
    click.echo(text)
    if not is_taken:
        sys.exit(WRONG_FILE)
