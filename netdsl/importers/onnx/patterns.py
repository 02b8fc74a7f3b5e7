"""Several nodes that are one layer: SiLU, GELU, Mish, and layer normalisation taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.rows import taken_into
from netdsl.importers.onnx.values import Data, Known, Thing
from netdsl.importers.program import Call, Setting, Value

ROOT_OF_2 = 2**0.5
GATES = {"sigmoid": "silu", "hardsigmoid": "hardswish"}
"""What a value is that is multiplied by such a function of itself."""


def product_layer(to: Reader, things: list[Thing]) -> tuple[str, Value] | None:
    """The layer that a product is, and what flows into it: `x * sigmoid(x)`."""
    x, y = things
    if not isinstance(x, Data) or not isinstance(y, Data):
        return None
    for value, gate in ((x.value, y.value), (y.value, x.value)):
        call = to.maker(gate)
        if call is not None and call.layer in GATES and call.inputs == [value]:
            return GATES[call.layer], value
        inner = None if call is None or call.layer != "tanh" else to.maker(call.inputs[0])
        if inner is not None and inner.layer == "softplus" and inner.inputs == [value]:
            return "mish", value
    return None


def halved_layer(to: Reader, value: Value, number: Setting) -> Value | None:
    """What flows into a GELU: of `x * (1 + erf(x / sqrt(2))) * 0.5` the x."""
    call = to.maker(value)
    if number != 0.5 or call is None or call.layer != "mul" or len(call.inputs) != 2:
        return None
    for x, other in (call.inputs, call.inputs[::-1]):
        one = _made(to, other, "add", lambda n: n == 1)
        erf = None if one is None else _made(to, one, "erf")
        inner = None if erf is None else _made(to, erf, "div", _is_root)
        if inner is x:
            return x
    return None


def _is_root(number: object) -> bool:
    return isinstance(number, float) and abs(number - ROOT_OF_2) < 1e-6


def _made(
    to: Reader, value: Value, layer: str, of: Callable[[object], bool] | None = None
) -> Value | None:
    """What flows into the layer that makes a value, if it is this one, with such a number."""
    call = to.maker(value)
    if call is None or call.layer != layer or len(call.inputs) != 1:
        return None
    fits = of(call.settings.get("number")) if of is not None else True
    return call.inputs[0] if fits else None


def normalised(to: Reader, top: Value, bottom: Value) -> tuple[Value, dict[str, Setting]] | None:
    """What flows into the layer norm `(x - mean) / sqrt(variance + eps)`, and its settings."""
    less = to.maker(top)
    if less is None or less.layer != "sub" or len(less.inputs) != 2:
        return None
    x, mean = less.inputs
    root = _made(to, bottom, "sqrt")
    plus = None if root is None else to.maker(root)
    if plus is None or plus.layer != "add" or len(plus.inputs) != 1:
        return None
    eps = plus.settings.get("number")
    square = _made(to, plus.inputs[0], "mean")
    centred = None if square is None else _made(to, square, "pow", lambda n: n == 2)
    is_norm = centred is top and _made(to, mean, "mean") is x and isinstance(eps, float)
    axis = cast(Call, to.maker(mean)).settings.get("axis")
    if not is_norm or axis != cast(Call, to.maker(plus.inputs[0])).settings.get("axis"):
        return None
    rank = to.types[x].rank
    axes = list(axis) if isinstance(axis, list) else [axis]
    if axes != list(range(rank - len(axes), rank)):
        return None
    last: Setting = -1 if len(axes) == 1 else [cast(int, n) - rank for n in axes]
    return x, {"axis": last, "eps": cast(Setting, eps), "affine": False}


def taken_into_layernorm(node: Node, to: Reader) -> bool:
    """Let a factor or an offset be that of the layer norm before it; whether it could be."""

    def take(call: Call, x: Data, row: Known) -> bool:
        axes = call.settings["axis"]
        count = len(axes) if isinstance(axes, list) else 1
        shape = x.type.shape[x.type.rank - count :]
        if row.shape[row.rank - count :] != shape or row.count != np.prod(row.shape[-count:]):
            return False
        is_factor = node.operator == "Mul"
        free = call.settings.get("affine") is False if is_factor else _lacks_bias(call)
        if not free or x.groups[-1] != (x.type.rank - 1,) or x.rank < row.rank:
            return False
        own = cast("tuple[int, ...]", shape)
        to.own_weight(node, call, "weight" if is_factor else "bias", row, own)
        call.settings |= {"affine": True, "bias": not is_factor}
        return True

    return taken_into(node, to, "layernorm", take=take)


def _lacks_bias(call: Call) -> bool:
    return call.settings.get("affine", True) is True and call.settings.get("bias") is False
