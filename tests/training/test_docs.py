"""docs/training.md: its commands and its Python run; its numbers are those of the commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main
from tests.test_docs_commands import FENCE, commands, text
from tests.training import ROOT

PAGE = text("docs/training.md")


def printed(command: str) -> list[str]:
    """What a command prints, run here."""
    name, *words = shlex.split(command, comments=True)
    assert name == "netdsl"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one folder; what the first command prints is what is shown, but for rounding."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    train, export, sizes, resume = commands(PAGE)
    shown, *_ = [block.splitlines() for kind, block in FENCE.findall(PAGE) if kind == "text"]
    table = printed(train)
    assert [row.split()[0] for row in table] == [row.split()[0] for row in shown]
    for ours, theirs in zip(table[1:], shown[1:], strict=True):
        accuracies = [float(row.split()[1].removesuffix("%")) for row in (ours, theirs)]
        assert abs(accuracies[0] - accuracies[1]) < 5
        assert ours.endswith("(not trained at)") == theirs.endswith("(not trained at)")
    assert printed(export) == []
    assert Path("digits.onnx").stat().st_size > 80_000
    assert printed(sizes) == [PAGE.partition(f"$ {sizes}\n")[2].partition("\n")[0]]
    assert printed(resume) == table
    (python,) = [block for kind, block in FENCE.findall(PAGE) if kind == "python"]
    said: list[str] = []
    exec(python, {"print": lambda *values: said.append(" ".join(map(str, values)))})
    assert said == ["[(8, 8), (10, 10), (12, 12)] True"]


def test_every_option_is_explained() -> None:
    """Each is on the page, or says by its own help what it does."""
    from netdsl.cli.commands.train import OPTIONS, command

    names = [option for p in command.params for option in p.opts if option.startswith("--")]
    assert len(names) > len(OPTIONS)
    for option in re.findall(r"`(--[\w-]+)", PAGE):
        assert option in names, option


def test_the_files_of_a_run_are_those_listed() -> None:
    from netdsl.training.run_folder import RunFolder

    folder = RunFolder(Path())
    for path in (
        folder.about,
        folder.last,
        folder.best,
        folder.log,
        folder.curves,
        folder.accuracy,
    ):
        assert f"`{path}`" in PAGE
