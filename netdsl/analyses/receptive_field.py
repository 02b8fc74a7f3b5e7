"""Receptive fields: which cells of an input a cell of a value depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from netdsl.analyses.reach import Axis, Ends, Field, Reach, Rule
from netdsl.ir.dim import Dim, Size
from netdsl.ir.drift import drift
from netdsl.ir.graph import Graph, Input, Node, Value
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import is_fixed
from netdsl.ops.base import BINS, POINTWISE, UNKNOWN, Window, Windows, op_of
from netdsl.ops.plugins import is_ours
from netdsl.ops.tables import types_of

MAX_PERIOD = 512
"""Places whose fields differ; maps enlarged beyond it follow no rule here."""

IDENTITY = Axis(((0, 0),), 1)


class ReceptiveFields(Mapping[str, "Mapping[Value, Field]"]):
    """What each value of a network sees of each input.

    `fields["image"][value]` is the field of a value, the most that one position of it sees
    (its channels together); a value that does not depend on the input is not in it. A field has
    an entry for each axis of the input but the first, of channels. At known sizes it is exact;
    where sizes are open, what is not the same at all of them is a bound, or has no number.
    """

    def __init__(self, graph: Graph) -> None:
        self._fields = {item.name: _fields(graph, item) for item in graph.inputs}

    def __getitem__(self, name: str) -> Mapping[Value, Field]:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def of(self, value: Value) -> dict[str, Field]:
        """The fields of a value in the inputs that it depends on."""
        return {name: fields[value] for name, fields in self.items() if value in fields}


def _fields(graph: Graph, item: Input) -> dict[Value, Field]:
    rules = _forward(graph, item)
    values = {item.value, *(v for node in graph.nodes() for v in (*node.inputs, *node.outputs))}
    if not is_fixed(size for value in values for size in value.type.shape):
        return {value: _open_field(item, value, rules[value]) for value in rules}
    from netdsl.analyses.counted import Counted  # which loads numpy

    return Counted(graph, item, rules).fields()


def _axes(tensor: Tensor) -> Shape:
    """The axes behind the first, where the items of an `each` stand in front as they were."""
    return (*tensor.items, *tensor.shape)[1:]


def _open_field(item: Input, value: Value, rules: tuple[Rule, ...]) -> Field:
    """Of open sizes. Along an axis of known size, or one cut to it, there is only a bound."""
    of_input, of_value = item.value.type.spatial, _axes(value.type)
    alike = len(of_input) == len(of_value)
    together = len(value.type.items) - 1  # an axis of the input that is the channels of an item
    if alike and together >= 0:
        whole = _covers(item, value, rules)[together]
        rules = (*rules[:together], None if whole else "unknown", *rules[together + 1 :])
    return tuple(
        _open(rule, size, isinstance(of_value[axis], Dim) if alike else False)
        for axis, (rule, size) in enumerate(zip(rules, of_input, strict=True))
    )


def _open(rule: Rule, size: Size, grows: bool) -> Reach | None:
    if rule is None or (isinstance(rule, Axis) and rule.wraps):
        return None
    if not isinstance(rule, Axis):
        return Reach(None, None)
    if rule.size == 1 and not rule.is_loose:
        return Reach(1, rule)
    most = min(rule.size, size) if isinstance(size, int) else rule.size
    return Reach(most, rule, rule.is_loose or not grows)


def _forward(graph: Graph, item: Input) -> dict[Value, tuple[Rule, ...]]:
    """The rules for one input of all values that depend on it."""
    rank = len(item.value.type.spatial)
    rules_of: dict[Value, tuple[Rule, ...]] = {item.value: (IDENTITY,) * rank}
    for node in graph.nodes():
        ways = [
            _through(rules_of[value], _link(node, index), _covers(item, value, rules_of[value]))
            for index, value in node.data_inputs()
            if value in rules_of
        ]
        if ways:
            rules: tuple[Rule, ...] = tuple(
                _of_channels(node, axes) for axes in zip(*ways, strict=True)
            )
            for value in node.outputs:
                rules_of[value] = rules
    return rules_of


def _of_channels(node: Node, axes: tuple[Rule, ...]) -> Rule:
    """What is seen through any of several ways, and whether that is so of each channel."""
    joined = _join(axes)
    if not isinstance(joined, Axis):
        return joined
    op, rank = op_of(node), node.inputs[0].type.rank
    if op.reads_all_channels():
        return replace(joined, is_mixed=False)
    cuts = op.shuffles() > 0 or op.cut_axis(rank) == 0
    mixes = op.shuffles() < 0 or (op.joined_axis(rank) is not None and len(set(axes)) > 1)
    if joined.is_mixed and (cuts or not is_ours(type(op))):
        joined = replace(joined, is_loose=True)
    return replace(joined, is_mixed=joined.is_mixed or mixes)


def _link(node: Node, index: int) -> Windows | None:
    """What an output position sees of input `index`; an axis of 1 that spreads is seen whole.

    Where the number of axes changes, places along those that stay are told by other axes.
    """
    inputs, outputs = types_of(node)
    windows = op_of(node).windows_into(inputs, outputs, index)
    before, after = inputs[index], outputs[0]
    if op_of(node).changes_items:
        return (POINTWISE,) * len(_axes(before))
    in_front = _in_front(node, before)
    if windows is None or len(windows) != len(before.spatial):
        return (*in_front[:-1], None, *(None for _ in before.spatial)) if in_front else None
    if before.rank != after.rank:
        return (*in_front, *(None if window is None else UNKNOWN for window in windows))
    seen = (
        None if _spreads(n, m) else w
        for w, n, m in zip(windows, before.spatial, after.spatial, strict=True)
    )
    return (*in_front, *seen)


def _in_front(node: Node, item: Tensor) -> Windows:
    """What is seen along axes of items, each item by itself, and of the channels of one item."""
    if not item.items:
        return ()
    channels = None if op_of(node).reads_all_channels() else UNKNOWN
    return (*(POINTWISE,) * (len(item.items) - 1), channels)


def _spreads(size: Size, result: Size) -> bool:
    return isinstance(size, int) and size == 1 and not (isinstance(result, int) and result == 1)


def _covers(item: Input, value: Value, rules: tuple[Rule, ...]) -> tuple[bool, ...]:
    """Whether a map sees, with all its places, its whole input, but for some cells at the borders.

    It does where it is as long as its step says: it was not cut to a part.
    """
    sizes = item.value.type.spatial, _axes(value.type)
    if len(sizes[0]) != len(sizes[1]):
        return tuple(axis is None or axis == "bins" for axis in rules)
    return tuple(
        axis is None or (isinstance(axis, Axis) and _spans(size, length, axis.stride))
        for axis, size, length in zip(rules, *sizes, strict=True)
    )


def _spans(size: Size, length: Size, stride: Fraction) -> bool:
    if isinstance(size, int) or isinstance(length, int):
        return isinstance(size, int)  # what is seen of known sizes is counted elsewhere
    growth = drift(size, length)
    return size == length or (growth is not None and growth.ratio == stride)


def _through(
    rules: tuple[Rule, ...], windows: Windows | None, covers: tuple[bool, ...]
) -> tuple[Rule, ...]:
    """The rules behind one more layer; what it reads whole is all only of a map that covers all."""
    if windows is None or len(windows) != len(rules):
        windows = (None,) * len(rules)
    return tuple(
        _compose(axis, window, whole)
        for axis, window, whole in zip(rules, windows, covers, strict=True)
    )


def _compose(axis: Rule, window: Window | None, covers: bool) -> Rule:
    if window is None:
        return None if covers or axis == "bins" else "unknown"
    if axis is None:
        return None
    if not isinstance(axis, Axis) or not window.size:
        keeps = axis == "bins" and window == POINTWISE
        return "bins" if keeps or (covers and window == BINS) else "unknown"
    if axis.wraps and (window.is_loose or 0 not in cells(window, 0)):
        return "unknown"
    if window.wraps and not _sees_the_map(axis.at(0)):
        return "unknown"
    before = len(axis.ends)
    step, over = window.stride.numerator, window.stride.denominator
    period = over * before // gcd(step, over * before)
    if not 0 < period <= MAX_PERIOD or (window.mirrors and before > 1):
        return "unknown"
    ends = tuple(_seen(axis, cells(window, position)) for position in range(period))
    shift = int(window.stride * period * axis.stride)
    is_loose = axis.is_loose or window.is_loose
    return Axis(ends, shift, is_loose, axis.wraps or window.wraps, axis.is_mixed)


def _sees_the_map(ends: Ends) -> bool:
    """Whether a first cell, which others see a copy of, is no padding itself."""
    return ends is not None and ends[1] >= 0


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


def _join(axes: tuple[Rule, ...]) -> Rule:
    """What is seen through any of several ways."""
    if len(set(axes)) == 1 or None in axes:
        return axes[0] if len(set(axes)) == 1 else None
    known = [axis for axis in axes if isinstance(axis, Axis)]
    strides = {axis.stride for axis in known}
    period = lcm(*(len(axis.ends) for axis in known))
    if len(known) < len(axes) or len(strides) > 1 or period > MAX_PERIOD:
        return "unknown"
    ends = _ends_of_all(known, period)
    sure = [axis for axis in known if not axis.is_loose]
    is_loose = len(sure) < len(known) and _ends_of_all(sure, period) != ends
    wraps, is_mixed = any(axis.wraps for axis in known), any(axis.is_mixed for axis in known)
    return Axis(ends, int(strides.pop() * period), is_loose, wraps, is_mixed)


def _ends_of_all(axes: list[Axis], period: int) -> tuple[Ends, ...]:
    hulls: list[Ends] = []
    for position in range(period):
        here = [e for e in (axis.at(position) for axis in axes) if e is not None]
        hulls.append((min(e[0] for e in here), max(e[1] for e in here)) if here else None)
    return tuple(hulls)
