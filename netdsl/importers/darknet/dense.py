"""Layers with weights: convolutions, dense layers, convolutions without shared weights, norms."""

from __future__ import annotations

from netdsl.importers.darknet.activations import activate
from netdsl.importers.darknet.cfg import Section
from netdsl.importers.darknet.state import Shared, State
from netdsl.importers.darknet.writer import Flow, Stored, Writer
from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Path, Setting, Table, Value

WORDLESS = (
    "antialiasing", "binary", "coordconv", "reverse", "rotate", "stretch", "stretch_sway", "sway",
    "xnor",
)  # fmt: skip
"""Options of a convolution that change what it computes, in ways that have no word."""
SIZES = ("filters", "groups", "size")


def convolutional(state: State, section: Section) -> Flow:
    """A convolution, batch normalisation where it has one, and an activation."""
    state.zero(section, *WORDLESS)
    flow = state.previous()
    image = flow.map(section)
    channels, height, width = flow.shape
    settings = windows(state, section, channels)
    is_normalised = bool(section.whole("batch_normalize", 0) or section.whole("cbn", 0))
    settings["bias"] = not is_normalised
    filters, groups, kernel = (state.positive(section, key, 1) for key in SIZES)
    rows, columns = strides(state, section)
    padding = half_padding(section, kernel)
    height = (height + 2 * padding - kernel) // rows + 1
    width = (width + 2 * padding - kernel) // columns + 1
    own = shared(state, section, (filters, channels, groups, kernel), is_normalised)
    shape = (filters, height, width)
    writer, path = state.writer, (str(own.number),)
    with writer.region(section, "Convolutional", [image]) as region:
        value = Value(shape=shape)
        call = Call("conv", settings, [image], [value], section.span, (*path, "conv"))
        writer.add(call)
        if is_normalised:
            value = writer.call("batchnorm", {}, [value], shape, (*path, "bn"))
        value = activate(writer, section, value, "logistic")
        region.outputs = [value]
    if own.number == section.number:
        store(writer, section, path, own.weight, is_normalised)
    own.calls.append(call)
    return Flow(writer, section, shape, map=value)


def windows(state: State, section: Section, channels: int) -> dict[str, Setting]:
    """The settings of a convolution, if Darknet computes what they say."""
    filters, groups, kernel = (state.positive(section, key, 1) for key in SIZES)
    for count, name in (channels, "channels that come in"), (filters, "filters"):
        if count % groups:
            message = f"{count} {name} are not divided by {groups} groups"
            raise refused(message, section.span_of("groups"))
    dilation = state.positive(section, "dilation", 1) if kernel > 1 else 1
    padding = half_padding(section, kernel)
    if dilation > 1 and 2 * padding != kernel - 1:
        raise refused(
            f"with `dilation={dilation}` Darknet counts wrong where the padding is {padding}, not "
            f"{(kernel - 1) / 2:g}: it reads cells that are not there",
            section.span_of("dilation"),
        )
    return {
        "channels": filters,
        "kernel": kernel,
        "stride": strides(state, section),
        "padding": padding * dilation,
        "dilation": dilation,
        "groups": groups,
    }


def tabled(state: State) -> None:
    """Make tables of weights that convolutions share which are not alike in other ways.

    One layer has one stride and one dilation; a table may be the weight of several layers.
    """
    for own in {own.number: own for own in state.convolutions.values()}.values():
        if any(call.settings != own.calls[0].settings for call in own.calls):
            make_tables(state.writer, own)


def make_tables(writer: Writer, own: Shared) -> None:
    """Tables under the keys that the weights of a convolution have anyway, for all its calls."""
    names = ("weight",) if own.is_normalised else ("weight", "bias")
    for name in names:
        path = (str(own.number), "conv", name)
        value = Value(shape=own.weight if name == "weight" else own.weight[:1])
        fill = "kaiming_normal" if name == "weight" else 0.0
        origin = own.calls[0].origin
        place = sum(isinstance(item, Table) for item in writer.root.items)  # in front, in order
        table = Table(value, path, value.shape or (), origin, fill=fill)
        writer.root.items.insert(place, table)
        for call in own.calls:
            call.settings[name] = value
    for call in own.calls:
        call.path = ()


def strides(state: State, section: Section) -> tuple[int, int]:
    """Steps along height and width: `stride`, or each by its own."""
    both = state.positive(section, "stride", 1)
    across, down = section.whole("stride_x", -1), section.whole("stride_y", -1)
    return (down if down > 0 else both), (across if across > 0 else both)


def half_padding(section: Section, kernel: int) -> int:
    """Cells on each side: half the kernel with `pad`, else what `padding` says."""
    if section.whole("pad", 0):
        return kernel // 2
    padding = section.whole("padding", 0)
    if padding < 0:
        raise refused(f"`padding` is at least 0, not {padding}", section.span_of("padding"))
    return padding


def shared(state: State, section: Section, shape: tuple[int, ...], is_normalised: bool) -> Shared:
    """The layer whose weights a convolution has: itself, or an earlier one."""
    own = Shared(section.number, shape, is_normalised)
    if "share_index" in section.options:
        span = section.span_of("share_index")
        flow = state.at(section.whole("share_index", 0), section, span)
        number = flow.section.number
        other = state.convolutions.get(number)
        if other is None:
            raise refused(f"layer {number} is no convolution whose weights can be shared", span)
        if (other.shape, other.is_normalised) != (shape, is_normalised):
            words = "filters, channels, groups and size"
            raise refused(
                f"{section.title} shares the weights of layer {other.number}, and its {words} "
                f"are {shape}, not {other.shape}, or only one has `batch_normalize`",
                span,
            )
        own = other
    state.convolutions[section.number] = own
    return own


def connected(state: State, section: Section) -> Flow:
    """A dense layer on all numbers of what comes in."""
    flow = state.previous()
    vector = flow.vector(section)
    features = state.positive(section, "output", 1)
    is_normalised = bool(section.whole("batch_normalize", 0))
    writer, path = state.writer, (str(section.number),)
    settings: dict[str, Setting] = {"features": features, "bias": not is_normalised}
    with writer.region(section, "Connected", [vector]) as region:
        value = writer.call("linear", settings, [vector], (features,), (*path, "fc"))
        if is_normalised:
            value = writer.call("batchnorm", {}, [value], (features,), (*path, "bn"))
        value = activate(writer, section, value, "logistic")
        region.outputs = [value]
    bias = (*path, "bn", "bias") if is_normalised else (*path, "fc", "bias")
    writer.stored.append(Stored(".".join(bias), (features,)))
    weight = Stored(".".join((*path, "fc", "weight")), (features, flow.count), "connected")
    writer.stored.append(weight)
    if is_normalised:
        store_norm(writer, path, features)
    return Flow(writer, section, (features, 1, 1), vector=value)


def store(
    writer: Writer, section: Section, path: Path, shape: tuple[int, ...], is_normalised: bool
) -> None:
    """The weights of a convolution in the order of the file."""
    bias = (*path, "bn", "bias") if is_normalised else (*path, "conv", "bias")
    writer.stored.append(Stored(".".join(bias), shape[:1]))
    if is_normalised:
        store_norm(writer, path, shape[0])
    turned = "flipped" if section.whole("flipped", 0) else ""
    writer.stored.append(Stored(".".join((*path, "conv", "weight")), shape, turned))


def store_norm(writer: Writer, path: Path, channels: int) -> None:
    """Scales and statistics, which follow the offsets."""
    for name in "weight", "running_mean", "running_var":
        writer.stored.append(Stored(".".join((*path, "bn", name)), (channels,)))


def batchnorm(state: State, section: Section) -> Flow:
    """Batch normalisation by itself."""
    flow = state.previous()
    image = flow.map(section)
    path = (str(section.number),)
    with state.writer.region(section, "Batchnorm", [image]) as region:
        value = state.writer.call("batchnorm", {}, [image], flow.shape, (*path, "bn"))
        region.outputs = [value]
    state.writer.stored.append(Stored(f"{section.number}.bn.bias", flow.shape[:1]))
    store_norm(state.writer, path, flow.shape[0])
    return Flow(state.writer, section, flow.shape, map=value)


def local(state: State, section: Section) -> Flow:
    """A convolution with weights of its own at each place of the map.

    The windows become columns, and each is multiplied by the matrix of its place.
    """
    flow = state.previous()
    image = flow.map(section)
    channels, height, width = flow.shape
    filters = state.positive(section, "filters", 1)
    kernel = state.positive(section, "size", 1)
    stride = state.positive(section, "stride", 1)
    padding = section.whole("pad", 0)
    if padding not in (0, 1) or (padding == 1 and kernel != 3):
        message = f"Darknet reads beyond the map where `pad={padding}` and the size is {kernel}"
        raise refused(message, section.span_of("pad"), help="`pad=1` goes with `size=3`")
    rows, columns = ((size + 2 * padding - kernel) // stride + 1 for size in (height, width))
    if rows < 1 or columns < 1:
        raise refused(f"{section.title} has windows larger than its map", section.span)
    state.is_fixed = True  # there are weights for these places alone
    places, numbers = rows * columns, channels * kernel * kernel
    windows: dict[str, Setting] = {"kernel": kernel, "stride": stride, "padding": padding}
    writer, path = state.writer, (str(section.number), "local")
    with writer.region(section, "Local", [image]) as region:
        weight = writer.table((*path, "weight"), (places, filters, numbers), "kaiming_normal")
        bias = writer.table((*path, "bias"), (filters, rows, columns))
        value = writer.call("unfold", windows, [image], (numbers, places))
        value = turned(writer, value, [1, 0], (places, numbers, 1))
        value = writer.call("matmul", {}, [weight, value], (places, filters, 1))
        value = reshaped(writer, value, (places, filters))
        value = turned(writer, value, [1, 0], (filters, rows, columns))
        value = writer.call("add", {}, [value, bias], (filters, rows, columns))
        value = activate(writer, section, value, "logistic")
        region.outputs = [value]
    writer.stored.append(Stored(".".join((*path, "bias")), (filters, rows, columns)))
    writer.stored.append(Stored(".".join((*path, "weight")), (places, filters, numbers)))
    return Flow(writer, section, (filters, rows, columns), map=value)


def turned(writer: Writer, value: Value, axes: list[Setting], shape: tuple[int, ...]) -> Value:
    """A value with its axes in another order, in another shape."""
    assert value.shape is not None
    order = tuple(value.shape[int(str(axis))] for axis in axes)
    return reshaped(writer, writer.call("permute", {"axes": axes}, [value], order), shape)


def reshaped(writer: Writer, value: Value, shape: tuple[int, ...]) -> Value:
    """A value in another shape."""
    return writer.call("reshape", {"shape": list(shape)}, [value], shape)
