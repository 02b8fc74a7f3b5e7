"""The block view: rows of units, blocks closed or open, every tensor's shape on its wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import rough, tail
from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, leaf_of
from netdsl.backends.diagram.blocks.legend import legend_of
from netdsl.backends.diagram.blocks.marks import marked
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.rows import Piece
from netdsl.backends.diagram.blocks.sheet import Sheet
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, Wire, Wiring
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.backends.diagram.example_size import at_example_size
from netdsl.backends.diagram.options import SMALLEST_PRINT, Options
from netdsl.backends.diagram.scene import Item, Picture
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.tails import most_usual
from netdsl.backends.diagram.units import Unit, leaves, longest_way
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Value


def blocks_picture(graph: Graph, options: Options) -> Picture:
    """The network as units in rows. Raises `DrawError`, `EngineError`."""
    graph, told = at_example_size(graph, options)

    def drawn(options: Options) -> Picture:
        sheet = BlockSheet(graph, open_units(graph, options), options)
        sheet.told = told
        return sheet.picture()

    picture = drawn(options)
    if options.width is None or options.level != "blocks" or options.chooses_blocks:
        return picture
    width = options.width
    if _trouble(picture, width) == (False, 0):
        return picture
    closed = replace(options, expand=("none",))
    best = min([picture, drawn(closed)], key=lambda shown: _trouble(shown, width))
    if best is not picture:
        best.notes.append("no block is open as an example, so that letters are larger")
    return best


def _trouble(picture: Picture, width: float) -> tuple[bool, float]:
    """Letters too small to read at a width; how much more than twice as high as wide."""
    too_high = max(0.0, picture.height / picture.width - 2)
    return picture.smallest_letter(width) < SMALLEST_PRINT, too_high


class BlockSheet(Sheet):
    """The units of a network, each a box or an open frame."""

    told = ""
    """At which size it is drawn."""

    def __init__(self, graph: Graph, units: tuple[Unit, ...], options: Options) -> None:
        self.graph, self.units, self.options, self.title = graph, units, options, graph.name
        self.names = ShapeNames(graph.symbols)
        self.axes = ChannelAxes(graph)
        self.ends = _end_values(graph)
        self.wiring = Wiring.of(graph, units)
        self.usual_tail = usual_tail_of(units)
        self.training = training_units(graph, self.wiring)
        self.keys = {unit: key for key, unit in self.wiring.leaves.items()}
        self.boxes = self._boxes()
        self.wires = marked(self.wiring.wires, self.wiring.depths, self.boxes)
        self.items = self.sequence()

    def _boxes(self) -> dict[str, Leaf]:
        boxes: dict[str, Leaf] = {}
        for number, item in enumerate(self.graph.inputs):
            boxes[f"{INPUT}{number}"] = end_leaf(item.name, "input")
        for unit, inside in _with_block(self.units, ""):
            key = self.keys[unit]
            boxes[key] = leaf_of(unit, self.usual_tail, self.names, self.options, self.axes, inside)
        for number, item in enumerate(self.graph.outputs):
            line = "output, in training" if item.when_training else "output"
            boxes[f"{OUTPUT}{number}"] = end_leaf(item.name, line)
        return boxes

    def sequence(self) -> list[str | Unit]:
        """What stands side by side at the top level, in the order it runs."""
        inputs = [key for key in self.ends if key.startswith(INPUT)]
        main: list[str | Unit] = list(inputs)
        late: list[str | Unit] = []
        ends = self._ends_behind([*inputs, *self.keys.values()])
        for key in inputs:
            main += ends.get(key, [])
        for unit in self.units:
            keys = [self.keys[leaf] for leaf in leaves([unit])]
            place = late if all(key in self.training for key in keys) else main
            place += [unit, *(end for key in keys for end in ends.get(key, []))]
        self.first_late = len(main)
        return [*main, *late]

    def _ends_behind(self, order: Sequence[str]) -> dict[str, list[str]]:
        """The outputs that stand behind each box: the last that leads to them."""
        place = {key: number for number, key in enumerate(order)}
        last: dict[str, str] = {}
        for wire in self.wires:
            if wire.head.startswith(OUTPUT):
                last[wire.head] = max(
                    last.get(wire.head, wire.tail), wire.tail, key=place.__getitem__
                )
        ends: dict[str, list[str]] = {}
        for head, box in last.items():
            ends.setdefault(box, []).append(head)
        return ends

    def piece(self, item: str | Unit) -> Piece:
        keys = [item] if isinstance(item, str) else [self.keys[leaf] for leaf in leaves([item])]
        boxes = [self.boxes[key] for key in keys]
        if isinstance(item, str):
            resolution = self._resolution(self.ends[item])
            stays = item.startswith(OUTPUT)
            return Piece(boxes[0].width + 70, boxes[0].height, resolution, stays=stays)
        resolution = self._resolution(item.outputs[0]) if item.outputs else ""
        if not item.is_open:
            ends = boxes[0].form == "shrink" and bool(resolution)
            return Piece(boxes[0].width + 70, boxes[0].height, resolution, ends)
        columns = longest_way(item)
        width = sum(b.width + 62 for b in boxes) / len(boxes) * columns
        height = 56.0 * max(1.0, len(boxes) / columns) + 40
        return Piece(width + 60, height, resolution)

    def _resolution(self, value: Value) -> str:
        """`112 × 112`: the size of a map."""
        return self.names.listed(self.axes.spatial(value))

    def shown_shape(self, wire: Wire) -> str:
        return self.names.shape(wire.value.type.shape) if "shapes" in self.options.show else ""

    def caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        if any(
            isinstance(i, Unit) and all(k in self.training for k in self.keys_of([i])) for i in row
        ):
            return "training", "only"
        sizes: list[str] = []
        for item in row:
            values = [self.ends[item]] if isinstance(item, str) else item.outputs[:1]
            sizes += [self._resolution(value) for value in values]
        sizes = [s for s in sizes if s]
        if not sizes:
            return "vectors", ""
        return (sizes[0], "") if sizes[0] == sizes[-1] else (sizes[0], f"→ {sizes[-1]}")

    def legend(self) -> list[Item]:
        trains, marks = bool(self.training), {wire.mark for wire in self.wires}
        boxes = self.boxes.values()
        return legend_of(boxes, self.usual_tail, self.names, trains, self.room, marks)

    def lines(self) -> list[str]:
        nodes, inference = list(self.graph.nodes()), list(self.graph.inference_nodes())
        learned, all_learned = parameters_of(inference), parameters_of(nodes)
        parts = [f"{rough(learned)} parameters"]
        if learned != all_learned:
            parts.append(f"{rough(all_learned)} in training")
        macs = macs_of(inference)
        if not isinstance(macs, Dim):
            parts.append(f"{rough(macs)} multiply-adds")
        drawn = len(self.wiring.leaves)
        if drawn != len(nodes):
            parts.append(f"{len(nodes):,} operations in {drawn:,} drawn units")
        order = {4: "channels × depth × height × width", 3: "channels × height × width",
                 2: "channels × length"}  # fmt: skip
        first = max(self.graph.inputs, key=lambda item: len(item.shape), default=None)
        if first is not None and len(first.shape) in order:
            named = order[len(first.shape)]
            if self.axes.is_last(first.value):
                named = "length × channels"
            other = ", in another order behind permute and reshape" * self.axes.is_turned
            parts.append(f"shapes are {named}, batch left out{other}")
        return [*self.fitted(parts), *([self.told] if self.told else [])]


def _with_block(units: Sequence[Unit], inside: str) -> list[tuple[Unit, str]]:
    pairs: list[tuple[Unit, str]] = []
    for unit in units:
        pairs += _with_block(unit.parts, unit.path) if unit.is_open else [(unit, inside)]
    return pairs


def usual_tail_of(units: Sequence[Unit]) -> tuple[str, ...] | None:
    """What most convolutions have folded behind them."""
    heads = [u for u in _deep(units) if not u.is_block and u.node.op.family == "convolution"]
    return most_usual(map(tail, heads))


def _deep(units: Sequence[Unit]) -> list[Unit]:
    return [u for unit in units for u in (_deep(unit.parts) if unit.is_block else [unit])]


def training_units(graph: Graph, wiring: Wiring) -> set[str]:
    """Keys of what runs in training only."""
    running = graph.inference_nodes()
    keys = {k for k, u in wiring.leaves.items() if running.isdisjoint(u.nodes)}
    return keys | {f"{OUTPUT}{n}" for n, o in enumerate(graph.outputs) if o.when_training}


def _end_values(graph: Graph) -> dict[str, Value]:
    """The values of inputs and outputs by key."""
    values = {f"{INPUT}{n}": item.value for n, item in enumerate(graph.inputs)}
    return values | {f"{OUTPUT}{n}": item.value for n, item in enumerate(graph.outputs)}
