"""Compile-time evaluation of expressions, and of calls that lie in them; in bounded time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdsl.diagnostics import Sink, Span
from netdsl.elaborate import otherwise
from netdsl.elaborate.arguments import (
    Bound,
    Formal,
    Given,
    converted,
    declare_parameter,
    formal_of,
    match,
    untyped,
)
from netdsl.elaborate.arithmetic import (
    CONDITIONS,
    MAX_ITEMS,
    Wrong,
    binary,
    bounded,
    compared,
    is_open,
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
    describe,
)
from netdsl.elaborate.formulas import formula_of
from netdsl.elaborate.meanings import Meanings
from netdsl.elaborate.program import Function
from netdsl.elaborate.resolve import layer_named, layer_value
from netdsl.elaborate.suggest import did_you_mean, function_help
from netdsl.ir.builder import Builder
from netdsl.ir.condition import Truth, decide, divides, negate
from netdsl.ir.dim import Dim, Size, floor_div
from netdsl.ir.graph import Value
from netdsl.ir.sequences import is_list, is_tuple
from netdsl.ops.params import VALUE, FromValue
from netdsl.syntax import ast
from netdsl.syntax.walk import walk

MAX_STEPS = 2_000_000
MAX_CALLS = 100

_LOOKUPS = (ast.NameExpr, ast.Attribute, ast.Index, ast.Conditional)
"""Expressions that hand on a list: they cost one step, where making one costs its items."""


@dataclass
class Evaluator(Meanings):
    """Evaluates expressions; errors go to the sink and raise `Broken`."""

    graph: Builder
    steps: int = 0
    calls: int = 0
    _handlers: dict[type[ast.Expr], Callable[[Any, Environment], object]] = field(init=False)

    def __post_init__(self) -> None:
        self._handlers = {
            ast.Number: lambda e, _: bounded(e.value),
            ast.Text: lambda e, _: bounded(e.value),
            ast.Truth: lambda e, _: e.value,
            ast.SizeLiteral: lambda e, _: e.parts,
            ast.ListExpr: lambda e, env: bounded([self._listed(i, env) for i in e.items]),
            ast.TupleExpr: lambda e, env: tuple(self.number(i, env) for i in e.items),
            ast.NameExpr: self.name,
            ast.Attribute: self.attribute,
            ast.Index: self.index,
            ast.Slice: self.slice,
            ast.CallExpr: self._call,
            ast.Unary: lambda e, env: unary(e.operator, self.evaluate(e.operand, env)),
            ast.Binary: self._binary,
            ast.Compare: self._compare,
            ast.Conditional: self._conditional,
            ast.Range: self._range,
        }

    @property
    def sink(self) -> Sink:
        return self.graph.sink

    @property
    def measured(self) -> set[Value]:
        return self.graph.measured

    def evaluate(self, expr: ast.Expr, environment: Environment) -> object:
        """The value of an expression; `Ratio`, conditions and flows may come out."""
        self.spend(1, expr.span)
        try:
            value = self._handlers[type(expr)](expr, environment)
            if is_list(value) and not isinstance(expr, _LOOKUPS):
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
        return self._exact(self.evaluate(expr, environment), expr.span)

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
        condition = self.truth(expr, environment)
        answer = decide(condition, {})
        holds = self.graph.holds(condition) if answer is None else answer
        if holds is None:
            self.error(
                "undecided-condition",
                f"whether {condition} holds depends on the size of the input",
                expr.span,
                "restrict the sizes so that it always or never does: "
                f"`input ...: [...] where {condition}`",
            )
        # what settled it may be needed in training alone, so it becomes part of the contract
        held = condition if holds else negate(condition)
        if answer is None and not isinstance(held, bool):
            message = f"the network was built for sizes where {held}"
            self.graph.need(held, expr.span, message)
        return bool(holds)

    def _exact(self, value: object, span: Span) -> object:
        if is_tuple(value):
            return tuple(self._exact(part, span) for part in value)
        return self._divided(value, span) if isinstance(value, Ratio) else value

    def _divided(self, ratio: Ratio, span: Span) -> Size:
        condition = divides(ratio.denominator, ratio.numerator)
        if condition is False:
            self.error("bad-expression", f"{ratio} is never a whole number", span)
        if not isinstance(condition, bool):
            self.graph.need(
                condition, span, f"{ratio.denominator} has to divide {ratio.numerator} exactly"
            )
        return floor_div(ratio.numerator, ratio.denominator)

    def _listed(self, expr: ast.Expr, environment: Environment) -> object:
        """An item of a list, which may be a layer: `[5, 40, relu]`."""
        callee = expr.callee if isinstance(expr, ast.CallExpr) else expr
        if isinstance(callee, ast.NameExpr):
            name, is_call = callee.name, callee is not expr
            is_number = (
                self._is_function(name, environment) if is_call else not environment.lacks(name)
            )
            if not is_number and layer_named(name, environment) is not None:
                return layer_value(expr, environment, self.sink)
        return self.plain(expr, environment)

    @staticmethod
    def _is_function(name: str, environment: Environment) -> bool:
        return name in BUILTINS or isinstance(environment.unit.visible.get(name), Function)

    def _binary(self, expr: ast.Binary, environment: Environment) -> object:
        left = self.evaluate(expr.left, environment)
        if expr.operator == "and" and left is False:
            return False
        if expr.operator == "or" and left is True:
            return True
        right = self.evaluate(expr.right, environment)
        self._operands(left, right)
        if expr.operator == "*" and is_open(left) and is_open(right):  # each is divided by itself
            left, right = (
                self._exact(side, operand.span)
                for side, operand in ((left, expr.left), (right, expr.right))
            )
        if expr.operator == "**" and is_open(left):
            left = self._exact(left, expr.left.span)
        if expr.operator == "/":
            _check_product(expr, left)
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
            functions = {
                *BUILTINS,
                *(n for n, d in environment.unit.visible.items() if isinstance(d, Function)),
            }
            self.error(
                "unknown-function",
                f"there is no function `{name}`",
                expr.callee.span,
                function_help(name, functions) or f"there are {', '.join(sorted(functions))}",
            )
        if any(a.name for a in expr.arguments):
            raise Wrong(f"`{name}` takes no named arguments")
        for argument in expr.arguments:
            self.one_meaning(argument.value, environment)
        values = [self.evaluate(a.value, environment) for a in expr.arguments]
        self.steps += sum(map(len, filter(is_list, values)))
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
            inner = Environment(function.unit)
            definition = function.definition
            passed = [(argument, environment) for argument in expr.arguments]
            bound = self.bind_definition(
                function.name, definition.parameters, passed, expr.span, inner
            )
            if bound is None or bound.is_poison:
                raise Broken
            return self.evaluate(definition.body, inner)
        finally:
            self.calls -= 1

    # --- arguments of definitions

    def bind_definition(
        self,
        name: str,
        formal_parameters: tuple[ast.Parameter, ...],
        arguments: Sequence[Given],
        call: Span,
        inner: Environment,
        inputs: Sequence[ast.BlockInput] = (),
    ) -> Bound | None:
        """The parameters of a block or fn, bound in `inner` too; None if the call is wrong.

        `inputs` are the block's; without a type a parameter is taken for one.
        """
        formals = [formal_of(p, self.sink) for p in formal_parameters]
        if None in formals:
            return None
        typed = [f for f in formals if f is not None]
        meant = "" if typed else untyped(inputs)
        matched = match(name, typed, arguments, call, self.sink, meant)
        if matched is None:
            return None
        bound = Bound()
        for formal, parameter in zip(typed, formal_parameters, strict=True):
            if formal.name in matched:
                argument, environment = matched[formal.name]
                self.take(bound, formal, argument.value, environment, None)
            else:
                assert parameter.default is not None
                self.take(bound, formal, parameter.default, inner, None)
                bound.formulas[formal.name] = None
            declare_parameter(inner, parameter, bound.values[formal.name], self.sink)
        return bound

    def take(
        self,
        bound: Bound,
        formal: Formal,
        expr: ast.Expr,
        environment: Environment,
        inputs_before: int | None,
    ) -> None:
        """Evaluate one argument into `bound`; poison where it is wrong."""
        bound.spans[formal.name] = expr.span
        if formal.kind is None:
            bound.values[formal.name] = layer_value(expr, environment, self.sink)
            return
        if isinstance(expr, ast.NameExpr) and expr.name in formal.kind.words:
            bound.values[formal.name] = converted(formal, expr.name, expr.span, self.sink)
            return
        expr = _quoted(expr, formal.kind.words)
        try:
            value = self._argument(formal, expr, environment)
        except Broken:
            bound.values[formal.name] = POISON
            return
        if isinstance(value, Flow) and formal.kind.takes_value and inputs_before is not None:
            bound.values[formal.name] = self._reference(
                bound, value, expr, environment, inputs_before
            )
            return
        bound.formulas[formal.name] = formula_of(expr, environment)
        bound.values[formal.name] = converted(formal, value, expr.span, self.sink)

    def _argument(self, formal: Formal, expr: ast.Expr, environment: Environment) -> object:
        """A bare word that is none of the option words gets a message that lists them."""
        assert formal.kind is not None
        if formal.kind.name == VALUE.name:
            return self.head(expr, environment)
        if formal.kind.takes_value:
            self.one_meaning(expr, environment)
        if isinstance(expr, ast.NameExpr) and environment.lacks(expr.name):
            words = formal.kind.words
            help = otherwise.word(formal.owner, formal.name, expr.name)
            if help or words:
                self.error(
                    "bad-argument",
                    f"`{formal.name}` does not know `{expr.name}`",
                    expr.span,
                    help or did_you_mean(expr.name, words) or f"it takes {formal.kind.name}",
                )
        for part in walk(expr) if formal.kind.words else ():
            if isinstance(part, ast.NameExpr) and part.name in formal.kind.words:
                self._misplaced_word(formal.name, part, environment)
        ways = otherwise.none_in_size(formal.owner, getattr(expr, "items", ()))
        if ways:
            self.error("bad-argument", "`none` is no size", expr.span, *ways)
        return self.plain(expr, environment)

    def _misplaced_word(self, parameter: str, word: ast.NameExpr, environment: Environment) -> None:
        """Report an option word in an expression, where it is the name of nothing else."""
        if environment.lacks(word.name):
            self.error(
                "bad-argument",
                f"`{word.name}` is a word for `{parameter}`, and nothing to compute with",
                word.span,
                f"it stands alone, or as a side of a choice: `{word.name} if ... else ...`",
            )

    def _reference(
        self,
        bound: Bound,
        flow: Flow,
        expr: ast.Expr,
        environment: Environment,
        inputs_before: int,
    ) -> FromValue | Poison:
        if len(flow.values) != 1:
            self.sink.error(
                "bad-argument",
                f"one value is needed, and these are {len(flow.values)}",
                expr.span,
            )
            return POISON
        if not self.are_at_hand(flow, expr, environment):
            return POISON
        bound.references.append(flow.values[0])
        return FromValue(inputs_before + len(bound.references) - 1)


def _quoted(expr: ast.Expr, words: Collection[str]) -> ast.Expr:
    """A choice between arguments with its option words as texts."""
    match expr:
        case ast.Conditional(condition, then, otherwise, span) if words:
            then, otherwise = _side(then, words), _side(otherwise, words)
            return ast.Conditional(condition, then, otherwise, span)
        case _:
            return expr


def _side(expr: ast.Expr, words: Collection[str]) -> ast.Expr:
    if isinstance(expr, ast.NameExpr) and expr.name in words:
        return ast.Text(expr.name, expr.span)
    return _quoted(expr, words)


def _check_product(expr: ast.Binary, left: object) -> None:
    """Refuses `H / 7 * W / 7`, where the second 7 divides the whole product."""
    match expr.left:
        case ast.Binary("*", ast.Binary("/", first, over), second):
            pass
        case _:
            return
    if not isinstance(left, Dim) or left.is_linear:
        return
    each = (
        f"({one.span.text} / {divisor.span.text})"
        for one, divisor in ((first, over), (second, expr.right))
    )
    raise Wrong(
        f"this divides the whole product by {expr.right.span.text}, not its last factor",
        "bad-expression",
        f"write `{' * '.join(each)}`",
    )
