"""Two processes that train together come to what one does alone; the demo of the docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from tests.training import QUIET, ROOT, rows, write_images

import torch  # isort: skip


def run(*words: object) -> str:
    """What the command prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.command", *map(str, words)],
        cwd=ROOT, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.full
def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """The same batches, halved; also the last one of an epoch, which can't be halved."""
    write_images(tmp_path / "d", {"a": 90, "b": 140}, 10)
    (tmp_path / "quiet.net").write_text(QUIET)
    printed = {}
    for devices in (1, 2):
        printed[devices] = run(
            "train", tmp_path / "quiet.net", "--data", tmp_path / "d", "--sizes", "12,16x20",
            "--test-sizes", 20, "--schedule", "batch", "--epochs", 4, "--batch", 5, "--lr", 0.05,
            "--augment", "crop,flip", "--workers", 0, "--accelerator", "cpu", "--devices", devices,
            "--out", tmp_path / str(devices),
        )  # fmt: skip
    one, two = (
        torch.load(tmp_path / str(n) / "last.ckpt", weights_only=True)["state_dict"] for n in (1, 2)
    )
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(*(rows(tmp_path / str(n) / "log.csv") for n in (1, 2)), strict=True):
        for name in ours:
            if name != "sizes":
                assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-3), name
    shown = [[line.split()[:2] for line in text.splitlines()] for text in printed.values()]
    assert shown[0] == shown[1]


@pytest.mark.full
def test_the_demo(tmp_path: Path) -> None:
    """Digits at two sizes, judged at these and at two that it never saw; in two minutes."""
    before = getrusage(RUSAGE_CHILDREN).ru_utime
    run(
        "train", "examples/digits.net", "--data", "sklearn:digits", "--sizes", "16,24",
        "--test-sizes", "20,32", "--epochs", 12, "--batch", 64, "--lr", 0.01,
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert getrusage(RUSAGE_CHILDREN).ru_utime - before < 120
    by_size = {
        row["size"]: float(row["accuracy"]) for row in rows(tmp_path / "run" / "accuracy.csv")
    }
    assert list(by_size) == ["16x16", "24x24", "20x20", "32x32"]
    assert min(by_size["16x16"], by_size["24x24"]) >= 0.95
    assert min(by_size["20x20"], by_size["32x32"]) >= 0.88
