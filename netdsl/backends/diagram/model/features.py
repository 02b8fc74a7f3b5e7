"""What else a network shows: chains of concats, fans, learned tokens, layers called again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from netdsl.backends.diagram.model.flow import Flow
from netdsl.ir.graph import Graph, Layer, Node
from netdsl.ops.base import Op, op_of
from netdsl.ops.facts import Work

FEWEST_IN_CHAIN = 4
FEWEST_WAYS = 3
NO_GEOMETRY = frozenset(("channels", "groups", "bias"))
"""Settings of windows that say nothing of where they look."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Concats each of which reads all that the one before reads: a dense block."""

    merges: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fan:
    """Ways from one fork to one merge that share nothing between.

    `setting` is the one in which layers of the ways differ that are else the same (`dilation`),
    and `values` are its values, one for each such layer of `differing`; empty where there is none.
    """

    fork: Node | None
    """None where it is an input of the network."""
    merge: Node
    ways: tuple[tuple[Node, ...], ...]
    setting: str = ""
    values: tuple[object, ...] = ()
    differing: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Calls:
    """Layers with weights that are called several times."""

    layers: tuple[Layer, ...]
    count: int
    share: float
    """Of all weights of the network."""
    is_side_by_side: bool
    """Whether no call depends on another; else they are an unrolled loop."""
    levels: frozenset[int | None]
    """The levels of the maps that a layer gives."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a network shows besides its layout. `tokens` are merges with a learned value."""

    chains: tuple[Chain, ...] = ()
    fans: tuple[Fan, ...] = ()
    tokens: tuple[Node, ...] = ()
    calls: Calls | None = None


def features_of(graph: Graph, flow: Flow, levels: Sequence[int | None]) -> Features:
    """What a network shows besides its layout."""
    return Features(
        tuple(_chains(flow)),
        tuple(_fans(flow)),
        tuple(_tokens(flow)),
        _calls(graph, flow, levels),
    )


# --- chains of concats ------------------------------------------------------------------------


def _chains(flow: Flow) -> Iterator[Chain]:
    """The longest chains, in order."""
    reads: dict[int, frozenset[int]] = {}
    length: dict[int, int] = {}
    came: dict[int, int] = {}
    by_last: dict[int, int] = {}
    for place, sources in enumerate(flow.sources):
        node = flow.node(place)
        if node is None or op_of(node).joined_axis(node.outputs[0].type.rank) is None:
            continue
        own = frozenset(_origin(flow, source) for source in sources)
        if len(own) < 2:
            continue
        before = max(
            (p for source in own for p in (source, by_last.get(source, -1)) if p in reads
             and (p in own or reads[p] < own)),
            key=lambda p: length[p],
            default=None,
        )  # fmt: skip
        reads[place] = own
        length[place] = 1 if before is None else 1 + length[before]
        if before is not None:
            came[place] = before
        by_last[max(own)] = place
    ends = set(reads) - set(came.values())
    for end in sorted(ends):
        chain = [end]
        while chain[-1] in came:
            chain.append(came[chain[-1]])
        if len(chain) >= FEWEST_IN_CHAIN:
            yield Chain(tuple(node for p in reversed(chain) if (node := flow.node(p))))


def _origin(flow: Flow, place: int) -> int:
    """Where a value comes from that layers only pass on."""
    while True:
        node = flow.node(place)
        if node is None or op_of(node).work not in (Work.PASSES, Work.DROPS):
            return place
        if len(flow.sources[place]) != 1:
            return place
        place = flow.sources[place][0]


# --- fans -------------------------------------------------------------------------------------


def _fans(flow: Flow) -> Iterator[Fan]:
    for merge, sources in flow.merges():
        if len(sources) < FEWEST_WAYS:
            continue
        common = flow.before[sources[0]]
        for source in sources[1:]:
            common &= flow.before[source]
        if not common:
            continue
        fork = common.bit_length() - 1
        ways = [flow.between(fork, source) if source != fork else 0 for source in sources]
        if sum(ways) != _union(ways) or not _starts_at(flow, fork, _union(ways)):
            continue
        node = flow.node(merge)
        assert node is not None, "an input reads nothing"
        lists = tuple(
            tuple(n for place in flow.on(way) if (n := flow.node(place)) is not None)
            for way in ways
        )
        if sum(any(op_of(n).work is Work.COMPUTES for n in way) for way in lists) < FEWEST_WAYS - 1:
            continue
        yield _with_setting(Fan(flow.node(fork), node, lists))


def _union(sets: Sequence[int]) -> int:
    union = 0
    for one in sets:
        union |= one
    return union


def _starts_at(flow: Flow, fork: int, ways: int) -> bool:
    """Whether all that the ways compute comes from the fork."""
    inside = ways | 1 << fork
    return all(inside >> source & 1 for place in flow.on(ways) for source in flow.sources[place])


def _with_setting(fan: Fan) -> Fan:
    """The fan with the setting in which most of its ways differ.

    These ways have the same kinds of layers, and one of them has the setting, in each once.
    """
    groups: dict[tuple[object, ...], dict[int, dict[object, Node]]] = {}
    for number, way in enumerate(fan.ways):
        made = tuple(type(node.op) for node in way)
        for node in way:
            for name, value, key in _told(node):
                group = groups.setdefault((name, made, *key), {})
                group.setdefault(number, {}).setdefault(value, node)
    best: tuple[object, tuple[tuple[object, Node], ...]] = "", ()
    for (name, *_), ways in groups.items():
        found = dict(next(iter(one.items())) for one in ways.values())
        is_plain = all(len(one) == 1 for one in ways.values())
        if is_plain and len(found) >= max(FEWEST_WAYS, len(best[1]) + 1):
            best = name, tuple(found.items())
    values, differing = zip(*best[1], strict=True) if best[1] else ((), ())
    return replace(fan, setting=str(best[0]), values=values, differing=differing)


def _told(node: Node) -> Iterator[tuple[str, object, tuple[object, ...]]]:
    """Each setting that its windows or bins are told by, its value, and all the others."""
    op = op_of(node)
    if op.work is not Work.COMPUTES:
        return
    settings = _window_settings(op)
    for name in (name for name in settings if name not in NO_GEOMETRY):
        others = {key: value for key, value in settings.items() if key not in (name, "padding")}
        yield name, settings[name], (type(op), repr(others))


def _window_settings(op: Op) -> Mapping[str, object]:
    """All its settings, where it looks at windows or bins."""
    if op.sliding() is None and not (op.zoom < 0):
        return {}
    return {part.name: value for part, value in op.settings()}


# --- learned tokens, shared layers ------------------------------------------------------------


def _tokens(flow: Flow) -> Iterator[Node]:
    """Merges of a learned value with tokens."""
    for node in flow.nodes:
        joins = op_of(node).joined_axis(node.outputs[0].type.rank) is not None
        if joins and any(not value.type.batched for value in node.inputs):
            yield node


def _calls(graph: Graph, flow: Flow, levels: Sequence[int | None]) -> Calls | None:
    shared: dict[Layer, list[int]] = {}
    for place, node in enumerate(flow.nodes, len(flow.inputs)):
        if node.layer.weights and len(node.layer.calls) > 1:
            shared.setdefault(node.layer, []).append(place)
    shared = {layer: places for layer, places in shared.items() if len(places) > 1}
    if not shared:
        return None
    count = max(map(len, shared.values()))
    most = {layer: places for layer, places in shared.items() if len(places) == count}
    side_by_side = not any(
        flow.before[later] >> earlier & 1
        for places in most.values()
        for earlier, later in pairwise(places)
    )
    share = _weights(shared) / max(1, _weights(graph.layers()))
    each = (frozenset(levels[place] for place in places) - {None} for places in most.values())
    found = max(each, key=len)
    return Calls(tuple(most), count, share, side_by_side, found)


def _weights(layers: Iterator[Layer] | Mapping[Layer, object]) -> int:
    return sum(prod(spec.shape) for layer in layers for spec in layer.weights if spec.trained)
