"""What the tests of written files share: a network to write, ways to write it, and what a folder holds."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.backends.diagram.options import FORMS
from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
"""That of a process that is to find netdsl."""
TEXT = 'use "./part.net" (Part)\nnet A {\n input x: [3, H, W]\n output y = x -> fc: conv(2, 1) -> Part\n}\n'
PART = "block Part { relu }\n"


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, words)))
    assert "internal error" not in result.output
    assert "Traceback" not in result.output
    return result


def seen(folder: Path) -> dict[str, object]:
    """All that is in a folder: kinds, modes, links and contents."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat()
        what: object = stat.S_IFMT(kind.st_mode)
        if path.is_symlink():
            what = os.readlink(path)
        elif path.is_file():
            what = path.read_bytes()
        found[str(path.relative_to(folder))] = (what, kind.st_mode, kind.st_nlink)
    return found


def shell(script: str, room: Path) -> subprocess.CompletedProcess[str]:
    """A script in which `netdsl` is the command, run in a folder."""
    command = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}; {script}'
    return subprocess.run(
        ["bash", "-c", command], cwd=room, env=ENVIRONMENT, capture_output=True, text=True
    )


WRITERS: dict[str, Callable[[Path, Path], list[object]]] = {
    "compile": lambda room, out: ["compile", room / "a.net", "-o", out],
    "export": lambda room, out: ["export", room / "a.net", "-o", out],
    "apart": lambda room, out: ["export", room / "a.net", "-o", out, "--external"],
    "verify": lambda room, out: ["export", room / "a.net", "-o", out, "--verify", "--at", "H=2,W=2"],
    **{
        form: lambda room, out: ["draw", room / "a.net", "-o", out]
        for form in FORMS
    },
}  # fmt: skip
ENDINGS = {"compile": "py", "export": "onnx", "apart": "onnx", "verify": "onnx"}


def target(room: Path, writer: str) -> Path:
    return room / f"out.{ENDINGS.get(writer, writer)}"


def write(room: Path, writer: str, out: Path) -> Result:
    return run(*WRITERS[writer](room, out))


def nan_weights(room: Path) -> Path:
    np = pytest.importorskip("numpy")
    save = pytest.importorskip("safetensors.numpy").save_file
    path = room / "nan.safetensors"
    save(
        {
            "fc.weight": np.full((2, 3, 1, 1), np.nan, np.float32),
            "fc.bias": np.zeros(2, np.float32),
        },
        path,
    )
    return path
