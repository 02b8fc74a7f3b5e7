"""Where a command writes: never over what it read, through nothing but plain files, all or nothing."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl import files
from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]
TEXT = 'use "./part.net" (Part)\nnet A {\n input x: [3, H, W]\n output y = x -> fc: conv(2, 1) -> Part\n}\n'
PART = "block Part { relu }\n"


def run(*words: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, words)))
    assert "internal error" not in result.output
    assert "Traceback" not in result.output
    return result


def seen(folder: Path) -> dict[str, object]:
    """All that is in a folder: kinds, modes, links and contents."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat()
        what: object = stat.S_IFMT(kind.st_mode)
        if path.is_symlink():
            what = os.readlink(path)
        elif path.is_file():
            what = path.read_bytes()
        found[str(path.relative_to(folder))] = (what, kind.st_mode, kind.st_nlink)
    return found


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with a network, what it uses, and weights for it."""
    np = pytest.importorskip("numpy")
    save = pytest.importorskip("safetensors.numpy").save_file
    (tmp_path / "a.net").write_text(TEXT)
    (tmp_path / "part.net").write_text(PART)
    save(
        {"fc.weight": np.ones((2, 3, 1, 1), np.float32), "fc.bias": np.zeros(2, np.float32)},
        tmp_path / "w.safetensors",
    )
    return tmp_path


WRITERS: dict[str, Callable[[Path, Path], list[object]]] = {
    "compile": lambda room, out: ["compile", room / "a.net", "-o", out],
    "export": lambda room, out: ["export", room / "a.net", "-o", out],
    "apart": lambda room, out: ["export", room / "a.net", "-o", out, "--external"],
    "verify": lambda room, out: ["export", room / "a.net", "-o", out, "--verify", "--at", "H=2,W=2"],
    **{
        form: lambda room, out: ["draw", room / "a.net", "-o", out]
        for form in ("svg", "png", "pdf", "dot", "html")
    },
}  # fmt: skip
ENDINGS = {"compile": "py", "export": "onnx", "apart": "onnx", "verify": "onnx"}


def target(room: Path, writer: str) -> Path:
    return room / f"out.{ENDINGS.get(writer, writer)}"


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> str:
    if request.param == "verify":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("torch")
    if request.param == "pdf" and shutil.which("dot") is None:
        pytest.skip("PDF takes the `dot` of the system")
    return request.param


def write(room: Path, writer: str, out: Path) -> Result:
    return run(*WRITERS[writer](room, out))


# --- targets that are no plain file ----------------------------------------------------------


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
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        f"sys.argv[1:] = {list(map(str, WRITERS[writer](room, out)))!r}\n"
        "from netdsl.__main__ import run\nrun()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=room
    )
    assert done.returncode == 2, done.stderr
    assert "can't write" in done.stderr
    assert "file too large" in done.stderr
    assert seen(room) == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


SHELL = [
    ("compile a.net -o /dev/stdout | cat > got", "compile a.net -o want"),
    ("compile a.net -o /dev/stdout > got", "compile a.net -o want"),
    ("compile a.net -o /dev/fd/3 3> got", "compile a.net -o want"),
    ("compile a.net > got", "compile a.net -o want"),
    ("export a.net -o - > got", "export a.net -o want"),
    ("export a.net -o - | cat > got", "export a.net -o want"),
]


@pytest.mark.parametrize(("streamed", "plain"), SHELL)
def test_standard_output_by_its_names(streamed: str, plain: str, room: Path) -> None:
    netdsl_ = f"{sys.executable} -m netdsl"
    script = f"set -e; {netdsl_} {plain}; {netdsl_} {streamed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        ["bash", "-c", script], check=True, cwd=room, env=environment, capture_output=True
    )
    assert (room / "got").read_bytes() == (room / "want").read_bytes() != b""


def test_standard_output_that_holds_something(room: Path) -> None:
    script = f"{{ echo before; {sys.executable} -m netdsl compile a.net -o /dev/stdout; echo after; }} > got"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        ["bash", "-c", script], check=True, cwd=room, env=environment, capture_output=True
    )
    run("compile", room / "a.net", "-o", room / "want")
    assert (room / "got").read_text() == f"before\n{(room / 'want').read_text()}after\n"


# --- files that are read -----------------------------------------------------------------------


PLUGIN = '''
"""A layer."""
from pathlib import Path
from netdsl.ops import *


class Mine(Op):
    """Does it."""

    name = "mine"
    family = "own"

    def infer(self, inputs, rules):
        return inputs

    def torch(self, inputs, outputs):
        return TorchModule("Mine", helper=str(Path(__file__).with_name("helper.py")))

    def onnx(self, to):
        return to.node("Relu", to.inputs)
'''
HELPER = '"""Help."""\nfrom torch import nn\n\n\nclass Mine(nn.ReLU):\n    """Does it."""\n'


def nan_weights(room: Path) -> Path:
    np = pytest.importorskip("numpy")
    save = pytest.importorskip("safetensors.numpy").save_file
    path = room / "nan.safetensors"
    save(
        {
            "fc.weight": np.full((2, 3, 1, 1), np.nan, np.float32),
            "fc.bias": np.zeros(2, np.float32),
        },
        path,
    )
    return path


@pytest.fixture
def workshop(room: Path) -> Path:
    """The same with a plug-in and its helper."""
    (room / "mine.py").write_text(PLUGIN)
    (room / "helper.py").write_text(HELPER)
    (room / "a.net").write_text(TEXT.replace("-> Part", "-> Part -> mine"))
    (room / "b.net").write_text((room / "a.net").read_text().replace("conv(2, 1)", "conv(3, 1)"))
    return room


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
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m netdsl compile - -o b.net < b.net"],
        cwd=room, env=environment, capture_output=True, text=True,
    )  # fmt: skip
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


# --- signals -----------------------------------------------------------------------------------


SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGUSR1", "SIGALRM"]


def killed(
    room: Path, words: list[object], number: int, wait: float, marker: bool
) -> tuple[int, bytes]:
    """A command that gets a signal, some time after it began or after its folder is there."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "netdsl", *map(str, words)],
        cwd=room, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
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


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("kind", ["verify", "apart"])
def test_a_signal_leaves_the_folder_as_it_was(name: str, kind: str, room: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("torch")
    out = room / "out.onnx"
    out.write_bytes(b"old model")
    (room / "out.onnx.data").write_bytes(b"old weights")
    before = seen(room)
    more = ["--external"] if kind == "apart" else []
    words = ["export", room / "a.net", "-o", out, "--verify", *more]
    wait = Random(name + kind).uniform(0, 0.4)
    code, said = killed(room, words, getattr(signal, name), wait, marker=True)
    assert seen(room) == before, said
    assert (code, said.endswith(b"\nnetdsl: interrupted\n")) == (2, True)


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
    for number in range(12):
        killed(room, words, signal.SIGTERM, draw.uniform(0.1, 1.0), marker=number % 2 == 0)
        found = seen(room)
        assert found in (old, new), number
        out.write_bytes(b"old model")
        (room / "out.onnx.data").write_bytes(b"old weights")


def test_an_ignored_signal_stays_ignored(room: Path) -> None:
    out = room / "out.onnx"
    script = f"trap '' HUP; exec {sys.executable} -m netdsl export a.net -o out.onnx"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=room, env=environment, stderr=subprocess.DEVNULL
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
