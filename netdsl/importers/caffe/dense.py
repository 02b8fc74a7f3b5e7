"""Layers with weights: convolutions, inner products, normalisation, factors of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.importers.caffe.record import Record
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.caffe.writer import Shape, Stored, Writer, shape_of
from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Setting, Value

SPATIAL = {1: ("w",), 2: ("h", "w")}


def sizes(
    record: Record, name: str, words: tuple[str, ...], count: int, default: int | None
) -> tuple[int, ...]:
    """A size along each axis: given once, once an axis, or by `..._h` and `..._w`."""
    least = 0 if name == "pad" else 1
    given = record.wholes(name, least=least)
    if record.has(*words):
        if given or count != 2:
            wrong = f"`{name}` or `{'` and `'.join(words)}` of two axes is given, not both"
            raise refused(f"{record.title}: {wrong}", record.span_of(words[0]))
        return tuple(record.whole(word, default, least=least) for word in words)
    record.skip(*words)
    if not given:
        if default is None:
            raise refused(f"{record.title} needs `{name}`", record.span)
        return (default,) * count
    if len(given) not in (1, count):
        wrong = f"`{name}` is given once or {count} times, not {len(given)}"
        raise refused(f"{record.title}: {wrong}", record.span_of(name))
    return tuple(given) if len(given) == count else (given[0],) * count


def owner(writer: Writer, layer: Layer, blobs: int) -> Layer:
    """The layer whose weights a layer has: itself, or the first of those that share them."""
    names = [*layer.shares[:blobs], *[""] * (blobs - len(layer.shares))]
    owners = {writer.owners[name].name: writer.owners[name] for name in names if name in
              writer.owners}  # fmt: skip
    for name in filter(None, names):
        writer.owners.setdefault(name, layer)
    if not owners:
        return layer
    (first, *others) = owners.values()
    same = [*first.shares[:blobs], *[""] * (blobs - len(first.shares))]
    if others or first.type != layer.type or names != same or "" in names:
        raise refused(
            f"{layer.title} shares some of its weights: all of one layer can be shared, or none",
            layer.span,
        )
    return first


def store(writer: Writer, layer: Layer, path: Path, shapes: dict[str, Shape]) -> None:
    """The weights of a layer, blob by blob."""
    for blob, (name, shape) in enumerate(shapes.items()):
        writer.stored.append(Stored(".".join((*path, name)), layer.name, blob, shape))


@dataclass(frozen=True, slots=True)
class Windows:
    """Sizes of a convolution along each axis of its map."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    def counts(self, space: Sequence[int], *, is_transposed: bool) -> Shape:
        """The size of the result."""
        spans = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True)]
        axes = list(zip(space, spans, self.stride, self.pad, strict=True))
        if is_transposed:
            return tuple(s * (n - 1) + k - 2 * p for n, k, s, p in axes)
        return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in axes)


def windows(layer: Layer, record: Record, count: int) -> Windows:
    """The sizes that a convolution is given, for a map of so many axes."""
    if record.whole("axis", 1) not in (1, -count - 1):
        raise refused(f"{layer.title} has its channels on another axis than 1", layer.span)
    record.skip("weight_filler", "bias_filler", "engine", "force_nd_im2col")
    return Windows(
        sizes(record, "kernel_size", ("kernel_h", "kernel_w"), count, None),
        sizes(record, "stride", ("stride_h", "stride_w"), count, 1),
        sizes(record, "pad", ("pad_h", "pad_w"), count, 0),
        sizes(record, "dilation", (), count, 1),
    )


def convolution(writer: Writer, layer: Layer) -> list[Value]:
    """A convolution, or a transposed one; of several blobs each by itself."""
    record = layer.settings("convolution_param")
    values = [writer.bottom(layer, number) for number in range(max(len(layer.bottoms), 1))]
    count = len(shape_of(values[0])) - 1
    if not 1 <= count <= 3:
        raise refused(f"{layer.title} takes blobs of 3 to 5 axes, not {count + 2}", layer.span)
    if any(one.shape != values[0].shape for one in values):
        raise refused(f"{layer.title} takes blobs of one shape", layer.span)
    channels, *space = shape_of(values[0])
    window = windows(layer, record, count)
    filters, groups = record.whole("num_output", least=1), record.whole("group", 1, least=1)
    bias = record.flag("bias_term", True)
    record.finish()
    for number, what in (channels, "channels come in"), (filters, "filters are there"):
        if number % groups:
            message = f"{number} {what}, which {groups} groups don't divide"
            raise refused(message, record.span_of("group"))
    is_transposed = layer.type == "Deconvolution"
    outer, inner = (channels, filters) if is_transposed else (filters, channels)
    path = stored(writer, layer, (outer, inner // groups, *window.kernel), filters * bias)
    settings: dict[str, Setting] = {
        "channels": filters, "kernel": window.kernel, "stride": window.stride,
        "padding": window.pad, "dilation": window.dilation, "groups": groups, "bias": bias,
    }  # fmt: skip
    word = "conv_transpose" if is_transposed else "conv"
    shape = (filters, *window.counts(space, is_transposed=is_transposed))
    return [writer.call(word, settings, [one], shape, path) for one in values]


def stored(writer: Writer, layer: Layer, weight: Shape, offsets: int) -> Path:
    """The path of a layer's weights, which are remembered unless they are another's."""
    first = owner(writer, layer, 1 + (offsets > 0))
    path = writer.paths[first.name]
    if first is layer:
        bias: dict[str, Shape] = {"bias": (offsets,)} if offsets else {}
        store(writer, layer, path, {"weight": weight, **bias})
    return path


def inner_product(writer: Writer, layer: Layer) -> list[Value]:
    """A dense layer on all axes from `axis` on."""
    record = layer.settings("inner_product_param")
    features = record.whole("num_output", least=1)
    bias = record.flag("bias_term", True)
    is_turned = record.flag("transpose", False)
    number = record.whole("axis", 1)
    record.skip("weight_filler", "bias_filler")
    record.finish()
    value, shape = writer.only(layer)
    if not shape:
        raise refused(f"{layer.title} takes a number a sample, and needs an axis", layer.span)
    axis = writer.axis(layer, number, len(shape))
    count = 1
    for size in shape[axis:]:
        count *= size
    if axis < len(shape) - 1:
        flat = (*shape[:axis], count)
        if axis == 0:
            value = writer.call("flatten", {}, [value], flat)
        else:
            value = writer.call("reshape", {"shape": list(flat)}, [value], flat)
    settings: dict[str, Setting] = {"features": features, "bias": bias}
    first = owner(writer, layer, 1 + bias)
    path = writer.paths[first.name]
    if first is layer:
        weight = Stored(
            ".".join((*path, "weight")), layer.name, 0, (features, count), is_turned=is_turned
        )
        writer.stored.append(weight)
        if bias:
            offset = Stored(".".join((*path, "bias")), layer.name, 1, (features,))
            writer.stored.append(offset)
    return [writer.call("linear", settings, [value], (*shape[:axis], features), path)]


def batch_norm(writer: Writer, layer: Layer, scale: Layer | None = None) -> list[Value]:
    """Normalisation by stored statistics, with the factor and offset of the `Scale` behind it."""
    record = layer.settings("batch_norm_param")
    if not record.flag("use_global_stats", True):
        message = f"{layer.title} takes the statistics of the batch at inference, too"
        raise refused(message, record.span_of("use_global_stats"))
    eps = record.real("eps", 1e-5)
    record.skip("moving_average_fraction", "engine")
    record.finish()
    if eps <= 0:
        raise refused(f"`eps` is above 0, not {eps}", record.span_of("eps"))
    value = writer.bottom(layer)
    shape = shape_of(value)
    if not shape or len(shape) > 4:
        raise refused(f"{layer.title} takes blobs of 2 to 5 axes", layer.span)
    for one in filter(None, (layer, scale)):
        if owner(writer, one, 3 if one is layer else 2) is not one:
            message = f"{one.title} shares its weights, which the language has no word for here"
            raise refused(message, layer.span)
    path = writer.paths[layer.name]
    for blob, name in enumerate(("running_mean", "running_var")):
        key = ".".join((*path, name))
        writer.stored.append(Stored(key, layer.name, blob, shape[:1], divisor=2))
    if scale is not None:
        store(writer, scale, path, {"weight": shape[:1], "bias": shape[:1]})
    settings: dict[str, Setting] = {"eps": eps, "affine": scale is not None}
    return [writer.call("batchnorm", settings, [value], shape, path)]


def scale(writer: Writer, layer: Layer) -> list[Value]:
    """A factor for each channel, learned or given, and an offset."""
    record = layer.settings("scale_param")
    bias = record.flag("bias_term", False)
    record.skip("filler", "bias_filler")
    if len(layer.bottoms) > 1:
        return [gated(writer, layer, record, "mul", bias)]
    value, factor = learned(writer, layer, record, "weight", 1.0)
    if owner(writer, layer, 1 + bias) is not layer:
        message = f"{layer.title} shares its weights, which the language has no word for here"
        raise refused(message, layer.span)
    shape = shape_of(value)
    value = writer.call("mul", {}, [value, factor], shape)
    if bias:
        wide = shape_of(factor)
        offset = writer.table_of(layer, "bias", wide, 0.0)
        remember(writer, layer, "bias", 1, wide)
        value = writer.call("add", {}, [value, offset], shape)
    return [value]


def bias(writer: Writer, layer: Layer) -> list[Value]:
    """An offset for each channel, learned or given."""
    record = layer.settings("bias_param")
    record.skip("filler")
    if len(layer.bottoms) > 1:
        return [gated(writer, layer, record, "add", False)]
    value, offset = learned(writer, layer, record, "bias", 0.0)
    if owner(writer, layer, 1) is not layer:
        message = f"{layer.title} shares its weights, which the language has no word for here"
        raise refused(message, layer.span)
    return [writer.call("add", {}, [value, offset], shape_of(value))]


def learned(
    writer: Writer, layer: Layer, record: Record, name: str, fill: float
) -> tuple[Value, Value]:
    """What a layer takes, and a table over the axes that its settings name."""
    value, shape = writer.only(layer)
    axis = writer.axis(layer, record.whole("axis", 1), len(shape))
    count = record.whole("num_axes", 1, least=-1)
    record.finish()
    end = len(shape) if count < 0 else axis + count
    if end > len(shape):
        message = f"{layer.title} has {len(shape) + 1} axes, not {end + 1}"
        raise refused(message, record.span_of("num_axes"))
    if any(size != 1 for size in shape[max(axis, 1) : end]):
        writer.is_fixed = True
    wide = (*(1,) * axis, *shape[axis:end], *(1,) * (len(shape) - end))
    table = writer.table_of(layer, name, wide, fill)
    remember(writer, layer, name, 0, wide)
    return value, table


def remember(writer: Writer, layer: Layer, name: str, blob: int, shape: Shape) -> None:
    """Where the numbers of the last table of that name come from."""
    for _, item in reversed(writer.items):
        path = item.path
        if path and path[-1] == name:
            writer.stored.append(Stored(".".join(path), layer.name, blob, shape))
            return


def gated(writer: Writer, layer: Layer, record: Record, word: str, bias: bool) -> Value:
    """Two blobs that meet, the second along the first axes of the first."""
    value, other = writer.bottom(layer), writer.bottom(layer, 1)
    axis = record.whole("axis", 1)
    record.skip("num_axes")
    record.finish()
    shape, small = shape_of(value), shape_of(other)
    if axis not in (0, -len(shape) - 1) or bias or small != shape[: len(small)]:
        raise refused(
            f"{layer.title} joins blobs of {1 + len(shape)} and {1 + len(small)} axes along axis "
            f"{axis}; the language has words for axis 0 alone, where all axes of the second are "
            "those of the first",
            layer.span,
        )
    if len(small) < len(shape):
        wide = (*small, *(1,) * (len(shape) - len(small)))
        other = writer.call("reshape", {"shape": list(wide)}, [other], wide)
    return writer.call(word, {}, [value, other], shape)


def prelu(writer: Writer, layer: Layer) -> list[Value]:
    """x where positive, else a learned factor times x."""
    record = layer.settings("prelu_param")
    is_shared = record.flag("channel_shared", False)
    record.skip("filler")
    record.finish()
    value, shape = writer.only(layer)
    if not shape:
        raise refused(f"{layer.title} takes a number a sample, and needs an axis", layer.span)
    count = 1 if is_shared else shape[0]
    first = owner(writer, layer, 1)
    path = writer.paths[first.name]
    if first is layer:
        store(writer, layer, path, {"weight": (count,)})
    return [writer.call("prelu", {"count": count}, [value], shape, path)]
