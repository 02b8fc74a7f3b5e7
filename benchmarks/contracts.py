"""The size contract of every example: time beyond the check of a fixed size."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from measure import report

import netdsl


def seconds(path: Path, sizes: dict[str, int]) -> float:
    """Median seconds to load a file and say its sizes."""

    def once() -> float:
        start = time.perf_counter()
        str(netdsl.load(path, sizes=sizes).sizes)
        return time.perf_counter() - start

    return median(once() for _ in range(5))


lines: list[str] = []
for path in sorted(Path("examples").glob("*.net")):
    network = netdsl.load(path)
    fixed = seconds(path, network.sizes.smallest() or {})
    free = seconds(path, {})
    extra = 1000 * (free - fixed)
    lines.append(f"{path.stem:16} fixed {fixed * 1000:6.1f} ms, contract {extra:+6.1f} ms")
report("contracts", "\n".join(lines))
