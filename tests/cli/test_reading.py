"""What is no plain file: pipes nobody writes into, devices without an end, folders, huge files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main

NET = "net A { input x: [1, 4, 4]; output y = x -> relu }\n"
SECONDS = 60
"""Whoever waits for a pipe waits for ever; a busy machine starts Python in far less."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.net")
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.net").mkdir()
    (tmp_path / "link.net").symlink_to(tmp_path / "pipe.net")
    with open(tmp_path / "huge.net", "wb") as file:
        file.truncate(50_000_000_000)
    with open(tmp_path / "huge.py", "wb") as file:
        file.truncate(50_000_000_000)
    (tmp_path / "a.net").write_text(NET)
    return tmp_path


@contextmanager
def limit(seconds: int = SECONDS) -> Iterator[None]:
    """What waits for ever is told by an error."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(*arguments: str | Path) -> tuple[int, str]:
    with limit():
        done = CliRunner().invoke(main, list(map(str, arguments)))
    assert "internal error" not in done.output
    return done.exit_code, done.output


def piped(text: bytes, *arguments: str) -> int:
    """The exit code of a process whose standard input is a text."""
    command = [sys.executable, "-m", "netdsl", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, timeout=SECONDS, check=False)
    assert b"internal error" not in done.stdout + done.stderr
    return done.returncode


def test_a_pipe_that_is_read_would_be_told(folder: Path) -> None:
    """Of the limit itself."""
    with pytest.raises(TimeoutError), limit(seconds=1):
        (folder / "pipe.net").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pipe.net", "it is a pipe"),
        ("link.net", "it is a pipe"),
        ("folder.net", "is a directory"),
        ("huge.net", "larger than 10 MB"),
    ],
)
def test_neither_a_file_nor_a_used_one(folder: Path, name: str, said: str) -> None:
    for command in ("check", "sizes", "summary"):
        code, text = run(command, folder / name)
        assert code == 1
        assert said in text
    (folder / "user.net").write_text(f'use "./{name}"\n{NET}')
    code, text = run("check", folder / "user.net")
    assert code == 1
    assert said in text
    assert "use-not-found" in text


def test_a_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s.net")
        code, text = run("check", folder / "s.net")
    assert code == 1
    assert "it is a socket" in text


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device")
def test_devices(folder: Path) -> None:
    for device in ("/dev/zero", "/dev/null", "/dev/tty"):
        code, text = run("check", device)
        assert code == 1
        assert "it is a device" in text
    assert piped(b"\0" * 10_000_001, "check", "-") == 1


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--weights", "pipe.safetensors"),
        ("--weights", "/dev/zero"),
        ("--weights", "folder.net"),
        ("--plugin", "pipe.py"),
        ("--plugin", "/dev/zero"),
        ("--plugin", "huge.py"),
    ],
)
def test_other_files_of_a_command(folder: Path, option: str, name: str) -> None:
    code, text = run("check", folder / "a.net", option, folder / name)
    assert code in (1, 2)
    assert "Traceback" not in text


def test_what_the_shell_opened_is_read(folder: Path) -> None:
    """`netdsl check <(generate)` names a pipe that someone does write into."""
    assert piped(NET.encode(), "check", "-") == 0
    if Path("/dev/stdin").exists():
        assert piped(NET.encode(), "check", "/dev/stdin") == 0
        assert piped(NET.encode(), "check", "/dev/fd/0") == 0
