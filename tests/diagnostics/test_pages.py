"""Every code has a page; its example gives exactly that code, and the mended one nothing."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main
from netdsl.diagnostics.pages import Example, codes, page
from netdsl.lints import WARNINGS

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"[a-z]+(-[a-z]+)+|misplaced")
NO_CODES = {"multiply-add", "multiply-adds", "site-packages"}
SAID = re.compile(r"^(?:error|warning)\[([a-z-]+)\]", re.MULTILINE)


def codes_in_source() -> set[str]:
    """Every string in the compiler that is an argument of a call and looks like a code."""
    found: set[str] = set()
    for path in (ROOT / "netdsl").rglob("*.py"):
        if "helpers" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            values = [*node.args, *(k.value for k in node.keywords if k.arg == "code")]
            strings = [
                part.value
                for value in values
                for part in (ast.walk(value) if isinstance(value, ast.IfExp) else [value])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            found.update(text for text in strings if CODE.fullmatch(text))
    return found - NO_CODES


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(codes()) == codes_in_source() | WARNINGS


def said(example: Example, folder: Path) -> list[str]:
    """The codes that an example gives, in order."""
    if example.is_shell:
        program = f'"{sys.executable}" -m netdsl'
        script = f'netdsl() {{ {program} "$@"; }}\n{example.text}'
        done = subprocess.run(
            ["sh", "-c", script], cwd=folder, capture_output=True, text=True, env=dict(os.environ)
        )
        return SAID.findall(done.stdout + done.stderr)
    path = folder / "example.net"
    path.write_text(example.text, encoding="utf-8")
    words = shlex.split(example.options)
    command = words.pop(0) if words[:1] and words[0] in main.commands else "check"
    words = [str(folder / word) if word == "out.onnx" else word for word in words]
    result = CliRunner().invoke(main, [command, str(path), *words])
    assert result.exit_code == (1 if "error[" in result.output else 0), result.output
    return SAID.findall(result.output)


@pytest.mark.parametrize("code", codes())
def test_the_example_gives_the_code(code: str, tmp_path: Path) -> None:
    assert said(page(code).wrong, tmp_path) == [code]


@pytest.mark.parametrize("code", codes())
def test_the_mended_example_is_clean(code: str, tmp_path: Path) -> None:
    assert said(page(code).right, tmp_path) == []


@pytest.mark.parametrize("code", codes())
def test_the_page_explains(code: str) -> None:
    result = CliRunner().invoke(main, ["explain", code])
    assert result.exit_code == 0
    assert " ".join(result.output.split()).startswith(
        f"{code} {' '.join(page(code).meaning.split())}"
    )
    assert max(map(len, result.output.splitlines())) <= 110
    assert len(page(code).meaning) > 60


def test_an_unknown_code() -> None:
    result = CliRunner().invoke(main, ["explain", "shape-mismach"])
    assert result.exit_code == 2
    assert "did you mean `shape-mismatch`?" in result.output


def test_the_list_has_a_line_for_each_code() -> None:
    """Errors, then warnings, each with words of its own that are whole on a line of 100.

    Behind them stand terms and layers.
    """
    result = CliRunner().invoke(main, ["explain"], env={"COLUMNS": "100"})
    every = result.output.splitlines()
    lines = every[: every.index("terms") - 1]
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles == ["errors", "warnings"]
    rows = dict(line.split(None, 1) for line in lines if line.startswith("  "))
    assert set(rows) == set(codes())
    assert len(set(rows.values())) == len(rows)
    for code, said in rows.items():
        assert len(said) > 15, code
        assert "..." not in said.removeprefix("..."), code
        assert said.count("`") % 2 == 0, code
    below = lines[lines.index("warnings") + 1 :]
    assert {line.split()[0] for line in below} == WARNINGS
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("shape", "`shape-mismatch` or `weight-shape`"), ("error[unused-name]", "`unused-name`"),
     ("mismatch", "`shape-mismatch`"), ("unkown-layer", "`unknown-layer`"), ("zzz", "lists all")],
)  # fmt: skip
def test_codes_near_an_unknown_one(typed: str, meant: str) -> None:
    assert meant in CliRunner().invoke(main, ["explain", typed]).output


def test_the_errors_in_the_docs_are_current(request: pytest.FixtureRequest) -> None:
    made = CliRunner().invoke(main, ["explain", "--all"]).output
    path = ROOT / "docs" / "errors.md"
    if request.config.getoption("--bless"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made
