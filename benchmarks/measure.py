"""Times whole processes in turn, and keeps what was found in benchmarks/results."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

PYTHON = sys.executable
RESULTS = Path(__file__).parent / "results"


def seconds(command: list[str]) -> float:
    """Wall time of a process that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ratio(ours: list[str], peer: list[str], runs: int = 7) -> tuple[float, float, float]:
    """Median seconds of both, run A B A B after a warm-up, and the ratio."""
    seconds(ours), seconds(peer)
    pairs = [(seconds(ours), seconds(peer)) for _ in range(runs)]
    a, b = median(p[0] for p in pairs), median(p[1] for p in pairs)
    return a, b, a / b


def report(name: str, text: str) -> None:
    """Print a finding and keep it as the latest of that name, with the machine it is of."""
    RESULTS.mkdir(exist_ok=True)
    python = f"Python {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {python}"
    (RESULTS / f"{name}.txt").write_text(f"{text}\n({machine})\n", encoding="utf-8")
    print(text)


def hold(share: float, bound: float) -> None:
    """End with an error where a ratio is beyond its bound."""
    if share > bound:
        sys.exit(f"{share:.3f} is beyond the bound {bound}")
