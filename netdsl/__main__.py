"""The entry of the command line, also as `python -m netdsl`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from threading import Thread

ENDING = (
    "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF",
    "SIGUSR1", "SIGUSR2",
)  # fmt: skip
"""Signals that end a process and can be caught."""


def run() -> None:
    """Set the process up for a short life, then hand over to the commands."""
    gc.set_threshold(50_000)  # the graph lives to the end: looking for garbage in it is in vain
    _watch_for_signals()
    from netdsl.cli import main

    main(prog_name="netdsl")


def _watch_for_signals() -> None:
    """Let a thread end the process on a signal, whatever the main one does.

    As an exception it could be lost in a callback, and would wait for a runtime to return.
    What was ignored by the caller stays so.
    """
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in numbers:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, lambda *_: None)
    Thread(target=_leave_on_signal, args=(reading, numbers), daemon=True).start()


def _leave_on_signal(reading: int, numbers: list[int]) -> None:
    while os.read(reading, 1)[0] not in numbers:
        pass
    try:
        files = sys.modules.get("netdsl.files")  # if it is not there yet, no file is
        if files is not None and hasattr(files, "drop_drafts"):
            files.drop_drafts()
        os.write(2, b"\nnetdsl: interrupted\n")
    finally:  # nobody may read what is written
        os._exit(2)


if __name__ == "__main__":
    run()
