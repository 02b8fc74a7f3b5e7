"""The calls of a program in the modules of its author."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from netdsl.importers.onnx.model import Model, Node
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.scopes import scope_of
from netdsl.importers.program import Call, Input, Output, Path, Region, Table, Value


def root_of(model: Model, to: Reader, inputs: list[Input], outputs: list[Output]) -> Region:
    """The network, with what nothing uses left out."""
    root = Region((), "", model.origin)
    root.inputs = [one.value for one in inputs]
    root.input_names = [one.name for one in inputs]
    root.outputs = [one.value for one in outputs]
    items = _used(to.items, root.outputs)
    root.items += [item for _, item in items if isinstance(item, Table)]
    stack = [root]
    for node, item in items:
        if isinstance(item, Call):
            _enter(stack, scope_of(node) if node is not None else (), item)
            stack[-1].items.append(item)
    _flatten(root, Counter(one.path for one in _below(root)))
    _connect(root, root.outputs)
    return root


def _flatten(region: Region, times: Counter[Path]) -> None:
    """A module of one call is that call, under the module's path."""
    for n, item in enumerate(region.items):
        if not isinstance(item, Region):
            continue
        _flatten(item, times)
        (first, *others) = item.items
        if others or not isinstance(first, Call) or times[item.path] > 1:
            continue
        if not first.path or first.path == item.path:
            first.path = item.path if first.path or item.kind else ()
            region.items[n] = first


def _used(
    items: list[tuple[Node | None, Call | Table]], outputs: Iterable[Value]
) -> list[tuple[Node | None, Call | Table]]:
    """Without calls and tables whose results nothing takes."""
    wanted = set(outputs)
    used: list[tuple[Node | None, Call | Table]] = []
    for node, item in reversed(items):
        if isinstance(item, Table):
            if item.value in wanted:
                used.append((node, item))
        elif any(value in wanted for value in item.outputs):
            wanted.update(item.inputs)
            wanted.update(item.sized_by())
            used.append((node, item))
    return used[::-1]


def _enter(stack: list[Region], scope: tuple[tuple[Path, str], ...], call: Call) -> None:
    """Leave the modules that a call is not in, and enter those that it is in."""
    depth = 0
    while depth < len(scope) and depth + 1 < len(stack):
        inner = stack[depth + 1]
        if (inner.path, inner.kind) != scope[depth]:
            break
        depth += 1
    del stack[depth + 1 :]
    for path, kind in scope[depth:]:
        region = Region(path, kind, call.origin)
        stack[-1].items.append(region)
        stack.append(region)


def _connect(root: Region, outputs: list[Value]) -> None:
    """Let each region say which values flow in and out of it."""
    for region in _below(root):
        calls = list(region.calls())
        own = {value for call in calls for value in call.outputs}
        read = dict.fromkeys(
            value
            for call in calls
            for value in (*call.inputs, *call.sized_by())
            if value not in own
        )
        region.inputs = list(read)
    takers: dict[Value, list[Call]] = {}
    for call in root.calls():
        for value in (*call.inputs, *call.sized_by()):
            takers.setdefault(value, []).append(call)
    final = set(outputs)
    for region in _below(root):
        calls = list(region.calls())
        inside = {id(call) for call in calls}
        region.outputs = [
            value
            for call in calls
            for value in call.outputs
            if value in final or any(id(one) not in inside for one in takers.get(value, ()))
        ]


def _below(region: Region) -> Iterable[Region]:
    for item in region.items:
        if isinstance(item, Region):
            yield item
            yield from _below(item)
