"""Skip connections: ways around work, from a fork that all ways to the merge pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

SUM, CONCAT = "sum", "concat"
LEARNED, PLAIN = 4, 1
"""What a step that computes counts as: one with weights, one without (a pool)."""
MOST_ON_A_SKIP = 2 * LEARNED - 1
"""A projection: one step with weights, and pools."""
ASIDE = ("activations", "norms", "regularising")
"""Families of steps that go with others, and count for nothing."""
FED = -1
"""The place before all inputs."""

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

    A skip is one of the ways into a sum or a concat. It begins at the fork that every way from the
    inputs to the merge passes, the last such; between the two nothing else joins it or leaves it;
    and some other way does more. Into a concat nothing works on it; into a sum one step with
    weights may (a projection). What comes from weights alone is no way.
    """
    fed, forks, work = _from_inputs(steps)
    readers = [0] * len(steps)
    for step in steps:
        for source in set(step.sources):
            readers[source] += 1
    found: list[Skip] = []
    for number, step in enumerate(steps):
        ports = [port for port, source in enumerate(step.sources) if source in fed]
        fork = forks.get(number, FED)
        if not step.merge or len(ports) < 2 or fork == FED:
            continue
        most = max(work[step.sources[port]] for port in ports) - work[fork]
        for port in ports:
            way = _way(steps, step.sources[port], fork, readers, fed)
            done = sum(steps[n].work for n in way[1:])
            allowed = done == 0 if step.merge == CONCAT else done <= MOST_ON_A_SKIP
            least = LEARNED if step.merge == CONCAT else done + 1
            if way and allowed and most >= least:
                found.append(Skip((*way, number), port))
    return found


def _from_inputs(
    steps: Sequence[Step],
) -> tuple[set[int], dict[int, int], list[int]]:
    """What the inputs feed; the last step that all ways to each pass; the most work on a way."""
    fed: set[int] = set()
    forks: dict[int, int] = {}
    depth: dict[int, int] = {FED: 0}
    work = [0] * len(steps)
    for number, step in enumerate(steps):
        before = [source for source in step.sources if source in fed]
        if not before and not step.is_input:
            continue
        fed.add(number)
        common = FED if step.is_input else before[0]
        for source in before[1:]:
            common = _common(common, source, forks, depth)
        forks[number], depth[number] = common, depth[common] + 1
        work[number] = step.work + max((work[source] for source in before), default=0)
    return fed, forks, work


def _common(one: int, two: int, forks: Mapping[int, int], depth: Mapping[int, int]) -> int:
    """The last step that all ways to both pass."""
    while one != two:
        if depth[one] < depth[two]:
            one, two = two, one
        one = forks[one]
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
    """The values on skips, each with the node that takes it there; and the merge it leads to."""
    nodes = list(graph.nodes())
    places: dict[Value, int] = {item.value: n for n, item in enumerate(graph.inputs)}
    steps = [Step(is_input=True) for _ in graph.inputs]
    for node in nodes:
        sources = tuple(places[value] for _, value in node.data_inputs())
        steps.append(Step(sources, _merge(node), _work(node)))
        places.update((value, len(steps) - 1) for value in node.outputs)
    steps += [Step((places[output.value],)) for output in graph.outputs]
    first = len(graph.inputs)
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
    op = op_of(node)
    if op.joined_axis(node.outputs[0].type.rank) is not None:
        return CONCAT
    return SUM if op.shown_sign() == "+" else ""


def _work(node: Node) -> int:
    op = op_of(node)
    if op.work is not Work.COMPUTES or op.family in ASIDE or _merge(node):
        return 0
    return LEARNED if node.layer.weights else PLAIN
