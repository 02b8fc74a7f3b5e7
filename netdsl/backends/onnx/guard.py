"""A check in the graph: at a size outside of the contract the run fails, and gives no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.backends.onnx.sizes import SizeTable
from netdsl.ir.condition import All, AnyOf, Truth
from netdsl.ir.dim import Compare, Size
from netdsl.ops.lowering import OnnxConstant, OnnxNode, OnnxValue

COMPARISONS = {
    "==": "Equal",
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
}


def guarded(table: SizeTable, contract: Truth) -> list[OnnxValue]:
    """The inputs, unchanged, where the contract holds; each of them, as one may be read first.

    Their shapes are read from lists by an index that is 0 then, and else outside of the list.
    """
    inputs = table.inputs
    conditions = [contract, *_agreements(inputs)]
    if all(condition is True for condition in conditions):
        return list(inputs)
    holds = _Guard(table)
    truth = holds.all(conditions)
    index = holds.node("Where", [truth, holds.ints(0), holds.ints(1)], "int64")
    return [_looked_at(holds, x, index) for x in inputs]


def _looked_at(holds: _Guard, x: OnnxValue, index: OnnxValue) -> OnnxValue:
    """An input in the shape that it has, which is read by the index."""
    rank = len(x.shape)
    listed = holds.table.constant(OnnxConstant((1, rank), (0,) * rank, "int64"))
    shape = holds.node("Gather", [listed, index], "int64", (1, rank))
    flat = holds.node("Reshape", [shape, holds.ints(-1)], "int64", (rank,))
    return holds.node("Reshape", [x, flat], x.dtype, x.shape)


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis of an input whose size is to be that of others."""

    value: OnnxValue
    axis: int
    size: Size


def _agreements(inputs: Sequence[OnnxValue]) -> list[_Axis | Truth]:
    """Each size is what an earlier axis tells, and no symbol is below 1.

    Sizes are read off the first axis that has them, and runtimes do not compare the others.
    """
    agreements: list[_Axis | Truth] = []
    seen: set[Size] = set()
    for value in inputs:
        for axis, size in enumerate(value.shape):
            if isinstance(size, int):
                continue  # runtimes look at these themselves
            if size in seen or str(size) not in size.symbols:
                agreements.append(_Axis(value, axis, size))
            elif axis:
                agreements.append(Compare(">=", size, 1))
            seen.add(size)
    return agreements


class _Guard:
    def __init__(self, table: SizeTable) -> None:
        self.table = table

    def ints(self, number: int) -> OnnxValue:
        return self.table.constant(OnnxConstant((1,), (number,), "int64"))

    def node(
        self, op: str, inputs: list[OnnxValue], dtype: str = "bool", shape: tuple = (1,)
    ) -> OnnxValue:
        result = OnnxValue(self.table.claim(f"guard/{op}"), shape, dtype)
        self.table.add(OnnxNode(op, [v.name for v in inputs], [result.name]), result)
        return result

    def axis(self, axis: _Axis) -> OnnxValue:
        """Whether an axis has the size that it is to have."""
        name, start = axis.value.name, axis.axis
        shape = OnnxValue(self.table.claim("guard/Shape"), (1,), "int64")
        reads = OnnxNode("Shape", [name], [shape.name], {"start": start, "end": start + 1})
        self.table.add(reads, shape)
        return self.node("Equal", [shape, self.table.value(axis.size)])

    def all(self, conditions: Sequence[_Axis | Truth]) -> OnnxValue:
        """Whether all of them hold."""
        axes = [self.axis(part) for part in conditions if isinstance(part, _Axis)]
        others = [self.truth(part) for part in conditions if not isinstance(part, _Axis | bool)]
        never = [self.truth(False)] if any(part is False for part in conditions) else []
        first, *rest = [*others, *axes, *never]
        for other in rest:
            first = self.node("And", [first, other])
        return first

    def truth(self, condition: Truth) -> OnnxValue:
        """A list of one truth value."""
        match condition:
            case Compare(operator, left, right):
                sides = [self.table.value(side) for side in (left, right)]
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
