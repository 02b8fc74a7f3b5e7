"""Files are read whole or refused with a reason, and written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netdsl.diagnostics import Diagnostic, DiagnosticError, Source
from netdsl.diagnostics.reading import MAX_BYTES, plain_bytes


def read_source(path: str) -> Source:
    """The text of a `.net` file; `-` is standard input. Raises `DiagnosticError`.

    A pipe is read where the shell opened it for the command: `netdsl check <(generate)`.
    """
    try:
        if path == "-":
            if sys.stdin is None:  # closed by the caller
                raise _refused("unreadable-file", "can't read standard input: it is closed")
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            data = plain_bytes(path, opened=True)
    except (OSError, ValueError) as error:
        raise _refused("unreadable-file", f"can't read {path}: {_reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise _refused("too-large", f"{path} is larger than 10 MB")
    try:
        return Source("<stdin>" if path == "-" else path, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is {data[error.start]:#04x}"
        raise _refused("not-text", f"{path} is not UTF-8 text: {where}") from None


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file aside and rename it, so that it is there whole or not at all.

    Raises `OSError`.
    """
    with writing_whole(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def writing_whole(path: str | Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A file to write bytes into; it takes its name when all is written, and else is gone.

    `sync` waits until it has reached the disk. Raises `OSError`.
    """
    target = Path(path)
    target = target.resolve() if target.is_symlink() else target
    if target.exists() and not target.is_file():  # a device or a pipe is written as it is
        with open(target, "wb") as device:
            yield device
        return
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", text=False)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        os.chmod(aside, mode)
        os.replace(aside, target)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _refused(code: str, message: str) -> DiagnosticError:
    return DiagnosticError([Diagnostic(code, message, None)])


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
