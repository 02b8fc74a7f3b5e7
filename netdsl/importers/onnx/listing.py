"""A model as a text of one line a node, which messages point into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdsl.diagnostics import Source, Span
from netdsl.importers.onnx.model import shown, text_of

if TYPE_CHECKING:
    import onnx

MOST_NAMES = 12


class Listing:
    """The text, and the place of each part: of inputs, nodes and outputs in their order."""

    def __init__(self, path: str, proto: onnx.ModelProto, opset: int) -> None:
        self._lines: list[str] = []
        self._length = 0
        graph = proto.graph
        producer = shown(proto.producer_name, 30)
        heads = [self._add(f"graph {shown(graph.name)} # opset {opset} {producer}".rstrip())]
        inputs = [self._add(f"input {port_text(one)}") for one in graph.input]
        nodes = [self._add(node_text(one)) for one in graph.node]
        outputs = [self._add(f"output {port_text(one)}") for one in graph.output]
        self.source = Source(path, "\n".join(self._lines) + "\n")
        self.head = self._span(heads[0])
        self.inputs = [self._span(one) for one in inputs]
        self.nodes = [self._span(one) for one in nodes]
        self.outputs = [self._span(one) for one in outputs]

    def _add(self, line: str) -> tuple[int, int]:
        start = self._length
        self._lines.append(line)
        self._length += len(line) + 1
        return start, start + len(line)

    def _span(self, ends: tuple[int, int]) -> Span:
        return Span(self.source, *ends)


def node_text(node: onnx.NodeProto) -> str:
    """`Conv "/conv1/Conv" (x, w) -> y`."""
    name = f' "{shown(node.name)}"' if node.name else ""
    domain = f"{shown(node.domain)}." if node.domain else ""
    operator = f"{domain}{shown(node.op_type)}"
    return f"{operator}{name} ({_names(node.input)}) -> {_names(node.output)}"


def port_text(info: onnx.ValueInfoProto) -> str:
    """`image [N, 3, 224, 224]`."""
    sizes = [shown(_size(dim), 20) for dim in info.type.tensor_type.shape.dim[:MOST_NAMES]]
    return f"{shown(info.name)} [{', '.join(sizes)}]"


def _size(dim: Any) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else text_of(dim.dim_param) or "?"


def _names(names: Any) -> str:
    """Names in a row; `_` for one that is left out."""
    texts = [shown(name, 40) or "_" for name in names[:MOST_NAMES]]
    return ", ".join([*texts, "..."] if len(names) > MOST_NAMES else texts)
