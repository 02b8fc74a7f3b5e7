"""`netdsl check`: the diagnostics of files, and their safe fixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from netdsl.cli.options import Chosen, check_rename, network_options, rename_option
from netdsl.cli.shell import fail, show
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.diagnostics.reading import reason
from netdsl.driver import Loading, check
from netdsl.fixing import fix_file
from netdsl.importers.frontend import is_foreign


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@network_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text"
)
@click.option("--fix", is_flag=True, help="Apply the fixes that are safe, in place.")
@click.option("--weights", metavar="FILE", help="Whether this checkpoint loads by name.")
@rename_option
def command(
    files: tuple[str, ...],
    form: str,
    fix: bool,
    weights: str | None,
    rename: Mapping[str, str] | None,
    chosen: Chosen,
) -> None:
    """Check files: syntax, names, every shape, every size.

    \b
    Examples:
      netdsl check examples/*.net
      netdsl check examples/resnet50.net --weights resnet50.safetensors
    """
    check_rename(rename, weights)
    if fix and weights:
        raise click.UsageError("--fix and --weights: one at a time")
    if fix and any(map(is_foreign, files)):
        raise click.BadParameter("`.net` files alone can be changed", param_hint="--fix")
    if fix and "-" in files:
        raise click.BadParameter("standard input can't be changed", param_hint="--fix")
    diagnostics: list[Diagnostic] = []
    for file in files:
        chosen.check_inputs(file)
        if fix:
            diagnostics += _fixed(file, chosen.how)
        else:
            diagnostics += check(file, weights=weights, rename=rename, **chosen.how)
    show(diagnostics, form, err=False)
    if form == "text" and not diagnostics:
        click.echo(f"{len(files)} file{'s' * (len(files) > 1)} checked, nothing found")
    chosen.end_if_wrong(diagnostics)


def _fixed(file: str, how: Loading) -> Sequence[Diagnostic]:
    """What is left to say of a file after its safe fixes."""
    try:
        fixed = fix_file(file, **how)
    except DiagnosticError as error:
        return error.diagnostics
    except OSError as error:
        fail(f"can't write {file}: {reason(error)}")
    if fixed.fixes:
        click.echo(f"{file}: {fixed.fixes} fix{'es' * (fixed.fixes > 1)} applied", err=True)
    return fixed.diagnostics
