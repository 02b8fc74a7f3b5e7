"""Layers without weights that take one value: pools, sizes, orders of cells."""

from __future__ import annotations

from netdsl.importers.darknet.activations import activate
from netdsl.importers.darknet.cfg import Section
from netdsl.importers.darknet.dense import strides
from netdsl.importers.darknet.state import State
from netdsl.importers.darknet.writer import Flow
from netdsl.importers.frontend import refused
from netdsl.importers.program import Axis, Computed, Number, Setting, Value


def maxpool(state: State, section: Section) -> Flow:
    """The largest of each window."""
    state.zero(section, "antialiasing", "maxpool_depth", "maxpool_zero_nonmax")
    return pooled(state, section, "maxpool")


def local_avgpool(state: State, section: Section) -> Flow:
    """The mean of the cells of each window that lie in the map."""
    return pooled(state, section, "avgpool")


def pooled(state: State, section: Section, layer: str) -> Flow:
    """A pool: its `padding` is that of both sides together, the odd cell on the far side."""
    stride = state.positive(section, "stride", 1)
    kernel = state.positive(section, "size", stride)
    steps = strides(state, section)
    total = section.whole("padding", kernel - 1)
    if not 0 <= total <= 2 * kernel - 2:
        message = f"`padding` is 0 to {2 * kernel - 2} for windows of {kernel}, not {total}"
        raise refused(message, section.span_of("padding"))
    flow = state.previous()
    value = flow.map(section)
    channels, height, width = flow.shape
    settings = padded(kernel, steps, total)
    if settings is None and layer == "avgpool":
        message = f"the language has no word for a mean with `padding={total}` here"
        raise refused(message, section.span_of("padding"))
    if settings is None:
        near, far = total // 2, total - total // 2
        edges: dict[str, Setting] = {
            "left": near, "right": far, "top": near, "bottom": far, "mode": "replicate"
        }  # fmt: skip
        wider = (channels, height + total, width + total)
        value = state.writer.call("pad", edges, [value], wider)
        settings = {}
    if layer == "avgpool":
        settings["count_include_pad"] = False
    settings |= {"kernel": kernel, "stride": steps}
    space = ((n + total - kernel) // s + 1 for n, s in zip((height, width), steps, strict=True))
    shape = (channels, *space)
    value = state.writer.call(layer, settings, [value], shape)
    return Flow(state.writer, section, shape, map=value)


def padded(kernel: int, steps: tuple[int, int], total: int) -> dict[str, Setting] | None:
    """How a pool says a padding of both sides together; None if it has no word for it."""
    near = total // 2
    if total % 2 == 0 and near <= kernel // 2:
        return {"padding": near}
    if steps == (1, 1) and total == kernel - 1:
        return {"padding": "same_upper"}
    if total % 2 and steps == (2, 2) and near + 1 < kernel and near <= kernel // 2:
        return {"padding": near, "ceil_mode": True}  # rounding up adds the odd cell
    return None


def avgpool(state: State, section: Section) -> Flow:
    """The mean of each channel: a map of one cell, or a vector."""
    flow = state.previous()
    image = flow.map(section)
    channels = flow.shape[0]

    def make(as_map: bool) -> Value:
        if as_map:
            return state.writer.call("adaptive_avgpool", {"size": 1}, [image], (channels, 1, 1))
        return state.writer.call("global_avgpool", {}, [image], (channels,))

    return Flow(state.writer, section, (channels, 1, 1), make=make)


def dropout(state: State, section: Section) -> Flow:
    """Nothing at inference; in training single numbers are dropped, of a map or of a vector."""
    flow = state.previous()
    flow.check(section)
    share = section.real("probability", 0.2)
    if not 0 <= share < 1:
        raise refused(f"a share is at least 0 and below 1, not {share}", section.span)
    if section.whole("dropblock", 0):
        state.remarks.append(
            f"{section.span}: `dropblock` drops squares in training: the layer is left out"
        )
        return flow

    def make(as_map: bool) -> Value:
        value = flow.map(section) if as_map else flow.vector(section)
        return state.writer.call("dropout", {"p": share}, [value], value.shape)

    return Flow(state.writer, section, flow.shape, make=make)


def activation(state: State, section: Section) -> Flow:
    """An activation by itself."""
    flow = state.previous()
    flow.check(section)
    value = activate(state.writer, section, flow.value(), "linear")
    is_map = value.shape is not None and len(value.shape) == 3
    return Flow(
        state.writer,
        section,
        flow.shape,
        map=value if is_map else None,
        vector=None if is_map else value,
    )


def upsample(state: State, section: Section) -> Flow:
    """Each cell `stride` times along both axes, times `scale`."""
    stride = section.whole("stride", 2)
    if stride < 1:
        message = f"the language has no word for `stride={stride}` in `[upsample]`"
        raise refused(message, section.span_of("stride"))
    flow = state.previous()
    value = flow.map(section)
    channels, height, width = flow.shape
    shape = (channels, height * stride, width * stride)
    value = state.writer.call("upsample", {"scale": stride}, [value], shape)
    scale = section.real("scale", 1.0)
    if scale != 1.0:
        value = state.writer.call("mul", {"number": scale}, [value], shape)
    return Flow(state.writer, section, shape, map=value)


def crop(state: State, section: Section) -> Flow:
    """The middle of the map, from [0, 1] to [-1, 1] unless `noadjust`."""
    flow = state.previous()
    value = flow.map(section)
    channels, height, width = flow.shape
    rows = state.positive(section, "crop_height", 1)
    columns = state.positive(section, "crop_width", 1)
    if rows > height or columns > width:
        message = f"a map of {height} x {width} cells has no {rows} x {columns} in it"
        raise refused(message, section.span)
    state.is_fixed = True  # of another image Darknet keeps another part
    shape = (channels, rows, columns)
    value = state.writer.call("center_crop", {"size": (rows, columns)}, [value], shape)
    if not section.whole("noadjust", 0):
        value = state.writer.call("mul", {"number": 2}, [value], shape)
        value = state.writer.call("sub", {"number": 1}, [value], shape)
    return Flow(state.writer, section, shape, map=value)


def reorg(state: State, section: Section) -> Flow:
    """Blocks of cells as channels, or back with `reverse`.

    `[reorg]` takes its own input for the wide map, and `[reorg3d]` its result; the first is the
    one with the wrong order of cells that YOLOv2 was trained with.
    """
    stride = state.positive(section, "stride", 1)
    is_reverse = bool(section.whole("reverse", 0))
    flow = state.previous()
    value = flow.map(section)
    channels, height, width = flow.shape
    area = stride * stride
    rows: Number = Axis(value, 1)
    columns: Number = Axis(value, 2)
    if is_reverse:
        shape = (channels // area, height * stride, width * stride)
        sizes = [Computed("*", (size, stride)) for size in (rows, columns)]
    else:
        shape = (channels * area, height // stride, width // stride)
        sizes = [Computed("/", (size, stride)) for size in (rows, columns)]
    is_wide = section.kind == "reorg"
    count = channels if is_wide else shape[0]
    if count % area or (is_reverse and channels % area):
        message = f"{section.title} takes a multiple of {area} channels, not {channels}"
        raise refused(message, section.span)
    if not is_reverse and (height % stride or width % stride):
        message = f"a map of {height} x {width} cells has no whole blocks of {stride} x {stride}"
        raise refused(message, section.span)
    high, wide = (rows, columns) if is_wide else sizes
    inner: list[Setting] = [count // area, high, stride, wide, stride]
    if is_reverse:
        inner = [stride, stride, count // area, high, wide]
    axes: list[Setting] = [2, 3, 0, 4, 1] if is_reverse else [2, 4, 0, 1, 3]
    value = state.writer.call("reshape", {"shape": inner}, [value], None)
    value = state.writer.call("permute", {"axes": axes}, [value], None)
    last: dict[str, Setting] = {"shape": [shape[0], *sizes]}
    value = state.writer.call("reshape", last, [value], shape)
    return Flow(state.writer, section, shape, map=value)
