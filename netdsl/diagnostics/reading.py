"""Bytes of plain files; what is none is refused, so that no read waits for ever or has no end."""

from __future__ import annotations

import os
import stat
from errno import EAGAIN, EINVAL, EISDIR
from pathlib import Path

MAX_BYTES = 10_000_000
"""The largest text that is read."""
TOO_LARGE = f"larger than {MAX_BYTES // 10**6} MB"

OPENED = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
"""Where a shell puts what it has opened for the command: `netdsl check <(generate)`."""

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def plain_bytes(path: str | Path, *, opened: bool = False) -> bytes:
    """The bytes of a plain file, one more than `MAX_BYTES` of a larger one.

    With `opened` a pipe that the shell opened for the command is read as well; a pipe in a folder
    is not, since nothing says that anyone will write into it. Raises `OSError`, `ValueError`.
    """
    pipes = opened and str(path).startswith(OPENED)
    _check(os.stat(path), pipes, opened)  # to open a device may do something to it
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        _check(status, pipes, opened)
        if stat.S_ISFIFO(status.st_mode):
            os.set_blocking(handle, True)
        data = file.read(MAX_BYTES + 1)
    if data is None:  # pyright: ignore[reportUnnecessaryComparison]  (a file of /proc may wait)
        raise OSError(EAGAIN, os.strerror(EAGAIN))
    return data


def _check(status: os.stat_result, pipes: bool, opened: bool) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG or (pipes and kind == stat.S_IFIFO):
        return
    if kind == stat.S_IFDIR:
        raise OSError(EISDIR, os.strerror(EISDIR))
    help = "; `-` reads standard input" if opened and kind == stat.S_IFIFO else ""
    raise OSError(EINVAL, f"it is {KINDS.get(kind, 'something else')}, no plain file{help}")


def reason(error: Exception) -> str:
    """What an error of the system says, to follow a colon."""
    return (getattr(error, "strerror", None) or str(error)).lower()
