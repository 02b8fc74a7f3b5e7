"""Exact links: which numbers of the layers before a neuron depends on, at inference.

Sets of numbers are products: for each axis of a value a set of indices. All sizes are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations
from math import prod
from typing import TypeAlias, cast

from netdsl.analyses.receptive_field import cells
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Op

Indices: TypeAlias = "frozenset[int]"
Product: TypeAlias = "tuple[Indices, ...]"
Read: TypeAlias = "tuple[int, Product]"
"""The number of an input, and what is read of it."""

MOST_PIECES = 4_096
POINTWISE = ("activations", "regularising")
SUMS = ("add", "sub", "mul", "max", "min", "mean")
WINDOWED = ("conv", "conv_transpose", "maxpool", "avgpool", "lppool")


class UnknownLinks(Exception):
    """A layer whose links no rule here tells; `node` is its call."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.op.name)
        self.node = node


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape of a value whose sizes are numbers."""
    return tuple(cast(int, size) for size in value.type.shape)


def whole(shape: Sequence[int]) -> Product:
    """Everything."""
    return tuple(frozenset(range(size)) for size in shape)


def size_of(wanted: Product) -> int:
    """How many numbers a product holds."""
    return prod(map(len, wanted))


def reads(node: Node, wanted: Product) -> list[Read]:
    """What numbers of its inputs some numbers of a node's result depend on.

    Weights are left out, padding does not exist. Raises `UnknownLinks`.
    """
    op = node.op
    assert isinstance(op, Op)
    given, made = node.inputs[0].type, node.outputs[0].type
    shape = shape_of(node.inputs[0]) if node.inputs else ()
    if op.family in POINTWISE and op.name not in ("softmax", "log_softmax"):
        return [(0, wanted)]
    if op.name in ("identity", "batchnorm", "normalize"):
        return [(0, wanted)]
    if op.name in SUMS:
        return [
            (n, _broadcast(wanted, shape_of(v)))
            for n, v in enumerate(node.inputs)
            if v.type.batched
        ]
    if op.name in WINDOWED:
        return [(0, (_channels(op, given, made, wanted[0]), *_windows(op, node, wanted[1:])))]
    if op.name in ("global_avgpool", "global_maxpool"):
        return [(0, (wanted[0], *whole(shape[1:])))]
    if op.name in ("adaptive_avgpool", "adaptive_maxpool"):
        axes = zip(wanted[1:], shape[1:], shape_of(node.outputs[0])[1:], strict=True)
        return [(0, (wanted[0], *(_bins(w, size, bins) for w, size, bins in axes)))]
    if op.name == "linear":
        return [(0, (*wanted[:-1], frozenset(range(shape[-1]))))]
    if op.name in ("flatten", "reshape"):
        return [(0, piece) for piece in _reshaped(wanted, shape_of(node.outputs[0]), shape)]
    if op.name == "concat":
        return list(_joined(node, wanted))
    if op.name == "lrn":
        return [(0, (_around(wanted[0], getattr(op, "size", 5), shape[0]), *wanted[1:]))]
    if op.name == "spp" and getattr(op, "bins", "") == "adaptive":
        return [(0, piece) for piece in _pyramid(op, wanted, shape)]
    if op.name == "upsample" and getattr(op, "mode", "") == "nearest":
        return [(0, (wanted[0], *_nearest(node, wanted[1:])))]
    raise UnknownLinks(node)


def _broadcast(wanted: Product, shape: tuple[int, ...]) -> Product:
    """Axes align from the right; an axis of 1 is read for every index."""
    kept = wanted[len(wanted) - len(shape) :]
    return tuple(frozenset((0,)) if n == 1 else w for w, n in zip(kept, shape, strict=True))


def _channels(op: Op, given: Tensor, made: Tensor, wanted: Indices) -> Indices:
    """The channels that filters read: those of their group; a pool reads its own."""
    if op.name not in ("conv", "conv_transpose"):
        return wanted
    groups = getattr(op, "groups", 1)
    into, out = cast(int, given.channels) // groups, cast(int, made.channels) // groups
    chosen = {channel // out for channel in wanted}
    return frozenset(g * into + k for g in chosen for k in range(into))


def _windows(op: Op, node: Node, wanted: Sequence[Indices]) -> list[Indices]:
    types = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
    windows = op.windows(*types)
    sizes = shape_of(node.inputs[0])[1:]
    if windows is None or any(w is None or w.copies for w in windows):
        raise UnknownLinks(node)
    if op.name == "conv_transpose":
        return [
            _painted(op, axis, w, n) for axis, (w, n) in enumerate(zip(wanted, sizes, strict=True))
        ]
    return [
        frozenset(c for i in w for c in cells(window, i) if 0 <= c < size)
        for w, window, size in zip(wanted, cast("tuple", windows), sizes, strict=True)
    ]


def _painted(op: Op, axis: int, wanted: Indices, size: int) -> Indices:
    """The cells whose painted windows meet: i = c*stride - padding + k*dilation."""
    kernel, stride, padding, dilation = (
        part[axis] if isinstance(part := getattr(op, name), tuple) else part
        for name in ("kernel", "stride", "padding", "dilation")
    )
    found: set[int] = set()
    for i in wanted:
        for k in range(kernel):
            cell, rest = divmod(i + padding - k * dilation, stride)
            if not rest and 0 <= cell < size:
                found.add(cell)
    return frozenset(found)


def _bins(wanted: Indices, size: int, bins: int) -> Indices:
    """Adaptive pooling: bin i of n covers `[i*size // n, ceil((i + 1)*size / n))`."""
    return frozenset(c for i in wanted for c in range(i * size // bins, -(-(i + 1) * size // bins)))


def _pyramid(op: Op, wanted: Product, shape: tuple[int, ...]) -> list[Product]:
    """The bins of a pyramid: levels in order, in each the channels, in each the bins."""
    (places,) = wanted
    found: list[Product] = []
    start = 0
    for level in getattr(op, "levels", ()):
        bins = level ** (len(shape) - 1)
        for place in places:
            if start <= place < start + shape[0] * bins:
                channel, *cell = _unravel(place - start, (shape[0], *[level] * (len(shape) - 1)))
                axes = (
                    _bins(frozenset((i,)), n, level) for i, n in zip(cell, shape[1:], strict=True)
                )
                found.append((frozenset((channel,)), *axes))
        start += shape[0] * bins
    return found


def _around(wanted: Indices, size: int, channels: int) -> Indices:
    """The neighbouring channels that a local response normalisation squares."""
    before = size // 2
    return frozenset(
        c for i in wanted for c in range(i - before, i - before + size) if 0 <= c < channels
    )


def _nearest(node: Node, wanted: Sequence[Indices]) -> list[Indices]:
    into, out = shape_of(node.inputs[0])[1:], shape_of(node.outputs[0])[1:]
    return [
        frozenset(i * given // made for i in w)
        for w, given, made in zip(wanted, into, out, strict=True)
    ]


def _joined(node: Node, wanted: Product) -> list[Read]:
    along = getattr(node.op, "axis", 0)
    axis = 0 if along == "channels" else along % len(wanted)
    found: list[Read] = []
    start = 0
    for number, value in enumerate(node.inputs):
        size = shape_of(value)[axis]
        own = frozenset(i - start for i in wanted[axis] if start <= i < start + size)
        if own:
            found.append((number, (*wanted[:axis], own, *wanted[axis + 1 :])))
        start += size
    return found


def _reshaped(wanted: Product, made: tuple[int, ...], given: tuple[int, ...]) -> list[Product]:
    """The same numbers under other indices; everything stays everything."""
    if size_of(wanted) == prod(made):
        return [whole(given)]
    if size_of(wanted) > MOST_PIECES:
        return [whole(given)]
    flat = (_ravel(index, made) for index in combinations(*wanted))
    return [tuple(frozenset((i,)) for i in _unravel(n, given)) for n in flat]


def _ravel(index: Sequence[int], shape: Sequence[int]) -> int:
    place = 0
    for i, size in zip(index, shape, strict=True):
        place = place * size + i
    return place


def _unravel(place: int, shape: Sequence[int]) -> tuple[int, ...]:
    index: list[int] = []
    for size in reversed(shape):
        place, i = divmod(place, size)
        index.append(i)
    return tuple(reversed(index))


def field(graph: Graph, value: Value, index: tuple[int, ...]) -> dict[int, list[Product]]:
    """What one number depends on: by `id` of each earlier value, products that cover it exactly.

    The value itself is in it. Raises `UnknownLinks`.
    """
    found: dict[int, list[Product]] = {id(value): [tuple(frozenset((i,)) for i in index)]}
    for node in reversed(list(graph.nodes())):
        for output in node.outputs:
            for wanted in found.get(id(output), []):
                for number, read in reads(node, wanted):
                    _add(found.setdefault(id(node.inputs[number]), []), read)
    return found


def _add(pieces: list[Product], piece: Product) -> None:
    """Put a product to others; one that lies in another says nothing new."""
    if not all(piece) or any(_covers(other, piece) for other in pieces):
        return
    pieces[:] = [other for other in pieces if not _covers(piece, other)]
    pieces.append(piece)


def _covers(one: Product, other: Product) -> bool:
    return all(b <= a for a, b in zip(one, other, strict=True))


def is_in(pieces: Sequence[Product], index: Sequence[int]) -> bool:
    """Whether a place lies in one of the products."""
    return any(all(i in axis for i, axis in zip(index, p, strict=True)) for p in pieces)


def count(pieces: Sequence[Product], shape: tuple[int, ...]) -> int:
    """How many numbers the products hold together, each once."""
    if len(pieces) == 1:
        return size_of(pieces[0])
    import numpy

    mask = numpy.zeros(shape, bool)
    for piece in pieces:
        mask[numpy.ix_(*map(sorted, piece))] = True
    return int(mask.sum())
