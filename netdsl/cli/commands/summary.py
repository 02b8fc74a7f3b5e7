"""`netdsl summary`: what a network holds and costs, layer by layer."""

from __future__ import annotations

import click

from netdsl.cli.numerals import Whole
from netdsl.cli.options import Chosen, network_options
from netdsl.cli.summaries import print_summary


@click.command("summary")
@click.argument("file", metavar="FILE")
@network_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "csv", "markdown"]), default="text"
)
@click.option("--depth", metavar="N", type=Whole(1), help="Fold blocks from there on.")
def command(file: str, form: str, depth: int | None, chosen: Chosen) -> None:
    """Print layers with shapes, neurons, connections, parameters, costs, receptive fields.

    \b
    Examples:
      netdsl summary examples/googlenet.net --size H=224,W=224
      netdsl summary examples/googlenet.net --size H=224,W=224 --depth 1
    """
    print_summary(chosen.load(file), form, depth)
