"""docs/import.md: its samples are what the commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
NOT_HERE = (
    "resnet18.onnx",
    "bad.onnx",
    "flat.json",
    "model.json",
    "small.yaml",
    "rtdetr-resnet50.yaml",
)
"""Sources of samples that are not in tests/data/import: their formats have tests of their own."""
MODULE = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
SPECTRUM = """

class Spectrum(Net):
    def forward(self, image):
        return super().forward(torch.fft.fft2(image).abs())


class Frequencies(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x):
        return torch.fft.rfft2(x).abs() * self.scale


class Filtered(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.frequencies = Frequencies(16)

    def forward(self, image):
        return self.frequencies(self.conv(image)).relu()
"""
FLOATS = 16_162 + 2 * 144
"""Numbers of residual.cfg: its parameters, and the statistics of its norms."""


Sample = tuple[str, str]
"""A command, and what it prints."""


def blocks() -> Iterator[list[Sample]]:
    """The commands of each block of the page that begins with one."""
    for indent, kind, block in FENCE.findall(PAGE):
        lines = [line.removeprefix(indent) for line in block.splitlines()]
        if kind != "text" or not lines[0].startswith("$ "):
            continue
        text = "\n".join(lines) + "\n"
        parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
        yield [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def source(command: str) -> str:
    words = re.findall(r"'[^']*'|\S+", command)
    return words[2].strip("'") if words[0] == "netdsl" else words[1]


RUN = [[sample for sample in block if source(sample[0]) not in NOT_HERE] for block in blocks()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sources of the samples lie."""
    path = tmp_path_factory.mktemp("docs") / "import"
    copytree(ROOT / "tests" / "data" / "import", path)
    (code,) = [block for _, kind, block in FENCE.findall(PAGE) if kind == "python"]
    (path / "nets.py").write_text(MODULE + code + SPECTRUM)
    header = np.array([0, 2, 5, 0, 0], np.int32).tobytes()
    (path / "residual.weights").write_bytes(header + np.zeros(FLOATS, np.float32).tobytes())
    return path


def test_all_samples_are_run_but_these() -> None:
    assert {source(command) for block in blocks() for command, _ in block} >= set(NOT_HERE)
    assert sum(map(len, RUN)) >= 9


@pytest.mark.parametrize("block", [block for block in RUN if block], ids=lambda b: source(b[0][0]))
def test_a_sample_is_what_is_printed(block: list[Sample], folder: Path) -> None:
    """What the page shows is where the output begins."""
    for command, output in block:
        run(command, output, folder)


def run(command: str, output: str, folder: Path) -> None:
    name = source(command)
    if ":" in name:
        pytest.importorskip("torch")
    if name.startswith("torchvision") and find_spec("torchvision") is None:
        pytest.skip("needs torchvision")
    program = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}\n'
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        ["sh", "-c", f"{program}{command} 2>&1"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=env,
    )
    assert output.strip(), command
    assert done.stdout.startswith(output), done.stdout
