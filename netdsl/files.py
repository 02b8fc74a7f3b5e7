"""Files are read completely or refused with a reason, and written atomically."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from netdsl.diagnostics import Diagnostic, DiagnosticError, Source
from netdsl.diagnostics.reading import MAX_BYTES, TOO_LARGE, plain_bytes, reason

ASIDE = ".netdsl-"
"""How the name of a folder begins that files are written in before they take their place."""
STREAM = re.compile(r"/dev/(?P<name>stdout|stderr)|/(?:dev|proc/self)/fd/(?P<number>\d{1,9})")
TRIES = 50

_FOLDERS: set[Path] = set()
_LOCK = Lock()
"""Held while such a folder is made or removed, and while files take their places."""


class OverwriteError(ValueError):
    """What is to be written is a file that was read; the text says which."""


def read_source(path: str) -> Source:
    """The text of a `.net` file; `-` is standard input. Raises `DiagnosticError`.

    A pipe is read where the shell opened it for the command: `netdsl check <(generate)`.
    """
    shown = "standard input" if path == "-" else path
    try:
        if path == "-":
            if sys.stdin is None:  # closed by the caller
                raise _refused("unreadable-file", "can't read standard input: it is closed")
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            data = plain_bytes(path, opened=True)
    except (OSError, ValueError) as error:
        raise _refused("unreadable-file", f"can't read {shown}: {reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise _refused("too-large", f"{shown} is {TOO_LARGE}")
    try:
        return Source("<stdin>" if path == "-" else path, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is {data[error.start]:#04x}"
        raise _refused("not-text", f"{shown} is not UTF-8 text: {where}") from None


def check_not_read(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Raises `OverwriteError` if an output is a plain file that is an input too.

    Links of both kinds are the file that they lead to; the input `-` is standard input.
    """
    there = [(path, status) for path in outputs if (status := _plain(path)) is not None]
    if not there:
        return
    for source in inputs:
        source_status = _plain("/dev/stdin" if str(source) == "-" else source)
        for path, status in there:
            if source_status is not None and os.path.samestat(source_status, status):
                same = "" if str(path) == str(source) else f", as {source}"
                raise OverwriteError(f"{path} is read here{same}: give the output another name")


def _plain(path: str | Path) -> os.stat_result | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


# --- writing -------------------------------------------------------------------------------


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file aside and rename it, so that it is there whole, and on the disk, or not at all.

    Raises `OSError`.
    """
    with drafting(path) as (aside,), open(aside, "wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def drafting(*paths: str | Path) -> Iterator[list[Path]]:
    """Where to write files first: they take their places at the end, or none of them does.

    They bear the names that they will have, in a folder of their own beside; all are to lie in
    one folder. Links are followed, modes and owners kept. A stream (a pipe, a terminal,
    `/dev/stdout`) is written at the end; a folder or a disk is refused. Raises `OSError`.
    """
    targets = [_target(Path(path)) for path in paths]
    if len({target.path for target in targets}) < len(targets):
        raise OSError(errno.EINVAL, "two files would be written to one place")
    streamed = any(target.is_stream for target in targets)
    if streamed and len(targets) > 1:
        raise OSError(errno.EINVAL, "two files can't be written to a stream")
    with _folder(None if streamed else targets[0].path.parent) as folder:
        drafts = [folder / (target.path.name or "file") for target in targets]
        yield drafts
        if streamed:
            _pour(drafts[0], targets[0])
        else:
            _install(drafts, [target.path for target in targets], folder)


def leads_to(path: Path) -> Path:
    """The path of a file to be written, without links. Raises `OSError` as `drafting` does."""
    return _target(path).path


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a file goes: to a path without links, or into a stream, open or to be opened."""

    path: Path
    is_stream: bool = False
    descriptor: int | None = None


def _target(path: Path) -> _Target:
    """What a path leads to. Raises `OSError` for what can't be written."""
    opened = STREAM.fullmatch(str(path))
    if opened:
        number = {"stdout": 1, "stderr": 2}.get(opened["name"]) or int(opened["number"])
        return _Target(path, True, number)
    try:
        status = path.stat()
    except FileNotFoundError:
        return _Target(path.resolve())
    except ValueError as error:  # a null byte
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISBLK(status.st_mode):
        raise OSError(errno.EINVAL, "this is a disk, not a file")
    if not stat.S_ISREG(status.st_mode):
        return _Target(path, True)
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return _Target(path.resolve())


@contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    """A new folder that is gone at the end, with all that is in it."""
    with _LOCK:
        folder = Path(tempfile.mkdtemp(prefix=ASIDE, dir=parent))
        _FOLDERS.add(folder)
    try:
        yield folder
    finally:
        with _LOCK:
            shutil.rmtree(folder, ignore_errors=True)
            _FOLDERS.discard(folder)


def _pour(draft: Path, target: _Target) -> None:
    """Write into a stream what is ready."""
    into = target.path if target.descriptor is None else os.dup(target.descriptor)
    with open(into, "wb") as stream, open(draft, "rb") as file:
        shutil.copyfileobj(file, stream)


def _install(drafts: Sequence[Path], targets: Sequence[Path], folder: Path) -> None:
    """Files take their places in order; if one can't, those before it are as they were."""
    for draft, target in zip(drafts, targets, strict=True):
        _keep_mode(draft, target)
    placed: list[tuple[Path, Path, bool]] = []
    with _LOCK:
        try:
            for number, (draft, target) in enumerate(zip(drafts, targets, strict=True)):
                before = folder / f"{number}.before"
                placed.append((before, target, target.exists()))
                if number < len(targets) - 1:
                    _set_aside(target, before)
                os.replace(draft, target)
        except BaseException:
            for before, target, was_there in reversed(placed):
                if before.exists():
                    os.replace(before, target)
                elif not was_there:
                    target.unlink(missing_ok=True)
            raise


def _keep_mode(draft: Path, target: Path) -> None:
    """The mode and the owner of the file that is replaced, as far as is allowed."""
    if not target.exists():
        return
    status = target.stat()
    with suppress(OSError):
        os.chown(draft, status.st_uid, status.st_gid)
    os.chmod(draft, stat.S_IMODE(status.st_mode) & 0o777)


def _set_aside(target: Path, before: Path) -> None:
    """A second name for a file, where there is one; its only one on disks without links."""
    if target.exists():
        try:
            os.link(target, before)
        except OSError:
            os.rename(target, before)


def drop_drafts() -> None:
    """Remove what is not ready; only for the end of the process, as nothing is written after it."""
    _LOCK.acquire()
    for folder in _FOLDERS:
        for _ in range(TRIES):  # a thread may be writing there still
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break


def _refused(code: str, message: str) -> DiagnosticError:
    return DiagnosticError([Diagnostic(code, message, None)])
