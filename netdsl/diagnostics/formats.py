"""Diagnostics for tools: JSON, SARIF, GitHub annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

from netdsl.diagnostics.columns import clean
from netdsl.diagnostics.diagnostic import Diagnostic, Severity
from netdsl.diagnostics.pages import page
from netdsl.diagnostics.source import Span


def render(diagnostics: Iterable[Diagnostic], form: str, version: str) -> str:
    """Diagnostics as `json`, `sarif` or `github`; `version` is that of netdsl."""
    match form:
        case "json":
            return render_json(diagnostics)
        case "sarif":
            return render_sarif(diagnostics, version)
        case _:
            return render_github(diagnostics)


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A list of objects: code, severity, message, place, notes, help, fix."""
    return json.dumps([as_data(d) for d in diagnostics], indent=2)


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
    listed = list(diagnostics)
    rules = [
        {"id": code, "fullDescription": {"text": page(code).meaning}}
        for code in sorted({d.code for d in listed})
    ]
    driver = {"name": "netdsl", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(d) for d in listed],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2)


def _sarif_result(diagnostic: Diagnostic) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity.value,
        "message": {"text": "\n".join(_texts(diagnostic))},
    }
    if diagnostic.span is not None:
        result["locations"] = [_sarif_location(diagnostic.span)]
    if diagnostic.secondary:
        result["relatedLocations"] = [
            {**_sarif_location(label.span), "message": {"text": label.text}}
            for label in diagnostic.secondary
        ]
    return result


def _sarif_location(span: Span) -> dict[str, object]:
    place = _range(span)
    region = {
        "startLine": place["line"],
        "startColumn": place["column"],
        "endLine": place["end_line"],
        "endColumn": place["end_column"],
    }
    uri = quote(span.source.name.replace("\\", "/"), errors="surrogateescape")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands that GitHub shows beside the lines."""
    return "\n".join(_annotation(d) for d in diagnostics)


def _annotation(diagnostic: Diagnostic) -> str:
    text = "%0A".join(clean(part).replace("%", "%25") for part in _texts(diagnostic))
    kind = "error" if diagnostic.severity is Severity.ERROR else "warning"
    if diagnostic.span is None:
        return f"::{kind} title={diagnostic.code}::{text}"
    line, column = diagnostic.span.source.position(diagnostic.span.start)
    file = clean(diagnostic.span.source.name).replace("%", "%25")
    file = file.replace(",", "%2C").replace(":", "%3A")
    return f"::{kind} file={file},line={line},col={column},title={diagnostic.code}::{text}"


def _texts(diagnostic: Diagnostic) -> list[str]:
    """The message, then what explains it."""
    return [diagnostic.message, *diagnostic.notes, *diagnostic.help]
