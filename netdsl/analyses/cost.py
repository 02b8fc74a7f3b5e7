"""What a network is made of and what it costs, layer by layer or block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from textwrap import wrap
from typing import cast

from netdsl.analyses.memory import Memory, memory
from netdsl.analyses.reach import Field, Reach
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.analyses.table import MAX_FORMULA, WIDTH, SizeNames, one_line_each, two_lines_each
from netdsl.ir.dim import Dim, Size
from netdsl.ir.graph import Child, Graph, Input, Kind, Layer, Node, Scope, Value
from netdsl.ir.sequences import is_tuple
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import total
from netdsl.ops.base import Op, Tensors, elements, op_of
from netdsl.ops.params import FromValue, show
from netdsl.ops.spelling import written

MAX_TOTAL = 120
"""Longer formulas are cut in the totals, where sizes have names."""
CUT = "..."
LONG_TOTALS = "there is a long formula: `--size` gives numbers, `--format json` all of it"


@dataclass(frozen=True, slots=True)
class Row:
    """An input, a call of a layer, or a block that is folded.

    `neurons` are the values of its result, `connections` how many values they read (see
    `Op.connections`; None: not known; those of a block are the sum of its layers'). `parameters`
    are 0 in later calls of a shared layer. What `is_unused` has weights, and no output depends on
    it. `fields` is what a neuron sees of each input,
    `alive` the bytes of all values that exist while it runs.
    """

    path: str
    layer: str
    output: str
    neurons: Size
    connections: Size | None
    parameters: int
    macs: Size
    fields: Mapping[str, Field]
    alive: Size
    training_only: bool
    is_unused: bool = False
    shapes: tuple[Tensor, ...] = ()
    """Those of `output`; none where the layer does not fit."""

    @property
    def remark(self) -> str:
        """When it runs, where that is not always; behind a space."""
        if self.is_unused:
            return " (unused)"
        return " (training)" if self.training_only else ""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of all axes of its result."""
        return tuple(size for tensor in self.shapes for size in tensor.shape)

    def shown(self, names: SizeNames | None) -> str:
        """The shapes of its result, formulas by their names."""
        if names is None or not self.shapes:
            return self.output
        return ", ".join(str(t.with_shape(*map(names, t.shape))) for t in self.shapes)


@dataclass(frozen=True, slots=True)
class Summary:
    """The table of a network.

    `parameters` counts all parameters, training-only heads included, `inference_parameters`
    those without them; `macs` are multiply-adds of convolutions and matrix products for one
    sample at inference (a formula where sizes are symbolic). `neurons` and
    `weighted_connections` are those of the layers that multiply by weights, `connections` those
    of all layers. `inputs` are rows as well.
    """

    name: str
    inputs: tuple[Row, ...]
    rows: tuple[Row, ...]
    parameters: int
    inference_parameters: int
    macs: Size
    neurons: Size
    connections: Size | None
    weighted_connections: Size | None
    memory: Memory

    def __str__(self) -> str:
        names = self.names()
        lines = list(one_line_each(self.cells(names)))
        if names and max(map(len, lines)) > WIDTH:  # known sizes take what they need
            lines = list(two_lines_each(self.cells(names)))
        return "\n".join([*lines, *self.end_lines(names)])

    def names(self) -> SizeNames | None:
        """Names for the formulas in its shapes; None where no size is open."""
        sizes = [size for row in (*self.inputs, *self.rows) for size in row.sizes]
        if not any(isinstance(size, Dim) for size in sizes):
            return None
        return SizeNames(
            sizes, (row.connections for row in self.rows if row.connections is not None)
        )

    def cells(self, names: SizeNames | None = None) -> list[tuple[str, ...]]:
        """The rows as texts, under `TITLES`; zeros are blank. Formulas by their names."""
        return [
            (
                row.path + row.remark,
                row.layer,
                row.shown(names),
                shortly(row.neurons, names),
                shortly(row.connections, names),
                f"{row.parameters:,}" if row.parameters else "",
                counted(row.macs, names) if isinstance(row.macs, Dim) or row.macs else "",
                ", ".join(filter(None, map(field_text, row.fields.values()))),
            )
            for row in (*self.inputs, *self.rows)
        ]

    def totals(self, names: SizeNames | None = None) -> str:
        """`13,004,888 parameters (6,624,904 at inference), 1,498,378,240 multiply-adds`."""
        extra = ""
        if self.inference_parameters != self.parameters:
            extra = f" ({self.inference_parameters:,} at inference)"
        return f"{self.parameters:,} parameters{extra}, {counted(self.macs, names)} multiply-adds"

    def more(self, names: SizeNames | None = None) -> str:
        """Neurons and connections of the layers that have weights, and the memory of values."""
        most = MAX_TOTAL if names else MAX_FORMULA
        totals = [
            (shortly(self.neurons, names, most), "neurons"),
            (shortly(self.weighted_connections, names, most), "connections"),
        ]
        counts = [f"{number} {what}" for number, what in totals if number not in ("", CUT)]
        long = [what for number, what in totals if number == CUT]
        clauses = [f"layers that multiply by weights: {', '.join(counts)}"] if counts else []
        if long:
            whose = "their " if counts else ""
            layers = "" if counts else " of layers that multiply by weights"
            clauses.append(f"of {whose}{' and '.join(long)}{layers} {LONG_TOTALS}")
        if self.memory.peak is not None:
            clauses.append(f"values take {self.memory.peak:,} bytes at most, at {self.memory.at}")
        return "; ".join(clauses)

    def end_lines(self, names: SizeNames | None, width: int = 0) -> Iterator[str]:
        """The totals, and what the names stand for."""
        totals = [self.totals(names), self.more(names)]
        legend = names.legend() if names else ""
        for line in [*totals, f"with {legend}"] if legend else totals:
            yield from wrap(line, width or WIDTH, subsequent_indent="  ") if names else [line]


def counted(number: Size, names: SizeNames | None = None) -> str:
    """A count with commas, or a formula."""
    if isinstance(number, int):
        return f"{number:,}"
    return names.text(number) if names else str(number)


def shortly(number: Size | None, names: SizeNames | None = None, most: int = MAX_FORMULA) -> str:
    """The same, where it is not too long; nothing where it is not known."""
    text = "" if number is None else counted(number, names)
    return text if len(text) <= most else CUT


def field_text(field: Field) -> str:
    """`43x43 step 8`, `at most 14x14`, `64x64 (212x212)`; `all` of an axis, `?` by the sizes.

    What places far from the borders would see stands in brackets, where it is another size.
    """
    if not any(field):
        return "all" if field else ""
    sizes = "x".join(_size_text(axis, axis and axis.size) for axis in field)
    if any(axis and axis.is_bound for axis in field):
        sizes = f"at most {sizes}"
    if any(axis and axis.unclipped for axis in field):
        far = "x".join(_size_text(axis, axis and (axis.unclipped or axis.size)) for axis in field)
        sizes = f"{sizes} ({far})"
    steps = [_step_text(axis) for axis in field]
    if set(steps) <= {"1", "-"}:
        return sizes
    return f"{sizes} step {steps[0] if len(set(steps)) == 1 else ' x '.join(steps)}"


def _size_text(axis: Reach | None, size: int | None) -> str:
    return "all" if axis is None else "?" if size is None else str(size)


def _step_text(axis: Reach | None) -> str:
    """`2`; nothing to tell where all is seen, or one alone, and `varies` where steps differ."""
    if axis is None or axis.size is None:
        return "-"
    return "varies" if axis.stride is None else str(axis.stride)


def summarise(graph: Graph, depth: int | None = None) -> Summary:
    """The cost of every layer, and in all; blocks below `depth` are folded into one row."""
    running = graph.inference_nodes()
    writer = _Writer(graph)
    rows = [writer.row(part) for part in _parts(graph.root, depth)]
    weighted = [node for node in running if _multiplies(macs(node))]
    return Summary(
        graph.name,
        tuple(map(writer.input_row, graph.inputs)),
        tuple(rows),
        sum(map(count_parameters, graph.layers())),
        inference_parameters(graph),
        multiply_adds(graph),
        _sum(_neurons(node.outputs) for node in weighted),
        _sum_known(map(writer.connections, running)),
        _sum_known(map(writer.connections, weighted)),
        writer.memory,
    )


def inference_parameters(graph: Graph) -> int:
    """Parameters of the layers that run at inference."""
    return sum(map(count_parameters, {node.layer for node in graph.inference_nodes()}))


def multiply_adds(graph: Graph) -> Size:
    """Those of one inference."""
    return _sum(map(macs, graph.inference_nodes()))


def _parts(scope: Scope, depth: int | None) -> Iterator[Child]:
    """Layers, and the scopes that lie too deep to be opened."""
    for member in scope.members():
        if isinstance(member, Node) or depth == 1:
            yield member
        else:
            yield from _parts(member, depth and depth - 1)


class _Writer:
    """Writes the rows of a network."""

    def __init__(self, graph: Graph) -> None:
        self.running, self.live = graph.inference_nodes(), graph.live_nodes
        self.fields = ReceptiveFields(graph)
        self.memory = memory(graph)

    def input_row(self, item: Input) -> Row:
        value = item.value
        fields, neurons = self.fields.of(value), _neurons((value,))
        shapes = (value.type,)
        return Row(
            item.name,
            "input",
            str(value.type),
            neurons,
            None,
            0,
            0,
            fields,
            0,
            False,
            False,
            shapes,
        )

    def row(self, part: Child) -> Row:
        nodes = [part] if isinstance(part, Node) else list(part.nodes())
        outputs = part.outputs
        # a head for training alone stays in a network whose image is too small for it
        fits = all(map(_fits, nodes))
        alive = [self.memory.alive[node] for node in nodes if node in self.memory.alive]
        numbers = [n for n in alive if isinstance(n, int)]
        return Row(
            part.path,
            layer_text(op_of(part)) if isinstance(part, Node) else _scope_text(part),
            ", ".join(str(v.type) for v in outputs) if fits else "none at this size",
            _neurons(outputs) if fits else 0,
            _sum_known(map(self.connections, nodes)) if fits else 0,
            sum(count_parameters(n.layer) for n in nodes if n.layer.calls[0] is n),
            _sum(map(macs, nodes)) if fits else 0,
            self.fields.of(outputs[0]) if outputs and fits else {},
            max(numbers) if len(numbers) == len(alive) and numbers else alive[0] if alive else 0,
            self.running.isdisjoint(nodes),
            self.live.isdisjoint(nodes),
            _types(outputs) if fits else (),
        )

    def connections(self, node: Node) -> Size | None:
        one = op_of(node).connections(_types(node.inputs), _types(node.outputs))
        return None if one is None else one * _times(node)


def macs(node: Node) -> Size:
    """Multiply-adds of a layer for one sample, all items of an `each` together."""
    return op_of(node).macs(_types(node.inputs), _types(node.outputs)) * _times(node)


def _times(node: Node) -> Size:
    """How often a layer runs for one sample: once for each item of an `each`."""
    return total(node.outputs[0].type.items)


def _neurons(values: tuple[Value, ...]) -> Size:
    return _sum(elements((value.type,)) * total(value.type.items) for value in values)


def _types(values: tuple[Value, ...]) -> Tensors:
    return tuple(value.type for value in values)


def _fits(node: Node) -> bool:
    sizes = (n for value in (*node.inputs, *node.outputs) for n in value.type.shape)
    return not any(isinstance(n, int) and n < 1 for n in sizes)


def _multiplies(macs: Size) -> bool:
    return isinstance(macs, Dim) or macs > 0


def _sum(sizes: Iterable[Size]) -> Size:
    return sum(sizes, cast(Size, 0))


def _sum_known(sizes: Iterable[Size | None]) -> Size | None:
    """The sum, where all are known."""
    numbers = list(sizes)
    known = [size for size in numbers if size is not None]
    return _sum(known) if len(known) == len(numbers) else None


def _scope_text(scope: Scope) -> str:
    """A block as it is called, or (made in Python) with its parameters; else what it is."""
    if scope.kind is not Kind.BLOCK:
        return f"{scope.kind.value} {{ ... }}"
    head, mark, rest = scope.span.text.partition("{")[0].partition("(")
    name = head.rpartition(":")[2]
    if name.rpartition(".")[2].strip() == scope.definition:
        return " ".join(f"{name}{mark}{rest}".split())
    bound = (f"{name}={setting_text(a.value)}" for name, a in scope.arguments.items())
    return f"{scope.definition}({', '.join(bound)})"


def count_parameters(layer: Layer) -> int:
    """Parameters of a layer, buffers left out."""
    return sum(prod(spec.shape) for spec in layer.weights if spec.trained)


def layer_text(op: Op) -> str:
    """The layer as it would be written: `conv(64, 7, stride=2, padding=3)`."""
    return written(op, setting_text)


def setting_text(value: object) -> str:
    if isinstance(value, FromValue):
        return "value"
    if isinstance(value, str | Dim):
        return str(value)
    if isinstance(value, float):  # 0.2 * 12 / 16 is 0.15000000000000002 to a machine alone
        is_written = float(f"{value:.15g}") == value
        return repr(value) if is_written else f"{value:.6g}"
    return show(list(value)) if is_tuple(value) and len(value) == 1 else show(value)
