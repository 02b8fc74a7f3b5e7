"""Activations, as layers and as the setting of others."""

from __future__ import annotations

from typing import Any, cast

from netdsl.importers.keras.net import Held, KerasNet, Reader, Use
from netdsl.importers.keras.settings import Settings, short

NAMED: dict[str, tuple[str, dict[str, Any]] | None] = {
    "linear": None,
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "celu": ("celu", {}),
    "gelu": ("gelu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "hard_silu": ("hardswish", {}),
    "hard_swish": ("hardswish", {}),
    "hard_sigmoid": ("hardsigmoid", {}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "mish": ("mish", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "exponential": ("exp", {}),
}
"""What each is here; None for nothing."""
ALONG = {"softmax": "softmax", "log_softmax": "log_softmax"}
"""Those that go along the last axis."""


def named(settings: Settings, value: Any) -> str:
    """The name of an activation; functions and layers are told by theirs."""
    if isinstance(value, dict):
        stated = cast("dict[str, Any]", value)
        inner = stated.get("config")
        value = inner if isinstance(inner, str) else None
    if value is None:
        return "linear"
    if not isinstance(value, str) or (value not in NAMED and value not in ALONG):
        known = ", ".join(sorted([*NAMED, *ALONG]))
        message = f"the activation `{short(value)}` is not known"
        settings.fail(message, help=f"known are {known}")
    return value


def activated(net: KerasNet, held: Held, name: str) -> Held:
    """After an activation."""
    if name in ALONG:
        axis = net.axis(held, len(held.order) - 1)
        return Held(net.call(ALONG[name], held.value, axis=axis), held.order)
    layer = NAMED[name]
    if layer is None:
        return held
    return Held(net.call(layer[0], held.value, **layer[1]), held.order)


def behind(use: Use, held: Held, setting: str = "activation") -> Held:
    """After the activation that a setting names."""
    return activated(use.net, held, named(use.settings, use.settings.get(setting)))


def activation(use: Use) -> Held:
    return behind(use, use.x)


def softmax(use: Use) -> Held:
    axis = use.settings.axis("axis", len(use.x.order), -1)
    call = use.net.call("softmax", use.x.value, axis=use.net.axis(use.x, axis))
    return Held(call, use.x.order)


def relu(use: Use) -> Held:
    settings = use.settings
    settings.only(threshold=0.0)
    slope, most = settings.real("negative_slope", 0.0), settings.get("max_value")
    if slope and most is not None:
        settings.fail("a slope and a largest value together have no word in the language")
    if slope:
        return _one(use, "leaky_relu", slope=slope)
    if most is None:
        return _one(use, "relu")
    most = settings.real("max_value")
    return _one(use, "relu6") if most == 6 else _one(use, "hardtanh", low=0.0, high=most)


def leaky_relu(use: Use) -> Held:
    old = "alpha" if "alpha" in use.layer.config else "negative_slope"
    return _one(use, "leaky_relu", slope=use.settings.real(old, 0.3))


def elu(use: Use) -> Held:
    return _one(use, "elu", alpha=use.settings.real("alpha", 1.0))


def prelu(use: Use) -> Held:
    """A slope for each channel; one for each cell has no word."""
    rank = len(use.x.order)
    shared = use.settings.get("shared_axes", [])
    axes = use.settings.axes("shared_axes", rank) if shared else []
    channel = 0 if use.net.is_first and rank > 1 else rank - 1
    rest = [axis for axis in range(rank) if axis != channel]
    order = use.net.channels_first(rank)
    value = use.net.ordered(use.x, order)
    count = use.net.channels(value)
    if sorted(axes) == list(range(rank)):
        count = 1
    elif sorted(axes) != rest:
        message = "slopes are read that are the same along all axes but the channels"
        use.settings.fail(message, help="`shared_axes=[1, 2]` on maps")
    use.net.keep((*use.path, "weight"), lambda parts: parts[0].reshape(-1))
    return Held(use.net.call("prelu", value, path=use.path, count=count), order)


def _one(use: Use, layer: str, **settings: Any) -> Held:
    return Held(use.net.call(layer, use.x.value, **settings), use.x.order)


LAYERS: dict[str, Reader] = {
    "Activation": activation,
    "Softmax": softmax,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "ELU": elu,
    "PReLU": prelu,
}
