"""Tables in layers that work on batches: given a batch axis before them, freed of it behind."""

from __future__ import annotations

from netdsl.ir.graph import Node
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.tables import gives_tables, table_inputs


def give_batch(to: Lowering, node: Node) -> None:
    """A batch axis for each table among the inputs: of one, or as long as that of the samples."""
    inputs = list(to.inputs)
    for number in table_inputs(node):
        table = inputs[number]
        if gives_tables(node):
            shape = (1, *table.shape)
            inputs[number] = to.node("Unsqueeze", [table, to.ints(0)], shape)
        else:
            shape = (to.batch, *table.shape)
            inputs[number] = to.node("Expand", [table, to.sizes(shape)], shape)
    to.inputs = tuple(inputs)


def take_batch(to: Lowering, result: OnnxValue) -> OnnxValue:
    """The only sample of a result."""
    return to.node("Squeeze", [result, to.ints(0)], result.shape[1:])
