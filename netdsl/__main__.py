"""The entry of the command line, also as `python -m netdsl`."""

from __future__ import annotations

import gc


def run() -> None:
    """Set the process up for a short life, then hand over to the commands."""
    gc.set_threshold(50_000)  # the graph lives to the end: looking for garbage in it is in vain
    from netdsl.cli import main

    main(prog_name="netdsl")


if __name__ == "__main__":
    run()
