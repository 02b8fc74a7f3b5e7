"""Times whole processes in turn and prints the ratio of their medians."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median


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


PYTHON = sys.executable
