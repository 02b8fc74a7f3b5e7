"""Tables and JSON of what a network is, for the command line."""

from __future__ import annotations

import json
import sys

from netdsl.network import Network


def summary_table(network: Network) -> None:
    """Print path, layer, shape, parameters, multiply-adds; a rich table on a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    summary = network.summary()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in "path", "layer", "output", "parameters", "multiply-adds":
        left = title in ("path", "layer", "output")
        table.add_column(title, justify="left" if left else "right", overflow="fold")
    for row in summary.rows:
        macs = f"{row.macs:,}" if isinstance(row.macs, int) else str(row.macs)
        path = f"{row.path} (training)" if row.training_only else row.path
        empty = row.macs == 0 if isinstance(row.macs, int) else False
        table.add_row(
            path, row.layer, row.output, f"{row.parameters:,}" if row.parameters else "",
            "" if empty else macs,
        )  # fmt: skip
    piped = not sys.stdout.isatty()
    console = Console(width=200 if piped else None, markup=False, highlight=False)
    console.print(table)
    console.print(summary.totals(), soft_wrap=True)
    if network.sizes.symbols:
        console.print(f"sizes: {network.sizes}", soft_wrap=True)


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
