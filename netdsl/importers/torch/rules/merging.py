"""Arithmetic of tensors, and joining and cutting them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from netdsl.importers.program import Setting, Value
from netdsl.importers.torch.events import Constant, Varies
from netdsl.importers.torch.lows import BATCH, Layout, Low, Refusal, Weight
from netdsl.importers.torch.rules.rule import RULES, rule

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


def is_tensor(one: Any) -> bool:
    return isinstance(one, Low | Weight | Constant)


def together(to: Builder, layer: str, operands: list[Any], **settings: Setting) -> Low:
    """A layer of several operands that meet as in torch: axes from the right, 1 is any size."""
    lows = spread_by_merging(to, [to.low(one) for one in operands])
    if all(one.is_table for one in lows):
        return tables_together(to, layer, lows, **settings)
    leader = max((one for one in lows if not one.is_table), key=lambda one: one.rank)
    layout = widest(lows)
    values = [fitted(to, one, leader, layout) for one in lows]
    value = to.call(layer, values, **settings)
    sizes = met([one for one in lows if not one.leads], layout, leader)
    return Low(value, layout, sizes)


def spread_by_merging(to: Builder, lows: list[Low]) -> list[Low]:
    """Operands as they come into a merge, which spreads axes of size 1 where others are wider."""
    spread = [one for one in lows if one.narrow]
    if not spread:
        return lows
    narrow = [one.narrow or one for one in lows]
    rank = max(one.rank for one in lows)
    for place in range(rank):
        wide, met = (_meeting(to, parts, place - rank) for parts in (lows, narrow))
        if wide != met:
            return [to.plain(one) for one in lows]
    return narrow


def _meeting(to: Builder, lows: list[Low], place: int) -> tuple[int, ...]:
    """The size of an axis, counted from behind, of what meets; 1 where it is the batch."""
    sizes = [low.size(place + low.rank) for low in lows if place + low.rank >= 0]
    return max((one or (1,) * to.runs for one in sizes), key=max)


def widest(lows: list[Low]) -> Layout:
    """The layout of values that meet: all that have the batch agree on it."""
    values = [one for one in lows if not one.is_table]
    first = values[0]
    if any(one.layout != first.layout for one in values):
        raise Refusal(
            "its operands have the batch, or what lies beside it, in different axes",
            "bring them to one shape before they meet",
        )
    return first.layout


def fitted(to: Builder, low: Low, leader: Low, layout: Layout) -> Value:
    """An operand as it can stand beside the value that leads."""
    if not low.is_table or low.leads:
        return low.value
    place = next(at for at, axes in enumerate(layout) if BATCH in axes)
    missing = len(layout) - low.rank
    if missing > place or (low.batch is not None and low.layout == layout):
        return low.value
    own = place - missing
    size = low.size(own)
    if size is None or any(one != 1 for one in size):
        raise Refusal("a table has a number for each sample of the batch")
    if place == 0:
        return low.value
    shape: list[Setting] = [
        to.size(low, axis) for axis in range(len(low.sizes)) if axis != low.layout[own][0]
    ]
    return to.call("reshape", [low.value], shape=shape)


def met(lows: list[Low], layout: Layout, leader: Low) -> tuple[tuple[int, ...], ...]:
    """The sizes of the axes of what meets."""
    count = len(leader.sizes)
    sizes: list[tuple[int, ...]] = []
    for axis in range(count):
        candidates: list[tuple[int, ...]] = []
        for low in lows:
            behind = count - axis
            own = len(low.sizes) - behind
            if low.is_table and len(low.layout) > 0:
                own = _table_axis(low, layout, axis)
            if own is not None and own >= 0:
                candidates.append(low.sizes[own])
        sizes.append(max(candidates, key=max))
    return tuple(sizes)


def _table_axis(low: Low, layout: Layout, axis: int) -> int | None:
    """The axis of a table that meets an axis of a value, counted from the right."""
    traced = next(at for at, axes in enumerate(layout) if axis in axes)
    own = traced - (len(layout) - low.rank)
    if own < 0 or BATCH in layout[traced]:
        return None
    axes = low.layout[own]
    return axes[0] if len(axes) == 1 and axes[0] != BATCH else None


def tables_together(to: Builder, layer: str, lows: list[Low], **settings: Setting) -> Low:
    """Tables that meet make a table."""
    if any(one.batch is not None for one in lows):
        return leading_together(to, layer, lows, **settings)
    lows = [to.plain(one) for one in lows]
    rank = max(one.rank for one in lows)
    sizes = tuple(
        max(
            (one.sizes[axis - rank + one.rank] for one in lows if axis - rank + one.rank >= 0),
            key=max,
        )
        for axis in range(rank)
    )
    value = to.call(layer, [one.value for one in lows], **settings)
    return Low(value, tuple((axis,) for axis in range(rank)), sizes, is_table=True)


def leading_together(to: Builder, layer: str, lows: list[Low], **settings: Setting) -> Low:
    """Tables that meet, one of which is taken for each sample."""
    leader = max((one for one in lows if one.batch is not None), key=lambda one: one.rank)
    if leader.layout[0] == (BATCH, 0):
        return beside_together(to, layer, lows, leader, **settings)
    own: list[tuple[tuple[int, ...], ...]] = []
    leads = False
    for low in lows:
        is_in_front = low.batch is None and low.rank == leader.rank
        is_first = low.size(0) == (1,) * to.runs if is_in_front else low.batch in (None, 0)
        if low.rank > leader.rank or not is_first or len(low.layout[0] if low.rank else ()) > 1:
            raise Refusal("a table is spread over the batch")
        leads = leads or low.leads or is_in_front
        own.append(low.sizes[1:] if is_in_front else low.sizes)
    rank = leader.rank - 1
    sizes = tuple(
        max((one[axis - rank] for one in own if axis - rank + len(one) >= 0), key=max)
        for axis in range(rank)
    )
    value = to.call(layer, [one.value for one in lows], **settings)
    return Low(value, leader.layout, sizes, is_table=True, leads=leads)


def beside_together(
    to: Builder, layer: str, lows: list[Low], leader: Low, **settings: Setting
) -> Low:
    """Tables that meet, one of which has its first axis beside the batch: numbers of windows."""
    lows = [one if one.batch is not None else to.plain(one) for one in lows]
    sizes = list(leader.sizes)
    for low in lows:
        is_wide = low.rank == leader.rank and low.size(0) != (1,) * to.runs
        alike = low.layout == leader.layout if low.batch is not None else not is_wide
        if low.rank > leader.rank or not alike:
            raise Refusal("a table is spread over the batch")
        for axis, own in enumerate(low.sizes, leader.rank - low.rank):
            sizes[axis] = max(sizes[axis], own, key=max)
    value = to.call(layer, [one.value for one in lows], **settings)
    return Low(value, leader.layout, tuple(sizes), is_table=True)


def _binary(layer: str) -> Any:
    def function(to: Builder, input: Any, other: Any, *, alpha: Any = 1) -> Low:
        if alpha != 1:
            other = scaled(to, other, alpha)
        if is_tensor(input) and is_tensor(other):
            return together(to, layer, [input, other])
        if is_tensor(input):
            low = to.low(input)
            changes = layer not in ("add", "sub") or other != 0 or not keeps_type(low, other)
            return to.same(layer, low, number=to.number(other)) if changes else low
        return reverse(to, layer, other, input)

    return function


def keeps_type(low: Low, number: Any) -> bool:
    """Whether arithmetic with a number gives what the tensor is made of."""
    if low.value.dtype == "float32":
        return True
    return low.value.dtype == "int64" and isinstance(number, int)


def scaled(to: Builder, one: Any, factor: Any) -> Any:
    """A tensor or number times a number."""
    if is_tensor(one):
        return to.same("mul", to.low(one), number=to.number(factor))
    return one * factor


def reverse(to: Builder, layer: str, input: Any, other: Any) -> Low:
    """A number before a tensor: `other - input`."""
    low, number = to.low(input), to.number(other)
    if layer == "add" and number == 0 and keeps_type(low, number):
        return low
    if layer in ("add", "mul"):
        return to.same(layer, low, number=number)
    if layer == "sub":
        low = to.same("mul", low, number=-1)
        return low if number == 0 else to.same("add", low, number=number)
    if layer == "div":
        low = to.same("reciprocal", low)
        return low if number == 1 else to.same("mul", low, number=number)
    raise Refusal("a number to the power of a tensor")


for _layer in ("add", "sub", "mul", "div", "pow"):
    RULES[_layer] = RULES[f"{_layer}_"] = _binary(_layer)
    RULES[f"__{_layer}__"] = RULES[f"__i{_layer}__"] = RULES[_layer]
RULES["__radd__"] = RULES["add"]
RULES["__rmul__"] = RULES["mul"]
RULES["multiply"] = RULES["mul"]
RULES["subtract"] = RULES["sub"]


@rule("__rsub__", "rsub")
def rsub(to: Builder, input: Any, other: Any) -> Low:
    return (
        reverse(to, "sub", input, other) if not is_tensor(other) else RULES["sub"](to, other, input)
    )


@rule("__rdiv__", "__rtruediv__")
def rdiv(to: Builder, input: Any, other: Any) -> Low:
    return (
        reverse(to, "div", input, other) if not is_tensor(other) else RULES["div"](to, other, input)
    )


RULES["true_divide"] = RULES["__truediv__"] = RULES["div"]


def _comparison(layer: str, is_negated: bool) -> Any:
    def function(to: Builder, input: Any, other: Any) -> Low:
        if is_tensor(other):
            low = together(to, layer, [input, other])
        else:
            low = to.same(layer, to.low(input), number=to.number(other))
        return to.same("equal", low, number=0) if is_negated else low

    return function


for _names, _layer, _negated in (
    (("gt", "__gt__", "greater"), "greater", False),
    (("lt", "__lt__", "less"), "less", False),
    (("eq", "__eq__"), "equal", False),
    (("ne", "__ne__"), "equal", True),
    (("ge", "__ge__"), "less", True),
    (("le", "__le__"), "greater", True),
):
    for _name in _names:
        RULES[_name] = _comparison(_layer, _negated)


@rule("logical_not", "bitwise_not", "__invert__")
def logical_not(to: Builder, input: Any) -> Low:
    return to.same("equal", to.low(input), number=0)


@rule("where")
def where(to: Builder, condition: Any, input: Any, other: Any) -> Low:
    if is_tensor(input) and is_tensor(other):
        return together(to, "where", [condition, input, other])
    if is_tensor(input):
        return together(to, "where", [condition, input], number=to.number(other))
    if not is_tensor(other):
        raise Refusal("it chooses between two numbers")
    low = to.same("equal", to.low(condition), number=0)
    return together(to, "where", [low, other], number=to.number(input))


@rule("masked_fill", "masked_fill_")
def masked_fill(to: Builder, input: Any, mask: Any, value: Any) -> Low:
    kept = to.same("equal", to.low(mask), number=0)
    return together(to, "where", [kept, input], number=to.number(value))


@rule("maximum")
def maximum(to: Builder, input: Any, other: Any) -> Low:
    return together(to, "max", [input, other])


@rule("minimum")
def minimum(to: Builder, input: Any, other: Any) -> Low:
    return together(to, "min", [input, other])


@rule("addcmul")
def addcmul(to: Builder, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Low:
    product = (
        scaled(to, together(to, "mul", [tensor1, tensor2]), value)
        if value != 1
        else (together(to, "mul", [tensor1, tensor2]))
    )
    return together(to, "add", [input, product])


@rule("cat", "concat", "concatenate")
def cat(to: Builder, tensors: Any, dim: Any = 0) -> Low:
    full = [one for one in tensors if not (isinstance(one, Low) and one.is_empty)]
    lows = [to.spread_out(to.low(one)) for one in full]
    if len(lows) == 1:
        return lows[0]
    if all(one.is_table for one in lows):
        return _cat_tables(to, lows, to.whole(dim))
    leader = next(one for one in lows if not one.is_table)
    place = leader.place(to.whole(dim))
    axis = leader.axis(place)
    layout = widest(lows)
    values = [fitted(to, one, leader, layout) for one in lows]
    for one in lows:
        if one.rank != leader.rank:
            raise Refusal("it joins tensors with different numbers of axes")
    parts = [one.size(place) for one in lows]
    sizes = tuple(sum(one) for one in zip(*[part for part in parts if part], strict=True))
    value = to.call("concat", values, axis=axis)
    return Low(value, layout, (*leader.sizes[:axis], sizes, *leader.sizes[axis + 1 :]))


def _cat_tables(to: Builder, lows: list[Low], dim: int) -> Low:
    if any(one.leads for one in lows) != all(one.leads for one in lows):
        raise Refusal("it joins a table that is spread over the batch with one that is not")
    lows = [to.plain(one) for one in lows]
    first = lows[0]
    axis = first.axis(first.place(dim))
    sizes = tuple(sum(one) for one in zip(*[low.sizes[axis] for low in lows], strict=True))
    value = to.call("concat", [one.value for one in lows], axis=axis)
    return first.resized(value, axis, sizes)


@rule("stack")
def stack(to: Builder, tensors: Any, dim: Any = 0) -> Low:
    unsqueeze = RULES["unsqueeze"]
    dim = to.whole(dim)
    lows = [to.low(one) for one in tensors]
    dim = dim + lows[0].rank + 1 if dim < 0 else dim
    return cat(to, [unsqueeze(to, one, dim) for one in lows], dim)


@rule("chunk")
def chunk(to: Builder, input: Any, chunks: int, dim: int = 0) -> tuple[Low, ...]:
    low = to.plain(input)
    place = low.place(dim)
    size = _known(low, place)
    part = -(-size // to.whole(chunks))
    return split(to, low, part, place)


@rule("glu")
def glu(to: Builder, input: Any, dim: int = -1) -> Low:
    values, gates = chunk(to, input, 2, dim)
    return together(to, "mul", [values, to.same("sigmoid", gates)])


@rule("split", "split_with_sizes")
def split(to: Builder, tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Low, ...]:
    low = to.plain(tensor)
    place = low.place(to.whole(dim))
    axis = low.axis(place)
    if isinstance(split_size_or_sections, list | tuple):
        parts = list(split_size_or_sections)
        return _split(
            to, low, axis, [to.number(one) for one in parts], [_runs(to, one) for one in parts]
        )
    size, step = _known(low, place), to.whole(split_size_or_sections)
    parts = [min(step, size - start) for start in range(0, size, step)]
    return _split(to, low, axis, parts, [(one,) * to.runs for one in parts])


def _runs(to: Builder, one: Any) -> tuple[int, ...]:
    return tuple(one.numbers) if isinstance(one, Varies) else (one,) * to.runs


def _known(low: Low, place: int) -> int:
    sizes = low.size(place)
    if sizes is None or any(one != sizes[0] for one in sizes):
        raise Refusal("it cuts an axis whose size is open into parts of one size")
    return sizes[0]


def _split(
    to: Builder, low: Low, axis: int, parts: list[Any], sizes: list[tuple[int, ...]]
) -> tuple[Low, ...]:
    if len(parts) == 1:
        return (low,)
    is_even = all(type(one) is int and one == parts[0] for one in parts)
    setting: Setting = len(parts) if is_even else parts
    values = to.calls("split", [low.value], len(parts), parts=setting, axis=axis)
    return tuple(low.resized(value, axis, size) for value, size in zip(values, sizes, strict=True))


@rule("unbind")
def unbind(to: Builder, input: Any, dim: int = 0) -> tuple[Low, ...]:
    low = to.plain(input)
    place = low.place(to.whole(dim))
    size = _known(low, place)
    squeeze = RULES["squeeze"]
    return (
        tuple(squeeze(to, one, place) for one in split(to, low, 1, place))
        if size > 1
        else (squeeze(to, low, place),)
    )


@rule("tensor_split")
def tensor_split(
    to: Builder, input: Any, indices_or_sections: Any, dim: int = 0
) -> tuple[Low, ...]:
    low = to.plain(input)
    place = low.place(to.whole(dim))
    size = _known(low, place)
    if isinstance(indices_or_sections, int):
        base, rest = divmod(size, indices_or_sections)
        parts = [base + (number < rest) for number in range(indices_or_sections)]
    else:
        ends = [0, *map(to.whole, indices_or_sections), size]
        parts = [stop - start for start, stop in pairwise(ends)]
    return _split(to, low, low.axis(place), parts, [(one,) * to.runs for one in parts])
