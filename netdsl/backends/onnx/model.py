"""What goes into an ONNX file: nodes, values, tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from netdsl.diagnostics import Diagnostic, Span
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import BYTES
from netdsl.ops.lowering import OnnxNode, OnnxValue


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor kept in the file: a weight (`spec`, drawn or loaded) or a constant (`numbers`).

    `span` is where the first layer stands that asked for a constant.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    spec: WeightSpec | None = None
    numbers: tuple[float, ...] = ()
    span: Span | None = None

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * BYTES[self.dtype]


@dataclass(slots=True)
class Model:
    """What goes into the file; `values` are the types of everything between inputs and outputs."""

    name: str
    doc: str
    opset: int
    inputs: list[OnnxValue] = field(default_factory=list)
    outputs: list[OnnxValue] = field(default_factory=list)
    nodes: list[OnnxNode] = field(default_factory=list)
    values: list[OnnxValue] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    warnings: list[Diagnostic] = field(default_factory=list)

    def named_nodes(self) -> Iterator[tuple[str, OnnxNode]]:
        """Each node with a name of its own: that of its first result."""
        return ((node.outputs[0], node) for node in self.nodes)
