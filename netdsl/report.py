"""Tables and JSON of what a network is, for the command line."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

import click

from netdsl.analyses.cost import Row, Summary
from netdsl.analyses.dims import Dims
from netdsl.analyses.fixed import mismatches, shapes
from netdsl.analyses.receptive_field import Reach
from netdsl.analyses.sizes import Sizes
from netdsl.analyses.table import LAYER, NUMBERS, TITLES, end_lines, two_lines_each
from netdsl.diagnostics.columns import clean
from netdsl.diagnostics.pages import codes, markdown, related
from netdsl.elaborate.suggest import asked, near
from netdsl.ir.dim import Size
from netdsl.network import Network

UNSETTLED = (
    "netdsl: these conditions are exact, but could not be worked out further within the bounds of "
    "the solver; --accepts H=65,W=64 answers for single sizes"
)


def all_pages() -> str:
    """docs/errors.md: the page of every code, with a list of them in front."""
    found = codes()
    listed = "\n".join(f"- [`{code}`](#{code})" for code in found)
    pages = "\n".join(markdown(code).replace("# ", "## ", 1) for code in found)
    return (
        "# Errors and warnings\n\nEach message carries a code. `netdsl explain CODE` shows its "
        f"page: what it means, an example, and the example mended.\n\n{listed}\n\n{pages}"
    )


def no_code(text: str) -> str:
    """What to say of a code that is none: those near in letters, else those with a word of it."""
    guesses = near(text, codes()) or related(text)[:4]
    return f"no code is `{text}`; {asked(guesses) or '`netdsl explain` lists all'}"


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
        click.echo(clean_lines(str(summary)))
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
    for line in end_lines(summary, names, console.width):
        console.print(clean(line), soft_wrap=True)


NARROWEST = 16
"""Letters that the column of layers has at least where it stands beside the others."""


def clean_lines(text: str) -> str:
    """Lines without control characters, which names in a file may hold."""
    return "\n".join(map(clean, text.split("\n")))


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
        said = (
            " x ".join(_axis_words(axis) for axis in field)
            for field in row["receptive_field"].values()
        )
        texts = {name: clean(text) for name, text in row.items() if isinstance(text, str)}
        writer.writerow(row | texts | {"receptive_field": "; ".join(said)})
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


def sizes_text(network: Network, sizes: Sizes) -> str:
    """The size contract in words; the shapes of the inputs where no size is open."""
    if network.sizes.symbols or not sizes.accepts():
        return str(sizes)
    return clean(f"{sizes}: {shapes(network.graph)}")


def sizes_json(sizes: Sizes) -> str:
    """The size contract as data."""
    data = {
        "symbols": list(sizes.symbols),
        "text": str(sizes),
        "settled": sizes.is_settled,
        "smallest": sizes.smallest(),
        "constraints": [
            {"condition": str(r.condition), "message": r.message, "place": str(r.span)}
            for r in sizes.constraints
        ],
    }
    return json.dumps(data, indent=2)


def acceptance(
    network: Network, sizes: Sizes, wanted: Mapping[str, int], form: str
) -> tuple[bool, str]:
    """Whether these sizes are taken, and `yes` or why not and which near them are.

    Raises `ValueError` for symbols that are not there or numbers that are no sizes.
    """
    is_fixed = not sizes.symbols
    asked = {} if is_fixed else wanted
    refusals = mismatches(network.graph, wanted) if is_fixed else []
    refusals += sizes.explain(**asked)
    if form == "json":
        near = sizes.nearest(**asked)
        data = {
            "accepts": not refusals,
            "refusals": refusals,
            "closest": near.closest,
            "down": near.down,
            "up": near.up,
        }
        return not refusals, json.dumps(data, indent=2)
    if not refusals:
        return True, clean(f"yes: {shapes(network.graph)}") if is_fixed else "yes"
    near = sizes.nearest(**asked)
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
        rows = [{"sizes": p, "shapes": found} for p, found in zip(points, tables, strict=True)]
        return json.dumps(rows, indent=2)
    columns = [["", *names]]
    for point, found in zip(points, tables, strict=True):
        title = " ".join(f"{name}={number}" for name, number in point.items())
        columns.append([title, *(found[name] if found else "-" for name in names)])
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
