"""The layers of the neuron view: those that compute, with what is folded into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from netdsl.analyses.calls import call_paths
from netdsl.analyses.links import Product, UnknownLinks, reads, shape_of, union
from netdsl.ir.graph import Graph, Node, Uses, Value
from netdsl.ops.axes import is_fixed
from netdsl.ops.base import elements, op_of
from netdsl.ops.cells import one
from netdsl.ops.facts import Storage, Work
from netdsl.ops.tables import types_of

KEEPS_ALL = (Work.MOVES, Work.PASSES, Work.DROPS)


@dataclass(eq=False)
class NeuronLayer:
    """A layer whose neurons are the numbers of `value`, or an input, which has no nodes.

    Nodes that only rename numbers stand before `body`; a norm that is fixed at inference and an
    activation stand behind it.
    """

    name: str
    value: Value
    nodes: list[Node] = field(default_factory=list)
    depth: int = 0

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.value)

    @property
    def body(self) -> Node:
        """The first node that does something."""
        return next((n for n in self.nodes if not _renames(n)), self.nodes[0])

    @property
    def is_input(self) -> bool:
        return not self.nodes

    @property
    def computes(self) -> bool:
        """Whether its neurons are more than numbers of other layers under new indices."""
        return any(op_of(n).work is Work.COMPUTES and not _copies(n) for n in self.nodes)

    @property
    def behind(self) -> str:
        """` + BN + ReLU`: what is folded behind the body."""
        rest = self.nodes[self.nodes.index(self.body) + 1 :]
        titles = (op_of(n).title for n in rest if op_of(n).work is not Work.PASSES)
        return "".join(f" + {title}" for title in titles)

    def read(self) -> list[Value]:
        """The values whose numbers it reads, each once; no weights."""
        inner = {v for node in self.nodes for v in node.outputs}
        values = dict.fromkeys(v for node in self.nodes for _, v in node.data_inputs())
        return [v for v in values if v not in inner and v.type.batched]

    def reads(self, wanted: Iterable[Product]) -> dict[Value, list[Product]]:
        """What some neurons read of each value. Raises `UnknownLinks`."""
        if self.is_input:
            return {}
        products = {self.value: list(wanted)}
        for node in reversed(self.nodes):
            for result, output in enumerate(node.outputs):
                for piece in union(products.pop(output, [])):
                    for number, read in reads(node, piece, result):
                        products.setdefault(node.inputs[number], []).append(read)
        return {key: union(pieces) for key, pieces in products.items()}


def layers_of(graph: Graph) -> list[NeuronLayer]:
    """The inputs, then the layers that run at inference, in order; every node in one of them."""
    uses, paths = graph.inference_uses, call_paths(graph)
    owner: dict[Value, NeuronLayer] = {}
    layers = [NeuronLayer(item.name, item.value) for item in graph.inputs]
    for node in graph.inference_nodes():
        if not any(v.type.batched for v in node.inputs):
            continue
        layer = owner.get(node.inputs[0])
        if layer is not None and _folds(node) and uses.only_reader(node.inputs[0]) is node:
            layer.nodes.append(node)
            layer.value = node.output
        else:
            # a layer of several results has one set of neurons for each
            for output in node.outputs:
                path = paths[node]
                name = path if len(node.outputs) == 1 else f"{path}[{output.index}]"
                layers.append(NeuronLayer(name, output, [node]))
                owner[output] = layers[-1]
            continue
        owner[node.output] = layer
    merged = _renames_folded(layers, uses)
    _count_depths(merged)
    return merged


def _folds(node: Node) -> bool:
    """Whether each number of its result comes from the same number of what comes in, alone."""
    before, after = node.inputs[0].type.shape, node.outputs[0].type.shape
    if not op_of(node).in_place or after != before or not is_fixed(after):
        return False
    shape = shape_of(node.outputs[0])
    try:
        ends = (one((0,) * len(shape)), one(tuple(size - 1 for size in shape)))
        return all(reads(node, cell) == [(0, cell)] for cell in ends)
    except UnknownLinks:
        return False


def _copies(node: Node) -> bool:
    """Whether each number of its result is one that comes in, as where a map is enlarged."""
    op, (inputs, outputs) = op_of(node), types_of(node)
    if op.zoom <= 0 or op.shares(inputs, outputs, (0,) * outputs[0].rank) is None:
        return False
    return op.connections(inputs, outputs) == elements(outputs)


def _renames(node: Node) -> bool:
    """Whether it gives all numbers that come in, where they lie."""
    op = op_of(node)
    return op.work in KEEPS_ALL and op.storage(*types_of(node)) is not Storage.OWN


def _renames_folded(layers: list[NeuronLayer], uses: Uses) -> list[NeuronLayer]:
    """Layers that only rename numbers go to their only reader."""
    owner = {node: layer for layer in layers for node in layer.nodes}
    remaining: list[NeuronLayer] = []
    for layer in reversed(layers):
        reader = uses.only_reader(layer.value)
        target = owner.get(reader) if reader is not None else None
        single = reader is not None and len(reader.outputs) == 1
        if layer.nodes and all(map(_renames, layer.nodes)) and target is not None and single:
            target.nodes[:0] = layer.nodes
            owner.update((node, target) for node in layer.nodes)
        else:
            remaining.append(layer)
    order = {layer: number for number, layer in enumerate(layers)}
    return sorted(remaining, key=lambda layer: order[layer])


def _count_depths(layers: list[NeuronLayer]) -> None:
    """Layers from an input on, along the longest path."""
    depths: dict[Value, int] = {}
    for layer in layers:
        before = [depths[v] for v in layer.read() if v in depths]
        layer.depth = 1 + max(before, default=-1)
        depths[layer.value] = layer.depth


def kind_of(node: Node) -> str:
    """A layer in a word or two: `conv 3×3 /2`."""
    return op_of(node).headline(types_of(node)[0])
