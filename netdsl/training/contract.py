"""Whether a network takes every size of a training, with as few samples as a batch may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netdsl.analyses.memory import memory
from netdsl.analyses.sizes import Sizes
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph
from netdsl.training.faults import TrainingError
from netdsl.training.image_input import ImageInput
from netdsl.training.pixels import Pixels, shown
from netdsl.training.plan import Plan


def check_training(sizes: Sizes, images: ImageInput, plan: Plan, epochs: int, world: int) -> None:
    """Raises `TrainingError` if a batch of the plan has a size that training does not take.

    `world` devices share a batch, and each has to do with its part.
    """
    fewest = plan.smallest(epochs)
    refusals = [
        refusal(sizes.training(-(-count // world)), images, size, _batch(count, world, plan, size))
        for size, count in fewest.items()
    ]
    _raise(refusals)


def check_evaluation(sizes: Sizes, images: ImageInput, wanted: Iterable[Pixels]) -> None:
    """Raises `TrainingError` if the network does not run at one of these sizes."""
    _raise([refusal(sizes, images, size, "") for size in wanted])


def refusal(sizes: Sizes, images: ImageInput, size: Pixels, why: str) -> str:
    """Why a network does not take images of a size, and which it takes; empty if it does."""
    symbols = images.sizes(size)
    reasons = sizes.explain(**symbols) if symbols or not sizes.accepts() else []
    if not reasons:
        return ""
    near = sizes.nearest(**symbols)
    others = dict.fromkeys(
        shown(images.pixels(point)) for point in (near.closest, near.down, near.up) if point
    )
    nearest = [f"nearest that work: {', '.join(others)}"] if others else []
    return "\n".join([f"images of {shown(size)} are refused{why}", *reasons, *nearest])


def _batch(count: int, world: int, plan: Plan, size: Pixels) -> str:
    """Which batch is the one in question."""
    part = -(-count // world)
    devices = f" on each of {world} devices" if world > 1 else ""
    samples = "1 sample" if part == 1 else f"{part} samples"
    words = f" in training, where the smallest batch has {samples}{devices}"
    is_last = count < plan.whole[size]
    return f"{words}; the last one may be left out (--drop-last)" if is_last else words


def _raise(refusals: Iterable[str]) -> None:
    texts = [text for text in refusals if text]
    if texts:
        raise TrainingError("\n".join(texts))


def whole_batches(
    graph: Graph, images: ImageInput, sizes: Iterable[Pixels], batch: int, rule: str
) -> dict[Pixels, int]:
    """How many samples a batch has at each size: `batch` at the one that takes most.

    By `samples` it is the same at all sizes, by `cells` a batch has as many pixels, by `memory`
    its values take as many bytes where most of them are alive.
    """
    weights = dict(_weights(graph, images, sizes, rule))
    heaviest = max(weights.values())
    return {size: max(1, batch * heaviest // weight) for size, weight in weights.items()}


def _weights(
    graph: Graph, images: ImageInput, sizes: Iterable[Pixels], rule: str
) -> Iterator[tuple[Pixels, int]]:
    """What a sample of each size weighs, by a rule."""
    alive = set(memory(graph).alive.values()) if rule == "memory" else set()
    for size in sizes:
        if rule == "samples":
            yield size, 1
        elif rule == "cells":
            yield size, size[0] * size[1]
        else:
            symbols: Mapping[str, int] = images.sizes(size)
            yield size, max(evaluate(bytes, symbols) for bytes in alive)
