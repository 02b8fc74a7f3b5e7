"""Layers without weights: elementwise ones, merges, and other shapes of the same numbers."""

from __future__ import annotations

from math import log, prod

from netdsl.importers.caffe.inputs import MOST_AXES
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.caffe.writer import Shape, Writer, shape_of
from netdsl.importers.frontend import refused
from netdsl.importers.program import Setting, Value

MOST_TILES = 64


def relu(writer: Writer, layer: Layer) -> list[Value]:
    """max(0, x), or a slope below 0."""
    record = layer.settings("relu_param")
    slope = record.real("negative_slope", 0.0)
    record.skip("engine")
    record.finish()
    value, shape = writer.only(layer)
    if slope:
        return [writer.call("leaky_relu", {"slope": slope}, [value], shape)]
    return [writer.call("relu", {}, [value], shape)]


def elu(writer: Writer, layer: Layer) -> list[Value]:
    """x where positive, else alpha * (exp(x) - 1)."""
    record = layer.settings("elu_param")
    alpha = record.real("alpha", 1.0)
    record.finish()
    value, shape = writer.only(layer)
    return [writer.call("elu", {"alpha": alpha}, [value], shape)]


def simple(writer: Writer, layer: Layer) -> list[Value]:
    """Sigmoid, tanh, absolute value, and log(1 + exp(x))."""
    word, name = {
        "Sigmoid": ("sigmoid", "sigmoid_param"),
        "TanH": ("tanh", "tanh_param"),
        "AbsVal": ("abs", "absval_param"),
        "BNLL": ("softplus", "bnll_param"),
    }[layer.type]
    record = layer.settings(name)
    record.skip("engine")
    record.finish()
    value, shape = writer.only(layer)
    return [writer.call(word, {}, [value], shape)]


def affine(writer: Writer, value: Value, scale: float, shift: float) -> Value:
    """shift + scale * x."""
    shape = shape_of(value)
    if scale != 1.0:
        value = writer.call("mul", {"number": scale}, [value], shape)
    if shift != 0.0:
        value = writer.call("add", {"number": shift}, [value], shape)
    return value


def power(writer: Writer, layer: Layer) -> list[Value]:
    """(shift + scale * x) ** power."""
    record = layer.settings("power_param")
    number = record.real("power", 1.0)
    scale, shift = record.real("scale", 1.0), record.real("shift", 0.0)
    record.finish()
    value, shape = writer.only(layer)
    value = affine(writer, value, scale, shift)
    if number != 1.0:
        value = writer.call("pow", {"number": number}, [value], shape)
    return [value]


def exponential(writer: Writer, layer: Layer) -> list[Value]:
    """base ** (shift + scale * x)."""
    record = layer.settings("exp_param")
    base = record.real("base", -1.0)
    scale, shift = record.real("scale", 1.0), record.real("shift", 0.0)
    record.finish()
    factor = 1.0
    if base != -1.0:
        if base <= 0:
            raise refused(f"`base` is above 0, not {base}", record.span_of("base"))
        factor = log(base)
    value, shape = writer.only(layer)
    value = affine(writer, value, scale * factor, shift * factor)
    return [writer.call("exp", {}, [value], shape)]


def logarithm(writer: Writer, layer: Layer) -> list[Value]:
    """The logarithm to a base of shift + scale * x."""
    record = layer.settings("log_param")
    base = record.real("base", -1.0)
    scale, shift = record.real("scale", 1.0), record.real("shift", 0.0)
    record.finish()
    if base != -1.0 and (base <= 0 or base == 1):
        raise refused(f"`base` is above 0 and not 1, not {base}", record.span_of("base"))
    value, shape = writer.only(layer)
    value = writer.call("log", {}, [affine(writer, value, scale, shift)], shape)
    return [affine(writer, value, 1.0 if base == -1.0 else 1 / log(base), 0.0)]


def threshold(writer: Writer, layer: Layer) -> list[Value]:
    """1 above a number, else 0."""
    record = layer.settings("threshold_param")
    number = record.real("threshold", 0.0)
    record.finish()
    value, shape = writer.only(layer)
    is_above = writer.call("greater", {"number": number}, [value], shape)
    is_above.dtype = "bool"
    return [writer.call("mul", {"number": 1.0}, [is_above], shape)]


def clip(writer: Writer, layer: Layer) -> list[Value]:
    """The number, kept between bounds."""
    record = layer.settings("clip_param")
    for name in "min", "max":
        if not record.has(name):
            raise refused(f"{record.title} needs `{name}`", layer.span)
    low, high = record.real("min", 0.0), record.real("max", 0.0)
    record.finish()
    value, shape = writer.only(layer)
    return [writer.call("clamp", {"low": low, "high": high}, [value], shape)]


def swish(writer: Writer, layer: Layer) -> list[Value]:
    """x * sigmoid(beta * x)."""
    record = layer.settings("swish_param")
    beta = record.real("beta", 1.0)
    record.finish()
    value, shape = writer.only(layer)
    if beta == 1.0:
        return [writer.call("silu", {}, [value], shape)]
    gate = writer.call("sigmoid", {}, [affine(writer, value, beta, 0.0)], shape)
    return [writer.call("mul", {}, [value, gate], shape)]


def dropout(writer: Writer, layer: Layer) -> list[Value]:
    """Nothing at inference; in training single numbers are dropped."""
    record = layer.settings("dropout_param")
    share = record.real("dropout_ratio", 0.5)
    record.finish()
    if not 0 < share < 1:
        span = record.span_of("dropout_ratio")
        raise refused(f"a share is above 0 and below 1, not {share}", span)
    value, shape = writer.only(layer)
    return [writer.call("dropout", {"p": share}, [value], shape)]


def softmax(writer: Writer, layer: Layer) -> list[Value]:
    """Shares along an axis."""
    record = layer.settings("softmax_param")
    number = record.whole("axis", 1)
    record.skip("engine")
    record.finish()
    value, shape = writer.only(layer)
    axis = writer.axis(layer, number, len(shape))
    settings: dict[str, Setting] = {"axis": axis} if axis else {}
    return [writer.call("softmax", settings, [value], shape)]


def eltwise(writer: Writer, layer: Layer) -> list[Value]:
    """The sum, product or largest of several blobs."""
    record = layer.settings("eltwise_param")
    operation = record.choice("operation", ("PROD", "SUM", "MAX"), "SUM")
    factors = record.reals("coeff")
    record.skip("stable_prod_grad")
    record.finish()
    values = [writer.bottom(layer, number) for number in range(len(layer.bottoms))]
    if len(values) < 2 or len(layer.tops) != 1:
        raise refused(f"{layer.title} takes two blobs or more, and gives one", layer.span)
    shapes = {value.shape for value in values}
    if len(shapes) > 1:
        text = " and ".join(str(list(shape or ())) for shape in sorted(shapes, key=str))
        raise refused(f"{layer.title} takes blobs of one shape, not of {text}", layer.span)
    if factors:
        span = record.span_of("coeff")
        if operation != "SUM":
            raise refused("`coeff` goes with the sum", span)
        if len(factors) != len(values):
            raise refused(f"{len(factors)} times `coeff`, and {len(values)} blobs", span)
        values = [
            affine(writer, value, factor, 0.0)
            for value, factor in zip(values, factors, strict=True)
        ]
    word = {"PROD": "mul", "SUM": "add", "MAX": "max"}[operation]
    return [writer.call(word, {}, values, shape_of(values[0]))]


def concat(writer: Writer, layer: Layer) -> list[Value]:
    """Blobs one behind the other."""
    record = layer.settings("concat_param")
    name = "concat_dim" if record.has("concat_dim") else "axis"
    if record.has("concat_dim") and record.has("axis"):
        message = "`axis` or `concat_dim` is given, not both"
        raise refused(message, record.span_of("concat_dim"))
    number = record.whole(name, 1)
    record.finish()
    values = [writer.bottom(layer, index) for index in range(len(layer.bottoms))]
    if not values or len(layer.tops) != 1:
        raise refused(f"{layer.title} takes blobs, and gives one", layer.span)
    shapes = [shape_of(value) for value in values]
    axis = writer.axis(layer, number, len(shapes[0]))
    for shape in shapes:
        if len(shape) != len(shapes[0]) or any(
            n != m for i, (n, m) in enumerate(zip(shape, shapes[0], strict=True)) if i != axis
        ):
            texts = f"{list(shapes[0])} and {list(shape)}"
            raise refused(f"{layer.title} joins {texts} along axis {axis + 1}", layer.span)
    if len(values) == 1:
        return values
    first = shapes[0]
    joined = (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    settings: dict[str, Setting] = {"axis": axis} if axis else {}
    return [writer.call("concat", settings, values, joined)]


def slices(writer: Writer, layer: Layer) -> list[Value]:
    """The parts of a blob along an axis, equal or cut at given points."""
    record = layer.settings("slice_param")
    name = "slice_dim" if record.has("slice_dim") else "axis"
    if record.has("slice_dim") and record.has("axis"):
        message = "`axis` or `slice_dim` is given, not both"
        raise refused(message, record.span_of("slice_dim"))
    number = record.whole(name, 1)
    points = record.wholes("slice_point", least=1)
    record.finish()
    if len(layer.bottoms) != 1 or not layer.tops:
        raise refused(f"{layer.title} takes one blob, and gives several", layer.span)
    value = writer.bottom(layer)
    shape = shape_of(value)
    axis = writer.axis(layer, number, len(shape))
    count, size = len(layer.tops), shape[axis]
    if points and len(points) != count - 1:
        message = f"{count} parts need {count - 1} times `slice_point`, not {len(points)}"
        raise refused(message, record.span_of("slice_point"))
    if not points and size % count:
        raise refused(f"{layer.title} cuts {size} into {count} equal parts", layer.span)
    ends = [*points, size] if points else [size // count * (i + 1) for i in range(count)]
    parts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(parts) < 1:
        message = f"the points rise from 1 to {size - 1}, not {points}"
        raise refused(message, record.span_of("slice_point"))
    if count == 1:
        return [value]
    settings: dict[str, Setting] = {"parts": list(parts) if points else count}
    if axis:
        settings["axis"] = axis
    pieces: list[Shape] = [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]
    return writer.calls("split", settings, [value], pieces)


def flatten(writer: Writer, layer: Layer) -> list[Value]:
    """Several axes as one."""
    record = layer.settings("flatten_param")
    start, end = record.whole("axis", 1), record.whole("end_axis", -1)
    record.finish()
    value, shape = writer.only(layer)
    if not shape:
        raise refused(f"{layer.title} takes a number a sample, and needs an axis", layer.span)
    first = writer.axis(layer, start, len(shape))
    last = writer.axis(layer, end, len(shape), "end_axis")
    if last < first:
        raise refused(f"{layer.title} ends before it begins", layer.span)
    if first == last:
        return [value]
    flat = (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])
    if len(flat) == 1:
        return [writer.call("flatten", {}, [value], flat)]
    writer.is_fixed = True
    return [writer.call("reshape", {"shape": list(flat)}, [value], flat)]


def reshape(writer: Writer, layer: Layer) -> list[Value]:
    """The same numbers in another shape; 0 stands for the size that is there, -1 for the rest."""
    record = layer.settings("reshape_param")
    inner = record.record("shape")
    wanted = inner.wholes("dim", least=-1)
    inner.finish()
    start, count = record.whole("axis", 0), record.whole("num_axes", -1, least=-1)
    record.finish()
    value, shape = writer.only(layer)
    span = inner.span_of("dim")
    if len(wanted) > MOST_AXES:
        raise refused(f"a blob has at most {MOST_AXES} axes", span)
    batch, *rest = replaced(layer, shape, wanted, start, count)
    others, total = prod([size or 1 for size in rest if size != -1]), prod(shape)
    if rest.count(-1) + (batch == -1) > 1:
        raise refused(f"{layer.title} has `dim: -1` twice", span)
    if None in rest or (batch is not None and not (batch == -1 and others == total)):
        message = f"{layer.title} changes the axis of the batch: it keeps it with `dim: 0`"
        raise refused(message, span)
    sizes = tuple(total // others if size == -1 else size or 0 for size in rest)
    if prod(sizes) != total:
        message = f"{layer.title} makes {list(rest)} of {list(shape)}: the counts differ"
        raise refused(message, span)
    if sizes == shape:
        return [value]
    writer.is_fixed = True
    if len(sizes) == 1:
        return [writer.call("flatten", {}, [value], sizes)]
    return [writer.call("reshape", {"shape": list(sizes)}, [value], sizes)]


def replaced(
    layer: Layer, shape: Shape, wanted: list[int], start: int, count: int
) -> list[int | None]:
    """All sizes, with some replaced by others; None is that of the batch, which nobody knows."""
    before: list[int | None] = [None, *shape]
    rank = len(before)
    first = start + rank + 1 if start < 0 else start
    last = rank if count < 0 else first + count
    if not 0 <= first <= last <= rank:
        message = f"{layer.title} changes axes {first} to {last} of {rank}"
        raise refused(message, layer.span)
    sizes: list[int | None] = []
    for place, size in enumerate(wanted, first):
        if size == 0 and place >= rank:
            raise refused(f"{layer.title} keeps an axis that is not there", layer.span)
        sizes.append(before[place] if size == 0 else size)
    whole = [*before[:first], *sizes, *before[last:]]
    if not whole:
        raise refused(f"{layer.title} leaves no axis, and the first is the batch", layer.span)
    return whole


def split(writer: Writer, layer: Layer) -> list[Value]:
    """One blob under several names."""
    layer.settings("split_param").finish()
    if len(layer.bottoms) != 1:
        raise refused(f"{layer.title} takes one blob", layer.span)
    return [writer.bottom(layer)] * len(layer.tops)


def tile(writer: Writer, layer: Layer) -> list[Value]:
    """A blob several times along an axis."""
    record = layer.settings("tile_param")
    number, tiles = record.whole("axis", 1), record.whole("tiles", least=1)
    record.finish()
    value, shape = writer.only(layer)
    axis = writer.axis(layer, number, len(shape))
    if tiles > MOST_TILES:
        message = f"a blob is repeated at most {MOST_TILES} times here, not {tiles}"
        raise refused(message, record.span_of("tiles"))
    if tiles == 1:
        return [value]
    settings: dict[str, Setting] = {"axis": axis} if axis else {}
    joined = (*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :])
    return [writer.call("concat", settings, [value] * tiles, joined)]


def argmax(writer: Writer, layer: Layer) -> list[Value]:
    """The number of the largest along an axis."""
    record = layer.settings("argmax_param")
    axis = record.one("axis")
    top, with_value = record.whole("top_k", 1, least=1), record.flag("out_max_val", False)
    number = record.whole("axis", 1)
    record.finish()
    value, shape = writer.only(layer)
    if axis is None or top != 1 or with_value:
        message = "the language has a word for the largest along one `axis` alone"
        raise refused(message, layer.span)
    place = writer.axis(layer, number, len(shape))
    settings: dict[str, Setting] = {"axis": place, "keep": True}
    one = (*shape[:place], 1, *shape[place + 1 :])
    result = writer.call("argmax", settings, [value], one)
    result.dtype = "int64"
    return [result]
