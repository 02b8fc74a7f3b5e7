"""The op behind a `weight` line: a parameter tensor, which depends on no input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import check_weight
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import SizeText, by
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import FLOAT, INTS, param
from netdsl.ops.recipe import From, TorchRecipe, TorchWeight


@dataclass(frozen=True)
class Weight(Op):
    """A learned tensor of the shape stored, filled with a number; its path is its own key."""

    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    keyword: ClassVar[str] = "weight"
    title: ClassVar[str] = "learned weight"

    shape: tuple[int, ...] = param(INTS, "the shape as stored, with no batch axis")
    fill: float = param(FLOAT, "what it begins with", 0.0)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        check_weight(self.shape, rules, "shape")
        return (Tensor(self.shape, "float32", batched=False),)

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        return (by(self.shape),)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        return (WeightSpec("", self.shape, "constant", fill=self.fill),)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return 0

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return []

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchWeight(From(self.shape, "shape"), From(self.fill, "fill"))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.weight("")
