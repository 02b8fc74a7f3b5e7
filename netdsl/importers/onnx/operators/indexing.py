"""Parts of values, and values put one after the other."""

from __future__ import annotations

from typing import cast

from netdsl.importers.onnx.fold_shapes import slice_settings
from netdsl.importers.onnx.layouts import (
    as_language,
    dim_of,
    regrouped,
    reshaped,
    spelled,
    together,
    value_of,
)
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.operators.resizing import value_of_size
from netdsl.importers.onnx.operators.shaping import groups_of
from netdsl.importers.onnx.operators.windows import same
from netdsl.importers.onnx.quantity import Plain, Quantity, of_axis
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known, Ramp, Table, our_dtype
from netdsl.importers.program import Axis, Setting, Value

FAR = 2**30
"""From here on an end stands for: up to the last cell."""
MOST_PICKED = 64


@reads("Concat")
def concat(node: Node, to: Reader) -> None:
    """One after the other along an axis."""
    things = [to.thing(node, n) for n in range(len(node.inputs))]
    if not things:
        node.refuse("nothing flows in")
    at = node.int("axis")
    if len({thing.rank for thing in things}) > 1:
        node.refuse("its inputs have different numbers of axes", code="wrong-rank")
    aligned, first = together(to, node, things)
    if len({our_dtype(thing.dtype) for thing in things}) > 1:
        node.refuse("its inputs are of several types", code="wrong-dtype")
    base = as_language(to, node, aligned[first or 0])
    axis = to.axis(node, base, at)
    values = [value_of(to, node, thing) for thing in aligned]
    value = values[0] if len(values) == 1 else to.one(node, "concat", values, axis=axis)
    to.give_result(node, value, base.groups if isinstance(base, Data) else None, base.dtype)


@reads("Split")
def split(node: Node, to: Reader) -> None:
    """Several parts; their sizes are an attribute up to opset 12, an input from 13 on."""
    x = as_language(to, node, to.thing(node, 0))
    axis = to.axis(node, x, node.int("axis", 0))
    size = to.axis_size(x, axis)
    parts = _parts(node, to, size)
    if len(parts) < len(node.outputs):
        node.refuse(f"{len(parts)} parts go to {len(node.outputs)} outputs")
    if len(parts) == 1:
        to.give(node, x)
        return
    is_even = all(isinstance(one, int) and one == parts[0] for one in parts)
    listed: Setting = len(parts) if is_even else [cast(Setting, spelled(node, p)) for p in parts]
    values = to.call(node, "split", [x.value], {"parts": listed, "axis": axis}, results=len(parts))
    for n, value in enumerate(values[: len(node.outputs)]):
        to.give_result(node, value, x.groups if isinstance(x, Data) else None, x.dtype, n)


def _parts(node: Node, to: Reader, size: int | Quantity) -> list[Plain]:
    if node.opset < 13:
        if node.has("split"):
            return list(node.ints("split"))
    elif to.optional(node, 1) is not None:
        return to.numbers_of(node, 1)
    count = len(node.outputs)
    if node.opset >= 18:
        count = node.int("num_outputs", count)
    if isinstance(size, Quantity) or not 1 <= count <= 1000:
        node.refuse(f"{size} is split into {count} equal parts", code="needs-fixed-size")
    share = -(-size // count)
    return [*[share] * (count - 1), size - share * (count - 1)]


# --- slices ----------------------------------------------------------------------------------


@reads("Slice")
def cut(node: Node, to: Reader) -> None:
    """The cells from one place to another along some axes."""
    x = as_language(to, node, to.thing(node, 0))
    arrays = [
        None if n == 0 or to.optional(node, n) is None else to.known(node, n).array
        for n in range(len(node.inputs))
    ]
    value = x.value
    for start, stop, at, step in zip(*slice_settings(node, arrays, x.rank), strict=True):
        size = to.sizes(x)[at % x.rank]
        first, last = _end(start, size), _end(stop, size)
        if step == 1 and first == 0 and last is None:
            continue
        axis = to.axis(node, x, at)
        if first is None:
            node.refuse(f"nothing is left of axis {at}", code="shape-mismatch")
        if step < 0:
            node.refuse("it runs backwards, which has no word")
        value = part(node, to, value, axis, first, last, step)
        x = _with(to, x, value)
    to.give(node, x)


def part(
    node: Node, to: Reader, value: Value, axis: int, first: Plain, last: Plain | None, step: int = 1
) -> Value:
    """Some cells of an axis; None for the end of the axis."""
    settings: dict[str, Setting] = {"axis": axis, "start": cast(Setting, spelled(node, first))}
    settings["stop"] = "end" if last is None else cast(Setting, spelled(node, last))
    settings["step"] = step
    return to.call(node, "slice", [value], settings)[0]


def _with(to: Reader, x: Data | Table, value: Value) -> Data | Table:
    if isinstance(x, Data):
        return Data(value, to.types[value], x.groups, x.dtype)
    return Table(value, to.types[value], x.dtype)


def _end(place: Plain, size: Plain) -> Plain | None:
    """A place on an axis within its ends, as ONNX has it; None for its end."""
    if isinstance(place, Quantity):
        same_end = isinstance(size, Quantity) and dim_of(place) == dim_of(size)
        return None if same_end else place
    place = int(place)
    if place >= FAR:
        return None
    if isinstance(size, Quantity):
        return 0 if place <= -FAR else place
    if place < 0:
        return max(0, place + int(size))
    return None if place >= size else place


# --- gathering -------------------------------------------------------------------------------


@reads("Gather")
def gather(node: Node, to: Reader) -> None:
    """Rows of a table, or cells of an axis by known numbers."""
    row = to.odd.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if isinstance(row, Ramp):
        _along(node, to, row)
        return
    x, indices = to.thing(node, 0), to.thing(node, 1)
    if isinstance(indices, Known) and not isinstance(x, Known):
        _pick(node, to, x, indices)
        return
    if isinstance(indices, Known):
        x = to.table(node, cast(Known, x))
        _pick(node, to, x, indices)
        return
    if not isinstance(x, Known) or x.rank != 2 or node.int("axis", 0) != 0:
        node.refuse("a value is looked up in what is no table of rows")
    count, features = x.shape
    settings: dict[str, Setting] = {"count": count, "features": features}
    (value,) = to.layer(node, "embedding", [indices.value], settings, {"weight": (x, same)})
    groups = None
    if isinstance(indices, Data):
        groups = (*indices.groups, (indices.type.rank,))
    to.give_result(node, value, groups, x.dtype)


def _along(node: Node, to: Reader, row: Ramp) -> None:
    """The first cells of an axis, as many as an open size; or the nearest ones of that many."""
    x = as_language(to, node, to.thing(node, 0))
    at = node.int("axis", 0)
    axis = to.axis(node, x, at)
    if row.behind:
        node.refuse("it picks cells by several rows")
    if row.share is None:
        result = _with(to, x, part(node, to, x.value, axis, 0, row.size))
        if row.front and isinstance(result, Table):
            sizes = to.sizes(result)
            target = [*sizes[:axis], *[1] * row.front, *sizes[axis:]]
            result = _with(to, result, reshaped(to, node, result.value, target))
        elif row.front:
            node.refuse("cells of a value are picked in rows")
        to.give(node, result)
        return
    is_nearest = row.is_floor and not row.front and not row.behind and axis > 0
    size = to.axis_size(x, axis)
    if not is_nearest or dim_of(row.share.whole) != row.size.dim:
        node.refuse("it picks cells at places computed from open sizes in a way that has no word")
    if dim_of(row.share.part) != dim_of(size):
        node.refuse(f"it picks cells of an axis of {row.share.part} from one of {size}")
    to.give(node, _with(to, x, enlarged(node, to, x.value, axis, row.size)))


def enlarged(node: Node, to: Reader, value: Value, axis: int, size: Quantity) -> Value:
    """The nearest cells along one axis; together with those along another one before it."""
    origin, sizes = to.enlarged.get(value, (value, None))
    if sizes is None:
        own = to.types[value].shape
        sizes = [of_axis(own[n], Axis(value, n)) for n in range(1, len(own))]
    sizes = [to.named(size) if n == axis else one for n, one in enumerate(sizes, start=1)]
    other = value_of_size(to, len(sizes) + 1, cast("list[Plain]", sizes))
    parts = tuple(spelled(node, one) for one in sizes)
    given: Setting = other or (parts[0] if len(parts) == 1 else parts)
    result = to.one(node, "upsample", origin, size=given)
    to.enlarged[result] = origin, sizes
    return result


def _pick(node: Node, to: Reader, x: Data | Table, indices: Known) -> None:
    if indices.count > MOST_PICKED or indices.rank > 1 or indices.array.dtype == object:
        node.refuse(f"{indices.count} cells are picked by number, which has no word")
    at = node.int("axis", 0)
    axis = to.axis(node, x, at)
    at %= x.rank
    size = to.axis_size(x, axis)
    numbers = [int(n) for n in indices.array.reshape(-1)]
    if not isinstance(size, Quantity):
        if any(not -size <= n < size for n in numbers):
            node.refuse(f"there is no cell {numbers} in an axis of {size}")
        numbers = [n % size for n in numbers]
    runs = _runs(numbers)
    parts = [part(node, to, x.value, axis, *_ends(size, run)) for run in runs]
    if not parts:
        node.refuse("no cell is picked")
    value = parts[0] if len(parts) == 1 else to.one(node, "concat", parts, axis=axis)
    result = _with(to, x, value)
    if indices.rank == 0:
        if isinstance(result, Data):
            rows = [row for n, row in enumerate(groups_of(to, result)) if n != at]
            result = regrouped(to, node, result, rows)
        else:
            sizes = [one for n, one in enumerate(to.sizes(result)) if n != at]
            result = _with(to, result, reshaped(to, node, value, sizes))
    to.give(node, result)


def _runs(numbers: list[int]) -> list[tuple[int, int, int]]:
    """Numbers as steady steps upwards: the first, the one behind the last, the step."""
    runs: list[tuple[int, int, int]] = []
    rest = list(numbers)
    while rest:
        step = rest[1] - rest[0] if len(rest) > 1 and rest[1] > rest[0] else 1
        count = 1
        while count < len(rest) and rest[count] - rest[count - 1] == step:
            count += 1
        runs.append((rest[0], rest[count - 1] + 1, step))
        rest = rest[count:]
    return runs


def _ends(size: int | Quantity, run: tuple[int, int, int]) -> tuple[int, int | None, int]:
    first, last, step = run
    return first, None if last == size or last == 0 else last, step
