"""Runs Graphviz: the one inside the package `graphviz-pure`, or the `dot` of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TIME_LIMIT_S = 20.0
PURE = "graphviz-pure"


class EngineError(Exception):
    """Graphviz is not there, failed, or took too long (`is_slow`)."""

    def __init__(self, message: str, is_slow: bool = False) -> None:
        super().__init__(message)
        self.is_slow = is_slow


def run(
    source: str, form: str, engine: str = "pure", *, placed: bool = False,
    limit_s: float = TIME_LIMIT_S,
) -> bytes:  # fmt: skip
    """What Graphviz makes of DOT text in format `form` (`json0`, `png`, `pdf`).

    `placed` keeps the positions in the text (`neato -n2`). Raises `EngineError`.
    """
    command = [_program(engine), f"-T{form}", *(["-Kneato", "-n2"] if placed else ["-Kdot"])]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise EngineError(f"Graphviz took more than {limit_s:g} s", is_slow=True) from None
    except OSError as error:
        raise EngineError(f"can't run {command[0]}: {error.strerror}") from None
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = next((line for line in said if line.startswith("Error")), "no output")
        raise EngineError(f"Graphviz failed: {reason}")
    return done.stdout


def _program(engine: str) -> str:
    if engine == "system":
        found = shutil.which("dot")
        if found is None:
            raise EngineError(
                "there is no `dot` on this system; install Graphviz, or leave out `--engine`"
            )
        return found
    beside = Path(sys.executable).parent / (PURE + (".exe" if os.name == "nt" else ""))
    found = str(beside) if beside.exists() else shutil.which(PURE)
    if found is None:
        raise EngineError("`graphviz-pure` is not installed; type `pip install graphviz-pure`")
    return found
