"""`netdsl explain`: what an error or warning means."""

from __future__ import annotations

import click

from netdsl.cli.shell import width
from netdsl.diagnostics.pages import codes, listing, manual, page, related
from netdsl.elaborate.suggest import asked, near


@click.command("explain")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="All pages, as Markdown.")
def command(code: str | None, everything: bool) -> None:
    """Tell what an error or warning means, with an example and its correction; without CODE, list
    them.

    \b
    Example:
      netdsl explain shape-mismatch
    """
    if everything:
        click.echo(manual(), nl=False)
    elif code is None:
        click.echo(listing(width()))
    elif code in codes():
        click.echo(page(code).text(min(width(), 100)))
    else:
        guesses = near(code, codes()) or related(code)[:4]
        help = asked(guesses) or "`netdsl explain` lists all"
        raise click.BadParameter(f"no code is `{code}`; {help}", param_hint="CODE")
