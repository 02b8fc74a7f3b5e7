"""`netdsl layers`: the reference of layers and blocks."""

from __future__ import annotations

import click

from netdsl.cli.options import plugin_option
from netdsl.cli.shell import width
from netdsl.ops.plugins import plugged
from netdsl.reference import layer_text, listing, manual


@click.command("layers")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All pages, as Markdown.")
@plugin_option("With its layers.")
def command(name: str | None, everything: bool, plugins: tuple[str, ...]) -> None:
    """Look up a layer or a block of the library; without NAME, list them.

    \b
    Example:
      netdsl layers conv
    """
    with plugged(plugins):
        if everything:
            click.echo(manual(), nl=False)
        elif name is None:
            click.echo(listing(width()))
        else:
            try:
                click.echo(layer_text(name, min(width(), 100)))
            except KeyError as error:
                raise click.BadParameter(str(error.args[0]), param_hint="NAME") from None
