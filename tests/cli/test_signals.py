"""A signal while files are written: the old ones stay, or the new ones are whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

import netdsl
from netdsl import files
from tests.cli.targets import ENVIRONMENT, run, seen
from tests.sampling import some

SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGUSR1", "SIGALRM"]
KINDS: dict[str, list[str]] = {"one file": [], "apart": ["--external"]}
PLAIN = "from netdsl.__main__ import run\nrun()"
SLOW = f"""
import time
from netdsl.backends.onnx import export
export.numbers_of = lambda *_: time.sleep(60)
{PLAIN}
"""
"""The same command, which never comes to the end of its file."""


def killed(
    room: Path, words: list[object], number: int, wait: float, *, code: str = PLAIN, marker: bool
) -> tuple[int, bytes]:
    """A command that gets a signal, some time after it began or after its folder is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=room, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # ignored below `nohup`
    )  # fmt: skip
    limit = time.monotonic() + 60
    while marker and process.poll() is None and time.monotonic() < limit:
        if any(path.name.startswith(files.ASIDE) for path in room.iterdir()):
            break
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.in_turn("kind")
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_in_the_middle_of_a_file(name: str, kind: str, room: Path) -> None:
    check_a_signal(room, ["export", room / "a.net", *KINDS[kind]], name, kind, SLOW)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_during_a_verification(name: str, kind: str, room: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("torch")
    check_a_signal(room, ["export", room / "a.net", "--verify", *KINDS[kind]], name, kind, PLAIN)


def check_a_signal(room: Path, words: list[object], name: str, kind: str, code: str) -> None:
    """It leaves the folder as it was, and says so."""
    out = room / "out.onnx"
    out.write_bytes(b"old model")
    (room / "out.onnx.data").write_bytes(b"old weights")
    before = seen(room)
    wait = Random(name + kind).uniform(0, 0.4)
    number = getattr(signal, name)
    status, said = killed(room, [*words, "-o", out], number, wait, code=code, marker=True)
    assert seen(room) == before, said
    assert (status, said.endswith(b"\nnetdsl: interrupted\n")) == (2, True)


def test_a_signal_at_any_time(room: Path) -> None:
    """Whatever the moment: the old files, or the new ones, and nothing else."""
    out = room / "out.onnx"
    words = ["export", room / "a.net", "-o", out, "--external"]
    assert run(*words).exit_code == 0
    new = seen(room)
    out.write_bytes(b"old model")
    (room / "out.onnx.data").write_bytes(b"old weights")
    old = seen(room)
    draw = Random(1)
    for number in some(range(12), 2):
        killed(room, words, signal.SIGTERM, draw.uniform(0.1, 1.0), marker=number % 4 == 0)
        found = seen(room)
        assert found in (old, new), number
        out.write_bytes(b"old model")
        (room / "out.onnx.data").write_bytes(b"old weights")


def test_a_signal_where_nobody_reads_the_messages(room: Path) -> None:
    """It ends the command, and leaves nothing behind, though its words can't be written."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "export", "a.net", "-o", "out.onnx"],
        cwd=room, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    process.stderr.close()
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if any(path.name.startswith(files.ASIDE) for path in room.iterdir()):
            break
        time.sleep(0.005)
    before = {name for name in seen(room) if not name.startswith(files.ASIDE)}
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(20) == 2
    finally:
        process.kill()
    assert set(seen(room)) == before


def test_an_ignored_signal_stays_ignored(room: Path) -> None:
    out = room / "out.onnx"
    process = subprocess.Popen(
        [sys.executable, "-m", "netdsl", "export", "a.net", "-o", "out.onnx"],
        cwd=room,
        env=ENVIRONMENT,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0
    assert out.is_file()


def test_an_interrupt_in_python_tidies_up(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seen(room)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netdsl.backends.onnx.export.model_chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        netdsl.load(room / "a.net").export(room / "out.onnx")
    assert seen(room) == before
