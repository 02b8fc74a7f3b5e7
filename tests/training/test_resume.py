"""A run that is broken off goes on from its last checkpoint, and ends with the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

import netdsl
from tests.sampling import FULL
from tests.training import ROOT, files_of, restless, write_images

import torch  # isort: skip

OPTIONS: dict[str, Any] = {
    "schedule": "batch", "epochs": 4, "batch": 6, "lr": 0.05, "augment": ["crop", "flip"],
    "every": 2, "workers": 0, "test_sizes": [20],
}  # fmt: skip
SIZES = [12, 16]


class Broken(Exception):
    """Raised in the middle of a step."""


def broken_off(
    data: Path, run: Path, step: int, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> list[Any]:
    """The batches of a run that ends before its step of this number, counted from where it begins."""
    from netdsl.training.learner import Learner

    batches: list[Any] = []
    original = Learner.training_step

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        if len(batches) == step:
            raise Broken
        batches.append(batch)
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", training_step)
        try:
            netdsl.train(restless(), data, SIZES, run, **{**OPTIONS, **options})
        except Broken:
            assert len(batches) == step
    return batches


def same(ours: list[Any], theirs: list[Any]) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(a.images, b.images) and torch.equal(a.targets, b.targets)
        for a, b in zip(ours, theirs, strict=True)
    )


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off before each step; no step before the checkpoint is done again, all others are."""
    write_images(tmp_path / "d", {"a": 90, "b": 140}, 10)
    every = broken_off(tmp_path / "d", tmp_path / "whole", 10**6, monkeypatch)
    whole = files_of(tmp_path / "whole")
    assert len({batch.size for batch in every}) == 2
    assert len(every) >= 8
    moments = range(len(every)) if FULL else Random(1).sample(range(2, len(every)), 2)
    for step in moments:
        run = tmp_path / f"run{step}"
        broken_off(tmp_path / "d", run, step, monkeypatch)
        last = run / "last.ckpt"
        done = torch.load(last, weights_only=True)["global_step"] if last.exists() else 0
        assert step - 2 <= done <= step
        rest = broken_off(tmp_path / "d", run, 10**6, monkeypatch, resume=True)
        assert same(rest, every[done:]), step
        assert files_of(run) == whole, step
    again = broken_off(tmp_path / "d", tmp_path / "whole", 10**6, monkeypatch, resume=True)
    assert again == []
    assert files_of(tmp_path / "whole") == whole


@pytest.mark.full
def test_a_comparison_sees_a_run_that_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would see three ways to resume wrongly."""
    from netdsl.training.learner import Learner
    from netdsl.training.lightning_run import LightningRun

    write_images(tmp_path / "d", {"a": 90, "b": 140}, 10)
    every = broken_off(tmp_path / "d", tmp_path / "whole", 10**6, monkeypatch)
    whole = files_of(tmp_path / "whole")

    def resumed(name: str, patch: Any) -> tuple[bool, bool]:
        run = tmp_path / name
        broken_off(tmp_path / "d", run, 6, monkeypatch)  # in the middle of an epoch
        done = torch.load(run / "last.ckpt", weights_only=True)["global_step"]
        with monkeypatch.context() as context:
            patch(context)
            rest = broken_off(tmp_path / "d", run, 10**6, monkeypatch, resume=True)
        return same(rest, every[done:]), files_of(run) == whole

    fit, load = LightningRun.fit, Learner.on_load_checkpoint

    def anew(self: Any, module: Any, job: Any, resume: bool) -> Any:
        return fit(self, module, job, False)

    def at_the_start_of_the_epoch(self: Any, checkpoint: Any) -> None:
        load(self, checkpoint)
        self.done = 0

    wrong = (LightningRun, "fit", anew)
    assert resumed("anew", lambda patch: patch.setattr(*wrong)) == (False, True)
    unseeded = (Learner, "on_train_batch_start", lambda *_: None)
    assert resumed("unseeded", lambda patch: patch.setattr(*unseeded)) == (True, False)
    lost = (Learner, "on_load_checkpoint", at_the_start_of_the_epoch)
    assert resumed("lost", lambda patch: patch.setattr(*lost))[0] is False


KILLER = """
import json, os, signal, sys, time
from pathlib import Path
from random import Random

from tests.training import restless, torchvision_models
from tests.training.test_resume import OPTIONS, SIZES
import netdsl.training.lightning_run, netdsl.training.folders  # before the first fork
import torch, netdsl

torch.set_num_threads(1)
room, kills = Path(sys.argv[1]), int(sys.argv[2])


def begin(run):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            options = {**OPTIONS, "epochs": 5 if kills < 5 else 12}
            netdsl.train(restless(), room / "d", SIZES, room / run, resume=True, **options)
            code = 0
        finally:
            os._exit(code)
    return child


def saved(run):
    last = room / run / "last.ckpt"
    return last.stat().st_mtime_ns if last.exists() else 0


def wait_until_saved(child, run):
    # whether a checkpoint is written before the child ends
    before = saved(run)
    while saved(run) == before:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.002)
    return True


child = begin("whole")
assert wait_until_saved(child, "whole")
start = time.monotonic()
_, status = os.waitpid(child, 0)
assert status == 0
whole = time.monotonic() - start
draw, killed = Random(7), 0
steps = []
while killed < kills:
    child = begin("run")
    if draw.random() < 0.8:
        wait_until_saved(child, "run")
    time.sleep(draw.uniform(0, whole * 0.5))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    last = room / "run" / "last.ckpt"
    steps.append(torch.load(last, weights_only=True)["global_step"] if last.exists() else 0)
    if not os.WIFSIGNALED(status):  # it came to its end: begin another
        assert status == 0
        print(json.dumps(["ended", steps]))
        os.rename(room / "run", room / f"run{killed}")
_, status = os.waitpid(begin("run"), 0)
assert status == 0
print(json.dumps(["killed", steps]))
"""


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.full)])
def test_killed_at_any_moment(kills: int, tmp_path: Path) -> None:
    """SIGKILL at random moments, again and again, and the end is that of an unbroken run, bit for bit."""
    write_images(tmp_path / "d", {"a": 90, "b": 140}, 10)
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path), str(kills)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1][0] == "killed"
    assert len({step for _, steps in lines for step in steps}) > 1, "killed too early each time"
    whole = files_of(tmp_path / "whole")
    for run in [path for path in tmp_path.iterdir() if path.name.startswith("run")]:
        assert files_of(run) == whole
        assert sorted(path.name for path in run.iterdir()) == sorted(
            path.name for path in (tmp_path / "whole").iterdir()
        )
