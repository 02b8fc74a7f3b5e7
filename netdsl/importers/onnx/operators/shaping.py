"""What gives the same numbers other axes, and the sizes of axes."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import (
    permuted,
    regrouped,
    reshape_to,
    reshaped,
    value_of,
)
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import axes_of, reads
from netdsl.importers.onnx.operators.spreading import spread
from netdsl.importers.onnx.quantity import Plain, Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known, known
from netdsl.importers.program import Setting


@reads("Shape")
def shape(node: Node, to: Reader) -> None:
    """The sizes of axes."""
    thing = to.thing(node, 0)
    sizes = to.sizes(thing)
    start, end = node.int("start", 0), node.int("end", len(sizes))
    sizes = sizes[slice(start, end)]
    to.give(node, of_sizes(sizes))


@reads("Size")
def size(node: Node, to: Reader) -> None:
    """How many numbers there are."""
    total: Plain = 1
    for one in to.sizes(to.thing(node, 0)):
        total = total * one
    result = np.empty((), object)
    result[()] = total
    to.give(
        node, known(result if isinstance(total, Quantity) else result.astype(np.int64), "int64")
    )


def of_sizes(sizes: list[Plain]) -> Known:
    """A row of sizes."""
    row = np.empty(len(sizes), object)
    row[:] = sizes
    is_open = any(isinstance(one, Quantity) for one in sizes)
    return known(row if is_open else row.astype(np.int64), "int64")


@reads("Reshape")
def reshape(node: Node, to: Reader) -> None:
    """Other axes; 0 keeps a size, -1 takes what is left."""
    thing = to.thing(node, 0)
    target = to.numbers_of(node, 1)
    sizes = to.sizes(thing)
    if not node.int("allowzero", 0):
        for n, one in enumerate(target):
            if not isinstance(one, Quantity) and one == 0:
                if n >= len(sizes):
                    node.refuse(f"there is no axis {n} whose size it could keep", code="bad-size")
                target[n] = sizes[n]
    if len(target) > 30:
        node.refuse(f"it makes {len(target)} axes", code="bad-size")
    if isinstance(thing, Data):
        to.give(node, reshape_to(to, node, thing, target))
        return
    value = value_of(to, node, thing)
    missing = [n for n, one in enumerate(target) if one == -1]
    if len(missing) == 1 and not any(isinstance(one, Quantity) for one in target):
        value = to.one(node, "reshape", value, shape=[int(cast(int, one)) for one in target])
    else:
        value = reshaped(to, node, value, target)
    to.give_result(node, value, dtype=thing.dtype)


@reads("Flatten")
def flatten(node: Node, to: Reader) -> None:
    """Two axes: those before one, and the others."""
    thing = to.thing(node, 0)
    axis = node.int("axis", 1)
    axis = axis + thing.rank if axis < 0 else axis
    if not isinstance(thing, Data):
        node.refuse("flattening a table has no use here")
    if not 0 <= axis <= thing.rank:
        node.refuse(f"there is no axis {axis}")
    merged = [
        [a for group in part for a in group] for part in (thing.groups[:axis], thing.groups[axis:])
    ]
    target: list[list[Plain | None]] = []
    for axes in merged:
        row: list[Plain | None] = [] if axes else [1]
        total: Plain = 1
        for a in axes:
            if a == B:
                row += [] if total == 1 else [total]
                row.append(None)
                total = 1
            else:
                total = total * to.axis_size(thing, a)
        if axes and (axes[-1] != B):
            row += [total] if total != 1 or len(row) == 0 else []
        target.append(row)
    to.give(node, regrouped(to, node, thing, target))


@reads("Transpose")
def transpose(node: Node, to: Reader) -> None:
    """The axes in another order."""
    thing = to.thing(node, 0)
    order = node.ints("perm", tuple(reversed(range(thing.rank))))
    if sorted(order) != list(range(thing.rank)):
        node.refuse(f"{list(order)[:10]} is no order of {thing.rank} axes")
    if isinstance(thing, Data):
        to.give(node, permuted(to, node, thing, order))
        return
    axes = cast("list[Setting]", list(order))
    to.give_result(
        node, to.one(node, "permute", value_of(to, node, thing), axes=axes), dtype=thing.dtype
    )


@reads("Unsqueeze")
def unsqueeze(node: Node, to: Reader) -> None:
    """More axes of size 1."""
    thing = to.thing(node, 0)
    axes = axes_of(node, to, 13)
    if axes is None:
        node.refuse("it does not say which axes it adds")
    rank = thing.rank + len(axes)
    if any(not -rank <= a < rank for a in axes) or len({a % rank for a in axes}) < len(axes):
        node.refuse(f"{list(axes)[:8]} are no axes of {rank}")
    places = sorted(a % rank for a in axes)
    if not isinstance(thing, Data):
        sizes: list[Plain] = to.sizes(thing)
        for place in places:
            sizes.insert(place, 1)
        value = reshaped(to, node, value_of(to, node, thing), sizes)
        to.give_result(node, value, dtype=thing.dtype)
        return
    target = groups_of(to, thing)
    for place in places:
        target.insert(place, [1])
    to.give(node, regrouped(to, node, thing, target))


def groups_of(to: Reader, data: Data) -> list[list[Plain | None]]:
    """The sizes of each of ONNX's axes, None for the batch."""
    return [[None if a == B else to.axis_size(data, a) for a in group] for group in data.groups]


@reads("Squeeze")
def squeeze(node: Node, to: Reader) -> None:
    """Without axes of size 1."""
    thing = to.thing(node, 0)
    axes = axes_of(node, to, 13)
    sizes = to.sizes(thing)
    if axes is None:
        axes = tuple(n for n, one in enumerate(sizes) if one == 1)
    if any(not -thing.rank <= a < thing.rank for a in axes):
        node.refuse(f"{list(axes)[:8]} are no axes of {thing.rank}")
    places = {a % thing.rank for a in axes}
    wrong = [n for n in places if sizes[n] != 1]
    if wrong:
        node.refuse(f"axis {wrong[0]} has the size {sizes[wrong[0]]}, not 1", code="shape-mismatch")
    if not isinstance(thing, Data):
        rest = [one for n, one in enumerate(sizes) if n not in places]
        value = reshaped(to, node, value_of(to, node, thing), rest)
        to.give_result(node, value, dtype=thing.dtype)
        return
    target = groups_of(to, thing)
    if thing.batch in places:
        _merge_batch(node, target, thing.batch, places)
    kept = [row for n, row in enumerate(target) if n not in places]
    to.give(node, regrouped(to, node, thing, kept))


def _merge_batch(
    node: Node, target: list[list[Plain | None]], batch: int, places: set[int]
) -> None:
    """A batch of one that is dropped goes into the axis behind it."""
    after = next((n for n in range(batch + 1, len(target)) if n not in places), None)
    if after is None:
        node.refuse("it drops the axis of the batch, and no axis is left")
    target[after] = [None, *target[after]]
    target[batch] = [1]


@reads("Expand")
def expand(node: Node, to: Reader) -> None:
    """Axes of size 1 at another size."""
    spread(node, to, to.thing(node, 0), to.numbers_of(node, 1))


@reads("Tile")
def tile(node: Node, to: Reader) -> None:
    """Several copies one after the other."""
    thing = to.thing(node, 0)
    counts = to.ints_of(node, 1)
    if len(counts) != thing.rank or any(count < 1 for count in counts):
        node.refuse(f"{list(counts)[:8]} are no numbers of copies for {thing.rank} axes")
    if max(counts, default=1) > 256:
        node.refuse(f"{max(counts)} copies", code="too-large")
    value = value_of(to, node, thing)
    for axis, count in enumerate(counts):
        if count > 1:
            own = to.axis(node, thing, axis)
            value = to.one(node, "concat", [value] * count, axis=own)
    groups = thing.groups if isinstance(thing, Data) else None
    to.give_result(node, value, groups, thing.dtype)


@reads("DepthToSpace")
def depth_to_space(node: Node, to: Reader) -> None:
    """Channels into space, in one of two orders."""
    x, factor = to.data(node), node.int("blocksize")
    mode = node.word("mode", "DCR", ("DCR", "CRD"))
    if x.type.rank != 3 or factor < 1:
        node.refuse("it takes maps, and a blocksize from 1 on", code="wrong-rank")
    if mode == "CRD":
        to.give_result(node, to.one(node, "pixel_shuffle", x.value, factor=factor))
        return
    channels, height, width = (to.axis_size(x, a) for a in range(3))
    inner = divided_by(node, channels, factor * factor)
    value = reshaped(to, node, x.value, [factor, factor, inner, height, width])
    value = to.one(node, "permute", value, axes=[2, 3, 0, 4, 1])
    value = reshaped(to, node, value, [inner, height * factor, width * factor])
    to.give_result(node, value)


@reads("SpaceToDepth")
def space_to_depth(node: Node, to: Reader) -> None:
    """Space into channels: all of one place of the blocks together."""
    x, factor = to.data(node), node.int("blocksize")
    if x.type.rank != 3 or factor < 1:
        node.refuse("it takes maps, and a blocksize from 1 on", code="wrong-rank")
    channels = to.axis_size(x, 0)
    value = to.one(node, "pixel_unshuffle", x.value, factor=factor)
    if channels != 1 and factor > 1:
        tensor = to.types[value]
        height, width = (of for of in to.sizes(to.result(node, value))[2:])
        value = reshaped(to, node, value, [channels, factor * factor, height, width])
        value = to.one(node, "permute", value, axes=[1, 0, 2, 3])
        value = reshaped(to, node, value, [cast(int, tensor.shape[0]), height, width])
    to.give_result(node, value)


def divided_by(node: Node, size: int | Quantity, by: int) -> int:
    """A part of a known size."""
    if isinstance(size, Quantity) or size % by:
        node.refuse(f"{size} channels do not divide by {by}", code="shape-mismatch")
    return size // by
