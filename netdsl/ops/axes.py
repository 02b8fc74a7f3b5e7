"""Helpers that shape rules share: parts an axis, names of axes, ranks, bounds of settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import isqrt, prod
from typing import TypeVar, cast

from netdsl.ir.condition import Truth, any_of
from netdsl.ir.dim import Dim, Size, ceil_div, maximum, minimum
from netdsl.ir.factors import gathered
from netdsl.ir.sequences import is_list
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.base import POINTWISE, Rules, Window, Windows
from netdsl.ops.cells import slid
from netdsl.ops.facts import Sliding
from netdsl.ops.padding import SAME, Cells, extent, two_rules
from netdsl.ops.params import INT, Kind, Mismatch, either, show
from netdsl.ops.recipe import Keywords, Setting, TorchValue

T = TypeVar("T")

TO_FLOAT = "write `to_float` first, which makes float32 from 0 to 1 of it"
AXIS = either(INT, "channels")
"""An axis of a shape without the batch: from 0, from -1 backwards, or the word `channels`."""


def _axis_or_axes(value: object) -> object:
    if is_list(value):
        return tuple(INT.convert(item) for item in value)
    try:
        return INT.convert(value)
    except Mismatch as mismatch:
        raise Mismatch(f"{mismatch}, nor a list of axes") from None


AXES = either(Kind("int | [int]", _axis_or_axes), "channels")
"""An axis, or a list of axes."""

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
MAX_ELEMENTS = 2**40
MAX_SEARCHED = 2**30
MAX_KERNEL = 2**12
"""Beyond it the links of a window are not counted."""
MOST_COUNTED = 10**6
"""Reads along an axis that are counted one by one."""


def axis_name(rank: int, axis: int) -> str:
    """`height`, `width`, ... of spatial axis number `axis` of `rank`."""
    return AXIS_NAMES[rank][axis]


def spatial_rank(x: Tensor, rules: Rules, what: str) -> int:
    """1, 2 or 3 for `[C, L]`, `[C, H, W]`, `[C, D, H, W]`; refuses vectors and higher ranks."""
    if 2 <= x.rank <= 4:
        return x.rank - 1
    rules.refuse(
        "in",
        f"`{what}` works on maps [C, L], [C, H, W] or [C, D, H, W], and {x} comes in",
        code="wrong-rank",
        help="a vector becomes a map by `reshape([C, H, W])`" if x.rank == 1 else "",
    )


def known_channels(x: Tensor, rules: Rules, what: str) -> int:
    """The channel count, which must be a number."""
    if isinstance(x.channels, int):
        return x.channels
    rules.refuse(
        "in",
        f"`{what}` needs a known number of channels, and {x} comes in",
        code="needs-fixed-size",
    )


def per_axis(value: T | tuple[T, ...], rank: int, rules: Rules, at: str) -> tuple[T, ...]:
    """One part an axis: a single number serves all, a tuple must have `rank` parts."""
    if not isinstance(value, tuple):
        return (value,) * rank
    parts = cast("tuple[T, ...]", value)
    if len(parts) != rank:
        rules.refuse(
            at,
            f"{at} {show(parts)} has {len(parts)} parts, and the map has {rank} spatial "
            f"ax{'i' if rank == 1 else 'e'}s",
            code="wrong-rank",
            help=f"write one number for {'it' if rank == 1 else 'all of them'}: `{at}={parts[0]}`",
        )
    return parts


def at_least(parts: Iterable[int | float], least: int, rules: Rules, at: str) -> None:
    """Refuses a setting below its least value."""
    for part in parts:
        if part < least:
            rules.refuse(at, f"{at} must be at least {least}, not {part}", code="bad-argument")


def check_padding(windows: Sliding, rank: int, rules: Rules) -> None:
    """Refuses padding below 0, for another number of axes, or a word that the stride rules out."""
    if not isinstance(windows.padding, str):
        at_least(per_axis(windows.padding, rank, rules, "padding"), 0, rules, "padding")
        return
    settings = windows.settings_along(rank)
    if windows.padding == SAME and any(stride != 1 for _, stride, _ in settings):
        kernel, _, dilation = settings[0]
        rules.refuse(
            "padding",
            "padding=same goes with stride 1 only",
            code="bad-argument",
            help=two_rules(kernel, dilation),
        )


def need_float(x: Tensor, rules: Rules, what: str) -> None:
    """Refuses integer tensors where PyTorch computes with floats only."""
    if not x.is_float:
        message = f"`{what}` computes with floats, and {x} comes in"
        rules.refuse("in", message, code="wrong-dtype", help=way_to_floats(x.dtype))


def way_to_floats(dtype: str) -> str:
    """How levels of an image become numbers to compute with; empty for other element types."""
    return TO_FLOAT if dtype == "uint8" else ""


def axis_index(axis: int | str, rank: int, rules: Rules, at: str = "axis") -> int:
    """The axis counted from 0; refuses one that is not there."""
    number = 0 if axis == "channels" else int(axis)
    if not -rank <= number < rank:
        rules.refuse(
            at, f"axis {number} is outside: the shape has {rank} axes", code="bad-argument"
        )
    return number % rank


def axis_indices(
    axes: int | str | Sequence[int | str], rank: int, rules: Rules, at: str = "axis"
) -> tuple[int, ...]:
    """An axis, or several, counted from 0; refuses one that is not there, or there twice."""
    listed = (axes,) if isinstance(axes, int | str) else axes
    if not listed:
        rules.refuse(at, "one axis is needed at least", code="bad-argument")
    indices = tuple(axis_index(axis, rank, rules, at) for axis in listed)
    twice = next((axis for axis in indices if indices.count(axis) > 1), None)
    if twice is not None:
        rules.refuse(at, f"axis {twice} is named twice", code="bad-argument")
    return indices


def check_divides(number: int, at: str, count: int, what: str, rules: Rules) -> None:
    """Refuses a number of groups (or heads, as the field `at` says) that leaves some over.

    `count` is how many there are to divide, `what` says of what.
    """
    at_least((number,), 1, rules, at)
    if count % number == 0:
        return
    rules.refuse(
        at,
        f"{number} {at} do not divide the {count} {what}: {count} % {number} = {count % number}",
        code="bad-argument",
        help=_near_divisors(number, count),
    )


def _near_divisors(number: int, count: int) -> str:
    """The divisors on both sides of a number that is none."""
    if count > MAX_SEARCHED:
        return ""
    below = [n for n in range(1, isqrt(count) + 1) if count % n == 0]
    every = [*below, *(count // n for n in below)]
    near = [max((n for n in every if n < number), default=0)]
    near += [min((n for n in every if n > number), default=0)]
    return f"{count} is divided by {' and by '.join(str(n) for n in near if n)}"


def check_weight(shape: Sequence[int], rules: Rules, at: str) -> None:
    """Refuses weights that no machine holds."""
    if prod(shape) > MAX_ELEMENTS:
        rules.refuse(
            at, f"a weight of {prod(shape):,} numbers is beyond any memory", code="too-large"
        )


def along(x: Tensor, axis: int, seen: Window | None = None) -> Windows:
    """What an output position sees where one axis, counted from 0, is worked on as a whole.

    `seen` is what it sees of that axis, if not all of it.
    """
    return tuple(seen if i == axis else POINTWISE for i in range(1, x.rank))


def links(
    size: Size, room: Size, kernel: int, stride: int, before: Size, dilation: int, run: int = 1
) -> Size:
    """How many pairs of a window and a cell in it lie within the map, along an axis.

    Window i holds the cells `i*stride - before + t*dilation`; the last window is number
    `floor((size + room)/stride)`; there is at least one. With `run` it is so many cells of a
    window, one behind the other, that all lie within the map.
    """
    pairs: Size = 0
    every = (size + room) // stride + 1
    for cell in range(kernel - run + 1):
        reach = before - cell * dilation
        first = maximum(0, ceil_div(reach, stride))
        last = (size + minimum(room, reach - (run - 1) * dilation - 1)) // stride
        count = last - first + 1
        pairs = pairs + (count if count == every else maximum(0, count))
    return gathered(pairs)


def padded_links(size: Size, around: Cells, kernel: int, stride: int, dilation: int) -> Size:
    """The same where ceil(size/stride) windows fit with so many cells before and after.

    Short padding is seen by the first window or the last one only.
    """
    before, after = around
    if dilation == 1 and kernel // 2 <= stride:
        return ceil_div(size, stride) * kernel - gathered(before + after)
    return links(
        size, before + after - dilation * (kernel - 1) - 1, kernel, stride, before, dilation
    )


def links_of_copies(
    size: Size, kernel: int, stride: int, before: int, after: int, dilation: int, mode: str
) -> Size | None:
    """The same where padding copies cells: each cell counts once for a window, however often read.

    None at open sizes where the count follows no short formula.
    """
    if dilation == 1:
        most = max(before, after)
        if mode == "circular":
            return ((size + before + after - kernel) // stride + 1) * minimum(kernel, size)
        if kernel > (2 * most if mode == "reflect" else most):  # all copied cells are seen anyway
            return links(size, before + after - kernel, kernel, stride, before, 1)
    if not isinstance(size, int):
        return None
    windows = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    if windows * kernel > MOST_COUNTED:
        return None
    one = (frozenset((i,)) for i in range(windows))
    return sum(len(slid(i, size, kernel, stride, before, dilation, mode)) for i in one)


def sliding_windows(windows: Sliding, spatial: Shape) -> list[Window]:
    """What windows that slide see along each axis.

    Padding in words begins where the size says; at open sizes that is known to a cell or so.
    """
    seen: list[Window] = []
    settings = windows.settings_along(len(spatial))
    for (before, _), (k, s, d) in zip(windows.around(spatial), settings, strict=True):
        span = d * (k - 1) + 1
        if isinstance(before, int):
            seen.append(Window(span, Fraction(s), Fraction(-before), d))
            continue
        fewest, most = extent(k, s, d, str(windows.padding))
        seen.append(Window(span + most - fewest, Fraction(s), Fraction(-most), is_loose=True))
    return seen


def by_examples(size: Size, counts: Sequence[int]) -> Size:
    """A count that grows evenly with a size but for the smallest, from its values at 1, 2, ..."""
    *_, before, last = counts
    slope, number = last - before, len(counts)
    formula = slope * size + (last - slope * number)
    rest = [count - (slope * n + last - slope * number) for n, count in enumerate(counts, 1)]
    for n in range(number, 0, -1):  # what is left at n bends the line there: a maximum
        bend = rest[n - 1]
        if bend:
            formula = formula + bend * maximum(0, n + 1 - size)
            rest = [r - bend * (n + 1 - m) for m, r in enumerate(rest[:n], 1)] + rest[n:]
    return formula


def total(sizes: Iterable[Size]) -> Size:
    """The product of sizes."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def several(sizes: Iterable[Size]) -> Truth:
    """Whether the product of sizes is at least 2.

    No size is below 1, so that is to say that one of them is at least 2, which is linear.
    """
    return any_of(*(size >= 2 for size in sizes))


def is_fixed(sizes: Iterable[Size]) -> bool:
    """Whether no size depends on a symbol."""
    return not any(isinstance(size, Dim) for size in sizes)


def changed(**settings: tuple[TorchValue, object]) -> Keywords:
    """Keyword arguments that are left out where they have PyTorch's default.

    Each setting is its value (maybe wrapped in `From`) and the default.
    """
    return tuple((name, Setting(value, default)) for name, (value, default) in settings.items())
