"""Comments and strings of a file in generated source say what the file says, and no more."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl
from netdsl.backends.torch.texts import docstring, quoted

COMMENTS = [
    'says "so"', '"', '""', '"""', '""""', 'a """ b', 'a""""""', '"so" it begins', "'''", "it's",
    "'", "\\", "a\\", "a\\\\", 'a\\"', '\\"""', "\\N{BULLET}", "\\N{", "\\x", "\\u12", "\\U", "\\0",
    "\\\n# b", 'a "\n# "b', '"\n#\n# "', "{}", "{0}", "%s %(a)d", "f'{x}'", "\x1b[31mred", "\x07",
    "\x7f", "a\x0bb", "a\x0cb", "a\rb", "a\r\n# b\r", "\x1c", "\x85", "\u2028", "\u2029", "\u202eabc",
    "\u2066x", "\u200b", "\ufeff", "\ufffe", "\uffff", "\U0010ffff", "\ue000", "\xa0", "a\tb", "\t", "*/",
    "<!--", "</script>", "]]>", "é", "e\u0301", "中", "\U0001f600", "#", "# a", "-*- coding: latin-1 -*-",
    "type: ignore", "noqa", "fmt: off", "a" * 300, "a   \n#  b", "pass", "    indented", "\\\n#",
]  # fmt: skip


def commented(comment: str) -> str:
    lines = f"# {comment}\n"
    return f"{lines}block B {{ c: conv(3, 1) -> relu }}\n{lines}net A {{ input x: [3, 4, 4]\n output y = x -> B }}\n"


def wanted(comment: str) -> str:
    """The lines of a comment without the signs and blanks around them."""
    first, *rest = comment.split("\n")
    return "\n".join([first.strip(), *(line[1:].strip() for line in rest)]).strip()


def source_of(comment: str) -> str:
    return netdsl.loads(commented(comment)).torch_source()


@pytest.mark.parametrize("comment", COMMENTS, ids=repr)
def test_comments_become_docstrings(comment: str) -> None:
    source = source_of(comment)
    source.encode()
    assert all(c.isprintable() or c in "\n\t" for c in source)
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert [node.name for node in classes] == ["B", "A"]
    for node in classes:
        doc = ast.get_docstring(node) or ""
        assert [line.strip() for line in doc.split("\n")] == wanted(comment).expandtabs().split(
            "\n"
        ) or not doc
        assert bool(doc) == bool(wanted(comment))
        assert len(node.body) == 2 + bool(doc)


def test_sources_with_odd_comments_are_formatted(tmp_path: Path) -> None:
    for number, comment in enumerate(COMMENTS):
        (tmp_path / f"net{number}.py").write_text(source_of(comment), encoding="utf-8", newline="")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--check",
        "--diff",
        "--isolated",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:3000] + done.stderr[:1000]


@pytest.mark.parametrize("text", COMMENTS, ids=repr)
def test_strings(text: str) -> None:
    written = quoted(text)
    assert ast.literal_eval(written) == text
    assert written.isprintable()
    if docstring(text, 0):
        found = ast.literal_eval("\n".join(docstring(text, 0)))
        assert [part.strip() for part in found.strip().split("\n")] == [
            part.strip() for part in text.strip().split("\n")
        ]


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(commented("\ud800"))
    (error,) = caught.value.diagnostics
    assert error.code == "not-text"
    assert error.span is not None
