"""Layers that take what several layers give."""

from __future__ import annotations

from netdsl.diagnostics import Span
from netdsl.importers.darknet.activations import activate
from netdsl.importers.darknet.cfg import Section
from netdsl.importers.darknet.state import State
from netdsl.importers.darknet.writer import Flow
from netdsl.importers.frontend import refused
from netdsl.importers.program import Setting, Value


def empty(state: State, section: Section) -> Flow:
    """Nothing."""
    flow = state.previous()
    flow.check(section)
    return flow


def route(state: State, section: Section) -> Flow:
    """The channels of other layers one after the other, or of each the same share."""
    span = section.span_of("layers")
    numbers = section.wholes("layers")
    flows = [state.at(number, section, span) for number in numbers]
    groups = state.positive(section, "groups", 1)
    part = section.whole("group_id", 0)
    if not 0 <= part < groups:
        message = f"`group_id` is 0 to {groups - 1}, not {part}"
        raise refused(message, section.span_of("group_id"))
    for flow in flows:
        flow.check(section)
    if len(flows) == 1 and groups == 1:
        return flows[0]
    values = [flow.map(section) for flow in flows]
    sizes = {flow.shape[1:] for flow in flows}
    if len(sizes) > 1:
        text = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise refused(f"{section.title} joins maps of {text} cells", span)
    for number, value, flow in zip(numbers, values, flows, strict=True):
        if number >= 0 and not value.name and value is not state.image:
            value.name = f"layer{flow.section.number}"
    if groups > 1:
        values = [
            share(state, section, flow, value, groups, part)
            for flow, value in zip(flows, values, strict=True)
        ]
    height, width = flows[0].shape[1:]
    shape = (sum(flow.shape[0] // groups for flow in flows), height, width)
    value = values[0]
    if len(values) > 1:
        value = state.writer.call("concat", {}, values, shape)
    return Flow(state.writer, section, shape, map=value)


def share(
    state: State, section: Section, flow: Flow, value: Value, groups: int, part: int
) -> Value:
    """One of equal groups of channels."""
    channels, height, width = flow.shape
    if channels % groups:
        message = f"{channels} channels of {flow.section.title} are no {groups} equal groups"
        raise refused(message, section.span_of("groups"))
    size = channels // groups
    return sliced(state, value, part * size, size, (height, width))


def sliced(state: State, value: Value, start: int, count: int, size: tuple[int, ...]) -> Value:
    """Some channels of a map."""
    settings: dict[str, Setting] = {"axis": 0, "start": start, "stop": start + count}
    return state.writer.call("slice", settings, [value], (count, *size))


def shortcut(state: State, section: Section) -> Flow:
    """The sum with earlier layers; of different channels the first ones meet."""
    for key in "weights_type", "weights_normalization":
        if section.word(key, "none") != "none":
            message = f"the language has no word for `{key}` in `[shortcut]`"
            raise refused(message, section.span_of(key))
    span = section.span_of("from")
    flow = state.previous()
    value = flow.map(section)
    inputs = [flow.map(section)]
    others = [state.at(number, section, span) for number in section.wholes("from")]
    values = [other.map(section) for other in others]
    if all(other.shape == flow.shape for other in others):
        value = state.writer.call("add", {}, [*inputs, *values], flow.shape)
    else:
        for other, addend in zip(others, values, strict=True):
            value = added(state, section, flow, value, other, addend)
    value = activate(state.writer, section, value, "linear")
    return Flow(state.writer, section, flow.shape, map=value)


def added(
    state: State, section: Section, flow: Flow, value: Value, other: Flow, addend: Value
) -> Value:
    """The sum with a layer that may have other channels, and other cells."""
    span = section.span_of("from")
    addend = thinned(state, section, flow, other, addend, span)
    mine, theirs, size = flow.shape[0], other.shape[0], flow.shape[1:]
    if theirs > mine:
        addend = sliced(state, addend, 0, mine, size)
    if theirs >= mine:
        return state.writer.call("add", {}, [value, addend], flow.shape)
    first = sliced(state, value, 0, theirs, size)
    rest = sliced(state, value, theirs, mine - theirs, size)
    total = state.writer.call("add", {}, [first, addend], (theirs, *size))
    return state.writer.call("concat", {}, [total, rest], flow.shape)


def thinned(
    state: State, section: Section, flow: Flow, other: Flow, addend: Value, span: Span
) -> Value:
    """Of a larger map every n-th cell, as Darknet took them before 2020; later it stops there."""
    if other.shape[1:] == flow.shape[1:]:
        return addend
    (height, width), (high, wide) = flow.shape[1:], other.shape[1:]
    step = high // height
    if step < 2 or (high, wide) != (step * height, step * width):
        raise refused(
            f"{section.title} adds maps of {height} x {width} and {high} x {wide} cells", span
        )
    state.is_fixed = True
    state.remarks.append(
        f"{span}: maps of {height} x {width} and {high} x {wide} cells are added: of the "
        f"larger one cells 0, {step}, ... are taken, as in Darknet before 2020"
    )
    for axis in 1, 2:
        settings: dict[str, Setting] = {"axis": axis, "step": step}
        shape = (other.shape[0], height, wide if axis == 1 else width)
        addend = state.writer.call("slice", settings, [addend], shape)
    return addend


def scale_channels(state: State, section: Section) -> Flow:
    """The channels of an earlier layer, each times one number of this one."""
    state.zero(section, "scale_wh")
    span = section.span_of("from")
    other = source(state, section)
    flow = state.previous()
    gate, value = flow.map(section), other.map(section)
    if flow.shape != (other.shape[0], 1, 1):
        message = (
            f"{section.title} takes one number for each of {other.shape[0]} channels, not a map "
            f"of {' x '.join(map(str, flow.shape))}"
        )
        raise refused(message, span)
    value = state.writer.call("mul", {}, [value, gate], other.shape)
    value = activate(state.writer, section, value, "linear")
    return Flow(state.writer, section, other.shape, map=value)


def sam(state: State, section: Section) -> Flow:
    """The numbers of an earlier layer, each times one of this one."""
    other = source(state, section)
    flow = state.previous()
    gate, value = flow.map(section), other.map(section)
    if flow.shape != other.shape:
        message = (
            f"{section.title} multiplies maps of equal shapes, not {flow.shape}, {other.shape}"
        )
        raise refused(message, section.span_of("from"))
    value = state.writer.call("mul", {}, [value, gate], other.shape)
    value = activate(state.writer, section, value, "linear")
    return Flow(state.writer, section, other.shape, map=value)


def source(state: State, section: Section) -> Flow:
    """The layer that `from` names."""
    numbers = section.wholes("from")
    if len(numbers) != 1:
        message = f"`from` is one layer here, not {len(numbers)}"
        raise refused(message, section.span_of("from"))
    return state.at(numbers[0], section, section.span_of("from"))
