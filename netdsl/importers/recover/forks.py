"""Where the flow forks and joins, and which values need a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netdsl.diagnostics import Span
from netdsl.importers.program import Call, Value
from netdsl.importers.recover.regions import Scope
from netdsl.importers.recover.weights import has_weights

FAR = 14
"""More nodes than these between a fork and its join, and the value that forks gets a name."""
WIDE = 40
"""The same where more than two branches join."""
LONG = 3
"""A value of a tuple with more stages than these is a line of its own."""


@dataclass(eq=False, slots=True)
class Node:
    """A call, or a scope as one stage: what flows in, what it speaks of, what comes out."""

    item: Call | Scope
    flows: list[Value]
    named: list[Value]
    outputs: list[Value]
    number: int

    @property
    def item_origin(self) -> Span:
        """Where it comes from."""
        return self.item.origin if isinstance(self.item, Call) else self.item.region.origin

    @property
    def is_merge(self) -> bool:
        """Whether it is a layer that joins, so that branches may be written behind it.

        They would lie below its label, where its weights are.
        """
        if not isinstance(self.item, Call) or len(self.flows) < 2:
            return False
        return not self.item.path or not has_weights(self.item)


@dataclass(eq=False, slots=True)
class Join:
    """A node that joins what forks at `fork`; `inside` are the nodes between."""

    fork: Value
    inside: set[Node]


@dataclass(eq=False, slots=True)
class Wiring:
    """The nodes of a scope and how they are connected.

    `entry` is the value that flows in without a name, if one does.
    """

    nodes: list[Node]
    entry: Value | None
    outputs: list[Value]
    fixed: set[Value]
    is_net: bool
    names: set[Value] = field(default_factory=set[Value])
    tables: set[Value] = field(default_factory=set[Value])
    producer: dict[Value, Node] = field(default_factory=dict[Value, Node])
    users: dict[Value, list[Node]] = field(default_factory=dict[Value, list[Node]])
    joins: dict[Node, Join] = field(default_factory=dict[Node, Join])
    above: dict[Value, Value | None] = field(default_factory=dict["Value", "Value | None"])
    feeds: dict[Node, Node] = field(default_factory=dict[Node, Node])
    """Nodes that take all results of another, in order, as nothing else does."""

    def settle(self) -> None:
        """Decide which values have names, until all others are written at one place."""
        self.producer = {value: node for node in self.nodes for value in node.outputs}
        users: dict[Value, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for value in dict.fromkeys(node.flows):
                users[value].append(node)
        self.users = dict(users)
        self.feeds = dict(self._find_feeds())
        self.names |= self.fixed | set(self._names_at_once())
        while True:
            self._find_joins()
            more = set(self._names_needed()) - self.names
            if not more:
                return
            self.names |= more

    def gives_all(self, node: Node) -> bool:
        """Whether several results of a node are the results of the scope, and nothing else."""
        is_last = node.outputs == self.outputs and not self.is_net and len(node.outputs) > 1
        return is_last and not any(value in self.users for value in node.outputs)

    def _find_feeds(self) -> Iterator[tuple[Node, Node]]:
        spoken = {value for node in self.nodes for value in node.named} | set(self.outputs)
        for node in self.nodes:
            if len(node.flows) < 2:
                continue
            before = self.producer.get(node.flows[0])
            if before is None or before.outputs != node.flows:
                continue
            if all(self.users[v] == [node] and v not in spoken for v in node.flows):
                yield node, before

    def _names_at_once(self) -> Iterator[Value]:
        fed = set(self.feeds.values())
        for node in self.nodes:
            yield from (value for value in node.named if value not in self.tables)
            if len(node.outputs) > 1 and node not in fed and not self.gives_all(node):
                yield from (v for v in node.outputs if v in self.users or v in self.outputs)
        outputs = set(self.outputs)
        many = len(outputs) > 1 and not self.is_net and not any(map(self.gives_all, self.nodes))
        yield from (value for value in outputs if value in self.users or many)
        if len(outputs) != len(self.outputs):
            yield from (value for value in outputs if self.outputs.count(value) > 1)

    def _find_joins(self) -> None:
        self.joins, self.above = {}, {}
        for node in self.nodes:
            above: Value | None = None
            if len(node.flows) == 1:
                above = node.flows[0]
            elif node.is_merge and node not in self.feeds:
                join = self._join(node)
                if join is not None:
                    self.joins[node] = join
                    above = join.fork
            for value in node.outputs:
                self.above[value] = None if value in self.names else above

    def _line(self, value: Value) -> list[Value]:
        """The value, the one that dominates it, and so on."""
        line = [value]
        while (above := self.above.get(line[-1])) is not None:
            line.append(above)
        return line

    def _join(self, node: Node) -> Join | None:
        operands = [v for v in dict.fromkeys(node.flows) if v not in self.tables]
        if len(operands) == 1:
            return Join(operands[0], set())
        if not operands:
            return None
        fork = self._common(operands)
        if fork is None:
            operands = [v for v in operands if v not in self.names]
            fork = self._common(operands) if len(operands) > 1 else None
        if fork is None:
            return None
        inside = self._between(node, fork)
        most = FAR if len(node.flows) == 2 else WIDE
        if inside is None or len(inside) > most:
            return None
        return Join(fork, inside)

    def _common(self, operands: list[Value]) -> Value | None:
        """The nearest value that dominates all of them."""
        others = [set(self._line(value)) for value in operands[1:]]
        for value in self._line(operands[0]):
            if all(value in other for other in others):
                return value
        return None

    def _between(self, node: Node, fork: Value) -> set[Node] | None:
        """The nodes between a fork and a join; None where others feed them unnamed."""
        inside: set[Node] = set()
        stack = list(node.flows)
        while stack:
            value = stack.pop()
            if value is fork or value in self.names or value in self.tables:
                continue
            producer = self.producer.get(value)
            if producer is None:
                return None
            if producer not in inside:
                inside.add(producer)
                stack += producer.flows
        return inside

    def _names_needed(self) -> Iterator[Value]:
        forks: dict[Value, list[Node]] = defaultdict(list)
        for node, join in self.joins.items():
            forks[join.fork].append(node)
        for value, users in self.users.items():
            if value in self.tables or (len(users) == 1 and not self._is_repeated(value, users[0])):
                continue
            if not any(self._covers(join, users) for join in forks[value]):
                yield value
        for node in self.nodes:
            if len(node.flows) > 1 and node not in self.joins and node not in self.feeds:
                yield from self._names_of_tuple(node)

    def _is_repeated(self, value: Value, node: Node) -> bool:
        return node.flows.count(value) > 1 and node not in self.feeds

    def _covers(self, node: Node, users: Iterable[Node]) -> bool:
        inside = self.joins[node].inside
        return all(user is node or user in inside for user in users)

    def _names_of_tuple(self, node: Node) -> Iterator[Value]:
        """Values of a tuple that would be too long, hold another tuple, or have no source."""
        for value in dict.fromkeys(node.flows):
            line = self._line(value)
            last = line[-1]
            if last is self.entry and self.entry is not None:
                yield last
            producer = self.producer.get(last)
            holds_tuple = last not in self.names and producer is not None
            if value not in self.tables and (len(line) > LONG + 1 or holds_tuple):
                yield value


def wiring(
    scope: Scope, tables: set[Value], needed: dict[Scope, set[Value]], *, entry: Value | None
) -> Wiring:
    """The nodes of a scope; `needed` are the values that scopes in it want to have named."""
    nodes: list[Node] = []
    for item in scope.items:
        if isinstance(item, Call):
            node = Node(item, item.inputs, list(item.sized_by()), item.outputs, len(nodes))
        elif item.is_block:
            node = Node(item, [*item.flows, *item.named], [], item.outputs, len(nodes))
        else:
            named = [*item.named, *needed.get(item, ())]
            node = Node(item, item.flows, named, item.outputs, len(nodes))
        nodes.append(node)
    fixed = {value for value in (*scope.flows, *scope.named) if value is not entry}
    return Wiring(nodes, entry, scope.outputs, fixed, scope.parent is None, tables=tables)
