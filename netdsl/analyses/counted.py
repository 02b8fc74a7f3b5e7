"""Receptive fields at known sizes: the most that any place sees, counted exactly."""

from __future__ import annotations

import numpy as np

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.links import UnknownLinks, field, hull, shape_of
from netdsl.analyses.reach import Axis, Field, Reach, Rule
from netdsl.analyses.sights import Sight, TooMany, View, sights
from netdsl.ir.graph import Graph, Input, Value

MOST_WITNESSES = 64
"""Places that are looked at one by one, of all values together, where only a bound is known."""


class Counted:
    """The fields at known sizes."""

    def __init__(self, graph: Graph, item: Input, rules: dict[Value, tuple[Rule, ...]]) -> None:
        self.graph, self.item, self.rules = graph, item, rules
        self.channels = ChannelAxes(graph)
        self.witnesses = MOST_WITNESSES

    def fields(self) -> dict[Value, Field]:
        values = [v for node in self.graph.nodes() for v in node.outputs]
        try:
            sight_of = sights(self.graph, self.item)
        except TooMany:
            return {key: tuple(map(self._bound, rule, self._sizes))
                    for key, rule in self.rules.items()}  # fmt: skip
        return {
            value: self._field(value, sight_of[value])
            for value in (self.item.value, *values)
            if value in sight_of
        }

    @property
    def _sizes(self) -> tuple[int, ...]:
        return shape_of(self.item.value)[1:]

    def _bound(self, rule: Rule, size: int) -> Reach:
        axis = rule if isinstance(rule, Axis) else None
        return Reach(size if axis is None else min(axis.size, size), axis, is_bound=True)

    def _field(self, value: Value, sight: Sight) -> Field:
        view, is_sure = sight.together
        is_sure = is_sure and sight.is_exact
        reaches: list[Reach | None] = []
        for number, (axis, rule, size) in enumerate(
            zip(view, self.rules[value], self._sizes, strict=True)
        ):
            axis_rule = rule if isinstance(rule, Axis) else None
            is_exact = is_sure or axis.largest <= 1 or self._is_seen(value, view, number)
            reach = Reach(axis.largest, axis_rule, not is_exact)
            reaches.append(None if reach == Reach(size, None) and size > 1 else reach)
        return tuple(reaches)

    def _is_seen(self, value: Value, view: View, number: int) -> bool:
        """Whether one position, followed back exactly, sees as much as the bound says."""
        axis, shape = view[number], shape_of(value)
        self.witnesses -= 1
        if self.witnesses < 0:
            return False
        place = [n // 2 for n in shape]
        for along in (*view, axis):
            if along.axis is not None:
                lengths = np.where(along.sees, along.last - along.first + 1, 0)
                place[along.axis] = int(lengths.argmax())
        wanted = [frozenset((i,)) for i in place]
        own = self.channels.of(value)
        if own < len(shape):
            wanted[own] = frozenset(range(shape[own]))
        try:
            read = field(self.graph, value, tuple(wanted)).get(self.item.value, [])
        except UnknownLinks:
            return False
        first, last = hull(read)[number + 1] if read else (0, -1)
        return last - first + 1 == axis.largest
