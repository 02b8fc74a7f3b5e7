"""Diagnostics for people and for tools: terminal, JSON, SARIF, GitHub annotations."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence

from netdsl.diagnostics.diagnostic import Diagnostic, Fix, Severity
from netdsl.diagnostics.source import Span

COLOURS = {"error": "31;1", "warning": "33;1", "rail": "34;1", "bold": "1", "help": "36;1"}
TAB = 4


def render_text(
    diagnostics: Iterable[Diagnostic], *, colour: bool = False, width: int = 100
) -> str:
    """All diagnostics for a terminal of a width, followed by a line that counts them."""
    found = list(diagnostics)
    texts = [_Page(d, colour, max(width, 40)).text() for d in found]
    return "\n\n".join([*texts, count_line(found)]) if found else ""


def count_line(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`; empty where there are none."""
    errors = sum(d.is_error for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in parts if n)


class _Page:
    """One diagnostic, as lines."""

    def __init__(self, diagnostic: Diagnostic, colour: bool, width: int) -> None:
        self.diagnostic, self.colour, self.width = diagnostic, colour, width
        spans = [s.span for s in diagnostic.secondary]
        spans += [diagnostic.span] if diagnostic.span else []
        lines = [s.source.position(s.end)[0] for s in spans]
        self.gutter = len(str(max(lines, default=1)))

    def text(self) -> str:
        d = self.diagnostic
        kind = d.severity.value
        lines = [
            f"{self._paint(f'{kind}[{d.code}]', kind)}: {self._paint(clean(d.message), 'bold')}"
        ]
        if d.span is not None:
            lines += self._place(d.span, d.label, kind, "-->")
        for label in d.secondary:
            lines += self._place(label.span, label.text, "rail", ":::")
        for note in d.notes:
            lines.append(self._remark("note", note))
        for text in d.help:
            lines.append(self._remark("help", text))
        if d.fix is not None:
            lines += self._fix(d.fix)
        return "\n".join(lines)

    def _remark(self, word: str, text: str) -> str:
        margin, rail = " " * self.gutter, self._paint("=", "rail")
        return f"{margin} {rail} {self._paint(word, 'help')}: {clean(text)}"

    def _place(self, span: Span, label: str, kind: str, arrow: str) -> list[str]:
        """The place, the line, and a mark under it; a long span is marked on its first line."""
        line, column = span.source.position(span.start)
        rail = self._paint("|", "rail")
        margin = " " * self.gutter
        last, _ = span.source.position(max(span.start, span.end - 1))
        raw = span.source.line(line)
        start = column - 1
        end = len(raw) if last > line else min(start + max(1, span.end - span.start), len(raw) + 1)
        before, marked, after = self._cut(raw, start, max(end, start + 1))
        more = " ..." if last > line else ""
        sign = "^" if kind != "rail" else "-"
        mark = self._paint(sign * max(1, columns(marked)), kind) + more
        if label:
            mark += " " + self._paint(clean(label), kind)
        number = self._paint(f"{line:>{self.gutter}}", "rail")
        return [
            f"{margin}{self._paint(arrow, 'rail')} {clean(span.source.name)}:{line}:{column}",
            f"{margin} {rail}",
            f"{number} {rail} {before}{marked}{after}".rstrip(),
            f"{margin} {rail} {' ' * columns(before)}{mark}",
        ]

    def _cut(self, raw: str, start: int, end: int) -> tuple[str, str, str]:
        """The line in three parts, shortened around the marked one where it is too long."""
        room = self.width - self.gutter - 4
        parts = [clean(part, tabs=True) for part in (raw[:start], raw[start:end], raw[end:])]
        if columns("".join(parts)) <= room:
            return parts[0], parts[1], parts[2]
        before, marked, after = parts
        if columns(marked) > room - 8:
            marked = marked[: room - 8] + "..."
        left = max(0, (room - columns(marked)) // 2 - 3)
        before = "..." + before[-left:] if len(before) > left + 3 else before
        rest = max(0, room - columns(before) - columns(marked) - 3)
        after = after[:rest] + "..." if len(after) > rest else after
        return before, marked, after

    def _fix(self, fix: Fix) -> list[str]:
        lines = [self._remark("fix", fix.title)]
        for edit in fix.edits:
            line, column = edit.span.source.position(edit.span.start)
            raw = edit.span.source.line(line)
            changed = (
                raw[: column - 1] + edit.text + raw[column - 1 + edit.span.end - edit.span.start :]
            )
            first = changed.split("\n")[0]
            if len(first) <= self.width:
                lines.append(
                    f"{line:>{self.gutter}} {self._paint('+', 'help')} {clean(first, tabs=True)}"
                )
        return lines

    def _paint(self, text: str, kind: str) -> str:
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m" if self.colour else text


def clean(text: str, *, tabs: bool = False) -> str:
    """The text without control characters, which a hostile file could send to a terminal."""
    kept: list[str] = []
    for character in text:
        if character == "\t":
            kept.append(" " * (TAB - len(kept) % TAB) if tabs else " ")
        elif unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            kept.append("\ufffd")
        else:
            kept.append(character)
    return "".join(kept)


def columns(text: str) -> int:
    """How many columns a terminal takes for a text: wide characters two, combining ones none."""
    total = 0
    for character in text:
        if unicodedata.combining(character):
            continue
        total += 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
    return total


# --- for tools -----------------------------------------------------------------------------


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A list of objects: code, severity, message, place, notes, help, fix."""
    return json.dumps([as_data(d) for d in diagnostics], indent=2, ensure_ascii=False)


def as_data(diagnostic: Diagnostic) -> dict[str, object]:
    """A diagnostic as plain data; lines and columns count from 1, ends are exclusive."""
    fix = diagnostic.fix
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        **_range(diagnostic.span),
        "label": diagnostic.label,
        "secondary": [{**_range(s.span), "text": s.text} for s in diagnostic.secondary],
        "notes": list(diagnostic.notes),
        "help": list(diagnostic.help),
        "fix": None
        if fix is None
        else {
            "title": fix.title,
            "safe": fix.safe,
            "edits": [{**_range(e.span), "text": e.text} for e in fix.edits],
        },
    }


def _range(span: Span | None) -> dict[str, object]:
    if span is None:
        return {"file": None, "line": None, "column": None, "end_line": None, "end_column": None}
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def render_sarif(diagnostics: Iterable[Diagnostic], version: str) -> str:
    """A SARIF 2.1.0 log, as code hosts take it."""
    found = list(diagnostics)
    rules = [{"id": code} for code in sorted({d.code for d in found})]
    driver = {"name": "netdsl", "version": version, "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_sarif_result(d) for d in found]}],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _sarif_result(diagnostic: Diagnostic) -> dict[str, object]:
    text = "\n".join([diagnostic.message, *diagnostic.notes, *diagnostic.help])
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity.value,
        "message": {"text": text},
    }
    if diagnostic.span is not None:
        place = _range(diagnostic.span)
        region = {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
        }
        artifact = {"uri": diagnostic.span.source.name}
        location = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
        result["locations"] = [location]
    return result


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands that GitHub shows beside the lines."""
    return "\n".join(_annotation(d) for d in diagnostics)


def _annotation(diagnostic: Diagnostic) -> str:
    text = "\n".join([diagnostic.message, *diagnostic.notes, *diagnostic.help])
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    kind = "error" if diagnostic.severity is Severity.ERROR else "warning"
    if diagnostic.span is None:
        return f"::{kind} title={diagnostic.code}::{text}"
    place = _range(diagnostic.span)
    file = str(place["file"]).replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    at = f"file={file},line={place['line']},col={place['column']}"
    return f"::{kind} {at},title={diagnostic.code}::{text}"
