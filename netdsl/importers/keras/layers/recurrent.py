"""Layers along a sequence: recurrent ones, and attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.keras.net import Held, Reader, Use
from netdsl.importers.keras.settings import Settings
from netdsl.importers.keras.structure import Layer, Tensor
from netdsl.importers.program import Value

if TYPE_CHECKING:
    import numpy

    Arrays = Sequence[numpy.ndarray]

ACTS = {"activation": "tanh", "recurrent_activation": "sigmoid"}
ORDER = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}
"""Where PyTorch's gates lie in Keras's."""


def recurrent(use: Use) -> Held:
    """One direction; its last step alone unless all are asked for."""
    whole = _hidden(use.settings, use.layer.kind)
    bias = use.settings.flag("use_bias", True)
    _keep(use, use.layer.kind, bias, "", ("cell",))
    return _result(use, use.layer.kind, whole, bias, use.settings, is_double=False)


def bidirectional(use: Use) -> Held:
    """Two directions, joined along the features."""
    settings = use.settings
    settings.only(merge_mode="concat")
    inner: list[Settings] = []
    for name in "layer", "backward_layer":
        stated = settings.get(name)
        if not isinstance(stated, dict):
            settings.fail(f"`{name}` is no layer")
        one = cast("dict[str, Any]", stated)
        kind, config = one.get("class_name"), one.get("config")
        if not isinstance(kind, str) or kind not in ORDER or not isinstance(config, dict):
            settings.fail(f"it is read with LSTM and GRU inside, not `{str(kind)[:40]}`")
        layer = Layer(use.layer.name, kind, "", cast("dict[str, Any]", config), use.layer.span)
        inner.append(Settings(layer))
    ahead, back = inner
    if back.flag("go_backwards") is not True or ahead.flag("go_backwards"):
        settings.fail("the second layer goes backwards, and the first does not")
    kind = ahead.layer.kind
    sizes = {_hidden(one, kind) for one in inner}
    biases = {one.flag("use_bias", True) for one in inner}
    steps = {one.flag("return_sequences") for one in inner}
    if len(sizes) > 1 or len(biases) > 1 or len(steps) > 1 or back.layer.kind != kind:
        settings.fail("both directions are of one kind and size")
    (bias,) = biases
    for suffix, part in ("", "forward_layer"), ("_reverse", "backward_layer"):
        _keep(use, kind, bias, suffix, (part, "cell"))
    held = _result(use, kind, sizes.pop(), bias, ahead, is_double=True)
    for one in inner:
        one.finish()
    return held


def _hidden(settings: Settings, kind: str) -> int:
    """The size, where the rest is as in PyTorch."""
    settings.only(**ACTS, return_state=False, stateful=False)
    if settings.layer.kind == "GRU":
        settings.only(reset_after=True)
    if "time_major" in settings.layer.config:
        settings.only(time_major=False)
    settings.taken |= {"unroll", "dropout", "recurrent_dropout", "unit_forget_bias", "use_cudnn"}
    settings.taken |= {"implementation", "zero_output_for_mask"}
    return settings.whole("units")


def _keep(use: Use, kind: str, bias: bool, suffix: str, part: tuple[str, ...]) -> None:
    """Where the weights of a direction come from."""
    order = ORDER[kind]

    def gates(values: numpy.ndarray) -> numpy.ndarray:
        import numpy as np

        parts = np.split(values, len(order), axis=0)
        return np.concatenate([parts[place] for place in order])

    def of_input(parts: Arrays) -> numpy.ndarray:
        return parts[2] if kind == "LSTM" else parts[2][0]

    def of_state(parts: Arrays) -> numpy.ndarray:
        return parts[2] * 0 if kind == "LSTM" else parts[2][1]

    keep = use.net.keep
    keep((*use.path, f"weight_ih_l0{suffix}"), lambda parts: gates(parts[0].T), part=part)
    keep((*use.path, f"weight_hh_l0{suffix}"), lambda parts: gates(parts[1].T), part=part)
    if bias:
        keep((*use.path, f"bias_ih_l0{suffix}"), lambda p: gates(of_input(p)), part=part)
        keep((*use.path, f"bias_hh_l0{suffix}"), lambda p: gates(of_state(p)), part=part)
        if kind == "LSTM":
            use.net.remark("an LSTM has two biases, as in PyTorch; the second is 0")


def _result(
    use: Use, kind: str, hidden: int, bias: bool, settings: Settings, *, is_double: bool
) -> Held:
    net = use.net
    if not is_double and settings.flag("go_backwards"):
        settings.fail("one that goes backwards alone has no word in the language")
    if len(use.x.order) != 2:
        use.settings.fail("it goes along steps with features, two axes")
    x = net.as_is(use.x)
    own: dict[str, Any] = {"hidden": hidden, "bias": bias}
    if is_double:
        own["bidirectional"] = True
    if settings.flag("return_sequences"):
        return net.plain(net.call(kind.lower(), x, path=use.path, **own))
    states = net.calls(kind.lower(), x, path=use.path, states=True, **own)[1]
    return net.plain(net.call("flatten", states))


# --- attention ------------------------------------------------------------------------------


def attention(use: Use) -> Held:
    """Projections, scaled products by heads, and a projection behind them."""
    settings, net = use.settings, use.net
    heads, key = settings.whole("num_heads"), settings.whole("key_dim")
    value = settings.get("value_dim", key)
    if type(value) is not int or not 1 <= value <= 10**6:
        settings.fail("`value_dim` is a whole number")
    bias = settings.flag("use_bias", True)
    settings.only(output_shape=None, attention_axes=[1], sliding_window=None)
    settings.taken |= {"dropout", "flash_attention", "use_gate"}
    settings.only(use_gate=False)
    named = {"query", "value", "key"}
    if set(use.kwargs) - {*named, "training", "use_causal_mask", "return_attention_scores"}:
        settings.fail("masks have no word here")
    places = [one for one, value in zip(("query", "value", "key"), use.args, strict=False) if value]
    places += [one for one, value in use.kwargs.items() if isinstance(value, Tensor)]
    flows = dict(zip(places, use.inputs, strict=False))
    is_plain = len(flows) == len(use.inputs) and {"query", "value"} <= flows.keys() <= named
    if use.kwargs.get("return_attention_scores") or not is_plain:
        settings.fail("it takes a query, a value and maybe a key, and gives one value")
    query, values = flows["query"], flows["value"]
    keys = flows.get("key", values)
    if any(len(one.order) != 2 for one in use.inputs):
        settings.fail("it takes steps with features, two axes")
    causal = use.kwargs.get("use_causal_mask") is True
    with net.within(use.path, use.layer.kind, *(one.value for one in use.inputs)):
        parts = [
            _projected(use, name, net.as_is(one), heads * size, bias)
            for name, one, size in (
                ("query", query, key),
                ("key", keys, key),
                ("value", values, value),
            )
        ]
        y = net.call("attend", *parts, heads=heads, causal=causal)
        features = net.shape(query.value)[query.order.index(1)]
        if not isinstance(features, int):
            settings.fail("the number of features is open")
        part = ("output_dense",)
        net.keep(("output", "weight"), lambda p: p[0].reshape(-1, p[0].shape[-1]).T, part=part)
        if bias:
            net.keep(("output", "bias"), lambda p: p[1], part=part)
        y = net.result(net.call("linear", y, path=("output",), features=features, bias=bias))
    return net.plain(y)


def _projected(use: Use, name: str, x: Value, features: int, bias: bool) -> Value:
    part = (f"{name}_dense",)
    use.net.keep((name, "weight"), lambda p: p[0].reshape(p[0].shape[0], -1).T, part=part)
    if bias:
        use.net.keep((name, "bias"), lambda p: p[1].reshape(-1), part=part)
    return use.net.call("linear", x, path=(name,), features=features, bias=bias)


LAYERS: dict[str, Reader] = {
    "LSTM": recurrent,
    "GRU": recurrent,
    "Bidirectional": bidirectional,
    "MultiHeadAttention": attention,
}
