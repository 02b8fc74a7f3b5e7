"""The shape of a network, found from its graph alone, which decides how it is laid out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netdsl.backends.diagram.model.bridges import Meeting, Meetings
from netdsl.backends.diagram.model.features import Calls, Features, features_of
from netdsl.backends.diagram.model.flow import Flow, flow_of
from netdsl.backends.diagram.model.levels import Levels
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of

ROWS, U, TRIANGLE, LATTICE, LANES = "rows", "u", "triangle", "lattice", "lanes"
SEVERAL_LEVELS = 2
MANY_LEVELS = 3
"""Resolutions that are given out or meet at once, from which a network is a lattice."""
MOST_LANES = 4


@dataclass(frozen=True, slots=True)
class Bridge:
    """Two ways from a `fork` to a `merge`: one visits coarser maps, the other stays on `level`.

    Of a cap (`Shape.caps`) one visits finer maps.
    `straight` are the nodes on the way that stays, in order. `turn` counts the U's in a row from
    1, `place` the merges of one level within a U.
    """

    fork: Node | None
    """None where it is an input of the network."""
    merge: Node
    level: int
    straight: tuple[Node, ...] = ()
    turn: int = 1
    place: int = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """How a network is laid out, and why.

    `levels` gives each node the level of its map, 0 for the size of the largest input and 1 more
    each time it is halved; None for vectors and tokens, which have none. Finer maps than the input
    have a level below 0. `stacks` is how many U's stand in a row; `features` is what else panels
    show.
    """

    layout: str = ROWS
    reason: str = ""
    levels: Mapping[Node, int | None] = field(default_factory=dict[Node, int | None])
    bridges: tuple[Bridge, ...] = ()
    caps: tuple[Bridge, ...] = ()
    stacks: int = 1
    features: Features = field(default_factory=Features)


def recognise(graph: Graph) -> Shape:
    """The shape of a network; of two that fit the plainer one."""
    flow, levels = flow_of(graph), Levels(graph)
    heights = [levels.of(flow.value(place)) for place in range(len(flow.sources))]
    meetings = Meetings(flow, heights)
    features = features_of(graph, flow, heights)
    layout, reason = _fitting(graph, meetings, features)
    bridges = _bridges(flow, meetings, meetings.bridges)
    caps = _bridges(flow, meetings, meetings.caps)
    return Shape(
        layout,
        reason,
        {node: levels.of(node.outputs[0]) for node in graph.nodes()},
        bridges,
        caps,
        meetings.turns if layout == U else 1,
        features,
    )


def _bridges(flow: Flow, meetings: Meetings, found: Sequence[Meeting]) -> tuple[Bridge, ...]:
    bridges: list[Bridge] = []
    for one in found:
        merge = flow.node(one.merge)
        assert merge is not None, "an input reads nothing"
        straight = [flow.node(place) for place in flow.on(one.straight)]
        way = tuple(node for node in straight if node is not None)
        step = meetings.steps.get(one.merge, (1, 1))
        bridges.append(Bridge(flow.node(one.fork), merge, one.level, way, *step))
    return tuple(bridges)


def _lanes(calls: Calls | None) -> str:
    """Why a network is mirrored lanes; empty where it is not."""
    if calls is None or not calls.is_side_by_side or calls.share < 0.5:
        return ""
    if calls.count > MOST_LANES or len(calls.levels) >= MANY_LEVELS:
        return ""
    return f"the same layers are called {calls.count} times, side by side"


def _lattice(graph: Graph, meetings: Meetings, is_u: bool) -> str:
    """Why a network is a lattice of resolutions; empty where it is not."""
    bridges = {one.level for one in meetings.bridges}
    caps = {one.level for one in meetings.caps}
    if len(bridges) >= SEVERAL_LEVELS and len(caps) >= SEVERAL_LEVELS:
        return f"maps of {len(bridges | caps)} resolutions take from each other, up and down"
    given = _given(graph, meetings, every=bool(bridges))
    if len(given) >= MANY_LEVELS and not (is_u and min(given) <= 0):
        return f"results at {len(given)} resolutions"
    met = _met(meetings, is_u)
    return f"maps of {met} resolutions meet in one result" if met >= MANY_LEVELS else ""


def _given(graph: Graph, meetings: Meetings, *, every: bool) -> set[int]:
    """The levels of the results; without `every` those of the maps that heads hang on."""
    flow, levels = meetings.flow, meetings.levels
    made = (flow.place.get(o.value.producer) for o in graph.inference_outputs if o.value.producer)
    places = {place for place in made if place is not None}
    if not every:
        places = {place for place in places if not flow.readers[place] and _has_head(flow, place)}
        return {level for p in places if (level := _level_before(meetings, p)) is not None}
    return {level for place in places if (level := levels[place]) is not None}


def _has_head(flow: Flow, place: int) -> bool:
    """Whether a matrix or filters stand between a result and the last fork before it."""
    while True:
        node, sources = flow.node(place), set(flow.sources[place])
        if node is None or len(sources) != 1 or len(flow.readers[place]) > 1:
            return False
        if op_of(node).drawn_as and node.layer.weights:
            return True
        (place,) = sources


def _met(meetings: Meetings, is_u: bool) -> int:
    """The most resolutions that meet in one merge.

    In a U whose skips compute nothing, those that meet in a map are what its levels give besides.
    """
    most = 0
    for merge, sources in meetings.flow.merges():
        if len(sources) < MANY_LEVELS or (
            is_u and meetings.levels[merge] is not None and not _has_laterals(meetings)
        ):
            continue
        levels = {_level_before(meetings, source) for source in sources} - {None}
        most = max(most, len(levels))
    return most


def _has_laterals(meetings: Meetings) -> bool:
    """Whether the ways that stay on their level have weights, on several levels."""
    weighted = {
        one.level
        for one in meetings.nested
        for place in meetings.flow.on(one.straight)
        if (node := meetings.flow.node(place)) is not None and node.layer.weights
    }
    return len(weighted) >= SEVERAL_LEVELS


def _level_before(meetings: Meetings, place: int) -> int | None:
    """The level that a value had before it was enlarged, or was made a vector."""
    flow, levels = meetings.flow, meetings.levels
    while True:
        sources = set(flow.sources[place])
        if len(sources) != 1:
            return levels[place]
        (source,) = sources
        before, level = levels[source], levels[place]
        if level is not None:
            if before is None or before > level:
                return before
            if len(flow.readers[source]) > 1:
                return level
        place = source


def _u(meetings: Meetings) -> tuple[str, str]:
    """The layout of a network that goes down and up again, and why; empty where it does not."""
    nested = meetings.nested
    levels = sorted({one.level for one in nested})
    turns = meetings.turns
    if len(levels) < SEVERAL_LEVELS or not turns:
        return "", ""  # or small U's along a path that goes down: modules of a row
    steps = {(one.level, *meetings.steps[one.merge]) for one in meetings.bridges}
    rows = Counter(level for level, _, _ in steps)
    counts = [rows[level] for level in levels]
    if turns == 1 and counts == list(range(len(levels), 0, -1)):
        shown = ", ".join(map(str, counts))
        return TRIANGLE, f"merges at {len(levels)} resolutions: {shown}"
    times = f", {turns} times in a row" if turns > 1 else ""
    return U, f"skips at {len(levels)} resolutions across a path down and up{times}"


def _fitting(graph: Graph, meetings: Meetings, features: Features) -> tuple[str, str]:
    """The layout, and why."""
    lanes = _lanes(features.calls)
    if lanes:
        return LANES, lanes
    layout, reason = _u(meetings)
    lattice = _lattice(graph, meetings, layout == U)
    if lattice:
        return LATTICE, lattice
    return (layout, reason) if layout else (ROWS, "one row after another")
