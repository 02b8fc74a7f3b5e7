"""What goes wrong around a command: a message, exit code 2, no traceback, no file in pieces."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]
LENET = str(ROOT / "examples" / "lenet.net")
NETDSL = f"{sys.executable} -m netdsl"


def shell(command: str) -> tuple[int, str]:
    """Exit code and output of a shell command; `netdsl` in it is ours."""
    command = f"set -o pipefail; {command.replace('netdsl', NETDSL)}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (f"netdsl check {LENET} > /dev/full", 2, "netdsl: no space left on device\n"),
        (f"netdsl summary {LENET} > /dev/full", 2, "netdsl: no space left on device\n"),
        ("netdsl --help > /dev/full", 2, "netdsl: no space left on device\n"),
        ("netdsl summary examples/densenet121.net | true", 2, ""),
        ("netdsl compile examples/densenet121.net | true", 2, ""),
        (f"netdsl check {LENET} >&-", 0, ""),
        (f"netdsl summary {LENET} >&- 2>&-", 0, ""),
        ("netdsl check missing.net 2>&- >&-", 1, ""),
        ("netdsl check - <&-", 1, "standard input: it is closed"),
        (f"netdsl compile {LENET} -o /nowhere/x.py", 2, "can't write /nowhere/x.py: no such file"),
        (f"netdsl compile {LENET} -o {LENET}", 2, "this is the file to be compiled"),
        (f"netdsl check {LENET} --set classes=3 --set classes=4", 2, "classes is given twice"),
        (f"netdsl check {LENET} --size H=3,H=4", 2, "H is given twice"),
        ("netdsl", 2, "Usage"),
    ],
)  # fmt: skip
def test_around_a_command(command: str, code: int, said: str) -> None:
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    found, output = shell(command)
    assert found == code, output
    assert said in output if said else output == ""


@pytest.mark.parametrize("delay", [0.15, 0.6])
def test_an_interrupt(delay: float, tmp_path: Path) -> None:
    path = tmp_path / "deep.net"
    path.write_text(
        "net A {\n input x: [4, H, W]\n"
        " output y = x -> repeat 90000 { conv(4, 3, padding=1) -> relu }\n}"
    )
    command = [sys.executable, "-m", "netdsl", "compile", str(path), "-o", str(tmp_path / "o.py")]
    for tries in range(1, 6):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # not in `nohup`
        )
        time.sleep(delay * tries)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        if b"runpy" not in said:  # Python itself was still starting, on a busy machine
            break
    assert (process.returncode, said) == (2, b"\nnetdsl: interrupted\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_mistake_of_ours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("netdsl.cli.commands.check.check", broken)
    result = CliRunner().invoke(main, ["check", LENET])
    assert result.exit_code == 2
    assert "netdsl: internal error: KeyError: 'x'" in result.output
    assert "test_shell.py" in result.output


def test_files_are_replaced_whole_and_keep_their_mode(tmp_path: Path) -> None:
    target, link = tmp_path / "real.py", tmp_path / "link.py"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert CliRunner().invoke(main, ["compile", LENET, "-o", str(link)]).exit_code == 0
    assert link.is_symlink()
    assert target.read_text().startswith('"""')
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    fresh = tmp_path / "fresh.py"
    assert CliRunner().invoke(main, ["compile", LENET, "-o", str(fresh)]).exit_code == 0
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o666 & ~umask


def test_a_wrong_file_leaves_the_old_output(tmp_path: Path) -> None:
    wrong, out = tmp_path / "a.net", tmp_path / "a.py"
    wrong.write_text("net A { input x: [3, 8, 8]\n output y = x -> conv(4, 9) }")
    out.write_text("old")
    assert CliRunner().invoke(main, ["compile", str(wrong), "-o", str(out)]).exit_code == 1
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.net", "a.py"]


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours(variables: dict[str, str], coloured: bool) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "netdsl", "check", "missing.net"],
        capture_output=True,
        text=True,
        env={**kept, **variables},
    )
    assert ("\x1b[" in done.stdout) == coloured
