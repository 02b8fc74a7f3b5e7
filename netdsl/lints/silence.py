"""`# allow: CODE`: warnings that a comment at their place, or an option, switches off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from netdsl.diagnostics import Diagnostic, Severity, Sink
from netdsl.elaborate import Unit
from netdsl.lints import WARNINGS
from netdsl.syntax import ast

DIRECTIVE = re.compile(r"allow:\s*([a-z-]+(?:\s*,\s*[a-z-]+)*)")


def spoken(
    diagnostics: Sequence[Diagnostic], units: Iterable[Unit], allowed: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings that are silenced; errors always speak.

    `# allow: unused-name` silences its own line and, where it stands on a line of its own, the
    first line below it that is more than a comment.
    """
    silenced = {
        (unit.source, line): codes
        for unit in units
        for line, codes in _by_line(unit.comments).items()
    }
    every = set(allowed)

    def speaks(diagnostic: Diagnostic) -> bool:
        if diagnostic.severity is not Severity.WARNING:
            return True
        span = diagnostic.span
        here = silenced.get((span.source, span.line), set[str]()) if span else set[str]()
        return diagnostic.code not in every | here

    return tuple(filter(speaks, diagnostics))


def check_directives(units: Iterable[Unit], sink: Sink) -> None:
    """Warn of a directive that names no warning."""
    for unit in units:
        for comment in unit.comments:
            for code in sorted(_codes(comment) - WARNINGS):
                sink.warn(
                    "unknown-warning",
                    f"there is no warning `{code}` that could be allowed",
                    comment.span,
                    help=f"there are {', '.join(sorted(WARNINGS))}",
                )


def _by_line(comments: Sequence[ast.Comment]) -> dict[int, set[str]]:
    """The codes silenced on each line."""
    by_line: dict[int, set[str]] = {}
    after: dict[int, int] = {}  # of a line that is a comment: the first below that is none
    for comment in reversed(comments):
        line = comment.span.line
        if _stands_alone(comment):
            after[line] = after.get(line + 1, line + 1)
        for silenced in {line, after.get(line, line)} if (codes := _codes(comment)) else ():
            by_line.setdefault(silenced, set()).update(codes)
    return by_line


def _stands_alone(comment: ast.Comment) -> bool:
    span = comment.span
    return not span.source.line(span.line)[: span.column - 1].strip()


def _codes(comment: ast.Comment) -> set[str]:
    match = DIRECTIVE.fullmatch(comment.text)
    return {code.strip() for code in match[1].split(",")} if match else set()
