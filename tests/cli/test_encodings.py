"""No output fails where a terminal or a pipe lacks a character; sources and pictures are UTF-8."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

NET = """# Größe \u2014 \u201eä\u201c \u2192 中
net A {
    input x: [3, H, W]
    output y = x -> "größe-中": conv(8, 3) -> relu
}
"""
WRONG = NET.replace("conv(8, 3)", "conv(8, 3, groups=2)")
COMMANDS = [
    "compile {0}", "check {0}", "check {1}", "check {1} --format json", "check {1} --format sarif",
    "check {1} --format github", "summary {0}", "summary {0} --format json",
    "summary {0} --format csv", "summary {0} --format markdown", "summary {0} --depth 1", "sizes {0}",
    "sizes {0} --format json", "sizes {0} --accepts H=1,W=9", "sizes {0} --table H=8..20:4",
    "explain --all", "explain path-taken", "layers --all", "layers conv", "--help", "check größe中.net",
    "draw {0} -o -", "draw {0} -o {0}.svg", "explain größe中", "compile {0} --set größe中=1",
]  # fmt: skip


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    names = {"PYTHONIOENCODING", "LC_ALL", "LANG", "PYTHONUTF8"}
    env = {k: v for k, v in os.environ.items() if k not in names} | environment
    program = [sys.executable, "-m", "netdsl", *command]
    return subprocess.run(program, capture_output=True, env=env, timeout=120)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("größe")
    paths = [folder / "right.net", folder / "wrong.net"]
    for path, text in zip(paths, (NET, WRONG), strict=True):
        path.write_text(text, encoding="utf-8")
    return [str(path) for path in paths]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("command", COMMANDS)
def test_latin_1(command: str, files: list[str]) -> None:
    done = run([word.format(*files) for word in command.split()], PYTHONIOENCODING="latin-1")
    said = done.stdout + done.stderr
    assert b"internal error" not in said
    assert b"Traceback" not in said
    assert done.returncode in (0, 1, 2)
    done.stdout.decode("latin-1")


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C"},
     {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "utf-16"}],
)  # fmt: skip
def test_a_source_is_utf_8_everywhere(environment: dict[str, str], files: list[str]) -> None:
    done = run(["compile", files[0]], **environment)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("utf-8")
    (module,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    assert ast.get_docstring(module) == NET.splitlines()[0].removeprefix("# ")
    assert "größe-中" in text


def test_what_a_terminal_lacks_is_shown_by_its_number(files: list[str]) -> None:
    done = run(["summary", files[0], "--format", "csv"], PYTHONIOENCODING="latin-1")
    assert "größe-\\u4e2d" in done.stdout.decode("latin-1")


def test_tables_on_a_terminal(files: list[str]) -> None:
    main, side = pty.openpty()
    env = os.environ | {"PYTHONIOENCODING": "latin-1", "COLUMNS": "150", "TERM": "xterm"}
    program = [sys.executable, "-m", "netdsl", "summary", files[0]]
    with subprocess.Popen(program, stdout=side, stderr=side, env=env) as process:
        os.close(side)
        said = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            said += part
        process.wait(120)
    os.close(main)
    assert process.returncode == 0, said
    assert "größe-\\u4e2d".encode("latin-1") in said


def test_a_picture_is_utf_8(files: list[str], tmp_path: Path) -> None:
    done = run(["draw", files[0], "-o", "-"], PYTHONIOENCODING="latin-1")
    if done.returncode == 0:
        assert "größe-中" in done.stdout.decode("utf-8")
