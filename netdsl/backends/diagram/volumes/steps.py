"""A network as volumes: layers folded with what follows them in place, blocks as one step each.

Every node that runs at inference is in exactly one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import prod

from netdsl.analyses.calls import call_paths
from netdsl.backends.diagram.example_size import Numbers
from netdsl.backends.diagram.naming import is_named
from netdsl.ir.graph import Child, Graph, Kind, Node, Scope, Uses, Value
from netdsl.ops.base import op_of

MANY_LAYERS = 16
LONG_ROW = 4
MOST_AXES = 4
"""Channels, and up to three of space."""


@dataclass(eq=False, slots=True)
class Step:
    """A volume: what makes it (`nodes`, in the order they run) and what flows in.

    `node` is the layer that gives the volume its shape; None for an input of the network and for
    a block, whose `scope` is given. `reads` are the values it takes, `joined` the sources of a
    concat or sum that is drawn with the layer before it. `count` equal steps are drawn as one.
    `hidden` are layers that no word tells of.
    """

    nodes: list[Node]
    output: Value
    node: Node | None = None
    scope: Scope | None = None
    reads: tuple[Value, ...] = ()
    sources: list[Step] = field(default_factory=list)
    join: Node | None = None
    copies: list[Step] = field(default_factory=list)
    name: str = ""
    hidden: Set[Node] = frozenset()

    @property
    def count(self) -> int:
        return 1 + len(self.copies)

    @property
    def is_input(self) -> bool:
        return not self.nodes

    @property
    def family(self) -> str:
        """The family of the layer; `block`, `input`."""
        if self.node is None:
            return "block" if self.nodes else "input"
        return self.node.op.family

    @property
    def shown(self) -> Value:
        """The value that is drawn: the result, or what is split into several."""
        if (
            self.node is not None
            and len(self.node.outputs) > 1
            and self.output in self.node.outputs
        ):
            return self.node.inputs[0]
        return self.output

    def covered(self) -> Iterator[Node]:
        """All nodes it stands for."""
        for step in (self, *self.copies):
            yield from step.nodes


def flowing(node: Node) -> tuple[Value, ...]:
    """What a node computes on: no weights, no values of which it takes the size alone."""
    return tuple(value for _, value in node.data_inputs() if value.type.batched)


def is_in_place(node: Node) -> bool:
    """Whether a layer changes the numbers of a volume and not the volume."""
    values = flowing(node)
    if len(values) != 1 or len(node.outputs) != 1:
        return False
    return op_of(node).in_place and values[0].type.shape == node.output.type.shape


def steps_of(
    graph: Graph, numbers: Numbers, expand: Sequence[str] = (), opens_u: bool = True,
    hidden: Set[Node] = frozenset(),
) -> list[Step]:  # fmt: skip
    """The volumes in the order they are computed.

    Blocks whose path matches one of `expand` are opened; with `opens_u` also those that go down
    and up.
    """
    uses = graph.inference_uses
    shut = _Shutting(graph, numbers, expand, opens_u)
    inputs = [Step([], item.value, name=item.name) for item in graph.inputs]
    steps = _joined(_absorbed(list(shut.pieces(graph.root)), uses, hidden), uses)
    maker = {step.output: step for step in inputs}
    for step in steps:
        maker.update((value, step) for node in step.nodes for value in node.outputs)
    for step in steps:
        step.sources = list(dict.fromkeys(maker[v] for v in step.reads if v in maker))
    read = {source for step in steps for source in step.sources}
    every = [step for step in inputs if step in read] + steps
    for step in every:
        step.hidden = hidden
    _name(every, call_paths(graph.within or graph))
    return _repeats(every, uses, numbers)


def is_meant(scope: Scope, pattern: str) -> bool:
    """Whether a pattern of `--expand` is for this block: by its path or by its kind."""
    return is_named(pattern, scope.path, scope.definition)


class _Shutting:
    """Which scopes are one volume: those whose inside is no chain, or can't be drawn."""

    def __init__(
        self, graph: Graph, numbers: Numbers, expand: Sequence[str], opens_u: bool
    ) -> None:
        self.running, self.uses = graph.inference_nodes(), graph.inference_uses
        self.numbers, self.expand, self.opens_u = numbers, expand, opens_u
        self.whole = graph.root.children[:1] if graph.within is not None else []
        """The part of a network that is drawn, which is open."""
        self.definitions: set[str] = set()

    def pieces(self, root: Scope) -> Iterator[Step]:
        """The steps, nothing folded yet."""
        for scope in root.scopes():
            if scope.kind is Kind.BLOCK and (
                self._branches(scope) or self._is_row(scope) or self._is_beyond_drawing(scope)
            ):
                self.definitions.add(scope.definition)
        yield from self._inside(root)

    def _inside(self, scope: Scope) -> Iterator[Step]:
        for child in scope.children:
            if isinstance(child, Node):
                if child in self.running:
                    yield Step([child], child.outputs[0], child, None, flowing(child))
            elif self._is_shut(child):
                yield self._block(child)
            else:
                yield from self._inside(child)

    def _running(self, scope: Scope) -> list[Node]:
        return [node for node in scope.nodes() if node in self.running]

    def _results(self, nodes: Sequence[Node]) -> list[Value]:
        """The values of these nodes that others read; no weights."""
        inside = set(nodes)
        values = (value for node in nodes for value in node.outputs if value.type.batched)
        return [value for value in values if self.uses.leaves(value, inside)]

    def _is_shut(self, scope: Scope) -> bool:
        if scope.kind is Kind.BLOCK:
            wanted = scope.definition in self.definitions
        else:
            wanted = scope.kind is Kind.FORK and self._branches(scope)
        nodes = self._running(scope)
        is_opened = self._is_whole(scope) or any(is_meant(scope, p) for p in self.expand)
        if not wanted or len(nodes) < 2 or is_opened:
            return False
        if self.opens_u and self._is_hourglass(nodes):
            return False
        return len(self._results(nodes)) == 1

    def _is_whole(self, scope: Scope) -> bool:
        """Whether it is the part of a network that is drawn, or branches of this alone."""
        home = scope.home() if scope.kind is Kind.FORK else scope
        return scope in self.whole or home in self.whole

    def _branches(self, scope: Scope) -> bool:
        """Whether the members are no chain, each reading the one before alone."""
        members = [self._flow(m) for m in _members(scope)]
        members = [(reads, makes) for reads, makes in members if makes]
        outside: set[Value] = set()
        previous: set[Value] = set()
        every = {value for _, makes in members for value in makes}
        for number, (reads, _) in enumerate(members):
            inner, outer = reads & every, reads - every
            if outside & outer or (number and (not inner or not inner <= previous)):
                return True
            outside |= outer
            previous = members[number][1]
        return False

    def _is_row(self, scope: Scope) -> bool:
        """Whether it is one kind of block after the other, of differing widths."""
        kinds = [m.definition if isinstance(m, Scope) else "" for m in _members(scope)]
        return len(kinds) >= LONG_ROW and len(set(kinds)) == 1 and kinds[0] != ""

    def _is_beyond_drawing(self, scope: Scope) -> bool:
        """Whether a layer in it gives more axes than a volume has."""
        layers = (m for m in _members(scope) if isinstance(m, Node) and m in self.running)
        return any(len(value.type.shape) > MOST_AXES for m in layers for value in m.outputs)

    def _flow(self, member: Node | Scope) -> tuple[set[Value], set[Value]]:
        nodes = [member] if isinstance(member, Node) else list(member.nodes())
        nodes = [n for n in nodes if n in self.running and flowing(n)]
        makes = {value for node in nodes for value in node.outputs}
        return {v for node in nodes for v in flowing(node)} - makes, makes

    def _is_hourglass(self, nodes: Sequence[Node]) -> bool:
        """Whether maps grow in there, to the size of what came in, which was pooled inside."""
        grown = [n for n in nodes if op_of(n).zoom > 0 and self._grows(n)]
        shrunk = [n for n in nodes if len(n.outputs) == 1 and flowing(n) and self._shrinks(n)]
        return bool(grown and shrunk)

    def _grows(self, node: Node) -> bool:
        small, big = self.numbers.shape(node.inputs[0]), self.numbers.shape(node.outputs[0])
        return len(small) == len(big) and 1 < prod(small[1:]) < prod(big[1:])

    def _shrinks(self, node: Node) -> bool:
        big, small = self.numbers.shape(flowing(node)[0]), self.numbers.shape(node.output)
        return len(small) == len(big) and 1 < prod(small[1:]) < prod(big[1:])

    def _block(self, scope: Scope) -> Step:
        nodes = self._running(scope)
        inner = {value for node in nodes for value in node.outputs}
        reads = dict.fromkeys(v for node in nodes for v in flowing(node) if v not in inner)
        (result,) = self._results(nodes)
        return Step(nodes, result, None, scope, tuple(reads))


def _members(scope: Scope) -> Iterator[Node | Scope]:
    """What stands in a scope, with scopes that only pass a chain on looked through."""
    for child in scope.children:
        if (
            isinstance(child, Scope) and child.kind in (Kind.IF, Kind.REPEAT, Kind.FOR, Kind.TURN)
        ) or (isinstance(child, Scope) and child.kind is Kind.FORK):
            yield from _members(child)
        else:
            yield child


def _absorbed(pieces: list[Step], uses: Uses, hidden: Set[Node]) -> list[Step]:
    """Layers that work in place go with the layer before them, or else with the one behind.

    Hidden ones go with whatever stands before them.
    """
    maker: dict[Value, Step] = {}
    remaining: list[Step] = []
    for step in pieces:
        node = step.node
        before = maker.get(step.reads[0]) if step.reads else None
        if node is not None and not step.reads:
            pass  # a weight goes with what reads it
        elif node is not None and before is not None and is_in_place(node):
            fits = before.node is not None and not is_in_place(before.node)
            if (fits or node in hidden) and uses.only_reader(before.output) is not None:
                before.nodes.append(node)
                before.output = node.output
                maker[node.output] = before
                continue
        remaining.append(step)
        maker.update((value, step) for n in step.nodes for value in n.outputs)
    return _waiting(remaining, uses)


def _waiting(steps: list[Step], uses: Uses) -> list[Step]:
    """What works in place and could not go with the layer before goes with the one behind."""
    reader = {value: step for step in steps for n in step.nodes for value in n.inputs}
    remaining: list[Step] = []
    waiting: dict[Step, list[Step]] = {}
    done: set[Step] = set()
    for step in steps:
        for early in waiting.pop(step, []):
            step.nodes[:0] = early.nodes
            swap = {early.output: early.reads}
            step.reads = tuple(v for r in step.reads for v in swap.get(r, (r,)))
        target = reader.get(step.output)
        if target is not None and target in done and not step.reads:
            target.nodes[:0] = step.nodes  # a weight of a layer that went with one before it
            continue
        done.add(step)
        light = step.node is not None and (not step.reads or is_in_place(step.node))
        if light and target is not None and target is not step and _may_wait(step, uses):
            waiting.setdefault(target, []).append(step)
        elif light and target is None and remaining and step.reads and _ends(remaining, step, uses):
            continue
        else:
            remaining.append(step)
    return remaining


def _may_wait(step: Step, uses: Uses) -> bool:
    return not step.reads or uses.only_reader(step.output) is not None


def _ends(steps: list[Step], step: Step, uses: Uses) -> bool:
    """An activation at the end of the network goes with the block before it."""
    before = next((s for s in steps if s.output is step.reads[0]), None)
    if before is None or uses.only_reader(before.output) is None:
        return False
    before.nodes += step.nodes
    before.output = step.output
    return True


def _joined(steps: list[Step], uses: Uses) -> list[Step]:
    """A map that grows to be joined with another is drawn as part of the join."""
    maker = {step.output: step for step in steps}
    gone: set[Step] = set()
    for step in steps:
        node = step.node
        if node is None or node.op.family != "merging" or len(step.reads) != 2:
            continue
        makers = [maker.get(value) for value in step.reads]
        grown = [m for m in makers if m is not None and _is_growing(m)]
        if len(grown) != 1 or uses.only_reader(grown[0].output) is None or grown[0] in gone:
            continue
        (small,) = grown
        gone.add(small)
        others = tuple(v for v in step.reads if v is not small.output)
        step.join, step.node = node, small.node
        step.nodes[:0] = small.nodes
        step.reads = (*small.reads, *others)
    return [step for step in steps if step not in gone]


def _is_growing(step: Step) -> bool:
    return step.node is not None and op_of(step.node).zoom > 0 and step.join is None


def _name(steps: Iterable[Step], paths: Mapping[Child, str]) -> None:
    """A step is called after the largest scope that is all in it, else after its layer."""
    seen: dict[str, int] = {}
    for step in steps:
        if step.is_input:
            continue
        if step.scope is None:
            step.scope = _own_scope(step)
        anchor = step.join or step.node or step.nodes[-1]
        named = step.scope if step.scope is not None and step.scope.label else anchor
        path = paths[named] or paths[anchor] or anchor.output.name or anchor.op.name
        seen[path] = seen.get(path, 0) + 1
        step.name = path if seen[path] == 1 else f"{path} (call {seen[path]})"


def _own_scope(step: Step) -> Scope | None:
    inside = set(step.nodes)
    assert step.node is not None
    own: Scope | None = None
    for scope in (step.join or step.node).scope.around():
        if scope.kind is Kind.NET or any(node not in inside for node in scope.nodes()):
            break
        if scope.label:
            own = scope
    return own


def _repeats(steps: list[Step], uses: Uses, numbers: Numbers) -> list[Step]:
    """Equal steps in a row as one: blocks always, layers where there are many."""
    many = len(steps) > MANY_LAYERS
    shown: list[Step] = []
    read: dict[Step, int] = {}
    for step in steps:
        for source in step.sources:
            read[source] = read.get(source, 0) + 1
    stands: dict[Step, Step] = {}
    for step in steps:
        step.sources = [stands.get(source, source) for source in step.sources]
        last = shown[-1] if shown else None
        tail = (last.copies or [last])[-1] if last is not None else None
        if (
            last is not None
            and tail is not None
            and (step.sources == [last] or _takes_alike(step, last))
            and read[tail] == 1
            and tail.output not in uses.outputs
            and (many or step.node is None)
            and not step.join
            and _mark(step, numbers) == _mark(last, numbers)
        ):
            last.copies.append(step)
            stands[step] = last
        else:
            shown.append(step)
    return shown


def _takes_alike(step: Step, last: Step) -> bool:
    """Whether a block takes the result of the one before in the place of what that one takes.

    What both take besides, such as a mask, is the same.
    """
    if step.node is not None or len(step.sources) != len(last.sources):
        return False
    besides = [
        (one, two) for one, two in zip(step.sources, last.sources, strict=True) if one is not last
    ]
    return len(besides) == len(step.sources) - 1 and all(one is two for one, two in besides)


def _mark(step: Step, numbers: Numbers) -> object:
    """What makes two steps equal: layers, settings, shapes; not names or weights.

    A table from outside of a block is drawn with one of those that read it, and is not of it.
    """
    own = set(step.scope.nodes()) if step.scope else set(step.nodes)
    rows = [
        (repr(node.op), tuple(map(numbers.shape, node.inputs)), numbers.shape(node.outputs[0]))
        for node in step.nodes
        if node in own or node.outputs[0].type.batched
    ]
    return step.scope.definition if step.scope else "", rows
