"""Values at more places than they have: axes of size 1 that are repeated."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import spelled, with_axis
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.constants import without_batch
from netdsl.importers.onnx.quantity import Plain, Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known, Thing, known
from netdsl.importers.program import Setting, Value


def spread(node: Node, to: Reader, thing: Thing, target: list[Plain]) -> None:
    """ONNX's Expand."""
    if isinstance(thing, Known):
        _known(node, to, thing, target)
        return
    if not isinstance(thing, Data):
        node.refuse("a computed table is repeated, which has no word")
    for _ in range(len(target) - thing.rank):
        thing = with_axis(to, node, thing, 0)
    sizes = to.sizes(thing)
    target = [*sizes[: len(sizes) - len(target)], *target]
    value = thing.value
    for n, (size, wanted) in enumerate(zip(sizes, target, strict=True)):
        if _same(size, wanted) or wanted == 1:
            continue
        if size != 1 or thing.groups[n] == (B,) or len(thing.groups[n]) != 1:
            node.refuse(f"axis {n} of size {size} can't be repeated to {wanted}")
        value = repeated(node, to, value, thing.groups[n][0], wanted)
    to.give_result(node, value, thing.groups, thing.dtype)


def _same(one: Plain, other: Plain) -> bool:
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        return one.dim == other.dim and one.over == other.over
    return not isinstance(one, Quantity) and not isinstance(other, Quantity) and one == other


def repeated(node: Node, to: Reader, value: Value, axis: int, wanted: Plain) -> Value:
    """An axis of size 1 with its cell as often as wanted."""
    rank = to.types[value].rank
    if axis >= 1 and 2 <= rank <= 4:
        sizes: list[Setting] = []
        for n in range(1, rank):
            sizes.append(cast(Setting, spelled(node, wanted)) if n == axis else _of(to, value, n))
        return to.one(node, "upsample", value, size=cast(Setting, tuple(sizes)))
    if isinstance(wanted, Quantity) or wanted > 256:
        node.refuse(f"an axis of size 1 is repeated to {wanted}, which has no word")
    return to.one(node, "concat", [value] * int(wanted), axis=axis)


def _of(to: Reader, value: Value, axis: int) -> Setting:
    from netdsl.importers.program import Axis

    size = to.types[value].shape[axis]
    return size if isinstance(size, int) else Axis(value, axis)


def _known(node: Node, to: Reader, one: Known, target: list[Plain]) -> None:
    sizes, batch = without_batch(target)
    if any(isinstance(size, Quantity) for size in sizes):
        node.refuse("a constant is repeated to an open size, which has no word")
    shape = tuple(int(cast(int, size)) for size in sizes)
    if np.prod(np.asarray(shape, float)) > 2**26 or any(size < 0 for size in shape):
        node.refuse("a constant is too large", code="too-large")
    try:
        whole = np.broadcast_shapes(one.shape, shape)
    except ValueError:
        node.refuse(f"{list(one.shape)} can't be repeated to {list(shape)}", code="shape-mismatch")
    to.give(node, known(np.broadcast_to(one.array, whole), one.dtype, batch=batch))
