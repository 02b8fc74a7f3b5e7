"""Which parts of a network a text from a person names: by path, by pattern, by kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from netdsl.analyses.calls import as_written, call_paths
from netdsl.backends.diagram.options import DrawError
from netdsl.ir.graph import Child, Graph, Kind, Node, Scope
from netdsl.passes.part import part_of

MOST_NAMED = 4
"""Names that a message gives as examples."""


def is_named(pattern: str, path: str, definition: str = "") -> bool:
    """Whether a pattern is for a part: by its path (of one call or of all) or by its kind."""
    paths = path, as_written(path)
    return definition == pattern or any(fnmatchcase(path, pattern) for path in paths)


def parts_named(graph: Graph, pattern: str) -> list[Child]:
    """The blocks, labelled parts and layers that a pattern names, outer first, in their order.

    One whose path is the pattern goes before those that are only alike.
    """
    found: list[tuple[bool, Child]] = []
    inside = {*graph.root.scopes(), *graph.nodes()} if graph.within else None
    for child, path in call_paths(graph.within or graph).items():
        if inside is not None and child not in inside:
            continue
        definition = child.definition if isinstance(child, Scope) else ""
        if child.label and is_named(pattern, path, definition):
            found.append((path != pattern, child))
    return [child for _, child in sorted(found, key=lambda pair: pair[0])]


def part_asked(graph: Graph, pattern: str) -> tuple[Graph, list[str]]:
    """The part that `--only` names, as a graph, and remarks on it. Raises `DrawError`."""
    scopes = [part for part in parts_named(graph, pattern) if isinstance(part, Scope)]
    scopes = [scope for scope in scopes if scope.label and next(scope.nodes(), None) is not None]
    if not scopes:
        raise DrawError(_no_part(graph, pattern))
    paths = call_paths(graph)
    chosen = scopes[0]
    notes: list[str] = []
    if len(scopes) > 1 and paths[chosen] != pattern:
        notes.append(f"`{pattern}` names {len(scopes)} parts; drawn is the first, {paths[chosen]}")
    return part_of(graph, chosen), notes


def _no_part(graph: Graph, pattern: str) -> str:
    """The message for `--only` of what is not there, or is a layer."""
    layers = [part for part in parts_named(graph, pattern) if isinstance(part, Node)]
    if layers:
        inside = next((s for s in layers[0].scope.around() if s.label), None)
        way = f"its block is `{inside.path}`" if inside else "it stands in no block"
        return f"`--only` draws a block, and `{pattern}` is a layer; {way}"
    paths = call_paths(graph)
    named = {paths[s]: s for s in graph.root.scopes() if s.label and paths.get(s)}
    blocks = [path for path, scope in named.items() if scope.kind is Kind.BLOCK]
    kinds = dict.fromkeys(s.definition for s in named.values() if s.definition)
    return nothing_named(pattern, "part", [*blocks, *(p for p in named if p not in blocks)], kinds)


def nothing_named(
    pattern: str, what: str, paths: Sequence[str], kinds: Iterable[str] | Mapping[str, object] = ()
) -> str:
    """The message for a pattern that names nothing of these."""
    if not paths:
        return f"there is no {what} `{pattern}`: the network has none"
    near = get_close_matches(pattern, [*paths, *kinds], 3) or paths[:MOST_NAMED]
    return f"no {what} is `{pattern}`; there are, for example: {', '.join(near)}"
