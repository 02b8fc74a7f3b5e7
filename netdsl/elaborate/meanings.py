"""What names in expressions mean, and items and sizes of what they name."""

from __future__ import annotations

from typing import Never

from netdsl.diagnostics import Sink, Span
from netdsl.elaborate.arithmetic import Wrong
from netdsl.elaborate.environment import (
    Binding,
    Broken,
    Environment,
    Flow,
    Poison,
    Sort,
)
from netdsl.elaborate.lookups import attribute, item, part
from netdsl.elaborate.resolve import dotted_names
from netdsl.elaborate.suggest import CONSTANTS, did_you_mean
from netdsl.ir.graph import Value
from netdsl.ops import registry
from netdsl.syntax import ast

EXPRESSED: tuple[Sort, Sort] = ("numbers", "values")
"""The kinds of names that an expression may hold, those first that it mostly means."""


class Meanings:
    """Looks names up for an evaluator, which is a subclass."""

    @property
    def sink(self) -> Sink:
        """Where errors go."""
        raise NotImplementedError

    @property
    def measured(self) -> set[Value]:
        """The values that are asked for a size."""
        raise NotImplementedError

    def evaluate(self, expr: ast.Expr, environment: Environment) -> object:
        """The value of an expression."""
        raise NotImplementedError

    def plain(self, expr: ast.Expr, environment: Environment) -> object:
        """The value with ratios made exact."""
        raise NotImplementedError

    def error(self, code: str, message: str, span: Span, help: str = "") -> Never:
        """Record an error and give up on the expression."""
        self.sink.error(code, message, span, help=help or ())
        raise Broken

    def head(self, expr: ast.Expr, environment: Environment) -> object:
        """What a name, or an item of it, means where a value is wanted: the value before a number.

        Raises `Broken` for what can't be (reported), as `evaluate` does.
        """
        try:
            match expr:
                case ast.NameExpr():
                    return self.name(expr, environment, ("values", "numbers"))
                case ast.Index(base):
                    return self._item_of(self.head(base, environment), expr, environment)
                case ast.Slice(base):
                    return self._part_of(self.head(base, environment), expr, environment)
                case _:
                    return self.plain(expr, environment)
        except Wrong as wrong:
            self.sink.error(wrong.code, str(wrong), expr.span, help=wrong.help or ())
            raise Broken from None

    def are_at_hand(self, flow: Flow, expr: ast.Expr, environment: Environment) -> bool:
        """Whether values are items of the `each` around, if any; reports those that are whole."""
        if all(v.type.items == environment.items for v in flow.values if v.type.batched):
            return True
        text = expr.span.text
        self.sink.error(
            "outside-each",
            f"`{text}` is a whole, and `each` works on its items",
            expr.span,
            help=f"let it flow in: `(a, {text}) -> each {{ ... in[1] ... }}`",
        )
        return False

    def one_meaning(self, expr: ast.Expr, environment: Environment) -> None:
        """Refuses a name where a number and a value are both taken, and it is the name of both."""
        if not isinstance(expr, ast.NameExpr):
            return
        number = environment.lookup("numbers", expr.name)
        value = environment.lookup("values", expr.name)
        if number is not None and value is not None:
            lines = number.span.line, value.span.line
            self.error(
                "ambiguous-name",
                f"`{expr.name}` is a number (line {lines[0]}) and a value (line {lines[1]})",
                expr.span,
                "give one of them another name",
            )

    def name(
        self,
        expr: ast.NameExpr,
        environment: Environment,
        sorts: tuple[Sort, Sort] = EXPRESSED,
    ) -> object:
        """What a name stands for: of the first of these kinds that has it."""
        for sort in sorts:
            binding = environment.lookup(sort, expr.name)
            if binding is not None:
                return self._meaning(expr, binding)
        if expr.name == "in":
            self._no_incoming(expr, environment)
        unit, layer = environment.unit, environment.lookup("layers", expr.name)
        if layer is not None or expr.name in unit.visible or expr.name in registry():
            self.error("bad-expression", f"`{expr.name}` is a layer, not a value", expr.span)
        self.error(
            "unknown-name",
            f"nothing here is called `{expr.name}`",
            expr.span,
            CONSTANTS.get(expr.name, "")
            or did_you_mean(expr.name, environment.visible(*EXPRESSED)),
        )

    def _no_incoming(self, expr: ast.NameExpr, environment: Environment) -> Never:
        """Report `in` where it names nothing: in a net, and in its groups and loops."""
        if environment.incoming is None:
            self.error(
                "unknown-name",
                "nothing flows in here: `in` is the value that enters a block or a branch",
                expr.span,
                "name a value",
            )
        self.error(
            "unknown-name",
            "`in` is the value that enters a block or a branch, and these braces are neither",
            expr.span,
            "a chain without a source starts from what flows: `add { identity ; relu }`; "
            "`x = identity` names it, for what follows and for sizes of it, `x.channels`; where "
            "several values flow make the braces a block, `block Step (x, y) { ... }`",
        )

    def _meaning(self, expr: ast.NameExpr, binding: Binding) -> object:
        if isinstance(binding.value, Poison):
            raise Broken(binding.value)
        if binding.rival is not None:
            lines = sorted((binding.span.line, binding.rival.line))
            self.error(
                "ambiguous-name",
                f"`{expr.name}` is the name of two values (lines {lines[0]} and {lines[1]})",
                expr.span,
                f'a label in quotes names the layer only: `"{expr.name}": ...`',
            )
        return binding.value

    def attribute(self, expr: ast.Attribute, environment: Environment) -> object:
        """A size of a value, or a weight whose label has several parts."""
        names = dotted_names(expr) or ()
        weight = environment.lookup("values", ".".join(name.text for name in names))
        if weight is not None:
            return weight.value
        base = self.head(expr.base, environment)
        if isinstance(base, Flow):
            self.measured.update(base.values)
        return attribute(base, expr.name.text)

    def index(self, expr: ast.Index, environment: Environment) -> object:
        """An item of a list, a size, the values that flow, or a family."""
        self.one_meaning(expr.base, environment)
        return self._item_of(self.evaluate(expr.base, environment), expr, environment)

    def slice(self, expr: ast.Slice, environment: Environment) -> object:
        """The items between two ends."""
        self.one_meaning(expr.base, environment)
        return self._part_of(self.evaluate(expr.base, environment), expr, environment)

    def _item_of(self, base: object, expr: ast.Index, environment: Environment) -> object:
        index = self.plain(expr.index, environment)
        value = item(base, index, expr.base.span.text)
        if isinstance(value, Poison):
            raise Broken(value)
        return value

    def _part_of(self, base: object, expr: ast.Slice, environment: Environment) -> object:
        ends = (
            None if end is None else self.plain(end, environment) for end in (expr.start, expr.stop)
        )
        return part(base, *ends)
