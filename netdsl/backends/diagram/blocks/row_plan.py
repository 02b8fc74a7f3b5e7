"""One row of a drawing as a graph for Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from netdsl.backends.diagram.blocks.dot import DotCluster, DotEdge, DotGraph, DotNode
from netdsl.backends.diagram.blocks.labels import varied
from netdsl.backends.diagram.blocks.leaf import Leaf, relative, strip_places
from netdsl.backends.diagram.blocks.pens import Pen, pen_of, shared
from netdsl.backends.diagram.blocks.wiring import Wire
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.units import Unit, leaves
from netdsl.ir.graph import Value

CHAIN_WEIGHT = 12
"""How much straighter the wire of a tensor to its first reader is than those to others."""


class Boxes(Protocol):
    """What a row asks of the drawing it is part of: boxes by key, units' keys, wires.

    `training` are the keys of what runs in training only.
    """

    options: Options
    boxes: dict[str, Leaf]
    keys: dict[Unit, str]
    wires: Sequence[Wire]
    training: set[str]

    def wires_at(self, keys: Iterable[str]) -> list[Wire]:
        """Those that start or end at one of these boxes, in order."""
        ...

    def shown_shape(self, wire: Wire) -> str:
        """What stands beside a tensor's wire."""
        ...

    def frame_title(self, unit: Unit, inside: str) -> str:
        """What stands above an open block; `inside` is the path of the block around it."""
        ...

    def frame_name(self, unit: Unit) -> str:
        """What an open block is called in the file."""
        ...


class RowPlan:
    """One row as a graph for Graphviz.

    `own` are the keys of its boxes, `pens` belong to the edges; `coming` and `going` are the
    values from and to other rows, with their pens outside of this row; `labels` are texts for
    those that go out and are read nowhere in this row. In a row that `is_alone` shapes stand on
    the wires that come in and go out too, and wires meet boxes at their sides.
    """

    def __init__(
        self, sheet: Boxes, row: Sequence[str | Unit], own: frozenset[str], is_alone: bool = False
    ) -> None:
        self.sheet, self.own, self.is_alone = sheet, own, is_alone
        self.graph = DotGraph()
        self.pens: list[Pen] = []
        self.junctions: dict[tuple[Value, str], str] = {}
        self.outer: dict[str, str] = {}
        self.frames = self.forks = 0
        self.near = wires = sheet.wires_at(own)
        coming = {w.value: w for w in wires if self._enters(w)}
        going = {w.value: w for w in wires if self._leaves(w)}
        self.coming = {value: shared(self._pens_in(value)) for value in coming}
        self.going = {value: shared(self._pens_out(value)) for value in going}
        sides = ("source", "sink") if sheet.options.direction == "right" else ("", "")
        self._ports("enter", len(coming), sides[0])
        self._add(row)
        self._ports("leave", len(going), sides[1])
        labelled = self._connect(wires, {value: f"enter{n}" for n, value in enumerate(coming)})
        for port, wire in enumerate(going.values()):
            weight = 1 if self._is_read(wire) else CHAIN_WEIGHT
            is_told = wire.value in labelled or not is_alone
            label = "" if is_told else sheet.shown_shape(wire)
            edge = DotEdge(wire.tail, f"leave{port}", label, weight)
            self._edge(edge, self.going[wire.value])
        self.labels = {v: sheet.shown_shape(w) for v, w in going.items() if v not in labelled}

    def _pen(self, wire: Wire) -> Pen:
        sheet = self.sheet
        return pen_of(wire, sheet.boxes[wire.head], wire.head in sheet.training)

    def _pens_out(self, value: Value) -> list[Pen]:
        """The pens of the wires of a value to other rows."""
        wires = (wire for wire in self.near if wire.value is value)
        return [self._pen(wire) for wire in wires if self._leaves(wire)]

    def _pens_in(self, value: Value) -> list[Pen]:
        """The pens of the wires of a value from another row."""
        wires = (wire for wire in self.near if wire.value is value)
        return [self._pen(wire) for wire in wires if self._enters(wire)]

    def _enters(self, wire: Wire) -> bool:
        return wire.head in self.own and wire.tail not in self.own

    def _leaves(self, wire: Wire) -> bool:
        return wire.tail in self.own and wire.head not in self.own

    def _columns(self, unit: Unit) -> Iterator[tuple[str, ...]]:
        """The last layers of branches that are joined: below each other, in the order joined."""
        wires = self.near
        parts = {self.sheet.keys[p]: p for p in unit.parts if not p.is_open}
        for key in parts:
            if self.sheet.boxes[key].form != "strip":
                continue
            tails = [w.tail for w in wires if w.head == key]
            read = {w.head for w in wires if w.tail in tails}
            if len(tails) > 1 and read == {key} and len(parts.keys() & set(tails)) == len(tails):
                yield tuple(tails)

    def _is_read(self, wire: Wire) -> bool:
        """Whether a tensor that leaves the row is read in it too."""
        return any(w.value is wire.value and w.head in self.own for w in self.near)

    def _ports(self, name: str, count: int, rank: str) -> None:
        self.graph.children += [DotNode(f"{name}{n}", 1, 1, rank=rank) for n in range(count)]

    def _add(self, row: Sequence[str | Unit]) -> None:
        for item in row:
            if isinstance(item, str):
                self.graph.children.append(self._node(item))
            else:
                self.graph.children.append(self._child(item, ""))

    def _child(self, unit: Unit, inside: str) -> DotNode | DotCluster:
        if not unit.is_open:
            return self._node(self.sheet.keys[unit])
        self.frames += 1
        title = self.sheet.frame_title(unit, inside)
        name = self.sheet.frame_name(unit)
        cluster = DotCluster(f"b{self.frames}", title, unit.path, name)
        own = {self.sheet.keys[leaf] for leaf in leaves([unit])}
        for value in unit.inputs:
            readers = {w.head for w in self.near if w.head in own and w.value is value}
            if len(readers) > 1 and self._forks(unit, readers):
                key, self.forks = f"j{self.forks}", self.forks + 1
                for reader in readers:
                    if (value, reader) in self.junctions:
                        self.outer[key] = self.junctions[value, reader]
                    self.junctions[value, reader] = key
                cluster.children.append(DotNode(key, 6, 6))
        cluster.children += [self._child(part, unit.path) for part in unit.parts]
        cluster.columns += self._columns(unit)
        return cluster

    def _forks(self, unit: Unit, readers: set[str]) -> bool:
        """Whether several of a block's parts read: else the fork is inside of the one that does."""
        parts = [{self.sheet.keys[leaf] for leaf in leaves([part])} for part in unit.parts]
        return sum(not part.isdisjoint(readers) for part in parts) > 1

    def _node(self, key: str) -> DotNode:
        box = self.sheet.boxes[key]
        heights: tuple[float, ...] = ()
        if box.form == "strip":
            heights = tuple(height for _, height in strip_places(box, 0))
        at_sides = box.form in ("shrink", "grow")
        at_sides |= self.is_alone and box.form not in ("circle", "strip")
        return DotNode(key, box.width, box.height, heights, "", at_sides)

    def _connect(self, wires: Sequence[Wire], enters: dict[Value, str]) -> set[Value]:
        labelled: set[Value] = set()
        fed: set[str] = set()
        previous: dict[str, str] = {}
        for wire in wires:
            if wire.head not in self.own:
                continue
            inside = wire.tail in self.own
            tail = wire.tail if inside else enters[wire.value]
            junction = self.junctions.get((wire.value, wire.head))
            label = self._label(wire, labelled)
            if junction is not None:
                for fork in self._forks_to(junction):
                    if fork not in fed:
                        fed.add(fork)
                        pen = shared(self._pens_through(wire.value, fork))
                        self._edge(DotEdge(tail, fork, label, CHAIN_WEIGHT), pen)
                    label, tail = "", fork
            box = self.sheet.boxes[wire.head]
            port = wire.port if box.form == "strip" else -1
            chain = CHAIN_WEIGHT if previous.get(tail) is None and not junction else 1
            previous[tail] = wire.head
            self._edge(
                DotEdge(tail, wire.head, label if port < 0 else "", chain, port), self._pen(wire)
            )
        return labelled

    def _forks_to(self, junction: str) -> list[str]:
        """The forks that lead to one, the outermost first."""
        forks = [junction]
        while forks[-1] in self.outer:
            forks.append(self.outer[forks[-1]])
        return forks[::-1]

    def _label(self, wire: Wire, labelled: set[Value]) -> str:
        """The shape of a tensor, where it is first read."""
        if wire.value in labelled or not (self.is_alone or wire.tail in self.own):
            return ""
        if self.sheet.boxes[wire.head].form == "strip":
            return ""
        labelled.add(wire.value)
        return self.sheet.shown_shape(wire)

    def _pens_through(self, value: Value, fork: str) -> list[Pen]:
        """The pens of the wires of a value that part at a fork, or behind it."""
        by_head = {head: j for (parted, head), j in self.junctions.items() if parted is value}
        wires = (wire for wire in self.near if wire.value is value and wire.head in by_head)
        return [self._pen(wire) for wire in wires if fork in self._forks_to(by_head[wire.head])]

    def _edge(self, edge: DotEdge, pen: Pen) -> None:
        self.graph.edges.append(edge)
        self.pens.append(pen)


def cluster_title(unit: Unit, inside: str) -> str:
    """What stands above an open block."""
    definition = unit.scope.definition if unit.scope else ""
    name = times_name(relative(unit.path, inside), unit.count)
    told = [definition, *(["shown once", varied(unit)] if unit.count > 1 else [])]
    return f"   {name}   " + ", ".join(part for part in told if part)


def times_name(name: str, count: int) -> str:
    return f"{name} × {count}" if count > 1 else name
