"""How weights begin: the words of `init=`, and the policies for whole networks, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Any, cast

from netdsl.ir.graph import Layer, WeightSpec
from netdsl.ops.base import Op, Rules
from netdsl.ops.facts import KINDS
from netdsl.ops.params import FLOAT, choice, optional, param
from netdsl.ops.recipe import Keywords, keywords

PYTORCH = "pytorch"
STD = 0.02
RELU = "relu"
FAN_OUT: Keywords = keywords(mode="fan_out", nonlinearity=RELU)
WORDS: Mapping[str, tuple[str, Keywords]] = {
    "kaiming_normal": ("nn.init.kaiming_normal_", keywords(nonlinearity=RELU)),
    "kaiming_uniform": ("nn.init.kaiming_uniform_", keywords(nonlinearity=RELU)),
    "kaiming_normal_fan_out": ("nn.init.kaiming_normal_", FAN_OUT),
    "kaiming_uniform_fan_out": ("nn.init.kaiming_uniform_", FAN_OUT),
    "xavier_normal": ("nn.init.xavier_normal_", ()),
    "xavier_uniform": ("nn.init.xavier_uniform_", ()),
    "normal": ("nn.init.normal_", ()),
    "trunc_normal": ("nn.init.trunc_normal_", ()),
    "zeros": ("nn.init.zeros_", ()),
}
"""The function of `torch.nn.init` behind each word, and its settings (He et al. 2015, Glorot and
Bengio 2010); those of NEED_STD have a deviation besides."""
NEED_STD = ("normal", "trunc_normal")


def init_param() -> Any:
    """The parameter `init` of a layer with a weight."""
    doc = "how the weight is drawn; unless as PyTorch's module does, the bias begins at 0"
    return param(choice(PYTORCH, *WORDS), doc, PYTORCH, named=True, told=None)


def std_param() -> Any:
    """The parameter `std` beside `init`."""
    doc = f"deviation of `normal` and `trunc_normal`: {STD} if left out"
    return param(optional(FLOAT), doc, None, named=True, told=None, tries=(*(None,) * 6, 0.01, 0.0))


def check_init(init: str, std: float | None, rules: Rules) -> None:
    """Refuses a deviation that is none, or that nothing is drawn with."""
    if std is None:
        return
    if init not in NEED_STD:
        rules.refuse(
            "std",
            f"`init={init}` has no deviation of its own",
            code="bad-argument",
            help="`init=normal` and `init=trunc_normal` have one",
        )
    if not 0 < std <= 1000:
        rules.refuse(
            "std",
            f"a deviation lies above 0 and at most at 1000, not at {std}",
            code="bad-argument",
        )


def asked(weights: tuple[WeightSpec, ...], init: str, std: float | None) -> tuple[WeightSpec, ...]:
    """A weight, and a bias if there is one, as `init=` says."""
    return weights if init == PYTORCH else Rule(init, std or STD, "zeros").of(weights, Op)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a policy says of one kind of layer; an empty word leaves the weight as it is."""

    weight: str = ""
    std: float = 0.0
    bias: str = ""

    def of(self, weights: tuple[WeightSpec, ...], op: type[Op]) -> tuple[WeightSpec, ...]:
        """The weights and biases of a layer under this rule; others stay as they are."""
        words = dict.fromkeys(op.matrices, self.weight) | dict.fromkeys(op.biases, self.bias)
        return tuple(
            replace(spec, init=word, std=self.std if word in NEED_STD else 0.0, given=True)
            if (word := words.get(spec.key))
            else spec
            for spec in weights
        )


HE_FAN_OUT = Rule("kaiming_normal_fan_out", bias="zeros")
SMALL_NORMAL = Rule("normal", 0.01, "zeros")
TRUNCATED = Rule("trunc_normal", 0.02, "zeros")
TORCHVISION: Mapping[str, Mapping[str, Rule]] = {
    "resnet": {"conv": Rule("kaiming_normal_fan_out")},
    "vgg": {"conv": HE_FAN_OUT, "linear": SMALL_NORMAL},
    "mobilenet_v2": {"conv": HE_FAN_OUT, "linear": SMALL_NORMAL},
    "mobilenet_v3": {"conv": HE_FAN_OUT, "linear": SMALL_NORMAL},
    "regnet": {"conv": Rule("kaiming_normal_fan_out"), "linear": SMALL_NORMAL},
    "convnext": {"conv": TRUNCATED, "linear": TRUNCATED},
    "densenet": {"conv": Rule("kaiming_normal"), "linear": Rule(bias="zeros")},
    "googlenet": {"conv": Rule("trunc_normal", 0.01), "linear": Rule("trunc_normal", 0.01)},
}
"""What torchvision 0.28 does in its classes of these names."""


def policies() -> tuple[str, ...]:
    """The names of all policies for a network."""
    return (PYTORCH, *WORDS, *TORCHVISION)


def policy(name: str) -> Mapping[str, Rule]:
    """The rules of a policy, by `Op.drawn_as`. Raises `ValueError` for an unknown one."""
    if name == PYTORCH:
        return {}
    if name in WORDS:
        return dict.fromkeys(KINDS, Rule(name, STD, "zeros"))
    if name not in TORCHVISION:
        raise ValueError(f"no initialisation is called {name!r}; there are {', '.join(policies())}")
    return TORCHVISION[name]


def initial(layer: Layer, rules: Mapping[str, Rule]) -> tuple[WeightSpec, ...]:
    """The weights of a layer under a policy; what the file says of a layer comes first."""
    op = cast(Op, layer.op)
    rule = rules.get(op.drawn_as)
    if rule is None or any(spec.given for spec in layer.weights):
        return layer.weights
    return rule.of(layer.weights, type(op))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many numbers an output and an input meet, as `torch.nn.init` counts."""
    cells = prod(shape[2:])
    return shape[1] * cells, shape[0] * cells


def deviation(spec: WeightSpec) -> float:
    """The standard deviation of a weight drawn by one of the words, before any cut."""
    if not spec.init.startswith(("xavier", "kaiming")):
        return spec.std
    fan_in, fan_out = fans(spec.shape)
    if spec.init.startswith("xavier"):
        return sqrt(2 / (fan_in + fan_out))
    return sqrt(2 / (fan_out if spec.init.endswith("fan_out") else fan_in))
