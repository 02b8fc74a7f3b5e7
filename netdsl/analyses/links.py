"""Exact links: which elements of the layers before a neuron depends on, at inference.

All sizes are numbers. What a single layer reads is said by its op (`Op.reads`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias, cast

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.answers import check_reads
from netdsl.ops.base import op_of
from netdsl.ops.cells import Product, Reads, count, fixed, hull, is_in, one, size_of, union, whole
from netdsl.ops.plugins import is_ours
from netdsl.ops.tables import types_of

__all__ = ["Field", "UnknownLinks", "count", "field", "hull", "is_in", "reads", "shape_of",
           "size_of", "union", "whole"]  # fmt: skip

Field: TypeAlias = "dict[Value, list[Product]]"
"""The elements of each value that are read: disjoint products."""


class UnknownLinks(Exception):
    """A layer that does not tell its links (that of a plug-in); `node` is its call."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.op.name)
        self.node = node


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape of a value whose sizes are numbers; of items, behind the axes they are of."""
    return fixed((*value.type.items, *value.type.shape))


class Reader:
    """What a result of a node reads, as its op tells it; of items, item by item."""

    def __init__(self, node: Node, result: int = 0) -> None:
        self.node, self.result, self.op = node, result, op_of(node)
        self.inputs, self.outputs = types_of(node)
        tensors = (self.inputs[0], *self.outputs) if self.inputs else ()
        self.own = min((len(one.items) for one in tensors), default=0)
        self.are_batched = [value.type.batched for value in node.inputs]
        self.is_ours = is_ours(type(self.op))

    def all(self, wanted: Product) -> Reads:
        """What some elements of the result read, of tables too. Raises `UnknownLinks`."""
        pieces = self.op.reads(self.inputs, self.outputs, wanted[self.own :], self.result)
        if pieces is None:
            raise UnknownLinks(self.node)
        if not self.is_ours:
            check_reads(self.op, pieces)
        if not self.own:
            return pieces
        items = wanted[: self.own]
        return [(n, (*items, *p) if self.inputs[n].batched else p) for n, p in pieces]

    def values(self, wanted: Product) -> Reads:
        """The same without tables; empty pieces stay. Raises `UnknownLinks`."""
        return [piece for piece in self.all(wanted) if self.are_batched[piece[0]]]


def reads(node: Node, wanted: Product, result: int = 0) -> list[tuple[int, Product]]:
    """What elements of its inputs some elements of a node's result depend on.

    Weights are left out, and padding does not exist. Raises `UnknownLinks`.
    """
    return _filled(Reader(node, result), wanted)


def _filled(reader: Reader, wanted: Product) -> list[tuple[int, Product]]:
    return [(n, piece) for n, piece in reader.values(wanted) if all(piece)]


def field(
    graph: Graph, value: Value, index: Sequence[int] | Product, until: Collection[Value] = ()
) -> Field:
    """What an element, or a product of elements, depends on, the value itself included.

    Nothing is followed beyond the values in `until`. Raises `UnknownLinks`.
    """
    start = one(cast("Sequence[int]", index)) if _is_index(index) else cast(Product, index)
    pieces_of: Field = {value: [start]}
    for node in reversed(list(graph.nodes())):
        for result, output in enumerate(node.outputs):
            if output not in pieces_of or output in until:
                continue
            pieces_of[output] = union(pieces_of[output])
            reader = Reader(node, result)
            for piece in pieces_of[output]:
                for number, read in _filled(reader, piece):
                    pieces_of.setdefault(node.inputs[number], []).append(read)
    return {key: union(pieces) for key, pieces in pieces_of.items()}


def _is_index(index: Sequence[int] | Product) -> bool:
    return all(isinstance(i, int) for i in index)
