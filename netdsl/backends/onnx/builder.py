"""The graph as ONNX operators: inference only, every shape stated, weights by their keys."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import cast

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx.guard import guarded
from netdsl.backends.onnx.model import Model, Stored
from netdsl.backends.onnx.options import OPSET
from netdsl.backends.onnx.ranges import check_node
from netdsl.backends.onnx.sizes import SizeTable
from netdsl.backends.onnx.tables import give_batch, take_batch
from netdsl.diagnostics import Diagnostic, DiagnosticError, Span
from netdsl.ir.dim import Size, symbol
from netdsl.ir.graph import Graph, Layer, Node, Output, Value
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.answers import check_onnx
from netdsl.ops.axes import total
from netdsl.ops.base import Op
from netdsl.ops.lowering import Lowering, OnnxConstant, OnnxNode, OnnxValue
from netdsl.ops.refusal import Refusal
from netdsl.ops.tables import gives_tables, types_of

BATCH_NAMES = ("N", "batch", "batch_size")


def onnx_model(
    graph: Graph, opset: int = OPSET, batch: int | None = None, *, guard: bool = False
) -> Model:
    """The inference part of a graph.

    `batch` fixes the number of samples; `guard` makes a run outside of the size contract fail.
    Raises `DiagnosticError` where a layer has no right form in ONNX.
    """
    builder = Builder(graph, opset, batch)
    return builder.build(guard=guard)


class Builder:
    """Collects the model; what it has of values and constants is asked for by lowerings."""

    def __init__(self, graph: Graph, opset: int, batch: int | None) -> None:
        self.graph = graph
        self.model = Model(graph.name, graph.doc, opset)
        self.batch: Size = batch or symbol(batch_name(graph))
        self.at: Span | None = None
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.onnx_values: dict[Value, OnnxValue] = {}
        self.constants: dict[OnnxConstant, OnnxValue] = {}
        self.weights: dict[str, OnnxValue] = {}
        self.table = SizeTable(self.model.inputs, self.claim, self.constant, self.add)

    def build(self, *, guard: bool) -> Model:
        wanted = self.graph.inference_outputs
        for item in self.graph.inputs:
            value = OnnxValue(
                self.claim(item.name), (self.batch, *item.value.type.shape), item.dtype
            )
            self.onnx_values[item.value] = value
            self.model.inputs.append(value)
        self.taken.update(output.name for output in wanted)
        if guard:
            self._guard()
        names = {output.value: output.name for output in reversed(wanted)}
        needed = self.graph.needed_nodes()
        for node in self.graph.nodes():
            if node in needed:
                self._lower(node, names)
        for output in wanted:
            self._output(output)
        self._sort_out_unused()
        return self.model

    def _guard(self) -> None:
        """All that is computed, sizes too, comes from inputs that have been looked at."""
        values = guarded(self.table, sizes_of(self.graph).condition)
        for item, value in zip(self.graph.inputs, values, strict=True):
            self.onnx_values[item.value] = value
        self.table = SizeTable(values, self.claim, self.constant, self.add)

    # --- what lowerings ask for ------------------------------------------------------------

    def claim(self, wanted: str) -> str:
        """A name that nothing else has."""
        name, number = wanted, self.numbers.get(wanted, 1)
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        self.numbers[wanted] = max(number - 1, 1)
        return name

    def constant(self, constant: OnnxConstant) -> OnnxValue:
        """The value of a constant; equal ones are stored once."""
        value = self.constants.get(constant)
        if value is None:
            value = OnnxValue(self.claim("constant"), constant.shape, constant.dtype)
            self.constants[constant] = value
            self.model.stored.append(
                Stored(value.name, constant.shape, constant.dtype, None, constant.numbers, self.at)
            )
        return value

    def add(self, node: OnnxNode, *values: OnnxValue) -> None:
        """A node and the types of its results."""
        self.model.nodes.append(node)
        self.model.values += values

    def _weight(self, layer: Layer, key: str) -> OnnxValue:
        """A weight of a layer, under its key in `state_dict()`."""
        spec = next(spec for spec in layer.weights if spec.key == key)
        name = layer.key(spec)
        if name not in self.weights:
            value = OnnxValue(self.claim(name), spec.shape, spec.dtype)
            self.weights[name] = value
            self.model.stored.append(
                Stored(value.name, spec.shape, spec.dtype, replace(spec, key=name))
            )
        return self.weights[name]

    # --- nodes and outputs -----------------------------------------------------------------

    def _lower(self, node: Node, names: dict[Value, str]) -> None:
        path = node.path or node.op.name
        self.at = node.span
        inputs, outputs = types_of(node)
        is_alone = gives_tables(node)
        to = Lowering(
            [self.onnx_values[value] for value in node.inputs],
            inputs,
            outputs,
            1 if is_alone else self.batch,
            self.table.value,
            self.constant,
            lambda key: self._weight(node.layer, key),
            lambda op: self.claim(f"{path}/{op}"),
        )
        give_batch(to, node)
        try:
            answer = cast(Op, node.op).onnx(to)
        except Refusal as refusal:
            raise DiagnosticError([_refused(node, refusal)]) from None
        check_onnx(cast(Op, node.op), answer, len(node.outputs))
        check_node(to.nodes, to.values, node.span)
        results = answer if isinstance(answer, tuple) else (answer,)
        if is_alone:
            results = tuple(take_batch(to, result) for result in results)
        for value, result in zip(node.outputs, results, strict=True):
            result = OnnxValue(result.name, self._shape(value.type), value.type.dtype)
            self.onnx_values[value] = self._named(to, value, result, names)
        self.model.nodes += to.nodes
        self.model.values += to.values

    def _shape(self, tensor: Tensor) -> Shape:
        """A static type's shape as ONNX sees it: the batch in front, with all items in it."""
        batch = total((self.batch, *tensor.items))
        return (batch, *tensor.shape) if tensor.batched else tensor.shape

    def _named(
        self, to: Lowering, value: Value, result: OnnxValue, names: dict[Value, str]
    ) -> OnnxValue:
        """The result under the name of the output it is, or of its layer."""
        maker = next((n for n in to.nodes if result.name in n.outputs), None)
        if maker is None:
            return result
        name = names.pop(value, "") or self.claim(value.producer.path if value.producer else "")
        for node in to.nodes:
            node.inputs = [name if i == result.name else i for i in node.inputs]
        maker.outputs = [name if o == result.name else o for o in maker.outputs]
        to.values = [v for v in to.values if v.name != result.name]
        named = replace(result, name=name)
        to.values.append(named)
        return named

    def _output(self, output: Output) -> None:
        """An output; where it is another output, an input or a weight too, a copy."""
        value = self.onnx_values[output.value]
        if value.name != output.name:
            self.add(OnnxNode("Identity", [value.name], [output.name]))
        self.model.outputs.append(replace(value, name=output.name))

    def _sort_out_unused(self) -> None:
        """Outputs are listed once, and what nothing reads is left out."""
        outputs = {value.name for value in self.model.outputs}
        read = set(outputs)
        used: list[OnnxNode] = []
        for node in reversed(self.model.nodes):
            if any(name in read for name in node.outputs):
                used.append(node)
                read.update(node.inputs)
        self.model.nodes = used[::-1]
        results = {name for node in used for name in node.outputs}
        self.model.values = [
            v for v in self.model.values if v.name in results and v.name not in outputs
        ]
        self.model.stored = [s for s in self.model.stored if s.name in read]


def batch_name(graph: Graph) -> str:
    """What the batch axis is called: `N`, unless a size is."""
    more = (f"batch_{number}" for number in count(1))
    return next(name for name in chain(BATCH_NAMES, more) if name not in graph.symbols)


def _refused(node: Node, refusal: Refusal) -> Diagnostic:
    return Diagnostic(
        refusal.code, refusal.message, node.span, help=(refusal.help,) if refusal.help else ()
    )
