"""`netdsl sizes`: the size contract, whether it takes some sizes, and the shapes at many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from netdsl.analyses.dims import Dims
from netdsl.analyses.fixed import mismatches, shapes
from netdsl.analyses.sizes import Sizes
from netdsl.cli.fit_rule import rule_to_fit
from netdsl.cli.numerals import Whole, range_given, sizes_given
from netdsl.cli.options import (
    Chosen,
    WayToFit,
    fill_options,
    network_options,
    with_options,
)
from netdsl.cli.shell import WRONG_CALL, WRONG_FILE, width
from netdsl.diagnostics.columns import clean
from netdsl.ir.fitting import CORNER, PAD
from netdsl.network import Network

UNSETTLED = (
    "netdsl: these conditions are exact, but could not be worked out further within the bounds of "
    "the solver; --accepts H=65,W=64 answers for single sizes"
)


@click.command("sizes")
@click.argument("file", metavar="FILE")
@network_options
@click.option(
    "--accepts", metavar="H=65,W=64", help="Whether these sizes work; exit code 1 if not."
)
@click.option(
    "--table", metavar="H=64..129:16", help="The shape of every named value, over a range of sizes."
)
@click.option(
    "--training", metavar="BATCH", type=Whole(1), help="For training with this batch size."
)
@click.option("--pad", "is_padded", is_flag=True, help="How to pad any size to one that works.")
@with_options(fill_options)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(
    file: str,
    accepts: str | None,
    table: str | None,
    training: int | None,
    is_padded: bool,
    fill: str,
    align: str,
    form: str,
    chosen: Chosen,
) -> None:
    """Say which input sizes a network takes, exactly.

    \b
    Examples:
      netdsl sizes examples/unet16.net --accepts H=65,W=64
      netdsl sizes examples/googlenet.net --table H=15..240:32
      netdsl sizes examples/unet16.net --pad
    """
    if is_padded:
        _refuse_beside_pad(accepts, table, training)
    if accepts is not None and table is not None:
        raise click.UsageError("--accepts and --table are two questions: ask one at a time")
    network = chosen.load(file)
    if is_padded:
        click.echo(rule_to_fit(network, WayToFit(PAD, fill, align), form))
        return
    if fill != "zeros" or align != CORNER:
        raise click.UsageError("--fill and --align say how --pad pads")
    sizes = network.sizes if training is None else network.sizes.training(training)
    if table is not None:
        if not sizes.symbols:
            message = f"the sizes of this network are fixed: {shapes(network.graph)}"
            raise click.BadParameter(message, param_hint="--table")
        points = range_given(table, sizes.symbols, "--table")
        click.echo(_table(network.sizes.dims, sizes, points, form))
        return
    if accepts is None:
        click.echo(_json(sizes) if form == "json" else _text(network, sizes))
        if not sizes.is_settled:
            click.echo(UNSETTLED, err=True)
            sys.exit(WRONG_CALL)
        return
    wanted = sizes_given([accepts], "--accepts")
    try:
        is_taken, text = _acceptance(network, sizes, wanted, form)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--accepts") from None
    click.echo(text)
    if not is_taken:
        sys.exit(WRONG_FILE)


def _refuse_beside_pad(accepts: str | None, table: str | None, training: int | None) -> None:
    if accepts is not None or table is not None or training is not None:
        raise click.UsageError("--pad is a question of its own: ask one at a time")


def _text(network: Network, sizes: Sizes) -> str:
    """The size contract in words; the shapes of the inputs where no size is open."""
    if network.sizes.symbols or not sizes.accepts():
        return str(sizes)
    return clean(f"{sizes}: {shapes(network.graph)}")


def _json(sizes: Sizes) -> str:
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


def _acceptance(
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


def _table(dims: Dims, sizes: Sizes, points: Sequence[Mapping[str, int]], form: str) -> str:
    """The shape of every named value at each of these input sizes; `-` where it is refused.

    As text it is cut into stretches that fit the terminal's width.
    """
    names = dims.of_net()
    tables = [dims.at(p) if sizes.accepts(**p) else None for p in points]
    if form == "json":
        rows = [{"sizes": p, "shapes": table} for p, table in zip(points, tables, strict=True)]
        return json.dumps(rows, indent=2)
    columns = [["", *names]]
    for point, table in zip(points, tables, strict=True):
        title = " ".join(f"{name}={number}" for name, number in point.items())
        columns.append([title, *(table[name] if table else "-" for name in names)])
    return "\n\n".join(_stretches(columns, width()))


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
