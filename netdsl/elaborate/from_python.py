"""Values of Python as parts of the language: names, labels, sizes, the arguments of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import cast

from netdsl.diagnostics import Sink, Source, Span
from netdsl.elaborate.arithmetic import Wrong, bounded
from netdsl.elaborate.declare import label_text
from netdsl.elaborate.environment import Binding, Environment, Flow, Halted
from netdsl.elaborate.state import Place, State
from netdsl.elaborate.written import expression
from netdsl.ir.dim import Size
from netdsl.ir.graph import Value
from netdsl.syntax import ast, parse
from netdsl.syntax.walk import moved

STAND_INS = count()
"""Numbers for names that no file can hold."""


def expression_of(text: str, what: str, span: Span, sink: Sink) -> ast.Expr:
    """What is written in a text; ends the call where that is no expression (reported)."""
    expr = expression(text, what, span, sink)
    if expr is None:
        raise Halted
    return moved(expr, span)


def name_of(text: str, span: Span, sink: Sink) -> ast.Name:
    """A name that the language knows as such; ends the call where it is none (reported)."""
    own = Sink()
    file = parse(Source("name", f"fn {text}() = 0"), own)
    match file.definitions if file else ():
        case (ast.FunctionDefinition(ast.Name(name)),) if name == text:
            return ast.Name(text, span)
        case _:
            code = own.diagnostics[0].code if own.diagnostics else "bad-argument"
            help = "a name is one word of letters, digits and `_`, and none of the language's own"
            sink.error(code, f"`{text}` can't be a name", span, help=help)
            raise Halted


def label_of(text: str, span: Span, state: State, place: Place) -> str:
    """A label, dots included; empty for none."""
    part = ast.LabelPart(text, None, span)
    return label_text(state, ast.Label((part,), span), place) if text else ""


def size_of(size: Size | str, environment: Environment, span: Span, sink: Sink) -> ast.Expr:
    """One axis of a shape: a number, a size, or a text with a name or formula."""
    if isinstance(size, str):
        return expression_of(size, "shape", span, sink)
    return stand_in(size, environment, span, sink)


def arguments_of(
    passed: Sequence[object],
    named: Mapping[str, object],
    environment: Environment,
    span: Span,
    sink: Sink,
) -> tuple[ast.Argument, ...]:
    """The arguments of a call of a layer, which mean these values in the environment."""
    names = (*(None for _ in passed), *(ast.Name(name, span) for name in named))
    values = (*passed, *named.values())
    return tuple(
        ast.Argument(name, stand_in(value, environment, span, sink), span)
        for name, value in zip(names, values, strict=True)
    )


def stand_in(value: object, environment: Environment, span: Span, sink: Sink) -> ast.Expr:
    """A name that stands for a value in the environment; a word is left as it is written."""
    check_bounds(value, span, sink)
    if isinstance(value, str) and value.isidentifier():
        return ast.NameExpr(value, span)
    name = f"#{next(STAND_INS)}"
    if isinstance(value, Value):
        environment.values[name] = Binding(Flow((value,)), span)
    else:
        environment.numbers[name] = Binding(value, span)
    return ast.NameExpr(name, span)


def check_bounds(value: object, span: Span, sink: Sink) -> None:
    """Ends the call where a number is none that a file can say (reported)."""
    if isinstance(value, list | tuple):
        for part in cast(Sequence[object], value):
            check_bounds(part, span, sink)
    try:
        bounded(cast(object, value))
    except Wrong as wrong:
        sink.error(wrong.code, str(wrong), span)
        raise Halted from None


def mean_texts(arguments: Sequence[ast.Argument], environment: Environment) -> None:
    """Let words be texts as well: a block may ask for one. Those of an op are options."""
    for argument in arguments:
        if isinstance(argument.value, ast.NameExpr):
            word = argument.value.name
            environment.numbers.setdefault(word, Binding(word, argument.span))


def dotted(text: str, span: Span) -> tuple[ast.Name, ...]:
    """The name of a layer, behind that of its file where it has an alias."""
    return tuple(ast.Name(part, span) for part in text.split("."))
