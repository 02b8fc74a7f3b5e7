"""Tables in layers that work on batches: given a batch axis before the call, freed of it behind."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.backends.torch.calls import operand
from netdsl.backends.torch.layout import Expr, Joined
from netdsl.ir.graph import Node
from netdsl.ops.tables import gives_tables, table_inputs

SOLE = "[0]"


def meets_samples(node: Node) -> bool:
    """Whether a table is spread over the samples of another input, which then needs a name."""
    return bool(table_inputs(node)) and not gives_tables(node)


def with_batch(node: Node, args: Sequence[Expr]) -> list[Expr]:
    """`table[None]`, or `table.expand(x.shape[0], *table.shape)` beside samples."""
    spread = list(args)
    batched = next((a for a, v in zip(args, node.inputs, strict=True) if v.type.batched), "")
    for number in table_inputs(node):
        table = operand(args[number])
        spread[number] = (
            _batch_of_one(args[number], node.inputs[number].producer)
            if gives_tables(node)
            else Joined((table, ".expand(", batched, ".shape[0], *", table, ".shape)"))
        )
    return spread


def _batch_of_one(table: Expr, maker: Node | None) -> Expr:
    """`table[None]`; of a call whose only sample was to be taken, the call as it is."""
    is_sole = isinstance(table, Joined) and table.pieces[-1] == SOLE
    if is_sole and maker is not None and gives_tables(maker):
        assert isinstance(table, Joined)
        return table.pieces[0] if len(table.pieces) == 2 else Joined(table.pieces[:-1])
    return Joined((operand(table), "[None]"))


def without_batch(node: Node, expr: Expr) -> Expr:
    """The only sample of each result."""
    if not gives_tables(node):
        return expr
    if len(node.outputs) == 1:
        return Joined((operand(expr), SOLE))
    return Joined(("(part[0] for part in ", expr, ")"))
