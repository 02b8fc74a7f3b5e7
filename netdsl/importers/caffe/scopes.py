"""Layers whose names begin alike as parts of the network: `fire2/squeeze`, `fire2/relu`."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

from netdsl.diagnostics import Span
from netdsl.importers.caffe.network import Reading
from netdsl.importers.program import Call, Item, Region, Table, Value


def root_of(reading: Reading, span: Span) -> Region:
    """The calls of a network, those of one scope together."""
    runs = [
        (scope, [item for _, item in group])
        for scope, group in groupby(reading.writer.items, key=lambda pair: scope_of(pair[0]))
    ]
    times = Counter(scope for scope, _ in runs)
    kinds = Counter(kind_of(scope) for scope, count in times.items() if scope and count == 1)
    root = Region((), "", span)
    for scope, items in runs:
        kind = kind_of(scope)
        is_whole = scope != "" and times[scope] == 1 and len(items) > 1
        if not is_whole or kinds[kind] < 2 or any(isinstance(item, Table) for item in items):
            root.items += items
            continue
        calls = [item for item in items if isinstance(item, Call)]
        region = Region((scope,), kind, calls[0].origin, items=list(items))
        region.settings = widths(calls)
        root.items.append(region)
    root.inputs = [one.value for one in reading.inputs]
    root.outputs = [one.value for one in reading.outputs]
    bordered(root)
    return root


def widths(calls: list[Call]) -> dict[str, object]:
    """The channels of each layer by its name, as names for what differs: `ch3x3_reduce`."""
    found: dict[str, object] = {}
    for call in calls:
        width = call.settings.get("channels", call.settings.get("features"))
        if width is not None and call.path:
            name = re.sub(r"[^A-Za-z0-9_]", "_", "_".join(call.path[1:]))
            found[f"ch{name}" if name[:1].isdigit() else name] = width
    return found


def scope_of(name: str) -> str:
    """What stands before the first slash of a name; empty where there is none."""
    scope, slash, _ = name.partition("/")
    return scope if slash else ""


def kind_of(scope: str) -> str:
    """A scope's name without its number, as a class: `inception_3a` gives `Inception`."""
    words = re.findall(r"[A-Za-z]+", re.sub(r"[_-]?[0-9]+[a-z]?$", "", scope))
    return "".join(word[0].upper() + word[1:] for word in words)


def bordered(root: Region) -> None:
    """Say for each region which values it takes, and which it gives."""
    takers: dict[Value, set[Item | None]] = {}
    for item in root.items:
        for call in item.calls() if isinstance(item, Region) else [item]:
            for value in taken(call):
                takers.setdefault(value, set()).add(item)
    for value in root.outputs:
        takers.setdefault(value, set()).add(None)
    for item in root.items:
        if isinstance(item, Region):
            own = [value for call in item.calls() for value in call.outputs]
            used = [value for call in item.calls() for value in taken(call)]
            item.inputs = list(dict.fromkeys(value for value in used if value not in own))
            item.outputs = [value for value in own if takers.get(value, set()) - {item}]


def taken(item: Item) -> list[Value]:
    """The values that a call takes."""
    return [*item.inputs, *item.sized_by()] if isinstance(item, Call) else []
