"""Parts of compile-time values: an attribute, an item, a slice."""

from __future__ import annotations

from netdsl.elaborate.arithmetic import Wrong
from netdsl.elaborate.environment import Family, Flow, LayerValue, SharedLayer, describe
from netdsl.elaborate.suggest import did_you_mean
from netdsl.ir.sequences import is_sequence
from netdsl.ir.tensor import Shape

SIZE_ATTRIBUTES = {"channels": (0, 1), "height": (-2, 3), "width": (-1, 2), "depth": (-3, 4)}
"""Attribute of a value: the axis it names, and the least rank that has it."""


IN_A_BRANCH = (
    "in the braces after a layer `in` is what enters that layer: for what enters the block, name "
    "it before, `(a, b) = in`"
)


def attribute(base: object, name: str) -> object:
    """`x.channels`, `x.shape`: a size of the one value that flows."""
    if not isinstance(base, Flow):
        raise Wrong(f"{describe(base)} has no `.{name}`")
    if len(base.values) != 1:
        raise Wrong(
            f"{len(base.values)} values flow here, and each has its own `.{name}`",
            help="name one of them: `in[0]`",
        )
    shape = base.values[0].type.shape
    if name == "rank":
        return len(shape)
    if name == "shape":
        return list(shape)
    if name == "length" and len(shape) == 2:
        return shape[1]
    axis, least = SIZE_ATTRIBUTES.get(name, (0, 99))
    if len(shape) >= least:
        return shape[axis]
    names = [*SIZE_ATTRIBUTES, "length", "rank", "shape"]
    guess = _sizes_of(shape) if name in names else did_you_mean(name, names)
    raise Wrong(f"{base} has no `.{name}`", help=guess)


def _sizes_of(shape: Shape) -> str:
    """The sizes by name of a value of such a shape."""
    names = [name for name, (_, least) in SIZE_ATTRIBUTES.items() if len(shape) >= least]
    names += ["length"] * (len(shape) == 2) + ["shape[0]"] * bool(shape)
    return f"it has {', '.join(f'`.{name}`' for name in names)}" if names else ""


def item(base: object, index: object, written: str) -> object:
    """One item of a list, a size, the values that flow, or a family; `written` is its text."""
    if isinstance(base, SharedLayer | LayerValue):
        raise Wrong(f"{describe(base)} can't be indexed")
    if isinstance(index, bool) or not isinstance(index, int):
        raise Wrong(f"an index is a whole number, not {describe(index)}")
    if isinstance(base, Family):
        if index in base.members:
            return base.members[index]
        there = ", ".join(map(str, sorted(base.members)))
        raise Wrong(f"there is no `{written}[{index}]`, only {there}")
    items = base.values if isinstance(base, Flow) else base
    if not is_sequence(items):
        raise Wrong(f"{describe(base)} can't be indexed")
    if not -len(items) <= index < len(items):
        count = "is 1 item" if len(items) == 1 else f"are {len(items)} items, from 0 on"
        help = IN_A_BRANCH if written == "in" and len(items) == 1 else ""
        raise Wrong(f"index {index} is outside: there {count}", help=help)
    return Flow((base.values[index],)) if isinstance(base, Flow) else items[index]


def part(base: object, start: object, stop: object) -> object:
    """The items from `start` on, before `stop`; None stands for the end that is left out."""
    for bound in start, stop:
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            raise Wrong(f"the ends of a slice are whole numbers, not {describe(bound)}")
    if isinstance(base, Flow):
        return Flow(base.values[start:stop], is_list=True)  # type: ignore[misc]
    if not isinstance(base, list | tuple | str):
        raise Wrong(f"{describe(base)} can't be sliced")
    return base[start:stop]  # type: ignore[misc]
