"""What is wrong with a network that is drawn all the same, and where in the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from netdsl.backends.diagram.scene import Group, Item, Picture, Text, moved
from netdsl.diagnostics import Diagnostic, Span
from netdsl.ir.graph import Child, Graph, Node, Output, Scope, Value
from netdsl.ops.base import op_of
from netdsl.passes.copied import copied
from netdsl.passes.part import part_of

MOST_LISTED = 6
LONGEST_LISTED = 110
"""Letters of an error that is listed above a picture."""
TITLE, LINE, STEP, MARGIN = 12.0, 9.5, 13.0, 20.0

Errors = tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Flaws:
    """All errors, those of them that stand at nodes, and those at inputs."""

    errors: Errors
    at: Mapping[Node, Errors]
    inputs: Mapping[Value, Errors]

    def of(self, nodes: Iterable[Node]) -> Errors:
        """The errors at some nodes, each once."""
        return tuple({_key(d): d for node in nodes for d in self.at.get(node, ())}.values())

    def firsts(self) -> set[Node]:
        """For each error the first node it stands at."""
        found: dict[object, Node] = {}
        for node, errors in self.at.items():
            for error in errors:
                found.setdefault(_key(error), node)
        return set(found.values())

    @property
    def verdict(self) -> str:
        """`not checked: 2 errors`."""
        count = len(self.errors)
        return f"not checked: {count} error{'s' * (count != 1)}"


def flaws_of(
    graph: Graph, diagnostics: Sequence[Diagnostic], stumps: Mapping[Node, Errors]
) -> Flaws | None:
    """Where the errors of a draft stand; None if there are none.

    `stumps` are the errors of what could not be built; other errors are found by their spans.
    """
    errors = tuple(d for d in diagnostics if d.is_error)
    if not errors:
        return None
    keys = {_key(d) for d in errors}
    nodes = list(graph.nodes())
    at = {node: tuple(d for d in stumps.get(node, ()) if _key(d) in keys) for node in nodes}
    placed = {_key(d) for told in at.values() for d in told}
    inputs: dict[Value, Errors] = {}
    for error in errors:
        if _key(error) in placed:
            continue
        given = [item.value for item in graph.inputs if _is_in_line(error, item.value.span)]
        for value in given:
            inputs[value] = (*inputs.get(value, ()), error)
        for node in _nodes_at(error, nodes) if not given else ():
            at[node] = (*at[node], error)
    return Flaws(errors, {node: told for node, told in at.items() if told}, inputs)


def is_known(value: Value) -> bool:
    """Whether anything is known of a value: not so behind a stage that could not be built."""
    return value.producer is None or op_of(value.producer).is_built


def shape_text(value: Value) -> str:
    """`[64, H, W]`; `not known` behind a stage that could not be built."""
    return str(value.type) if is_known(value) else "not known"


def known_part(graph: Graph) -> Graph:
    """A draft without what could not be built: it ends where that would go on.

    Nodes and scopes are copies, so that each of them still lies in the graph that it names.
    """
    whole = copied(replace(graph.within or graph, requirements=()))
    if graph.within is None:
        return _without_stumps(whole)
    (scope,) = graph.root.children
    place = list(graph.within.root.scopes()).index(scope)  # type: ignore[arg-type]
    copy = list(whole.root.scopes())[place]
    return part_of(_without_stumps(whole), copy)


def _without_stumps(graph: Graph) -> Graph:
    """What could be built, with outputs where it is cut. Changes the scopes of the graph."""
    nodes = [node for node in graph.nodes() if op_of(node).is_built]
    stumps = [node for node in graph.nodes() if not op_of(node).is_built]
    _keep_built(graph.root)
    outputs = [o for o in graph.outputs if is_known(o.value)]
    taken = {value for node in nodes for value in node.inputs}.union(o.value for o in outputs)
    ends = dict.fromkeys(v for node in stumps for v in node.inputs if is_known(v))
    loose = (v for node in nodes for v in node.outputs if v not in taken)
    cut = [v for v in dict.fromkeys([*ends, *loose]) if v not in taken and v.producer is not None]
    for number, value in enumerate(cut, 1):
        outputs.append(Output(f"cut{number}", value, False, value.span))
    return replace(graph, outputs=tuple(outputs))


def _keep_built(scope: Scope) -> None:
    kept: list[Child] = []
    for child in scope.children:
        if isinstance(child, Scope):
            _keep_built(child)
            kept += [child] if child.children else []
        elif op_of(child).is_built:
            kept.append(child)
    scope.children[:] = kept


def _key(error: Diagnostic) -> tuple[str, Span | None]:
    return error.code, error.span


def _nodes_at(error: Diagnostic, nodes: Sequence[Node]) -> list[Node]:
    """The stages that an error speaks of: those around its place, the last in it or in its line."""
    span = error.span
    if span is None:
        return []
    around = [node for node in nodes if _holds(node.span, span)]
    if around:
        least = min(node.span.end - node.span.start for node in around)
        return _of_trail(error, [n for n in around if n.span.end - n.span.start == least])
    within = [node for node in nodes if _holds(span, node.span)] or [
        node for node in nodes if _is_in_line(error, node.span)
    ]
    return _of_trail(error, [n for n in within if n.span == within[-1].span]) if within else []


def _is_in_line(error: Diagnostic, span: Span) -> bool:
    at = error.span
    return at is not None and at.source is span.source and at.line == span.line


def _of_trail(error: Diagnostic, nodes: list[Node]) -> list[Node]:
    """Of nodes that are written at one place, those in the uses of blocks that the error names."""
    told = {label.span for label in error.secondary}
    shared = {n: sum(scope.span in told for scope in n.scope.around()) for n in nodes}
    return [node for node in nodes if shared[node] == max(shared.values())]


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.start <= inner.start and inner.end <= outer.end


def place_of(error: Diagnostic) -> str:
    """`line 12`; nothing for an error at no place."""
    return f"line {error.span.line}" if error.span is not None else ""


def with_verdict(picture: Picture, flaws: Flaws) -> Picture:
    """The picture below what is wrong: how many errors there are, and the first of them."""
    lines = [_listed(error) for error in flaws.errors[:MOST_LISTED]]
    if len(flaws.errors) > MOST_LISTED:
        lines.append(f"and {len(flaws.errors) - MOST_LISTED} more: `netdsl check` lists them")
    texts = [Text(MARGIN, MARGIN + TITLE * 0.8, flaws.verdict, TITLE, "wrong.line", True, "start")]
    for line in lines:
        y = texts[-1].y + STEP + (3 if len(texts) == 1 else 0)
        texts.append(Text(MARGIN, y, line, LINE, "wrong.line", False, "start"))
    data = (("checked", "no"), ("errors", str(len(flaws.errors))))
    banner: Item = Group(tuple(texts), id="verdict", css="verdict", data=data)
    down = texts[-1].y + 2 - MARGIN + STEP
    return replace(
        picture,
        width=max(picture.width, *(text.bounds()[2] + MARGIN for text in texts)),
        height=picture.height + down,
        description=f"{flaws.verdict}. {picture.description}",
        items=[banner, *(moved(item, 0, down) for item in picture.items)],
    )


def _listed(error: Diagnostic) -> str:
    """`line 12: shape-mismatch: ...`, shortened."""
    text = ": ".join(part for part in (place_of(error), error.code, error.message) if part)
    return text if len(text) <= LONGEST_LISTED else text[: LONGEST_LISTED - 1].rstrip() + "…"
