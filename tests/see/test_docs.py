"""docs/see.md: its commands run, and print what stands below them, but for the numbers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.backends.weights.safetensors import write_tensors
from netdsl.cli import main
from tests.see.digits import held_out, trained
from tests.test_docs_commands import ROOT, commands, shell, text

pytest.importorskip("torch")
pytest.importorskip("sklearn")
Image = pytest.importorskip("PIL.Image")
pytestmark = pytest.mark.xdist_group("see")
PAGE = text("docs/see.md")
SHOWN = re.compile(r"^```console\n\$ (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def words(output: str) -> list[str]:
    """Lines without their numbers, and without what depends on these."""
    lines = [re.sub(r"-?\d[\d,.]*(?: %|%)?", "#", line) for line in output.splitlines()]
    return [re.sub(r"the same class|another class", "class", line) for line in lines]


def test_each_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    weights = {key: value.numpy() for key, value in trained(0).items()}
    write_tensors(tmp_path / "digits.safetensors", weights)
    image = held_out()[0][0, 0].mul(255).round().byte()
    Image.fromarray(image.numpy()).save(tmp_path / "digit.png")
    monkeypatch.chdir(tmp_path)
    looked = 0
    for command, shown in SHOWN.findall(PAGE):
        if command.startswith("netdsl "):
            result = CliRunner().invoke(main, shlex.split(command)[1:])
            assert result.exit_code == 0, result.output
            assert words(result.stdout) == words(shown), command
            looked += 1
    assert looked == 7


@pytest.mark.full
def test_the_page_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    printed = shell(commands(PAGE), tmp_path)
    wanted = "".join(shown for _, shown in SHOWN.findall(PAGE))
    assert words(printed) == words(wanted)
