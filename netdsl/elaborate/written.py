"""Values for a net's parameters that come from outside, written as in the language."""

from __future__ import annotations

from netdsl.diagnostics import Diagnostic, Sink, Source, Span
from netdsl.syntax import ast, parse


class Written(str):
    """A value as it would stand in a file (`10`, `3x5`, `[1, 2]`, `leaky_relu(0.1)`).

    For a parameter of type string it is that string.
    """

    __slots__ = ()


def expression(text: str, name: str, place: Span, sink: Sink) -> ast.Expr | None:
    """The tree of a value given for the parameter `name`, declared at `place`.

    None if it is no expression, which is reported there.
    """
    own = Sink()
    file = parse(Source(f"value of {name}", f"fn value() = (\n{text}\n)"), own)
    if file is not None and len(file.definitions) == 1:
        (definition,) = file.definitions
        if isinstance(definition, ast.FunctionDefinition):
            return definition.body
    reason = own.diagnostics[0].message if own.diagnostics else "it is more than one"
    sink.emit(Diagnostic("bad-argument", f"`{text}` is no value for `{name}`: {reason}", place))
    return None
