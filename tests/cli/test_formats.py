"""Diagnostics for tools."""

from __future__ import annotations

import json

from netdsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity, Source, Span
from netdsl.diagnostics.formats import render_github, render_json, render_sarif

SOURCE = Source("my nets/a:b,c\udcff.net", "net A {\n  x 日 wrong\n}\n")
SPAN = Span(SOURCE, SOURCE.text.index("wrong"), SOURCE.text.index("wrong") + 5)
FOUND = [
    Diagnostic("unreadable-file", "100% wrong", None),
    Diagnostic(
        "shape-mismatch",
        "a message\x1b[31m",
        SPAN,
        Severity.WARNING,
        label="here",
        secondary=(Label(Span(SOURCE, 4, 5), "there"),),
        notes=("a note",),
        help=("some help",),
        fix=Fix("mend it", (Edit(SPAN, "right"),)),
    ),
]


def test_json_is_ascii_and_says_all() -> None:
    text = render_json(FOUND)
    assert text.isascii()
    assert "\x1b" not in text
    first, second = json.loads(text)
    assert (first["code"], first["file"], first["line"], first["fix"]) == (
        "unreadable-file",
    ) + 3 * (None,)
    place = {"file": SOURCE.name, "line": 2, "column": 7, "end_line": 2, "end_column": 12}
    assert second == {
        "code": "shape-mismatch",
        "severity": "warning",
        "message": "a message\x1b[31m",
        **place,
        "label": "here",
        "secondary": [
            {"file": SOURCE.name, "line": 1, "column": 5, "end_line": 1, "end_column": 6}
            | {"text": "there"}
        ],
        "notes": ["a note"],
        "help": ["some help"],
        "fix": {"title": "mend it", "safe": True, "edits": [{**place, "text": "right"}]},
    }


def test_sarif() -> None:
    log = json.loads(render_sarif(FOUND, "1.2.3"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "shape-mismatch",
        "unreadable-file",
    ]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    without_place, placed = run["results"]
    assert "locations" not in without_place
    assert (placed["ruleId"], placed["level"]) == ("shape-mismatch", "warning")
    where = placed["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "my%20nets/a%3Ab%2Cc%FF.net"
    assert where["region"] == {"startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 12}
    assert placed["relatedLocations"][0]["message"] == {"text": "there"}


def test_github_keeps_each_annotation_on_its_line() -> None:
    first, second = render_github(FOUND).split("\n")
    assert first == "::error title=unreadable-file::100%25 wrong"
    assert second.startswith("::warning file=my nets/a%3Ab%2Cc\ufffd.net,line=2,col=7,title=shape-")
    assert second.endswith("::a message\ufffd[31m%0Aa note%0Asome help")
