"""Pools, response normalisation, and what changes the size of a map."""

from __future__ import annotations

from netdsl.importers.caffe.dense import sizes
from netdsl.importers.caffe.record import Record
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.caffe.writer import Shape, Writer, shape_of
from netdsl.importers.frontend import refused
from netdsl.importers.program import Axis, Computed, Number, Setting, Value

METHODS = ("MAX", "AVE", "STOCHASTIC")
WORDS = {"MAX": "maxpool", "AVE": "avgpool"}


def pooling(writer: Writer, layer: Layer) -> list[Value]:
    """A pool; sizes round up, and no window begins behind the padding."""
    record = layer.settings("pooling_param")
    method = record.choice("pool", METHODS, "MAX")
    record.skip("engine")
    if method not in WORDS:
        message = f"the language has no word for a pool of kind {method}"
        raise refused(message, record.span_of("pool"))
    value, shape = writer.only(layer)
    if len(shape) != 3:
        raise refused(f"{layer.title} takes maps of two axes, not of {len(shape) - 1}", layer.span)
    if record.flag("global_pooling", False):
        return [whole_map(writer, layer, record, value, method)]
    kernel = sizes(record, "kernel_size", ("kernel_h", "kernel_w"), 2, None)
    stride = sizes(record, "stride", ("stride_h", "stride_w"), 2, 1)
    pad = sizes(record, "pad", ("pad_h", "pad_w"), 2, 0)
    rounding = record.choice("round_mode", ("CEIL", "FLOOR"), "CEIL")
    record.finish()
    for p, k in zip(pad, kernel, strict=True):
        if p > k // 2:
            message = f"the language has no word for windows of {k} padded by {p}"
            raise refused(message, record.span_of("pad"))
    is_up = rounding == "CEIL"
    axes = list(zip(shape[1:], kernel, stride, pad, strict=True))
    space = tuple(windows(layer, *axis, is_up=is_up, is_padded=any(pad)) for axis in axes)
    exact = all((n + 2 * p - k) % s == 0 for n, k, s, p in axes)
    if any(s > k for _, k, s, _ in axes) and is_up and not any(pad):
        writer.is_fixed = True  # of other maps Caffe has windows that hold no cell
        is_up = not exact
    settings: dict[str, Setting] = {
        "kernel": kernel, "stride": stride, "padding": pad,
        "ceil_mode": is_up and stride != (1, 1),
    }  # fmt: skip
    return [writer.call(WORDS[method], settings, [value], (shape[0], *space))]


def windows(
    layer: Layer, size: int, kernel: int, stride: int, pad: int, *, is_up: bool, is_padded: bool
) -> int:
    """How many windows there are along an axis."""
    room = size + 2 * pad - kernel
    if room < 0 and room <= -stride:
        raise refused(f"{layer.title} has windows of {kernel} on a map of {size}", layer.span)
    count = (-(-room // stride) if is_up else room // stride) + 1
    if is_padded and (count - 1) * stride >= size + pad:
        count -= 1
    if (count - 1) * stride >= size + pad or count < 1:
        message = f"{layer.title} has a last window without a cell on a map of {size}"
        raise refused(message, layer.span)
    return count


def whole_map(writer: Writer, layer: Layer, record: Record, value: Value, method: str) -> Value:
    """One window over the map, whatever its size."""
    zero = [record.whole(name, 0) for name in ("pad", "pad_h", "pad_w")]
    one = [record.whole(name, 1) for name in ("stride", "stride_h", "stride_w")]
    if any(zero) or set(one) != {1} or record.has("kernel_size", "kernel_h", "kernel_w"):
        message = f"{layer.title} pools the whole map, and has a size, a step or a padding as well"
        raise refused(message, layer.span)
    record.skip("round_mode")
    record.finish()
    word = "adaptive_maxpool" if method == "MAX" else "adaptive_avgpool"
    return writer.call(word, {"size": 1}, [value], (shape_of(value)[0], 1, 1))


def lrn(writer: Writer, layer: Layer) -> list[Value]:
    """Response normalisation across channels, or over windows of each channel."""
    record = layer.settings("lrn_param")
    size = record.whole("local_size", 5, least=1)
    alpha, beta, k = record.real("alpha", 1.0), record.real("beta", 0.75), record.real("k", 1.0)
    regions = ("ACROSS_CHANNELS", "WITHIN_CHANNEL")
    region = record.choice("norm_region", regions, regions[0])
    record.skip("engine")
    record.finish()
    if size % 2 == 0:
        raise refused(f"`local_size` is odd, not {size}", record.span_of("local_size"))
    value, shape = writer.only(layer)
    if len(shape) != 3:
        raise refused(f"{layer.title} takes maps of two axes, not of {len(shape) - 1}", layer.span)
    if region == regions[0]:
        settings: dict[str, Setting] = {"size": size, "alpha": alpha, "beta": beta, "k": k}
        return [writer.call("lrn", settings, [value], shape)]
    window: dict[str, Setting] = {"kernel": size, "stride": 1, "padding": size // 2}
    gate = writer.call("pow", {"number": 2}, [value], shape)
    gate = writer.call("avgpool", window, [gate], shape)
    gate = writer.call("mul", {"number": alpha}, [gate], shape)
    gate = writer.call("add", {"number": 1}, [gate], shape)
    gate = writer.call("pow", {"number": -beta}, [gate], shape)
    return [writer.call("mul", {}, [value, gate], shape)]


def crop(writer: Writer, layer: Layer) -> list[Value]:
    """The part of a map that has the size of another."""
    record = layer.settings("crop_param")
    number = record.whole("axis", 2)
    offsets = record.wholes("offset", least=0)
    record.finish()
    value, other = writer.bottom(layer), writer.bottom(layer, 1)
    shape, wanted = shape_of(value), shape_of(other)
    if len(layer.tops) != 1 or len(layer.bottoms) != 2 or len(shape) < 2:
        raise refused(f"{layer.title} takes two maps and gives one", layer.span)
    if writer.axis(layer, number, len(shape)) != 1 or len(wanted) != len(shape):
        message = f"{layer.title} crops other axes than those of the map: axis {number}"
        raise refused(message, layer.span)
    count = len(shape) - 1
    if len(offsets) not in (0, 1, count):
        message = f"`offset` is given once or {count} times, not {len(offsets)}"
        raise refused(message, record.span_of("offset"))
    shift = tuple(offsets) if len(offsets) == count else tuple(offsets or [0]) * count
    for n, o, w in zip(shape[1:], shift, wanted[1:], strict=True):
        if o + w > n:
            message = f"{layer.title} takes {w} cells from {o} on, of {n}"
            raise refused(message, layer.span)
    settings: dict[str, Setting] = {"size": other, "offset": shift}
    return [writer.call("crop", settings, [value], (shape[0], *wanted[1:]))]


def interp(writer: Writer, layer: Layer) -> list[Value]:
    """Bilinear resampling whose corners stay: to a size, or by a factor (DeepLab's layer)."""
    record = layer.settings("interp_param")
    value, shape = writer.only(layer)
    if record.whole("pad_beg", 0) or record.whole("pad_end", 0):
        raise refused("the language has no word for `pad_beg` and `pad_end`", layer.span)
    if len(shape) != 3:
        raise refused(f"{layer.title} takes maps of two axes, not of {len(shape) - 1}", layer.span)
    has_size = record.has("height", "width")
    has_factor = record.has("shrink_factor", "zoom_factor")
    height, width = (record.whole(name, 1, least=1) for name in ("height", "width"))
    shrink, zoom = (record.whole(name, 1, least=1) for name in ("shrink_factor", "zoom_factor"))
    record.finish()
    if has_size == has_factor or (has_size and not record.has("width")):
        message = f"{layer.title} needs `height` and `width`, or a factor"
        raise refused(message, layer.span)
    size: list[Number] = [height, width]
    space: Shape = (height, width)
    if has_factor:
        size = [resized(Axis(value, axis), shrink, zoom) for axis in (1, 2)]
        shrunk = [(n - 1) // shrink + 1 for n in shape[1:]]
        space = tuple(n + (n - 1) * (zoom - 1) for n in shrunk)
    settings: dict[str, Setting] = {
        "size": (size[0], size[1]), "mode": "bilinear", "align_corners": True
    }  # fmt: skip
    return [writer.call("upsample", settings, [value], (shape[0], *space))]


def resized(size: Number, shrink: int, zoom: int) -> Number:
    """`((n - 1) // shrink) * zoom + 1`, which is what both factors come to."""
    cells: Number = Computed("-", (size, 1))
    if shrink > 1:
        cells = Computed("//", (cells, shrink))
    if zoom > 1:
        cells = Computed("*", (cells, zoom))
    return Computed("+", (cells, 1))
