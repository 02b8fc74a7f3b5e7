"""The block view: rows of units, blocks closed or open, every tensor's shape on its wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.flawed import flawed, flawed_end
from netdsl.backends.diagram.blocks.labels import rough, tail
from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, leaf_of
from netdsl.backends.diagram.blocks.legend import legend_of
from netdsl.backends.diagram.blocks.marks import marked, with_wires
from netdsl.backends.diagram.blocks.opening import LONGEST_EXAMPLE, open_units
from netdsl.backends.diagram.blocks.rows import Piece
from netdsl.backends.diagram.blocks.sheet import Sheet
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, Wire, Wiring
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.backends.diagram.example_size import at_example_size
from netdsl.backends.diagram.flaws import Flaws, is_known, with_verdict
from netdsl.backends.diagram.hiding import hides_training, left_out
from netdsl.backends.diagram.highlight import Drawn, highlighted
from netdsl.backends.diagram.model.skips import skip_edges
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Item, Picture
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.tails import Tail, most_usual
from netdsl.backends.diagram.units import Unit, leaves, longest_way
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Input, Node, Output, Value
from netdsl.ops.base import op_of

GAIN = 1.05
"""How much larger letters make up for what a simpler picture leaves out."""
NO_EXAMPLE = "no block is open as an example, so that letters are larger"
NO_COSTS = f"{NO_EXAMPLE}, and no costs stand in the boxes"


def blocks_picture(graph: Graph, options: Options, flaws: Flaws | None = None) -> Picture:
    """The network as units in rows, with what is wrong in it. Raises `DrawError`, `EngineError`.

    Where a width is given at which letters are too small, simpler pictures are tried.
    """
    if flaws is not None:
        units = open_units(graph, options, flaws.firsts())
        return with_verdict(BlockSheet(graph, units, options, flaws).picture(), flaws)
    graph, told = at_example_size(graph, options)
    best: Picture | None = None
    for units, simpler, note in _ways(graph, options):
        sheet = BlockSheet(graph, units, simpler)
        sheet.told = told
        sheet.may_cut_blocks = not _is_alone(graph, units)
        picture = sheet.picture()
        if note:
            picture.notes.append(note)
        if best is None or _is_better(picture, best, options):
            best = picture
        if options.width is None or _trouble(best, options) == (False, 0):
            break
    assert best is not None
    return best


def _ways(graph: Graph, options: Options) -> Iterator[tuple[tuple[Unit, ...], Options, str]]:
    """What may be drawn, the best first: units, options, and a remark."""
    units = open_units(graph, options)
    if _is_alone(graph, units) and options.level == "blocks":
        if options.runs_down or _is_small_tangle(units[0]):
            yield units, options, ""
        yield units[0].parts, options, ""  # in rows, since one is too long
        return
    yield units, options, ""
    if options.level != "blocks" or options.chooses_blocks:
        return
    closed = replace(options, expand=("none",))
    yield open_units(graph, closed), closed, NO_EXAMPLE
    if options.theme == "slides":
        bare = replace(closed, hide=closed.hide | {"params", "macs"})
        yield open_units(graph, bare), bare, NO_COSTS


def _is_alone(graph: Graph, units: Sequence[Unit]) -> bool:
    """Whether a drawing is one open block."""
    return graph.within is not None and len(units) == 1 and units[0].is_open


def _is_small_tangle(block: Unit) -> bool:
    """Whether a block has branches that stay in order in a frame, and is short enough for one."""
    read = Counter(value for part in block.parts for value in part.inputs)
    has_branches = len(block.inputs) > 1 or max(read.values(), default=0) > 1
    return has_branches and longest_way(block) <= LONGEST_EXAMPLE


def _is_better(simpler: Picture, picture: Picture, options: Options) -> bool:
    """Whether a simpler picture is worth what it leaves out."""
    if options.width is None or options.aspect is None:
        return _trouble(simpler, options) < _trouble(picture, options)
    letters = simpler.smallest_letter(options.width)
    return letters > GAIN * picture.smallest_letter(options.width) or letters >= options.smallest


def _trouble(picture: Picture, options: Options) -> tuple[bool, float]:
    """Letters too small to read at a width; and how small, or how much too high it is."""
    if options.width is None:
        return False, 0
    letters = picture.smallest_letter(options.width)
    is_small = letters < options.smallest
    if options.aspect is not None:
        return is_small, -letters if is_small else 0
    return is_small, max(0.0, picture.height / picture.width - 2)


class BlockSheet(Sheet):
    """The units of a network, each a box or an open frame."""

    told = ""
    """At which size it is drawn."""
    left_out = ""
    """What is not drawn, in words."""

    def __init__(
        self,
        graph: Graph,
        units: tuple[Unit, ...],
        options: Options,
        flaws: Flaws | None = None,
    ) -> None:
        self.graph, self.units, self.options, self.title = graph, units, options, graph.name
        self.flaws = flaws
        self.names = ShapeNames(graph.symbols)
        self.axes = ChannelAxes(graph)
        outputs = graph.inference_outputs if hides_training(options) else graph.outputs
        self.outputs: Sequence[Output] = outputs
        self.ends = _end_values(graph.inputs, outputs)
        self.wiring = Wiring.of(graph, units, outputs)
        self.usual_tails = usual_tails_of(units)
        self.training = training_units(graph, self.wiring, is_whole=flaws is None)
        if hides_training(options):
            self.training = set()
        self.left_out = left_out(graph, options, _shown_though_hidden(units))
        self.keys = {unit: key for key, unit in self.wiring.leaves.items()}
        self.boxes = self._boxes()
        self.wires: Sequence[Wire] = marked(self.wiring.wires, self.boxes, skip_edges(graph))
        self.boxes = with_wires(self.boxes, self.wires)
        self.items = self.sequence()

    def _boxes(self) -> dict[str, Leaf]:
        boxes: dict[str, Leaf] = {}
        for number, item in enumerate(self.graph.inputs):
            errors = self.flaws.inputs.get(item.value, ()) if self.flaws else ()
            end = end_leaf(item.name, "input" * (item.name != "input"))
            boxes[f"{INPUT}{number}"] = flawed_end(end, errors)
        part = self.graph.root.children[0].path if self.graph.within is not None else ""
        for unit, inside in _with_block(self.units, part):
            key = self.keys[unit]
            box = leaf_of(unit, self.usual_tails, self.names, self.options, self.axes, inside)
            boxes[key] = flawed(box, unit, self.flaws, self.names) if self.flaws else box
        for number, item in enumerate(self.outputs):
            line = "output, in training" if item.when_training else "output"
            line = "" if item.name == line else line
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
        if not is_known(value):
            return ""
        return self.names.listed(self.axes.spatial(value))

    def told_size(self, value: Value) -> str:
        """The size of a map in words: `56 × 56`, `length 256`, `197 tokens`; empty of vectors."""
        told = self._resolution(value)
        if not told or len(self.axes.spatial(value)) > 1:
            return told
        if not self.axes.is_last(value):
            return f"length {told}"
        return f"{told} token{'s' * (told != '1')}"

    def shown_shape(self, wire: Wire) -> str:
        if not is_known(wire.value):
            return "?"
        return self.names.shape(wire.value.type.shape) if "shapes" in self.options.written else ""

    def caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        if any(
            isinstance(i, Unit) and all(k in self.training for k in self.keys_of([i])) for i in row
        ):
            return "training", "only"
        values: list[Value] = []
        for item in row:
            values += [self.ends[item]] if isinstance(item, str) else item.outputs[:1]
        sizes = [size for value in values if (size := self.told_size(value))]
        if not sizes and not any(map(is_known, values)):
            return "not known", ""
        if not sizes:
            return "vectors", ""
        return (sizes[0], "") if sizes[0] == sizes[-1] else (sizes[0], f"→ {sizes[-1]}")

    def frame_title(self, unit: Unit, inside: str) -> str:
        part = self.graph.root.children[0].path if self.graph.within is not None else ""
        return super().frame_title(unit, inside or part.rpartition(".")[0])

    def marked_out(self, items: list[Item]) -> list[Item]:
        return highlighted(items, self.graph, self.options, self.drawn())

    def drawn(self) -> Iterator[Drawn]:
        """What may be highlighted."""
        for unit in _all(self.units):
            key = f"unit-{unit.path}".replace(" ", "-")
            yield Drawn(key, unit.copies, unit.is_block, unit.is_open)

    def legend(self, room: float | None) -> list[Item]:
        trains, marks = bool(self.training), {wire.mark for wire in self.wires}
        boxes = self.boxes.values()
        return legend_of(boxes, self.usual_tails, self.names, trains, room, marks, self.left_out)

    def lines(self, room: float | None = None) -> list[str]:
        return [*self.fitted(self._facts, room), *([self.told] if self.told else [])]

    @cached_property
    def _facts(self) -> list[str]:
        """The network in numbers, and what its shapes are."""
        nodes = list(self.graph.nodes())
        inference = list(self.graph.inference_nodes()) if self.flaws is None else nodes
        learned, all_learned = parameters_of(inference), parameters_of(nodes)
        parts = [f"{rough(learned)} parameters"]
        if learned != all_learned:
            parts.append(f"{rough(all_learned)} in training")
        macs = macs_of(inference)
        if not isinstance(macs, Dim):
            parts.append(f"{rough(macs)} multiply-adds")
        if self.flaws is not None:
            parts = [f"of what could be built: {parts[0]}", *parts[1:]]
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
            turned = self.axes.are_turned(self.graph)
            other = ", in another order behind permute and reshape" * turned
            parts.append(f"shapes are {named}, batch left out{other}")
        return parts


def _with_block(units: Sequence[Unit], inside: str) -> list[tuple[Unit, str]]:
    pairs: list[tuple[Unit, str]] = []
    for unit in units:
        pairs += _with_block(unit.parts, unit.path) if unit.is_open else [(unit, inside)]
    return pairs


def _shown_though_hidden(units: Sequence[Unit]) -> frozenset[Node]:
    """Layers that were to be hidden and that no neighbour could take along."""
    boxes = (unit for unit in leaves(units) if unit.hidden and not unit.is_block)
    return frozenset(n for unit in boxes if unit.node in unit.hidden for n in unit.covered())


def _all(units: Sequence[Unit]) -> Iterator[Unit]:
    """All that is drawn: boxes, and open frames with what is in them."""
    for unit in units:
        yield unit
        if unit.is_open:
            yield from _all(unit.parts)


def usual_tails_of(units: Sequence[Unit]) -> dict[str, Tail]:
    """What most convolutions, and most linear layers, have folded behind them."""
    heads = [u for u in _deep(units) if not u.is_block and op_of(u.node).leads]
    inside = {f: [u for u in heads if u.node.op.family == f] for f in ("convolution", "dense")}
    usual = {family: most_usual(map(tail, units)) for family, units in inside.items()}
    return {family: tail for family, tail in usual.items() if tail}


def _deep(units: Sequence[Unit]) -> list[Unit]:
    return [u for unit in units for u in (_deep(unit.parts) if unit.is_block else [unit])]


def training_units(graph: Graph, wiring: Wiring, *, is_whole: bool = True) -> set[str]:
    """Keys of what runs in training only; of a draft, of what leads to heads for training only."""
    running = graph.inference_nodes()
    keys = {k for k, u in wiring.leaves.items() if running.isdisjoint(u.nodes)}
    if not is_whole:
        live = graph.live_nodes
        keys = {k for k in keys if not live.isdisjoint(wiring.leaves[k].nodes)}
    return keys | {f"{OUTPUT}{n}" for n, o in enumerate(graph.outputs) if o.when_training}


def _end_values(inputs: Sequence[Input], outputs: Sequence[Output]) -> dict[str, Value]:
    """The values of inputs and outputs by key."""
    values = {f"{INPUT}{n}": item.value for n, item in enumerate(inputs)}
    return values | {f"{OUTPUT}{n}": item.value for n, item in enumerate(outputs)}
