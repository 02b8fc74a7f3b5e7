"""What a command reads is never written over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import netdsl
from tests.cli.targets import TEXT, run, seen, shell

INPUTS = {
    "compile": ["a.net", "part.net", "mine.py", "helper.py"],
    "export": ["a.net", "part.net", "mine.py", "helper.py", "w.safetensors"],
    "apart": ["a.net", "part.net", "mine.py", "helper.py", "w.safetensors"],
    "draw": ["a.net", "b.net", "part.net", "mine.py", "helper.py"],
}


@pytest.mark.parametrize("way", ["itself", "a link", "a hard link", "its data", "another spelling"])
@pytest.mark.parametrize(("command", "name"), [(c, n) for c in INPUTS for n in INPUTS[c]])
def test_no_command_writes_over_what_it_reads(
    command: str, name: str, way: str, workshop: Path
) -> None:
    if way == "its data" and command != "apart":
        pytest.skip("one file is written")
    if way in ("itself", "another spelling") and command == "draw":
        pytest.skip("its ending is no picture's")
    read = workshop / name
    out = {"itself": read, "another spelling": workshop / "." / ".." / workshop.name / name}.get(
        way
    )
    if out is None:
        out = workshop / ("out.svg" if command == "draw" else "out.onnx")
        link = out.with_name(f"{out.name}.data") if way == "its data" else out
        link.symlink_to(read) if way == "a link" else os.link(read, link)
    before = seen(workshop)
    words: list[object] = ["compile" if command == "compile" else "export", workshop / "a.net"]
    if command == "draw":
        words = ["draw", workshop / "a.net", "--diff", workshop / "b.net"]
    elif command != "compile":
        words += ["--weights", workshop / "w.safetensors"]
    words += ["--external"] if command == "apart" else []
    result = run(*words, "-o", out, "--plugin", workshop / "mine.py")
    assert result.exit_code == 2, result.output
    assert "is read here" in result.output or "this is the file" in result.output
    assert seen(workshop) == before


@pytest.mark.parametrize("name", ["a.net", "part.net", "w.safetensors", "mine.py", "helper.py"])
def test_nor_does_the_python_interface(name: str, workshop: Path) -> None:
    network = netdsl.load(workshop / "a.net", plugins=[workshop / "mine.py"])
    out = workshop / "out.svg"
    os.link(workshop / name, out)
    before = seen(workshop)
    with pytest.raises(ValueError, match="is read here"):
        network.export(out, workshop / "w.safetensors")
    if name != "w.safetensors":
        with pytest.raises(ValueError, match="is read here"):
            network.draw(out)
    assert seen(workshop) == before


def test_standard_input_is_a_file_that_is_read(room: Path) -> None:
    (room / "b.net").write_text(TEXT.replace("-> Part", "").partition("\n")[2])
    before = seen(room)
    done = shell("netdsl compile - -o b.net < b.net", room)
    assert done.returncode == 2, done.stderr
    assert seen(room) == before


def test_a_pipe_is_not_fixed(room: Path) -> None:
    path = room / "pipe.net"
    os.mkfifo(path)
    result = run("check", "--fix", path)
    assert (result.exit_code, "no plain file" in result.output) == (2, True)


def test_a_fix_through_a_link(room: Path) -> None:
    (room / "b.net").write_text(
        "net A {\n input x: [3, 8, 8]\n output y = x -> conv(filters=8, kernel=3)\n}\n"
    )
    (room / "c.net").symlink_to("b.net")
    (room / "b.net").chmod(0o604)
    assert run("check", "--fix", room / "c.net").exit_code == 0
    assert os.readlink(room / "c.net") == "b.net"
    assert "channels=8" in (room / "b.net").read_text()
    assert stat.S_IMODE((room / "b.net").stat().st_mode) == 0o604
