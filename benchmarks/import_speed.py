"""`netdsl import` of PyTorch modules, an ONNX and a Darknet file, beside the start of PyTorch."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from measure import PYTHON, hold, ratio, report

PEER = [PYTHON, "-c", "import torch"]
BOUNDS = {"torchvision.models:resnet50": 4, "torchvision.models:googlenet": 4, "onnx": 1, "cfg": 1}
"""In starts of PyTorch."""

CFG = "[net]\nwidth=416\nheight=416\nchannels=3\n" + "".join(
    f"\n[convolutional]\nbatch_normalize=1\nfilters={filters}\nsize={size}\npad=1\nactivation=leaky\n"
    for size, filters in [(1, 64), (3, 128)] * 50
)

with tempfile.TemporaryDirectory() as folder:
    exported, cfg = Path(folder) / "googlenet.onnx", Path(folder) / "deep.cfg"
    cfg.write_text(CFG)
    export = [PYTHON, "-m", "netdsl", "export", "examples/googlenet.net", "-o", str(exported)]
    subprocess.run(export, check=True, capture_output=True)
    sources = {"onnx": str(exported), "cfg": str(cfg)}
    lines: list[str] = []
    shares: dict[str, float] = {}
    for name in BOUNDS:
        command = [PYTHON, "-m", "netdsl", "import", sources.get(name, name)]
        ours, peer, shares[name] = ratio(command, PEER, runs=3)
        lines.append(
            f"{name:<30} {ours:6.2f} s, PyTorch's start {peer:.2f} s, ratio {shares[name]:.2f} "
            f"(bound {BOUNDS[name]})"
        )
report("import_speed", "\n".join(lines))
for name, bound in BOUNDS.items():
    hold(shares[name], bound)
