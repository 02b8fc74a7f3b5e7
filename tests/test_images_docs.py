"""docs/images.md: its networks compile and run, and its command prints what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [text for name, text in FENCE.findall(PAGE) if name == kind]


def test_its_networks_run() -> None:
    torch = pytest.importorskip("torch")
    texts = blocks("net")
    assert len(texts) >= 2
    for text in texts:
        network = netdsl.loads(text)
        assert network.warnings == ()
        images = [
            torch.randint(0, 256, (1, 3, 300, 200), dtype=torch.uint8) for _ in network.inputs
        ]
        network.torch(seed=0).eval()(*images)


def test_its_command_says_so() -> None:
    (shown,) = blocks("console")
    script, _, answer = shown.removeprefix("$ ").partition("END\nerror")
    program = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}\n{script}END\n'
    done = subprocess.run(["sh", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"error{answer.strip()}" in done.stdout + done.stderr


def test_the_table_of_libraries_is_there() -> None:
    """Made by benchmarks/resize_libraries.py, which needs other libraries."""
    table = PAGE.partition("<!-- libraries -->\n")[2].partition("<!-- end of libraries -->")[0]
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    for library in "Pillow", "OpenCV", "TensorFlow", "torchvision", "ONNX Runtime":
        assert any(library in row[0] for row in rows), library
    closest = {row[0].strip("| "): row[1].strip("`") for row in rows}
    assert closest["Pillow `BILINEAR`"] == "bilinear"
    assert closest["TensorFlow `area`"] == "area"
    assert closest["torchvision `NEAREST_EXACT`"] == "nearest"
