"""Makes the targets of one network in a process of its own: what to do comes in as JSON.

Each line that goes out is what came of one target. It ends when nobody is left to read them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import source_from_cache
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

from netdsl.cli import main, options
from netdsl.diagnostics.reading import reason
from netdsl.files import drop_drafts, write_whole

INSTALLED = tuple(Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix))
LIVE = tuple(map(Path, ("/dev", "/proc", "/sys")))
"""Where what looks like files is the state of the machine, and of this process."""


class Opened:
    """The plain files that are opened for reading, whoever does it."""

    def __init__(self) -> None:
        self.paths: dict[str, None] = {}
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and _is_reading(arguments[1]):
            self.paths[arguments[0]] = None

    def files(self) -> Iterator[Path]:
        """Those that are there, on a disk, and are nobody's installation."""
        for name in list(self.paths):
            path = Path(_source_of(name)).resolve()
            if path.is_file() and not any(
                path.is_relative_to(home) for home in (*INSTALLED, *LIVE)
            ):
                yield path


def _is_reading(mode: object) -> bool:
    return not isinstance(mode, str) or not any(sign in mode for sign in "wax+")


def _source_of(name: str) -> str:
    """The Python file behind a compiled one."""
    try:
        return source_from_cache(name) if name.endswith(".pyc") else name
    except ValueError:
        return name


def work() -> None:
    """Make what standard input asks for; a line for each target."""
    targets: list[dict[str, Any]] = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for this is told as well
    Thread(target=_end_with_parent, daemon=True).start()
    results = sys.stdout
    opened, options.LOADED = Opened(), {}
    for target in targets:
        start = time.perf_counter()
        code, output = _made(target)
        made = {str(path) for path in _outputs(target)}
        reads = [str(path) for path in opened.files() if str(path) not in made]
        seconds = time.perf_counter() - start
        line = {"code": code, "output": output, "reads": reads, "seconds": seconds}
        print(json.dumps(line), file=results, flush=True)


def _end_with_parent() -> None:
    """End when standard input does, which whoever waits holds open."""
    sys.stdin.read()
    drop_drafts()
    os._exit(2)


def _made(target: dict[str, Any]) -> tuple[int, str]:
    """Run the command of a target; its exit code, and what it says."""
    printed, messages = StringIO(), StringIO()
    file = target["file"]
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    with _captured(printed, messages):
        code = _exit_code([target["command"], *target["arguments"]])
    if code == 0 and file is not None and target["is_printed"]:
        try:
            write_whole(file, printed.getvalue())
        except OSError as error:
            return 2, f"can't write {file}: {reason(error)}"
        return 0, messages.getvalue()
    return code, messages.getvalue() + ("" if target["is_printed"] else printed.getvalue())


@contextmanager
def _captured(printed: StringIO, messages: StringIO) -> Iterator[None]:
    with redirect_stdout(printed), redirect_stderr(messages):
        yield


def _exit_code(arguments: list[str]) -> int:
    try:
        main.main(arguments, prog_name="netdsl")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _outputs(target: dict[str, Any]) -> list[Path]:
    return [Path(target["file"]).resolve()] if target["file"] else []


if __name__ == "__main__":
    work()
