"""What each call of a shared layer or block is called, so that a drawing tells them apart."""

from __future__ import annotations

import re
from collections import Counter

from netdsl.ir.graph import Child, Graph, Node, Scope

_CALL = re.compile(r" \(call \d+\)")


def call_paths(graph: Graph) -> dict[Child, str]:
    """The path of each node and scope; a later call of one path is `s (call 2)`.

    What stands in a later call is below it: `s (call 2).conv`.
    """
    paths: dict[Child, str] = {graph.root: graph.root.path}
    seen: Counter[str] = Counter()
    stack: list[tuple[Node | Scope, Scope]] = [(c, graph.root) for c in graph.root.children[::-1]]
    while stack:
        child, around = stack.pop()
        path, outer = child.path, paths[around]
        if around.path and path.startswith(f"{around.path}."):
            path = outer + path[len(around.path) :]
        if not child.label:  # a group, or the merge of a fork that has a label, adds nothing
            path = outer
        else:
            seen[path] += 1
            path += f" (call {seen[path]})" if seen[path] > 1 else ""
        paths[child] = path
        if isinstance(child, Scope):
            stack += [(inner, child) for inner in child.children[::-1]]
    return paths


def as_written(path: str) -> str:
    """The path without the numbers of calls, as the file and a checkpoint have it."""
    return _CALL.sub("", path)
