"""What stands in a draft for a stage that could not be built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Op, Rules, Tensors, Windows
from netdsl.ops.params import TEXT, param


@dataclass(frozen=True)
class Unbuilt(Op):
    """A stage of which nothing is known but how it is written; its result has no shape.

    It has no recipe and no form in ONNX: only drawings of drafts know it.
    """

    arity: ClassVar[tuple[int, int | None]] = (0, None)
    keyword: ClassVar[str] = "unbuilt"
    changes_items: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True
    is_built: ClassVar[bool] = False

    written: str = param(TEXT, "how it is written, shortened", told=None)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        return (Tensor(()),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows | None:
        return None

    def headline(self, inputs: Tensors) -> str:
        return self.written

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        return self.written
