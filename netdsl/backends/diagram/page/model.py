"""What a page knows of a network: units in units, wires, shapes and costs as formulas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from netdsl.analyses.channels import ChannelAxes
from netdsl.analyses.cost import layer_text
from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, leaf_of
from netdsl.backends.diagram.blocks.marks import marked
from netdsl.backends.diagram.blocks.picture import training_units, usual_tails_of
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, SIZE_ONLY, Wiring
from netdsl.backends.diagram.model.skips import skip_edges
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.page.formulas import Formulas
from netdsl.backends.diagram.page.lesson import lesson
from netdsl.backends.diagram.page.ways import Ways
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.tips import source_line
from netdsl.backends.diagram.units import Unit, opened
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import BYTES
from netdsl.ops.axes import total
from netdsl.ops.base import elements, op_of

Told: TypeAlias = "dict[str, Any]"
OUTSIDE = -1
"""Where a wire begins that comes from outside of a block, and ends that leaves it."""


class PageModel:
    """Numbers units and values, and tells what the page needs of each.

    `units` has inputs, units and outputs; each has its `parts`, by number, and the `wires` among
    them: from, to, value, number of the reader's input, mark.
    """

    def __init__(self, graph: Graph, units: Sequence[Unit], options: Options, ways: Ways) -> None:
        self.graph, self.options, self.formulas = graph, options, Formulas()
        self.axes, self.names, self._ways = ChannelAxes(graph), ShapeNames(graph.symbols), ways
        self.usual_tails = usual_tails_of(units)
        self._values: dict[Value, int] = {}
        self._ways_told: dict[str, int] = {}
        self.values: list[list[Any]] = []
        self.ways: list[Told] = []
        self.units: list[Told] = []
        self.results: dict[int, str] = {}
        """Types of what each unit gives, in the symbols: for readers without scripts."""
        self.numbers: dict[str, int] = {}
        """The unit of each path: of a layer that is folded into another, of that one."""
        self._aliases = {k: v for unit in _deep(units) for k, v in unit.aliases.items()}
        self._marks, self._training = self._marked(units)
        self.inputs = [self._end(item.name, item.value, False) for item in graph.inputs]
        self.nodes = list(map(self._node, graph.nodes()))
        own = [(self._unit(unit, OUTSIDE, ""), unit) for unit in units]
        self.outputs = [
            self._end(item.name, item.value, True, item.when_training) for item in graph.outputs
        ]
        self.root = [*self.inputs, *(number for number, _ in own), *self.outputs]
        makers = {
            self._own(item.value): n for item, n in zip(graph.inputs, self.inputs, strict=True)
        }
        ends = [(n, item.value) for item, n in zip(graph.outputs, self.outputs, strict=True)]
        self.wires = self._wires(own, makers, ends)

    # --- values and formulas ---

    def value(self, value: Value) -> int:
        """The number of a value; of one of a later copy, that of the copy that is drawn."""
        while value in self._aliases:
            value = self._aliases[value]
        if value not in self._values:
            self._values[value] = len(self.values)
            sizes = (*value.type.items, *value.type.shape)
            shape = [self.formulas.size(size) for size in sizes]
            told: list[Any] = [shape, self.axes.of(value)]
            if value.type.dtype != "float32":
                told.append(value.type.dtype)
            self.values.append(told)
        return self._values[value]

    def _own(self, value: Value) -> int:
        """The number of a value itself, of whatever copy."""
        aliases, self._aliases = self._aliases, {}
        number = self.value(value)
        self._aliases = aliases
        return number

    def _node(self, node: Node) -> list[Any]:
        """The results of a layer, and what each input's cells have to do with theirs."""
        ways = [
            [self._own(node.inputs[number]), self._way(way.rules, way.is_exact)]
            for number, way in self._ways.of(node).items()
        ]
        return [[self._own(value) for value in node.outputs], ways]

    def _way(self, rules: tuple[Any, ...], is_exact: bool) -> int:
        key = repr((rules, is_exact))
        if key not in self._ways_told:
            self._ways_told[key] = len(self.ways)
            self.ways.append({"rules": list(rules), "exact": is_exact})
        return self._ways_told[key]

    def _bytes(self, nodes: Sequence[Node]) -> Size:
        results = (value.type for node in nodes for value in node.outputs)
        kept = (elements((t,)) * total(t.items) * BYTES.get(t.dtype, 4) for t in results)
        return sum(kept, 0)

    # --- units ---

    def _end(self, name: str, value: Value, is_output: bool, trains: bool = False) -> int:
        word = "output" if is_output else "input"
        leaf = end_leaf(name, f"{word}, in training" if trains else word)
        told = self._looks(leaf) | {
            "path": name, "parent": OUTSIDE, "what": word,
            "takes" if is_output else "gives": [self._own(value)],
        }  # fmt: skip
        number = self._added(told, name)
        self.results[number] = str(value.type)
        return number

    def _added(self, told: Told, *paths: str) -> int:
        number = len(self.units)
        self.units.append(told)
        for path in paths:
            self.numbers.setdefault(path, number)
        return number

    def _unit(self, unit: Unit, parent: int, inside: str) -> int:
        hidden = replace(self.options, show=self.options.show - {"params", "macs"})
        leaf = leaf_of(unit, self.usual_tails, self.names, hidden, self.axes, inside)
        line, source = source_line(unit)
        told = self._looks(leaf) | {
            "path": unit.path, "parent": parent, "what": _what(unit),
            "takes": [self.value(value) for value in unit.inputs],
            "gives": [self._own(value) for value in unit.outputs],
            "params": self.formulas.size(unit.parameters),
            "macs": self.formulas.size(unit.macs), "bytes": self.formulas.size(
                self._bytes(unit.nodes)),
            "line": line, "source": source,
        }  # fmt: skip
        if unit.count > 1:
            told["count"] = unit.count
        if unit.scope is not None and unit.scope.doc:
            told["doc"] = unit.scope.doc
        if self._training.issuperset(unit.nodes):
            told["trains"] = True
        told |= {} if unit.is_block else lesson(unit, self.formulas)
        number = self._added(told, unit.path)
        self.results[number] = ", ".join(str(value.type) for value in unit.outputs)
        if unit.is_block:
            own = [(self._unit(part, number, unit.path), part) for part in unit.parts]
            told["parts"] = [n for n, _ in own]
            told["wires"] = self._wires(own, {}, [(OUTSIDE, v) for v in unit.outputs])
        for node in unit.covered():
            self.numbers.setdefault(node.path, number)
        return number

    def _looks(self, leaf: Leaf) -> Told:
        told: Told = {"kind": leaf.kind, "title": leaf.label.title}
        if leaf.label.lines:
            told["lines"] = list(leaf.label.lines)
        if leaf.form != "box":
            told["form"] = leaf.form
        if leaf.parts:
            told["cut"] = list(leaf.parts)
        return told

    # --- wires ---

    def _marked(self, units: Sequence[Unit]) -> tuple[dict[tuple[int, str], str], set[Node]]:
        """By value and path of the layer that reads it: how its wire looks, all blocks open.

        And the layers that run in training only.
        """
        shown = opened(units, lambda unit, level: True)
        wiring = Wiring.of(self.graph, shown)
        boxes = {f"{INPUT}{n}": end_leaf("", "") for n in range(len(self.graph.inputs))}
        boxes |= {f"{OUTPUT}{n}": end_leaf("", "") for n in range(len(self.graph.outputs))}
        for key, unit in wiring.leaves.items():
            boxes[key] = Leaf(unit, "", Label(""), 0, 0)
        marks: dict[tuple[int, str], str] = {}
        for wire in marked(wiring.wires, boxes, skip_edges(self.graph)):
            if wire.mark and wire.head in wiring.leaves:
                marks[self.value(wire.value), wiring.leaves[wire.head].path] = wire.mark
        late = training_units(self.graph, wiring)
        trains = {n for key, u in wiring.leaves.items() if key in late for n in u.covered()}
        return marks, trains

    def _mark(self, value: int, unit: Unit) -> str:
        """That of all its readers in the unit that take its numbers, where it is the same."""
        parts = [part for part in _deep([unit]) if not part.is_block]
        readers = [p for p in parts if value in [self.value(v) for v in p.inputs]]
        marks = {self._marks.get((value, part.path), "") for part in readers}
        marks = marks - {SIZE_ONLY} or marks
        return marks.pop() if len(marks) == 1 else ""

    def _wires(
        self,
        own: Sequence[tuple[int, Unit]],
        makers: Mapping[int, int],
        ends: Iterable[tuple[int, Value]],
    ) -> list[list[Any]]:
        """Those among some units, and into the `ends`; `makers` are units by their values."""
        made = {self.value(v): number for number, unit in own for v in unit.outputs}
        made = {**makers, **made}
        wires: list[list[Any]] = []
        for number, unit in own:
            for port, value in enumerate(map(self.value, unit.read())):
                mark = self._mark(value, unit)
                wire = [made.get(value, OUTSIDE), number, value, port]
                wires.append([*wire, mark] if mark else wire)
        for end, value in ends:
            number = self.value(value)
            wires.append([made.get(number, OUTSIDE), end, number, 0])
        return wires


def _deep(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        yield unit
        yield from _deep(unit.parts)


def _what(unit: Unit) -> str:
    if unit.is_block and unit.scope is not None:
        return unit.scope.definition
    return ", ".join(layer_text(op_of(node)) for node in unit.nodes)
