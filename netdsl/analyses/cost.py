"""What a network costs: parameters and multiply-adds, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from netdsl.ir.dim import Dim, Size
from netdsl.ir.graph import Graph, Layer, Node
from netdsl.ops.base import Op, parameters
from netdsl.ops.params import Same, show


@dataclass(frozen=True, slots=True)
class Row:
    """One call of a layer. `parameters` are 0 in later calls of a shared layer."""

    path: str
    layer: str
    output: str
    parameters: int
    macs: Size
    training_only: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The table of a network.

    `parameters` are all learned numbers, training-only heads included, `inference_parameters`
    those without them; `macs` are multiply-adds of convolutions and matrix products for one
    sample at inference (a formula where sizes are symbolic).
    """

    name: str
    rows: tuple[Row, ...]
    parameters: int
    inference_parameters: int
    macs: Size

    def __str__(self) -> str:
        table = [("path", "layer", "output", "parameters", "multiply-adds"), *self.cells()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                f"{cell:>{width}}" if index > 2 else f"{cell:<{width}}"
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        return "\n".join([*lines, self.totals()])

    def cells(self) -> list[tuple[str, str, str, str, str]]:
        """The rows as texts: path, layer, output, parameters, multiply-adds; zeros are blank."""
        return [
            (
                f"{row.path} (training)" if row.training_only else row.path,
                row.layer,
                row.output,
                f"{row.parameters:,}" if row.parameters else "",
                counted(row.macs) if isinstance(row.macs, Dim) or row.macs else "",
            )
            for row in self.rows
        ]

    def totals(self) -> str:
        """`13,004,888 parameters (6,624,904 at inference), 1,498,378,240 multiply-adds`."""
        extra = ""
        if self.inference_parameters != self.parameters:
            extra = f" ({self.inference_parameters:,} at inference)"
        return f"{self.parameters:,} parameters{extra}, {counted(self.macs)} multiply-adds"


def counted(number: Size) -> str:
    """A count with commas, or a formula."""
    return f"{number:,}" if isinstance(number, int) else str(number)


def summarise(graph: Graph) -> Summary:
    """The cost of every node, and in all."""
    needed = graph.inference_nodes()
    rows = [_row(node, id(node) not in needed) for node in graph.nodes()]
    macs: Size = 0
    for row in rows:
        macs = macs if row.training_only else macs + row.macs
    total = sum(row.parameters for row in rows)
    left = sum(count_parameters(layer) for layer in graph.layers()
               if any(id(node) in needed for node in layer.calls))  # fmt: skip
    return Summary(graph.name, tuple(rows), total, left, macs)


def _row(node: Node, training_only: bool) -> Row:
    op = node.op
    assert isinstance(op, Op)
    inputs = tuple(v.type for v in node.inputs)
    outputs = tuple(v.type for v in node.outputs)
    first = node.layer.calls[0] is node
    # a head for training alone stays in a network whose image is too small for it
    fits = not any(isinstance(n, int) and n < 1 for t in (*inputs, *outputs) for n in t.shape)
    return Row(
        node.path,
        layer_text(op),
        ", ".join(map(str, outputs)) if fits else "none at this size",
        count_parameters(node.layer) if first else 0,
        op.macs(inputs, outputs) if fits else 0,
        training_only,
    )


def count_parameters(layer: Layer) -> int:
    """Learned numbers of a layer, buffers left out."""
    return sum(prod(spec.shape) for spec in layer.weights if spec.trained)


def layer_text(op: Op) -> str:
    """The layer as it would be written: `conv(64, 7, stride=2, padding=3)`."""
    written: list[str] = []
    for parameter in parameters(type(op)):
        value = getattr(op, parameter.name)
        default = parameter.default
        if isinstance(default, Same):
            default = getattr(op, default.parameter)
        if parameter.required:
            written.append(_show(value))
        elif value != default:
            written.append(f"{parameter.name}={_show(value)}")
    name = op.name or "weight"
    return f"{name}({', '.join(written)})" if written else name


def _show(value: object) -> str:
    if isinstance(value, str | Dim):
        return str(value)
    return show(list(value)) if isinstance(value, tuple) and len(value) == 1 else show(value)
