"""`netdsl fmt`: files in the canonical layout."""

from __future__ import annotations

import sys

import click

from netdsl.cli.shell import WRONG_FILE
from netdsl.formatting import format_file


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit code 1 if a file would change."
)
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; print what would change.")
def command(files: tuple[str, ...], only_check: bool, as_diff: bool) -> None:
    """Rewrite files in the canonical layout; comments stay, and so does what they say.

    `-` formats standard input to standard output. If one file is broken, none is changed.

    \b
    Examples:
      netdsl fmt examples/*.net
      netdsl fmt --check --diff examples/*.net
    """
    formatted = [format_file(file) for file in files]
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
