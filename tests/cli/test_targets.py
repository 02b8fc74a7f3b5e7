"""Where a command writes: through nothing but plain files, all or nothing."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from netdsl import files
from tests.cli.targets import (
    WRITERS,
    nan_weights,
    run,
    seen,
    shell,
    target,
    write,
)


def test_a_new_file_and_nothing_else(room: Path, writer: str) -> None:
    before, out = seen(room), target(room, writer)
    assert write(room, writer, out).exit_code == 0
    more = {out.name, f"{out.name}.data"} if writer == "apart" else {out.name}
    assert seen(room).keys() - before.keys() == more
    assert {name: seen(room)[name] for name in before} == before


def test_a_folder(room: Path, writer: str) -> None:
    out = target(room, writer)
    out.mkdir()
    before = seen(room)
    result = write(room, writer, out)
    assert (result.exit_code, "is a directory" in result.output) == (2, True)
    assert seen(room) == before


def test_a_pipe(room: Path, writer: str) -> None:
    """What comes out is what a file would hold."""
    out, plain = target(room, writer), room / f"plain.{target(room, writer).name}"
    os.mkfifo(out)
    if writer == "apart":
        before = seen(room)
        assert write(room, writer, out).exit_code == 2
        assert seen(room) == before
        return
    assert write(room, writer, plain).exit_code == 0
    before = seen(room)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(out.read_bytes()), daemon=True)
    reader.start()
    assert write(room, writer, out).exit_code == 0
    reader.join(10)
    assert found == [plain.read_bytes()]
    assert seen(room) == before


def test_a_socket(room: Path, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(room)  # names of sockets are short
    out = target(room, writer)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(out.name)
        before = seen(room)
        result = write(room, writer, out)
        assert (result.exit_code, "can't write" in result.output) == (2, True)
        assert seen(room) == before


def test_a_device_of_ones_own(room: Path, writer: str) -> None:
    """A second null device: it takes what is written, and stays."""
    out = target(room, writer)
    try:
        os.mknod(out, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        out.write_bytes(b"x")
    except OSError:
        pytest.skip("devices can't be made or opened here")
    before = seen(room)
    assert write(room, writer, out).exit_code == (2 if writer == "apart" else 0)
    assert seen(room) == before


def test_a_verification_that_fails_leaves_a_device(room: Path) -> None:
    pytest.importorskip("onnxruntime")
    out = room / "null"
    try:
        os.mknod(out, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        out.write_bytes(b"x")
    except OSError:
        pytest.skip("devices can't be made or opened here")
    weights = nan_weights(room)
    before = seen(room)
    result = run("export", room / "a.net", "-o", out, "--verify", "--weights", weights)
    assert (result.exit_code, "mistake in netdsl" in result.output) == (1, False)
    assert seen(room) == before


def test_the_null_device_is_no_mistake(writer: str, room: Path) -> None:
    if writer in WRITERS.keys() - {"compile", "export", "verify"}:
        pytest.skip("the form of a drawing is that of a name")
    result = write(room, writer, Path("/dev/null"))
    assert result.exit_code == 0, result.output
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_device(room: Path, writer: str) -> None:
    out = target(room, writer)
    try:
        os.mknod(out, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        out.open("rb").close()
    except OSError:
        pytest.skip("devices can't be made or opened here")
    before = seen(room)
    result = write(room, writer, out)
    assert (result.exit_code, "can't write" in result.output) == (2, True)
    assert seen(room) == before


def test_a_loop_of_links(room: Path, writer: str) -> None:
    out = target(room, writer)
    (room / "other").symlink_to(out)
    out.symlink_to(room / "other")
    before = seen(room)
    result = write(room, writer, out)
    assert (result.exit_code, "can't write" in result.output) == (2, True)
    assert seen(room) == before


def test_a_link_to_nothing(room: Path, writer: str) -> None:
    """The file is made where the link leads to, and the link stays."""
    out, real = target(room, writer), room / f"real.{target(room, writer).suffix[1:]}"
    out.symlink_to(real.name)
    assert write(room, writer, out).exit_code == 0
    assert out.is_symlink()
    assert os.readlink(out) == real.name
    assert stat.S_ISREG(real.lstat().st_mode)
    if writer == "apart":
        onnx = pytest.importorskip("onnx")
        for name in out, real:
            assert len(onnx.load(name).graph.initializer) >= 2


def test_links_keep_and_modes_keep(room: Path, writer: str) -> None:
    folder, out = room / "elsewhere", target(room, writer)
    folder.mkdir()
    real = folder / out.name
    real.write_bytes(b"old")
    real.chmod(0o640)
    out.symlink_to(real)
    before = seen(room)
    result = write(room, writer, out)
    if writer == "apart":  # its weights would not be found by the name of the link
        assert (result.exit_code, "name the file itself" in result.output) == (2, True)
        assert seen(room) == before
        return
    assert result.exit_code == 0
    assert out.is_symlink()
    assert real.read_bytes() != b"old"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert seen(room).keys() == before.keys()


def test_a_folder_that_is_reached_by_a_link(room: Path, writer: str) -> None:
    (room / "real").mkdir()
    (room / "link").symlink_to("real")
    out = room / "link" / target(room, writer).name
    assert write(room, writer, out).exit_code == 0
    assert (room / "real" / out.name).is_file()


@pytest.mark.parametrize("length", [250, 255, 256, 5000])
def test_long_names(room: Path, writer: str, length: int) -> None:
    ending = target(room, writer).suffix
    out = room / ("n" * (length - len(ending)) + ending)
    before = seen(room)
    result = write(room, writer, out)
    if length + (5 if writer == "apart" else 0) <= 255:
        assert result.exit_code == 0, result.output
        return
    assert (result.exit_code, "file name too long" in result.output) == (2, True)
    assert seen(room) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_write_protected(room: Path, writer: str, what: str) -> None:
    out = target(room, writer)
    out.write_bytes(b"old")
    (room if what == "folder" else out).chmod(0o500 if what == "folder" else 0o400)
    try:
        result = write(room, writer, out)
    finally:
        room.chmod(0o700)
    assert (result.exit_code, "permission denied" in result.output) == (2, True)
    assert out.read_bytes() == b"old"


def test_a_full_disk(room: Path, writer: str) -> None:
    """Simulated by a limit on the length of files."""
    out = target(room, writer)
    out.write_bytes(b"old")
    before = seen(room)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        result = write(room, writer, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert result.exit_code == 2, result.output
    assert "can't write" in result.output
    assert "file too large" in result.output
    assert seen(room) == before


def test_a_full_disk_in_a_process_of_its_own(room: Path) -> None:
    before = seen(room)
    done = shell("ulimit -f 0; netdsl compile a.net -o a.py", room)
    assert (done.returncode, "file too large" in done.stderr) == (2, True), done.stderr
    assert seen(room) == before


SHELL = [
    ("compile a.net -o /dev/stdout | cat > got", "compile a.net -o want"),
    ("compile a.net -o /dev/stdout > got", "compile a.net -o want"),
    ("compile a.net -o /dev/fd/3 3> got", "compile a.net -o want"),
    ("compile a.net > got", "compile a.net -o want"),
    ("export a.net -o - > got", "export a.net -o want"),
    ("export a.net -o - | cat > got", "export a.net -o want"),
]


@pytest.mark.parametrize(("streamed", "plain"), SHELL)
def test_standard_output_by_its_names(
    streamed: str, plain: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = shell(f"set -o pipefail; netdsl {streamed}", room)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(room)
    assert run(*plain.split()).exit_code == 0
    assert (room / "got").read_bytes() == (room / "want").read_bytes() != b""


def test_standard_output_that_holds_something(room: Path) -> None:
    shell("{ echo before; netdsl compile a.net -o /dev/stdout; echo after; } > got", room)
    run("compile", room / "a.net", "-o", room / "want")
    assert (room / "got").read_text() == f"before\n{(room / 'want').read_text()}after\n"


# --- a model and its weights -------------------------------------------------------------------


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("old", [True, False])
def test_both_take_their_places_or_none(
    links: bool, broken: int, old: bool, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two renames fails, on disks with and without hard links."""
    out = room / "out.onnx"
    if old:
        out.write_bytes(b"old model")
        (room / "out.onnx.data").write_bytes(b"old weights")
    before = {name: path.read_bytes() for path in room.iterdir() for name in [path.name]}
    count = 0

    def replace(source: object, target: object, real: Callable = os.replace) -> None:
        nonlocal count
        count += 1
        if count == broken + 1:
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(files.os, "replace", replace)
    if not links:
        monkeypatch.setattr(files.os, "link", no_link)
    result = run("export", room / "a.net", "-o", out, "--external")
    assert (result.exit_code, "input/output error" in result.output) == (2, True)
    assert {path.name: path.read_bytes() for path in room.iterdir()} == before


def test_weights_that_can_not_take_their_place(room: Path) -> None:
    (room / "out.onnx").write_bytes(b"old model")
    (room / "out.onnx.data").mkdir()
    before = seen(room)
    assert run("export", room / "a.net", "-o", room / "out.onnx", "--external").exit_code == 2
    assert seen(room) == before


def test_a_link_from_the_weights_to_the_model(room: Path) -> None:
    (room / "out.onnx").write_bytes(b"old model")
    (room / "out.onnx.data").symlink_to("out.onnx")
    before = seen(room)
    assert run("export", room / "a.net", "-o", room / "out.onnx", "--external").exit_code == 2
    assert seen(room) == before
