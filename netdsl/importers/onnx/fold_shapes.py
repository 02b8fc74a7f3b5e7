"""Parts, rows and axes of numbers and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.onnx.folding import MOST_NUMBERS, checked_count, first, fold
from netdsl.importers.onnx.model import Node, Weight, brief
from netdsl.importers.onnx.quantity import Plain, Quantity, Undecided

if TYPE_CHECKING:
    import numpy as np


@fold("Concat")
def _concat(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    values = [first(arrays, n) for n in range(len(arrays))]
    return [numpy.concatenate(values, axis=node.int("axis"))]


@fold("Gather")
def _gather(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, indices = first(arrays), first(arrays, 1)
    if indices.dtype == object:
        raise Undecided("an index depends on the sizes")
    if one.size and indices.size * (one.size // max(1, one.shape[0])) > MOST_NUMBERS:
        node.refuse("a constant is too large", code="too-large")
    return [numpy.take(one, indices.astype(int), axis=node.int("axis", 0))]


@fold("Unsqueeze", "Squeeze")
def _axes(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = first(arrays)
    if node.has("axes"):
        axes: Sequence[int] | None = node.ints("axes")
    elif len(arrays) > 1 and arrays[1] is not None:
        axes = [int(a) for a in cast(Any, arrays[1]).reshape(-1)]
    else:
        axes = None
    if len(axes or ()) > 16:
        node.refuse(f"{len(axes or ())} axes")
    if node.operator == "Unsqueeze":
        return [numpy.expand_dims(one, tuple(axes or ()))]
    return [numpy.squeeze(one, axis=None if axes is None else tuple(axes))]


@fold("Reshape")
def _reshape(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one, target = first(arrays), first(arrays, 1)
    allow = node.int("allowzero", 0)
    if target.dtype == object:
        raise Undecided("a constant is given a shape that depends on sizes")
    shape = [int(s) for s in target.reshape(-1)]
    if not allow:
        shape = [one.shape[n] if s == 0 else s for n, s in enumerate(shape)]
    return [one.reshape(shape)]


@fold("Transpose")
def _transpose(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one = first(arrays)
    order = node.ints("perm", tuple(reversed(range(one.ndim))))
    return [one.transpose(order)]


@fold("Identity")
def _identity(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    return [first(arrays)]


@fold("Slice")
def _slice(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one = first(arrays)
    starts, stops, axes, steps = slice_settings(node, arrays, one.ndim)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if any(isinstance(part, Quantity) for part in (start, stop)):
            raise Undecided("a constant is cut at a place that depends on sizes")
        end = int(cast(int, stop))
        end = None if step < 0 and end < -one.shape[axis] else end
        cut = slice(int(cast(int, start)), end, step)
        one = one[(*(slice(None),) * (axis % max(1, one.ndim)), cut)]
    return [one]


def slice_settings(
    node: Node, arrays: Sequence[np.ndarray | None], rank: int
) -> tuple[list[Plain], list[Plain], list[int], list[int]]:
    """Starts, ends, axes and steps: attributes up to opset 9, inputs from 10 on."""

    def listed(index: int) -> list[Plain] | None:
        one = arrays[index] if index < len(arrays) else None
        return None if one is None else cast("list[Plain]", one.reshape(-1).tolist())

    if node.opset < 10:
        starts: list[Plain] | None = list(node.ints("starts"))
        stops: list[Plain] | None = list(node.ints("ends"))
        axes = list(node.ints("axes", tuple(range(len(starts)))))
        steps = [1] * len(starts)
    else:
        starts, stops = listed(1), listed(2)
        if starts is None or stops is None:
            node.refuse("its starts or ends are missing")
        axes = [int(cast(int, a)) for a in listed(3) or range(len(starts))]
        steps = [int(cast(int, s)) for s in listed(4) or [1] * len(starts)]
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        node.refuse("its starts, ends, axes and steps do not go together")
    if any(not -rank <= axis < rank for axis in axes):
        node.refuse(f"there is no axis {axes}, as the value has {rank}")
    return starts, stops, axes, steps


@fold("Split")
def _split(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, axis = first(arrays), node.int("axis", 0)
    if node.has("split"):
        sizes = list(node.ints("split"))
    elif len(arrays) > 1 and arrays[1] is not None:
        sizes = [int(s) for s in cast(Any, arrays[1]).reshape(-1)]
    else:
        count = node.int("num_outputs", len(node.outputs))
        share = -(-one.shape[axis] // max(1, count))
        sizes = [share] * (count - 1)
        sizes.append(one.shape[axis] - sum(sizes))
    if sum(sizes) != one.shape[axis] or len(sizes) > 1000:
        node.refuse(f"parts of {brief(sizes)} of {one.shape[axis]}")
    ends = numpy.cumsum(sizes)[:-1]
    return list(numpy.split(one, ends, axis=axis))


@fold("Range")
def _range(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    start, limit, step = (first(arrays, n).reshape(-1)[0] for n in range(3))
    if any(isinstance(one, Quantity) for one in (start, limit, step)):
        raise Undecided("a range is as long as an open size")
    if not step or abs((limit - start) / step) > MOST_NUMBERS:
        node.refuse("a range is too long", code="too-large")
    return [numpy.arange(start, limit, step, dtype=first(arrays).dtype)]


@fold("Expand")
def _expand(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, target = first(arrays), first(arrays, 1)
    sizes = checked_count(node, target.reshape(-1).tolist())
    return [numpy.broadcast_to(one, numpy.broadcast_shapes(one.shape, sizes))]


@fold("ConstantOfShape")
def _constant_of_shape(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    shape = checked_count(node, first(arrays).reshape(-1).tolist())
    value = node.attributes.get("value")
    node.asked.add("value")
    if value is None:
        return [numpy.broadcast_to(numpy.float32(0), shape)]
    if not isinstance(value, Weight) or value.shape not in ((), (1,)):
        node.refuse("`value` is a tensor of one number")
    return [numpy.broadcast_to(value.read().reshape(()), shape)]


@fold("ReduceProd", "ReduceSum")
def _reduced(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    """Of sizes: the product or sum of a row of them."""
    import numpy

    one = first(arrays)
    keep = node.int("keepdims", 1)
    if node.has("axes"):
        node.ints("axes")
    if one.ndim > 1:
        raise Undecided("sizes in several rows")
    entries = cast("list[Plain]", one.reshape(-1).tolist())
    total: Plain = 1 if node.operator == "ReduceProd" else 0
    for entry in entries:
        total = total * entry if node.operator == "ReduceProd" else total + entry
    result = numpy.empty((1,) if keep and one.ndim else (), dtype=object)
    result[...] = total
    return [result]


@fold("Size")
def _size(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    return [numpy.asarray(first(arrays).size)]


@fold("And", "Or", "Not")
def _logic(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    raise Undecided("a choice depends on the sizes")
