"""The page on images: its networks compile, its commands and its Python run in order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl
from tests.test_docs_commands import FENCE, ROOT, commands, shell, text

PAGE = "docs/images.md"


def blocks(kind: str) -> list[str]:
    return [block for found, block in FENCE.findall(text(PAGE)) if found == kind]


def test_its_networks_compile() -> None:
    assert len(blocks("net")) >= 2
    for block in blocks("net"):
        assert netdsl.loads(block).warnings == (), block


def test_the_file_that_it_shows_is_the_example() -> None:
    file = (ROOT / "examples" / "photos" / "alexnet.net").read_text(encoding="utf-8")
    without = "".join(line for line in file.splitlines(True) if not line.startswith("#"))
    assert without in blocks("")


def test_the_layers_that_it_names_are_there() -> None:
    table = text(PAGE).partition("## Frames, crops, flips")[2].partition("\n- ")[0]
    for layer in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE):
        netdsl.loads(f"net A {{ input x: uint8 [3, H, W]\n output y = x -> {layer} }}")


def test_its_commands_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    np = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "photo.jpg")
    first, second = (b for b in blocks("python") if "lite" in b)
    code = f"{first}\n{second}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout in blocks("text")
    found = [line for line in commands(text(PAGE)) if line.startswith("netdsl run")]
    by_torch, by_onnx, as_json = found
    for command in by_torch, by_onnx:
        lines = shell([command], tmp_path).splitlines()
        assert lines[0] == "photo.jpg: 90 x 120"
        assert len(lines) == 7
    (data,) = json.loads(shell([as_json], tmp_path))
    assert len(data["outputs"][0]["top"]) == 1
