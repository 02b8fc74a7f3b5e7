"""Sums, means, extremes and norms along axes; products of matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netdsl.importers.program import Setting, Value
from netdsl.importers.torch.lows import ABSENT, BATCH, Low, Refusal
from netdsl.importers.torch.rules.merging import is_tensor, together
from netdsl.importers.torch.rules.rule import RULES, rule, without

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


def reduced(
    to: Builder, layer: str, input: Any, dim: Any, keepdim: bool, **settings: Setting
) -> Low:
    """A layer that reduces along axes."""
    low = to.plain(input)
    if dim is None:
        if not low.is_table:
            raise Refusal("it goes over the batch too", "say along which axes: `dim=...`")
        dim = tuple(range(low.rank))
    dims = [dim] if isinstance(dim, int) else list(dim)
    places = sorted(low.place(to.whole(one)) for one in dims)
    axes = [low.axis(place) for place in places]
    setting: Setting = axes[0] if len(axes) == 1 else list(axes)
    value = to.call(layer, [low.value], axis=setting, keep=bool(keepdim), **settings)
    return less(to, low, value, places, keepdim)


def less(to: Builder, low: Low, value: Any, places: list[int], keepdim: bool) -> Low:
    """A value without some of its traced axes, or with 1 in their places."""
    axes = {low.axis(place) for place in places}
    if keepdim:
        sizes = tuple((1,) * to.runs if axis in axes else one for axis, one in enumerate(low.sizes))
        return Low(value, low.layout, sizes, low.is_table)
    kept = [axis for axis in range(len(low.sizes)) if axis not in axes]
    number = {axis: place for place, axis in enumerate(kept)} | {BATCH: BATCH}
    layout = tuple(
        tuple(number[axis] for axis in one)
        for place, one in enumerate(low.layout)
        if place not in places
    )
    return Low(value, layout, tuple(low.sizes[axis] for axis in kept), low.is_table)


@rule("mean")
def mean(
    to: Builder, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Low:
    return reduced(to, "mean", input, dim, keepdim)


@rule("sum")
def sum_(
    to: Builder, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Low:
    return reduced(to, "sum", input, dim, keepdim)


@rule("amax")
def amax(to: Builder, input: Any, dim: Any = None, keepdim: bool = False) -> Low:
    return reduced(to, "max", input, dim, keepdim)


@rule("amin")
def amin(to: Builder, input: Any, dim: Any = None, keepdim: bool = False) -> Low:
    return reduced(to, "min", input, dim, keepdim)


def _extreme(layer: str) -> Any:
    def function(to: Builder, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if is_tensor(dim):
            return together(to, layer, [input, dim])
        low = reduced(to, layer, input, dim, keepdim)
        return (low, ABSENT) if dim is not None else low

    return function


RULES["max"] = _extreme("max")
RULES["min"] = _extreme("min")


@rule("argmax")
def argmax(to: Builder, input: Any, dim: Any = None, keepdim: bool = False) -> Low:
    return reduced(to, "argmax", input, dim, keepdim)


@rule("cumsum")
def cumsum(to: Builder, input: Any, dim: Any, *, dtype: Any = None) -> Low:
    low = to.plain(input)
    return to.same("cumsum", low, axis=low.axis(low.place(to.whole(dim))))


@rule("norm", "linalg_vector_norm", "vector_norm")
def norm(
    to: Builder,
    input: Any,
    p: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    out: Any = None,
    ord: Any = None,
) -> Low:
    p = ord if ord is not None else p
    if p in ("fro", None):
        p = 2
    return reduced(to, "norm", input, dim, keepdim, p=float(to.number(p)))  # type: ignore[arg-type]


@rule("_weight_norm")
def weight_norm(to: Builder, v: Any, g: Any, dim: int = 0) -> Low:
    """A direction and its length, for each filter."""
    low = to.plain(v)
    places = [place for place in range(low.rank) if place != low.place(dim)]
    length = reduced(to, "norm", low, places, True, p=2.0)
    return together(to, "mul", [together(to, "div", [low, length]), g])


@rule("normalize")
def normalize(
    to: Builder, input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None
) -> Low:
    low = to.plain(input)
    length = reduced(to, "norm", low, dim, True, p=float(p))
    length = to.same("clamp", length, low=eps)
    return together(to, "div", [low, length])


@rule("var")
def var(
    to: Builder,
    input: Any,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Low:
    low = to.plain(input)
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    center = reduced(to, "mean", low, dim, True)
    spread = together(to, "sub", [low, center])
    spread = to.same("pow", spread, number=2)
    is_biased = unbiased is False or correction == 0
    result = reduced(to, "mean", spread, dim, keepdim)
    if is_biased:
        return result
    if correction not in (None, 1):
        raise Refusal(f"`correction={correction!r}` has no word in the language")
    count = 1
    for one in dims:
        size = low.size(low.place(one))
        if size is None or any(part != size[0] for part in size):
            raise Refusal("it divides by a size that is open")
        count *= size[0]
    return to.same("mul", result, number=count / (count - 1))


@rule("std")
def std(to: Builder, input: Any, *arguments: Any, **keywords: Any) -> Low:
    return to.same("sqrt", var(to, input, *arguments, **keywords))


@rule("var_mean")
def var_mean(to: Builder, input: Any, *arguments: Any, **keywords: Any) -> tuple[Low, Low]:
    dim = keywords.get("dim", arguments[0] if arguments else None)
    center = reduced(to, "mean", input, dim, keywords.get("keepdim", False))
    return var(to, input, *arguments, **keywords), center


@rule("matmul", "bmm", "__matmul__")
def matmul(to: Builder, input: Any, other: Any) -> Low:
    left, right = to.plain(input), to.plain(other)
    if left.rank < 2 or right.rank < 2:
        raise Refusal("a vector is no matrix", "write `linear`, or `mul` and `sum`")
    if right.is_table and left.rank == 2 and left.batch == 0:
        return _row_times(to, left, right)
    for low in (left, right):
        low.axis(low.rank - 1)
        low.axis(low.rank - 2)
    rows, columns = left.sizes[-2], right.sizes[-1]
    value = to.call("matmul", [left.value, right.value])
    leader = right if left.is_table or right.rank > left.rank else left
    if not left.is_table and not right.is_table and left.layout != right.layout:
        raise Refusal("the batch is in different axes of its operands")
    front = tuple(
        max(left.sizes[-3 - back], right.sizes[-3 - back], key=max)
        if back < min(len(left.sizes), len(right.sizes)) - 2
        else leader.sizes[-3 - back]
        for back in reversed(range(len(leader.sizes) - 2))
    )
    is_table = left.is_table and right.is_table
    return Low(value, leader.layout, (*front, rows, columns), is_table)


def _row_times(to: Builder, left: Low, right: Low) -> Low:
    """A vector for each sample times a table: a row, as the language's matrices have no batch."""
    if left.layout != ((BATCH,), (0,)) or right.rank != 2:
        raise Refusal("the batch is the rows of its first operand", "write `linear`")
    row = to.call("reshape", [left.value], shape=[1, -1])
    product = to.call("matmul", [row, right.value])
    value = to.call("reshape", [product], shape=[-1])
    return left.resized(value, 0, right.sizes[-1])


def spread_mask(to: Builder, mask: Low) -> Value:
    """A mask `[.., heads, T, S]` for scores `[.., heads, 1, T, S]`."""
    count = len(mask.sizes)
    if count <= 2 or all(size == 1 for axis in mask.sizes[:-2] for size in axis):
        return mask.value
    shape: list[Setting] = [to.size(mask, axis) for axis in range(count)]
    shape.insert(count - 2, 1)
    return to.call("reshape", [mask.value], shape=shape)


@rule("scaled_dot_product_attention")
def attention(
    to: Builder,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: Any = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Low:
    from netdsl.importers.torch.rules.rule import dropped

    lows = [to.plain(one) for one in (query, key, value)]
    without("enable_gqa", enable_gqa, False)
    settings: dict[str, Setting] = {"heads": 1, "dropout": dropped(dropout_p)}
    if is_causal:
        settings["causal"] = True
    if scale is not None:
        settings["scale"] = to.number(scale)
    mask = None if attn_mask is None else to.plain(attn_mask)
    if mask is not None:
        settings["mask"] = spread_mask(to, mask)
    first, flows = lows[0], [one for one in lows if not one.is_table]
    is_alone = first.is_table and first.batch is None
    if is_alone or any(one.layout != first.layout for one in flows):
        raise Refusal("the batch is in different axes of its operands")
    result = to.call("attend", [one.value for one in lows], **settings)
    attended = first.resized(result, len(first.sizes) - 1, lows[2].sizes[-1])
    return replace(attended, is_table=not flows and (mask is None or mask.is_table))
