"""Sets of elements of a tensor, exactly: unions of products, an index set for each axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product as combinations
from math import prod
from struct import pack, unpack
from typing import TypeAlias

from netdsl.ir.dim import Size

Indices: TypeAlias = "frozenset[int]"
Product: TypeAlias = "tuple[Indices, ...]"
"""All elements whose index along each axis is in a set; of a scalar: no axes."""
Reads: TypeAlias = "list[tuple[int, Product]]"
"""Elements of inputs, each product with the number of its input."""


def fixed(shape: Sequence[Size]) -> tuple[int, ...]:
    """A shape whose sizes are numbers. Raises `ValueError`."""
    for size in shape:
        if not isinstance(size, int):
            raise ValueError(f"links are counted at known sizes, and an axis is {size}")
    return tuple(size for size in shape if isinstance(size, int))


def one(index: Sequence[int]) -> Product:
    """A single element."""
    return tuple(frozenset((i,)) for i in index)


@lru_cache(maxsize=16)
def below(count: int) -> Indices:
    """So many first indices: one set for all that ask, often for each index of a long axis."""
    return frozenset(range(count))


def whole(shape: Sequence[Size]) -> Product:
    """All elements of a shape."""
    return tuple(map(below, fixed(shape)))


def size_of(cells: Product) -> int:
    """How many elements a product holds."""
    return prod(map(len, cells))


def replaced(cells: Product, axis: int, indices: Iterable[int]) -> Product:
    """The same with other indices along an axis."""
    return (*cells[:axis], frozenset(indices), *cells[axis + 1 :])


# --- what layers read ----------------------------------------------------------------


def spread(cells: Product, shape: Sequence[Size]) -> Product:
    """Along an axis of 1, which spreads over the result, its only index."""
    zero = frozenset((0,))
    return tuple(zero if n == 1 else c for c, n in zip(cells, shape, strict=True))


def bordered(cells: Iterable[int], size: int, mode: str = "zeros") -> Indices:
    """Indices of a padded axis as cells of the map; those of constant padding are none."""
    if mode == "replicate":
        return frozenset(min(max(i, 0), size - 1) for i in cells)
    if mode == "circular":
        return frozenset(i % size for i in cells)
    if mode == "reflect":
        last = size - 1
        return frozenset(last - abs(last - abs(i)) for i in cells)
    return frozenset(i for i in cells if 0 <= i < size)


def slid(
    wanted: Indices, size: int, kernel: int, stride: int, before: int, dilation: int,
    mode: str = "zeros",
) -> Indices:  # fmt: skip
    """The cells of sliding windows: `i*stride - before + t*dilation`."""
    starts = (i * stride - before for i in wanted)
    return bordered((s + t * dilation for s in starts for t in range(kernel)), size, mode)


def tapped(
    place: int, size: int, kernel: int, stride: int, before: int, dilation: int,
    mode: str = "zeros",
) -> list[tuple[int, int]]:  # fmt: skip
    """The cells of one sliding window, each with its number in the window."""
    taps: list[tuple[int, int]] = []
    for tap in range(kernel):
        cells = bordered((place * stride - before + tap * dilation,), size, mode)
        taps += ((tap, cell) for cell in cells)
    return taps


def painting(
    place: int, size: int, kernel: int, stride: int, before: int, dilation: int
) -> list[tuple[int, int]]:
    """The cells that paint a place of a transposed convolution, each with its number there."""
    taps = ((tap, divmod(place + before - tap * dilation, stride)) for tap in range(kernel))
    return [(tap, cell) for tap, (cell, rest) in taps if not rest and 0 <= cell < size]


def painted(
    wanted: Indices, size: int, kernel: int, stride: int, before: int, dilation: int
) -> Indices:
    """The cells of which a transposed convolution paints the wanted ones."""
    settings = (size, kernel, stride, before, dilation)
    return frozenset(cell for i in wanted for _, cell in painting(i, *settings))


def binned(wanted: Indices, size: int, bins: int) -> Indices:
    """Adaptive pooling: bin i of n covers `[i*size // n, ceil((i + 1)*size / n))`."""
    return frozenset(c for i in wanted for c in range(i * size // bins, -(-(i + 1) * size // bins)))


def grouped(wanted: Indices, outputs: int, inputs: int, groups: int) -> Indices:
    """All channels of the groups that the wanted ones are in."""
    into, out = inputs // groups, outputs // groups
    return frozenset(g * into + k for g in {i // out for i in wanted} for k in range(into))


def nearest(
    wanted: Indices, size: int, result: int, step: float, *, small: bool = False, wide: bool = False
) -> Indices:
    """The cells PyTorch takes, in single precision as it computes: `floor(i * step)`.

    `step` is the size by the result's, or one by the factor. In a `small` map a size that is
    kept or doubled copies cells; in others, `wide` elements have a step of double precision.
    """
    if small and result in (size, 2 * size):
        return frozenset(i * size // result for i in wanted)
    step = step if wide and not small else single(step)
    return frozenset(min(int(single(i * step)), size - 1) for i in wanted)


def single(number: float) -> float:
    """The nearest number of single precision."""
    return unpack("f", pack("f", number))[0]


# --- the same elements under another index -----------------------------------------------


def ravel(index: Sequence[int], shape: Sequence[int]) -> int:
    """The place of an element in the order of storage."""
    place = 0
    for i, size in zip(index, shape, strict=True):
        place = place * size + i
    return place


def unravel(place: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The index of the element at a place."""
    index: list[int] = []
    for size in reversed(shape):
        place, i = divmod(place, size)
        index.append(i)
    return tuple(reversed(index))


def reshaped(wanted: Product, result: Sequence[int], source: Sequence[int]) -> list[Product]:
    """The elements of a result of shape `result`, in the shape `source` that they came in."""
    if size_of(wanted) == prod(result):
        return [whole(source)]
    products: list[Product] = [()]
    start, before = 0, 0
    for after, end in _groups(result, source):
        own, shape = wanted[before:after], source[start:end]
        pieces = _regrouped(own, result[before:after], shape)
        products = [(*done, *piece) for done in products for piece in pieces]
        start, before = end, after
    return products


def _groups(result: Sequence[int], source: Sequence[int]) -> list[tuple[int, int]]:
    """Ends of the shortest runs of axes that hold equally many elements in both shapes."""
    ends: list[tuple[int, int]] = []
    i = j = 0
    a = b = 1
    while i < len(result) or j < len(source):
        if (a <= b and i < len(result)) or j == len(source):
            a *= result[i]
            i += 1
        else:
            b *= source[j]
            j += 1
        if a == b:
            ends.append((i, j))
            a = b = 1
    return ends


def _regrouped(wanted: Product, result: Sequence[int], source: Sequence[int]) -> list[Product]:
    if len(result) == len(source) == 1:
        return [wanted]
    if size_of(wanted) == prod(result):
        return [whole(source)]
    places = sorted(ravel(index, result) for index in combinations(*wanted))
    return _boxes(places, source)


def _boxes(places: list[int], shape: Sequence[int]) -> list[Product]:
    """Products that hold the elements at these places, each once."""
    if not shape:
        return [()] if places else []
    rest = prod(shape[1:])
    rows: dict[int, list[int]] = {}
    for place in places:
        rows.setdefault(place // rest, []).append(place % rest)
    alike: dict[tuple[int, ...], list[int]] = {}
    for row, inside in rows.items():
        alike.setdefault(tuple(inside), []).append(row)
    return [
        (frozenset(indices), *box)
        for inside, indices in alike.items()
        for box in _boxes(list(inside), shape[1:])
    ]


# --- unions -----------------------------------------------------------------------------


def union(pieces: Iterable[Product]) -> list[Product]:
    """The same elements as disjoint products; of equal sets always the same list."""
    filled = list(dict.fromkeys(piece for piece in pieces if all(piece)))
    if len(filled) < 2 or not filled[0]:
        return filled[:1]
    inside: dict[int, list[int]] = {}
    for number, piece in enumerate(filled):
        for index in piece[0]:
            inside.setdefault(index, []).append(number)
    rests: dict[tuple[int, ...], tuple[Product, ...]] = {}
    alike: dict[tuple[Product, ...], list[int]] = {}
    for index in sorted(inside):
        held = tuple(inside[index])
        if held not in rests:
            rests[held] = tuple(union(filled[number][1:] for number in held))
        alike.setdefault(rests[held], []).append(index)
    return [(frozenset(indices), *rest) for rest, indices in alike.items() for rest in rest]


def is_in(pieces: Iterable[Product], index: Sequence[int]) -> bool:
    """Whether an element lies in one of the products."""
    return any(all(i in axis for i, axis in zip(index, p, strict=True)) for p in pieces)


def count(pieces: Iterable[Product]) -> int:
    """How many elements the products hold together, each once."""
    return sum(map(size_of, union(pieces)))


def hull(pieces: Sequence[Product]) -> tuple[tuple[int, int], ...]:
    """First and last index along each axis."""
    axes = zip(*pieces, strict=True)
    return tuple((min(map(min, axis)), max(map(max, axis))) for axis in axes)
