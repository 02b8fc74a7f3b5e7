"""Where the batch lies while axes are split, merged and moved, and how values are brought together.

A value of ONNX is a row of axes, the batch among them; ours has the same axes without it. What
reshapes only moves the borders of axes, so the numbers stay in their order, with the batch behind
as many of them as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.quantity import Plain, Quantity, Undecided, parts, quotient
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known, Table, Thing, numbered
from netdsl.importers.program import Number, Setting, Value
from netdsl.ir.dim import Size


def product(sizes: Sequence[Plain]) -> Plain:
    """All sizes multiplied."""
    total: Plain = 1
    for size in sizes:
        total = total * size
    return total


def dim_of(size: Plain) -> Size:
    """A size as an exact function."""
    dim, over, _ = parts(size)
    if over != 1:
        raise Undecided(f"{size} is no whole number")
    return dim


def spelled(node: Node, size: Plain) -> Number:
    """A size as it is written in the program."""
    if not isinstance(size, Quantity):
        return int(size)
    if size.number is None:
        node.refuse("a size that depends on the batch can't be said: samples stay apart")
    return size.number


# --- reshaping -------------------------------------------------------------------------------


def regrouped(to: Reader, node: Node, data: Data, target: Sequence[Sequence[Plain | None]]) -> Data:
    """The same numbers in other axes: each of ONNX's as a row of sizes, None for the batch."""
    sizes = [size for axis in target for size in axis if size is not None]
    groups = numbered([[B if size is None else 0 for size in axis] for axis in target])
    value = reshaped(to, node, data.value, sizes)
    return Data(value, to.types[value], groups, data.dtype)


def reshaped(to: Reader, node: Node, value: Value, sizes: Sequence[Plain]) -> Value:
    """A value with other axes, if they are others."""
    dims = tuple(dim_of(size) for size in sizes)
    if dims == to.types[value].shape:
        return value
    while (call := to.maker(value)) is not None and call.layer in ("reshape", "flatten"):
        value = call.inputs[0]
        if dims == to.types[value].shape:
            return value
    before = to.types[value].shape
    shuffled = _shuffled(to, value, dims)
    if shuffled is not None:
        return to.one(node, "channel_shuffle", shuffled[0], groups=shuffled[1])
    if len(dims) == 1 and len(before) > 0:
        return to.one(node, "flatten", value)
    known_sizes = [size for size in dims if isinstance(size, int)]
    if len(known_sizes) >= len(dims) - 1:
        written: list[Setting] = [d if isinstance(d, int) else -1 for d in dims]
    else:
        written = [cast(Setting, spelled(node, size)) for size in sizes]
    return to.one(node, "reshape", value, shape=written)


def _shuffled(to: Reader, value: Value, dims: Sequence[Size]) -> tuple[Value, int] | None:
    """What flows into a shuffle of channels that ends in these axes, and its groups."""
    turned = to.maker(value)
    parted = to.maker(turned.inputs[0]) if turned is not None else None
    if turned is None or parted is None or (turned.layer, parted.layer) != ("permute", "reshape"):
        return None
    x, inner = parted.inputs[0], to.types[turned.inputs[0]].shape
    whole = to.types[x].shape
    order = turned.settings["axes"]
    is_turn = order == [1, 0, *range(2, len(inner))] and inner[2:] == whole[1:]
    groups, rest = inner[0], inner[1]
    if not is_turn or tuple(dims) != whole or not isinstance(groups, int) or len(whole) < 2:
        return None
    return (x, groups) if groups * rest == whole[0] else None


def atoms(to: Reader, data: Data) -> list[Plain | None]:
    """The sizes of all axes in order, None for the batch."""
    return [
        None if axis == B else to.axis_size(data, axis) for group in data.groups for axis in group
    ]


def reshape_to(to: Reader, node: Node, data: Data, target: list[Plain]) -> Data:
    """ONNX's Reshape, its zeros replaced; one size may be -1."""
    row = atoms(to, data)
    place = row.index(None)
    before, after = (
        product(cast("list[Plain]", row[:place])),
        product(cast("list[Plain]", row[place + 1 :])),
    )
    target = _resolved(to, node, data, target, before, after)
    for n in range(len(target)):
        split = _batch_at(to, target, n, before, after)
        if split is not None:
            outer, inner = split
            merged = [*([] if outer == 1 else [outer]), None, *([] if inner == 1 else [inner])]
            axes = [[size] for size in target[:n]], [[size] for size in target[n + 1 :]]
            return regrouped(to, node, data, [*axes[0], merged, *axes[1]])
    node.refuse(
        f"it makes {_text(target)} of {_text(to.sizes(data))}, which would mix samples of the batch"
        if to.batch != 1
        else f"it makes {_text(target)} of {_text(to.sizes(data))}"
    )


def _text(sizes: Sequence[Plain]) -> str:
    return f"[{', '.join(map(str, sizes))}]"


def _resolved(
    to: Reader, node: Node, data: Data, target: list[Plain], before: Plain, after: Plain
) -> list[Plain]:
    """The target with a size in place of -1."""
    missing = [n for n, size in enumerate(target) if size == -1]
    rest = [size for size in target if size != -1]
    whole = before * to.batch_size * after
    if len(missing) > 1 or any(not isinstance(s, Quantity) and s < 0 for s in rest):
        node.refuse(f"{_text(target)} is no shape", code="bad-size")
    share = quotient(dim_of(whole), dim_of(product(rest)))
    if share is None or (not missing and share != 1):
        node.refuse(
            f"{_text(to.sizes(data))} can't be proved to fill {_text(target)}",
            code="shape-mismatch",
            help="where a size was written down as the file was made, it is read at that size: "
            "give numbers for open ones, `--input 'NAME: [3, 224, 224]'`",
        )
    if not missing:
        return target
    size: Plain = share if isinstance(share, int) else Quantity(share, _row_number(to, data, share))
    return [*target[: missing[0]], size, *target[missing[0] + 1 :]]


def _row_number(to: Reader, data: Data, dim: Size) -> Number | None:
    """How a product of some of the axes of a value is written; None if none is that size."""
    sizes = [size for size in atoms(to, data) if size is not None]
    for start in range(len(sizes)):
        total: Plain = 1
        for size in sizes[start:]:
            total = total * size
            if isinstance(total, Quantity) and total.dim == dim:
                return total.number
    return None


def _batch_at(
    to: Reader, target: list[Plain], n: int, before: Plain, after: Plain
) -> tuple[Plain, Plain] | None:
    """What lies before and behind the batch within axis n of a target; None if it is not there."""
    outer = quotient(dim_of(before), dim_of(product(target[:n])))
    inner = quotient(dim_of(after), dim_of(product(target[n + 1 :])))
    if outer is None or inner is None:
        return None
    if dim_of(target[n]) != outer * dim_of(to.batch_size) * inner:
        return None
    sizes: list[Plain] = [
        part if isinstance(part, int) else Quantity(part, None) for part in (outer, inner)
    ]
    if inner == dim_of(after):
        sizes[1] = after
    if outer == dim_of(before):
        sizes[0] = before
    return sizes[0], sizes[1]


def permuted(to: Reader, node: Node, data: Data, order: Sequence[int]) -> Data:
    """ONNX's Transpose."""
    groups = [data.groups[axis] for axis in order]
    axes = [axis for group in groups for axis in group if axis != B]
    value = data.value
    if axes != list(range(len(axes))):
        value = to.one(node, "permute", value, axes=cast("list[Setting]", axes))
    return Data(value, to.types[value], numbered(groups), data.dtype)


def with_axis(to: Reader, node: Node, data: Data, place: int) -> Data:
    """The same with one more axis of size 1."""
    target = [[None if a == B else to.axis_size(data, a) for a in group] for group in data.groups]
    target.insert(place, [1])
    return regrouped(to, node, data, target)


# --- values that meet ------------------------------------------------------------------------


def together(to: Reader, node: Node, things: Sequence[Thing]) -> tuple[list[Thing], int | None]:
    """Things that meet, all in the axes of one of them, and which one; None if none flows.

    Numbers stay numbers, in the shape in which they meet our axes.
    """
    flowing = [n for n, thing in enumerate(things) if isinstance(thing, Data)]
    if not flowing:
        return list(things), None
    rank = max(thing.rank for thing in things)
    raised = list(things)
    for n in flowing:
        data = cast(Data, raised[n])
        own_ranks = [things[m].rank for m in flowing]
        while data.rank < rank and max(own_ranks) < rank:
            data = with_axis(to, node, data, 0)
            own_ranks = [data.rank]
        raised[n] = data
    first = max(flowing, key=lambda n: (raised[n].rank, cast(Data, raised[n]).type.rank))
    base = cast(Data, raised[first])
    result: list[Thing] = []
    for n, thing in enumerate(raised):
        match thing:
            case Data():
                result.append(thing if n == first else _like(to, node, thing, base))
            case Known():
                result.append(_known_like(to, node, thing, base))
            case Table():
                result.append(_table_like(to, node, thing, base))
    return result, first


def _like(to: Reader, node: Node, data: Data, base: Data) -> Data:
    """A value in the axes of another one that it meets."""
    if data.groups == base.groups:
        return data
    offset = base.rank - data.rank
    own_place, place = data.batch + offset, base.batch
    if own_place != place and to.batch != 1:
        node.refuse(
            f"the batch lies in axis {data.batch} of {data.rank} of one value and in axis "
            f"{base.batch} of {base.rank} of another"
        )
    target: list[list[Plain | None]] = []
    for n, group in enumerate(base.groups):
        sizes: list[Plain] = []
        if n >= offset:
            sizes = [to.axis_size(data, a) for a in data.groups[n - offset] if a != B]
        wanted = sum(axis != B for axis in group)
        if not sizes:
            sizes = [1] * wanted
        if len(sizes) != wanted and not (wanted == 0 and product(sizes) == 1):
            node.refuse("samples of one value would meet other samples of another")
        row: list[Plain | None] = [*sizes] if wanted else []
        if B in group:
            row.insert(group.index(B), None)
        target.append(row)
    return regrouped(to, node, data, target)


def _known_like(to: Reader, node: Node, one: Known, base: Data) -> Known:
    """Numbers in the shape in which they meet our axes."""
    offset = base.rank - one.rank
    shape: list[int] = []
    for n, group in enumerate(base.groups):
        size = one.shape[n - offset] if n >= offset else 1
        axes = [base.type.shape[a] for a in group if a != B]
        if B not in group:
            shape.append(size)
        elif size == 1:
            shape += [1] * len(axes)
        elif to.batch == 1 and len(axes) == 1:
            shape.append(size)
        elif to.batch == 1 and all(isinstance(a, int) for a in axes) and axes:
            shape += cast("list[int]", axes)
        else:
            node.refuse("numbers that differ from sample to sample have no word")
    if tuple(shape) == one.shape:
        return replace(one, batch=None)
    read = one.read
    count = 1
    for size in shape:
        count *= size
    if count != one.count:
        node.refuse(f"numbers of shape {list(one.shape)} do not fit {base.type}")
    fixed = tuple(shape)
    return Known(
        fixed,
        one.dtype,
        lambda: read().reshape(fixed),
        one.name,
        None,
        one.is_stored,
        one.is_turned,
    )


def _table_like(to: Reader, node: Node, table: Table, base: Data) -> Table:
    """A table in as many axes as the value that it meets, or fewer."""
    if not all(B not in group or group == (B,) for group in base.groups):
        node.refuse("a computed table meets a value whose batch is merged with another axis")
    place = base.batch - (base.rank - table.rank)
    if place < 0:
        return table
    if table.type.shape[place] != 1:
        node.refuse("numbers that differ from sample to sample have no word")
    sizes = [to.axis_size(table, axis) for axis in range(table.rank) if axis != place]
    value = reshaped(to, node, table.value, sizes)
    return Table(value, to.types[value], table.dtype)


def value_of(to: Reader, node: Node, thing: Thing) -> Value:
    """What stands for a thing in a call; numbers become a table."""
    return to.table(node, thing).value if isinstance(thing, Known) else thing.value


def as_language(to: Reader, node: Node, thing: Thing) -> Data | Table:
    """A thing as a value of the language."""
    return to.table(node, thing) if isinstance(thing, Known) else thing
