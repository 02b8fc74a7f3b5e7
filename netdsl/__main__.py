"""The entry of the command line, also as `python -m netdsl`."""

from __future__ import annotations

import gc
import os
import signal


def run() -> None:
    """Set the process up for a short life, then hand over to the commands."""
    gc.set_threshold(50_000)  # the graph lives to the end: looking for garbage in it is in vain
    # at once: as an exception it could be lost in a callback, and files are written under
    # `shell.interruptible` alone
    signal.signal(signal.SIGINT, _leave)
    from netdsl.cli import main

    main(prog_name="netdsl")


def _leave(*_: object) -> None:
    os.write(2, b"\nnetdsl: interrupted\n")
    os._exit(2)


if __name__ == "__main__":
    run()
