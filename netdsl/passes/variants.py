"""A block by itself, and built otherwise: without reductions or groups, as one convolution."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from netdsl.analyses.links import shape_of
from netdsl.diagnostics import Sink
from netdsl.ir.builder import Builder
from netdsl.ir.graph import Graph, Node, Scope, Uses, Value
from netdsl.ops.base import Op, op_of
from netdsl.ops.conv import Conv
from netdsl.ops.facts import Sliding
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import Rulebook

TAILS = ("norms", "activations", "regularising")
"""Families that go with the layer before them."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A block built otherwise: its graph, or why it can't be built."""

    name: str
    what: str
    graph: Graph | None
    refusal: str = ""


def variants(graph: Graph, scope: Scope) -> Iterator[Variant]:
    """The ways of building a block that it can be compared with; all sizes are numbers."""
    block = _Block(graph, scope)
    reductions = set(block.reductions())
    if reductions:
        names = ", ".join(node.path for node in block.heads(reductions))
        yield block.built("without reductions", f"without {names}", reductions)
    projections = set(block.projections())
    if reductions and projections:
        names = ", ".join(node.path for node in block.heads(projections))
        what = f"without {names}, too: the naive module"
        yield block.built("without reductions and projections", what, reductions | projections)
    if any(_windows(node).groups > 1 for node in block.convolutions()):
        yield block.built("without groups", "each filter spans all channels", change=_ungrouped)


def alone(graph: Graph, scope: Scope) -> Graph:
    """The block as a network of its own. Raises `Refusal` where it can't be one."""
    return _Block(graph, scope).rebuilt(set(), lambda op: op)


def plain(whole: Graph, kernel: int) -> Variant | None:
    """One convolution of a kernel in the place of a block; None where none gives its shape."""
    inputs, outputs = whole.inputs, whole.outputs
    if not inputs or len(outputs) != 1 or len(inputs[0].shape) != len(outputs[0].shape):
        return None
    source, result = shape_of(inputs[0].value), shape_of(outputs[0].value)
    strides = {max(1, round(n / m)) for n, m in zip(source[1:], result[1:], strict=True)}
    if len(source) < 2 or len(strides) > 1:
        return None
    for padding in (kernel // 2, *range(kernel)):
        op = Conv(result[0], kernel, max(strides), padding, bias=False)
        graph = _single(whole, op)
        if graph is not None and shape_of(graph.outputs[0].value) == result:
            sides = "x".join([str(kernel)] * (len(source) - 1))
            what = f"one {sides} convolution with {result[0]} filters over all channels"
            return Variant("one plain convolution", what, graph)
    return None


def _single(whole: Graph, op: Op) -> Graph | None:
    builder = Builder(whole.name, Rulebook(), Sink(), whole.root.span)
    value = builder.input("x", whole.inputs[0].value.type, whole.root.span)
    try:
        (result,) = builder.layer(builder.site, op, (value,), whole.root.span)
    except Refusal:
        return None
    builder.output("y", result, whole.root.span)
    return builder.build()


def _windows(node: Node) -> Sliding:
    windows = op_of(node).sliding()
    assert windows is not None
    return windows


def _ungrouped(op: Op) -> Op:
    windows = op.sliding()
    is_grouped = op.drawn_as and windows is not None and windows.groups > 1
    return replace(cast(Any, op), groups=1) if is_grouped else op


class _Block:
    """A block, and who takes the values in it."""

    def __init__(self, graph: Graph, scope: Scope) -> None:
        self.graph, self.scope = graph, scope
        self.nodes = list(scope.nodes())
        self.inside = {value for node in self.nodes for value in node.outputs}
        self.uses: Uses = graph.uses

    def convolutions(self) -> Iterator[Node]:
        """Its convolutions."""
        return (n for n in self.nodes if op_of(n).drawn_as == "conv" and op_of(n).sliding())

    def heads(self, nodes: Collection[Node]) -> list[Node]:
        """The convolutions among some nodes."""
        return [node for node in self.convolutions() if node in nodes]

    def reductions(self) -> Iterator[Node]:
        """1x1 convolutions to fewer channels, before a wider one; with what goes with them."""
        for node in self.convolutions():
            channels = shape_of(node.inputs[0])[0]
            windows = _windows(node)
            if not self._is_pointwise(node) or not cast(int, windows.channels) < channels:
                continue
            tails = self._tails(node)
            last = tails[-1] if tails else node
            if any(self._is_wide(reader) for reader in self.uses.readers(last.output)):
                yield from (node, *tails)

    def projections(self) -> Iterator[Node]:
        """1x1 convolutions behind a pool of stride 1, with what goes with them."""
        for node in self.convolutions():
            before = node.inputs[0].producer
            if before is None or before not in self.nodes or before.op.family != "pooling":
                continue
            if self._is_pointwise(node) and op_of(before).shown_stride() in (1, (1, 1), (1, 1, 1)):
                yield from (node, *self._tails(node))

    def _is_pointwise(self, node: Node) -> bool:
        windows, rank = _windows(node), node.inputs[0].type.rank - 1
        steps = windows.settings_along(rank)
        return windows.groups == 1 and all(k == s == 1 for k, s, _ in steps)

    def _is_wide(self, node: Node) -> bool:
        if node not in self.nodes or op_of(node).drawn_as != "conv":
            return False
        windows = op_of(node).sliding()
        steps = windows.settings_along(node.inputs[0].type.rank - 1) if windows else []
        return any(k > 1 for k, _, _ in steps)

    def _tails(self, node: Node) -> list[Node]:
        """The normalisation and activation behind a layer, as far as nothing else reads it."""
        tails: list[Node] = []
        reader = self.uses.only_reader(node.output)
        while reader is not None and reader in self.nodes and reader.op.family in TAILS:
            if len(reader.inputs) > 1 or len(reader.outputs) > 1:
                break
            tails.append(reader)
            reader = self.uses.only_reader(reader.output)
        return tails

    def built(
        self,
        name: str,
        what: str,
        left_out: Collection[Node] = (),
        change: Callable[[Op], Op] = lambda op: op,
    ) -> Variant:
        """The block with some nodes left out, and layers changed."""
        try:
            return Variant(name, what, self.rebuilt(left_out, change))
        except Refusal as refusal:
            return Variant(name, what, None, str(refusal))

    def rebuilt(self, left_out: Collection[Node], change: Callable[[Op], Op]) -> Graph:
        """Raises `Refusal` where a layer does not take what then comes in."""
        span = self.scope.span
        builder = Builder(self.scope.definition or self.scope.path, Rulebook(), Sink(), span)
        read = dict.fromkeys(v for n in self.nodes for v in n.inputs if v not in self.inside)
        values: dict[Value, Value] = {}
        for number, value in enumerate(read):
            values[value] = builder.input(f"x{number}", value.type, span)
        for node in self.nodes:
            inputs = tuple(values[value] for value in node.inputs)
            if node in left_out:
                values[node.output] = inputs[0]
                continue
            results = builder.layer(builder.site, change(op_of(node)), inputs, node.span)
            values.update(zip(node.outputs, results, strict=True))
        for number, value in enumerate(self._outputs()):
            builder.output(f"y{number}", values[value], span)
        return builder.build()

    def _outputs(self) -> list[Value]:
        nodes = set(self.nodes)
        return [v for n in self.nodes for v in n.outputs if self.uses.leaves(v, nodes)]
