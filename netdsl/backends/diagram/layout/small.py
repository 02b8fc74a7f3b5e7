"""A network in small boxes: what a layout places, and what it knows of each box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, sized
from netdsl.backends.diagram.blocks.pens import Pen, pen_of
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, Wire
from netdsl.backends.diagram.frame import MARGIN
from netdsl.backends.diagram.layout.cells import CELL_PAD, cell_of, channels
from netdsl.backends.diagram.layout.overview import ROOM
from netdsl.backends.diagram.model.shape import Shape
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.units import Unit, leaves
from netdsl.ir.graph import Graph, Node, Value

BUS = 4
"""Boxes that read one vector, from which its wires would hide the others."""
BRIDGE = Pen("amber", 2.0)


class SmallSheet(BlockSheet):
    """The boxes of a network by key, in the order it runs, and the level of each of them."""

    def __init__(
        self, graph: Graph, units: tuple[Unit, ...], options: Options, shape: Shape,
        *, is_terse: bool = False,
    ) -> None:  # fmt: skip
        self.shape, self.is_terse = shape, is_terse
        super().__init__(graph, units, options)
        self._cut_buses()

    def _cut_buses(self) -> None:
        """Takes away the wires of vectors that go to many boxes, and tells in the box how many."""
        readers: dict[str, set[str]] = {}
        for wire in self.wires:
            if self.level_of(wire.value) is None:
                readers.setdefault(wire.tail, set()).add(wire.head)
        buses = {key: heads for key, heads in readers.items() if len(heads) >= BUS}
        cut = [w for w in self.wires if w.tail in buses and self.level_of(w.value) is None]
        self.wires = [wire for wire in self.wires if wire not in cut]
        for key, heads in buses.items():
            box = self.boxes[key]
            lines = (*box.label.lines, f"to {len(heads)} boxes")
            kind, label = box.kind, replace(box.label, lines=lines)
            wider = sized(box.unit, kind, label, (), box.form, CELL_PAD)
            self.boxes[key] = replace(box, label=label, width=wider.width, height=wider.height)

    def _boxes(self) -> dict[str, Leaf]:
        boxes: dict[str, Leaf] = {}
        for key, value in self.ends.items():
            if key.startswith(INPUT):
                boxes[key] = self._end(self.graph.inputs[int(key[2:])].name, value)
        for unit, inside in _with_frame(self.units, ""):
            known = self.names, self.options, self.axes
            boxes[self.keys[unit]] = cell_of(unit, self.usual_tails, *known, inside, self.is_terse)
        for key, value in self.ends.items():
            if key.startswith(OUTPUT):
                boxes[key] = self._end(self.outputs[int(key[3:])].name, value)
        return boxes

    def _end(self, name: str, value: Value) -> Leaf:
        return end_leaf(name, self.told_channels(value), CELL_PAD)

    def told_channels(self, value: Value) -> str:
        """`3 ch` of a map, whose size its row tells; else the whole shape."""
        is_map = bool(self.axes.spatial(value))
        told = channels(value, self.names, self.axes) if is_map else ""
        return told or self.names.shape(value.type.shape)

    @property
    def room(self) -> float:
        """The width of the page that was asked for, or of the usual one."""
        return super().room or ROOM + 2 * MARGIN

    @cached_property
    def order(self) -> list[str]:
        """The keys of all boxes in the order they run, inputs first, outputs last."""
        keys = [self.keys[leaf] for leaf in leaves(self.units)]
        ends = [[k for k in self.ends if k.startswith(kind)] for kind in (INPUT, OUTPUT)]
        return [*ends[0], *keys, *ends[1]]

    @cached_property
    def makers(self) -> dict[Node, str]:
        """The box that each node is in, copies of it included."""
        return {n: key for key, unit in self.wiring.leaves.items() for n in unit.covered()}

    @cached_property
    def before(self) -> Mapping[str, tuple[str, ...]]:
        """The boxes that each box reads, in order, each once."""
        read: dict[str, dict[str, None]] = {key: {} for key in self.order}
        for wire in self.wires:
            read[wire.head][wire.tail] = None
        return {key: tuple(tails) for key, tails in read.items()}

    @cached_property
    def behind(self) -> Mapping[str, tuple[str, ...]]:
        """The boxes that read each box."""
        readers: dict[str, dict[str, None]] = {key: {} for key in self.order}
        for wire in self.wires:
            readers[wire.tail][wire.head] = None
        return {key: tuple(heads) for key, heads in readers.items()}

    @cached_property
    def levels(self) -> dict[str, int | None]:
        """The level of what each box gives; of inputs and outputs, of what they are joined to."""
        levels: dict[str, int | None] = {}
        for key in self.order:
            if key in self.wiring.leaves:
                unit = self.wiring.leaves[key]
                levels[key] = self.level_of(unit.outputs[-1]) if unit.outputs else None
            elif key.startswith(OUTPUT):
                levels[key] = levels[self.before[key][0]]
            else:
                levels[key] = self.level_of(self.ends[key])
        return levels

    def level_of(self, value: Value) -> int | None:
        """The level of a tensor; 0 of an input; None of what has other axes than the images."""
        if len(value.type.shape) != max(len(item.shape) for item in self.graph.inputs):
            return None
        return 0 if value.producer is None else self.shape.levels.get(value.producer)

    def span(self, key: str) -> list[int]:
        """The levels of all that a block takes and gives, where either are maps of several."""
        unit = self.wiring.leaves.get(key)
        if unit is None or not unit.is_block:
            return []
        sides = [{self.level_of(value) for value in side} for side in (unit.inputs, unit.outputs)]
        levels = [[level for level in side if level is not None] for side in sides]
        return sorted({*levels[0], *levels[1]}) if max(map(len, levels)) > 1 else []

    def reach(self, start: str, ways: Mapping[str, tuple[str, ...]]) -> set[str]:
        """All boxes that a box leads to along `before` or `behind`, itself included."""
        seen, stack = {start}, [start]
        while stack:
            for key in ways[stack.pop()]:
                if key not in seen:
                    seen.add(key)
                    stack.append(key)
        return seen

    @cached_property
    def bridges(self) -> set[tuple[str, str]]:
        """Pairs of boxes that a bridge of the shape joins."""
        pairs: set[tuple[str, str]] = set()
        inputs = [key for key in self.order if key.startswith(INPUT)]
        for bridge in self.shape.bridges:
            merge = self.makers.get(bridge.merge)
            forks = [self.makers.get(bridge.fork)] if bridge.fork is not None else inputs
            pairs |= {(fork, merge) for fork in forks if fork and merge and fork != merge}
        return pairs

    def pens(self) -> Iterator[tuple[Wire, Pen]]:
        """Each wire with its pen; a bridge is a skip."""
        for wire in self.wires:
            inner = self.span(wire.tail) and self.span(wire.head)
            if (wire.tail, wire.head) in self.bridges and not inner:
                yield wire, BRIDGE
            else:
                yield wire, pen_of(wire, self.boxes[wire.head], wire.head in self.training)

    def map_size(self, key: str) -> str:
        """`112 × 112`: the size of the maps that a box gives."""
        value = self.ends.get(key)
        if value is None:
            value = self.wiring.leaves[key].outputs[0]
        return self.size_of(value)

    def size_of(self, value: Value) -> str:
        """`112 × 112`: the size of a map."""
        return self.names.listed(self.axes.spatial(value))

    def band_captions(self, rows: Mapping[str, int]) -> dict[int, tuple[str, str]]:
        """What stands at the left of each row: the size of its maps."""
        captions: dict[int, tuple[str, str]] = {}
        for key in self.order:
            row = rows.get(key)
            if row is not None and row not in captions and self.levels[key] is not None:
                captions[row] = (self.map_size(key), "")
        return captions


def _with_frame(units: tuple[Unit, ...], inside: str) -> Iterator[tuple[Unit, str]]:
    for unit in units:
        if unit.is_open:
            yield from _with_frame(unit.parts, unit.path)
        else:
            yield unit, inside
