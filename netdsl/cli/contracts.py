"""The size contract of a network as text and JSON: what it takes, and the shapes at sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from netdsl.analyses.dims import Dims
from netdsl.analyses.fixed import mismatches, shapes
from netdsl.analyses.sizes import Sizes
from netdsl.cli.shell import width
from netdsl.diagnostics.columns import clean
from netdsl.network import Network


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
