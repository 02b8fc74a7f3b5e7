"""A check in the graph: at a size outside of the contract the run fails, and gives no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.ir.condition import All, AnyOf, Compare, Truth
from netdsl.ops.lowering import OnnxConstant, OnnxNode, OnnxValue

if TYPE_CHECKING:
    from netdsl.backends.onnx.model import Builder

COMPARISONS = {
    "==": "Equal",
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
}


def guarded(builder: Builder, contract: Truth, x: OnnxValue) -> OnnxValue:
    """`x`, unchanged, where the contract holds.

    Its shape is read from a list by an index that is 0 then, and else outside of the list.
    """
    holds = _Guard(builder)
    index = holds.node("Where", [holds.truth(contract), holds.ints(0), holds.ints(1)], "int64")
    listed = builder.constant(OnnxConstant((1, len(x.shape)), (0,) * len(x.shape), "int64"))
    shape = holds.node("Gather", [listed, index], "int64", (1, len(x.shape)))
    flat = holds.node("Reshape", [shape, holds.ints(-1)], "int64", (len(x.shape),))
    return holds.node("Reshape", [x, flat], x.dtype, x.shape)


class _Guard:
    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def ints(self, number: int) -> OnnxValue:
        return self.builder.constant(OnnxConstant((1,), (number,), "int64"))

    def node(
        self, op: str, inputs: list[OnnxValue], dtype: str = "bool", shape: tuple = (1,)
    ) -> OnnxValue:
        made = OnnxValue(self.builder.claim(f"guard/{op}"), shape, dtype)
        self.builder.add(OnnxNode(op, [v.name for v in inputs], [made.name]), made)
        return made

    def truth(self, condition: Truth) -> OnnxValue:
        """A list of one truth value."""
        match condition:
            case Compare(operator, left, right):
                sides = [self.builder.table.value(side) for side in (left, right)]
                if operator == "!=":
                    return self.node("Not", [self.node("Equal", sides)])
                return self.node(COMPARISONS[operator], sides)
            case All(parts) | AnyOf(parts):
                op = "And" if isinstance(condition, All) else "Or"
                first, *others = map(self.truth, parts)
                for other in others:
                    first = self.node(op, [first, other])
                return first
            case _:
                return self.node("Equal", [self.ints(0), self.ints(0 if condition else 1)])
