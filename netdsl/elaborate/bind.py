"""Arguments meet parameters: by position and name, each converted to its parameter's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from netdsl.diagnostics import Edit, Fix, Label, Sink, Span
from netdsl.elaborate import otherwise
from netdsl.elaborate.evaluate import Evaluator, describe
from netdsl.elaborate.foreign_meaning import other_meaning
from netdsl.elaborate.formulas import formula_of
from netdsl.elaborate.given import Written, expression
from netdsl.elaborate.names import (
    POISON,
    Binding,
    Broken,
    Environment,
    Flow,
    LayerValue,
    Poison,
)
from netdsl.elaborate.program import Function
from netdsl.elaborate.suggest import (
    SAME_PARAMETER,
    asked,
    did_you_mean,
    is_same,
    leave_out,
    nearest,
)
from netdsl.ir.dim import Dim
from netdsl.ir.formula import Formula, Name
from netdsl.ir.graph import Argument, Value
from netdsl.ops import registry
from netdsl.ops.base import Op, parameters
from netdsl.ops.params import (
    BOOL,
    FLOAT,
    INT,
    SCALE,
    SIZE,
    TEXT,
    FromValue,
    Kind,
    Mismatch,
    Same,
)
from netdsl.syntax import ast

DECLARED = {"int": INT, "float": FLOAT, "bool": BOOL, "string": TEXT, "size": SIZE, "scale": SCALE}
"""Kinds of the types that a block's parameters are declared with (`layer` is apart)."""

Given = tuple[ast.Argument, Environment]
"""An argument, and the environment it is evaluated in."""


@dataclass(slots=True)
class Formal:
    """A parameter to be bound, of an op or of a definition. `kind` None: a layer.

    `usage` says how the op is called, for what does not fit; `named` ones are given by name only;
    `owner` is the op.
    """

    name: str
    kind: Kind | None
    required: bool
    default: object = None
    usage: str = ""
    named: bool = False
    owner: str = ""


@dataclass(slots=True)
class Bound:
    """Values by parameter, with how they were written, where, and what flows in besides."""

    values: dict[str, object] = field(default_factory=dict)
    formulas: dict[str, Formula | None] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    references: list[Value] = field(default_factory=list)

    @property
    def is_poison(self) -> bool:
        return any(isinstance(v, Poison) for v in self.values.values())

    def arguments(self) -> dict[str, Argument]:
        """For the graph: each value with its formula."""
        return {name: Argument(v, self.formulas.get(name)) for name, v in self.values.items()}


class Binder:
    """Binds calls; `inputs_before` in `bind_op` is where references to other values start."""

    def __init__(
        self,
        sink: Sink,
        evaluator: Evaluator,
        layer_value: Callable[[ast.Expr, Environment], LayerValue | Poison],
    ) -> None:
        self.sink, self.evaluator, self.layer_value = sink, evaluator, layer_value

    def bind_op(
        self, op: type[Op], given: Sequence[Given], call: Span, inputs_before: int
    ) -> Bound | None:
        """The fields of an op; None if the call is wrong (reported)."""
        order = [p.name for p in parameters(op) if not p.named]
        usage = f"`{op.name}` takes {', '.join(order)}, in this order" if len(order) > 1 else ""
        formals = [
            Formal(p.name, p.kind, p.required, p.default, usage, p.named, op.name)
            for p in parameters(op)
        ]
        matched = self._match(op.name, formals, given, call)
        if matched is None:
            return None
        bound = Bound()
        for formal in formals:
            if formal.name in matched:
                argument, environment = matched[formal.name]
                self._take(bound, formal, argument.value, environment, inputs_before)
            elif isinstance(formal.default, Same):
                bound.values[formal.name] = bound.values[formal.default.parameter]
            else:
                bound.values[formal.name] = formal.default
        return bound

    def bind_definition(
        self,
        name: str,
        formal_parameters: tuple[ast.Parameter, ...],
        given: Sequence[Given],
        call: Span,
        inner: Environment,
        inputs: Sequence[ast.BlockInput] = (),
    ) -> Bound | None:
        """The parameters of a block or fn, bound in `inner` too; None if the call is wrong.

        `inputs` are the block's; without a type a parameter is taken for one.
        """
        formals = [self._formal(p) for p in formal_parameters]
        if None in formals:
            return None
        known = [f for f in formals if f is not None]
        untyped = "" if known else _untyped(inputs)
        matched = self._match(name, known, given, call, untyped)
        if matched is None:
            return None
        bound = Bound()
        for formal, parameter in zip(known, formal_parameters, strict=True):
            if formal.name in matched:
                argument, environment = matched[formal.name]
                self._take(bound, formal, argument.value, environment, None)
            else:
                assert parameter.default is not None
                self._take(bound, formal, parameter.default, inner, None)
                bound.formulas[formal.name] = None
            self._declare(inner, parameter, bound.values[formal.name])
        return bound

    def bind_values(
        self,
        net: ast.NetDefinition,
        given: Mapping[str, object],
        inner: Environment,
    ) -> Bound | None:
        """The parameters of a net, from Python values or its defaults."""
        bound = Bound()
        names = [p.name.text for p in net.parameters]
        for name in given:
            if name not in names:
                self.sink.error(
                    "unknown-parameter",
                    f"net {net.name.text} has no parameter `{name}`",
                    net.name.span,
                    help=did_you_mean(name, names) or f"it has {', '.join(names) or 'none'}",
                )
                return None
        for parameter in net.parameters:
            formal = self._formal(parameter)
            if formal is None:
                return None
            name = formal.name
            if name in given:
                place = parameter.name.span
                bound.values[name] = self._from_outside(formal, given[name], place, inner)
            elif parameter.default is not None:
                self._take(bound, formal, parameter.default, inner, None)
            else:
                self.sink.error(
                    "missing-argument",
                    f"net {net.name.text} needs a value for its parameter `{name}`",
                    parameter.span,
                    help=f"give it (`--set {name}=...`), or give it a default",
                )
                bound.values[name] = POISON
            bound.formulas[name] = None
            self._declare(inner, parameter, bound.values[name])
        return bound

    def _from_outside(
        self, formal: Formal, value: object, place: Span, inner: Environment
    ) -> object:
        """A value that Python or the command line gives; a layer comes as it would be written."""
        if formal.kind is not None and (formal.kind is TEXT or not isinstance(value, Written)):
            plain = str(value) if isinstance(value, Written) else value
            return self._converted(formal, plain, place)
        if not isinstance(value, str):
            self.sink.error(
                "bad-argument",
                f"`{formal.name}` takes a layer, not {value!r}",
                place,
                help='give it as it would be written: "leaky_relu(0.1)"',
            )
            return POISON
        expr = expression(value, formal.name, place, self.sink)
        if expr is None:
            return POISON
        bound = Bound()
        self._take(bound, formal, expr, inner, None)
        return bound.values[formal.name]

    def _declare(self, inner: Environment, parameter: ast.Parameter, value: object) -> None:
        name = parameter.name
        if name.text in inner.bindings:
            self.sink.error(
                "name-taken",
                f"two parameters are called `{name.text}`",
                name.span,
                secondary=[Label(inner.bindings[name.text].span, "the first one")],
            )
            return
        formula = None if isinstance(value, LayerValue) else Name(name.text)
        inner.bindings[name.text] = Binding(value, name.span, formula)

    def _formal(self, parameter: ast.Parameter) -> Formal | None:
        declared, required = parameter.type, parameter.default is None
        if declared.name == "layer" and declared.depth == 0:
            return Formal(parameter.name.text, None, required)
        kind = DECLARED.get(declared.name)
        if kind is None:
            self.sink.error(
                "unknown-type",
                f"there is no type `{declared.span.text}`",
                declared.span,
                help=did_you_mean(declared.name, [*DECLARED, "layer"])
                or "types are int, float, bool, string, size, scale, layer and lists such as [int]",
            )
            return None
        for _ in range(declared.depth):
            kind = _listed(kind)
        return Formal(parameter.name.text, kind, required)

    def _match(
        self,
        name: str,
        formals: Sequence[Formal],
        given: Sequence[Given],
        call: Span,
        untyped: str = "",
    ) -> dict[str, Given] | None:
        """Each argument beside its parameter; reports what does not fit and what is missing."""
        names = [f.name for f in formals]
        order = [f.name for f in formals if not f.named]
        matched: dict[str, Given] = {}
        wrong = False
        position = 0
        for argument, environment in given:
            if argument.name is None:
                target = order[position] if position < len(order) else None
                position += 1
            else:
                target = argument.name.text if argument.name.text in names else None
            if target is None:
                known = order if argument.name is None else names
                self._unexpected(name, known, argument, untyped, _already(given, argument, order))
                wrong = True
            elif target in matched:
                self.sink.error(
                    "argument-twice",
                    f"`{target}` of `{name}` is given twice",
                    argument.span,
                    help=f"arguments without a name fill {', '.join(order)} in this order",
                )
                wrong = True
            else:
                matched[target] = (argument, environment)
        for formal in formals:
            if formal.required and formal.name not in matched and not wrong:
                self.sink.error(
                    "missing-argument",
                    f"`{name}` needs `{formal.name}`",
                    call,
                    help=f"write `{name}({_usage(formals)})`",
                )
                wrong = True
        return None if wrong else matched

    def _unexpected(
        self,
        name: str,
        names: list[str],
        argument: ast.Argument,
        untyped: str,
        already: set[str],
    ) -> None:
        """An argument that fits no parameter; `already` are those that others fill."""
        if argument.name is None:
            most = len(names)
            self.sink.error(
                "too-many-arguments",
                f"`{name}` takes {_count(most)}",
                argument.span,
                help=otherwise.number(name, argument.value)
                or untyped
                or (f"they are {', '.join(names)}" if names else ""),
            )
            return
        text, span = argument.name.text, argument.name.span
        other = other_meaning(name if name in registry() else "", text, names)
        written = untyped or ("" if other else leave_out(text))
        written = written or otherwise.named_argument(name, text)
        guess = "" if written else nearest(text, names)
        if guess in already:
            written = f"`{guess}` is given already" if is_same(text, guess) else ""
            guess = ""
        fix = Fix(f"write `{guess}`", (Edit(span, guess),), safe=is_same(text, guess))
        self.sink.error(
            "unknown-argument",
            f"`{name}` has no parameter `{text}`",
            span,
            help=written
            or " ".join(filter(None, (asked([guess] if guess else ()), other)))
            or (f"it has {', '.join(names)}" if names else "it takes no arguments"),
            fix=fix if guess and not other else None,
        )

    def _take(
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
            bound.values[formal.name] = self.layer_value(expr, environment)
            return
        if isinstance(expr, ast.NameExpr) and expr.name in formal.kind.words:
            bound.values[formal.name] = self._converted(formal, expr.name, expr.span)
            return
        try:
            value = self._evaluate(formal, expr, environment)
        except Broken:
            bound.values[formal.name] = POISON
            return
        if isinstance(value, Flow) and formal.kind.takes_value and inputs_before is not None:
            bound.values[formal.name] = self._reference(bound, value, expr.span, inputs_before)
            return
        bound.formulas[formal.name] = formula_of(expr, environment)
        bound.values[formal.name] = self._converted(formal, value, expr.span)

    def _evaluate(self, formal: Formal, expr: ast.Expr, environment: Environment) -> object:
        """A bare word that is none of the option words gets a message that lists them."""
        assert formal.kind is not None
        if isinstance(expr, ast.NameExpr) and environment.lookup(expr.name) is None:
            words = formal.kind.words
            help = otherwise.word(formal.owner, formal.name, expr.name)
            if help or words:
                self.evaluator.error(
                    "bad-argument",
                    f"`{formal.name}` does not know `{expr.name}`",
                    expr.span,
                    help or did_you_mean(expr.name, words) or f"it takes {formal.kind.name}",
                )
        return self.evaluator.plain(expr, environment)

    def _reference(
        self, bound: Bound, flow: Flow, span: Span, inputs_before: int
    ) -> FromValue | Poison:
        if len(flow.values) != 1:
            self.sink.error(
                "bad-argument",
                f"the size of one value is needed, and these are {len(flow.values)}",
                span,
            )
            return POISON
        bound.references.append(flow.values[0])
        return FromValue(inputs_before + len(bound.references) - 1)

    def _converted(self, formal: Formal, value: object, span: Span) -> object:
        assert formal.kind is not None
        if isinstance(value, Poison):
            return value
        if isinstance(value, Flow):
            self.sink.error(
                "bad-argument",
                f"`{formal.name}` takes {formal.kind.name}, not {describe(value)}",
                span,
                help="a size of the value is a number: `x.channels`, `x.height`",
            )
            return POISON
        try:
            return formal.kind.convert(value)
        except Mismatch as mismatch:
            self.sink.error(
                "bad-argument",
                f"`{formal.name}` takes {formal.kind.name}: {_mismatch(mismatch, value)}",
                span,
                help=otherwise.open_size(formal.owner, formal.name)
                if _is_open(value)
                else formal.usage,
            )
            return POISON


def bind_function(binder: Binder) -> Callable[[Function, ast.CallExpr, Environment], Environment]:
    """How the evaluator enters an `fn`: an environment with its parameters bound."""

    def bind(function: Function, call: ast.CallExpr, environment: Environment) -> Environment:
        inner = Environment(function.unit)
        definition = function.definition
        given = [(a, environment) for a in call.arguments]
        bound = binder.bind_definition(
            definition.name.text, definition.parameters, given, call.span, inner
        )
        if bound is None or bound.is_poison:
            raise Broken
        return inner

    return bind


def _listed(kind: Kind) -> Kind:
    def convert(value: object) -> object:
        if not isinstance(value, list):
            raise Mismatch(f"{describe(value)} is not a list")
        return [kind.convert(item) for item in value]

    return Kind(f"[{kind.name}]", convert)


def _untyped(inputs: Sequence[ast.BlockInput]) -> str:
    """What to write where inputs of a block were most likely meant as parameters."""
    named = [i.name.text for i in inputs if i.name is not None and i.shape is None]
    if not named:
        return ""
    shown = ", ".join(f"{name}: int" for name in named)
    return f"without types these are inputs, not parameters: write `({shown})`"


def _already(given: Sequence[Given], but: ast.Argument, order: list[str]) -> set[str]:
    """The parameters that the other arguments fill, by whatever name they go."""
    others = [argument for argument, _ in given if argument is not but]
    unnamed = sum(argument.name is None for argument in others)
    named = {argument.name.text for argument in others if argument.name is not None}
    return {*order[:unnamed], *named, *(SAME_PARAMETER.get(name.lower(), "") for name in named)}


def _is_open(value: object) -> bool:
    """Whether a size of the input is in it."""
    parts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(part, Dim) for part in parts)


def _count(most: int) -> str:
    return f"{most} argument{'s' * (most > 1)} at the most" if most else "no arguments"


def _usage(formals: Sequence[Formal]) -> str:
    return ", ".join(f.name for f in formals if f.required)


def _mismatch(mismatch: Mismatch, value: object) -> str:
    return str(mismatch) if not isinstance(value, LayerValue) else f"{describe(value)} is a layer"
