"""Modules that are layers, and what regions need to know of a module."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdsl.importers.program import Setting
from netdsl.importers.torch.lows import ABSENT, BATCH, Low, Refusal
from netdsl.importers.torch.rules.own import own
from netdsl.importers.torch.rules.rule import in_order, pair, rule
from netdsl.importers.torch.rules.weighted import conv as conv_rule
from netdsl.importers.torch.wholes import is_own_forward, is_same_conv, is_same_pool, is_shifted

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

SEQUENCES = (nn.Sequential, nn.ModuleList)
WORDS = 400
"""Longer documentation of a class says more than what its blocks are."""


def kind(module: nn.Module | None) -> tuple[str, bool]:
    """The class of a module, empty for a container; and whether its parts are numbered."""
    if module is None or type(module) in (*SEQUENCES, nn.ModuleDict):
        return "", isinstance(module, SEQUENCES)
    return type(module).__name__, isinstance(module, SEQUENCES)


SECTION = re.compile(
    r"\n\s*\n|\n\s*(?:Args|Arguments|Parameters|Inputs?|Returns?|Examples?|Note)\s*:"
)
"""Where the first paragraph ends."""


def doc(module: nn.Module | None) -> str:
    """The first paragraph of the documentation of a class of the user."""
    text = inspect.getdoc(type(module)) if module is not None else None
    if not text or type(module).__module__.startswith("torch.") or text == nn.Module.__doc__:
        return ""
    return " ".join(SECTION.split(text)[0].split())[:WORDS] if type(module).__doc__ else ""


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one of torch's that holds no others."""
    if type(module).__module__.startswith("torch.nn.") and not isinstance(
        module, (*SEQUENCES, nn.ModuleDict)
    ):
        return not any(True for _ in module.children()) or isinstance(module, nn.MultiheadAttention)
    return False


@rule("module")
def module(to: Builder, one: nn.Module, *arguments: Any, **keywords: Any) -> Any:
    """A module that is taken as a whole."""
    if type(one) in to.made.plugged:
        return own(to, one, to.made.plugged[type(one)], *arguments, **keywords)
    if is_same_conv(one):
        return same_conv(to, one, *arguments, **keywords)
    if is_same_pool(one):
        return same_pool(to, one, *arguments, **keywords)
    if is_shifted(one):
        return shifted(to, one, *arguments, **keywords)
    for cls, function in _WHOLE:
        if isinstance(one, cls) and is_own_forward(one):
            return function(to, one, *arguments, **keywords)
    return drop_path(to, one, *arguments, **keywords)


def shifted(to: Builder, one: Any, input: Any) -> Low:
    """torchvision's attention in windows."""
    assert to.op is not None
    low = to.plain(input)
    sides, steps = set(one.window_size), set(one.shift_size)
    if (
        not low.is_plain
        or len(sides) != 1
        or len(steps) != 1
        or one.attention_dropout
        or one.dropout
    ):
        raise Refusal("windows that are not square, or dropouts in them, have no word here")
    if one.qkv.bias is None or one.proj.bias is None:
        raise Refusal("windows without biases have no word here")
    path = tuple(to.op.module.split("."))
    to.used |= {key for key in to.made.stored if key.startswith(f"{to.op.module}.")}
    return to.same(
        "window_attention",
        low,
        path,
        heads=one.num_heads,
        window=sides.pop(),
        shift=steps.pop(),
        cosine=hasattr(one, "logit_scale"),
    )


def identity(to: Builder, one: nn.Identity, input: Any, *rest: Any) -> Low:
    return to.low(input)


def dropout(to: Builder, one: Any, input: Any) -> Low:
    low = to.low(input)
    is_plain = isinstance(one, nn.Dropout)
    if not is_plain and isinstance(one, nn.AlphaDropout | nn.FeatureAlphaDropout):
        raise Refusal("the language has no word for it")
    return (
        to.same("dropout" if is_plain else "channel_dropout", low, p=float(one.p)) if one.p else low
    )


def drop_path(to: Builder, one: nn.Module, input: Any, *rest: Any) -> Low:
    low = to.low(input)
    p: Any = getattr(one, "drop_prob", getattr(one, "p", _UNKNOWN))
    if p is _UNKNOWN or not _drops_samples(one, float(p or 0)):
        raise Refusal(
            f"`{type(one).__name__}` does otherwise than to drop whole samples",
            "give it another name, so that it is looked into",
        )
    return to.same("drop_path", low, p=float(p)) if p else low


_UNKNOWN = object()


def _drops_samples(one: nn.Module, p: float) -> bool:
    """Whether a module drops whole samples in training and scales the others; tried out."""
    was = one.training
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(0)
            one.train(True)
            numbers = torch.rand(256, 2, 3, 4) + 0.5
            rows = (one(numbers.clone()) / numbers).flatten(1)
            one.train(False)
            is_still = bool((one(numbers.clone()) == numbers).all())
    finally:
        one.train(was)
    is_whole = bool(((rows - rows[:, :1]).abs() < 1e-4).all())
    scaled = rows[:, 0] / (1 / (1 - p)) if p < 1 else rows[:, 0]
    share = (scaled == 0).float().mean().item()
    is_known = bool((((scaled - 1).abs() < 1e-4) | (scaled == 0)).all())
    return is_still and is_whole and is_known and abs(share - p) < 0.15


def multihead(
    to: Builder,
    one: nn.MultiheadAttention,
    query: Any,
    key: Any,
    value: Any,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """The layer `attention`; its second result, the weights, can't be used."""
    assert to.op is not None
    if one.bias_k is not None or one.add_zero_attn or key_padding_mask is not None:
        raise Refusal("extra keys, and masks of padding, have no word here")
    if attn_mask is not None:
        raise Refusal(
            "a mask of a whole module is not read yet", "use scaled_dot_product_attention"
        )
    lows = [to.plain(part) for part in (query, key, value)]
    batch = 0 if one.batch_first else 1
    for low in lows:
        if low.rank != 3 or low.layout[batch] != (BATCH,):
            raise Refusal("this takes tokens `[batch, tokens, features]`")
    values = [low.value for low in lows]
    if values[1] is values[2]:
        values.pop()
        if values[0] is values[1]:
            values.pop()
    settings: dict[str, Setting] = {
        "heads": one.num_heads,
        "dropout": float(one.dropout),
        "bias": one.in_proj_bias is not None,
    }
    if is_causal:
        settings["causal"] = True
    path = tuple(to.op.module.split("."))
    to.used |= {key for key in to.made.stored if key.startswith(f"{to.op.module}.")}
    result = to.call("attention", values, path, **settings)
    low = lows[0].resized(result, 1, lows[0].sizes[1])
    return (low, ABSENT) if need_weights else (low, None)


def padded_conv(to: Builder, one: Any, input: Any) -> Low:
    """A convolution whose padding is not of zeros."""
    assert to.op is not None
    weight = to.weight(f"{to.op.module}.weight")
    bias = to.weight(f"{to.op.module}.bias") if one.bias is not None else None
    to.ways.setdefault(weight.key, {""})
    if one.transposed:
        raise Refusal("a transposed convolution with such padding")
    return conv_rule(
        to, input, weight, bias, one.stride, one.padding, one.dilation, one.groups, one.padding_mode
    )


def same_conv(to: Builder, one: Any, input: Any) -> Low:
    """A convolution whose padding follows the size: `ceil(in / stride)` cells."""
    assert to.op is not None
    weight = to.weight(f"{to.op.module}.weight")
    bias = to.weight(f"{to.op.module}.bias") if one.bias is not None else None
    to.ways.setdefault(weight.key, {""})
    if any(one.padding):
        raise Refusal("it pads besides")
    return conv_rule(to, input, weight, bias, one.stride, "same_upper", one.dilation, one.groups)


def same_pool(to: Builder, one: Any, input: Any) -> Low:
    """A pool whose padding follows the size. A mean counts it, as zeros are padded before."""
    low = to.plain(input)
    in_order(low, 2)
    if any(one.padding) or one.ceil_mode:
        raise Refusal("it pads besides")
    settings: dict[str, Setting] = {
        "kernel": pair(one.kernel_size, 2),
        "stride": pair(one.stride, 2),
        "padding": "same_upper",
    }
    if isinstance(one, nn.MaxPool2d):
        settings["dilation"] = pair(one.dilation, 2)
        return to.result(to.call("maxpool", [low.value], **settings), low)
    return to.result(to.call("avgpool", [low.value], **settings), low)


def recurrent(to: Builder, one: nn.RNNBase, input: Any, hx: Any = None) -> Any:
    """`lstm`, `gru` or `rnn`, with the last states where something takes them."""
    assert to.op is not None
    low = to.plain(input)
    batch = 0 if one.batch_first else 1
    if low.rank != 3 or low.layout[batch] != (BATCH,) or getattr(one, "proj_size", 0):
        raise Refusal("this takes steps `[batch, steps, features]`, without a projection")
    if hx is not None:
        raise Refusal("the states that it begins with are not read yet")
    layer = {"LSTM": "lstm", "GRU": "gru"}.get(type(one).__name__, "rnn")
    settings: dict[str, Setting] = {
        "hidden": one.hidden_size,
        "layers": one.num_layers,
        "bidirectional": one.bidirectional,
        "bias": bool(one.bias),
        "dropout": float(one.dropout),
    }
    if layer == "rnn":
        settings["mode"] = str(getattr(one, "nonlinearity", "tanh"))
    path = tuple(to.op.module.split("."))
    to.used |= {key for key in to.made.stored if key.startswith(f"{to.op.module}.")}
    count = 3 if layer == "lstm" else 2
    uses_states = any(to.is_used(number) for number in to.op.outputs[1:])
    results = to.calls(
        layer, [low.value], count if uses_states else 1, path, states=uses_states, **settings
    )
    size = (one.hidden_size * (2 if one.bidirectional else 1),) * to.runs
    steps = low.resized(results[0], 1, size)
    if not uses_states:
        absent = (ABSENT, ABSENT) if layer == "lstm" else ABSENT
        return steps, absent
    rows = one.num_layers * (2 if one.bidirectional else 1)
    sizes = ((rows,) * to.runs, (one.hidden_size,) * to.runs)
    states = [Low(value, ((0,), (BATCH,), (1,)), sizes) for value in results[1:]]
    return steps, (tuple(states) if layer == "lstm" else states[0])


_WHOLE: list[tuple[Any, Any]] = [
    (nn.Identity, identity),
    (nn.MultiheadAttention, multihead),
    (nn.RNNBase, recurrent),
    (nn.modules.conv._ConvNd, padded_conv),
    (nn.modules.dropout._DropoutNd, dropout),
]
