"""Spatial pyramid pooling in ONNX Runtime, against four adaptive pools of eager PyTorch.

Maps [256, 13, 13] and [512, 40, 61], levels 1, 2, 3, 6, one thread each; bound: 4 times faster.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import onnxruntime
import torch
import torch.nn.functional as F
from measure import report

import netdsl

LEVELS = (1, 2, 3, 6)
BOUND = 4


def milliseconds(run, count: int = 60) -> float:
    """Median of many runs, after some to warm up."""
    for _ in range(5):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


torch.set_num_threads(1)
lines: list[str] = []
shares: list[float] = []
for channels, height, width in ((256, 13, 13), (512, 40, 61)):
    text = f"net A {{ input x: [{channels}, H, W]; output y = x -> spp({list(LEVELS)}) }}"
    x = torch.randn(1, channels, height, width)
    spent = {}
    for name, sizes in (("open", {}), ("fixed", {"H": height, "W": width})):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = netdsl.loads(text, sizes=sizes).onnx().SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feeds = {"x": x.numpy()}
        spent[name] = milliseconds(lambda: session.run(None, feeds))  # noqa: B023
    with torch.no_grad():
        eager = milliseconds(
            lambda: torch.cat([F.adaptive_max_pool2d(x, n).flatten(1) for n in LEVELS], 1)  # noqa: B023
        )
    shares += [eager / value for value in spent.values()]
    lines.append(
        f"{channels}x{height}x{width}: eager {eager:.3f} ms, open sizes {spent['open']:.3f} "
        f"({eager / spent['open']:.1f} x), fixed {spent['fixed']:.3f} ({eager / spent['fixed']:.1f} x)"
    )
report("spp_speed", "\n".join(lines))
sys.exit(0 if min(shares) >= BOUND else f"below {BOUND} times: {min(shares):.1f}")
