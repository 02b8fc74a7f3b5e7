"""`netdsl check` of 50,000 layers against 5,000: at most 12 times the time."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from measure import PYTHON, hold, ratio, report

BOUND = 12


def write(folder: str, layers: int) -> str:
    """A chain of that many layers, as a file."""
    path = Path(folder) / f"deep{layers}.net"
    path.write_text(
        "net Deep {\n input x: [4, H, W]\n"
        f" output y = x -> repeat {layers // 2} {{ conv(4, 3, padding=1) -> relu }}\n}}\n"
    )
    return str(path)


def command(folder: str, layers: int) -> list[str]:
    return [PYTHON, "-m", "netdsl", "check", write(folder, layers)]


with TemporaryDirectory() as folder:
    large, small, share = ratio(command(folder, 50_000), command(folder, 5_000), runs=3)
report(
    "scaling",
    f"5,000 layers {small:.2f} s, 50,000 layers {large:.2f} s, ratio {share:.1f} (bound {BOUND})",
)
hold(share, BOUND)
