"""Skip connections: ways around work, from a fork that all ways to the merge pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf
from typing import TypeAlias

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

SUM, CONCAT = "added", "joined"
LEARNED, PLAIN = 4, 1
"""What a step counts as: one that computes with weights, one that changes sizes without."""
MOST_ON_A_SKIP = 2 * LEARNED - 1
"""A projection: one step with weights, and pools."""
RESIZING = ("pooling", "pyramid", "reductions", "resampling")
ASIDE = ("activations", "norms", "regularising")
"""Families of steps that count as work without weights, and that go with others and count never."""

Edge: TypeAlias = tuple[Value, Node]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a network, known by its number: the steps whose data it takes, in order.

    `merge` is how it joins them (`SUM`, `CONCAT`, empty where it does something else), `work` what
    it counts as.
    """

    sources: tuple[int, ...] = ()
    merge: str = ""
    work: int = 0
    is_input: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """The steps from a fork to a merge, both ends included; the merge takes it as input `port`."""

    steps: tuple[int, ...]
    port: int


def skips(steps: Sequence[Step]) -> list[Skip]:
    """All skips of a network, whose steps stand in the order they run.

    A skip is one of the ways from an input into a sum or a concat. It begins at the fork that
    every way from that input to the merge passes, the last such; between the two nothing joins it
    or leaves it; and some other way from the fork does more. Into a concat nothing works on it,
    and another way has weights; into a sum one step with weights may (a projection, maybe behind
    a pool), where another way has two. What comes from weights alone is no way.
    """
    readers = [0] * len(steps)
    for step in steps:
        for source in set(step.sources):
            readers[source] += 1
    starts = [number for number, step in enumerate(steps) if step.is_input]
    fed = set(starts)
    for number, step in enumerate(steps):
        if not fed.isdisjoint(step.sources):
            fed.add(number)
    found: dict[Skip, None] = {}
    for start in starts:
        found.update(dict.fromkeys(_skips_from(_Flow(steps, start), readers, fed)))
    return sorted(found, key=lambda skip: (skip.steps[-1], skip.port))


def _skips_from(flow: _Flow, readers: Sequence[int], fed: set[int]) -> Iterator[Skip]:
    """The skips of what flows from one input."""
    steps, work = flow.steps, flow.work
    for number in flow.forks:
        step = steps[number]
        ports = [port for port, source in enumerate(step.sources) if source in work]
        if not step.merge or len(ports) < 2:
            continue
        fork = flow.forks[number]
        most = max(work[step.sources[port]] for port in ports) - work[fork]
        for port in ports:
            way = _way(steps, step.sources[port], fork, readers, fed)
            if way and most >= _least(step.merge, sum(steps[n].work for n in way[1:])):
                yield Skip((*way, number), port)


def _least(merge: str, done: int) -> float:
    """The work that another way does beside a skip that does some; infinite for what is none."""
    if merge == CONCAT:
        return inf if done else LEARNED
    return PLAIN if not done else inf if done < LEARNED else 2 * LEARNED


class _Flow:
    """What one input feeds.

    By step: `forks`, the last step before it that all ways from the input pass; `work`, the most
    on a way to it, its own included.
    """

    def __init__(self, steps: Sequence[Step], start: int) -> None:
        self.steps = steps
        self.forks: dict[int, int] = {}
        self.work = {start: steps[start].work}
        self.depth = {start: 0}
        for number, step in enumerate(steps):
            before = [source for source in step.sources if source in self.work]
            if not before:
                continue
            fork = reduce(self._common, before)
            self.forks[number], self.depth[number] = fork, self.depth[fork] + 1
            self.work[number] = step.work + max(self.work[source] for source in before)

    def _common(self, one: int, two: int) -> int:
        """The last step that all ways to both pass."""
        while one != two:
            if self.depth[one] < self.depth[two]:
                one, two = two, one
            one = self.forks[one]
        return one


def _way(
    steps: Sequence[Step], end: int, fork: int, readers: Sequence[int], fed: set[int]
) -> tuple[int, ...]:
    """The steps from a fork to `end`, if they are one line that nothing joins or leaves."""
    way, at, done = [end], end, 0
    while at != fork:
        before = [source for source in steps[at].sources if source in fed]
        done += steps[at].work
        if readers[at] != 1 or len(before) != 1 or done > MOST_ON_A_SKIP:
            return ()
        at = before[0]
        way.append(at)
    return tuple(reversed(way))


def skip_edges(graph: Graph) -> dict[Edge, Node]:
    """The values on skips of a network, each with the node that takes it there; and the merge."""
    inputs = [item.value for item in graph.inputs]
    return edges_within(list(graph.nodes()), inputs, [output.value for output in graph.outputs])


def edges_within(
    nodes: Sequence[Node], inputs: Sequence[Value], outputs: Sequence[Value]
) -> dict[Edge, Node]:
    """The same of some nodes by themselves, into which `inputs` flow."""
    places: dict[Value, int] = {value: n for n, value in enumerate(inputs)}
    steps = [Step(is_input=True) for _ in inputs]
    for node in nodes:
        sources = tuple(places[value] for _, value in node.data_inputs())
        steps.append(Step(sources, _merge(node), _work(node)))
        places.update((value, len(steps) - 1) for value in node.outputs)
    steps += [Step((places[value],)) for value in outputs]
    first = len(inputs)
    found: dict[Edge, Node] = {}
    for skip in skips(steps):
        merge = nodes[skip.steps[-1] - first]
        found[merge.data_inputs()[skip.port][1], merge] = merge
        for before, number in pairwise(skip.steps[:-1]):
            node = nodes[number - first]
            came = (value for _, value in node.data_inputs() if places[value] == before)
            found.update(((value, node), merge) for value in came)
    return found


def _merge(node: Node) -> str:
    """How it joins values; a sum that spreads one over the other (a bias, a position) is none."""
    op = op_of(node)
    if op.joined_axis(node.outputs[0].type.rank) is not None:
        return CONCAT
    is_plain = all(value.type.shape == node.outputs[0].type.shape for value in node.inputs)
    return SUM if op.shown_sign() == "+" and is_plain else ""


def _work(node: Node) -> int:
    op = op_of(node)
    if op.work is not Work.COMPUTES or op.family in ASIDE:
        return 0
    return LEARNED if node.layer.weights else PLAIN * (op.family in RESIZING)
