"""The block view: rows of units, blocks closed or open, every tensor's shape on its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from netdsl.analyses.cost import summarise
from netdsl.backends.diagram.dot import DotCluster, DotEdge, DotGraph, DotNode, Layout, lay_out
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.labels import rough, tail
from netdsl.backends.diagram.leaf import Leaf, end_leaf, leaf_of, relative, strip_places, times
from netdsl.backends.diagram.legend import legend_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.paint import Row, paint_rows
from netdsl.backends.diagram.rows import Piece, changes, cut, estimated_ratio, widths_to_try
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.units import Unit, family, leaves, opened, units_of
from netdsl.backends.diagram.wiring import INPUT, OUTPUT, Wire, Wiring
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Value

BEST_RATIO = 1.45
MOST_ROWS_MARGIN = 150.0
EXAMPLE_SIZE = range(3, 15)
CHAIN_WEIGHT = 12
CANDIDATES = 4
SMALL = 640.0
"""A network that fits into this width stays in one row."""


def blocks_picture(graph: Graph, options: Options) -> Picture:
    """The network as units in rows. Raises `DrawError`, `EngineError`."""
    units = open_units(graph, options)
    return Sheet(graph, units, options).picture()


def open_units(graph: Graph, options: Options) -> tuple[Unit, ...]:
    """The units with the blocks open that were asked for, or one example of the usual block."""
    units = units_of(graph, fold=options.level == "blocks")
    if options.level != "blocks":
        return opened(units, lambda unit, level: True)
    wanted = tuple(p for p in options.expand if p != "none")
    matched: set[str] = set()

    def is_wanted(unit: Unit, level: int) -> bool:
        hits = {p for p in wanted if _matches(unit, p)}
        matched.update(hits)
        return bool(hits) or (options.depth is not None and level < options.depth)

    found = opened(units, is_wanted)
    for pattern in wanted:
        if pattern not in matched:
            raise DrawError(_unmatched(pattern, units))
    if options.expand or options.depth is not None:
        return found
    example = _example(found)
    return opened(found, lambda unit, level: unit.copies is example)


def _matches(unit: Unit, pattern: str) -> bool:
    name = unit.scope.definition if unit.scope else ""
    return fnmatchcase(unit.path, pattern) or name == pattern


def _unmatched(pattern: str, units: Sequence[Unit]) -> str:
    from difflib import get_close_matches

    blocks: dict[str, None] = {}
    stack = list(reversed(units))
    while stack:
        unit = stack.pop()
        if unit.is_block:
            blocks[unit.path] = None
            stack.extend(reversed(unit.parts))
    if not blocks:
        return f"there is no block to open as `{pattern}`: the network has none"
    near = get_close_matches(pattern, blocks, 3) or list(blocks)[:4]
    return f"no block is `{pattern}`; there are, for example: {', '.join(near)}"


def _example(units: Sequence[Unit]) -> object:
    """The first block of the most frequent kind, if it has a size that can be taken in."""
    counted: Counter[str] = Counter()
    for unit in units:
        if unit.is_block and unit.scope is not None:
            counted[unit.scope.definition] += unit.count
    for definition, number in counted.most_common():
        first = [u for u in units if u.is_block and u.scope and u.scope.definition == definition]
        chosen = max(first, key=lambda unit: unit.count)
        chosen = first[0] if chosen.count == 1 else chosen
        if number > 1 and len(chosen.parts) in EXAMPLE_SIZE:
            return chosen.copies
    return None


class Sheet:
    """One drawing on its way: units, their boxes, their wires, their rows."""

    def __init__(self, graph: Graph, units: tuple[Unit, ...], options: Options) -> None:
        self.graph, self.units, self.options = graph, units, options
        self.names = ShapeNames(graph.symbols)
        self.wiring = Wiring.of(graph, units)
        self.usual_tail = _usual_tail(units)
        self.training = _training_units(graph, self.wiring)
        self.keys = {id(unit): key for key, unit in self.wiring.leaves.items()}
        self.boxes = self._boxes()
        self.items = self._sequence()

    def _boxes(self) -> dict[str, Leaf]:
        boxes: dict[str, Leaf] = {}
        for number, item in enumerate(self.graph.inputs):
            boxes[f"{INPUT}{number}"] = end_leaf(item.name, "input")
        for unit, inside in _with_block(self.units, ""):
            key = self.keys[id(unit)]
            boxes[key] = leaf_of(unit, self.usual_tail, self.names, self.options, inside)
        for number, item in enumerate(self.graph.outputs):
            line = "output, in training" if item.when_training else "output"
            boxes[f"{OUTPUT}{number}"] = end_leaf(item.name, line)
        return boxes

    def _sequence(self) -> list[str | Unit]:
        """What stands side by side at the top level, in the order it runs."""
        inputs = [f"{INPUT}{n}" for n in range(len(self.graph.inputs))]
        main: list[str | Unit] = list(inputs)
        late: list[str | Unit] = []
        ends = {w.tail: [] for w in self.wiring.wires if w.head.startswith(OUTPUT)}
        for wire in self.wiring.wires:
            if wire.head.startswith(OUTPUT):
                ends[wire.tail].append(wire.head)
        for key in inputs:
            main += ends.get(key, [])
        for unit in self.units:
            keys = [self.keys[id(leaf)] for leaf in leaves([unit])]
            place = late if all(key in self.training for key in keys) else main
            place += [unit, *(end for key in keys for end in ends.get(key, []))]
        self.first_late = len(main)
        return [*main, *late]

    def picture(self) -> Picture:
        """The drawing with the rows whose shape is the most pleasant."""
        pieces = [self._piece(item) for item in self.items]
        if sum(piece.width for piece in pieces) < SMALL and not self.training:
            return self._drawn([range(len(pieces))])
        tried: dict[tuple[range, ...], float] = {}
        for width in widths_to_try(pieces, BEST_RATIO):
            rows = tuple(self._cut(pieces, width))
            tried[rows] = estimated_ratio(pieces, rows, MOST_ROWS_MARGIN)
        likely = sorted(tried, key=lambda rows: _far(tried[rows]))[:CANDIDATES]
        return min(
            [(self._drawn(rows), self._odd_cuts(pieces, rows)) for rows in likely], key=_unpleasant
        )[0]

    def _cut(self, pieces: list[Piece], width: float) -> list[range]:
        """Rows; heads for training stand in rows of their own."""
        if self.options.direction == "down":
            return [range(len(pieces))]
        main, late = pieces[: self.first_late], pieces[self.first_late :]
        rows = cut(main, width)
        shift = self.first_late
        return rows + [
            range(r.start + shift, r.stop + shift) for r in (cut(late, width) if late else [])
        ]

    def _odd_cuts(self, pieces: list[Piece], rows: Sequence[range]) -> int:
        """Rows that start where the resolution stays the same."""
        starts = [row.start for row in rows[1:] if row.start < self.first_late]
        return sum(not changes(pieces, start) for start in starts)

    def _piece(self, item: str | Unit) -> Piece:
        keys = [item] if isinstance(item, str) else [self.keys[id(leaf)] for leaf in leaves([item])]
        boxes = [self.boxes[key] for key in keys]
        if isinstance(item, str):
            value = _end_value(self.graph, item)
            return Piece(boxes[0].width + 70, boxes[0].height, self.names.spatial(value.type.shape))
        shape = item.outputs[0].type.shape if item.outputs else ()
        if not item.is_open:
            return Piece(boxes[0].width + 70, boxes[0].height, self.names.spatial(shape))
        columns = _columns(item)
        width = sum(b.width + 62 for b in boxes) / len(boxes) * columns
        height = 56.0 * max(1.0, len(boxes) / columns) + 40
        return Piece(width + 60, height, self.names.spatial(shape))

    def _drawn(self, rows: Sequence[range]) -> Picture:
        sequences = [[self.items[i] for i in row] for row in rows]
        place = {key: n for n, row in enumerate(sequences) for key in self._keys_of(row)}
        plans = [RowPlan(self, n, row, place) for n, row in enumerate(sequences)]
        graphs = [plan.graph for plan in plans]
        layouts = lay_out(graphs, self.options.engine, direction=self.options.direction)
        drawn = [
            Row(
                self._caption(row),
                plan.graph,
                plan.wires,
                plan.coming,
                plan.going,
                plan.labels,
                layout,
            )
            for row, plan, layout in zip(sequences, plans, layouts, strict=True)
        ]
        items = paint_rows(drawn, self.boxes, self.options, self.training, self.wiring.depths)
        title = self.options.title or self.graph.name
        return framed(
            title, self._lines(), items,
            legend=legend_of(self.boxes.values(), self.usual_tail, self.names, bool(self.training)),
        )  # fmt: skip

    def _keys_of(self, row: Sequence[str | Unit]) -> list[str]:
        found: list[str] = []
        for item in row:
            found += [item] if isinstance(item, str) else [self.keys[id(u)] for u in leaves([item])]
        return found

    def shown_shape(self, value: Value) -> str:
        return self.names.shape(value.type.shape) if "shapes" in self.options.show else ""

    def _caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        """What stands left of a row: the sizes of its maps."""
        if any(
            isinstance(i, Unit) and all(k in self.training for k in self._keys_of([i])) for i in row
        ):
            return "training", "only"
        sizes: list[str] = []
        for item in row:
            values = [_end_value(self.graph, item)] if isinstance(item, str) else item.outputs[:1]
            sizes += [self.names.spatial(v.type.shape) for v in values]
        sizes = [s for s in sizes if s]
        if not sizes:
            return "vectors", ""
        return (sizes[0], "") if sizes[0] == sizes[-1] else (sizes[0], f"→ {sizes[-1]}")

    def _lines(self) -> list[str]:
        summary = summarise(self.graph)
        parts = [f"{rough(summary.inference_parameters)} parameters"]
        if summary.inference_parameters != summary.parameters:
            parts.append(f"{rough(summary.parameters)} in training")
        if not isinstance(summary.macs, Dim):
            parts.append(f"{rough(summary.macs)} multiply-adds")
        nodes = sum(1 for _ in self.graph.nodes())
        drawn = len(self.wiring.leaves)
        if drawn != nodes:
            parts.append(f"{nodes:,} operations in {drawn:,} drawn units")
        order = {4: "channels × depth × height × width", 3: "channels × height × width",
                 2: "channels × length"}  # fmt: skip
        rank = max((len(item.shape) for item in self.graph.inputs), default=0)
        if rank in order:
            parts.append(f"shapes are {order[rank]}, batch left out")
        return [" · ".join(parts)]


class RowPlan:
    """One row as Graphviz is told of it.

    `wires` belong to the edges; `coming` and `going` are `id`s of values from and to other rows,
    `labels` texts for those that go out and are read nowhere in this row.
    """

    def __init__(
        self, sheet: Sheet, number: int, row: Sequence[str | Unit], place: dict[str, int]
    ) -> None:
        self.sheet, self.number, self.place = sheet, number, place
        self.graph = DotGraph()
        self.wires: list[Wire | None] = []
        self.junctions: dict[tuple[int, str], str] = {}
        wires = sheet.wiring.wires
        coming = {id(w.value): w for w in wires if self._enters(w)}
        going = {id(w.value): w for w in wires if self._leaves(w)}
        self.coming, self.going = tuple(coming), tuple(going)
        sides = ("source", "sink") if sheet.options.direction == "right" else ("", "")
        self._ports("enter", len(coming), sides[0])
        self._add(row)
        self._ports("leave", len(going), sides[1])
        said = self._connect(wires, {key: f"enter{n}" for n, key in enumerate(coming)})
        for port, wire in enumerate(going.values()):
            weight = 1 if self._is_read(wire) else CHAIN_WEIGHT
            self._edge(DotEdge(wire.tail, f"leave{port}", weight=weight), None)
        self.labels = {
            key: sheet.shown_shape(w.value) for key, w in going.items() if key not in said
        }

    def _enters(self, wire: Wire) -> bool:
        return self.place[wire.head] == self.number != self.place[wire.tail]

    def _leaves(self, wire: Wire) -> bool:
        return self.place[wire.tail] == self.number != self.place[wire.head]

    def _columns(self, unit: Unit) -> Iterator[tuple[str, ...]]:
        """The last layers of branches that are joined: below each other, in the order joined."""
        wires = self.sheet.wiring.wires
        parts = {self.sheet.keys[id(p)]: p for p in unit.parts if not p.is_open}
        for key in parts:
            if self.sheet.boxes[key].form != "strip":
                continue
            tails = [w.tail for w in wires if w.head == key]
            read = {w.head for w in wires if w.tail in tails}
            if len(tails) > 1 and read == {key} and len(parts.keys() & set(tails)) == len(tails):
                yield tuple(tails)

    def _is_read(self, wire: Wire) -> bool:
        """Whether a tensor that leaves the row is read in it too."""
        return any(
            w.value is wire.value and self.place[w.head] == self.number
            for w in self.sheet.wiring.wires
        )

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
            return self._node(self.sheet.keys[id(unit)])
        cluster = DotCluster(f"b{id_of(unit)}", cluster_title(unit, inside))
        own = {self.sheet.keys[id(leaf)] for leaf in leaves([unit])}
        for value in unit.inputs:
            readers = {
                w.head for w in self.sheet.wiring.wires if w.head in own and w.value is value
            }
            if len(readers) > 1:
                key = f"j{id_of(unit)}_{len(self.junctions)}"
                for reader in readers:
                    self.junctions[id(value), reader] = key
                cluster.children.append(DotNode(key, 6, 6))
        cluster.children += [self._child(part, unit.path) for part in unit.parts]
        cluster.columns += self._columns(unit)
        return cluster

    def _node(self, key: str) -> DotNode:
        box = self.sheet.boxes[key]
        heights: tuple[float, ...] = ()
        if box.form == "strip":
            heights = tuple(height for _, height in strip_places(box, 0))
        return DotNode(key, box.width, box.height, heights, "", box.form in ("shrink", "grow"))

    def _connect(self, wires: Sequence[Wire], enters: dict[int, str]) -> set[int]:
        said: set[int] = set()
        fed: set[tuple[int, str]] = set()
        previous: dict[str, str] = {}
        for wire in wires:
            if self.place[wire.head] != self.number:
                continue
            inside = self.place[wire.tail] == self.number
            tail = wire.tail if inside else enters[id(wire.value)]
            junction = self.junctions.get((id(wire.value), wire.head))
            label = self._label(wire, said)
            if junction is not None:
                if (id(wire.value), junction) not in fed:
                    fed.add((id(wire.value), junction))
                    self._edge(DotEdge(tail, junction, label, CHAIN_WEIGHT), wire)
                label, tail = "", junction
            box = self.sheet.boxes[wire.head]
            port = wire.port if box.form == "strip" else -1
            chain = CHAIN_WEIGHT if previous.get(tail) is None and not junction else 1
            previous[tail] = wire.head
            self._edge(DotEdge(tail, wire.head, label if port < 0 else "", chain, port), wire)
        return said

    def _label(self, wire: Wire, said: set[int]) -> str:
        """The shape of a tensor, where it is first read."""
        if id(wire.value) in said or self.place[wire.tail] != self.number:
            return ""
        if self.sheet.boxes[wire.head].form == "strip":
            return ""
        said.add(id(wire.value))
        return self.sheet.shown_shape(wire.value)

    def _edge(self, edge: DotEdge, wire: Wire | None) -> None:
        self.graph.edges.append(edge)
        self.wires.append(wire)


def id_of(unit: Unit) -> str:
    """The path with nothing but letters, digits and underlines."""
    return "".join(c if c.isalnum() else "_" for c in unit.path) or "net"


def cluster_title(unit: Unit, inside: str) -> str:
    """What stands above an open block."""
    definition = unit.scope.definition if unit.scope else ""
    name = times_name(relative(unit.path, inside), unit.count)
    return f"   {name}   {definition}" + (", shown once" if unit.count > 1 else "")


def times_name(name: str, count: int) -> str:
    return f"{name} × {count}" if count > 1 else name


def _with_block(units: Sequence[Unit], inside: str) -> list[tuple[Unit, str]]:
    found: list[tuple[Unit, str]] = []
    for unit in units:
        found += _with_block(unit.parts, unit.path) if unit.is_open else [(unit, inside)]
    return found


def _usual_tail(units: Sequence[Unit]) -> tuple[str, ...] | None:
    """What most convolutions have folded behind them."""
    heads = [u for u in _deep(units) if not u.is_block and family(u.node) == "convolution"]
    counted = Counter(tail(unit) for unit in heads)
    return counted.most_common(1)[0][0] if counted else None


def _deep(units: Sequence[Unit]) -> list[Unit]:
    return [u for unit in units for u in (_deep(unit.parts) if unit.is_block else [unit])]


def _training_units(graph: Graph, wiring: Wiring) -> set[str]:
    """Keys of what runs in training only."""
    running = graph.inference_nodes()
    found = {k for k, u in wiring.leaves.items() if all(id(n) not in running for n in u.nodes)}
    return found | {f"{OUTPUT}{n}" for n, o in enumerate(graph.outputs) if o.when_training}


def _end_value(graph: Graph, key: str) -> Value:
    number = int(key.lstrip("inout"))
    return (graph.inputs if key.startswith(INPUT) else graph.outputs)[number].value


def _columns(unit: Unit) -> int:
    """The longest way through an open block, in boxes."""
    depth: dict[int, int] = {}
    longest = 1
    for leaf in leaves([unit]):
        here = 1 + max((depth.get(id(value), 0) for value in leaf.inputs), default=0)
        longest = max(longest, here)
        for node in leaf.nodes:
            depth.update((id(value), here) for value in node.outputs)
    return longest


def _unpleasant(made: tuple[Picture, int]) -> float:
    """How far from a page's proportions, how large, and how often cut within a resolution."""
    picture, odd_cuts = made
    size = (picture.width * picture.height) ** 0.25
    return _far(picture.width / picture.height) * size * (1 + 0.1 * odd_cuts)


def _far(ratio: float) -> float:
    return max(ratio / BEST_RATIO, BEST_RATIO / ratio)
