"""Parameters, inputs, numbers and shared layers that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Definition, Subject
from netdsl.syntax import ast


def unused_name(subject: Subject, sink: Sink) -> None:
    """Warn of parameters, inputs, `let`s and `layer`s whose name does not come up again."""
    for definition, parts in subject.definitions:
        read = _read(parts)
        for what, name in _declared(definition, parts):
            if name.text in read or name.text.startswith("_"):
                continue
            sink.warn(
                "unused-name",
                f"{what} `{name.text}` is never used",
                name.span,
                help=f"leave it out, or call it `_{name.text}` if it has to be there",
            )


def _declared(definition: Definition, parts: list[object]) -> Iterator[tuple[str, ast.Name]]:
    yield from (("parameter", p.name) for p in definition.parameters)
    if isinstance(definition, ast.BlockDefinition):
        yield from (("input", i.name) for i in definition.inputs or () if i.name is not None)
    for part in parts:
        if isinstance(part, ast.LetStatement):
            yield "number", part.name
        if isinstance(part, ast.InputStatement):
            yield "input", part.name
        if isinstance(part, ast.LayerStatement):
            yield "layer", part.name


def _read(parts: list[object]) -> set[str]:
    """Names that stand in expressions or as stages."""
    names: set[str] = set()
    for part in parts:
        match part:
            case ast.NameExpr(name):
                names.add(name)
            case ast.LayerStage(callee=(first, *_)):
                names.add(first.text)
            case _:
                pass
    return names
