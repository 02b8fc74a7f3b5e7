"""Activations: functions of one number, and softmax along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ops.axes import AXIS, along, axis_index, changed, need_float
from netdsl.ops.base import Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, replaced, whole
from netdsl.ops.facts import Saved, Storage
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import FLOAT, INT, choice, param
from netdsl.ops.recipe import From, In, TorchCall, TorchModule, TorchRecipe, keywords


class Activation(Op):
    """What activations share: any shape, kept; a weight may pass through.

    `module` and `function` are PyTorch's names, `F.name` if left out; the fields are its
    arguments, in its order.
    """

    family: ClassVar[str] = "activations"
    takes_weights: ClassVar[bool] = True
    keeps: ClassVar[str] = "inputs"
    module: ClassVar[str] = ""
    function: ClassVar[str] = ""
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = ()
    """Fields as PyTorch calls them: our name, its name, its default."""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        need_float(inputs[0], rules, self.name)
        self.check(rules)
        return inputs

    def check(self, rules: Rules) -> None:
        """Refuses settings that PyTorch refuses."""

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.ALIKE

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            **{
                theirs: (From(getattr(self, ours), ours), default)
                for ours, theirs, default in self.arguments
            }
        )
        call = TorchCall(self.function or f"F.{self.name}", (In(0),), settings)
        return TorchModule(f"nn.{self.module}", (), settings, call=call)


class Relu(Activation):
    """max(0, x).

    relu: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "relu"
    keeps: ClassVar[str] = "result"
    title: ClassVar[str] = "ReLU"
    module: ClassVar[str] = "ReLU"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Relu", to.inputs)


class Relu6(Activation):
    """min(max(0, x), 6).

    relu6: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "relu6"
    title: ClassVar[str] = "ReLU6"
    module: ClassVar[str] = "ReLU6"

    def onnx(self, to: Lowering) -> OnnxValue:
        low, high = (to.number(n) for n in (0.0, 6.0))
        return to.node("Clip", [*to.inputs, low, high])


class Selu(Activation):
    """Scaled exponential linear unit (Klambauer et al. 2017).

    selu: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "selu"
    title: ClassVar[str] = "SELU"
    module: ClassVar[str] = "SELU"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Selu", to.inputs)


class Silu(Activation):
    """x * sigmoid(x), also called swish.

    silu: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "silu"
    title: ClassVar[str] = "SiLU"
    elsewhere: ClassVar[str] = "swish"
    module: ClassVar[str] = "SiLU"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Mul", [*to.inputs, to.node("Sigmoid", to.inputs)])


class Mish(Activation):
    """x * tanh(softplus(x)).

    mish: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "mish"
    module: ClassVar[str] = "Mish"

    def onnx(self, to: Lowering) -> OnnxValue:
        gate = to.node("Tanh", [to.node("Softplus", to.inputs)])
        return to.node("Mul", [*to.inputs, gate])


class Sigmoid(Activation):
    """1 / (1 + exp(-x)).

    sigmoid: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "sigmoid"
    keeps: ClassVar[str] = "result"
    elsewhere: ClassVar[str] = "logistic"
    module: ClassVar[str] = "Sigmoid"
    function: ClassVar[str] = "torch.sigmoid"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Sigmoid", to.inputs)


class Tanh(Activation):
    """The hyperbolic tangent.

    tanh: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "tanh"
    keeps: ClassVar[str] = "result"
    module: ClassVar[str] = "Tanh"
    function: ClassVar[str] = "torch.tanh"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Tanh", to.inputs)


class HardSigmoid(Activation):
    """min(max(0, x + 3), 6) / 6.

    hardsigmoid: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "hardsigmoid"
    elsewhere: ClassVar[str] = "hsigmoid hardsigmoid"
    module: ClassVar[str] = "Hardsigmoid"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("HardSigmoid", to.inputs, alpha=1 / 6, beta=0.5)


class HardSwish(Activation):
    """x * hardsigmoid(x) (Howard et al. 2019).

    hardswish: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "hardswish"
    elsewhere: ClassVar[str] = "hswish hardswish"
    module: ClassVar[str] = "Hardswish"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("HardSwish", to.inputs)


class SoftSign(Activation):
    """x / (1 + |x|).

    softsign: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "softsign"
    module: ClassVar[str] = "Softsign"

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Also 1 + |x|."""
        return Saved((0,), more=4 * elements(inputs))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Softsign", to.inputs)


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """x where positive, else slope * x.

    leaky_relu(0.1): [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "leaky_relu"
    title: ClassVar[str] = "leaky ReLU"
    elsewhere: ClassVar[str] = "leakyrelu lrelu"
    module: ClassVar[str] = "LeakyReLU"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (("slope", "negative_slope", 0.01),)

    slope: float = param(FLOAT, "factor below zero", 0.01)

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("LeakyRelu", to.inputs, alpha=self.slope)


@dataclass(frozen=True)
class Elu(Activation):
    """x where positive, else alpha * (exp(x) - 1).

    elu: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "elu"
    title: ClassVar[str] = "ELU"
    module: ClassVar[str] = "ELU"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (("alpha", "alpha", 1.0),)

    alpha: float = param(FLOAT, "scale below zero", 1.0)

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Elu", to.inputs, alpha=self.alpha)


@dataclass(frozen=True)
class Celu(Activation):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).

    celu(0.5): [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "celu"
    title: ClassVar[str] = "CELU"
    module: ClassVar[str] = "CELU"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (("alpha", "alpha", 1.0),)

    alpha: float = param(FLOAT, "scale below zero", 1.0)

    def check(self, rules: Rules) -> None:
        if self.alpha == 0:
            rules.refuse("alpha", "alpha can't be 0", code="bad-argument")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        scaled = to.node("Exp", [to.node("Div", [x, to.number(self.alpha)])])
        below = to.node("Sub", [scaled, to.number(1.0)])
        below = to.node("Mul", [below, to.number(self.alpha)])
        below = to.node("Min", [below, to.number(0.0)])
        return to.node("Add", [to.node("Relu", [x]), below])


@dataclass(frozen=True)
class HardTanh(Activation):
    """x, kept between two numbers.

    hardtanh(low=0, high=6): [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "hardtanh"
    elsewhere: ClassVar[str] = "hardtan"
    module: ClassVar[str] = "Hardtanh"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (
        ("low", "min_val", -1.0),
        ("high", "max_val", 1.0),
    )

    low: float = param(FLOAT, "the least result", -1.0)
    high: float = param(FLOAT, "the greatest result", 1.0)

    def check(self, rules: Rules) -> None:
        if self.high <= self.low:
            rules.refuse("high", f"{self.high} is not above {self.low}", code="bad-argument")

    def onnx(self, to: Lowering) -> OnnxValue:
        low, high = to.number(self.low), to.number(self.high)
        return to.node("Clip", [*to.inputs, low, high])


@dataclass(frozen=True)
class SoftPlus(Activation):
    """log(1 + exp(beta * x)) / beta; x itself above the threshold.

    softplus: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "softplus"
    module: ClassVar[str] = "Softplus"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (
        ("beta", "beta", 1.0),
        ("threshold", "threshold", 20.0),
    )

    beta: float = param(FLOAT, "sharpness", 1.0)
    threshold: float = param(FLOAT, "where it becomes linear", 20.0)

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        scaled = x if self.beta == 1 else to.node("Mul", [x, to.number(self.beta)])
        soft = to.node("Softplus", [scaled])
        soft = soft if self.beta == 1 else to.node("Div", [soft, to.number(self.beta)])
        linear = to.node("Greater", [scaled, to.number(self.threshold)], dtype="bool")
        return to.node("Where", [linear, x, soft], dtype=x.dtype)


@dataclass(frozen=True)
class Gelu(Activation):
    """x * (the normal distribution function of x), or its approximation by tanh.

    gelu: [196, 768] -> [196, 768]
    """

    name: ClassVar[str] = "gelu"
    title: ClassVar[str] = "GELU"
    module: ClassVar[str] = "GELU"
    arguments: ClassVar[tuple[tuple[str, str, object], ...]] = (
        ("approximate", "approximate", "none"),
    )

    approximate: str = param(choice("none", "tanh"), "how it is computed", "none")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        if self.approximate == "tanh":
            cube = to.node("Mul", [to.node("Mul", [x, x]), x])
            inner = to.node("Add", [x, to.node("Mul", [cube, to.number(0.044715)])])
            gate = to.node("Tanh", [to.node("Mul", [inner, to.number(sqrt(2 / pi))])])
        else:
            gate = to.node("Erf", [to.node("Mul", [x, to.number(sqrt(0.5))])])
        gate = to.node("Add", [gate, to.number(1.0)])
        half = to.node("Mul", [x, to.number(0.5)])
        return to.node("Mul", [half, gate])


@dataclass(frozen=True)
class PRelu(Op):
    """x where positive, else a learned factor times x: one for all channels, or one each.

    prelu: [8, 7, 7] -> [8, 7, 7]
    prelu(8): [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "prelu"
    keeps: ClassVar[str] = "inputs"
    title: ClassVar[str] = "PReLU"
    family: ClassVar[str] = "activations"

    count: int = param(INT, "number of factors: 1, or the channels", 1, told="{} factors")
    init: float = param(FLOAT, "what they begin with", 0.25)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, "prelu")
        if self.count < 1 or (self.count != 1 and (not x.rank or self.count != x.channels)):
            rules.refuse(
                "count",
                f"{self.count} factors do not fit {x}: 1, or one a channel",
                code="bad-argument",
            )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        return (WeightSpec("weight", (self.count,), "constant", fill=self.init),)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            num_parameters=(From(self.count, "count"), 1), init=(From(self.init, "init"), 0.25)
        )
        return TorchModule("nn.PReLU", (), settings)

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        slope = to.weight("weight")
        if self.count > 1:
            slope = to.reshape(slope, (self.count, *(1 for _ in x.shape[2:])))
        return to.node("PRelu", [x, slope])


@dataclass(frozen=True)
class _Softmax(Op):
    """What the two softmaxes share."""

    family: ClassVar[str] = "activations"
    keeps: ClassVar[str] = "result"
    module: ClassVar[str] = ""
    function: ClassVar[str] = ""

    axis: int | str = param(AXIS, "the axis whose numbers share the sum 1", "channels")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        need_float(x, rules, self.name)
        axis_index(self.axis, x.rank, rules)
        return inputs

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        (x,) = inputs
        return elements(inputs) * x.shape[axis_index(self.axis, x.rank, Rules())]

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows:
        return along(inputs[0], axis_index(self.axis, inputs[0].rank, Rules()))

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """All of the axis; a softmax of one number is 1, whatever it is."""
        (x,) = inputs
        axis = axis_index(self.axis, x.rank, Rules())
        along = whole(x.shape)[axis]
        return [(0, replaced(wanted, axis, along))] if len(along) > 1 else []

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        axis = keywords(dim=axis_index(self.axis, inputs[0].rank, Rules()) + 1)
        call = TorchCall(self.function or f"F.{self.name}", (In(0),), axis)
        return TorchModule(f"nn.{self.module}", (), axis, call=call)

    def _axis(self, to: Lowering) -> int:
        return to.axis(axis_index(self.axis, to.tensors[0].rank, Rules()))


class Softmax(_Softmax):
    """exp(x) over the sum of exp(x) along an axis.

    softmax: [1000] -> [1000]
    softmax(axis=-1): [8, 16, 16] -> [8, 16, 16]
    """

    name: ClassVar[str] = "softmax"
    elsewhere: ClassVar[str] = "softmax2d softmax"
    module: ClassVar[str] = "Softmax"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Softmax", to.inputs, axis=self._axis(to))


class LogSoftmax(_Softmax):
    """The logarithm of softmax.

    log_softmax: [1000] -> [1000]
    """

    name: ClassVar[str] = "log_softmax"
    elsewhere: ClassVar[str] = "logsoftmax"
    module: ClassVar[str] = "LogSoftmax"

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("LogSoftmax", to.inputs, axis=self._axis(to))
