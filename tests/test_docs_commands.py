"""The commands of the documentation run, in order, for someone who begins with a clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """What the `sh` and `console` blocks of a page tell to type."""
    found: list[str] = []
    for kind, block in FENCE.findall(page):
        lines = block.splitlines()
        if kind == "console":
            found += [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        elif kind == "sh":
            found += [line for line in lines if line and not line.startswith("#")]
    return found


def shell(lines: list[str], folder: Path) -> str:
    """What commands print in a folder where the clone's files lie; the first failure ends it."""
    programs = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}\npython() {{ "{sys.executable}" "$@"; }}\n'
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["sh", "-ec", programs + "\n".join(lines)],
        cwd=folder,
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the examples, in which commands may leave files."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.full
def test_onnx(clone: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    lines = commands(text("docs/onnx.md"))
    assert len(lines) == 6
    if find_spec("openvino") is None:
        lines = [line for line in lines if "openvino" not in line]
    shell(lines, clone)
    assert (clone / "googlenet.onnx").stat().st_size > 1 << 20


@pytest.mark.full
def test_serving(clone: Path) -> None:
    """The commands, then the Python, which imports the program that they wrote."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    lines = commands(text("docs/serving.md"))
    assert len(lines) == 6
    printed = shell(lines, clone)
    assert "heatmaps float32 [1, 16, 16, 32]\nrefused, as it should be\n" in printed
    assert printed.endswith("torch.Size([1, 1000])\n")
    blocks = FENCE.findall(text("docs/serving.md"))
    (code,) = (block for kind, block in blocks if kind == "python")
    (told,) = (block for kind, block in blocks if kind == "text")
    (clone / "hourglass" / "ask.py").write_text(code)
    assert shell(["python hourglass/ask.py"], clone) == told


@pytest.mark.parametrize("name", ["docs/howto.md", "docs/plugins.md", "docs/summary.md"])
def test_pages_with_examples(name: str, clone: Path) -> None:
    pytest.importorskip("onnxruntime")
    lines = commands(text(name))
    assert lines
    shell(lines, clone)


def test_the_readme_says_how_to_install() -> None:
    """Its environment is where `make` has it, its extra is one of the project, its program too."""
    first = commands(text("README.md"))[:4]
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert first[0].startswith("python3 -m venv .venv")
    assert re.match(r"\.venv/bin/pip install -e '\.\[all\]'", first[1])
    assert {"torch", "onnx", "images"} <= set(project["optional-dependencies"])
    assert project["optional-dependencies"]["all"] == ["netdsl[torch,onnx,images,outlines]"]
    assert first[2].startswith(". .venv/bin/activate")
    assert first[3].startswith("netdsl ")
    assert list(project["scripts"]) == ["netdsl"]
    assert "VENV ?= .venv\n" in text("Makefile")


def test_files_that_commands_read_are_there_or_made_before() -> None:
    """Also in commands that no test runs; those of docs/errors.md run in a folder of their own."""
    pages = {ROOT / "README.md", *(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "errors.md"}
    for page in sorted(pages):
        read = page.read_text(encoding="utf-8")
        made = set(re.findall(r"^torch\.save\(.*\"([\w.]+)\"\)$", read, re.MULTILINE))
        for run in re.findall(r"netdsl train .*--out (\S+)", read):
            made.add(f"{run}/best.safetensors")
        for command in commands(read):
            line = command.partition("  #")[0]
            made |= {f"{folder}/infer.py" for folder in re.findall(r"--kit (\S+)", line)}
            for word in re.findall(r"[\w./-]+\.(?:net|py|onnx|pth|safetensors)\b", line):
                is_made = re.search(rf"(?:-o |> |save\(.*'){re.escape(word)}", line) is not None
                assert is_made or word in made or (ROOT / word).exists(), (page.name, line)
                made.add(word)


def test_the_tutorial_where_torchvision_does_not_load(tmp_path: Path) -> None:
    """Its first block works in a fresh process, whichever torchvision is installed."""
    pytest.importorskip("torch")
    if find_spec("torchvision") is None:
        pytest.skip("needs torchvision")
    block = next(
        b for kind, b in FENCE.findall(text("docs/tutorial-weights.md")) if kind == "python"
    )
    code = f"{block}\nprint(len(published.meta['categories']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "1000\n", done.stderr
