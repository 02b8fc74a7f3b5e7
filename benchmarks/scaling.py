"""50,000 layers against 5,000: at most 12 times the time."""

from __future__ import annotations

import time
from statistics import median

import netdsl


def check(layers: int) -> float:
    """Seconds to check a chain of that many layers."""
    text = (
        "net Deep {\n input x: [4, H, W]\n"
        f" output y = x -> repeat {layers // 2} {{ conv(4, 3, padding=1) -> relu }}\n}}\n"
    )
    start = time.perf_counter()
    netdsl.loads(text)
    return time.perf_counter() - start


check(1000)
small = median(check(5_000) for _ in range(3))
large = median(check(50_000) for _ in range(3))
print(
    f"5,000 layers {small:.2f} s, 50,000 layers {large:.2f} s, ratio {large / small:.1f} (bound 12)"
)
