"""Tables, which have no batch axis, in layers that need one: as a batch of one, or for all samples.

What a layer takes as a table (`Op.takes_table`) it is asked with as it is.
"""

from __future__ import annotations

from dataclasses import replace

from netdsl.ir.graph import Node
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Op, Tensors, op_of


def types_of(node: Node) -> tuple[Tensors, Tensors]:
    """What goes into a node, and what comes out, as its op sees it."""
    inputs, outputs = (tuple(v.type for v in values) for values in (node.inputs, node.outputs))
    if needs_batch(op_of(node), inputs):
        return as_samples(op_of(node), inputs), tuple(map(_batched, outputs))
    return inputs, outputs


def table_inputs(node: Node) -> list[int]:
    """Numbers of the inputs that are tables where the layer works on batches."""
    op, inputs = op_of(node), tuple(value.type for value in node.inputs)
    if not needs_batch(op, inputs):
        return []
    return [n for n in _read(op, inputs) if not inputs[n].batched and not op.takes_table(n)]


def gives_tables(node: Node) -> bool:
    """Whether a layer that works on batches runs on a batch of one, all of it tables."""
    tables = table_inputs(node)
    return bool(tables) and not node.outputs[0].type.batched


def needs_batch(op: Op, inputs: Tensors) -> bool:
    """Whether a table comes in where the layer works on batches."""
    return any(not inputs[n].batched and not op.takes_table(n) for n in _read(op, inputs))


def is_batch_of_one(op: Op, inputs: Tensors) -> bool:
    """Whether all that is read are tables, so that the results are tables as well."""
    return not any(inputs[n].batched for n in _read(op, inputs))


def as_samples(op: Op, inputs: Tensors) -> Tensors:
    """What comes in with a batch axis in front, but for the tables that the layer takes."""
    return tuple(x if op.takes_table(n) else _batched(x) for n, x in enumerate(inputs))


def _batched(tensor: Tensor) -> Tensor:
    return replace(tensor, batched=True)


def as_tables(tensors: Tensors) -> Tensors:
    """The same types without a batch axis."""
    return tuple(replace(tensor, batched=False, items=()) for tensor in tensors)


def _read(op: Op, inputs: Tensors) -> list[int]:
    """Numbers of the inputs whose data flows through."""
    others = op.size_inputs() | op.table_inputs()
    return [n for n in range(len(inputs)) if n not in others]
