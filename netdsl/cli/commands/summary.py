"""`netdsl summary`: what a network holds and costs, layer by layer, as text or for tools."""

from __future__ import annotations

import csv
import json
import re
import sys
from io import StringIO
from typing import Any

import click

from netdsl.analyses.cost import Row, Summary
from netdsl.analyses.reach import Reach
from netdsl.analyses.table import LAYER, NUMBERS, TITLES, two_lines_each
from netdsl.cli.numerals import Whole
from netdsl.cli.options import Chosen, network_options
from netdsl.diagnostics.columns import clean
from netdsl.ir.dim import Size
from netdsl.network import Network

NARROWEST = 16
"""Letters that the column of layers has at least where it stands beside the others."""


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


def print_summary(network: Network, form: str, depth: int | None) -> None:
    """Print what a network holds and costs, as text, JSON, CSV or Markdown."""
    summary = network.summary(depth)
    if form == "text":
        _summary_text(network, summary)
    else:
        makers = {"json": _summary_json, "csv": _summary_csv, "markdown": _summary_markdown}
        click.echo(makers[form](summary), nl=False)


def _summary_text(network: Network, summary: Summary) -> None:
    """A table on a terminal, else text."""
    if sys.stdout.isatty():
        _rich_table(summary)
    else:
        click.echo("\n".join(map(clean, str(summary).split("\n"))))  # names may hold anything
    if network.sizes.symbols:
        click.echo(f"sizes: {network.sizes}")


def _rich_table(summary: Summary) -> None:
    """A table as wide as the terminal, of which no number is broken; else two lines a layer."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    names = summary.names()
    rows = [tuple(map(clean, cells)) for cells in summary.cells(names)]
    widths = [max(map(len, column)) for column in zip(TITLES, *rows, strict=True)]
    widths[LAYER] = min(widths[LAYER], NARROWEST)
    if sum(widths) + 3 * len(widths) > console.width:
        console.print("\n".join(two_lines_each(rows)), soft_wrap=True)
    else:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for index, title in enumerate(TITLES):
            justify = "right" if index in NUMBERS else "left"
            table.add_column(title, justify=justify, overflow="fold", no_wrap=index != LAYER)
        for cells in rows:
            table.add_row(*cells)
        console.print(table)
    for line in summary.end_lines(names, console.width):
        console.print(clean(line), soft_wrap=True)


def _plain(size: Size | None) -> int | str | None:
    """A number; a formula of symbolic sizes as text."""
    return size if size is None or isinstance(size, int) else str(size)


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "layer": row.layer,
        "output": row.output,
        "neurons": _plain(row.neurons),
        "connections": _plain(row.connections),
        "parameters": row.parameters,
        "macs": _plain(row.macs),
        "receptive_field": {
            name: [axis and _axis_data(axis) for axis in field]
            for name, field in row.fields.items()
        },
        "alive_bytes": _plain(row.alive),
        "training_only": row.training_only,
    }


def _axis_data(axis: Reach) -> dict[str, int | str | bool | None]:
    """Size, step and start; whether the size is a bound; and what it is far from the borders."""
    step = axis.stride
    is_whole = step is not None and step.denominator == 1
    data: dict[str, int | str | bool | None] = {
        "size": axis.size,
        "step": int(step) if step is not None and is_whole else None if step is None else str(step),
        "start": axis.start,
    }
    if axis.is_bound:
        data["is_bound"] = True
    if axis.unclipped is not None:
        data["unclipped"] = axis.unclipped
    return data


def _summary_json(summary: Summary) -> str:
    """The same as data; formulas of symbolic sizes are strings."""
    data = {
        "name": summary.name,
        "parameters": summary.parameters,
        "inference_parameters": summary.inference_parameters,
        "macs": _plain(summary.macs),
        "neurons": _plain(summary.neurons),
        "connections": _plain(summary.connections),
        "weighted_connections": _plain(summary.weighted_connections),
        "peak_bytes": summary.memory.peak,
        "peak_at": summary.memory.at,
        "inputs": [_row_data(row) for row in summary.inputs],
        "layers": [_row_data(row) for row in summary.rows],
    }
    return json.dumps(data, indent=2) + "\n"


def _summary_csv(summary: Summary) -> str:
    """A line each; a receptive field as `size step start`, axes parted by `x`, inputs by `;`."""
    text = StringIO()
    rows = [_row_data(row) for row in (*summary.inputs, *summary.rows)]
    writer = csv.DictWriter(text, list(_row_data(summary.inputs[0])), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        fields = (
            " x ".join(_axis_words(axis) for axis in field)
            for field in row["receptive_field"].values()
        )
        texts = {name: clean(text) for name, text in row.items() if isinstance(text, str)}
        writer.writerow(row | texts | {"receptive_field": "; ".join(fields)})
    return text.getvalue()


def _axis_words(axis: dict[str, object] | None) -> str:
    """`14 2 -2`, `at most 14 2 -2`, `64 4 -1 (212)`; `?` for what the sizes decide."""
    if axis is None:
        return "all"
    told = ("?" if axis[at] is None else str(axis[at]) for at in ("size", "step", "start"))
    text = "at most " * ("is_bound" in axis) + " ".join(told)
    return f"{text} ({axis['unclipped']})" if "unclipped" in axis else text


def _summary_markdown(summary: Summary) -> str:
    rows = [TITLES, tuple("--:" if i in NUMBERS else "---" for i, _ in enumerate(TITLES))]
    rows += [tuple(map(_markdown, row)) for row in summary.cells()]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\n{summary.totals()}; {summary.more()}\n"


def _markdown(text: str) -> str:
    """A text in a cell of a table that shows as it is."""
    safe = re.sub(r"[\\`*<|&~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", clean(text))
    return safe.replace("](", "]\\(")
