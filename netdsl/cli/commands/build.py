"""`netdsl build`: all that a build file asks for, made again only where something changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from netdsl.cli.build.make import CURRENT, FAILED, Maker, Result
from netdsl.cli.build.plan import plan_of
from netdsl.cli.build.record import Record
from netdsl.cli.numerals import Whole
from netdsl.cli.shell import WRONG_FILE
from netdsl.diagnostics.columns import clean
from netdsl.files import read_source


@click.command("build")
@click.argument("file", metavar="[FILE]", default="netdsl.yaml")
@click.option("--only", metavar="NAME", multiple=True, help="This network alone. May be repeated.")
@click.option(
    "--jobs",
    metavar="N",
    type=Whole(1, 256),
    default=os.cpu_count() or 1,
    help="Networks at once; as many as there are cores by default.",
)
@click.option("--force", is_flag=True, help="Make all, changed or not.")
def command(file: str, only: Sequence[str], jobs: int, force: bool) -> None:
    """Make all targets of a build file, `netdsl.yaml` by default.

    \b
    Examples:
      netdsl build
      netdsl build examples/build/netdsl.yaml --only googlenet --force
    """
    source = read_source(file)
    folder = Path.cwd() if file == "-" else Path(file).resolve().parent
    plan = plan_of(source, folder)
    for name in only:
        if name not in plan.targets:
            message = f"there is no network `{name}`; there are {', '.join(plan.targets)}"
            raise click.BadParameter(message, param_hint="--only")
    names = list(dict.fromkeys(only)) or list(plan.targets)
    total = sum(len(plan.targets[name]) for name in names)
    record, told = Record(folder), _Progress(total)
    results = Maker(plan, record, told.tell).make(names, jobs, force=force)
    told.end()
    click.echo("\n".join(table(results)))
    if any(result.status == FAILED for result in results):
        sys.exit(WRONG_FILE)


class _Progress:
    """A line that moves on a terminal; elsewhere only what commands say."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.is_shown = sys.stderr.isatty()

    def tell(self, result: Result) -> None:
        self.done += 1
        if result.output and (result.status == FAILED or "warning[" in result.output):
            self.end()
            click.echo(result.output.rstrip(), err=True)
        if self.is_shown:
            text = f"{self.done} of {self.total}: {result.target.network} {result.target.kind}"
            click.echo(f"\r\x1b[K{clean(text)}", nl=False, err=True)

    def end(self) -> None:
        if self.is_shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def table(results: Sequence[Result]) -> list[str]:
    """A row for each target, and the counts."""
    rows = [("network", "target", "result", "time", "file")]
    for one in results:
        target = one.target
        seconds = "" if one.status == CURRENT else f"{one.seconds:.1f} s"
        rows.append((target.network, target.kind, one.status, seconds, str(target.file or "")))
    cells = [tuple(map(clean, row)) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    counts = {one.status: sum(r.status == one.status for r in results) for one in results}
    return [*lines, ", ".join(f"{count} {status}" for status, count in counts.items())]
