"""`netdsl compile`: a network as PyTorch source."""

from __future__ import annotations

import click

from netdsl.cli.options import (
    Chosen,
    WayToFit,
    any_size_options,
    init_option,
    network_options,
)
from netdsl.cli.shell import check_output, write
from netdsl.files import check_not_read


@click.command("compile")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.py", help="Where to; standard output if left out.")
@network_options
@init_option
@any_size_options
def command(file: str, output: str | None, init: str, fits: WayToFit, chosen: Chosen) -> None:
    """Write a network as PyTorch source.

    \b
    Examples:
      netdsl compile examples/googlenet.net -o googlenet.py
      netdsl compile examples/unet16.net --any-size pad -o unet.py
    """
    check_output(output, file, "be compiled")
    network = fits.of(chosen.load(file))
    if output not in (None, "-"):
        check_not_read([output], [file, *network.sources])
    told = f"{network.name}, {network.parameters:,} parameters"
    write(output, network.torch_source(init=init), told)
