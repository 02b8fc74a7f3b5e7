"""What the places of every value see of an input, along each axis of it: exactly, borders and all.

All sizes are numbers. Intervals are carried forward, axis by axis, through what each layer says
that it reads (`Op.reads`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias, cast

import numpy as np

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.links import Reader, UnknownLinks, shape_of
from netdsl.ir.graph import Graph, Input, Node, Value
from netdsl.ops.base import op_of
from netdsl.ops.cells import Indices, Product, Reads
from netdsl.ops.plugins import is_ours
from netdsl.ops.tables import types_of

MOST_PLACES = 1_000_000
"""Indices that are followed, of all values together."""
MOST_CHANNELS = 4_096
"""Channels that are told apart; with more, all are taken together."""
NEVER = np.iinfo(np.int64).max
"""The first cell of a place that sees nothing; its last is -1."""

Numbers: TypeAlias = "np.ndarray"


class TooMany(Exception):
    """The values have more places than are followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """First and last cell along one axis of the input, by the place's index on an axis of its own.

    Without an axis of its own all places see alike, and there is one entry.
    """

    axis: int | None
    first: Numbers
    last: Numbers

    @property
    def sees(self) -> Numbers:
        """Which places see anything."""
        return self.last >= self.first

    @property
    def largest(self) -> int:
        """The most cells, from the first to the last."""
        return int((self.last - self.first + 1)[self.sees].max(initial=0))


View: TypeAlias = "tuple[Along, ...]"
"""By axis of the input. A place sees the box of what its index sees along each axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What a value sees of an input.

    `parts` are channels that see alike (with None: all channels). Where `is_exact` is False a
    view may be larger than what is seen, never smaller. `is_alike` is False where single channels
    see less than their part does together.
    """

    parts: tuple[tuple[Indices | None, View], ...]
    is_exact: bool = True
    is_alike: bool = True

    @property
    def together(self) -> tuple[View, bool]:
        """All channels of a place together, and whether that is exact."""
        return joined([view for _, view in self.parts])


def sights(graph: Graph, item: Input) -> dict[Value, Sight]:
    """What each value sees; those that do not depend on the input have no entry.

    Raises `TooMany`.
    """
    return _Walk(graph, item).sights


class _Walk:
    """The values of a network, in the order it runs."""

    def __init__(self, graph: Graph, item: Input) -> None:
        self.channels = ChannelAxes(graph)
        self.ways: dict[tuple[object, ...], list[_Way]] = {}
        self.room = MOST_PLACES
        shape = shape_of(item.value)
        cells = (np.arange(size) for size in shape[1:])
        view = tuple(Along(axis, n, n) for axis, n in enumerate(cells, 1))
        self.sights = {item.value: Sight(((None, view),))}
        for node in graph.nodes():
            seen = [self.sights.get(value) for value in node.inputs]
            if any(seen) and _fits(node):
                for number, value in enumerate(node.outputs):
                    sight = self._behind(node, number, seen)
                    if sight is not None:
                        self.sights[value] = sight

    def _behind(self, node: Node, result: int, seen: Sequence[Sight | None]) -> Sight | None:
        shape = shape_of(node.outputs[result])
        self.room -= sum(shape[1:])
        if self.room < 0:
            raise TooMany
        reach = _Reach(node, result, self.channels)
        if reach.shuffles:
            seen = [sight and _merged(sight) for sight in seen]
        try:
            if reach.op.joins_axes or not is_ours(type(node.op)):
                return _mixed(reach, [sight and _merged(sight) for sight in seen])
            behind = _by_axis(reach, seen, self._ways(reach))
        except UnknownLinks:
            return _unknown(seen)
        return behind and replace(behind, is_alike=False) if reach.shuffles < 0 else behind

    def _ways(self, reach: _Reach) -> list[_Way]:
        """The ways of a call, worked out once for all calls that are alike."""
        node = reach.node
        key = (node.op, *reach.types, reach.result, reach.channel)
        if key not in self.ways:
            self.ways[key] = _ways(reach)
        return self.ways[key]


def _fits(node: Node) -> bool:
    """Whether no size is below 1: a head for training may not fit in a small image."""
    return all(n > 0 for value in (*node.inputs, *node.outputs) for n in shape_of(value))


class _Reach:
    """What a result of a call reads, asked for by pieces."""

    def __init__(self, node: Node, result: int, channels: ChannelAxes) -> None:
        self.node, self.op, self.result = node, op_of(node), result
        self.types, self.reader = types_of(node), Reader(node, result)
        value = node.outputs[result]
        self.shape = shape_of(value)
        self.every = tuple(frozenset(range(size)) for size in self.shape)
        self.channel = channels.of(value)
        self.channel_axes = [channels.of(v) for v in node.inputs]
        """The channels' axis of each input."""
        self.shuffles = self.op.shuffles()
        """Below 0 where cells of the map become channels, above 0 where channels become cells."""

    def read(self, wanted: Product) -> Reads:
        """What some elements read; empty pieces stay, weights go. Raises `UnknownLinks`."""
        return self.reader.values(wanted)

    def at(self, own: int, index: int, all_channels: bool = True) -> Product:
        """One index along an axis, and of the others the first cell; of channels all, or one."""
        zero = frozenset((0,))
        every = self.channel if all_channels else -1
        return tuple(
            frozenset((index,)) if axis == own else cells if axis == every else zero
            for axis, cells in enumerate(self.every)
        )

    def is_part(self, number: int, piece: Product) -> bool:
        """Whether a piece leaves out channels of its input."""
        axis = self.channel_axes[number]
        shape = shape_of(self.node.inputs[number])
        return axis < len(piece) and len(piece[axis]) < shape[axis]


@dataclass(frozen=True, slots=True)
class _Way:
    """One of the pieces that a result reads: from which input, and its cells by axis.

    `along[axis]` has the axis of the result whose index decides the cells (None: none does) and
    the cells for each index of it.
    """

    number: int
    along: tuple[tuple[int | None, tuple[Indices, ...]], ...]
    is_part: bool


def _ways(reach: _Reach) -> list[_Way]:
    """How a layer reads that works axis by axis: each index of its result decides one axis."""
    base = reach.read(reach.at(-1, 0))
    shuffles = bool(reach.shuffles)
    along: list[list[tuple[int | None, tuple[Indices, ...]]]] = [
        [(None, (cells,)) for cells in piece] for _, piece in base
    ]
    for own in range(len(reach.shape)):
        if own == reach.channel or reach.shape[own] == 1:
            continue
        wanted = (reach.at(own, index, shuffles) for index in range(reach.shape[own]))
        rows = list(map(reach.read, wanted))
        for place, (_, piece) in enumerate(base):
            for axis in range(len(piece)):
                cells = tuple(row[place][1][axis] for row in rows)
                if any(other is not cells[0] and other != cells[0] for other in cells):
                    along[place][axis] = (own, cells)
    return [
        _Way(number, tuple(axes), reach.is_part(number, piece))
        for (number, piece), axes in zip(base, along, strict=True)
    ]


def _by_axis(reach: _Reach, entering: Sequence[Sight | None], ways: list[_Way]) -> Sight | None:
    ways = [way for way in ways if entering[way.number] is not None]
    sights = [cast(Sight, entering[way.number]) for way in ways]
    is_exact = all(s.is_exact for s in sights)
    is_alike = all(s.is_alike for s in sights)
    if any(way.is_part and not s.is_alike for way, s in zip(ways, sights, strict=True)):
        is_exact = False
    parts: list[tuple[Indices | None, View]] = []
    groups = _groups(reach, entering, ways)
    for channels, hits in groups:
        views = [
            _gathered(view, way)
            for place, (way, sight) in enumerate(zip(ways, sights, strict=True))
            for number, (_, view) in enumerate(sight.parts)
            if (place, number) in hits
        ]
        if views:
            view, is_sure = joined([view for view, _ in views])
            is_exact = is_exact and is_sure and all(sure for _, sure in views)
            parts.append((channels if len(groups) > 1 else None, view))
    return Sight(tuple(parts), is_exact, is_alike) if parts else None


Hits: TypeAlias = "frozenset[tuple[int, int]]"
"""Parts of inputs that are read: the number of the way, and of the part."""


def _groups(
    reach: _Reach, entering: Sequence[Sight | None], ways: list[_Way]
) -> list[tuple[Indices | None, Hits]]:
    """Channels of the result that read the same parts of the inputs."""
    everything = frozenset(
        (place, number)
        for place, way in enumerate(ways)
        for number in range(len(cast(Sight, entering[way.number]).parts))
    )
    count = reach.shape[reach.channel] if reach.shape else 1
    single = len(everything) < 2 and len(reach.node.inputs) < 2
    single = single or bool(reach.shuffles)  # each channel is a piece of its own
    if single or reach.channel or len(reach.shape) < 2 or count > MOST_CHANNELS:
        return [(None, everything)]
    if reach.op.reads_all_channels():
        return [(None, everything)]
    by_hits: dict[Hits, list[int]] = {}
    for hits, channels in _hits(reach, entering, range(count)):
        by_hits.setdefault(hits, []).extend(channels)
    return [(frozenset(channels), hits) for hits, channels in by_hits.items()]


def _hits(
    reach: _Reach, entering: Sequence[Sight | None], channels: range
) -> Iterator[tuple[Hits, range]]:
    """Runs of channels, and the parts that each channel of a run reads."""
    wanted = (frozenset(channels), *reach.at(-1, 0)[1:])
    read = [(n, piece) for n, piece in reach.read(wanted) if entering[n] is not None]
    hits = frozenset(
        (place, number)
        for place, (n, piece) in enumerate(read)
        for number, (own, _) in enumerate(cast(Sight, entering[n]).parts)
        if piece[0] and (own is None or reach.channel_axes[n] or not own.isdisjoint(piece[0]))
    )
    every = all(sight is not None for sight in entering)
    if len(channels) == 1 or (len(hits) == 1 and every):
        yield hits, channels
        return
    middle = len(channels) // 2
    yield from _hits(reach, entering, channels[:middle])
    yield from _hits(reach, entering, channels[middle:])


def _gathered(view: View, way: _Way) -> tuple[View, bool]:
    """What is seen through a way, and whether that is sure: no place of it reads nothing at all."""
    gathered = tuple(
        alone(axis) if axis.axis is None else _through(axis, *way.along[axis.axis]) for axis in view
    )
    used = {axis.axis for axis in view}
    others = (cells for axis, (_, cells) in enumerate(way.along) if axis not in used)
    return gathered, all(map(all, others))


def alone(axis: Along) -> Along:
    """All places together."""
    return Along(None, axis.first.min(keepdims=True), axis.last.max(keepdims=True))


def _through(axis: Along, own: int | None, cells: tuple[Indices, ...]) -> Along:
    """The hull of what the cells see, for each index of an axis of the result."""
    counts = np.fromiter(map(len, cells), np.int64, len(cells))
    first = np.full(len(cells), NEVER)
    last = np.full(len(cells), -1)
    filled = counts > 0
    if filled.any():
        flat = np.fromiter(chain.from_iterable(cells), np.int64, int(counts.sum()))
        starts = np.concatenate(([0], np.cumsum(counts[filled])[:-1]))
        first[filled] = np.minimum.reduceat(axis.first[flat], starts)
        last[filled] = np.maximum.reduceat(axis.last[flat], starts)
    return Along(own, first, last)


def joined(views: Sequence[View]) -> tuple[View, bool]:
    """What is seen through any of several views, and whether that is exact.

    It is where one axis decides all, and where each index sees something through all of the views
    or through none.
    """
    if len(views) == 1:
        return views[0], True
    owns = {axis.axis for view in views for axis in view} - {None}
    if len(owns) == 1:
        return _joined_along(views, owns.pop()), True
    hulls: list[Along] = []
    is_exact = True
    for axes in zip(*views, strict=True):
        deciding = {axis.axis for axis in axes} - {None}
        if len(deciding) > 1:
            axes, is_exact = tuple(map(alone, axes)), False
        axis, is_alike = _hull(axes, deciding.pop() if len(deciding) == 1 else None)
        hulls.append(axis)
        is_exact = is_exact and is_alike
    return tuple(hulls), is_exact


def _joined_along(views: Sequence[View], own: int | None) -> View:
    """The same where one axis of the value decides all: what sees nothing along one axis is out."""
    size = max(len(axis.first) for view in views for axis in view)
    masked: list[View] = []
    for view in views:
        sees = np.logical_and.reduce([np.broadcast_to(axis.sees, size) for axis in view])
        masked.append(tuple(
            Along(own, np.where(sees, axis.first, NEVER), np.where(sees, axis.last, -1))
            for axis in view
        ))  # fmt: skip
    return tuple(_hull(axes, own)[0] for axes in zip(*masked, strict=True))


def _hull(axes: Sequence[Along], own: int | None) -> tuple[Along, bool]:
    """What any of them sees, and whether all see something at the same places."""
    size = max(len(axis.first) for axis in axes)
    firsts = [np.broadcast_to(axis.first, size) for axis in axes]
    lasts = [np.broadcast_to(axis.last, size) for axis in axes]
    sees = [last >= first for first, last in zip(firsts, lasts, strict=True)]
    hull = Along(own, np.minimum.reduce(firsts), np.maximum.reduce(lasts))
    return hull, all((s == sees[0]).all() for s in sees)


def _merged(sight: Sight) -> Sight:
    """The same with all channels together."""
    if len(sight.parts) == 1:
        return sight
    view, is_sure = sight.together
    return Sight(((None, view),), sight.is_exact and is_sure, is_alike=False)


def _mixed(reach: _Reach, entering: Sequence[Sight | None]) -> Sight | None:
    """A layer that makes other axes: what each slab of its result sees, an axis at a time."""
    present = [sight for sight in entering if sight is not None]
    is_exact = all(sight.is_exact for sight in present)
    everything = _box(reach, entering, reach.every)
    if everything is None:
        return None
    own = [a for a, size in enumerate(reach.shape) if a != reach.channel and size > 1]
    slabs = {axis: _slabs(reach, entering, axis) for axis in own}
    view: list[Along] = []
    for number, (first, last) in enumerate(everything):
        narrowest = Along(None, np.array([first]), np.array([last]))
        for axis, boxes in slabs.items():
            ends = [box[number] if box else (NEVER, -1) for box in boxes]
            narrower = Along(axis, *(np.array(column) for column in zip(*ends, strict=True)))
            if narrower.largest < narrowest.largest:
                narrowest = narrower
        view.append(narrowest)
    is_whole = all(_is_constant(sight) for sight in present)
    is_exact = is_exact and (len(own) < 2 or is_whole) and is_ours(type(reach.node.op))
    return Sight(((None, tuple(view)),), is_exact, is_alike=False)


def _is_constant(sight: Sight) -> bool:
    return all(a.axis is None and a.sees.all() for _, view in sight.parts for a in view)


Box: TypeAlias = "tuple[tuple[int, int], ...] | None"


def _slabs(reach: _Reach, entering: Sequence[Sight | None], axis: int) -> list[Box]:
    every = reach.every
    return [
        _box(reach, entering, (*every[:axis], frozenset((index,)), *every[axis + 1 :]))
        for index in range(reach.shape[axis])
    ]


def _box(reach: _Reach, entering: Sequence[Sight | None], wanted: Product) -> Box:
    """The hull of all that some elements see."""
    boxes: list[tuple[tuple[int, int], ...]] = []
    for number, piece in reach.read(wanted):
        sight = entering[number]
        if sight is None or not all(piece):
            continue
        ((_, view),) = sight.parts
        boxes.append(tuple(_ends(axis, piece) for axis in view))
    boxes = [box for box in boxes if all(last >= first for first, last in box)]
    axes = zip(*boxes, strict=True)
    return tuple((min(e[0] for e in a), max(e[1] for e in a)) for a in axes) if boxes else None


def _ends(axis: Along, piece: Product) -> tuple[int, int]:
    cells: Iterable[int] = (0,) if axis.axis is None else piece[axis.axis]
    at = np.fromiter(cells, np.int64)
    return int(axis.first[at].min()), int(axis.last[at].max())


def _unknown(entering: Sequence[Sight | None]) -> Sight:
    """Behind a layer that does not tell what it reads: maybe all that its inputs see."""
    views = [view for sight in entering if sight is not None for _, view in sight.parts]
    whole = [tuple(map(alone, view)) for view in views]
    return Sight(((None, joined(whole)[0]),), is_exact=False, is_alike=False)
