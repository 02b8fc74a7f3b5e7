"""Joins of growing lists, as in DenseNets, as joins of a join and one value more.

`cat(a, b, c)` behind `cat(a, b)` is `cat(cat(a, b), c)`; and a join at the head of a region, of
values that all come from outside, belongs to what is around. So each layer takes one value.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from netdsl.importers.program import Call, Item, Program, Region, Value

Key = tuple[object, ...]


def with_nested_concats(program: Program) -> Program:
    """The program with joins in this form; the given one stays as it is."""
    if sum(call.layer == "concat" for call in program.root.calls()) < 2:
        return program
    users: dict[Value, set[Call]] = defaultdict(set)
    for call in program.root.calls():
        for value in (*call.inputs, *call.sized_by()):
            users[value].add(call)
    outputs = {one.value for one in program.outputs}
    root = _hoisted(program.root, users, outputs)
    return replace(program, root=_nested(root, {}))


def _hoisted(region: Region, users: dict[Value, set[Call]], outputs: set[Value]) -> Region:
    """A region in which joins stand before the regions that they are the heads of."""
    items: list[Item] = []
    for item in region.items:
        if not isinstance(item, Region):
            items.append(item)
            continue
        inner = _hoisted(item, users, outputs)
        calls = set(inner.calls())
        own = {value for call in calls for value in call.outputs}
        heads = [
            call
            for call in inner.items
            if isinstance(call, Call)
            and call.layer == "concat"
            and len(call.inputs) > 1
            and not own.intersection(call.inputs)
            and users[call.output] <= calls
            and call.output not in outputs
        ]
        items += heads
        inner.items = [one for one in inner.items if one not in heads]
        items.append(inner)
    return replace(region, items=items)


def _nested(region: Region, known: dict[Key, Value]) -> Region:
    """A region in which joins begin with those of fewer values before them."""
    items: list[Item] = []
    for item in region.items:
        if isinstance(item, Region):
            items.append(_nested(item, known))
        elif isinstance(item, Call) and item.layer == "concat":
            items.append(_begun(item, known))
        else:
            items.append(item)
    return replace(region, items=items)


def _begun(call: Call, known: dict[Key, Value]) -> Call:
    axis = repr(call.settings.get("axis"))
    values = tuple(call.inputs)
    inputs = list(values)
    for count in range(len(values) - 1, 1, -1):
        joined = known.get((axis, *values[:count]))
        if joined is not None:
            inputs = [joined, *values[count:]]
            break
    known.setdefault((axis, *values), call.output)
    return replace(call, inputs=inputs)
