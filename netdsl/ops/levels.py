"""The levels of an image, 0 to 255, as numbers that layers compute with."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import Storage, Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.recipe import In, TorchCall, TorchRecipe

LEVELS = "uint8"
MOST = 255


class ToFloat(Op):
    """The levels of an image, uint8 from 0 to 255, as float32 from 0 to 1: they are divided by 255.

    to_float: uint8 [3, H, W] -> [3, H, W]
    """

    name: ClassVar[str] = "to_float"
    family: ClassVar[str] = "plumbing"
    work: ClassVar[Work] = Work.COMPUTES
    in_place: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "totensor convertimagedtype todtype"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if x.dtype != LEVELS:
            rules.refuse(
                "in",
                f"`to_float` takes uint8, the levels of an image, and {x} comes in",
                code="wrong-dtype",
                help="leave it out; `div(255)` divides"
                if x.is_float
                else "`mul(1.0)` makes float32 of whole numbers and truth values",
            )
        return (replace(x, dtype="float32"),)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        return Storage.ALIKE

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall("/", (In(0), MOST))

    def onnx(self, to: Lowering) -> OnnxValue:
        numbers = to.cast(to.inputs[0], "float32")
        return to.node("Div", [numbers, to.number(float(MOST), "float32")])
