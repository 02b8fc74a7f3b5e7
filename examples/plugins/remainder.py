"""A custom layer of two inputs: the remainder of a division, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ops import (
    In,
    Lowering,
    OnnxValue,
    Op,
    Product,
    Reads,
    Rules,
    Tensors,
    TorchCall,
    TorchRecipe,
    equal,
    need_float,
)


@dataclass(frozen=True)
class Remainder(Op):
    """What is left of the first value when it is divided by the second; its sign is the first's.

    remainder: [8, 6, 6], [8, 6, 6] -> [8, 6, 6]
    remainder: [T], [T] -> [T]
    """

    name: ClassVar[str] = "remainder"
    family: ClassVar[str] = "merging"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    elsewhere: ClassVar[str] = "fmod"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x, divisor = inputs
        need_float(x, rules, self.name)
        need_float(divisor, rules, self.name)
        if x.rank != divisor.rank:
            message = f"`{self.name}` takes equal shapes, and {x} and {divisor} come in"
            rules.refuse("in", message, code="wrong-rank")
        for axis, (size, other) in enumerate(zip(x.shape, divisor.shape, strict=True)):
            message = f"`{self.name}` takes equal shapes: axis {axis} is {size} and {other}"
            rules.require(equal(size, other), "in[1]", message)
        return (x,)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted), (1, wanted)]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall("torch.fmod", (In(0), In(1)))

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.node("Mod", to.inputs, to.result(), fmod=1)
