"""Functions of single numbers."""

from __future__ import annotations

from netdsl.importers.onnx.layouts import as_language, together, value_of
from netdsl.importers.onnx.load import decimal
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.quantity import Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known
from netdsl.importers.program import Setting

PLAIN = {
    "Abs": "abs", "Cos": "cos", "Erf": "erf", "Exp": "exp", "HardSwish": "hardswish", "Log": "log",
    "Mish": "mish", "Reciprocal": "reciprocal", "Relu": "relu", "Sigmoid": "sigmoid",
    "Sign": "sign", "Sin": "sin", "Softplus": "softplus", "Softsign": "softsign", "Sqrt": "sqrt",
    "Tanh": "tanh",
}  # fmt: skip
"""Functions without settings, by the layers that compute them."""
SELU = (1.6732632, 1.050701)
"""The factors that `selu` has."""


def _apply(node: Node, to: Reader, layer: str, **settings: Setting) -> None:
    thing = as_language(to, node, to.thing(node, 0))
    value = to.call(node, layer, [thing.value], settings)[0]
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None, thing.dtype)


@reads(*PLAIN)
def plain(node: Node, to: Reader) -> None:
    """What has no settings."""
    if node.operator in ("Relu", "Abs") or to.thing(node, 0).dtype.startswith(("float", "bf")):
        _apply(node, to, PLAIN[node.operator])
    else:
        node.refuse(f"it takes floats, not {to.thing(node, 0).dtype}", code="wrong-dtype")


@reads("Neg")
def negative(node: Node, to: Reader) -> None:
    """With the other sign."""
    _apply(node, to, "mul", number=-1)


@reads("LeakyRelu")
def leaky_relu(node: Node, to: Reader) -> None:
    """A small slope below zero."""
    _apply(node, to, "leaky_relu", slope=node.float("alpha", 0.01))


@reads("Elu")
def elu(node: Node, to: Reader) -> None:
    """Exponential below zero."""
    _apply(node, to, "elu", alpha=node.float("alpha", 1.0))


@reads("Celu")
def celu(node: Node, to: Reader) -> None:
    """Exponential below zero, with a smooth slope."""
    _apply(node, to, "celu", alpha=node.float("alpha", 1.0))


@reads("Selu")
def selu(node: Node, to: Reader) -> None:
    """Scaled exponential; with other factors than its own, an elu that is scaled."""
    alpha, gamma = node.float("alpha", SELU[0]), node.float("gamma", SELU[1])
    if abs(alpha - SELU[0]) < 1e-5 and abs(gamma - SELU[1]) < 1e-5:
        _apply(node, to, "selu")
        return
    thing = as_language(to, node, to.thing(node, 0))
    value = to.one(node, "elu", thing.value, alpha=alpha)
    value = to.one(node, "mul", value, number=gamma)
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None)


@reads("HardSigmoid")
def hardsigmoid(node: Node, to: Reader) -> None:
    """A line between 0 and 1; with PyTorch's slope `hardsigmoid`."""
    alpha, beta = node.float("alpha", 0.2), node.float("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        _apply(node, to, "hardsigmoid")
        return
    thing = as_language(to, node, to.thing(node, 0))
    value = to.one(node, "mul", thing.value, number=alpha)
    value = to.one(node, "add", value, number=beta)
    value = to.one(node, "clamp", value, low=0, high=1)
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None)


@reads("Gelu")
def gelu(node: Node, to: Reader) -> None:
    """Gaussian error linear units."""
    mode = node.word("approximate", "none", ("none", "tanh"))
    _apply(node, to, "gelu", **({} if mode == "none" else {"approximate": "tanh"}))


@reads("Swish")
def swish(node: Node, to: Reader) -> None:
    """x * sigmoid(alpha * x)."""
    alpha = node.float("alpha", 1.0)
    if alpha == 1.0:
        _apply(node, to, "silu")
        return
    thing = as_language(to, node, to.thing(node, 0))
    gate = to.one(node, "mul", thing.value, number=alpha)
    gate = to.one(node, "sigmoid", gate)
    value = to.one(node, "mul", [thing.value, gate])
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None)


@reads("ThresholdedRelu")
def thresholded(node: Node, to: Reader) -> None:
    """x where it is above alpha, else 0."""
    thing = as_language(to, node, to.thing(node, 0))
    above = to.one(node, "greater", thing.value, number=node.float("alpha", 1.0))
    value = to.one(node, "where", [above, thing.value], number=0.0)
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None)


@reads("Shrink")
def shrink(node: Node, to: Reader) -> None:
    """x less its bias beyond lambd on both sides, else 0."""
    lambd, bias = node.float("lambd", 0.5), node.float("bias", 0.0)
    thing = as_language(to, node, to.thing(node, 0))
    if lambd < 0:
        node.refuse(f"`lambd` is at least 0, not {lambd}")
    x = thing.value
    above = to.one(node, "greater", x, number=lambd)
    below = to.one(node, "less", x, number=-lambd)
    high = to.one(node, "where", [above, to.one(node, "add", x, number=-bias)], number=0.0)
    low = to.one(node, "where", [below, to.one(node, "add", x, number=bias)], number=0.0)
    value = to.one(node, "add", [high, low])
    to.give_result(node, value, thing.groups if isinstance(thing, Data) else None)


@reads("Clip")
def clip(node: Node, to: Reader) -> None:
    """Between bounds: attributes up to opset 10, inputs from 11 on."""
    low = _bound(node, to, "min", 1)
    high = _bound(node, to, "max", 2)
    bounds = {"low": low, "high": high}
    if low == 0 and high == 6:
        _apply(node, to, "relu6")
    elif low == 0 and high is None:
        _apply(node, to, "relu")
    elif low is None and high is None:
        to.give(node, to.thing(node, 0))
    else:
        _apply(node, to, "clamp", **{k: v for k, v in bounds.items() if v is not None})


def _bound(node: Node, to: Reader, name: str, index: int) -> Setting | None:
    if node.opset < 11:
        if not node.has(name):
            return None
        number: object = node.float(name)
    else:
        if to.optional(node, index) is None:
            return None
        (number,) = to.numbers_of(node, index) or [None]
    if isinstance(number, Quantity) or not isinstance(number, int | float):
        node.refuse(f"`{name}` depends on sizes", code="needs-fixed-size")
    value = decimal(number) if isinstance(number, float) else number
    if abs(value) >= 3.4e38:
        return None
    return int(value) if value == int(value) else value


@reads("PRelu")
def prelu(node: Node, to: Reader) -> None:
    """A learned slope below zero, for each channel or for all of them."""
    things, first = together(to, node, [to.thing(node, 0), to.thing(node, 1)])
    x, slope = things
    if first is None or not isinstance(x, Data):
        node.refuse("nothing flows in")
    is_row = isinstance(slope, Known) and all(size == 1 for size in slope.shape[1:])
    if isinstance(slope, Known) and is_row and x.is_plain and slope.rank == x.type.rank:
        count = slope.count
        if count in (1, x.type.shape[0]) and slope.array.dtype != object:
            weights = {"weight": (slope, lambda a: a.reshape(-1))}
            values = to.layer(node, "prelu", [x.value], {"count": count}, weights)
            to.give_result(node, values[0])
            return
    above = to.one(node, "clamp", x.value, low=0)
    below = to.one(node, "clamp", x.value, high=0)
    below = to.one(node, "mul", [below, value_of(to, node, slope)])
    value = to.one(node, "add", [above, below])
    to.give_result(node, value, x.groups)
