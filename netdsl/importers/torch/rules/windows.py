"""Windows along one axis: `Tensor.unfold`, which bears the name of the function for maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netdsl.importers.program import Setting, Value
from netdsl.importers.torch.lows import Low, Refusal
from netdsl.importers.torch.rules.rule import rule
from netdsl.importers.torch.rules.sampling import columns

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

MOST = 256
"""Slices that windows are put together from."""


@rule("unfold")
def unfold(to: Builder, input: Any, *arguments: Any, **keywords: Any) -> Low:
    assert to.op is not None
    if to.op.function is torch.Tensor.unfold:
        return windows(to, input, *arguments, **keywords)
    return columns(to, input, *arguments, **keywords)


def windows(to: Builder, input: Any, dimension: int, size: Any, step: Any) -> Low:
    """Windows that slide along an axis; their cells lie in a new axis at the end."""
    low = to.plain(input)
    axis = low.axis(low.place(to.whole(dimension)))
    width, stride = to.whole(size), to.whole(step)
    lengths = set(low.sizes[axis])
    if len(lengths) > 1:
        raise Refusal("its windows slide along an axis whose size is open")
    count = (lengths.pop() - width) // stride + 1
    end = len(low.sizes)
    if width <= count:
        parts = [
            cells(to, low, axis, start, start + (count - 1) * stride + 1, stride)
            for start in range(width)
        ]
        value = joined(to, [with_axis(to, low, one, axis, count, end) for one in parts], end)
    else:
        starts = range(0, count * stride, stride)
        parts = [cells(to, low, axis, start, start + width, 1) for start in starts]
        turned = [turned_back(to, low, one, axis, width) for one in parts]
        value = joined(to, turned, axis)
    sizes = list(low.sizes)
    sizes[axis] = (count,) * to.runs
    return Low(value, (*low.layout, (end,)), (*sizes, (width,) * to.runs), low.is_table)


def cells(to: Builder, low: Low, axis: int, start: int, stop: int, step: int) -> Value:
    return to.call("slice", [low.value], axis=axis, start=start, stop=stop, step=step)


def shape_of(to: Builder, low: Low, axis: int, size: int) -> list[Setting]:
    shape: list[Setting] = [to.size(low, one) for one in range(len(low.sizes))]
    shape[axis] = size
    return shape


def with_axis(to: Builder, low: Low, part: Value, axis: int, size: int, new: int) -> Value:
    """A part with an axis of size 1 more."""
    shape = shape_of(to, low, axis, size)
    return to.call("reshape", [part], shape=[*shape[:new], 1, *shape[new:]])


def turned_back(to: Builder, low: Low, part: Value, axis: int, width: int) -> Value:
    """One window: its cells go to the end, and an axis for the windows takes their place."""
    order = [one for one in range(len(low.sizes)) if one != axis]
    moved = part
    if axis != len(low.sizes) - 1:
        moved = to.call("permute", [part], axes=[*order, axis])
    shape: list[Setting] = [to.size(low, one) for one in order]
    return to.call("reshape", [moved], shape=[*shape[:axis], 1, *shape[axis:], width])


def joined(to: Builder, parts: list[Value], axis: int) -> Value:
    if len(parts) > MOST:
        raise Refusal(f"it has windows of {len(parts)} parts")
    return parts[0] if len(parts) == 1 else to.call("concat", parts, axis=axis)
