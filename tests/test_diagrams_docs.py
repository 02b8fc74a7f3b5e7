"""The pictures of the documentation are what the documented commands draw."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "diagrams.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ netdsl (draw .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_picture_is_current(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command)
    place = arguments.index("-o") + 1
    kept = ROOT / arguments[place]
    made = kept if request.config.getoption("--bless") else tmp_path / kept.name
    arguments[place] = str(made)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert made.read_bytes() == kept.read_bytes()


def test_every_picture_is_shown_and_every_link_leads_to_one() -> None:
    shown = set(re.findall(r"\]\(pictures/([\w.]+)\)", PAGE))
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert len(shown) == len(COMMANDS)


def test_the_checklist_names_tests_and_pictures_that_exist() -> None:
    text, other = (
        (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("diagram-checklist.md", "diagrams-compared.md")
    )
    points = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    assert [int(number) for number in points[::2]] == list(range(1, 26))
    for point in points[1::2]:
        held = re.findall(r"`([\w/]+\.py)::(\w+)`", point)
        assert held
        for file, name in held:
            path = ROOT / (file if "/" in file else f"tests/backends/diagram/{file}")
            parsed = ast.parse(path.read_text(encoding="utf-8"))
            assert name in {n.name for n in parsed.body if isinstance(n, ast.FunctionDef)}, name
    named = re.findall(r"`([\w/-]+\.(?:svg|txt|py))`", text + other)
    assert all((ROOT / (f"docs/{n}" if n.startswith("pictures") else n)).exists() for n in named)
    assert len(re.findall(r"`pictures/", text)) >= 3
