"""Conditions that are the same at every use, so that one branch is never taken."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Subject
from netdsl.syntax import ast
from netdsl.syntax.walk import walk


def dead_branch(subject: Subject, sink: Sink) -> None:
    """Warn of an `if` whose condition depends on no parameter, size or value."""
    for _, parts in subject.definitions:
        fixed = _fixed_numbers(parts)
        for part in parts:
            if isinstance(part, ast.If | ast.Conditional) and _is_fixed(part.condition, fixed):
                sink.warn(
                    "dead-branch",
                    f"`{part.condition.span.text}` is the same at every use, so one of the "
                    "branches is never taken",
                    part.condition.span,
                    help="keep the branch that is taken, or make the condition depend on a "
                    "parameter",
                )


def _fixed_numbers(parts: list[object]) -> set[str]:
    """The `let`s that depend on nothing, also through each other."""
    lets = [part for part in parts if isinstance(part, ast.LetStatement)]
    fixed: set[str] = set()
    for let in sorted(lets, key=lambda part: part.span.start):
        if _is_fixed(let.value, fixed):
            fixed.add(let.name.text)
    return fixed


def _is_fixed(expr: ast.Expr, fixed: set[str]) -> bool:
    called = {part.callee for part in walk(expr) if isinstance(part, ast.CallExpr)}
    names = (p for p in walk(expr) if isinstance(p, ast.NameExpr) and p not in called)
    return all(part.name in fixed for part in names)
