"""Compile-time evaluation of expressions, in bounded time and memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from netdsl.diagnostics import Sink, Span
from netdsl.elaborate.arithmetic import (
    CONDITIONS,
    MAX_ITEMS,
    Wrong,
    binary,
    bounded,
    compared,
    unary,
    weigh,
)
from netdsl.elaborate.builtins import BUILTINS, call_builtin
from netdsl.elaborate.environment import (
    POISON,
    Broken,
    Environment,
    Family,
    Flow,
    Halted,
    LayerValue,
    Poison,
    Ratio,
    SharedLayer,
)
from netdsl.elaborate.program import Function
from netdsl.elaborate.suggest import CONSTANTS, did_you_mean, function_help
from netdsl.ir.condition import Compare, Condition, Truth, divides
from netdsl.ir.dim import Dim, Size, floor_div
from netdsl.ops import registry
from netdsl.ops.params import show
from netdsl.syntax import ast

MAX_STEPS = 2_000_000
MAX_CALLS = 100

SIZE_ATTRIBUTES = {"channels": (0, 1), "height": (-2, 3), "width": (-1, 2), "depth": (-3, 4)}
"""Attribute of a value: the axis it names, and the least rank that has it."""


_LOOKUPS = (ast.NameExpr, ast.Attribute, ast.Index, ast.Conditional)
"""Expressions that hand on a list: they cost one step, where making one costs its items."""


class Judge(Protocol):
    """Who knows the sizes: settles conditions, and keeps what an expression requires."""

    def decide(self, condition: Truth, span: Span) -> bool: ...

    def need(self, condition: Condition, span: Span, message: str) -> None: ...


@dataclass
class Evaluator:
    """Evaluates expressions; errors go to the sink and raise `Broken`."""

    sink: Sink
    judge: Judge
    bind_function: Callable[[Function, ast.CallExpr, Environment], Environment]
    steps: int = 0
    calls: int = 0
    _handlers: dict[type, Callable[..., object]] = field(init=False)

    def __post_init__(self) -> None:
        self._handlers = {
            ast.Number: lambda e, _: bounded(e.value),
            ast.Text: lambda e, _: bounded(e.value),
            ast.Truth: lambda e, _: e.value,
            ast.SizeLiteral: lambda e, _: e.parts,
            ast.ListExpr: lambda e, env: bounded([self.plain(i, env) for i in e.items]),
            ast.TupleExpr: lambda e, env: tuple(self.number(i, env) for i in e.items),
            ast.NameExpr: self._name,
            ast.Attribute: self._attribute,
            ast.Index: self._index,
            ast.Slice: self._slice,
            ast.CallExpr: self._call,
            ast.Unary: lambda e, env: unary(e.operator, self.evaluate(e.operand, env)),
            ast.Binary: self._binary,
            ast.Compare: self._compare,
            ast.Conditional: self._conditional,
            ast.Range: self._range,
        }

    def evaluate(self, expr: ast.Expr, environment: Environment) -> object:
        """The value of an expression; `Ratio`, conditions and flows may come out."""
        self.spend(1, expr.span)
        try:
            value = self._handlers[type(expr)](expr, environment)
            if isinstance(value, list) and not isinstance(expr, _LOOKUPS):
                self.steps += weigh(value)
            return value
        except Wrong as wrong:
            self.sink.error(wrong.code, str(wrong), expr.span, help=wrong.help or ())
            raise Broken from None

    def spend(self, steps: int, span: Span) -> None:
        """Take steps from the bound; ends the work when it is used up."""
        self.expect(steps, span)
        self.steps += steps

    def expect(self, steps: int, span: Span) -> None:
        """Ends the work where so many steps are not left."""
        if self.steps + steps > MAX_STEPS:
            self.sink.error(
                "too-much-work",
                f"evaluating the expressions takes more than {MAX_STEPS:,} steps",
                span,
            )
            raise Halted

    def plain(self, expr: ast.Expr, environment: Environment) -> object:
        """The value with ratios made exact: `H / 4` requires that 4 divides H."""
        value = self.evaluate(expr, environment)
        return self._exact(value, expr.span) if isinstance(value, Ratio) else value

    def number(self, expr: ast.Expr, environment: Environment) -> object:
        """A plain value that is a number (a part of a size)."""
        value = self.plain(expr, environment)
        if isinstance(value, bool) or not isinstance(value, int | float | Dim):
            self.error("bad-expression", f"{describe(value)} is not a number", expr.span)
        return value

    def size(self, expr: ast.Expr, environment: Environment) -> Size:
        """A whole number or symbolic size: an axis of a shape."""
        value = self.plain(expr, environment)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | Dim):
            self.error("bad-expression", f"{describe(value)} is not a size", expr.span)
        return value  # type: ignore[return-value]

    def truth(self, expr: ast.Expr, environment: Environment) -> Truth:
        """True, false, or a condition on the sizes."""
        value = self.plain(expr, environment)
        if not isinstance(value, (bool, *CONDITIONS)):
            self.error(
                "bad-expression",
                f"{describe(value)} is not a condition",
                expr.span,
                help="compare it with something: `n > 0`",
            )
        return value  # type: ignore[return-value]

    def decided(self, expr: ast.Expr, environment: Environment) -> bool:
        """Whether a condition holds, for all allowed sizes."""
        return self.judge.decide(self.truth(expr, environment), expr.span)

    def error(self, code: str, message: str, span: Span, help: str = "") -> None:
        """Record an error and give up on the expression."""
        self.sink.error(code, message, span, help=help or ())
        raise Broken

    def _exact(self, ratio: Ratio, span: Span) -> Size:
        condition = divides(ratio.denominator, ratio.numerator)
        if condition is False:
            self.error("bad-expression", f"{ratio} is never a whole number", span)
        if not isinstance(condition, bool):
            self.judge.need(
                condition, span, f"{ratio.denominator} has to divide {ratio.numerator} exactly"
            )
        return floor_div(ratio.numerator, ratio.denominator)

    def _name(self, expr: ast.NameExpr, environment: Environment) -> object:
        binding = environment.lookup(expr.name)
        if binding is not None:
            if isinstance(binding.value, Poison):
                raise Broken
            return binding.value
        if expr.name == "in":
            self.error(
                "unknown-name",
                "nothing flows in here: `in` is the value that enters a block or a branch",
                expr.span,
            )
        unit = environment.unit
        if expr.name in unit.visible or expr.name in registry():
            self.error("bad-expression", f"`{expr.name}` is a layer, not a value", expr.span)
        self.error(
            "unknown-name",
            f"nothing here is called `{expr.name}`",
            expr.span,
            CONSTANTS.get(expr.name, "") or did_you_mean(expr.name, environment.visible()),
        )
        raise AssertionError

    def _attribute(self, expr: ast.Attribute, environment: Environment) -> object:
        base = self.evaluate(expr.base, environment)
        name = expr.name.text
        if not isinstance(base, Flow):
            self.error("bad-expression", f"{describe(base)} has no `.{name}`", expr.span)
        assert isinstance(base, Flow)
        if len(base.values) != 1:
            self.error(
                "bad-expression",
                f"{len(base.values)} values flow here, and each has its own `.{name}`",
                expr.span,
                "name one of them: `in[0]`",
            )
        shape = base.values[0].type.shape
        if name == "rank":
            return len(shape)
        if name == "shape":
            return list(shape)
        if name == "length" and len(shape) == 2:
            return shape[1]
        axis, least = SIZE_ATTRIBUTES.get(name, (0, 99))
        if len(shape) >= least:
            return shape[axis]
        known = [*SIZE_ATTRIBUTES, "length", "rank", "shape"]
        missing = f"{base} has no `.{name}`"
        self.error(
            "bad-expression", missing, expr.span, "" if name in known else did_you_mean(name, known)
        )
        raise AssertionError

    def _index(self, expr: ast.Index, environment: Environment) -> object:
        base = self.evaluate(expr.base, environment)
        index = self.plain(expr.index, environment)
        if isinstance(base, SharedLayer | LayerValue):
            raise Wrong(f"{describe(base)} can't be indexed")
        if isinstance(index, bool) or not isinstance(index, int):
            raise Wrong(f"an index is a whole number, not {describe(index)}")
        if isinstance(base, Family):
            return self._member(base, index, expr)
        items = base.values if isinstance(base, Flow) else base
        if not isinstance(items, list | tuple):
            raise Wrong(f"{describe(base)} can't be indexed")
        if not -len(items) <= index < len(items):
            raise Wrong(f"index {index} is outside: there are {len(items)} items, from 0 on")
        return Flow((items[index],)) if isinstance(base, Flow) else items[index]

    def _member(self, family: Family, index: int, expr: ast.Index) -> object:
        found = family.members.get(index)
        if found is None:
            there = ", ".join(map(str, sorted(family.members)))
            raise Wrong(f"there is no `{expr.base.span.text}[{index}]`, only {there}")
        if found is POISON:
            raise Broken
        return found

    def _slice(self, expr: ast.Slice, environment: Environment) -> object:
        base = self.evaluate(expr.base, environment)
        start = None if expr.start is None else self.plain(expr.start, environment)
        stop = None if expr.stop is None else self.plain(expr.stop, environment)
        for bound in start, stop:
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                raise Wrong(f"the ends of a slice are whole numbers, not {describe(bound)}")
        if isinstance(base, Flow):
            return Flow(base.values[start:stop])  # type: ignore[misc]
        if not isinstance(base, list | tuple | str):
            raise Wrong(f"{describe(base)} can't be sliced")
        return base[start:stop]  # type: ignore[misc]

    def _binary(self, expr: ast.Binary, environment: Environment) -> object:
        left = self.evaluate(expr.left, environment)
        if expr.operator == "and" and left is False:
            return False
        if expr.operator == "or" and left is True:
            return True
        right = self.evaluate(expr.right, environment)
        self._operands(left, right)
        return binary(expr.operator, left, right)

    def _compare(self, expr: ast.Compare, environment: Environment) -> object:
        values = [self.evaluate(operand, environment) for operand in expr.operands]
        self._operands(*values)
        result: object = True
        for operator, left, right in zip(expr.operators, values, values[1:], strict=False):
            result = binary("and", result, compared(operator, left, right))
        return result

    def _operands(self, *values: object) -> None:
        for value in values:
            if isinstance(value, Flow | LayerValue | SharedLayer | Family):
                raise Wrong(
                    f"expressions compute with numbers, and this is {describe(value)}",
                    help="its sizes are numbers: `x.channels`, `x.height`"
                    if isinstance(value, Flow)
                    else "",
                )

    def _conditional(self, expr: ast.Conditional, environment: Environment) -> object:
        chosen = expr.then if self.decided(expr.condition, environment) else expr.otherwise
        return self.evaluate(chosen, environment)

    def _range(self, expr: ast.Range, environment: Environment) -> object:
        start, stop = self.plain(expr.start, environment), self.plain(expr.stop, environment)
        for bound in start, stop:
            if isinstance(bound, bool) or not isinstance(bound, int):
                raise Wrong(f"the ends of a range are whole numbers, not {describe(bound)}")
        assert isinstance(start, int)
        assert isinstance(stop, int)
        if stop - start > MAX_ITEMS:
            raise Wrong(f"the range has more than {MAX_ITEMS:,} numbers", "too-large")
        return list(range(start, stop))

    def _call(self, expr: ast.CallExpr, environment: Environment) -> object:
        if isinstance(expr.callee, ast.Attribute):
            return self._call_alias(expr, expr.callee, environment)
        name = expr.callee.name
        function = environment.unit.visible.get(name)
        if isinstance(function, Function):
            return self._call_function(function, expr, environment)
        if name not in BUILTINS and environment.unit.is_lacking:
            raise Broken
        if name not in BUILTINS:
            known = {
                *BUILTINS,
                *(n for n, d in environment.unit.visible.items() if isinstance(d, Function)),
            }
            self.error(
                "unknown-function",
                f"there is no function `{name}`",
                expr.callee.span,
                function_help(name, known) or f"there are {', '.join(sorted(known))}",
            )
        if any(a.name for a in expr.arguments):
            raise Wrong(f"`{name}` takes no named arguments")
        values = [self.evaluate(a.value, environment) for a in expr.arguments]
        self.steps += sum(len(value) for value in values if isinstance(value, list))
        return call_builtin(name, values)

    def _call_alias(
        self, expr: ast.CallExpr, callee: ast.Attribute, environment: Environment
    ) -> object:
        base = callee.base.name if isinstance(callee.base, ast.NameExpr) else ""
        unit = environment.unit.aliases.get(base)
        function = unit.own.get(callee.name.text) if unit else None
        if not isinstance(function, Function):
            raise Wrong(f"there is no function `{callee.span.text}`", "unknown-function")
        return self._call_function(function, expr, environment)

    def _call_function(
        self, function: Function, expr: ast.CallExpr, environment: Environment
    ) -> object:
        self.calls += 1
        if self.calls > MAX_CALLS:
            self.sink.error(
                "too-deep", f"`{function.name}` calls itself more than {MAX_CALLS} deep", expr.span
            )
            raise Halted
        try:
            inner = self.bind_function(function, expr, environment)
            return self.evaluate(function.definition.body, inner)
        finally:
            self.calls -= 1


def describe(value: object) -> str:
    """A compile-time value in an error message."""
    match value:
        case Flow():
            return f"a value of shape {value}" if len(value.values) == 1 else f"the values {value}"
        case LayerValue():
            return f"the layer `{value}`"
        case SharedLayer():
            return f"the layer `{value.statement.name.text}`"
        case Family():
            return "a family of labels (write an index: `[0]`)"
        case Compare():
            return f"the condition `{value}`"
        case _:
            return show(value)
