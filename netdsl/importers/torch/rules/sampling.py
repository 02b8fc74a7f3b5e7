"""Pooling, resampling, padding: what changes the size of a map."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from netdsl.importers.program import Axis, Computed, Number, Setting, Value
from netdsl.importers.torch.builder import LOWEST
from netdsl.importers.torch.events import Varies
from netdsl.importers.torch.lows import BATCH, Low, Refusal
from netdsl.importers.torch.rules.rule import RULES, in_order, map_of, pair, rule, without
from netdsl.importers.torch.sized import Of

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    to: Builder,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Low:
    return pooled(to, "maxpool", input, kernel_size, stride, padding, ceil_mode, dilation=dilation)


def pooled(
    to: Builder,
    layer: str,
    input: Any,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    **more: Any,
) -> Low:
    """A pool of a map; of maps that lie beside the batch with windows that are 1 wide there."""
    low, back = map_of(to, input)
    is_beside = low.layout == ((BATCH, 0), *((axis,) for axis in range(1, len(low.sizes))))
    if not is_beside or len(low.sizes) > 4:
        low, settings = _window(to, low, kernel, stride, padding, ceil_mode)
        settings |= {
            name: pair(one, len(low.sizes) - 1) if name == "dilation" else one
            for name, one in more.items()
        }
        return back(to.result(to.call(layer, [low.value], **settings), low))
    count = len(low.sizes) - 2
    sides = pair(kernel, count)
    steps = pair(stride, count) if stride is not None and stride != [] else sides
    settings: dict[str, Setting] = {
        "kernel": (1, *map(to.number, sides)),
        "stride": (1, *map(to.number, steps)),
        "padding": (0, *map(to.number, pair(padding, count))),
        "ceil_mode": bool(ceil_mode),
    }
    for name, one in more.items():
        settings[name] = (1, *pair(one, count)) if name == "dilation" else one
    turn: list[Setting] = [1, 0, *range(2, count + 2)]
    value = to.call("permute", [low.value], axes=turn)
    value = to.call(layer, [value], **settings)
    value = to.call("permute", [value], axes=turn)
    return Low(value, low.layout, (*low.sizes[:1], *to.result(value, low).sizes))


@rule("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices")
def max_pool_with_indices(
    to: Builder,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Low, Low]:
    low, settings = _window(to, input, kernel_size, stride, padding, ceil_mode)
    settings |= {"dilation": pair(dilation, len(low.sizes) - 1), "indices": True}
    values = to.calls("maxpool", [low.value], 2, **settings)
    return to.result(values[0], low), to.result(values[1], low, number=1)


def _window(
    to: Builder, input: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool
) -> tuple[Low, dict[str, Setting]]:
    low = to.plain(input)
    count = in_order(low)
    sides = pair(kernel, count)
    steps = pair(stride, count) if stride is not None and stride != [] else sides
    return low, {
        "kernel": tuple(to.number(one) for one in sides),
        "stride": tuple(to.number(one) for one in steps),
        "padding": tuple(to.number(one) for one in pair(padding, count)),
        "ceil_mode": bool(ceil_mode),
    }


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    to: Builder,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Low:
    without("divisor_override", divisor_override)
    counts = bool(count_include_pad)
    return pooled(
        to, "avgpool", input, kernel_size, stride, padding, ceil_mode, count_include_pad=counts
    )


@rule("lp_pool1d", "lp_pool2d")
def lp_pool(
    to: Builder,
    input: Any,
    norm_type: float,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: bool = False,
) -> Low:
    low, settings = _window(to, input, kernel_size, stride, 0, ceil_mode)
    settings.pop("padding")
    return to.result(to.call("lppool", [low.value], p=float(norm_type), **settings), low)


def _adaptive(layer: str) -> Any:
    def function(to: Builder, input: Any, output_size: Any, return_indices: bool = False) -> Low:
        low, back = map_of(to, input)
        count = in_order(low)
        without("return_indices", return_indices, False)
        sides = pair(output_size, count)
        sizes = tuple(
            to.size(low, axis + 1) if one is None else to.number(one)
            for axis, one in enumerate(sides)
        )
        return back(to.result(to.call(layer, [low.value], size=sizes), low))

    return function


for _axes in ("1d", "2d", "3d"):
    RULES[f"adaptive_avg_pool{_axes}"] = _adaptive("adaptive_avgpool")
    RULES[f"adaptive_max_pool{_axes}"] = _adaptive("adaptive_maxpool")


@rule("max_unpool1d", "max_unpool2d", "max_unpool3d")
def max_unpool(
    to: Builder,
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Low:
    low, places = to.plain(input), to.low(indices)
    count = in_order(low)
    sides = pair(kernel_size, count)
    settings: dict[str, Setting] = {
        "kernel": sides,
        "stride": pair(stride, count) if stride is not None else sides,
        "padding": pair(padding, count),
        "places": places.value,
    }
    if output_size is not None:
        settings["size"] = sized_as(to, list(output_size)[-count:])
    return to.result(to.call("max_unpool", [low.value], **settings), low)


@rule("interpolate", "upsample")
def interpolate(
    to: Builder,
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: bool = False,
) -> Low:
    low, back = map_of(to, input)
    count = in_order(low)
    without("antialias", antialias, False)
    if recompute_scale_factor:
        raise Refusal("`recompute_scale_factor=True` has no word in the language")
    settings: dict[str, Setting] = {"mode": mode, "align_corners": bool(align_corners)}
    if size is not None:
        sides = list(pair(size, count))
        if _is_size_of(to, low, sides):
            return back(low)
        settings["size"] = sized_as(to, sides)
    else:
        settings["scale"] = tuple(_scale(to, one) for one in pair(scale_factor, count))
    return back(to.result(to.call("upsample", [low.value], **settings), low))


def _scale(to: Builder, one: Any) -> Number:
    number = to.number(one)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _is_size_of(to: Builder, low: Low, sides: list[Any]) -> bool:
    """Whether a size is that of a map itself."""
    return all(
        isinstance(one, Varies)
        and isinstance(one.source, Of)
        and to.lows.get(one.source.value) is low
        and low.layout[one.source.axis] == (place + 1,)
        for place, one in enumerate(sides)
    )


def sized_as(to: Builder, sides: list[Any]) -> Setting:
    """A size for each axis of space; a value where they are just its sizes."""
    of: set[Value] = set()
    for place, one in enumerate(sides):
        if not (isinstance(one, Varies) and isinstance(one.source, Of)):
            break
        low = to.lows.get(one.source.value)
        if low is None or low.leads or low.layout[one.source.axis] != (place + 1,):
            break
        if len(low.sizes) != len(sides) + 1:
            break
        of.add(low.value)
    else:
        if len(of) == 1:
            return of.pop()
    return tuple(to.number(one) for one in sides)


@rule("pixel_shuffle")
def pixel_shuffle(to: Builder, input: Any, upscale_factor: int) -> Low:
    low = to.plain(input)
    in_order(low, 2)
    return to.result(to.call("pixel_shuffle", [low.value], factor=upscale_factor), low)


@rule("pixel_unshuffle")
def pixel_unshuffle(to: Builder, input: Any, downscale_factor: int) -> Low:
    low = to.plain(input)
    in_order(low, 2)
    return to.result(to.call("pixel_unshuffle", [low.value], factor=downscale_factor), low)


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(to: Builder, input: Any, groups: int) -> Low:
    low = to.plain(input)
    in_order(low)
    return to.same("channel_shuffle", low, groups=groups)


def columns(
    to: Builder, input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Low:
    """Windows of a map, one column each."""
    low = to.plain(input)
    in_order(low, 2)
    settings: dict[str, Setting] = {
        name: pair(one, 2)
        for name, one in (
            ("kernel", kernel_size),
            ("stride", stride),
            ("padding", padding),
            ("dilation", dilation),
        )
    }
    return to.result(to.call("unfold", [low.value], **settings), low)


@rule("fold")
def fold(
    to: Builder,
    input: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Low:
    low = to.plain(input)
    in_order(low, 1)
    settings: dict[str, Setting] = {
        name: pair(one, 2)
        for name, one in (
            ("kernel", kernel_size),
            ("stride", stride),
            ("padding", padding),
            ("dilation", dilation),
        )
    }
    settings["size"] = sized_as(to, list(pair(output_size, 2)))
    return to.result(to.call("fold", [low.value], **settings), low)


POOLS = ("max_pool1d", "max_pool2d", "max_pool3d")

BEFORE, BEHIND = ("left", "top", "front"), ("right", "bottom", "back")


@rule("pad")
def pad(to: Builder, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Low:
    low = to.plain(input)
    amounts = [to.number(one) for one in pad]
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    more = [tuple(_above(one) for one in part) for part in pairs]
    return cropped(to, padded(to, low, more, mode, value), pairs, mode)


def _above(one: Number) -> Number:
    """An amount that is padded; what is below 0 takes cells away."""
    return max(one, 0) if isinstance(one, int) else one


def padded(to: Builder, low: Low, pairs: list[Any], mode: str, value: Any) -> Low:
    """A value with cells around it; the last axis comes first."""
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    if not pairs:
        return low
    spatial = len(low.sizes) - 1
    if low.is_table or not low.is_plain or len(pairs) > min(spatial, 3):
        return pad_axes(to, low, pairs, mode, value)
    settings: dict[str, Setting] = {}
    for place, (before, behind) in enumerate(pairs):
        settings[BEFORE[place]], settings[BEHIND[place]] = before, behind
    if all(before == behind for before, behind in pairs) and len(pairs) == spatial:
        settings = {"amount": tuple(before for before, _ in reversed(pairs))}
    if mode != "constant":
        settings["mode"] = mode
    if value:
        settings["value"] = fill_value(to, value, pairs)
    return to.result(to.call("pad", [low.value], **settings), low)


def cropped(to: Builder, low: Low, pairs: list[Any], mode: str) -> Low:
    """Amounts below 0 take cells away."""
    assert to.op is not None
    sizes = list(low.sizes)
    for back, amounts in enumerate(pairs):
        before, behind = (min(one, 0) if isinstance(one, int) else 0 for one in amounts)
        if (before, behind) == (0, 0):
            continue
        if mode != "constant":
            raise Refusal("it takes cells away by another mode than with a number")
        place = low.rank - 1 - back
        axis = low.axis(place)
        stop: Setting = behind or "end"
        low = low.with_value(to.call("slice", [low.value], axis=axis, start=-before, stop=stop))
        sizes[axis] = tuple(shapes[to.op.outputs[0]][place] for shapes in to.agreed.shapes)
    return replace(low, sizes=tuple(sizes))


def fill_value(to: Builder, value: Any, pairs: list[Any]) -> float:
    """What padding is filled with; below all numbers, where a pool takes the greatest."""
    if value == -inf and _is_pooled(to, pairs):
        return LOWEST
    if value == -inf:
        raise Refusal(
            f"the language has no {value}",
            "`torch.finfo(x.dtype).min` is as good where the greatest number is taken",
        )
    number = to.number(value)
    if isinstance(number, int | float):
        return float(number)
    raise Refusal("it pads with a number that varies with the size")


def _is_pooled(to: Builder, pairs: list[Any]) -> bool:
    """Whether only maxima of windows are taken of the result, none of them of padding alone."""
    assert to.op is not None
    number = to.op.outputs[0]
    pools = to.takers(number)
    if not pools or not all(one.name in POOLS and not one.keywords.get("padding") for one in pools):
        return False
    for one in pools:
        kernel = one.arguments[1] if len(one.arguments) > 1 else one.keywords["kernel_size"]
        sides = list(reversed(pair(kernel, len(pairs))))
        for side, amounts in zip(sides, pairs, strict=True):
            if not all(isinstance(part, int) and part < side for part in amounts):
                return False
    return True


def pad_axes(to: Builder, low: Low, pairs: list[Any], mode: str, value: Any) -> Low:
    """Padding of axes that are no axes of space: they go to the end, and the others into one."""
    axes = [low.axis(low.rank - 1 - back) for back in range(len(pairs))]
    touched = [axis for axis, one in zip(axes, pairs, strict=True) if one != (0, 0)]
    if mode != "constant" or len(touched) > 3:
        raise Refusal("it pads axes that are not those of space")
    assert to.op is not None
    sizes = list(low.sizes)
    for axis in touched:
        place = low.layout.index((axis,))
        sizes[axis] = tuple(shapes[to.op.outputs[0]][place] for shapes in to.agreed.shapes)
    rest = [axis for axis in range(len(sizes)) if axis not in touched]
    order = [*rest, *reversed(touched)]
    turned = low.value
    if order != sorted(order):
        turned = to.call("permute", [turned], axes=list[Setting](order))
    ends: list[Setting] = [to.size(low, axis) for axis in reversed(touched)]
    is_map = len(rest) == 1
    if not is_map:
        turned = to.call("reshape", [turned], shape=[-1 if rest else 1, *ends])
    settings: dict[str, Setting] = {"value": fill_value(to, value, pairs)} if value else {}
    chosen = [one for one in pairs if one != (0, 0)]
    for place, (before, behind) in enumerate(chosen):
        settings[BEFORE[place]], settings[BEHIND[place]] = before, behind
    result = to.call("pad", [turned], **settings)
    if not is_map:
        added = [_plus(end, *one) for end, one in zip(ends, reversed(chosen), strict=True)]
        shape = [*(to.size(low, axis) for axis in rest), *added]
        result = to.call("reshape", [result], shape=list[Setting](shape))
    if order != sorted(order):
        back = [order.index(axis) for axis in range(len(sizes))]
        result = to.call("permute", [result], axes=list[Setting](back))
    return Low(result, low.layout, tuple(sizes), low.is_table)


def _plus(*sizes: Setting) -> Setting:
    """The sum of sizes."""
    known = sum(one for one in sizes if isinstance(one, int))
    total: Number = known
    for one in sizes:
        if isinstance(one, Axis | Computed):
            total = one if total == 0 else Computed("+", (one, total))
    return total
