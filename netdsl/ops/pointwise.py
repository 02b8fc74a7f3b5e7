"""Functions of one number, as mathematics knows them; of whole numbers, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import Storage
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import number_value
from netdsl.ops.params import NUMBER, Number, optional, param
from netdsl.ops.promotion import as_float, check_range, common_dtype
from netdsl.ops.recipe import From, In, TorchCall, TorchRecipe, keywords


class Pointwise(Op):
    """What they share: any shape, kept."""

    family: ClassVar[str] = "activations"
    takes_weights: ClassVar[bool] = True
    keeps: ClassVar[str] = "inputs"
    onnx_operator: ClassVar[str] = ""

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        return (Tensor(x.shape, self.result_dtype(x, rules), x.batched),)

    def result_dtype(self, x: Tensor, rules: Rules) -> str:
        """The element type of the result: of most functions, a float."""
        return as_float(x.dtype)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.ALIKE

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall(f"torch.{self.name}", (In(0),))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node(self.onnx_operator, [to.cast(to.inputs[0], to.results[0].dtype)])


class Abs(Pointwise):
    """The number without its sign.

    abs: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "abs"
    elsewhere: ClassVar[str] = "abs absval absolute"
    onnx_operator: ClassVar[str] = "Abs"

    def result_dtype(self, x: Tensor, rules: Rules) -> str:
        if x.dtype == "bool":
            rules.refuse("in", "truth values have no sign", code="wrong-dtype")
        return x.dtype


class Exp(Pointwise):
    """e to the power of the number.

    exp: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "exp"
    keeps: ClassVar[str] = "result"
    elsewhere: ClassVar[str] = "exp"
    onnx_operator: ClassVar[str] = "Exp"


class Log(Pointwise):
    """The natural logarithm.

    log: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "log"
    elsewhere: ClassVar[str] = "log"
    onnx_operator: ClassVar[str] = "Log"


class Sqrt(Pointwise):
    """The square root.

    sqrt: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "sqrt"
    keeps: ClassVar[str] = "result"
    elsewhere: ClassVar[str] = "sqrt"
    onnx_operator: ClassVar[str] = "Sqrt"


class Rsqrt(Pointwise):
    """1 over the square root.

    rsqrt: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "rsqrt"
    keeps: ClassVar[str] = "result"
    title: ClassVar[str] = "1 / sqrt"
    elsewhere: ClassVar[str] = "rsqrt"

    def onnx(self, to: Lowering) -> OnnxValue:
        root = to.node("Sqrt", [to.cast(to.inputs[0], to.results[0].dtype)])
        return to.node("Reciprocal", [root])


class Reciprocal(Pointwise):
    """1 over the number.

    reciprocal: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "reciprocal"
    keeps: ClassVar[str] = "result"
    title: ClassVar[str] = "1 / x"
    elsewhere: ClassVar[str] = "reciprocal"
    onnx_operator: ClassVar[str] = "Reciprocal"


class Sin(Pointwise):
    """The sine of an angle in radians.

    sin: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "sin"
    elsewhere: ClassVar[str] = "sin"
    onnx_operator: ClassVar[str] = "Sin"


class Cos(Pointwise):
    """The cosine of an angle in radians.

    cos: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "cos"
    elsewhere: ClassVar[str] = "cos"
    onnx_operator: ClassVar[str] = "Cos"


class Erf(Pointwise):
    """The error function.

    erf: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "erf"
    elsewhere: ClassVar[str] = "erf"
    onnx_operator: ClassVar[str] = "Erf"


class Sign(Pointwise):
    """1 above zero, -1 below, and 0.

    sign: [8, 7, 7] -> [8, 7, 7]
    """

    name: ClassVar[str] = "sign"
    keeps: ClassVar[str] = "nothing"
    elsewhere: ClassVar[str] = "sign"
    onnx_operator: ClassVar[str] = "Sign"

    def result_dtype(self, x: Tensor, rules: Rules) -> str:
        return x.dtype

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        return x if x.dtype == "bool" else super().onnx(to)


@dataclass(frozen=True)
class Clamp(Pointwise):
    """The number, kept between bounds, of which one may be left out.

    clamp(0, 1): [3, H, W] -> [3, H, W]
    clamp(low=1e-12): [1, H, W] -> [1, H, W]
    """

    name: ClassVar[str] = "clamp"
    elsewhere: ClassVar[str] = "clamp clip"

    low: Number | None = param(
        optional(NUMBER), "the least result", None, told="from {}", tries=(0, 0.1, -1.0, 3, -0.5)
    )
    high: Number | None = param(
        optional(NUMBER), "the greatest result", None, told="to {}", tries=(1, 0.7, 6.0, -2, 2.5)
    )

    def bounds(self) -> tuple[Number, ...]:
        """Those that are given."""
        return tuple(bound for bound in (self.low, self.high) if bound is not None)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if not self.bounds():
            help = "`clamp(low=0)`, `clamp(high=6)`, or both: `clamp(0, 6)`"
            rules.refuse("low", "`clamp` needs a bound", code="missing-argument", help=help)
        low, high = self.low, self.high
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            rules.refuse("low", f"low {low} is above high {high}", code="bad-argument")
        return super().infer(inputs, rules)

    def result_dtype(self, x: Tensor, rules: Rules) -> str:
        dtype = common_dtype((x,), self.bounds())
        for at, bound in ("low", self.low), ("high", self.high):
            if bound is not None:
                check_range(bound, dtype, rules, at)
        return dtype

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        low = keywords(min=From(self.low, "low")) if self.low is not None else ()
        high = keywords(max=From(self.high, "high")) if self.high is not None else ()
        return TorchCall(".clamp", (In(0),), (*low, *high))

    def onnx(self, to: Lowering) -> OnnxValue:
        dtype = to.results[0].dtype
        x = to.cast(to.inputs[0], dtype)
        for operator, bound in ("Max", self.low), ("Min", self.high):
            if bound is not None:
                x = to.node(operator, [x, number_value(to, bound, dtype)])
        return x
