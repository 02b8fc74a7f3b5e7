"""Runs Graphviz: the one inside the package `graphviz-pure`, or the `dot` of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

TIME_LIMIT_S = 20.0
PURE = "graphviz-pure"
_MAGIC = {"png": b"\x89PNG"}
"""What a file of each form begins with."""


class EngineError(Exception):
    """Graphviz is not there, failed, or took too long (`is_slow`)."""

    def __init__(self, message: str, is_slow: bool = False) -> None:
        super().__init__(message)
        self.is_slow = is_slow


def run(
    source: str, form: str, engine: str = "pure", *, placed: bool = False,
    limit_s: float = TIME_LIMIT_S,
) -> bytes:  # fmt: skip
    """What Graphviz makes of DOT text in format `form` (`json0`, `png`).

    `placed` keeps the positions in the text (`neato -n2`). Raises `EngineError`.
    """
    command = [_program(engine), f"-T{form}", *(["-Kneato", "-n2"] if placed else ["-Kdot"])]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        took = f"Graphviz took more than {limit_s:g} s"
        raise EngineError(took, is_slow=True) from None
    except OSError as error:
        raise EngineError(f"can't run {command[0]}: {error.strerror}") from None
    if done.returncode or not done.stdout.startswith(_MAGIC.get(form, b"")) or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise failed(_reason(done.returncode, lines), engine)
    return done.stdout


def failed(reason: str, engine: str) -> EngineError:
    """Graphviz did not do what it was asked to."""
    way_out = "; see whether `dot -V` works, or leave out `--engine`" if engine == "system" else ""
    return EngineError(f"Graphviz failed: {reason}{way_out}")


def _reason(code: int, lines: list[str]) -> str:
    """What it says of an error, else its last words, else how it ended."""
    if code < 0:
        return f"it was ended by signal {-code}"
    error = next((line for line in lines if line.startswith("Error")), lines[-1] if lines else "")
    return error[:200] or f"no output, exit code {code}"


def _program(engine: str) -> str:
    if engine == "system":
        program = shutil.which("dot")
        if program is None:
            raise EngineError(
                "there is no `dot` on this system; install Graphviz, or leave out `--engine`"
            )
        return program
    beside = Path(sys.executable).parent / (PURE + (".exe" if os.name == "nt" else ""))
    program = str(beside) if beside.exists() else shutil.which(PURE)
    if program is None:
        raise EngineError("`graphviz-pure` is not installed; type `pip install graphviz-pure`")
    return program
