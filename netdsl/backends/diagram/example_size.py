"""Numbers for the sizes that a network leaves open: a drawing at one size says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import Tensor
from netdsl.passes.copied import copied
from netdsl.passes.fix_sizes import fix_sizes
from netdsl.passes.part import part_of

USUAL = {1: 64, 2: 256, 3: 224, 4: 32}
"""The example size by the rank of the input, where the network takes it."""
ROUND = (256, 192, 320, 128, 384, 512)
"""Sides of images that many networks take which do not take the usual one, the best first."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Shapes in numbers, at sizes that are given in `sizes`; none for a network without symbols."""

    sizes: Mapping[str, int]
    contract: str = ""

    def shape(self, value: Value) -> tuple[int, ...]:
        return tuple(evaluate(size, self.sizes) for size in value.type.shape)

    def items(self, value: Value) -> int:
        """How many of it there are in a sample: one for each item of an `each`."""
        return prod(evaluate(size, self.sizes) for size in value.type.items)

    def tensor(self, value: Value) -> Tensor:
        """The static type with numbers in it."""
        return replace(value.type, shape=self.shape(value))

    def tensors(self, node: Node) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """What goes into a node and what comes out."""
        return tuple(map(self.tensor, node.inputs)), tuple(map(self.tensor, node.outputs))

    @property
    def line(self) -> str:
        """`drawn at H = 224, W = 224; any H >= 15, any W >= 15 works`."""
        if not self.sizes:
            return ""
        shown = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        return f"Drawn at {shown}; the network takes {self.contract}."


def numbers_for(graph: Graph) -> Numbers:
    """Example sizes: the usual ones, round ones, or the nearest that the network takes.

    Raises `DrawError` where none is found.
    """
    if not graph.symbols:
        return Numbers({})
    sizes = sizes_of(graph)
    wanted = {name: _usual(graph, name) for name in graph.symbols}
    point = wanted if sizes.accepts(**wanted) else _nearest(sizes, wanted)
    if point is None:
        example = " ".join(f"{name}=..." for name in graph.symbols)
        raise DrawError(
            "volumes are drawn to scale, and no example size was found that this network takes; "
            f"give one: --size {example}"
        )
    return Numbers(point, str(sizes))


def at_example_size(graph: Graph, options: Options) -> tuple[Graph, str]:
    """The graph with numbers for all sizes, and the line that states them.

    The graph as it is where formulas are asked for, or no size is found that the network takes.
    """
    if options.formulas:
        return graph, ""
    if graph.within is not None:
        return _part_at_example_size(graph, graph.within, options)
    try:
        numbers = numbers_for(graph)
    except DrawError:
        return graph, ""
    if not numbers.sizes:
        return graph, ""
    return fix_sizes(copied(graph), numbers.sizes), numbers.line


def _part_at_example_size(part: Graph, graph: Graph, options: Options) -> tuple[Graph, str]:
    """The same for a part of a graph, at the size of the whole."""
    whole, told = at_example_size(graph, options)
    if whole is graph:
        return part, told
    (scope,) = part.root.children
    place = list(graph.root.scopes()).index(scope)  # type: ignore[arg-type]
    return part_of(whole, list(whole.root.scopes())[place]), told


def _usual(graph: Graph, name: str) -> int:
    ranks = [len(i.shape) for i in graph.inputs if any(name == str(size) for size in i.shape)]
    return USUAL.get(ranks[0] if ranks else 3, 16)


def _nearest(sizes: Sizes, wanted: dict[str, int]) -> dict[str, int] | None:
    images = [name for name, size in wanted.items() if size == USUAL[3]]
    for side in ROUND if images else ():
        point = wanted | dict.fromkeys(images, side)
        if sizes.accepts(**point):
            return point
    return sizes.nearest(**wanted).closest or sizes.small()
