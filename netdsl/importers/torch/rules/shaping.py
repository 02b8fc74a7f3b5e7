"""Other shapes for the same numbers: views, permutations, slices."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.program import Computed, Setting, Value
from netdsl.importers.torch.events import Varies
from netdsl.importers.torch.lows import BATCH, Layout, Low, Refusal, Weight
from netdsl.importers.torch.rules.rule import rule

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

MOST_PIECES = 256
"""Pieces that an axis is put together from."""


@rule("view", "reshape", "_unsafe_view")
def view(to: Builder, input: Any, *shape: Any) -> Low:
    low = to.plain(input)
    if len(shape) == 1 and isinstance(shape[0], list | tuple):
        shape = tuple(shape[0])
    if any(not isinstance(one, int | Varies) for one in shape):
        raise Refusal("it sees the numbers as of another type")
    return reshaped(to, low, list(shape))


@rule("flatten")
def flatten(to: Builder, input: Any, start_dim: int = 0, end_dim: int = -1) -> Low:
    low = to.plain(input)
    start, stop = low.place(start_dim), low.place(end_dim)
    wanted: list[Any] = [Same(place) for place in range(low.rank)]
    wanted[start : stop + 1] = [-1]
    return reshaped(to, low, wanted)


@rule("unflatten")
def unflatten(to: Builder, input: Any, dim: int, sizes: Any) -> Low:
    low = to.plain(input)
    place = low.place(dim)
    wanted: list[Any] = [Same(one) for one in range(low.rank)]
    wanted[place : place + 1] = list(sizes)
    return reshaped(to, low, wanted)


@rule("view_as", "reshape_as")
def view_as(to: Builder, input: Any, other: Any) -> Low:
    low = to.plain(input)
    target = to.plain(other)
    if low.layout == target.layout and low.sizes == target.sizes:
        return low
    return reshaped(
        to, low, [None if one is None else one[0] for one in map(target.size, range(target.rank))]
    )


class Same:
    """A wanted size: that of a traced axis of the input, unchanged."""

    def __init__(self, place: int) -> None:
        self.place = place


def reshaped(to: Builder, low: Low, wanted: list[Any]) -> Low:
    """A view; the batch stays where it is, beside axes whose product is the same."""
    assert to.op is not None
    number = to.op.outputs[0]
    traced = [shapes[number] for shapes in to.agreed.shapes]
    batch = to.agreed.batch_axis(number)
    if (batch is None) != (low.batch is None):
        raise Refusal("it does more with the batch than to carry it along")
    groups, sizes = _target(to, low, wanted, traced, batch)
    value = _shaped(to, low, sizes)
    numbers = tuple(one for _, one in sizes)
    return Low(value, groups, numbers, low.is_table)


Sized = tuple[Any, tuple[int, ...]]
"""A size of the target as a setting (None where it is not written), and its numbers."""


def _target(
    to: Builder, low: Low, wanted: list[Any], traced: list[tuple[int, ...]], batch: int | None
) -> tuple[Layout, list[Sized]]:
    """The layout of a view, and the sizes of its axes."""
    layout: list[tuple[int, ...]] = []
    sizes: list[Sized] = []
    for place in range(len(traced[0])):
        numbers = tuple(shape[place] for shape in traced)
        asked = wanted[place] if len(wanted) == len(traced[0]) else -1
        if batch is None or place != batch:
            layout.append((len(sizes),))
            sizes.append((_asked(to, low, asked, numbers), numbers))
            continue
        rest = _beside(to, low, batch, traced, numbers)
        if all(one == 1 for one in rest[1]):
            layout.append((BATCH,))
            continue
        setting = _rest(to, low, asked, rest[1])
        axes = (BATCH, len(sizes)) if rest[0] else (len(sizes), BATCH)
        layout.append(axes)
        sizes.append((setting, rest[1]))
    return tuple(layout), sizes


def _beside(
    to: Builder, low: Low, batch: int, traced: list[tuple[int, ...]], numbers: tuple[int, ...]
) -> tuple[bool, tuple[int, ...]]:
    """What lies in one traced axis with the batch: whether behind it, and its size in all runs."""
    rest = tuple(size // count for size, count in zip(numbers, to.batches, strict=True))
    before = _before(low, to.runs)
    after = tuple(prod(shape[:batch]) for shape in traced)
    if before == after:
        return True, rest
    if before == tuple(a * b for a, b in zip(after, rest, strict=True)):
        return False, rest
    raise Refusal("it moves numbers across the batch")


def _before(low: Low, runs: int) -> tuple[int, ...]:
    """The product of the axes in front of the batch, in all runs."""
    front: list[int] = []
    for axes in low.layout:
        for axis in axes:
            if axis == BATCH:
                return tuple(prod(low.sizes[one][run] for one in front) for run in range(runs))
            front.append(axis)
    return (0,) * runs


def _asked(to: Builder, low: Low, asked: Any, numbers: tuple[int, ...]) -> Any:
    """A size as it is written; None where the module left it open."""
    if all(one == numbers[0] for one in numbers):
        return numbers[0]
    if isinstance(asked, Same):
        return to.size_of(low, asked.place)
    if isinstance(asked, Varies):
        return to.number(asked) if asked.source is not None else None
    return None


def _rest(to: Builder, low: Low, asked: Any, numbers: tuple[int, ...]) -> Any:
    if all(one == numbers[0] for one in numbers):
        return numbers[0]
    if isinstance(asked, Same):
        return to.size_of(low, asked.place)
    if isinstance(asked, Varies) and asked.source is not None:
        return to.without_batch(asked.source)
    return None


def _shaped(to: Builder, low: Low, sizes: list[Sized]) -> Value:
    """A value of this shape: itself where it has it."""
    ours = [(to.size(low, axis), numbers) for axis, numbers in enumerate(low.sizes)]
    if len(ours) == len(sizes):
        unsure = sum(
            a[1] != b[1] or (a[0] != b[0] and not isinstance(a[0], int))
            for a, b in zip(ours, sizes, strict=True)
        )
        if unsure <= 1 and all(a[1] == b[1] for a, b in zip(ours, sizes, strict=True)):
            return low.value
    if len(sizes) == 1 and not low.is_table:
        return to.call("flatten", [low.value])
    unknown = [place for place, (setting, _) in enumerate(sizes) if setting is None]
    if len(unknown) > 1:
        raise Refusal(
            "it has a size that varies, and how it is computed can't be told",
            "`int(...)` loses where a size comes from: use `//`, or `-1` for one axis",
        )
    shape: list[Setting] = [-1 if setting is None else setting for setting, _ in sizes]
    return to.call("reshape", [low.value], shape=shape)


@rule("permute")
def permute(to: Builder, input: Any, *dims: Any) -> Low:
    low = to.plain(input)
    if len(dims) == 1 and isinstance(dims[0], list | tuple):
        dims = tuple(dims[0])
    layout = [low.layout[low.place(one)] for one in dims]
    order = [axis for axes in layout for axis in axes if axis != BATCH]
    number = {axis: place for place, axis in enumerate(order)} | {BATCH: BATCH}
    value = low.value
    if order != sorted(order):
        value = to.call("permute", [value], axes=list[Setting](order))
    changed = tuple(tuple(number[axis] for axis in axes) for axes in layout)
    return Low(value, changed, tuple(low.sizes[axis] for axis in order), low.is_table)


@rule("transpose", "swapaxes", "swapdims", "transpose_")
def transpose(to: Builder, input: Any, dim0: int, dim1: int) -> Low:
    low = to.plain(input)
    order = list(range(low.rank))
    one, other = low.place(dim0), low.place(dim1)
    order[one], order[other] = order[other], order[one]
    return permute(to, low, order)


@rule("t", "mT")
def t(to: Builder, input: Any) -> Low:
    return transpose(to, input, -1, -2)


@rule("T")
def turned(to: Builder, input: Any) -> Low:
    low = to.plain(input)
    return permute(to, low, list(reversed(range(low.rank))))


@rule("movedim", "moveaxis")
def movedim(to: Builder, input: Any, source: Any, destination: Any) -> Low:
    low = to.plain(input)
    sources = [low.place(one) for one in ([source] if isinstance(source, int) else source)]
    targets = [
        low.place(one) for one in ([destination] if isinstance(destination, int) else destination)
    ]
    rest = iter([one for one in range(low.rank) if one not in sources])
    moved = dict(zip(targets, sources, strict=True))
    return permute(to, low, [moved[at] if at in moved else next(rest) for at in range(low.rank)])


@rule("unsqueeze")
def unsqueeze(to: Builder, input: Any, dim: int) -> Low:
    low = to.plain(input)
    place = dim + low.rank + 1 if dim < 0 else dim
    new = sum(axis != BATCH for axes in low.layout[:place] for axis in axes)
    shape: list[Setting] = [to.size(low, axis) for axis in range(len(low.sizes))]
    shape.insert(new, 1)
    value = to.call("reshape", [low.value], shape=shape)
    layout = [tuple(axis + (axis >= new) for axis in axes) for axes in low.layout]
    layout.insert(place, (new,))
    sizes = (*low.sizes[:new], (1,) * to.runs, *low.sizes[new:])
    return Low(value, tuple(layout), sizes, low.is_table)


@rule("squeeze")
def squeeze(to: Builder, input: Any, dim: Any = None) -> Low:
    low = to.plain(input)
    dims = range(low.rank) if dim is None else [dim] if isinstance(dim, int) else dim
    places = [
        low.place(one)
        for one in dims
        if BATCH not in low.layout[low.place(one)]
        and all(size == 1 for size in low.size(low.place(one)) or ())
    ]
    gone = {low.axis(place) for place in places}
    if not gone:
        return low
    kept = [axis for axis in range(len(low.sizes)) if axis not in gone]
    shape: list[Setting] = [to.size(low, axis) for axis in kept]
    value = (
        to.call("reshape", [low.value], shape=shape)
        if kept
        else (to.call("sum", [low.value], axis=list[Setting](sorted(gone))))
    )
    number = {axis: at for at, axis in enumerate(kept)} | {BATCH: BATCH}
    layout = tuple(
        tuple(number[axis] for axis in axes)
        for place, axes in enumerate(low.layout)
        if place not in places
    )
    return Low(value, layout, tuple(low.sizes[axis] for axis in kept), low.is_table)


@rule("__getitem__")
def getitem(to: Builder, input: Any, index: Any) -> Any:
    low = to.plain(input)
    parts = list(index) if isinstance(index, tuple) else [index]
    if not low.is_table:
        parts = [to.known_places(one) for one in parts]
    if any(isinstance(one, Low | Weight) for one in parts):
        return looked_up(to, low, parts)
    used = sum(one is not None and one is not Ellipsis for one in parts)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (low.rank - used)
    place = 0
    for one in parts:
        if one is None:
            low = unsqueeze(to, low, place)
            place += 1
        elif isinstance(one, slice):
            low = sliced(to, low, place, one.start, one.stop, one.step)
            place += 1
        elif isinstance(one, int) and not isinstance(one, bool):
            low = select(to, low, place, one)
        elif isinstance(one, list) and sum(isinstance(other, list) for other in parts) == 1:
            low = picked(to, low, place, [to.whole(at) for at in cast("list[Any]", one)])
            place += 1
        else:
            raise Refusal(f"an index {one!r} has no word in the language")
    return low


def picked(to: Builder, low: Low, place: int, places: list[int]) -> Low:
    """Parts of an axis, in another order."""
    axis, size = low.axis(place), (low.size(place) or (0,))[0]
    if any(isinstance(one, bool) for one in places) or set(low.sizes[axis]) != {size}:
        raise Refusal("an index of truth values, or of an open axis, has no word in the language")
    runs: list[list[int]] = []
    for one in (range(size)[at] for at in places):
        if runs and runs[-1][1] == one:
            runs[-1][1] += 1
        else:
            runs.append([one, one + 1])
    if len(runs) > MOST_PIECES:
        raise Refusal(f"it picks {len(runs)} pieces of an axis")
    pieces = [sliced(to, low, place, start, stop, None) for start, stop in runs]
    if len(pieces) == 1:
        return pieces[0]
    value = to.call("concat", [one.value for one in pieces], axis=axis)
    return low.resized(value, axis, (len(places),) * to.runs)


@rule("index_select")
def index_select(to: Builder, input: Any, dim: int, index: Any) -> Low:
    low = to.plain(input)
    place = low.place(to.whole(dim))
    return getitem(to, low, (*([slice(None)] * place), index))


@rule("narrow")
def narrow(to: Builder, input: Any, dim: int, start: Any, length: Any) -> Low:
    low = to.plain(input)
    return sliced(to, low, low.place(dim), start, _plus(to, start, length), None)


def _plus(to: Builder, start: Any, length: Any) -> Any:
    if isinstance(start, int) and isinstance(length, int):
        return start + length
    return Computed("+", (to.number(start), to.number(length)))


@rule("select")
def select(to: Builder, input: Any, dim: int, index: int) -> Low:
    low = to.plain(input)
    place = low.place(dim)
    axis = low.axis(place)
    size = low.sizes[axis]
    at = to.whole(index)
    if all(one == 1 for one in size):
        return squeeze(to, low, place)
    stop: Setting = "end" if at == -1 else at + 1
    value = to.call("slice", [low.value], axis=axis, start=at, stop=stop)
    return squeeze(to, low.resized(value, axis, (1,) * to.runs), place)


def sliced(to: Builder, low: Low, place: int, start: Any, stop: Any, step: Any) -> Low:
    """A part of an axis."""
    if start in (None, 0) and stop is None and step in (None, 1):
        return low
    axis = low.axis(place)
    begins, ends = (_numbers(one, to.runs) for one in (start, stop))
    stride = 1 if step is None else to.whole(step)
    ranges = [
        slice(a, b, stride).indices(size)
        for a, b, size in zip(begins, ends, low.sizes[axis], strict=True)
    ]
    sizes = tuple(len(range(*one)) for one in ranges)
    if not any(sizes):
        return low.resized(Value(dtype=low.value.dtype), axis, sizes)
    if sizes == low.sizes[axis]:
        is_whole = len(set(sizes)) == 1
        if is_whole:
            return low
    first = 0 if start is None else to.number(start) if not isinstance(start, Computed) else start
    last: Setting = "end" if stop is None else _end(to, low, axis, stop)
    value = to.call("slice", [low.value], axis=axis, start=first, stop=last, step=stride)
    return low.resized(value, axis, sizes)


def _end(to: Builder, low: Low, axis: int, stop: Any) -> Setting:
    """Where a slice ends; what lies beyond a known size is its end."""
    sizes = low.sizes[axis]
    if isinstance(stop, int):
        if all(size == sizes[0] for size in sizes) and stop >= sizes[0]:
            return "end"
        return stop
    return stop if isinstance(stop, Computed) else to.number(stop)


def _numbers(one: Any, runs: int) -> tuple[Any, ...]:
    if isinstance(one, Computed):
        raise Refusal("it narrows by a size that is open")
    return tuple(one.numbers) if isinstance(one, Varies) else (one,) * runs


def looked_up(to: Builder, low: Low, parts: list[Any]) -> Low:
    """Rows of a table by the whole numbers of another, along one axis."""
    places = [at for at, one in enumerate(parts) if isinstance(one, Low | Weight)]
    rest = [one for at, one in enumerate(parts) if at not in places]
    if not low.is_table or len(places) != 1 or any(one != slice(None) for one in rest):
        raise Refusal("an index that is a tensor has no word in the language")
    place, index = places[0], to.plain(parts[places[0]])
    if index.value.dtype != "int64":
        raise Refusal("an index of truth values has no word in the language")
    if place:
        low = permute(to, low, [place, *(at for at in range(low.rank) if at != place)])
    result = rows(to, low, index)
    if not place:
        return result
    found, others = list(range(index.rank)), list(range(index.rank, result.rank))
    return permute(to, result, [*others[:place], *found, *others[place:]])


def rows(to: Builder, low: Low, index: Low) -> Low:
    """The rows of a table that an index names."""
    count, *row = (sizes[0] for sizes in low.sizes)
    features, value = prod(row), low.value
    if len(row) != 1:
        value = to.call("reshape", [value], shape=[count, features])
    looked = to.call("embedding", [index.value], count=count, features=features, weight=value)
    axes = len(index.sizes)
    if len(row) != 1:
        shape: list[Setting] = [*(to.size(index, axis) for axis in range(axes)), *row]
        looked = to.call("reshape", [looked], shape=shape)
    sizes = (*index.sizes, *((size,) * to.runs for size in row))
    layout = (*index.layout, *((axes + at,) for at in range(len(row))))
    return Low(looked, layout, sizes, index.is_table)


@rule("roll")
def roll(to: Builder, input: Any, shifts: Any, dims: Any = None) -> Low:
    low = to.plain(input)
    if dims is None:
        raise Refusal("it rolls all numbers in one row")
    pairs = [(shifts, dims)] if isinstance(dims, int) else list(zip(shifts, dims, strict=True))
    for shift, dim in pairs:
        amount, place = to.whole(shift), low.place(dim)
        if amount == 0:
            continue
        axis = low.axis(place)
        cut = -amount
        head = sliced_alone(to, low, axis, 0, cut)
        tail = sliced_alone(to, low, axis, cut, "end")
        low = low.with_value(to.call("concat", [tail, head], axis=axis))
    return low


def sliced_alone(to: Builder, low: Low, axis: int, start: int, stop: int | str) -> Value:
    return to.call("slice", [low.value], axis=axis, start=start, stop=stop)
