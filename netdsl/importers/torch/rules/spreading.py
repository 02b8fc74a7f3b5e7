"""Copies along axes: `expand`, `repeat` and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from netdsl.importers.program import Computed, Number, Setting
from netdsl.importers.torch.lows import BATCH, Low, Refusal
from netdsl.importers.torch.rules.rule import RULES, rule

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

MOST_COPIES = 64
"""Copies that are written one by one."""


@rule("expand", "broadcast_to")
def expand(to: Builder, input: Any, *sizes: Any) -> Low:
    low = to.low(input)
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = tuple(sizes[0])
    return spread(to, low, sizes)


@rule("expand_as")
def expand_as(to: Builder, input: Any, other: Any) -> Low:
    target = to.low(other)
    sizes = [None if BATCH in target.layout[at] else to.size_of(target, at)
             for at in range(target.rank)]  # fmt: skip
    return spread(to, to.low(input), sizes)


@rule("zeros_like")
def zeros_like(to: Builder, input: Any, **keywords: Any) -> Low:
    return full_like(to, input, 0, **keywords)


@rule("ones_like")
def ones_like(to: Builder, input: Any, **keywords: Any) -> Low:
    return full_like(to, input, 1, **keywords)


@rule("full_like")
def full_like(to: Builder, input: Any, fill_value: Any, **keywords: Any) -> Low:
    """A table of one number, of a shape that is the same at all sizes; one for each sample."""
    assert to.op is not None
    number, sizes = to.number(fill_value), traced_sizes(to)
    batch = to.agreed.batch_axis(to.op.outputs[0])
    shape = [1 if place == batch else one[0] for place, one in enumerate(sizes)]
    if not isinstance(number, int | float):
        raise Refusal("it makes a table of a number that varies with the size")
    if any(len(set(one)) > 1 for place, one in enumerate(sizes) if place != batch):
        raise Refusal("it makes a table as large as an open size says")
    dtype = getattr(torch, to.agreed.dtypes[to.op.outputs[0]])
    low = to.numbers(torch.full(shape, number, dtype=dtype))
    return low if batch is None else for_each_sample(to, low, batch)


def spread(to: Builder, low: Low, sizes: Sequence[Any]) -> Low:
    """A value whose axes of size 1 are taken for wider ones; of a table one may be the batch."""
    low = in_front(to, low, len(sizes) - low.rank)
    wider: dict[int, Number] = {}
    place_of_batch: int | None = None
    for place, wanted in enumerate(traced_sizes(to)):
        if low.size(place) in (None, wanted):
            continue
        if wanted == to.batches and low.is_table and len(set(to.batches)) > 1:
            place_of_batch = place
        else:
            wider[place] = wanted[0] if len(set(wanted)) == 1 else to.number(sizes[place])
    if place_of_batch is not None:
        low = for_each_sample(to, low, place_of_batch)
    return widened(to, low, wider) if wider else low


def traced_sizes(to: Builder, number: int = 0) -> list[tuple[int, ...]]:
    """The sizes of the axes of a result, each in all runs."""
    assert to.op is not None
    traced = to.op.outputs[number]
    return list(zip(*(shapes[traced] for shapes in to.agreed.shapes), strict=True))


def in_front(to: Builder, low: Low, count: int) -> Low:
    """A value with further axes of size 1 in front."""
    for _ in range(count):
        low = RULES["unsqueeze"](to, low, 0)
    return low


def for_each_sample(to: Builder, low: Low, place: int) -> Low:
    """A table whose first axis, of size 1, becomes the batch."""
    if place != 0 or low.leads or low.size(0) != (1,) * to.runs:
        raise Refusal("a table has numbers of its own for each sample of the batch")
    low = low.narrow or low
    layout = ((BATCH,), *((axis,) for axis in range(low.rank - 1)))
    return Low(low.value, layout, low.sizes[1:], is_table=True, leads=True)


def widened(to: Builder, low: Low, wider: dict[int, Number]) -> Low:
    """A value that stands for one with wider axes."""
    narrow, sizes, widths = low.narrow or low, list(low.sizes), dict(low.widths)
    traced = traced_sizes(to)
    for place, width in wider.items():
        axis = low.axis(place)
        if narrow.sizes[axis] != (1,) * to.runs:
            raise Refusal("it copies a value along an axis that is wider than 1")
        sizes[axis] = traced[place]
        widths[axis] = width
    return Low(
        low.value, low.layout, tuple(sizes), low.is_table, low.leads, narrow, tuple(widths.items())
    )


@rule("repeat", "tile")
def repeat(to: Builder, input: Any, *repeats: Any) -> Low:
    low = to.low(input)
    if len(repeats) == 1 and isinstance(repeats[0], list | tuple):
        repeats = tuple(repeats[0])
    times = [1] * (low.rank - len(repeats)) + list(repeats)
    low = in_front(to, low, len(times) - low.rank)
    traced = traced_sizes(to)
    changed = [place for place in range(low.rank) if low.size(place) not in (None, traced[place])]
    several = [place for place in changed if low.size(place) != (1,) * to.runs]
    for place in several:
        low = tiled(to, to.plain(low), place, to.whole(times[place]))
    alone = [traced[at][0] if len(set(traced[at])) == 1 else times[at] for at in range(low.rank)]
    return spread(to, low, alone)


def tiled(to: Builder, low: Low, place: int, times: int) -> Low:
    """Several copies of a value behind each other."""
    if times > MOST_COPIES:
        raise Refusal(f"it copies a value {times} times along an axis")
    axis = low.axis(place)
    value = to.call("concat", [low.value] * times, axis=axis)
    return low.resized(value, axis, tuple(times * size for size in low.sizes[axis]))


@rule("repeat_interleave")
def repeat_interleave(
    to: Builder, input: Any, repeats: Any, dim: Any = None, *, output_size: Any = None
) -> Low:
    low, times = to.plain(input), to.whole(repeats)
    if dim is None:
        raise Refusal("it makes one row of all numbers", "say along which axis: `dim=...`")
    place = low.place(to.whole(dim))
    if low.layout[place] == (BATCH,):
        return beside_the_batch(to, low, place, times)
    axis = low.axis(place)
    shape: list[Setting] = [to.size(low, one) for one in range(len(low.sizes))]
    apart = to.call("reshape", [low.value], shape=[*shape[: axis + 1], 1, *shape[axis + 1 :]])
    behind = len(shape) - axis - 1
    copies = copied(to, apart, low.value.dtype, times, behind)
    size = shape[axis]
    shape[axis] = (
        size * times if isinstance(size, int) else Computed("*", (to.size(low, axis), times))
    )
    value = to.call("reshape", [copies], shape=shape)
    return low.resized(value, axis, tuple(size * times for size in low.sizes[axis]))


def beside_the_batch(to: Builder, low: Low, place: int, times: int) -> Low:
    """Several copies of each sample, one behind the other."""
    new = sum(axis != BATCH for axes in low.layout[:place] for axis in axes)
    shape: list[Setting] = [to.size(low, axis) for axis in range(len(low.sizes))]
    apart = to.call("reshape", [low.value], shape=[*shape[:new], 1, *shape[new:]])
    value = copied(to, apart, low.value.dtype, times, len(shape) - new)
    layout = [tuple(axis + (axis >= new) for axis in axes) for axes in low.layout]
    layout[place] = (BATCH, new)
    sizes = (*low.sizes[:new], (times,) * to.runs, *low.sizes[new:])
    return Low(value, tuple(layout), sizes, low.is_table)


def copied(to: Builder, value: Any, dtype: str, times: int, behind: int) -> Any:
    """A value with an axis of size 1 made wider; so many axes lie behind it."""
    return to.call("mul", [value, to.ones(dtype, times, behind)])
