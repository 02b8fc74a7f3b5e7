"""Darknet's activations in layers of the language, number for number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.importers.frontend import refused
from netdsl.importers.program import Setting, Value

if TYPE_CHECKING:
    from netdsl.importers.darknet.cfg import Section
    from netdsl.importers.darknet.writer import Writer

Step = tuple[str, dict[str, Setting]]
"""A layer and its settings."""

CHAINS: dict[str, tuple[Step, ...]] = {
    "linear": (),
    "logistic": (("sigmoid", {}),),
    "loggy": (("sigmoid", {}), ("mul", {"number": 2}), ("sub", {"number": 1})),
    "relu": (("relu", {}),),
    "relu6": (("relu6", {}),),
    "elu": (("elu", {}),),
    "selu": (("elu", {"alpha": 1.6732}), ("mul", {"number": 1.0507})),
    "gelu": (("gelu", {"approximate": "tanh"}),),
    "relie": (("leaky_relu", {"slope": 0.01}),),
    "leaky": (("leaky_relu", {"slope": 0.1}),),
    "revleaky": (("leaky_relu", {"slope": 0.1}),),
    "tanh": (("tanh", {}),),
    "hardtan": (("hardtanh", {}),),
    "swish": (("silu", {}),),
    "mish": (("mish", {}),),
}
"""Those that are a chain; Darknet's `selu` has its constants with four decimals."""
CONVOLUTION_ONLY = (
    "hard_mish",
    "normalize_channels",
    "normalize_channels_softmax",
    "normalize_channels_softmax_maxval",
)
"""Those that Darknet computes behind convolutions alone; elsewhere it gives zeros."""
WORDLESS = ("plse", "stair", "lhtan")
EPSILON = 0.0001
"""What `normalize_channels` adds to its sums."""


def activate(writer: Writer, section: Section, value: Value, default: str) -> Value:
    """A value behind the activation of its section."""
    name = section.word("activation", default)
    check(section, name)
    for layer, settings in CHAINS.get(name, ()):
        value = writer.call(layer, dict(settings), [value], value.shape)
    match name:
        case "ramp":
            positive = writer.call("relu", {}, [value], value.shape)
            tenth = writer.call("mul", {"number": 0.1}, [value], value.shape)
            return writer.call("add", {}, [positive, tenth], value.shape)
        case "hard_mish":
            return hard_mish(writer, value)
        case "normalize_channels":
            return shares(writer, writer.call("relu", {}, [value], value.shape))
        case "normalize_channels_softmax":
            return shares(writer, writer.call("exp", {}, [value], value.shape))
        case "normalize_channels_softmax_maxval":
            settings: dict[str, Setting] = {"axis": 0, "keep": True}
            most = writer.call("max", settings, [value], (1, *(value.shape or ())[1:]))
            less = writer.call("sub", {}, [value, most], value.shape)
            return shares(writer, writer.call("exp", {}, [less], value.shape))
        case _:
            return value


def check(section: Section, name: str) -> None:
    """Refuse what is no activation, and what Darknet does not compute in this layer."""
    span = section.span_of("activation")
    if name in WORDLESS:
        raise refused(f"the language has no word for the activation `{name}`", span)
    if name not in CHAINS and name not in CONVOLUTION_ONLY and name != "ramp":
        hint = "a comment stands on its own line" if "#" in name or ";" in name else ""
        message = f"`{name:.40}` is no activation: Darknet takes ReLU in its place"
        raise refused(message, span, help=hint or "write `activation=relu` if that is meant")
    if section.kind in ("convolutional", "conv"):
        return
    beside = ("swish", "mish") if section.kind != "shortcut" else ()
    if name in (*CONVOLUTION_ONLY, *beside):
        message = f"Darknet has no `{name}` in `[{section.kind}]`: it gives zeros there"
        raise refused(message, span, help="put it into a `[convolutional]`")


def hard_mish(writer: Writer, value: Value) -> Value:
    """x above 0, x * (x / 2 + 1) down to -2, and 0."""
    gate = writer.call("mul", {"number": 0.5}, [value], value.shape)
    gate = writer.call("add", {"number": 1}, [gate], value.shape)
    gate = writer.call("clamp", {"low": 0, "high": 1}, [gate], value.shape)
    return writer.call("mul", {}, [value, gate], value.shape)


def shares(writer: Writer, value: Value) -> Value:
    """Each channel over the sum of all, and a little."""
    one = (1, *(value.shape or ())[1:])
    total = writer.call("sum", {"axis": 0, "keep": True}, [value], one)
    total = writer.call("add", {"number": EPSILON}, [total], one)
    return writer.call("div", {}, [value, total], value.shape)
