"""Receptive fields: which cells of an input a cell of a value depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import TypeAlias, cast

from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Input, Node, Value
from netdsl.ops.base import Op, Window, Windows
from netdsl.ops.params import FromValue

MAX_PERIOD = 512
"""Places whose fields differ; maps enlarged beyond it follow no rule here."""
Ends: TypeAlias = "tuple[int, int] | None"
"""First and last cell that is seen; None: none is."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What positions see along one axis, away from the borders: cells may lie outside of the map.

    `ends[i]` are the first and last cell that position i sees, for one period; a period further
    on they lie `shift` cells further. Without layers that enlarge, the period is 1.
    """

    ends: tuple[Ends, ...]
    shift: int

    @property
    def size(self) -> int:
        """Cells that a position sees, the most of any."""
        return max((last - first + 1 for first, last in filter(None, self.ends)), default=0)

    @property
    def stride(self) -> Fraction:
        """Cells of the input for one step here (the jump); below 1 where the map is enlarged."""
        return Fraction(self.shift, len(self.ends))

    @property
    def start(self) -> int:
        """The first cell that position 0 sees; below 0 in the padding."""
        return next(ends[0] for ends in self.ends if ends is not None) if any(self.ends) else 0

    def at(self, position: int) -> Ends:
        """The first and last cell that a position sees."""
        turns, place = divmod(position, len(self.ends))
        ends = self.ends[place]
        return (
            None if ends is None else (ends[0] + turns * self.shift, ends[1] + turns * self.shift)
        )


Field: TypeAlias = "tuple[Axis | None, ...]"
"""An axis each. None: all of that axis, or places that follow no rule."""

IDENTITY = Axis(((0, 0),), 1)


class ReceptiveFields(Mapping[str, "Mapping[int, Field]"]):
    """What each value of a network sees of each input.

    `fields["image"][id(value)]` is the field of a value; a value that does not depend on the input
    is not in it. A field has an entry for each spatial axis of the input: the hull over all
    branches and all layers between, of sizes that hold away from the borders; None stands for all
    of an axis, which is exact behind a global pool, and as far as one can say where branches of
    different steps meet.
    """

    def __init__(self, graph: Graph) -> None:
        self._fields = {item.name: _forward(graph, item) for item in graph.inputs}

    def __getitem__(self, name: str) -> Mapping[int, Field]:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def of(self, value: Value) -> dict[str, Field]:
        """The fields of a value in the inputs that it depends on."""
        return {name: fields[id(value)] for name, fields in self.items() if id(value) in fields}


def _forward(graph: Graph, item: Input) -> dict[int, Field]:
    """The fields in one input of all values that depend on it."""
    rank = len(item.value.type.spatial)
    found: dict[int, Field] = {id(item.value): (IDENTITY,) * rank}
    for node in graph.nodes():
        seen = [
            _through(found[id(value)], _link(node, index))
            for index, value in data_inputs(node)
            if id(value) in found
        ]
        if seen:
            for value in node.outputs:
                found[id(value)] = _hull(seen)
    return found


def data_inputs(node: Node) -> list[tuple[int, Value]]:
    """The inputs whose numbers count, not only their sizes."""
    sizes = {v.index for v in _settings(node.op) if isinstance(v, FromValue)}
    return [(i, value) for i, value in enumerate(node.inputs) if i not in sizes]


def _settings(op: object) -> list[object]:
    """The settings of an op."""
    names = getattr(op, "__dataclass_fields__", ())
    return [getattr(op, name) for name in names]


def _link(node: Node, index: int) -> Windows | None:
    """What an output position sees of input `index`; an axis of 1 that spreads is seen whole."""
    inputs = tuple(value.type for value in node.inputs)
    outputs = tuple(value.type for value in node.outputs)
    windows = cast(Op, node.op).windows(inputs, outputs)
    given, made = inputs[index], outputs[0]
    if windows is None or given.rank != made.rank or len(windows) != len(given.spatial):
        return None
    return tuple(
        None if _spreads(n, m) else w
        for w, n, m in zip(windows, given.spatial, made.spatial, strict=True)
    )


def _spreads(size: Size, made: Size) -> bool:
    return isinstance(size, int) and size == 1 and not (isinstance(made, int) and made == 1)


def _through(field: Field, windows: Windows | None) -> Field:
    """The field behind one more layer."""
    if windows is None or len(windows) != len(field):
        return (None,) * len(field)
    return tuple(_compose(axis, window) for axis, window in zip(field, windows, strict=True))


def _compose(axis: Axis | None, window: Window | None) -> Axis | None:
    if axis is None or window is None:
        return None
    before = len(axis.ends)
    step, over = window.stride.numerator, window.stride.denominator
    period = over * before // gcd(step, over * before)
    if not 0 < period <= MAX_PERIOD:
        return None
    ends = tuple(_seen(axis, cells(window, position)) for position in range(period))
    return Axis(ends, int(window.stride * period * axis.stride))


def cells(window: Window, position: int) -> range:
    """The cells that a position sees; they may lie outside of the map."""
    start = window.start + position * window.stride
    return range(ceil(start), floor(start + window.size - 1) + 1, window.dilation)


def _seen(axis: Axis, positions: range) -> Ends:
    """The hull of what some positions see; a period of them at either end decides it."""
    period = len(axis.ends)
    lows = [ends[0] for ends in map(axis.at, positions[:period]) if ends is not None]
    highs = [ends[1] for ends in map(axis.at, positions[-period:]) if ends is not None]
    return (min(lows), max(highs)) if lows and highs else None


def _hull(fields: list[Field]) -> Field:
    """What is seen through any of several ways."""
    if len(fields) == 1:
        return fields[0]
    return tuple(_join(axes) for axes in zip(*fields, strict=True))


def _join(axes: tuple[Axis | None, ...]) -> Axis | None:
    known = [axis for axis in axes if axis is not None]
    strides = {axis.stride for axis in known}
    if len(known) < len(axes) or len(strides) > 1:
        return None
    period = lcm(*(len(axis.ends) for axis in known))
    if period > MAX_PERIOD:
        return None
    ends: list[Ends] = []
    for position in range(period):
        here = [e for e in (axis.at(position) for axis in known) if e is not None]
        ends.append((min(e[0] for e in here), max(e[1] for e in here)) if here else None)
    return Axis(tuple(ends), int(strides.pop() * period))
