"""Paths of layers: labels as written, counters for stages without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from netdsl.diagnostics import Label, Sink, Span
from netdsl.ir.graph import Graph, Kind, Node, Scope

NEVER_COUNTED = frozenset(["bfloat16"])
"""What a counter skips: names that end in a number, which no backend takes as a label."""


@dataclass(slots=True)
class Entry:
    """A stage that takes a place in a naming scope; `label` is empty where none is written."""

    target: Node | Scope
    label: str
    base: str
    span: Span


@dataclass(eq=False, slots=True)
class Naming:
    """Names the stages of one scope: a block, a net, a labelled group or body.

    `numbered` scopes (labelled groups and loops) call a stage without a label by its place,
    the others by its layer's name and a counter that skips the labels of the scope.
    """

    numbered: bool
    entries: list[Entry] = field(default_factory=list[Entry])
    variants: list[tuple[Node | Scope, str]] = field(default_factory=list[tuple[Node | Scope, str]])
    asides: list[tuple[Node, str]] = field(default_factory=list[tuple[Node, str]])

    def add(self, target: Node | Scope, label: str, base: str, span: Span) -> None:
        """Take the next place."""
        self.entries.append(Entry(target, label, base, span))

    def add_variant(self, target: Node | Scope, name: str) -> None:
        """Another module of a shared layer without weights: it takes no place."""
        self.variants.append((target, name))

    def add_aside(self, target: Node, name: str) -> None:
        """A step without weights that no line writes as a layer: it takes no place."""
        self.asides.append((target, name))

    def finish(self, sink: Sink) -> None:
        """Write the labels into the nodes and scopes; reports a label used twice."""
        taken: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.label:
                self._claim(entry, taken, sink)
        firsts = {label.split(".")[0] for label in taken}
        counters: Counter[str] = Counter()
        for place, entry in enumerate(self.entries):
            label = entry.label
            if not label:
                is_free = str(place) not in firsts or _has_weights(entry.target)
                label = (
                    str(place) if self.numbered and is_free else _next(entry.base, counters, firsts)
                )
            if self.numbered and not entry.label and label in taken:
                _twice(label, entry, taken[label], sink)
            entry.target.label = label
            taken.setdefault(label, entry)
        for target, name in self.variants:
            numbered = (f"{name}_{number}" for number in count(2))
            target.label = next(label for label in numbered if label not in taken)
            taken[target.label] = Entry(target, target.label, "", target.span)
        for target, name in self.asides:
            numbered = (f"{name}{number}" for number in count(1))
            target.label = next(label for label in numbered if label not in {*taken, *firsts})
            taken[target.label] = Entry(target, target.label, "", target.span)

    def _claim(self, entry: Entry, taken: dict[str, Entry], sink: Sink) -> None:
        if entry.label in taken:
            _twice(entry.label, entry, taken[entry.label], sink)
        taken.setdefault(entry.label, entry)


def _has_weights(part: Node | Scope) -> bool:
    """Whether a stage has a key below its name; one without leaves its place to a label."""
    nodes = (part,) if isinstance(part, Node) else part.nodes()
    return any(node.layer.weights for node in nodes)


def _next(base: str, counters: Counter[str], taken: set[str]) -> str:
    while True:
        counters[base] += 1
        label = f"{base}{counters[base]}"
        if label not in taken and label not in NEVER_COUNTED:
            return label


LOOPS = (Kind.REPEAT, Kind.FOR, Kind.FORK)
"""Scopes of which several parts may stand at one place of a file."""
KEYS = "a layer's path is its key in state_dict(), so each has its own"


def _twice(label: str, again: Entry, before: Entry, sink: Sink) -> None:
    if any(d.code == "bad-label" for d in sink.diagnostics):
        return  # what is called so has no path, and what else is wrong shows behind that
    turns = _turns_of(before.target, again.target)
    if turns:
        _in_turns(label, again, turns, sink)
        return
    sink.error(
        "path-taken",
        f"two layers have the path `{label}`",
        again.span,
        label="the second one",
        secondary=[Label(before.span, "the first one")] if before.span != again.span else (),
        notes=[KEYS],
        help="call one of them otherwise (`name2: ...`), leave its label out, or share one layer: "
        "`layer name = ...`",
    )


def _in_turns(label: str, again: Entry, turns: _Turns, sink: Sink) -> None:
    """One stage in a loop that is called alike in two of its turns; said once."""
    if any(d.code == "path-taken" and d.span == again.span for d in sink.diagnostics):
        return
    sink.error(
        "path-taken",
        f"turn {turns.first} and turn {turns.second} of this `{turns.word}` both make a layer with "
        f"the path `{label}`",
        again.span,
        label=f"written once, made in each of {turns.count} turns",
        secondary=[Label(turns.span, "what runs in each turn")],
        notes=[KEYS],
        help=turns.help(label.split(".")[0]),
    )


@dataclass(frozen=True, slots=True)
class _Turns:
    """Two turns of a loop, counted from 1, and how many it has."""

    word: str
    span: Span
    first: int
    second: int
    count: int

    def help(self, name: str) -> str:
        """What to write in place of a label that begins with this name."""
        is_word = name.isidentifier()
        label = f"`{name}[i]: ...` makes `{name}0`" if is_word else "`[i]: ...` makes `0`"
        if self.word == "for":
            return f"put what the `for` counts into the label ({label}), or leave the label out"
        return (
            f"count the turns, and put the number into the label: `for i in 0..{self.count} "
            f"{{ ... }}`, where {label}; or leave the label out: under a label of the loop "
            f"(`blocks: repeat {self.count} {{ ... }}`) stages are called `0`, `1`, ..."
        )


def _turns_of(one: Node | Scope, other: Node | Scope) -> _Turns | None:
    """The turns of a loop in which these two are the same text; None if they are not."""
    around = {inner.parent: inner for inner in _own(one).around()}
    for inner in _own(other).around():
        first, loop = around.get(inner.parent), inner.parent
        if first is None or loop is None:
            continue
        if first is inner or first.span != inner.span or loop.kind not in LOOPS:
            return None
        turns = [c for c in loop.children if isinstance(c, Scope) and c.span == inner.span]
        word = "repeat" if loop.kind is Kind.REPEAT else "for"
        numbers = turns.index(first) + 1, turns.index(inner) + 1
        return _Turns(word, inner.span, *numbers, len(turns))
    return None


def _own(part: Node | Scope) -> Scope:
    return part.scope if isinstance(part, Node) else part


def write_paths(graph: Graph, sink: Sink) -> None:
    """Join the labels to paths, outer ones first, and check that no two keys meet.

    Scopes are gone through in the order they run: a later call takes its paths from the first.
    """
    stack = [graph.root]
    while stack:
        scope = stack.pop()
        inner: list[Scope] = []
        for child in scope.children:
            _take_label_of_first_call(child)
            path = _below(scope.path, child.label)
            if isinstance(child, Node):
                if child.layer.calls[0] is child:
                    child.layer.path = path
                continue
            child.path = path if child.shares is None else child.shares.path
            inner.append(child)
        stack += reversed(inner)
    _check_keys(graph, sink)


def _take_label_of_first_call(child: Node | Scope) -> None:
    """Later calls of a shared layer are named as its first."""
    if isinstance(child, Scope) and child.shares is not None:
        child.label = child.shares.label
    if isinstance(child, Node):
        child.label = child.layer.calls[0].label


def _below(path: str, label: str) -> str:
    return f"{path}.{label}" if path and label else path or label


def _check_keys(graph: Graph, sink: Sink) -> None:
    """A path or key belongs to one layer, and nothing goes below a layer that has weights.

    Where two labels are equal that has been said already.
    """
    if any(diagnostic.code == "path-taken" for diagnostic in sink.diagnostics):
        return
    _check_paths(graph, sink)
    owners: dict[str, Entry] = {}
    for layer in graph.layers():
        for spec in layer.weights:
            key = layer.key(spec)
            call = layer.calls[0]
            if key in owners:
                _twice(key, Entry(call, "", "", call.span), owners[key], sink)
            owners.setdefault(key, Entry(call, "", "", call.span))
    nodes = (entry.target for entry in owners.values())
    holders = {n.path: n for n in nodes if isinstance(n, Node) and n.path}
    for path, span in _all_paths(graph):
        parts = path.split(".")
        for end in range(1, len(parts)):
            holder = holders.get(".".join(parts[:end]))
            if holder is not None:
                what = "layer" if holder.op.name else "weight"
                sink.error(
                    "path-taken",
                    f"`{path}` would lie inside the {what} `{holder.path}`",
                    span,
                    secondary=[Label(holder.span, f"this {what}")],
                    help="another label for one of the two",
                )


def _check_paths(graph: Graph, sink: Sink) -> None:
    """Labels with dots may meet what another label holds: `b: { f: relu } -> b.f: tanh`."""
    labelled: list[Node | Scope] = [s for s in graph.root.scopes() if s.label and s.shares is None]
    labelled += [layer.calls[0] for layer in graph.layers() if layer.calls[0].label]
    taken: dict[str, Entry] = {}
    for part in labelled:
        entry = Entry(part, part.label, "", part.span)
        if part.path in taken:
            _twice(part.path, entry, taken[part.path], sink)
        taken.setdefault(part.path, entry)
    _check_bodies([graph.root, *(part for part in labelled if isinstance(part, Scope))], sink)


def _check_bodies(scopes: Sequence[Scope], sink: Sink) -> None:
    """A body can't put something into another one that is made later, outside of it."""
    members = [(scope, member) for scope in scopes for member in scope.members()]
    makers = {m.path: (scope, m.span) for scope, m in members if isinstance(m, Scope)}
    for scope, member in members:
        above = member.path
        while len(above) > len(scope.path) and (above := above.rpartition(".")[0]):
            maker, span = makers.get(above, (scope, member.span))
            if len(maker.path) < len(scope.path) < len(above):
                sink.error(
                    "path-taken",
                    f"`{member.path}` would lie in `{above}`, made outside of `{scope.path}`",
                    member.span,
                    secondary=[Label(span, "this one")],
                    help="write both in the same braces, or give one of them another label",
                )


def _all_paths(graph: Graph) -> list[tuple[str, Span]]:
    paths = [(node.path, node.span) for node in graph.nodes()]
    paths += [
        (scope.path, scope.span)
        for scope in graph.root.scopes()
        if scope.kind is not Kind.NET and scope.label
    ]
    return paths
