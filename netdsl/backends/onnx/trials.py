"""At which sizes a file is run beside PyTorch: of the contract, and within memory and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from netdsl.analyses.cost import multiply_adds
from netdsl.analyses.memory import memory
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.onnx.builder import batch_name
from netdsl.backends.onnx.model import Model
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import BYTES
from netdsl.ops.lowering import UNKNOWN

Point = Mapping[str, int]

BATCHES = (1, 3)
WANTED = ((96, 64), (127, 101), (224, 224))
"""Sizes that are asked for, symbol by symbol in turn; the nearest that work are taken."""
MOST_BYTES = 2**28
"""Of the values at a time in PyTorch, and of any one value in ONNX."""
MOST_WORK = 10**11
"""Multiply-adds of a run."""


def trials(
    graph: Graph, model: Model, batches: Sequence[int], at: Sequence[Point] = ()
) -> list[tuple[Point, int]]:
    """Pairs of sizes and numbers of samples.

    Those of `at` are run whatever they cost. Without, these are the smallest sizes, odd ones and
    ones that are not square, halved until they fit into memory.
    """
    if at:
        return [(point, batch) for point in at for batch in batches]
    cost = Cost(graph, model)
    return [
        (point, batch)
        for point in points(sizes_of(graph), lambda point: cost.fits(point, min(batches)))
        for batch in batches
        if batch == min(batches) or cost.fits(point, batch)
    ]


def points(sizes: Sizes, fits: Callable[[Point], bool] = lambda _: True) -> list[Point]:
    """The smallest sizes, and the nearest to those wanted that fit; each once."""
    if not sizes.symbols:
        return [{}]
    candidates: list[Point] = [sizes.small() or {}]
    for pair in WANTED:
        point = _near(sizes, pair)
        while point and not fits(point) and max(pair) > 1:
            pair = (max(1, pair[0] // 2), max(1, pair[1] // 2))
            point = _near(sizes, pair)
        candidates += [point] if fits(point) else []
    return list({tuple(point.items()): point for point in candidates if point}.values())


def _near(sizes: Sizes, pair: tuple[int, int]) -> Point:
    wanted = {name: pair[i % 2] for i, name in enumerate(sizes.symbols)}
    return sizes.nearest(**wanted).closest or {}


class Cost:
    """What a run costs, by the sizes; in ONNX too where there is a model."""

    def __init__(self, graph: Graph, model: Model | None = None) -> None:
        self.alive = set(memory(graph).alive.values())
        self.macs = multiply_adds(graph)
        self.batch = batch_name(graph)
        values = model.values if model is not None else []
        self.shapes = {(value.shape, BYTES.get(value.dtype, 4)) for value in values}

    def fits(self, point: Point, samples: int) -> bool:
        """Whether a run at these sizes is one of seconds, in a small part of a machine's memory."""
        if samples * evaluate(self.macs, point) > MOST_WORK:
            return False
        if samples * max((evaluate(n, point) for n in self.alive), default=0) > MOST_BYTES:
            return False
        at = {**point, self.batch: samples}
        return all(
            width * prod(evaluate(size, at) for size in shape if size != UNKNOWN) <= MOST_BYTES
            for shape, width in self.shapes
        )
