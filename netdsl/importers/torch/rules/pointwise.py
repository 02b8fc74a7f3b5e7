"""Functions of single numbers: activations, arithmetic with a number, dropouts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netdsl.importers.torch.lows import Low, Refusal
from netdsl.importers.torch.rules.rule import RULES, dropped, rule, without

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

ALIKE = frozenset(
    [
        "abs",
        "cos",
        "erf",
        "exp",
        "hardsigmoid",
        "hardswish",
        "log",
        "mish",
        "reciprocal",
        "relu",
        "relu6",
        "rsqrt",
        "selu",
        "sigmoid",
        "sign",
        "silu",
        "sin",
        "softsign",
        "sqrt",
        "tanh",
    ]
)
"""Functions without arguments that have the same name in the language."""


def _alike(name: str) -> Any:
    def function(to: Builder, input: Any, inplace: bool = False) -> Low:
        return to.same(name, to.low(input))

    return function


for _name in sorted(ALIKE):
    RULES[_name] = RULES[f"{_name}_"] = _alike(_name)
RULES["absolute"] = RULES["abs"]
RULES["sgn"] = RULES["sign"]


@rule("leaky_relu", "leaky_relu_")
def leaky_relu(to: Builder, input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Low:
    return to.same("leaky_relu", to.low(input), slope=to.number(negative_slope))


@rule("elu", "elu_")
def elu(to: Builder, input: Any, alpha: float = 1.0, inplace: bool = False) -> Low:
    return to.same("elu", to.low(input), alpha=alpha)


@rule("celu", "celu_")
def celu(to: Builder, input: Any, alpha: float = 1.0, inplace: bool = False) -> Low:
    return to.same("celu", to.low(input), alpha=alpha)


@rule("gelu")
def gelu(to: Builder, input: Any, approximate: str = "none") -> Low:
    return to.same("gelu", to.low(input), approximate=approximate)


@rule("hardtanh", "hardtanh_")
def hardtanh(
    to: Builder, input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Low:
    if (min_val, max_val) == (0, 6):
        return to.same("relu6", to.low(input))
    if math.inf in (-min_val, max_val):
        return clamp(to, input, min_val, max_val)
    return to.same("hardtanh", to.low(input), low=min_val, high=max_val)


@rule("softplus")
def softplus(to: Builder, input: Any, beta: float = 1.0, threshold: float = 20.0) -> Low:
    return to.same("softplus", to.low(input), beta=beta, threshold=threshold)


@rule("clamp", "clamp_", "clip", "clip_")
def clamp(to: Builder, input: Any, min: Any = None, max: Any = None) -> Low:
    ends = (("low", min, -math.inf), ("high", max, math.inf))
    settings = {name: to.number(one) for name, one, free in ends if one not in (None, free)}
    return to.same("clamp", to.low(input), **settings) if settings else to.low(input)


@rule("clamp_min", "clamp_min_")
def clamp_min(to: Builder, input: Any, min: Any) -> Low:
    return clamp(to, input, min)


@rule("clamp_max", "clamp_max_")
def clamp_max(to: Builder, input: Any, max: Any) -> Low:
    return clamp(to, input, None, max)


@rule("neg", "neg_", "negative")
def neg(to: Builder, input: Any) -> Low:
    return to.same("mul", to.low(input), number=-1)


@rule("square", "square_")
def square(to: Builder, input: Any) -> Low:
    return to.same("pow", to.low(input), number=2)


@rule("logsigmoid")
def logsigmoid(to: Builder, input: Any) -> Low:
    low = to.same("mul", to.low(input), number=-1)
    return to.same("mul", to.same("softplus", low), number=-1)


@rule("softmax")
def softmax(
    to: Builder, input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None
) -> Low:
    return _along("softmax", to, input, dim, dtype)


@rule("log_softmax")
def log_softmax(
    to: Builder, input: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None
) -> Low:
    return _along("log_softmax", to, input, dim, dtype)


def _along(layer: str, to: Builder, input: Any, dim: Any, dtype: Any) -> Low:
    low = to.plain(input)
    without("dtype", str(dtype) if dtype else None, "torch.float32")
    if dim is None:
        raise Refusal("it has no `dim`", "say along which axis it goes")
    return to.same(layer, low, axis=low.axis(low.place(to.whole(dim))))


def _drop(layer: str) -> Any:
    def function(
        to: Builder, input: Any, p: Any = 0.5, training: Any = True, inplace: bool = False
    ) -> Low:
        low = to.low(input)
        if training is False:
            return low
        if training is True:
            raise Refusal("it drops in inference too", "the language's `dropout` does not")
        return to.same(layer, low, p=dropped(p)) if dropped(p) else low

    return function


RULES["dropout"] = _drop("dropout")
RULES["dropout1d"] = RULES["dropout2d"] = RULES["dropout3d"] = _drop("channel_dropout")
RULES["feature_dropout"] = RULES["dropout2d"]


@rule("contiguous", "detach", "clone", "alias", "data")
def unchanged(to: Builder, input: Any, memory_format: Any = None) -> Low:
    return to.low(input)


@rule("float")
def float_(to: Builder, input: Any, memory_format: Any = None) -> Low:
    return cast(to, input, "float32")


@rule("long")
def long_(to: Builder, input: Any, memory_format: Any = None) -> Low:
    return cast(to, input, "int64")


@rule("bool")
def bool_(to: Builder, input: Any, memory_format: Any = None) -> Low:
    return cast(to, input, "bool")


@rule("to", "type", "type_as", "_to_copy")
def to_(
    to: Builder,
    input: Any,
    *others: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Low:
    assert to.op is not None
    return cast(to, input, to.agreed.dtypes[to.op.outputs[0]])


def cast(to: Builder, input: Any, dtype: str) -> Low:
    """Numbers of another type."""
    low = to.low(input)
    of = low.value.dtype
    if of == dtype:
        return low
    if dtype == "float32":
        return to.same("mul", low, number=1.0)
    if dtype == "bool":
        low = to.same("equal", low, number=0)
        low.value.dtype = "bool"
        return to.same("equal", low, number=0)
    if of == "bool" and dtype == "int64":
        return to.same("mul", low, number=1)
    raise Refusal(f"from {of} to {dtype}", "the language has float32, int64 and bool")
