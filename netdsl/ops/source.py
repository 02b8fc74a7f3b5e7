"""The op behind a `weight` line: a table that depends on no input, learned or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import DTYPES, Tensor
from netdsl.ops.axes import check_weight
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import SizeText, by
from netdsl.ops.fills import FILL, Fill, Word, check_fill, is_drawn, numbers_of, std_of
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import INTS, choice, param
from netdsl.ops.recipe import From, TorchRecipe, TorchWeight

LEARNED, FROZEN, CONSTANT = "learned", "frozen", "constant"
WHOLE = ("int64", "uint8", "bool")
"""Element types of tables that can't be learned."""


@dataclass(frozen=True)
class Weight(Op):
    """A tensor of the shape stored; its path is its own key.

    It is learned, frozen (stored, not learned) or constant (neither learned nor stored).
    """

    arity: ClassVar[tuple[int, int | None]] = (0, 0)
    keyword: ClassVar[str] = "weight"
    title: ClassVar[str] = "learned weight"

    shape: tuple[int, ...] = param(INTS, "the shape as stored, with no batch axis")
    fill: Fill = param(FILL, "what it begins with", 0.0, told=None)
    kind: str = param(choice(LEARNED, FROZEN, CONSTANT), "whether it is learned", LEARNED)
    dtype: str = param(choice(*DTYPES), "the element type", "float32")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        check_weight(self.shape, rules, "shape")
        if self.kind == LEARNED and self.dtype in WHOLE:
            rules.refuse("dtype", f"{self.dtype} can't be learned", code="wrong-dtype")
        if self.dtype not in ("float32", *WHOLE):
            rules.refuse(
                "dtype",
                f"a weight is float32, int64, uint8 or bool, not {self.dtype}",
                code="wrong-dtype",
                help="a module is turned to another precision as a whole: `module.half()`",
            )
        if self.kind == CONSTANT and is_drawn(self.fill):
            rules.refuse(
                "fill",
                f"a constant is in no checkpoint, and `{self.fill}` draws other numbers each time",
                code="bad-argument",
                help="give its numbers, or make it `frozen`",
            )
        check_fill(self.fill, self.shape, self.dtype, rules)
        return (Tensor(self.shape, self.dtype, batched=False),)

    def headline(self, inputs: Tensors) -> str:
        return self.title if self.kind == LEARNED else f"{self.kind} table"

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        return (by(self.shape),)

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if self.kind == CONSTANT:
            return ()
        fill, is_learned = self.fill, self.kind == LEARNED
        if isinstance(fill, Word) and is_drawn(fill):
            std = std_of(fill)
            return (WeightSpec("", self.shape, fill.name, is_learned, std=std, given=True),)
        if isinstance(fill, int | float):
            spec = WeightSpec("", self.shape, "constant", is_learned, self.dtype, fill=fill)
        else:
            numbers = numbers_of(fill, self.shape)
            spec = WeightSpec("", self.shape, "numbers", is_learned, self.dtype, numbers=numbers)
        return (spec,)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return 0

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return []

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        fill = self.fill
        name = fill.name if isinstance(fill, Word) else ""
        return TorchWeight(
            From(self.shape, "shape"),
            name if name else From(list(fill) if isinstance(fill, tuple) else fill, "fill"),
            self.dtype,
            is_learned=self.kind == LEARNED,
            is_stored=self.kind != CONSTANT,
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        if self.kind != CONSTANT:
            return to.weight("")
        return to.floats(numbers_of(self.fill, self.shape), self.shape, self.dtype)
