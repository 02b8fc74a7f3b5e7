"""Where a network ends: softmax, costs, and what makes boxes of maps."""

from __future__ import annotations

from collections import Counter

from netdsl.importers.darknet.cfg import Section, plain
from netdsl.importers.darknet.state import State
from netdsl.importers.darknet.writer import Flow
from netdsl.importers.frontend import refused
from netdsl.importers.program import Output, Setting


def softmax(state: State, section: Section) -> Flow:
    """Shares of all numbers together, or of equal groups of them."""
    state.zero(section, "spatial")
    if "tree" in section.options:
        message = "the language has no word for the softmax of a tree"
        raise refused(message, section.span_of("tree"))
    flow = state.previous()
    value = flow.vector(section)
    count = flow.count
    temperature = section.real("temperature", 1.0)
    if temperature <= 0:
        message = f"`temperature` is above 0, not {temperature}"
        raise refused(message, section.span_of("temperature"))
    groups = state.positive(section, "groups", 1)
    if count % groups:
        message = f"{count} numbers are no {groups} equal groups"
        raise refused(message, section.span_of("groups"))
    if temperature != 1.0:
        value = state.writer.call("div", {"number": temperature}, [value], (count,))
    if groups > 1:
        shape = (groups, count // groups)
        parts: dict[str, Setting] = {"shape": list(shape)}
        value = state.writer.call("reshape", parts, [value], shape)
        value = state.writer.call("softmax", {"axis": -1}, [value], shape)
        value = state.writer.call("flatten", {}, [value], (count,))
    else:
        value = state.writer.call("softmax", {}, [value], (count,))
    return Flow(state.writer, section, (count,), vector=value)


def head(state: State, section: Section) -> Flow:
    """The end of a branch: what it takes is an output."""
    flow = state.previous()
    flow.check(section)
    wanted, formula = boxes(state, section)
    is_vector = section.kind == "detection"
    there = flow.count if is_vector else flow.shape[0]
    if wanted not in (0, there):
        what = "numbers" if is_vector else "channels"
        raise refused(
            f"`[{section.kind}]` makes boxes of {formula} = {wanted} {what}, and takes {there}",
            section.span,
            help="mend `filters` of the layer before, or `classes`",
        )
    return Flow(state.writer, section, flow.shape, make=lambda _: flow.value(), head=section.kind)


def boxes(state: State, section: Section) -> tuple[int, str]:
    """How many channels a head takes, or numbers, and how that comes; 0 for one that takes any."""
    if section.kind in ("cost", "contrastive"):
        return 0, ""
    classes = state.positive(section, "classes", 1 if section.kind == "detection" else 20)
    count = state.positive(section, "num", 1)
    if section.kind == "detection":
        side, coords = state.positive(section, "side", 7), state.positive(section, "coords", 1)
        cells = side * side
        formula = f"{side} * {side} * ({count} * (1 + {coords}) + {classes})"
        return cells * (count * (1 + coords) + classes), formula
    if "mask" in section.options and section.kind != "region":
        count = plain(section.options["mask"].value).count(",") + 1
    coords = state.positive(section, "coords", 4) if section.kind == "region" else 4
    coords *= 2 if section.kind == "Gaussian_yolo" else 1
    return count * (coords + 1 + classes), f"{count} * ({coords} + 1 + {classes})"


def outputs(state: State) -> list[Output]:
    """What heads take, each named after its head; and what the last layer gives."""
    named: list[tuple[str, Flow, Section]] = []
    for before, flow in zip([None, *state.flows], state.flows, strict=False):
        if flow.head:
            is_shares = flow.head == "cost" and before is not None and is_softmax(before)
            named.append(("softmax" if is_shares else flow.head.lower(), flow, flow.section))
    last = state.flows[-1]
    if not last.head:
        named.append(("softmax" if is_softmax(last) else "out", last, last.section))
    counts = Counter(name for name, _, _ in named)
    return [
        Output(name if counts[name] == 1 else f"{name}{section.number}", flow.value(), section.span)
        for name, flow, section in named
    ]


def is_softmax(flow: Flow) -> bool:
    """Whether shares flow."""
    return flow.section.kind in ("softmax", "soft")
