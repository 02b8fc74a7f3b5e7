"""The size contract of every example and of deep networks: time beyond the check of a fixed size.

Bound: 50 ms beyond it, for an example.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from measure import report

import netdsl

BOUND_MS = 50
EXAMPLES = {p.stem: p.read_text(encoding="utf-8") for p in sorted(Path("examples").glob("*.net"))}
DENSENET = EXAMPLES["densenet121"]
CONV = "conv(8, 3, padding=1)"
LARGE = {
    "densenet201": DENSENET.replace("[3, 24]", "[3, 48]").replace("DenseBlock(16", "DenseBlock(32"),
    "1,000 convolutions": f"net A {{\n input x: [8, H, W]\n output y = x -> repeat 1000 {{ {CONV} }}\n}}",
    "1,000 unpadded": "net A {\n input x: [1, H, W]\n output y = x -> repeat 1000 { conv(1, 3) }\n}",
    "300 residuals": f"net A {{\n input x: [8, H, W]\n output y = x -> repeat 300 {{ add {{ {CONV} -> relu ; identity }} }}\n}}",
}


def seconds(text: str, sizes: dict[str, int]) -> float:
    """Median seconds to load a network and say its sizes."""

    def once() -> float:
        start = time.perf_counter()
        str(netdsl.loads(text, sizes=sizes).sizes)
        return time.perf_counter() - start

    return median(once() for _ in range(5))


lines: list[str] = []
over: list[str] = []
for name, text in {**EXAMPLES, **LARGE}.items():
    network = netdsl.loads(text)
    fixed = seconds(text, network.sizes.smallest() or {})
    extra = 1000 * (seconds(text, {}) - fixed)
    lines.append(f"{name:18} fixed {fixed * 1000:6.1f} ms, contract {extra:+6.1f} ms")
    if name in EXAMPLES and extra > BOUND_MS:
        over.append(name)
report("contracts", "\n".join(lines))
assert not over, f"over {BOUND_MS} ms: {', '.join(over)}"
