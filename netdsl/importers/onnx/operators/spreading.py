"""Values at more places than they have: axes of size 1 that are repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import reshaped, spelled, with_axis
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.quantity import BATCH, Plain, Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known, Ramp, Table, Thing, known
from netdsl.importers.program import Setting, Value


def without_batch(sizes: Sequence[Plain]) -> tuple[list[Plain], int | None]:
    """Sizes with 1 in place of the size of the batch, and where that was."""
    places = [n for n, s in enumerate(sizes) if isinstance(s, Quantity) and s.dim == BATCH]
    plain: list[Plain] = [1 if n in places else size for n, size in enumerate(sizes)]
    return plain, places[0] if places else None


def spread(node: Node, to: Reader, thing: Thing, target: list[Plain]) -> None:
    """ONNX's Expand."""
    if isinstance(thing, Known):
        given = _known(node, to, thing, target)
        if given is not None:
            to.give(node, given)
            return
        thing = to.table(node, thing)
    thing = _raised(node, to, thing, len(target))
    sizes = to.sizes(thing)
    target = [*sizes[: len(sizes) - len(target)], *target]
    value = thing.value
    for n, (size, wanted) in enumerate(zip(sizes, target, strict=True)):
        if _same(size, wanted) or wanted == 1:
            continue
        if isinstance(thing, Table):
            if n > 0 or not (isinstance(wanted, Quantity) and wanted.dim == BATCH) or size != 1:
                value = repeated(node, to, value, n, wanted)
            continue
        if size != 1 or thing.groups[n] == (B,) or len(thing.groups[n]) != 1:
            node.refuse(f"axis {n} of size {size} can't be repeated to {wanted}")
        value = repeated(node, to, value, thing.groups[n][0], wanted)
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None, thing.dtype)


def _raised(node: Node, to: Reader, thing: Data | Table, rank: int) -> Data | Table:
    """With more axes of size 1 in front."""
    if isinstance(thing, Table) and thing.rank < rank:
        sizes = [cast(Plain, 1)] * (rank - thing.rank) + to.sizes(thing)
        value = reshaped(to, node, thing.value, sizes)
        return Table(value, to.types[value], thing.dtype)
    while isinstance(thing, Data) and thing.rank < rank:
        thing = with_axis(to, node, thing, 0)
    return thing


def _same(one: Plain, other: Plain) -> bool:
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        return one.dim == other.dim and one.over == other.over
    return not isinstance(one, Quantity) and not isinstance(other, Quantity) and one == other


def repeated(node: Node, to: Reader, value: Value, axis: int, wanted: Plain) -> Value:
    """An axis of size 1 with its cell as often as wanted."""
    rank = to.types[value].rank
    if to.types[value].shape[axis] != 1:
        node.refuse(f"axis {axis} of {to.types[value]} can't be repeated to {wanted}")
    if axis >= 1 and 2 <= rank <= 4:
        sizes: list[Setting] = []
        for n in range(1, rank):
            sizes.append(cast(Setting, spelled(node, wanted)) if n == axis else _of(to, value, n))
        return to.one(node, "upsample", value, size=cast(Setting, tuple(sizes)))
    if isinstance(wanted, Quantity) and to.types[value].dtype == "float32":
        row = to.row(node, Ramp(wanted, "float32", axis, rank - 1 - axis))
        return to.one(node, "add", [value, to.one(node, "mul", row.value, number=0)])
    if isinstance(wanted, Quantity) or wanted > 256:
        node.refuse(f"an axis of size 1 is repeated to {wanted}, which has no word")
    return to.one(node, "concat", [value] * int(wanted), axis=axis)


def _of(to: Reader, value: Value, axis: int) -> Setting:
    from netdsl.importers.program import Axis

    size = to.types[value].shape[axis]
    return size if isinstance(size, int) else Axis(value, axis)


def _known(node: Node, to: Reader, one: Known, target: list[Plain]) -> Known | None:
    """Numbers repeated to known sizes; None where these are open."""
    sizes, batch = without_batch(target)
    if any(isinstance(size, Quantity) for size in sizes):
        return None
    shape = tuple(int(cast(int, size)) for size in sizes)
    if np.prod(np.asarray(shape, float)) > 2**26 or any(size < 0 for size in shape):
        node.refuse("a constant is too large", code="too-large")
    try:
        whole = np.broadcast_shapes(one.shape, shape)
    except ValueError:
        node.refuse(f"{list(one.shape)} can't be repeated to {list(shape)}", code="shape-mismatch")
    return known(np.broadcast_to(one.array, whole), one.dtype, batch=batch)
