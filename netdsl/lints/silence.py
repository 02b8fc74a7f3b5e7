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
        (id(unit.source), line): codes
        for unit in units
        for line, codes in _by_line(unit.comments).items()
    }
    every = set(allowed)

    def speaks(diagnostic: Diagnostic) -> bool:
        if diagnostic.severity is not Severity.WARNING:
            return True
        span = diagnostic.span
        here = silenced.get((id(span.source), span.line), set()) if span else set()
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


def _by_line(comments: Iterable[ast.Comment]) -> dict[int, set[str]]:
    """The codes silenced on each line."""
    found: dict[int, set[str]] = {}
    for comment in comments:
        codes = _codes(comment)
        if not codes:
            continue
        span = comment.span
        line, source = span.line, span.source
        found.setdefault(line, set()).update(codes)
        if source.line(line)[: span.column - 1].strip():
            continue
        last = len(source.line_starts)
        while line < last and source.line(line).strip().startswith("#"):
            line += 1
        found.setdefault(line, set()).update(codes)
    return found


def _codes(comment: ast.Comment) -> set[str]:
    match = DIRECTIVE.fullmatch(comment.text)
    return {code.strip() for code in match[1].split(",")} if match else set()
