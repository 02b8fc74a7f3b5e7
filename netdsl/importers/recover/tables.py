"""Weights that are no layer's own stand in the innermost region that their path and uses allow."""

from __future__ import annotations

from dataclasses import replace

from netdsl.importers.program import Call, Item, Program, Region, Table, Value


def with_tables_placed(program: Program) -> Program:
    """The program with each table in the region that it belongs to; the given one stays."""
    tables = list(program.root.tables())
    if not tables:
        return program
    users: dict[Value, set[Call]] = {table.value: set() for table in tables}
    for call in program.root.calls():
        for value in (*call.inputs, *call.sized_by()):
            if value in users:
                users[value].add(call)
    return replace(program, root=_placed(program.root, tables, users))


def _placed(region: Region, tables: list[Table], users: dict[Value, set[Call]]) -> Region:
    """A region with the tables that stand directly in it, or in regions in it."""
    own = list(tables)
    inner: list[Item] = []
    for item in region.items:
        if isinstance(item, Table):
            continue
        if isinstance(item, Region):
            calls = set(item.calls())
            depth = len(item.path)
            theirs = [
                table
                for table in own
                if table.path[:depth] == item.path
                and len(table.path) > depth
                and users[table.value]
                and users[table.value] <= calls
            ]
            own = [table for table in own if table not in theirs]
            inner.append(_placed(item, theirs, users))
        else:
            inner.append(item)
    return replace(region, items=[*own, *inner])
