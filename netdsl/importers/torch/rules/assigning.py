"""Statements such as `x[:, 1:] = y`: a value put together of what stays and what is new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from netdsl.importers.program import Value
from netdsl.importers.torch.events import Constant
from netdsl.importers.torch.lows import BATCH, Low, Refusal, Weight
from netdsl.importers.torch.rules.merging import cat, is_tensor
from netdsl.importers.torch.rules.rule import RULES, rule
from netdsl.importers.torch.rules.shaping import sliced

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

Cut = tuple[int, range]
"""A traced axis, and the places of it that are assigned to."""
MOST = 256
"""Pieces that an axis is cut into."""


@rule("__setitem__")
def setitem(to: Builder, input: Any, index: Any, value: Any) -> Low:
    low = to.plain(input)
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(one, Low | Weight | Constant | list) or one is None for one in parts):
        raise Refusal("it assigns to places that a tensor names", "`torch.where` chooses as well")
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (low.rank - len(parts) + 1)
    parts += [slice(None)] * (low.rank - len(parts))
    cuts: list[Cut] = []
    for place, one in enumerate(parts):
        if one != slice(None):
            cuts.append((place, _places(to, low, place, one)))
    single = [place for place, one in enumerate(parts) if isinstance(one, int)]
    return assigned(to, low, low, cuts, _filling(to, low, value, single))


def _places(to: Builder, low: Low, place: int, one: Any) -> range:
    """The places of an axis that an index names."""
    sizes = low.size(place)
    if sizes is None or len(set(sizes)) > 1:
        raise Refusal("it assigns to a part of an axis that is open, or is the batch")
    if isinstance(one, slice):
        ends = (None if end is None else to.whole(end) for end in (one.start, one.stop, one.step))
        return range(sizes[0])[slice(*ends)]
    at = range(sizes[0])[to.whole(one)]
    return range(at, at + 1)


def _filling(to: Builder, low: Low, value: Any, single: list[int]) -> Any:
    """What is assigned, with an axis for each that the index has taken away."""
    if not is_tensor(value):
        return to.number(value)
    new = to.spread_out(to.low(value))
    unsqueeze = RULES["unsqueeze"]
    for place in single:
        if new.rank >= low.rank - len(single) + single.index(place):
            new = unsqueeze(to, new, place)
    while new.rank < low.rank:
        new = unsqueeze(to, new, 0)
    return new


def assigned(to: Builder, whole: Low, low: Low, cuts: list[Cut], value: Any) -> Low:
    """A part of the whole value, with others at the places where all cuts meet."""
    if not cuts:
        return fitting(to, whole, low, value)
    (place, places), *rest = cuts
    size = (low.size(place) or (0,))[0]
    pieces: list[Low] = []
    end = 0
    for start, stop in _runs(places):
        if end < start:
            pieces.append(cut(to, low, place, end, start))
        old = (
            cut(to, low, place, start, stop) if rest else placeholder(to, low, place, stop - start)
        )
        first = places.index(start)
        new = part_of(to, value, place, first, stop - start)
        pieces.append(assigned(to, whole, old, rest, new))
        end = stop
    if end < size:
        pieces.append(cut(to, low, place, end, size))
    if len(pieces) > MOST:
        raise Refusal(f"it assigns to {len(pieces)} pieces of an axis")
    return cat(to, pieces, place)


def cut(to: Builder, low: Low, place: int, start: int, stop: int) -> Low:
    """What lies at some places of an axis."""
    return sliced(to, low, place, start, stop, None)


def placeholder(to: Builder, low: Low, place: int, count: int) -> Low:
    """What is replaced altogether: its sizes are all that matters."""
    return low.resized(Value(dtype=low.value.dtype), low.axis(place), (count,) * to.runs)


def _runs(places: range) -> list[tuple[int, int]]:
    """The runs of neighbouring places."""
    if places.step == 1:
        return [(places.start, places.stop)] if places else []
    return [(one, one + 1) for one in sorted(places)]


def part_of(to: Builder, value: Any, place: int, start: int, count: int) -> Any:
    """Of what is assigned, that which lies at some places of an axis."""
    if not isinstance(value, Low) or value.size(place) in (None, (1,) * to.runs):
        return value
    return cut(to, value, place, start, start + count)


def fitting(to: Builder, whole: Low, low: Low, value: Any) -> Low:
    """What is assigned, as wide as what it replaces; axes that are open are not cut."""
    if isinstance(value, Low) and value.sizes == low.sizes and value.layout == low.layout:
        return value
    if low.batch is not None and low.layout[low.batch] != (BATCH,):
        raise Refusal("it spreads what it assigns beside the batch")
    fixed = [sizes[0] if len(set(sizes)) == 1 else 1 for sizes in low.sizes]
    number = 1 if isinstance(value, Low) else value
    numbers = to.numbers(torch.full(fixed, number, dtype=getattr(torch, low.value.dtype)))
    widths = tuple(
        (axis, to.size(whole, axis)) for axis, sizes in enumerate(low.sizes) if len(set(sizes)) > 1
    )
    table = replace(low, value=numbers.value, is_table=True)
    if widths:
        sizes = tuple((one,) * to.runs for one in fixed)
        narrow = replace(table, sizes=sizes)
        table = to.spread_out(replace(table, narrow=narrow, widths=widths))
    return RULES["mul"](to, value, table) if isinstance(value, Low) else table
