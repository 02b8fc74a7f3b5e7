"""Convolutions, matrices, norms and tables of vectors: layers with weights of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netdsl.importers.program import Path, Setting
from netdsl.importers.torch.events import Modes
from netdsl.importers.torch.lows import BATCH, Low, Refusal, Weight
from netdsl.importers.torch.rules.rule import in_order, map_of, pair, rule, without

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


def owned(to: Builder, weight: Any, bias: Any) -> tuple[Path, dict[str, Setting]]:
    """Where a layer's weights lie and how it says so: its own path, or tables that it takes."""
    is_own = isinstance(weight, Weight) and weight.name == "weight"
    is_own = is_own and len(to.ways[weight.key]) == 1
    has_own_bias = bias is None or (
        isinstance(bias, Weight) and is_own and bias.is_of(weight, "bias")
    )
    if is_own and has_own_bias:
        to.used |= {weight.key} | ({bias.key} if bias is not None else set())
        return weight.owner, {"bias": bias is not None}
    settings: dict[str, Setting] = {"weight": to.plain(weight).value, "bias": False}
    if bias is not None:
        settings["bias"] = to.plain(bias).value
    return (), settings


def shape_of(weight: Any) -> tuple[int, ...]:
    """The shape of a weight, its own or a computed table."""
    if isinstance(weight, Weight):
        return weight.shape
    if isinstance(weight, Low) and weight.is_table:
        return tuple(sizes[0] for sizes in weight.sizes)
    raise Refusal("its weight is computed from the input")


@rule("conv1d", "conv2d", "conv3d")
def conv(
    to: Builder,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    padding_mode: str = "zeros",
) -> Low:
    low, back = map_of(to, input)
    channels, _, *kernel = shape_of(weight)
    settings: dict[str, Setting] = {
        "channels": channels,
        "kernel": tuple(kernel),
        "stride": pair(stride, len(kernel)),
        "padding": padding if isinstance(padding, str) else pair(padding, len(kernel)),
        "dilation": pair(dilation, len(kernel)),
        "groups": to.whole(groups),
    }
    if padding_mode != "zeros":
        settings["padding_mode"] = padding_mode
    if low.batch == 0 and len(low.layout[0]) == 2 and len(kernel) < 3:
        return of_each(to, low, weight, bias, settings)
    in_order(low, len(kernel))
    path, own = owned(to, weight, bias)
    return back(to.result(to.call("conv", [low.value], path, **settings, **own), low))


def of_each(to: Builder, low: Low, weight: Any, bias: Any, settings: dict[str, Setting]) -> Low:
    """A convolution of maps that lie beside the batch: along their axis its kernel is 1 wide."""
    if low.layout != ((BATCH, 0), *((axis,) for axis in range(1, len(low.sizes)))):
        raise Refusal("it takes maps behind each other in the batch in another order")
    if isinstance(settings["padding"], str) or "padding_mode" in settings:
        raise Refusal("it pads maps that lie beside the batch by another rule than with zeros")
    count = len(low.sizes)
    table = to.plain(weight)
    filters: list[Setting] = [to.size(table, axis) for axis in range(count)]
    filters.insert(2, 1)
    settings = {
        name: (0 if name == "padding" else 1, *one) if isinstance(one, tuple) else one
        for name, one in settings.items()
    }
    settings["weight"] = to.call("reshape", [table.value], shape=filters)
    settings["bias"] = to.plain(bias).value if bias is not None else False
    turn: list[Setting] = [1, 0, *range(2, count)]
    value = to.call("permute", [low.value], axes=turn)
    value = to.call("conv", [value], **settings)
    value = to.call("permute", [value], axes=turn)
    sizes = list(to.result(value, low).sizes)
    return Low(value, low.layout, (low.sizes[0], *sizes))


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    to: Builder,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Low:
    low = to.plain(input)
    _, channels, *kernel = shape_of(weight)
    count = in_order(low, len(kernel))
    path, settings = owned(to, weight, bias)
    settings |= {
        "channels": channels * to.whole(groups),
        "kernel": tuple(kernel),
        "stride": pair(stride, count),
        "padding": pair(padding, count),
        "output_padding": pair(output_padding, count),
        "dilation": pair(dilation, count),
        "groups": to.whole(groups),
    }
    return to.result(to.call("conv_transpose", [low.value], path, **settings), low)


@rule("linear")
def linear(to: Builder, input: Any, weight: Any, bias: Any = None) -> Low:
    low = to.plain(input)
    features, _ = shape_of(weight)
    axis = low.axis(low.rank - 1)
    path, settings = owned(to, weight, bias)
    value = to.call("linear", [low.value], path, features=features, **settings)
    return low.resized(value, axis, (features,) * to.runs)


@rule("batch_norm")
def batch_norm(
    to: Builder,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: Any = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Low:
    if running_mean is None and running_var is None and to.low(input).is_table:
        return standardised(to, to.plain(input), weight, bias, training, eps)
    low, turn = channels_first(to, to.plain(input))
    parts = {"running_mean": running_mean, "running_var": running_var} | {
        "weight": weight,
        "bias": bias,
    }
    weights = {name: one for name, one in parts.items() if one is not None}
    if not weights and to.op is not None:
        tracks, path = False, tuple(to.op.module.split("."))
    else:
        first = next(iter(weights.values()))
        for name, one in weights.items():
            if not isinstance(one, Weight) or not one.is_of(first, name):
                raise Refusal("its numbers do not lie together in one module")
        tracks, path = running_mean is not None, first.owner
        counter = ".".join((*path, "num_batches_tracked"))
        if tracks and counter not in to.made.keys:
            raise Refusal(f"it has no `{counter}`, which a batch norm counts with")
        to.used |= {one.key for one in weights.values()} | ({counter} if tracks else set())
    if (weight is None) != (bias is None):
        raise Refusal("it has a weight or a bias alone")
    is_inference = to.op is not None and not to.op.in_training_only
    if tracks and is_inference and training is not False and not isinstance(training, Modes):
        raise Refusal("it takes the statistics of the batch in inference too")
    if momentum is None or isinstance(momentum, Modes):
        raise Refusal(
            "it keeps the mean of all batches (`momentum=None`)",
            "inference is the same with a number: "
            "`for one in net.modules(): one.momentum = 0.1`, for norms, before the import",
        )
    return turn(
        to.same(
            "batchnorm",
            low,
            path,
            eps=eps,
            momentum=momentum,
            affine=weight is not None,
            track=tracks,
        )
    )


def standardised(to: Builder, low: Low, weight: Any, bias: Any, training: Any, eps: float) -> Low:
    """Filters `[1, filters, numbers]`, each brought to mean 0 and variance 1."""
    if low.rank != 3 or low.size(0) != (1,) * to.runs or training is not True:
        raise Refusal("it normalises a table")
    low = to.same("layernorm", low, axis=-1, eps=eps, affine=False)
    return channelwise(to, low, 1, weight, bias)


def channels_first(to: Builder, low: Low) -> tuple[Low, Callable[[Low], Low]]:
    """A value with the channels in front of all its axes, and the way back.

    Where axes lie beside the batch, as in `[batch * tokens, channels]`, they go behind.
    """
    is_beside = low.rank > 1 and low.batch == 0 and len(low.layout[0]) > 1
    if not is_beside:
        in_order(low)
        return low, lambda one: one
    channel, count = low.axis(1), len(low.sizes)
    order = [channel, *(axis for axis in range(count) if axis != channel)]
    back = [order.index(axis) for axis in range(count)]
    if count > 4:
        raise Refusal("it normalises a value with more axes than a map has")
    value = to.call("permute", [low.value], axes=list[Setting](order))

    def returned(one: Low) -> Low:
        return low.with_value(to.call("permute", [one.value], axes=list[Setting](back)))

    return low.with_value(value), returned


@rule("layer_norm")
def layer_norm(
    to: Builder,
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Low:
    low = to.plain(input)
    count = len(
        pair(normalized_shape, 1 if isinstance(normalized_shape, int) else len(normalized_shape))
    )
    for back in range(count):
        low.axis(low.rank - 1 - back)
    axis: Setting = -1 if count == 1 else list(range(-count, 0))
    path = beside(to, weight, bias)
    if path is None:
        return scaled(to, to.same("layernorm", low, axis=axis, eps=eps, affine=False), weight, bias)
    return to.same(
        "layernorm", low, path, axis=axis, eps=eps, affine=weight is not None, bias=bias is not None
    )


def beside(to: Builder, weight: Any, bias: Any) -> Path | None:
    """Where the weight and bias of a norm lie; None where they are tables of their own."""
    if weight is None and bias is None:
        return ()
    if not isinstance(weight, Weight):
        return None
    is_own = weight.name == "weight" and len(to.ways[weight.key]) == 1
    if not is_own or not (
        bias is None or (isinstance(bias, Weight) and bias.is_of(weight, "bias"))
    ):
        return None
    to.used |= {weight.key} | ({bias.key} if bias is not None else set())
    return weight.owner


def scaled(to: Builder, low: Low, weight: Any, bias: Any) -> Low:
    """Times a table, plus a table, along the last axis."""
    if weight is not None:
        low = low.with_value(to.call("mul", [low.value, to.plain(weight).value]))
    if bias is not None:
        low = low.with_value(to.call("add", [low.value, to.plain(bias).value]))
    return low


@rule("rms_norm")
def rms_norm(
    to: Builder, input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Low:
    low = to.plain(input)
    count = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    for back in range(count):
        low.axis(low.rank - 1 - back)
    axis: Setting = -1 if count == 1 else list(range(-count, 0))
    path = beside(to, weight, None)
    settings: dict[str, Setting] = {"axis": axis}
    if eps is not None:
        settings["eps"] = eps
    if path is None:
        return scaled(to, to.same("rmsnorm", low, affine=False, **settings), weight, None)
    return to.same("rmsnorm", low, path, affine=weight is not None, **settings)


@rule("group_norm")
def group_norm(
    to: Builder,
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Low:
    low = to.plain(input)
    count = in_order(low)
    path = beside(to, weight, bias)
    if path is not None and (weight is None) == (bias is None):
        return to.same(
            "groupnorm", low, path, groups=num_groups, eps=eps, affine=weight is not None
        )
    low = to.same("groupnorm", low, groups=num_groups, eps=eps, affine=False)
    return channelwise(to, low, count, weight, bias)


def channelwise(to: Builder, low: Low, count: int, weight: Any, bias: Any) -> Low:
    """Times a number for each channel, plus one for each."""
    for layer, one in ("mul", weight), ("add", bias):
        if one is not None:
            table = to.plain(one)
            shape: Setting = [to.size(table, 0), *([1] * count)]
            value = to.call("reshape", [table.value], shape=shape)
            low = low.with_value(to.call(layer, [low.value, value]))
    return low


@rule("instance_norm")
def instance_norm(
    to: Builder,
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: Any = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Low:
    low = to.plain(input)
    in_order(low)
    if running_mean is not None or running_var is not None or use_input_stats is not True:
        raise Refusal("it keeps running statistics", "`track_running_stats=False` does not")
    path = beside(to, weight, bias)
    if path is None:
        raise Refusal("its weight and bias do not lie together in one module")
    return to.same("instancenorm", low, path, eps=eps, affine=weight is not None)


@rule("local_response_norm")
def local_response_norm(
    to: Builder, input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Low:
    low = to.plain(input)
    in_order(low)
    return to.same("lrn", low, size=size, alpha=alpha, beta=beta, k=k)


@rule("embedding")
def embedding(
    to: Builder,
    input: Any,
    weight: Any,
    padding_idx: Any = None,
    max_norm: Any = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Low:
    low = to.plain(input)
    without("max_norm", max_norm)
    count, features = shape_of(weight)
    path, settings = owned(to, weight, None)
    settings.pop("bias")
    value = to.call("embedding", [low.value], path, count=count, features=features, **settings)
    axes = len(low.sizes)
    return Low(value, (*low.layout, (axes,)), (*low.sizes, (features,) * to.runs), low.is_table)


@rule("prelu")
def prelu(to: Builder, input: Any, weight: Any) -> Low:
    low = to.plain(input)
    in_order(low)
    if not isinstance(weight, Weight) or weight.name != "weight":
        raise Refusal("its weight is no parameter `weight` of a module")
    to.used.add(weight.key)
    return to.same("prelu", low, weight.owner, count=weight.shape[0])
