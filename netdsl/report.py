"""Tables and JSON of what a network is, for the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import click

from netdsl.analyses.cost import Summary
from netdsl.analyses.nearest import nearest
from netdsl.diagnostics.columns import clean
from netdsl.network import Network


def summary_table(network: Network) -> None:
    """Print path, layer, output, parameters, multiply-adds: a table on a terminal, else text."""
    summary = network.summary()
    if sys.stdout.isatty():
        _rich_table(summary)
    else:
        click.echo(clean_lines(str(summary)))
    if network.sizes.symbols:
        click.echo(f"sizes: {network.sizes}")


def _rich_table(summary: Summary) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in "path", "layer", "output", "parameters", "multiply-adds":
        is_text = title in ("path", "layer", "output")
        table.add_column(title, justify="left" if is_text else "right", overflow="fold")
    for cells in summary.cells():
        table.add_row(*map(clean, cells))
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(summary.totals(), soft_wrap=True)


def clean_lines(text: str) -> str:
    """Lines without control characters, which names in a file may hold."""
    return "\n".join(map(clean, text.split("\n")))


def summary_json(network: Network) -> str:
    """The same as data; formulas of symbolic sizes are strings."""
    summary = network.summary()
    rows = [
        {
            "path": row.path,
            "layer": row.layer,
            "output": row.output,
            "parameters": row.parameters,
            "macs": row.macs if isinstance(row.macs, int) else str(row.macs),
            "training_only": row.training_only,
        }
        for row in summary.rows
    ]
    macs = summary.macs if isinstance(summary.macs, int) else str(summary.macs)
    data = {
        "name": summary.name,
        "parameters": summary.parameters,
        "inference_parameters": summary.inference_parameters,
        "macs": macs,
        "layers": rows,
    }
    return json.dumps(data, indent=2)


def sizes_json(network: Network) -> str:
    """The size contract as data."""
    sizes = network.sizes
    data = {
        "symbols": list(sizes.symbols),
        "text": str(sizes),
        "smallest": sizes.smallest(),
        "constraints": [
            {"condition": str(r.condition), "message": r.message, "place": str(r.span)}
            for r in sizes.constraints
        ],
    }
    return json.dumps(data, indent=2)


def acceptance(
    network: Network, sizes: Mapping[str, int], refusals: Sequence[str], form: str
) -> str:
    """`yes`, or why these sizes are refused and which ones near them are not."""
    near = nearest(network.sizes, sizes) if refusals else dict(sizes)
    if form == "json":
        data = {"accepts": not refusals, "refusals": list(refusals), "nearest": near}
        return json.dumps(data, indent=2)
    if not refusals:
        return "yes"
    lines = [*map(clean, refusals)]
    if near:
        shown = ", ".join(f"{name} = {number}" for name, number in near.items())
        lines.append(f"nearest that works: {shown}")
    return "\n".join(lines)
