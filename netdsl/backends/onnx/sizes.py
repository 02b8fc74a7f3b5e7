"""Sizes worked out in the ONNX graph: from the shapes of its inputs, in whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netdsl.ir.dim import Atom, Dim, Floor, Maximum, Quotient, Size, Symbol, bounds
from netdsl.ops.lowering import OnnxConstant, OnnxNode, OnnxValue


class SizeTable:
    """Values that hold sizes, each worked out once: int64 lists of one number."""

    def __init__(
        self,
        inputs: Sequence[OnnxValue],
        claim: Callable[[str], str],
        constant: Callable[[OnnxConstant], OnnxValue],
        add: Callable[..., None],
    ) -> None:
        self.inputs, self.claim, self.constant, self.add = inputs, claim, constant, add
        self.values: dict[Size | Atom, OnnxValue] = {}

    def value(self, size: Size) -> OnnxValue:
        """The value that holds a size."""
        if isinstance(size, int):
            return self.constant(OnnxConstant((1,), (size,), "int64"))
        if size not in self.values:
            self.values[size] = self._sum(size)
        return self.values[size]

    def _sum(self, size: Dim) -> OnnxValue:
        total: OnnxValue | None = None
        for monomial, coefficient in size.terms:
            term = self._product(monomial, coefficient)
            total = term if total is None else self._node("Add", total, term)
        assert total is not None
        return self._node("Add", total, self.value(size.constant)) if size.constant else total

    def _product(self, monomial: tuple[Atom, ...], coefficient: int) -> OnnxValue:
        first, *others = (self._atom(atom) for atom in monomial)
        for other in others:
            first = self._node("Mul", first, other)
        return first if coefficient == 1 else self._node("Mul", first, self.value(coefficient))

    def _atom(self, atom: Atom) -> OnnxValue:
        if atom not in self.values:
            match atom:
                case Symbol(name):
                    self.values[atom] = self._symbol(name)
                case Floor(numerator, divisor):
                    self.values[atom] = self._floor(numerator, divisor)
                case Maximum(left, right):
                    self.values[atom] = self._node("Max", self.value(left), self.value(right))
                case Quotient(left, right):
                    self.values[atom] = self._floor(left, right)
        return self.values[atom]

    def _floor(self, numerator: Size, divisor: Size) -> OnnxValue:
        """ONNX's Div truncates, so what may be below 0 loses its remainder first."""
        top, bottom = self.value(numerator), self.value(divisor)
        low, _ = bounds(numerator, {})
        if low is None or low < 0:
            top = self._node("Sub", top, self._node("Mod", top, bottom))
        return self._node("Div", top, bottom)

    def _symbol(self, name: str) -> OnnxValue:
        """Read off the first input that has the symbol as an axis."""
        for value in self.inputs:
            for axis, size in enumerate(value.shape):
                if isinstance(size, Dim) and str(size) == name:
                    result = OnnxValue(self.claim(f"size/{name}"), (1,), "int64")
                    node = OnnxNode(
                        "Shape", [value.name], [result.name], {"start": axis, "end": axis + 1}
                    )
                    self.add(node, result)
                    return result
        raise AssertionError(f"no input has the size {name}")

    def _node(self, op: str, left: OnnxValue, right: OnnxValue) -> OnnxValue:
        result = OnnxValue(self.claim("size/value"), (1,), "int64")
        self.add(OnnxNode(op, [left.name, right.name], [result.name]), result)
        return result
