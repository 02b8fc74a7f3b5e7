"""The units of a drawing: layers, layers folded together, blocks, and equal ones in a row.

Every node of the graph is in exactly one unit, at every level of detail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from netdsl.analyses.calls import call_paths
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.ir.dim import Size
from netdsl.ir.graph import Child, Graph, Kind, Node, Scope, Uses, Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

Link = tuple[int | None, ...]
TAILS = ("norms", "activations", "regularising")
FEWEST_TO_FOLD = 2


@dataclass(eq=False)
class Unit:
    """One thing that is drawn, or a block that is opened into `parts`.

    `copies` are the nodes of each of the equal units it stands for; the first is the one that is
    drawn. `inputs` come from outside of it, `outputs` are used outside of it. `scope` is the
    block it was written as. `hidden` are layers, here and elsewhere, that no drawing shows.
    """

    path: str
    copies: tuple[tuple[Node, ...], ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scope: Scope | None = None
    parts: tuple[Unit, ...] = ()
    is_open: bool = False
    hidden: Set[Node] = frozenset()
    aliases: dict[Value, Value] = field(default_factory=dict)
    """A value of a later copy, and the one that is drawn in its place."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are drawn: those of the first copy."""
        return self.copies[0]

    @property
    def count(self) -> int:
        return len(self.copies)

    @property
    def is_block(self) -> bool:
        return bool(self.parts)

    @property
    def kind(self) -> str:
        """The class of a block; of blocks in turn that differ in one setting, theirs."""
        if self.scope is not None:
            return self.scope.definition
        return self.parts[0].kind if self.parts else ""

    @property
    def layers(self) -> tuple[Node, ...]:
        """The nodes that are told: without those that only pass a value on, and hidden ones."""
        return tuple(node for node in self.nodes if not self._is_passed(node)) or self.nodes

    @property
    def node(self) -> Node:
        """The node that names it: the first that does something."""
        return self.layers[0]

    @cached_property
    def parameters(self) -> int:
        """Parameters of one copy, those of a shared layer once."""
        return parameters_of(self.nodes)

    @cached_property
    def macs(self) -> Size:
        """Multiply-adds of one copy for one sample."""
        return macs_of(self.nodes)

    def read(self) -> tuple[Value, ...]:
        """What flows in; into a single layer in the order that it takes them, doubles kept."""
        if len(self.layers) > 1 or self.is_block:
            return self.inputs
        passed = {n.output: n.inputs[0] for n in self.nodes if self._is_passed(n)}
        values: list[Value] = []
        for value in self.node.inputs:
            while value in passed and self.node is not None:
                value = passed[value]
            values.append(value)
        return tuple(values)

    def covered(self) -> Iterator[Node]:
        """All nodes it stands for."""
        for copy in self.copies:
            yield from copy

    def _is_passed(self, node: Node) -> bool:
        return node in self.hidden or _passes_on(node)


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around the parts: who takes their values, what each of them is called."""

    uses: Uses
    paths: Mapping[Child, str]
    hidden: Set[Node] = frozenset()

    def one_reader(self, value: Value) -> Node | None:
        """The one layer that takes a value, once or several times."""
        readers = set(self.uses.readers(value))
        return readers.pop() if len(readers) == 1 and value not in self.uses.outputs else None

    def is_passed(self, node: Node) -> bool:
        """Whether a layer is no unit of its own."""
        return node in self.hidden or _passes_on(node)


def units_of(
    graph: Graph, *, fold: bool = True, hidden: Set[Node] = frozenset()
) -> tuple[Unit, ...]:
    """The units of a network, blocks closed; without `fold` each node is one of its own.

    Nodes that are `hidden` go with a neighbour, if they have one that they feed alone.
    """
    around = _Around(graph.uses, call_paths(graph.within or graph), hidden)
    return _parts(graph.root, around, fold)


def _parts(scope: Scope, around: _Around, fold: bool) -> tuple[Unit, ...]:
    units: list[Unit] = []
    run: list[Node] = []

    def close() -> None:
        units.extend(_layers(run, around, fold))
        run.clear()

    for child in _children(scope):
        if isinstance(child, Node):
            run.append(child)
        else:
            close()
            units.append(_block(child, around, fold))
    close()
    if not fold:
        return tuple(_joined(units, around, around.hidden.__contains__))
    return tuple(_repeats(_joined(units, around, around.is_passed), around))


def _joined(
    units: Sequence[Unit], around: _Around, is_passed: Callable[[Node], bool]
) -> list[Unit]:
    """What only passes a value on, or is hidden, goes with the layer that reads it."""
    homes = {node: unit for unit in units if not unit.is_block for node in unit.nodes}
    joined = dict(zip(units, units, strict=True))
    for unit in units:
        if unit.is_block or not all(map(is_passed, unit.nodes)):
            continue
        reader = around.one_reader(unit.nodes[-1].outputs[0])
        home = homes.get(reader) if reader is not None else None
        if home is None or home is unit or home not in joined:
            continue
        there = joined[home]
        joined[home] = _unit(there.path, (*joined.pop(unit).nodes, *there.nodes), around)
    return list(joined.values())


def _children(scope: Scope) -> Iterator[Node | Scope]:
    """Nodes and blocks below, whatever groups, loops and branches they stand in."""
    for child in scope.children:
        if isinstance(child, Node):
            yield child
        elif child.kind is Kind.BLOCK:
            if next(child.nodes(), None) is not None:
                yield child
        else:
            yield from _children(child)


def _block(scope: Scope, around: _Around, fold: bool) -> Unit:
    parts = _parts(scope, around, fold)
    if (
        fold and len(parts) == 1 and parts[0].count == 1
    ):  # a block of one unit is that unit, by the block's name
        (part,) = parts
        if part.is_block or not part.scope:
            path = around.paths[scope] or part.path
            return replace(part, path=path, scope=part.scope or scope)
    return _unit(around.paths[scope], tuple(scope.nodes()), around, scope, parts)


def _unit(
    path: str,
    nodes: tuple[Node, ...],
    around: _Around,
    scope: Scope | None = None,
    parts: tuple[Unit, ...] = (),
) -> Unit:
    inside = set(nodes)
    inner = {value for node in nodes for value in node.outputs}
    inputs = dict.fromkeys(v for node in nodes for v in node.inputs if v not in inner)
    outputs = tuple(
        value
        for node in nodes
        for value in node.outputs
        if around.uses.leaves(value, inside) or not around.uses.readers(value)
    )
    return Unit(path, (nodes,), tuple(inputs), outputs, scope, parts, hidden=around.hidden)


def _layers(run: Sequence[Node], around: _Around, fold: bool) -> Iterator[Unit]:
    """Nodes in a row; a convolution takes the normalisation and activation behind it along."""
    index = 0
    while index < len(run):
        stretch = [run[index]]
        index += 1
        while index < len(run) and (
            _goes_along(stretch[-1], run[index], around)
            or (fold and _belongs(stretch, run[index], around))
        ):
            stretch.append(run[index])
            index += 1
        yield _unit(around.paths[stretch[0]], tuple(stretch), around)


def _passes_on(node: Node) -> bool:
    return op_of(node).work is Work.PASSES


def _goes_along(last: Node, node: Node, around: _Around) -> bool:
    """Whether a hidden layer takes what the one before gives, which nobody else takes."""
    if node not in around.hidden or len(last.outputs) != 1:
        return False
    value = node.data_inputs()[0][1]
    return value is last.output and around.uses.only_reader(value) is node


def _belongs(stretch: list[Node], node: Node, around: _Around) -> bool:
    shown = [other for other in stretch if other not in around.hidden]
    if not shown:
        return False
    head, last = shown[0], stretch[-1]
    if not op_of(head).leads or node.op.family not in TAILS or len(last.outputs) != 1:
        return False
    if head.op.family == "norms" and (len(shown) > 1 or node.op.family != "activations"):
        return False
    if any(node.op.family == before.op.family for before in shown[1:]):
        return False
    return node.inputs == (last.output,) and around.uses.only_reader(last.output) is node


def _repeats(units: Sequence[Unit], around: _Around) -> Iterator[Unit]:
    """Equal units in a row as one, each of which reads all of the one before.

    What blocks read besides, such as a mask, is the same for all of them.
    """
    index = 0
    while index < len(units):
        stretch = [units[index]]
        mark = signature(units[index]) if _may_repeat(units[index]) else None
        links: set[Link] = set()
        index += 1
        while index < len(units) and mark:
            link = _link(stretch[-1], units[index], around)
            if not link or len(links | {link}) > 1 or signature(units[index]) != mark:
                break
            links.add(link)
            stretch.append(units[index])
            index += 1
        yield _folded(stretch)


def _may_repeat(unit: Unit) -> bool:
    besides = len(unit.inputs) - len(unit.outputs)
    return len(unit.outputs) > 0 and (besides == 0 or (besides > 0 and unit.is_block))


def _link(before: Unit, unit: Unit, around: _Around) -> Link:
    """Which result of the one is which input of the other, None for an input that both take.

    Empty where the second does not read all results, or where others read them too.
    """
    places = {value: k for k, value in enumerate(before.outputs)}
    link = tuple(places.get(value) for value in unit.inputs)
    if (
        not _may_repeat(unit)
        or len(link) != len(before.inputs)
        or not places.keys() <= {*unit.inputs}
    ):
        return ()
    for value, other in zip(unit.inputs, before.inputs, strict=True):
        if value not in places and value is not other:
            return ()
    own = set(unit.covered())
    return () if any(around.uses.leaves(value, own) for value in places) else link


def _folded(stretch: list[Unit]) -> Unit:
    first, last = stretch[0], stretch[-1]
    if len(stretch) < FEWEST_TO_FOLD:
        return first
    copies = tuple(copy for unit in stretch for copy in unit.copies)
    aliases = dict(zip(last.outputs, first.outputs, strict=True))
    return replace(first, copies=copies, outputs=last.outputs, aliases=aliases)


def signature(unit: Unit) -> object:
    """What makes two units equal: layers, settings, types, wiring; not names or weights.

    How much the layers of a block drop may differ, as it does along a deep network.
    """
    places = {value: f"in{k}" for k, value in enumerate(unit.inputs)}
    rows: list[object] = [unit.scope.definition if unit.scope else "", unit.count]
    for number, node in enumerate(unit.nodes):
        wires = tuple(places[value] for value in node.inputs)
        types = tuple(str(value.type) for value in (*node.inputs, *node.outputs))
        drops = unit.is_block and op_of(node).work is Work.DROPS
        rows.append((node.op.name if drops else repr(node.op), wires, types))
        places.update((value, f"{number}.{k}") for k, value in enumerate(node.outputs))
    return tuple(rows)


def opened(
    units: Iterable[Unit], is_wanted: Callable[[Unit, int], bool], level: int = 0
) -> tuple[Unit, ...]:
    """The same with the wanted blocks open; a block is asked for with its depth, from 0."""
    shown: list[Unit] = []
    for unit in units:
        if not unit.is_block:
            shown.append(unit)
            continue
        parts = opened(unit.parts, is_wanted, level + 1)
        is_open = is_wanted(unit, level) or any(part.is_open for part in parts)
        shown.append(replace(unit, parts=parts, is_open=True) if is_open else unit)
    return tuple(shown)


def leaves(units: Iterable[Unit]) -> Iterator[Unit]:
    """The units that are drawn as one box: layers and closed blocks."""
    for unit in units:
        if unit.is_open:
            yield from leaves(unit.parts)
        else:
            yield unit


def longest_way(unit: Unit) -> int:
    """The longest path through a block, in boxes of what is drawn open."""
    depth: dict[Value, int] = {}
    longest = 1
    for leaf in leaves(unit.parts or [unit]):
        here = 1 + max((depth.get(value, 0) for value in leaf.inputs), default=0)
        longest = max(longest, here)
        for node in leaf.nodes:
            depth.update((value, here) for value in node.outputs)
    return longest
