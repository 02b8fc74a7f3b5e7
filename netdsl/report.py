"""Tables and JSON of what a network is, for the command line."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from netdsl.analyses.cost import Summary
from netdsl.analyses.dims import Dims
from netdsl.analyses.sizes import Sizes
from netdsl.diagnostics.columns import clean
from netdsl.diagnostics.pages import codes, markdown
from netdsl.network import Network


def all_pages() -> str:
    """docs/errors.md: the page of every code, with a list of them in front."""
    found = codes()
    listed = "\n".join(f"- [`{code}`](#{code})" for code in found)
    pages = "\n".join(markdown(code).replace("# ", "## ", 1) for code in found)
    return (
        "# Errors and warnings\n\nEach message carries a code. `netdsl explain CODE` shows its "
        f"page: what it means, an example, and the example mended.\n\n{listed}\n\n{pages}"
    )


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


def sizes_json(sizes: Sizes) -> str:
    """The size contract as data."""
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


def acceptance(sizes: Sizes, wanted: Mapping[str, int], form: str) -> tuple[bool, str]:
    """Whether these sizes are taken, and `yes` or why not and which near them are.

    Raises `ValueError` for symbols that are not there or numbers that are no sizes.
    """
    refusals = sizes.explain(**wanted)
    if form == "json":
        near = sizes.nearest(**wanted)
        data = {
            "accepts": not refusals,
            "refusals": refusals,
            "closest": near.closest,
            "down": near.down,
            "up": near.up,
        }
        return not refusals, json.dumps(data, indent=2)
    if not refusals:
        return True, "yes"
    near = sizes.nearest(**wanted)
    lines = [*map(clean, refusals)]
    lines += [f"crop to {_point(near.down)}"] if near.down else []
    lines += [f"pad to {_point(near.up)}"] if near.up else []
    if near.closest and not (near.down or near.up):
        lines.append(f"nearest that works: {_point(near.closest)}")
    return False, "\n".join(lines)


def _point(point: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {number}" for name, number in point.items())


def sizes_table(dims: Dims, sizes: Sizes, points: Sequence[Mapping[str, int]], form: str) -> str:
    """The shape of every named value at each of these input sizes; `-` where it is refused.

    As text it is cut into stretches that fit the terminal's width.
    """
    names = dims.of_net()
    tables = [dims.at(p) if sizes.accepts(**p) else None for p in points]
    if form == "json":
        rows = [{"sizes": p, "shapes": shapes} for p, shapes in zip(points, tables, strict=True)]
        return json.dumps(rows, indent=2)
    columns = [["", *names]]
    for point, shapes in zip(points, tables, strict=True):
        title = " ".join(f"{name}={number}" for name, number in point.items())
        columns.append([title, *(shapes[name] if shapes else "-" for name in names)])
    return "\n\n".join(_stretches(columns, shutil.get_terminal_size((100, 24)).columns))


def _stretches(columns: list[list[str]], width: int) -> Iterator[str]:
    """Tables of the first column and as many of the others as fit beside it."""
    first, *rest = columns
    while rest:
        taken, room = [first], width - max(map(len, first))
        while rest and (len(taken) == 1 or room >= max(map(len, rest[0])) + 2):
            room -= max(map(len, rest[0])) + 2
            taken.append(rest.pop(0))
        widths = [max(map(len, column)) for column in taken]
        lines = (
            "  ".join(f"{clean(cell):<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in zip(*taken, strict=True)
        )
        yield "\n".join(lines)
