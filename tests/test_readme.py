"""What the README shows is what the commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for found, text in fences if found == kind]


def shown() -> list[tuple[str, str]]:
    """Each command of the console blocks, with what is said to follow."""
    found: list[tuple[str, str]] = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), shown())
def test_commands_print_what_is_shown(command: str, output: str) -> None:
    command = command.replace("netdsl ", f"{sys.executable} -m netdsl ")
    kept = {k: v for k, v in os.environ.items() if k != "FORCE_COLOR"}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=kept
    )
    assert done.stdout == output
    assert done.stderr == ""


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = blocks("python")
    said: list[str] = []
    exec(example, {"print": lambda *values: said.append(" ".join(map(str, values)))})
    promised = re.findall(r"^print.*  # (.*)$", example, re.MULTILINE)
    assert said == promised


def test_the_block_shown_compiles() -> None:
    (block,) = blocks("")
    netdsl.loads(
        f"use std.inception (BasicConv2d)\n{block}\n"
        "net A { input x: [3, 8, 8]\n output y = x -> Inception(1, 2, 3, 4, 5, 6) }"
    )


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / target).exists(), target
