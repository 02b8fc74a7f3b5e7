"""The grammar and the library are found in a built wheel, in a checkout, and in an editable install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from netdsl.backends.diagram.page.assets import SCRIPTS, STYLES

ROOT = Path(__file__).resolve().parents[1]
CHECK = (
    "import sys, pathlib, netdsl\n"
    "text = 'use std.resnet\\nnet A { input x: [3, H, W]\\n output y = x -> Bottleneck(8) }'\n"
    "print(pathlib.Path(netdsl.__file__).parent, netdsl.loads(text).sizes)"
)


def run_check(folder: Path, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, env=environment, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_built_wheel_holds_all_it_needs(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling.builders.wheel")
    (built,) = hatchling.WheelBuilder(str(ROOT)).build(directory=str(tmp_path / "dist"))
    with ZipFile(built) as wheel:
        names = set(wheel.namelist())
        wheel.extractall(tmp_path / "site")
    assert {"netdsl/grammar/netdsl.lark", "netdsl/std/inception.net", "netdsl/py.typed"} <= names
    assert "netdsl/backends/torch/helpers/pyramid.py" in names
    page = {f"netdsl/backends/diagram/page/{name}" for name in ("page.html", *SCRIPTS, *STYLES)}
    assert page <= names
    assert not any(name.startswith(("tests", "examples")) for name in names)
    assert str(tmp_path / "site") in run_check(tmp_path / "site", tmp_path)


def test_a_checkout_holds_all_it_needs(tmp_path: Path) -> None:
    assert str(ROOT / "netdsl") in run_check(ROOT, tmp_path)
