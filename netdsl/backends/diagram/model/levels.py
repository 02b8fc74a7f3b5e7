"""The resolution of each map, as how often the input was halved, the same at all input sizes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from math import floor, log2, prod

from netdsl.analyses.channels import ChannelAxes
from netdsl.ir.dim import Size, evaluate
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.base import BINS, UNKNOWN, Op, op_of
from netdsl.ops.facts import Work
from netdsl.ops.tables import types_of

Scale = Fraction | None
"""Cells of the input to one of the map, along an axis; None where their number is fixed."""
Scales = tuple[Scale, ...]
LOST = Fraction(0)
"""An axis that no layer relates to one before."""
FEWEST_AXES = 2
AXES_OF_IMAGE = 3
AXES_OF_MAP = 2
"""Those without the channels; sounds have one."""
TRIED = 256
"""A size at which two axes are compared that follow no rule."""


class Levels:
    """The level of each value of a network: 0 the largest input, 1 more each time it is halved.

    A level is found from strides and factors, layer by layer, so that it does not depend on the
    sizes that the network is given, nor on cells that convolutions without padding take away.
    Vectors, tokens, and maps of a fixed number of cells (1x1, bins of a pool) have none.
    """

    def __init__(self, graph: Graph) -> None:
        self._axes = ChannelAxes(graph)
        self._scales: dict[Value, Scales] = {}
        self._known: dict[tuple[Size, ...], Scales] = {}
        self._tried = dict.fromkeys(graph.symbols, TRIED)
        self._reference: tuple[int, ...] = ()
        """Cells of the largest map that comes in."""
        self._begin(graph)
        self._has_input = bool(self._reference)
        for node in graph.nodes():
            for value in node.outputs:
                self._set(value, self._behind(node, value))

    def of(self, value: Value) -> int | None:
        """The level of a map; below 0 where it is finer than the input."""
        level = self._level(value)
        return None if level is None else level - self._finest

    @cached_property
    def _finest(self) -> int:
        """0; where no map comes in, or one of a single cell that grows, the finest map's level."""
        is_image = self._has_input and prod(self._reference) > 1
        levels = () if is_image else map(self._level, self._scales)
        finest = min((level for level in levels if level is not None), default=0)
        return min(finest, 0) if self._has_input else finest

    def _level(self, value: Value) -> int | None:
        scales = self._scales.get(value)
        if scales is None:
            return None
        halved = [log2(scale) for p in self._spatial(value) if (scale := scales[p])]
        return floor(sum(halved) / len(halved) + 0.5) if halved else None

    def _spatial(self, value: Value) -> list[int]:
        """The places of the axes that are none of channels."""
        return [p for p in range(value.type.rank) if self._axes.origin(value, p) != 0]

    def _cells(self, value: Value) -> tuple[Size, ...]:
        return tuple(value.type.shape[place] for place in self._spatial(value))

    def _tried_cells(self, value: Value) -> tuple[int, ...]:
        return tuple(max(1, evaluate(size, self._tried)) for size in self._cells(value))

    def _begin(self, graph: Graph) -> None:
        values = (item.value for item in graph.inputs if item.value.type.rank >= FEWEST_AXES)
        cells = {value: self._tried_cells(value) for value in values}
        axes = max(map(len, cells.values()), default=0)  # beside an image no tokens
        cells = {value: own for value, own in cells.items() if len(own) == axes}
        self._reference = max(cells.values(), key=prod, default=())
        for value in cells:
            self._set(value, self._compared(value))

    def _compared(self, value: Value) -> Scales:
        """The scales of a map that no layer relates to another: by the ratio of the sizes."""
        cells = self._tried_cells(value)
        reference = self._reference or cells
        if len(reference) != len(cells):
            reference = (max(reference),) * len(cells)
        ratios = map(_ratio, reference, cells)
        scales = dict(zip(self._spatial(value), ratios, strict=True))
        return tuple(scales.get(place) for place in range(value.type.rank))

    def _set(self, value: Value, scales: Scales | None) -> None:
        if scales is None or len(self._spatial(value)) < min(AXES_OF_MAP, len(self._reference)):
            return
        self._scales[value] = scales
        own = tuple(scales[place] for place in self._spatial(value))
        if None not in own and any(size != 1 for size in self._cells(value)):
            self._known.setdefault(self._cells(value), own)

    def _behind(self, node: Node, value: Value) -> Scales | None:
        """The scales of a result; None where it is no map."""
        shape = value.type.shape
        for number in node.op.size_inputs():
            other = node.inputs[number]
            if other in self._scales and other.type.shape[1:] == shape[1:]:
                return self._scales[other]
        flows = [(number, v) for number, v in node.data_inputs() if v.type.batched]
        if not flows or len(shape) < FEWEST_AXES:
            return None
        op = op_of(node)
        for _, one in flows:
            if one not in self._scales:
                self._set(one, self._seed(op, one))
        spatial = dict.fromkeys(self._spatial(value))
        ways = [self._way(node, number, v, value) for number, v in flows if v in self._scales]
        found = [
            _first([way[place] for way in ways]) if place in spatial else None
            for place in range(len(shape))
        ]
        return None if LOST in found else tuple(found)

    def _seed(self, op: Op, value: Value) -> Scales | None:
        """The scales of what was no map so far, where a layer asks for one."""
        is_map = value.type.rank >= AXES_OF_IMAGE or len(self._reference) == 1
        if op.channels_at != 0 or not is_map or all(size == 1 for size in self._cells(value)):
            return None
        self._reference = self._reference or self._tried_cells(value)
        return self._again(value) or (None if self._has_input else self._compared(value))

    def _again(self, value: Value) -> Scales | None:
        """The scales of a map before that had as many cells."""
        known = self._known.get(self._cells(value))
        if known is None:
            return None
        scales = dict(zip(self._spatial(value), known, strict=True))
        return tuple(scales.get(place) for place in range(value.type.rank))

    def _way(self, node: Node, number: int, one: Value, value: Value) -> list[Scale]:
        """The scale along each axis of a result, from those of one input; `LOST` without."""
        op, scales = op_of(node), self._scales[one]
        rank, before, after = value.type.rank, one.type.shape, value.type.shape
        is_first = one is next(v for v in node.inputs if v.type.batched)
        if not is_first:
            is_alike = one.type.rank == rank
            return [scales[p] if is_alike and before[p] == after[p] else LOST for p in range(rank)]
        origins = op.axis_origins(*types_of(node))
        if len(origins) != rank:
            return [LOST] * rank
        steps = _steps(node, number, one)
        found: list[Scale] = []
        for place, origin in enumerate(origins):
            if origin is None:
                found.append(LOST)
                continue
            scale, step = scales[origin], steps.get(place) if place == origin else None
            if scale is None or _is_binned(op):
                found.append(None)
            elif step is not None:
                found.append(scale * step)
            elif before[origin] == after[place]:
                found.append(scale)
            elif after[place] == 1:
                found.append(None)
            else:
                sizes = (max(1, evaluate(s, self._tried)) for s in (before[origin], after[place]))
                found.append(scale * _ratio(*sizes))
        return found


def _first(scales: Sequence[Scale]) -> Scale:
    """The first scale of an axis that is known; a fixed number of cells where none is."""
    known = [scale for scale in scales if scale != LOST]
    return next((scale for scale in known if scale), None if known else LOST)


def _steps(node: Node, number: int, one: Value) -> dict[int, Fraction]:
    """Cells of a map to one of the result along each axis that follows such a rule."""
    op, rank = op_of(node), one.type.rank
    sliding = op.sliding()
    if sliding is not None:
        strides = enumerate(sliding.settings_along(rank - 1), 1)
        return {p: Fraction(1, s) if op.zoom > 0 else Fraction(s) for p, (_, s, _) in strides}
    if one.type.shape == node.outputs[0].type.shape and op.zoom == 0:
        return {}
    windows = op.windows_into(*types_of(node), number)
    if windows is None or len(windows) != rank - 1:
        return {}
    unruled = (None, UNKNOWN, BINS)
    return {p: w.stride for p, w in enumerate(windows, 1) if w is not None and w not in unruled}


def _is_binned(op: Op) -> bool:
    """Whether a map is pooled into a number of bins."""
    return op.zoom < 0 and op.work is Work.COMPUTES and op.sliding() is None


def _ratio(before: int, after: int) -> Fraction:
    """The whole factor that lies nearest, larger or smaller."""
    if before >= after:
        return Fraction(floor(before / after + 0.5))
    return Fraction(1, floor(after / before + 0.5))
